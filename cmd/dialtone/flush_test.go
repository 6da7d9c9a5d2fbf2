package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// startPhone runs `dialtone phone` until the test ends, and gives what it prints.
func startPhone(t *testing.T, dir, url string) *logBuffer {
	t.Helper()
	cmd := dialtone(t, dir, "phone", "--brand", "yealink", "--model", "t46u", "--mac", "001565aabbcc", "--url", url)
	out := &logBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("the phone says:\n%s", out)
		}
	})
	return out
}

// status are the ids of the registered devices, as the API lists them.
func (a *admin) status(t *testing.T) string {
	t.Helper()
	return string(a.must(t, http.StatusOK, "GET", "devices/status", "").Data)
}

// A phone whose credentials change is told to fetch and comes back with the
// new ones; one that is disabled is told, loses its registration and cannot
// come back.
func TestFlushedPhone(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--db.url", sqliteURL(dir))
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	id := a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice).id(t)
	phone := startPhone(t, dir, a.url)
	notified := func(times int) func() bool {
		return func() bool { return strings.Count(phone.String(), "NOTIFY check-sync;reboot=false 200") == times }
	}
	accepted := func() bool { return strings.HasSuffix(strings.TrimSpace(lastLine(phone, "REGISTER")), "expires 300") }
	wait(t, "the registration", accepted)

	a.must(t, http.StatusOK, "PATCH", "devices/"+id, `{"data":{"sip":{"password":"s3cret-new"}}}`)
	wait(t, "the first NOTIFY", notified(1))
	wait(t, "its registration with the new password", func() bool {
		return strings.Count(phone.String(), "expires 300") == 2 && strings.Contains(a.status(t), id)
	})
	wait(t, "the outcome", func() bool { return strings.Contains(a.outcomes(t, id), `"accepted"`) })

	a.must(t, http.StatusOK, "PATCH", "devices/"+id, `{"data":{"enabled":false}}`)
	if got := a.status(t); got != "[]" {
		t.Errorf("registered after it was disabled: got %s, want none", got)
	}
	wait(t, "the second NOTIFY", notified(2))
	wait(t, "a refused fetch", func() bool { return phone.has([]string{"GET ", " 404"}) })
	if got := a.status(t); got != "[]" {
		t.Errorf("registered after its last fetch: got %s, want none", got)
	}
}

// lastLine is the last line that a program printed with the text in it.
func lastLine(out *logBuffer, text string) string {
	last := ""
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, text) {
			last = line
		}
	}
	return last
}

// outcomes is the API's list of what became of a device's NOTIFYs.
func (a *admin) outcomes(t *testing.T, id string) string {
	t.Helper()
	return string(a.must(t, http.StatusOK, "GET", "devices/"+id+"/notifications", "").Data)
}

// A phone that nobody here wrote is told of its deletion, although its
// registration goes with the device.
func TestDeletedPhoneIsNotified(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--db.url", sqliteURL(dir))
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	id := a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice).id(t)
	heard := startBaresip(t, `<sip:ann@acme.example.com>;auth_user=ann;auth_pass=s3cret-ann;outbound="sip:`+p.sip+`";regint=60`+"\n")
	wait(t, "the registration", func() bool { return strings.Contains(a.status(t), id) })
	a.must(t, http.StatusOK, "DELETE", "devices/"+id, "")
	if got := a.status(t); got != "[]" {
		t.Errorf("registered after the deletion: got %s, want none", got)
	}
	wait(t, "the NOTIFY in baresip's log", func() bool { return heard.has([]string{"NOTIFY sip:"}) && heard.has([]string{"Event: check-sync"}) })
}

// Without SIP everything but SIP works, and what cannot be sent is told.
func TestWithoutSIP(t *testing.T) {
	dir := t.TempDir()
	p := &process{Cmd: dialtone(t, dir, "serve", "--api.addr", "127.0.0.1:0", "--phones.addr", "127.0.0.1:0", "--sip.addr", "",
		"--log.format", "json", "--db.url", sqliteURL(dir)), log: &logBuffer{}, done: make(chan struct{})}
	p.run(t)
	p.api, p.phones = "http://"+p.listener(t, "api"), "http://"+p.listener(t, "phones")
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	id := a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice).id(t)
	a.must(t, http.StatusOK, "PATCH", "devices/"+id, `{"data":{"sip":{"password":"s3cret-new"}}}`)
	a.must(t, http.StatusOK, "POST", "devices/"+id+"/sync", "")
	wait(t, "the outcome", func() bool {
		var outcomes []struct{ State, Reason string }
		if err := json.Unmarshal([]byte(a.outcomes(t, id)), &outcomes); err != nil {
			t.Fatal(err)
		}
		return len(outcomes) == 1 && outcomes[0].State == "unreachable" && outcomes[0].Reason == "not registered"
	})
	if r, err := a.ask(context.Background(), "DELETE", "devices/"+id, nil); err != nil || r.status != http.StatusOK {
		t.Errorf("delete: got %d, %v", r.status, err)
	}
	if code := p.stop(t); code != exitOK {
		t.Errorf("exit code: got %d, want 0\n%s", code, p.log)
	}
}

// A phone follows its account to another realm.
func TestMovedPhone(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--db.url", sqliteURL(dir))
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	id := a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice).id(t)
	phone := startPhone(t, dir, a.url)
	registeredIn := func(realm string) func() bool {
		return func() bool {
			list := string(a.must(t, http.StatusOK, "GET", "registrations", "").Data)
			return strings.Contains(list, id) && strings.Contains(list, `"realm":"`+realm+`"`)
		}
	}
	wait(t, "the registration", registeredIn("acme.example.com"))
	a.must(t, http.StatusOK, "PATCH", "/v2/accounts/"+a.account, `{"data":{"realm":"moved.example.com"}}`)
	wait(t, "the NOTIFY", func() bool { return strings.Contains(phone.String(), "NOTIFY check-sync;reboot=false 200") })
	wait(t, "the registration in the new realm", registeredIn("moved.example.com"))
}
