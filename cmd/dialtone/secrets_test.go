package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dialtone/models/sqlstore/sqlstoretest"
)

// Keys are changed while two servers are written to and fetched from, and the
// command is killed again and again: nothing is lost, no phone goes without its
// file, and in the end nothing needs the old key.
func TestSecretsRotate(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		keyset := filepath.Join(dir, "keyset")
		rotateUnderLoad(t, dir, sqliteURL(dir), keyset, keyset)
	})
	t.Run("mysql", func(t *testing.T) { // the second server is on another machine
		dir := t.TempDir()
		rotateUnderLoad(t, dir, sqlstoretest.MySQLDatabase(t), filepath.Join(dir, "keyset"), filepath.Join(dir, "keyset-there"))
	})
}

func rotateUnderLoad(t *testing.T, dir, url, here, there string) {
	t.Helper()
	settings := func(keyset string) []string { return []string{"--db.url", url, "--secrets.keyset", keyset} }
	serve := func(keyset string) *process {
		return start(t, dir, append(settings(keyset), "--sip.addr", freeAddr(t), "--limits.api_rate", "0")...)
	}
	first := serve(here)
	copyFile(t, here, there)
	copyFile(t, here, filepath.Join(dir, "old"))
	second := serve(there)
	one := newAdmin(t, first, dir, settings(here)...)
	one.url = first.phones + one.url[strings.Index(one.url, "/p/"):]
	two := *one
	two.api, two.url = second.api, strings.Replace(one.url, first.phones, second.phones, 1)
	book := &ledger{devices: map[string]*entry{}, foreign: manyDevices(t, one)}

	load, stop := context.WithCancel(t.Context())
	defer stop()
	var clients sync.WaitGroup
	for c := range 4 {
		clients.Go(func() {
			for load.Err() == nil {
				book.work(load, t, []*admin{one, &two}[c%2], c)
			}
		})
	}
	for _, a := range []*admin{one, &two} {
		clients.Go(func() {
			for n := 0; load.Err() == nil; n++ {
				if _, err := takeFile(load, a.url+foreignMAC(n%manyForeign)+".cfg"); err != nil && load.Err() == nil {
					t.Errorf("a phone was given: %v", err)
				}
			}
		})
	}

	killWhen(t, rotation(t, dir, settings(here)), "added to")
	for range 3 {
		killAfter(rotation(t, dir, settings(here)), time.Duration(rand.IntN(1500))*time.Millisecond)
	}
	if there != here {
		out, err := dialtone(t, dir, append([]string{"secrets", "rotate", "--wait", "1s"}, settings(here)...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "have not read key") || !strings.Contains(string(out), second.sip) {
			t.Fatalf("rotate while a server has not the key: got %v and %s, want it refused and the server named", err, out)
		}
		if out, err := dialtone(t, dir, append([]string{"secrets", "forget"}, settings(here)...)...).CombinedOutput(); err == nil || !strings.Contains(string(out), "under way") {
			t.Errorf("forget in the middle: got %v and %s, want it refused", err, out)
		}
		copyFile(t, here, there)
	}
	ended := false
	for range 4 {
		if ended = killAfter(rotation(t, dir, settings(here)), time.Duration(rand.IntN(1500))*time.Millisecond); ended {
			break // the next one would be another change
		}
	}
	if !ended {
		output(t, dir, append([]string{"secrets", "rotate"}, settings(here)...)...)
	}
	output(t, dir, append([]string{"secrets", "forget"}, settings(here)...)...)
	copyFile(t, here, there)
	for _, p := range []*process{first, second} {
		wait(t, "the server to read the file", func() bool { return strings.Contains(p.log.String(), `"keys":1`) })
	}
	stop()
	clients.Wait()
	book.compare(t, &two)
	book.compare(t, one)
	if t.Failed() {
		t.Fatalf("%s\n%s", first.log, second.log)
	}
	onlyKey(t, dir, settings(here))
	first.kill(t)
	second.kill(t)

	old := filepath.Join(dir, "old")
	if out, err := dialtone(t, dir, append([]string{"serve"}, settings(old)...)...).CombinedOutput(); err == nil || !strings.Contains(string(out), "the keyset does not fit: "+old) {
		t.Errorf("serve with the old keyset: got %v and %s, want a refusal that names the file", err, out)
	}
	again := serve(there)
	one.api, one.url = again.api, strings.Replace(one.url, first.phones, again.phones, 1)
	book.compare(t, one)
}

const manyForeign = 1000

func foreignMAC(n int) string { return fmt.Sprintf("0015651%05x", n) }

// manyDevices gives the change of keys something to do.
func manyDevices(t *testing.T, a *admin) map[string]bool {
	t.Helper()
	csv := "name,mac_address,username,password,brand,family,model\n"
	macs := map[string]bool{}
	for i := range manyForeign {
		csv += fmt.Sprintf("Phone %d,%s,foreign%[1]d,secret-%[1]d,yealink,t4x,t46u\n", i, foreignMAC(i))
		macs[foreignMAC(i)] = true
	}
	a.importCSV(t, csv)
	return macs
}

// rotation begins `dialtone secrets rotate`.
func rotation(t *testing.T, dir string, settings []string) *process {
	t.Helper()
	p := &process{Cmd: dialtone(t, dir, append([]string{"secrets", "rotate"}, settings...)...), log: &logBuffer{}, done: make(chan struct{})}
	p.run(t)
	return p
}

func killWhen(t *testing.T, p *process, text string) {
	t.Helper()
	wait(t, text, func() bool { return strings.Contains(p.log.String(), text) })
	p.kill(t)
}

// killAfter kills a program, unless it has ended by then.
func killAfter(p *process, d time.Duration) (ended bool) {
	select {
	case <-p.done:
		ended = true
	case <-time.After(d):
		_ = p.Process.Kill()
	}
	<-p.done
	_ = p.Wait()
	return ended && p.ProcessState.Success()
}

// onlyKey checks that the database needs one key, and no other is in the file.
func onlyKey(t *testing.T, dir string, settings []string) {
	t.Helper()
	var keys []struct{ Key, State, Secrets, Servers string }
	raw := output(t, dir, append([]string{"secrets", "status", "--output", "json"}, settings...)...)
	if err := json.Unmarshal(raw, &keys); err != nil || len(keys) != 1 || keys[0].State != "seals" || strings.Count(keys[0].Servers, ",") != 1 {
		t.Errorf("status: got %s, %v, want one key that two servers have", raw, err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	if from == to {
		return
	}
	raw, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to+".new", raw, 0o600))
	must(t, os.Rename(to+".new", to))
}

// Without its keyset, or with a wrong one, a database with secrets is left alone
// by every command, and no keyset is made.
func TestKeysetRefusals(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]func(*testing.T) string{
		"sqlite": func(t *testing.T) string { return sqliteURL(t.TempDir()) },
		"mysql":  func(t *testing.T) string { return sqlstoretest.MySQLDatabase(t) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			keyset := filepath.Join(dir, "keyset")
			settings := []string{"--db.url", url(t), "--secrets.keyset", keyset}
			p := start(t, dir, settings...) // no account yet, but secrets of its own
			p.kill(t)
			right, err := os.ReadFile(keyset)
			must(t, err)
			refuseAll(t, dir, settings, keyset, serving, "account create --name B --realm b.example.com", "secrets rotate")
			must(t, os.WriteFile(keyset, right, 0o600))
			output(t, dir, append([]string{"account", "create", "--name", "Acme", "--realm", "acme.example.com"}, settings...)...)
			refuseAll(t, dir, settings, keyset, serving, "account create --name B --realm b.example.com", "account list", "device list --account x",
				"device show 001565aabbcc", "device import devices.csv", "sync", "sync list", "template render --device x", "template diff --against .",
				"backup copy.db", "secrets status", "secrets rotate", "secrets forget")
			must(t, os.WriteFile(keyset, right, 0o600))
			output(t, dir, append([]string{"account", "list"}, settings...)...)
		})
	}
}

