package provisioner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"dialtone/internal/watch"
)

// A Watcher reloads an operator's template folder whenever it changes.
type Watcher struct {
	service *Service
	base    fs.FS
	dir     string
	log     *slog.Logger
	seen    string // signature of what was loaded last, well or not
	refused bool   // that was not well
	changes *watch.Watcher
}

// NewWatcher makes a watcher of dir, which lies over base.
func NewWatcher(service *Service, base fs.FS, dir string, log *slog.Logger) *Watcher {
	return &Watcher{service: service, base: base, dir: filepath.Clean(dir), log: log}
}

// concerns reports whether a file belongs to the folder or is the folder
// itself; what else happens beside it does not matter.
func (w *Watcher) concerns(file string) bool {
	inside, err := filepath.Rel(w.dir, file)
	return err == nil && filepath.IsLocal(inside)
}

// Run reloads until ctx ends. A broken edit is logged with file, line and
// reason, and the last good version keeps serving.
func (w *Watcher) Run(ctx context.Context) error {
	w.changes = watch.New(ctx, w.log)
	w.changes.Run(ctx, w.concerns, func() { w.check(ctx) })
	return nil
}

// check reloads if anything changed. Folders are watched before they are read,
// so that no change falls between.
func (w *Watcher) check(ctx context.Context) {
	signature := w.scan(ctx)
	if signature == w.seen {
		return
	}
	w.seen = signature
	catalog, err := LoadOverlay(w.base, w.dir)
	mended := w.refused && err == nil
	w.refused = err != nil
	if err != nil {
		w.refuse(ctx, err)
		return
	}
	if mended || catalog.Hash() != w.service.Catalog().Hash() {
		w.service.Swap(catalog)
		w.log.InfoContext(ctx, "templates reloaded", "dir", w.dir, "hash", catalog.Hash()[:12])
	}
}

// scan watches every folder and sums up names, sizes and times of the files.
func (w *Watcher) scan(ctx context.Context) string {
	var b strings.Builder
	w.changes.Add(ctx, filepath.Dir(w.dir)) // sees the folder itself replaced
	_ = filepath.WalkDir(w.dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			_, _ = fmt.Fprintf(&b, "%s %v\n", file, err)
			return nil
		}
		if entry.IsDir() {
			w.changes.Add(ctx, file)
			return nil
		}
		if info, err := os.Stat(file); err == nil {
			_, _ = fmt.Fprintf(&b, "%s %d %d\n", file, info.Size(), info.ModTime().UnixNano())
		}
		return nil
	})
	return b.String()
}

// refuse logs every mistake of an edit.
func (w *Watcher) refuse(ctx context.Context, err error) {
	for _, mistake := range mistakes(err) {
		located := &FileError{}
		if errors.As(mistake, &located) {
			w.log.ErrorContext(ctx, "templates not reloaded, the last good version serves on",
				"dir", w.dir, "file", located.File, "line", located.Line, "column", located.Column, "reason", located.Reason, "hint", located.Hint)
			continue
		}
		w.log.ErrorContext(ctx, "templates not reloaded, the last good version serves on", "dir", w.dir, "err", mistake)
	}
}

// mistakes are the errors that errors.Join joined.
func mistakes(err error) []error {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, mistakes(e)...)
	}
	return all
}
