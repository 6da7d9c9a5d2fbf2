// Command demo tells the whole story of Dialtone on an empty machine: a server
// on SQLite, an account, two phones of two brands that boot and register, and
// a change that reaches the right one. `make demo` runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// storyTime is the time the whole story may take.
const storyTime = 50 * time.Second

func main() {
	program := flag.String("dialtone", filepath.Join("bin", "dialtone"), "path of the built program")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *program, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run tells the story and cleans up after it, whatever happened.
func run(ctx context.Context, program string, out io.Writer) error {
	ctx, cancel := context.WithTimeoutCause(ctx, storyTime, fmt.Errorf("the demo took longer than %s", storyTime))
	defer cancel()
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "dialtone-demo-")
	if err != nil {
		return err
	}
	s := &story{program: program, folder: folder, out: out}
	err = s.tell(ctx)
	if err != nil {
		s.explain()
	}
	s.killAll()
	return errors.Join(err, os.RemoveAll(folder))
}

// tell takes the steps in order and stops at the first that fails.
func (s *story) tell(ctx context.Context) error {
	started := time.Now()
	for _, step := range s.steps() {
		detail, err := step.do(ctx)
		if err != nil {
			s.printf("✗ %s", step.title)
			return fmt.Errorf("%s: %w", step.title, err)
		}
		s.printf("✓ %s", strings.TrimSuffix(step.title+": "+detail[0], ": "))
		for _, line := range detail[1:] {
			s.printf("    %s", line)
		}
	}
	s.printf("✓ the whole story in %s", time.Since(started).Round(100*time.Millisecond))
	return nil
}

// explain shows what the programs said before the story ended early.
func (s *story) explain() {
	for _, d := range s.devices {
		if d.phone != nil {
			s.printf("  last lines of %s:", d.name)
			s.quote(d.phone.tail(15))
		}
	}
	if s.server != nil {
		s.printf("  last lines of the server's log:")
		s.quote(s.server.tail(25))
	}
}

func (s *story) quote(lines []string) {
	for _, line := range lines {
		s.printf("    %s", line)
	}
}

func (s *story) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, format+"\n", args...)
}