const serving = "serve --api.addr 127.0.0.1:0 --phones.addr 127.0.0.1:0 --sip.addr 127.0.0.1:0"

// refuseAll runs commands that need the keyset, without one and with wrong ones.
func refuseAll(t *testing.T, dir string, settings []string, keyset string, commands ...string) {
	t.Helper()
	other := t.TempDir()
	output(t, other, "account", "create", "--name", "X", "--realm", "x.example.com", "--db.url", sqliteURL(other))
	foreign, err := os.ReadFile(filepath.Join(other, "dialtone.db.keyset"))
	must(t, err)
	writeFile(t, filepath.Join(dir, "devices.csv"), "name\nDesk\n")
	for _, wrong := range []struct{ name, content, want string }{
		{"missing", "", "is missing"},
		{"foreign", string(foreign), "does not fit"},
		{"damaged", string(foreign[:len(foreign)/2]), "not a tink keyset"},
		{"empty", " ", "not a tink keyset"},
	} {
		must(t, os.Remove(keyset))
		if wrong.content != "" {
			must(t, os.WriteFile(keyset, []byte(wrong.content), 0o600))
		}
		for _, command := range commands {
			cmd := dialtone(t, dir, append(strings.Fields(command), settings...)...)
			out, err := cmd.CombinedOutput()
			if err == nil || cmd.ProcessState.ExitCode() != exitFailed || !bytes.Contains(out, []byte(wrong.want)) || !bytes.Contains(out, []byte(keyset)) {
				t.Errorf("%s keyset, %s: got exit code %d and %s, want 1 and %q with the file", wrong.name, command, cmd.ProcessState.ExitCode(), out, wrong.want)
			}
		}
		now, err := os.ReadFile(keyset)
		if wrong.content == "" && err == nil || wrong.content != "" && string(now) != wrong.content {
			t.Errorf("%s keyset: a keyset was made", wrong.name)
		}
		if wrong.content == "" {
			must(t, os.WriteFile(keyset, nil, 0o600))
		}
	}
}
