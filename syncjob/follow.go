// Package syncjob has phones come back: it runs the jobs that tell many of them
// to fetch their files again, and looks what they did. It knows neither SIP nor
// templates: storage and two functions are all it works with.
package syncjob

import (
	"context"
	"log/slog"
	"strings"
	"time"
)

// Watch is how long to look for a phone that was told to fetch its files.
const Watch = 15 * time.Minute

// WatchOf is Watch for an event that phones fetch their files for, 0 for others.
func WatchOf(event string) time.Duration {
	if name, _, _ := strings.Cut(event, ";"); strings.EqualFold(strings.TrimSpace(name), "check-sync") {
		return Watch
	}
	return 0
}

const (
	followEvery   = 2 * time.Second
	followTimeout = 30 * time.Second
)

// A FollowStore knows what phones were told and what they did.
type FollowStore interface {
	// FollowNotifications writes down what phones did since their NOTIFYs, and
	// reports how many are looked for.
	FollowNotifications(ctx context.Context) (watched int, err error)
}

// Follow keeps the records of NOTIFYs up to date with what the phones do, until
// ctx ends. Any number of servers may.
func Follow(ctx context.Context, store FollowStore, log *slog.Logger) error {
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		if err := followOnce(ctx, store); err != nil && ctx.Err() == nil {
			log.ErrorContext(ctx, "phones that were told to fetch not looked for", "err", err)
		}
	}
}

func followOnce(ctx context.Context, store FollowStore) error {
	ctx, cancel := context.WithTimeout(ctx, followTimeout)
	defer cancel()
	_, err := store.FollowNotifications(ctx)
	return err
}
