// Package logsample bounds how often a log says the same thing: a million phones
// that boot after a power cut do not fill the disk.
package logsample

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A Handler passes on so many records of each message at level info in a second.
// The next one tells how many were left out before it, as left_out. Warnings and
// errors are all passed on, and so is what is told to who wants to know everything.
type Handler struct {
	slog.Handler
	perSecond int
	kinds     *sync.Map // of message to *kind; shared with handlers that were made of this one
}

// A kind is all records with one message.
type kind struct {
	mu            sync.Mutex
	second        int64
	seen, leftOut int // in that second; since the last that was passed on
}

// New samples what next is given.
func New(next slog.Handler, perSecond int) *Handler {
	return &Handler{next, perSecond, &sync.Map{}}
}

// Handle passes a record on, or leaves it out.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level != slog.LevelInfo {
		return h.Handler.Handle(ctx, r)
	}
	of, ok := h.kinds.Load(r.Message)
	if !ok {
		of, _ = h.kinds.LoadOrStore(r.Message, &kind{})
	}
	leftOut, ok := of.(*kind).admit(r.Time, h.perSecond)
	if !ok {
		return nil
	}
	if leftOut > 0 {
		r.AddAttrs(slog.Int("left_out", leftOut))
	}
	return h.Handler.Handle(ctx, r)
}

// admit counts a record; if it is passed on, leftOut of the same kind were not.
func (k *kind) admit(at time.Time, perSecond int) (leftOut int, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if second := at.Unix(); second != k.second {
		k.second, k.seen = second, 0
	}
	if k.seen++; k.seen > perSecond {
		k.leftOut++
		return 0, false
	}
	leftOut, k.leftOut = k.leftOut, 0
	return leftOut, true
}

// WithAttrs and WithGroup are samplers of the same records.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Handler{h.Handler.WithAttrs(attrs), h.perSecond, h.kinds}
}

// WithGroup is like WithAttrs.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{h.Handler.WithGroup(name), h.perSecond, h.kinds}
}
