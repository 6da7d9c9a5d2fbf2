package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A process is a running program whose output is kept, line by line.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed once err is set

	mu    sync.Mutex
	lines []string
	err   error // how it ended
}

// startProcess starts a program and reads what it prints, on both streams. It
// is asked to end when ctx does, and killed if that takes too long.
func startProcess(ctx context.Context, program string, args ...string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, program, args...), exited: make(chan struct{})} //nolint:gosec // the program under demonstration
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = stopTime
	reader, writer := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = writer, writer
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	var reading sync.WaitGroup
	reading.Go(func() { p.read(reader) })
	go func() {
		err := p.cmd.Wait()
		_ = writer.Close()
		reading.Wait()
		p.mu.Lock()
		p.err = err
		p.mu.Unlock()
		close(p.exited)
	}()
	return p, nil
}

func (p *process) read(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, lines.Text())
		p.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, r) // after a line too long the program must not block
}

// since is what was printed after the first n lines.
func (p *process) since(n int) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines[n:])
}

// printed is how many lines were printed.
func (p *process) printed() int { return len(p.since(0)) }

// tail is the end of the output.
func (p *process) tail(n int) []string {
	lines := p.since(0)
	return lines[max(len(lines)-n, 0):]
}

// errEnded is a program that ended before it was asked to.
var errEnded = errors.New("ended by itself")

// alive is errEnded once the program has.
func (p *process) alive() error {
	select {
	case <-p.exited:
		return fmt.Errorf("%w (%v): %s", errEnded, p.cmd.ProcessState, strings.Join(p.tail(3), "; "))
	default:
		return nil
	}
}

// stop asks the program to end by SIGTERM and waits. Anything but exit code 0
// within stopTime is an error.
func (p *process) stop() error {
	if err := p.alive(); err != nil {
		return err
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.exited:
		return p.err
	case <-time.After(stopTime):
		_ = p.cmd.Process.Kill()
		<-p.exited
		return fmt.Errorf("still running %s after SIGTERM", stopTime)
	}
}
