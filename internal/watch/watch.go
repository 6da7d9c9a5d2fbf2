// Package watch tells when something changes in folders.
package watch

import (
	"context"
	"log/slog"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	settle = 150 * time.Millisecond // after the last of a burst of changes
	burst  = 2 * time.Second        // longer than this no burst is waited for
	poll   = 15 * time.Second       // where the system reports no changes, or not all
)

// A Watcher sees changes in the folders that were added. A nil one sees nothing.
type Watcher struct {
	notify *fsnotify.Watcher // nil: the system reports no changes
	log    *slog.Logger
}

// New makes a Watcher of no folders. Its Run closes it.
func New(ctx context.Context, log *slog.Logger) *Watcher {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		log.WarnContext(ctx, "changed files are found late: folders are polled", "err", err)
	}
	return &Watcher{notify, log}
}

// Add asks to be told of changes in a folder; again does no harm.
func (w *Watcher) Add(ctx context.Context, folder string) {
	if w == nil || w.notify == nil {
		return
	}
	if err := w.notify.Add(folder); err != nil {
		w.log.WarnContext(ctx, "changed files are found late: a folder is polled", "dir", folder, "err", err)
	}
}

// Run calls check at once, since something may have changed before, then after
// every burst of changes that concern it, and every 15 seconds, until ctx ends.
func (w *Watcher) Run(ctx context.Context, concerns func(file string) bool, check func()) {
	var changes <-chan fsnotify.Event
	var failures <-chan error
	if w.notify != nil {
		defer func() { _ = w.notify.Close() }()
		changes, failures = w.notify.Events, w.notify.Errors
	}
	polled := time.NewTicker(poll)
	defer polled.Stop()
	settled := time.NewTimer(0)
	defer settled.Stop()
	var begun time.Time // of the burst; zero = there is none
	for {
		select {
		case <-ctx.Done():
			return
		case change := <-changes:
			if !concerns(change.Name) {
				continue
			}
			if begun.IsZero() {
				begun = time.Now()
			}
			if time.Since(begun) < burst {
				settled.Reset(settle)
			}
		case err := <-failures:
			w.log.WarnContext(ctx, "a change of files may have been missed", "err", err)
			settled.Reset(settle)
		case <-settled.C:
			begun = time.Time{}
			check()
		case <-polled.C:
			check()
		}
	}
}

// Everything is for who does not mind changes that do not concern them.
func Everything(string) bool { return true }
