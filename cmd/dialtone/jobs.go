package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

const (
	maxJobs    = 1000 // waiting
	jobWorkers = 4
	jobsDrain  = time.Second // for what waits when the server stops
)

// jobs are what requests leave to be done after their answers.
type jobs struct {
	log   *slog.Logger
	queue chan job
}

type job struct {
	ctx  context.Context // of the request, for its values
	work func(context.Context)
}

func newJobs(log *slog.Logger) *jobs {
	return &jobs{log: log, queue: make(chan job, maxJobs)}
}

// add has work done soon. Too many waiting jobs make the request do it itself.
func (j *jobs) add(ctx context.Context, work func(context.Context)) {
	one := job{context.WithoutCancel(ctx), work}
	select {
	case j.queue <- one:
	default:
		j.do(one.ctx, one)
	}
}

// run works until ctx ends, and then for jobsDrain on what is left.
func (j *jobs) run(ctx context.Context) {
	working, cancel := lingering(ctx, jobsDrain)
	defer cancel()
	var workers sync.WaitGroup
	for range jobWorkers {
		workers.Go(func() {
			for ctx.Err() == nil {
				select {
				case one := <-j.queue:
					j.do(working, one)
				case <-ctx.Done():
				}
			}
			j.drain(working)
		})
	}
	workers.Wait()
}

func (j *jobs) drain(working context.Context) {
	for {
		select {
		case one := <-j.queue:
			j.do(working, one)
		default:
			return
		}
	}
}

// do works on one job until working ends.
func (j *jobs) do(working context.Context, one job) {
	ctx, cancel := context.WithCancel(one.ctx)
	defer cancel()
	defer context.AfterFunc(working, cancel)()
	defer func() {
		if cause := recover(); cause != nil {
			j.log.ErrorContext(ctx, "panic in the background", "err", fmt.Sprint(cause), "stack", string(debug.Stack()))
		}
	}()
	one.work(ctx)
}
