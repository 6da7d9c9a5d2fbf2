package main

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"dialtone/internal/syncbuf"
)

// Whatever is added is done: at once, when too much waits, and when the server
// stops. A panic ends one job only.
func TestJobs(t *testing.T) {
	var log syncbuf.Buffer
	later := newJobs(slog.New(slog.NewTextHandler(&log, nil)))
	var done atomic.Int32
	later.add(t.Context(), func(context.Context) { panic("out of order") })
	const added = maxJobs + 500
	for range added {
		ctx, hangUp := context.WithCancel(t.Context())
		later.add(ctx, func(ctx context.Context) {
			if ctx.Err() == nil {
				done.Add(1)
			}
		})
		hangUp()
	}
	if got := done.Load(); got != added-maxJobs+1 {
		t.Errorf("done by those who added them: got %d, want %d", got, added-maxJobs+1)
	}
	inBackground(t.Context(), later.run).stop()
	if got := done.Load(); got != added {
		t.Errorf("done after the stop: got %d, want %d", got, added)
	}
	if !strings.Contains(log.String(), "panic in the background") {
		t.Errorf("the panic was not logged: %s", log.String())
	}
}
