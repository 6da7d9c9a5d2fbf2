package sqlstore

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"
)

const (
	maxBatch         = 200  // requests carried out at once
	maxNotifications = 1000 // of those: so many have often come to their outcome before they are written first
)

// runTimeouts bound a run. SQLite waits for no server, and whoever asks it under a
// context that may end starts a goroutine to watch that, for each statement.
var runTimeouts = map[dialect]time.Duration{dialectMySQL: 10 * time.Second}

// A batch carries out requests of many callers at once: with one query, or with
// one commit. While one run is under way, what comes in waits for the next.
// Nobody waits longer than for two runs, and alone for none; when the processors are
// busy, a run begins after what is ready to go on has asked. What a run reads is
// never older than any of its requests, and an answer comes after its commit.
type batch[Q, A any] struct {
	max     int                                     // requests of one run
	timeout time.Duration                           // of a run; 0 = none
	do      func(context.Context, []Q) ([]A, error) // an answer for each of them, in their order

	mu      sync.Mutex
	running bool
	waiting []request[Q, A]
}

type request[Q, A any] struct {
	what    Q
	done    chan result[A]
	givenUp func() error // not nil when nobody waits any more
}

type result[A any] struct {
	answer A
	err    error
}

func newBatch[Q, A any](most int, timeout time.Duration, do func(context.Context, []Q) ([]A, error)) *batch[Q, A] {
	return &batch[Q, A]{max: most, timeout: timeout, do: do}
}

// ask returns when the request is carried out, or when ctx ends; if that is under
// way then, it is carried out all the same.
func (b *batch[Q, A]) ask(ctx context.Context, what Q) (A, error) {
	return wait(ctx, b.put(ctx, what))
}

// wait is for what was put, or for the end of ctx.
func wait[A any](ctx context.Context, done <-chan result[A]) (A, error) {
	select {
	case r := <-done:
		return r.answer, r.err
	case <-ctx.Done():
		var none A
		return none, ctx.Err()
	}
}

// put returns at once. Requests are carried out in the order in which they were put.
func (b *batch[Q, A]) put(ctx context.Context, what Q) <-chan result[A] {
	r := request[Q, A]{what, make(chan result[A], 1), ctx.Err}
	b.mu.Lock()
	b.waiting = append(b.waiting, r)
	first := !b.running
	b.running = true
	b.mu.Unlock()
	if first {
		go b.run(context.WithoutCancel(ctx))
	}
	return r.done
}

// run works until nobody waits.
func (b *batch[Q, A]) run(ctx context.Context) {
	for {
		runtime.Gosched() // who is about to ask comes along
		b.mu.Lock()
		b.waiting = slices.DeleteFunc(b.waiting, func(r request[Q, A]) bool { return r.givenUp() != nil })
		n := min(len(b.waiting), b.max)
		requests := b.waiting[:n:n]
		b.waiting = b.waiting[n:]
		b.running = n > 0
		b.mu.Unlock()
		if n == 0 {
			return
		}
		b.answer(ctx, requests)
	}
}

func (b *batch[Q, A]) answer(ctx context.Context, requests []request[Q, A]) {
	if b.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, b.timeout)
		defer cancel()
	}
	all := make([]Q, len(requests))
	for i, r := range requests {
		all[i] = r.what
	}
	answers, err := b.do(ctx, all)
	for i, r := range requests {
		if err != nil {
			r.done <- result[A]{err: err}
		} else {
			r.done <- result[A]{answer: answers[i]}
		}
	}
}
