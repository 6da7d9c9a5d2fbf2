package provisioner

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// logLines is a log that tests can read while it is written.
type logLines struct {
	mu    sync.Mutex
	lines []map[string]any
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for raw := range bytes.Lines(p) {
		line := map[string]any{}
		if err := json.Unmarshal(raw, &line); err != nil {
			return 0, err
		}
		l.lines = append(l.lines, line)
	}
	return len(p), nil
}

// find is the newest line with that file, nil when there is none.
func (l *logLines) find(file string) map[string]any {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.lines) - 1; i >= 0; i-- {
		if l.lines[i]["file"] == file {
			return l.lines[i]
		}
	}
	return nil
}

// eventually polls until done or a deadline.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 10 s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestWatcher(t *testing.T) {
	dir := t.TempDir()
	base := acme(nil)
	catalog, err := Load(base)
	if err != nil {
		t.Fatal(err)
	}
	s := NewService(&fakeStore{}, catalog, Options{})
	phone := acmePhone(t)
	body := func() string {
		f, err := s.DeviceFile(t.Context(), phone, "001122334455.txt")
		if err != nil {
			t.Fatalf("while templates change: %v", err)
		}
		return string(f.Body)
	}
	logged := &logLines{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- NewWatcher(s, base, dir, slog.New(slog.NewJSONHandler(logged, nil))).Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}()

	file := filepath.Join(dir, "acme", "settings.tpl")
	write(t, file, "name = mine\n")
	eventually(t, "a file in a new folder", func() bool { return body() == "name = mine\n" })

	write(t, file, "name = mine\nname = {{ nonsense }}\n")
	var line map[string]any
	eventually(t, "a broken edit is logged", func() bool { // the file may be seen half written before
		line = logged.find("acme/settings.tpl")
		return line != nil && line["line"] == 2.0
	})
	if line["reason"] != `unknown variable "nonsense"` || line["level"] != "ERROR" {
		t.Errorf("logged %v", line)
	}
	if got := body(); got != "name = mine\n" {
		t.Errorf("after a broken edit: %q, want the last good version", got)
	}

	write(t, file, "name = mended\n")
	eventually(t, "a mended edit", func() bool { return body() == "name = mended\n" })

	deep := filepath.Join(dir, "acme", "t1x", "t11", "settings.tpl")
	write(t, deep, "name = model\n")
	eventually(t, "a more specific template", func() bool { return body() == "name = model\n" })
	write(t, deep, "name = model 2\n")
	eventually(t, "an edit deep in the tree", func() bool { return body() == "name = model 2\n" })

	if err := os.RemoveAll(filepath.Join(dir, "acme", "t1x")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a folder removed", func() bool { return body() == "name = mended\n" })
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the built-in file comes back", func() bool { return body() == "name = Desk\n" })

	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	write(t, file, "name = redeployed\n")
	eventually(t, "the whole folder replaced", func() bool { return body() == "name = redeployed\n" })
}

// A folder that was edited before the watcher ran is not missed, and a broken
// one leaves the catalog alone.
func TestWatcherAtStart(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"good", "name = mine\n", "name = mine\n"},
		{"broken", "nonsense\n", "name = Desk\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "acme", "settings.tpl"), tt.text)
			s := NewService(&fakeStore{}, loadAcme(t, nil), Options{})
			logged := &logLines{}
			w := NewWatcher(s, acme(nil), dir, slog.New(slog.NewJSONHandler(logged, nil)))
			w.check(t.Context())
			w.check(t.Context())
			f, err := s.DeviceFile(t.Context(), acmePhone(t), "001122334455.txt")
			if err != nil || string(f.Body) != tt.want {
				t.Errorf("got %q, %v; want %q", f.Body, err, tt.want)
			}
			if len(logged.lines) != 1 {
				t.Errorf("logged %d lines, want one: %v", len(logged.lines), logged.lines)
			}
		})
	}
}

// Nobody sees half a change: requests go on while catalogs are swapped.
func TestSwapWhileServing(t *testing.T) {
	one := loadAcme(t, map[string]string{"acme/settings.tpl": "name = one\n"})
	two := loadAcme(t, map[string]string{"acme/settings.tpl": "name = two\n"})
	s := NewService(&fakeStore{}, one, Options{})
	phone := acmePhone(t)
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for range 200 {
				f, err := s.DeviceFile(t.Context(), phone, "001122334455.txt")
				if body := string(f.Body); err != nil || body != "name = one\n" && body != "name = two\n" {
					t.Errorf("got %q, %v", body, err)
				}
			}
		})
	}
	for i := range 200 {
		s.Swap([]*Catalog{one, two}[i%2])
	}
	readers.Wait()
}
