package sqlstore

import (
	"context"
	"sync"
	"time"
)

const (
	maxBatch     = 200 // rows written at once
	batchTimeout = 10 * time.Second
)

// A batch writes rows of many callers with one commit: while one write runs,
// what comes in waits for the next. Nobody waits longer than for two writes, and
// alone for none. A caller hears of success after the commit that holds its row.
type batch[T any] struct {
	write func(context.Context, []T) error

	mu      sync.Mutex
	writing bool
	waiting []entry[T]
}

type entry[T any] struct {
	row  T
	done chan error
}

// add returns when the row is written, or when ctx ends; it may be written then
// all the same.
func (b *batch[T]) add(ctx context.Context, row T) error {
	e := entry[T]{row, make(chan error, 1)}
	b.mu.Lock()
	b.waiting = append(b.waiting, e)
	first := !b.writing
	b.writing = true
	b.mu.Unlock()
	if first {
		go b.run(context.WithoutCancel(ctx))
	}
	select {
	case err := <-e.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run writes until nobody waits.
func (b *batch[T]) run(ctx context.Context) {
	for {
		b.mu.Lock()
		n := min(len(b.waiting), maxBatch)
		entries := b.waiting[:n:n]
		b.waiting = b.waiting[n:]
		b.writing = n > 0
		b.mu.Unlock()
		if n == 0 {
			return
		}
		b.flush(ctx, entries)
	}
}

// flush writes entries at once; when that fails, one by one, so that nobody
// suffers for the row of another.
func (b *batch[T]) flush(ctx context.Context, entries []entry[T]) {
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	rows := make([]T, len(entries))
	for i, e := range entries {
		rows[i] = e.row
	}
	err := b.write(ctx, rows)
	for _, e := range entries {
		if err != nil && len(entries) > 1 {
			e.done <- b.write(ctx, []T{e.row})
		} else {
			e.done <- err
		}
	}
}
