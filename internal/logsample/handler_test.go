package logsample_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"dialtone/internal/logsample"
)

func TestHandler(t *testing.T) {
	var out bytes.Buffer
	h := slog.Handler(logsample.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}), 2))
	h = h.WithAttrs([]slog.Attr{slog.String("of", "all")})
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	say := func(level slog.Level, message string) {
		if err := h.Handle(context.Background(), slog.NewRecord(at, level, message, 0)); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		say(slog.LevelInfo, "often")
		say(slog.LevelWarn, "bad")
	}
	say(slog.LevelDebug, "once")
	at = at.Add(time.Second)
	say(slog.LevelInfo, "often")
	say(slog.LevelInfo, "often")
	for line, want := range map[string]int{"msg=often": 4, "msg=bad": 5, "msg=once": 1, "msg=often of=all left_out=3": 1, "left_out": 1, "of=all": 10} {
		if got := strings.Count(out.String(), line); got != want {
			t.Errorf("%q: got %d lines, want %d\n%s", line, got, want, &out)
		}
	}
}

// Many write at once, through handlers made of one: nothing is lost track of.
func TestHandlerTogether(t *testing.T) {
	var out bytes.Buffer
	root := logsample.New(slog.NewTextHandler(&out, nil), 3)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var all sync.WaitGroup
	for n := range 20 {
		h := root.WithGroup("g").WithAttrs([]slog.Attr{slog.Int("n", n)})
		all.Go(func() {
			for range 500 {
				_ = h.Handle(context.Background(), slog.NewRecord(at, slog.LevelInfo, "often", 0)) // into memory
			}
		})
	}
	all.Wait()
	if err := root.Handle(context.Background(), slog.NewRecord(at.Add(time.Second), slog.LevelInfo, "often", 0)); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(out.String(), "msg=often"); lines != 3+1 || !strings.Contains(out.String(), "left_out=9997\n") {
		t.Errorf("got %d lines, want 4, the last with 9997 left out:\n%s", lines, &out)
	}
}
