package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A SIP client that nobody here wrote registers with a device's credentials
// and, after POST .../sync, has the NOTIFY in its own log.
func TestBaresipIsNotified(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--db.url", sqliteURL(dir))
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	id := a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice).id(t)
	heard := startBaresip(t, fmt.Sprintf("<sip:ann@acme.example.com>;auth_user=ann;auth_pass=s3cret-ann;outbound=\"sip:%s\";regint=60\n", p.sip))

	wait(t, "the registration", func() bool {
		return strings.Contains(string(a.must(t, http.StatusOK, "GET", "devices/status", "").Data), `"device_id":"`+id+`"`)
	})
	a.must(t, http.StatusOK, "POST", "devices/"+id+"/sync", "")
	wait(t, "the NOTIFY in baresip's log", func() bool { return heard.has([]string{"NOTIFY sip:"}) && heard.has([]string{"Event: check-sync"}) })
	wait(t, "its outcome", func() bool {
		var outcomes []struct {
			State string
			Code  int
		}
		if err := json.Unmarshal(a.must(t, http.StatusOK, "GET", "devices/"+id+"/notifications", "").Data, &outcomes); err != nil {
			t.Fatal(err)
		}
		// baresip knows no check-sync, and its refusal shows that it was reached.
		return len(outcomes) == 1 && outcomes[0].State == "refused" && outcomes[0].Code == 481
	})
}

// startBaresip runs baresip with one account until the test ends, and gives
// what it prints, SIP messages included.
func startBaresip(t *testing.T, account string) *logBuffer {
	t.Helper()
	path, err := exec.LookPath("baresip")
	if err != nil {
		t.Fatal("baresip is missing: `make test` installs it, or apt-get install baresip")
	}
	modules, err := filepath.Glob("/usr/lib/*/baresip/modules")
	if err != nil || len(modules) == 0 {
		modules = []string{"/usr/lib/baresip/modules"}
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "config"), "sip_listen 127.0.0.1:0\nmodule_path "+modules[0]+"\nmodule_app account.so\n")
	writeFile(t, filepath.Join(dir, "accounts"), account)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	out := &logBuffer{}
	cmd := exec.CommandContext(ctx, path, "-f", dir, "-s", "-v")
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("baresip says:\n%s", out)
		}
	})
	return out
}

func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}
