package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"dialtone/models/sqlstore/sqlstoretest"
)

// A station is a row of phones in a program of its own.
type station struct {
	*exec.Cmd
	log *logBuffer
}

// crowd stores phones with consecutive MACs and switches them on.
func (a *admin) crowd(t *testing.T, dir string, count int, settings ...string) *station {
	t.Helper()
	csv := "name,mac,sip.username,sip.password,brand,family,model\n"
	for i := range count {
		csv += fmt.Sprintf("Phone %d,00156500%04x,user%d,s3cret-%d,yealink,t4x,t46u\n", i, i, i, i)
	}
	file := filepath.Join(t.TempDir(), "phones.csv")
	writeFile(t, file, csv)
	output(t, dir, append([]string{"device", "import", file, "--account", a.account}, settings...)...)
	s := &station{log: &logBuffer{}, Cmd: dialtone(t, dir, "phone", "--brand", "yealink", "--model", "t46u", "--mac", "001565000000",
		"--count", fmt.Sprint(count), "--url", a.url)}
	s.Stdout = s.log
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Process.Signal(os.Interrupt)
		_ = s.Wait()
	})
	wait(t, "all phones are registered", func() bool {
		r := a.must(t, http.StatusOK, "GET", "registrations/count", "")
		return string(r.Data) == fmt.Sprintf(`{"count":%d}`, count)
	})
	return s
}

var notifyLine = regexp.MustCompile(`(?m)^([0-9a-f]{12}) NOTIFY check-sync\S* 200$`)

// told is how often each phone answered a check-sync, by MAC, as the phones
// have it.
func (s *station) told() map[string]int {
	told := map[string]int{}
	for _, m := range notifyLine.FindAllStringSubmatch(s.log.String(), -1) {
		told[m[1]]++
	}
	return told
}

// once checks that each of the phones was told once.
func (s *station) once(t *testing.T, count int) {
	t.Helper()
	told := s.told()
	for mac, n := range told {
		if n != 1 {
			t.Errorf("phone %s was told %d times", mac, n)
		}
	}
	if len(told) != count {
		t.Errorf("%d of %d phones were told", len(told), count)
	}
}

// A syncStatus is a job as the API shows it.
type syncStatus struct {
	State, Reason string
	Counts        map[string]int
}

func (a *admin) sync(t *testing.T, id string) syncStatus {
	t.Helper()
	var s syncStatus
	if err := json.Unmarshal(a.must(t, http.StatusOK, "GET", "syncs/"+id, "").Data, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// syncing makes a job with the command line and gives its id.
func (a *admin) syncing(t *testing.T, dir string, args ...string) string {
	t.Helper()
	var job struct{ ID string }
	args = append([]string{"sync", "--account", a.account, "--no-wait", "--output", "json"}, args...)
	if err := json.Unmarshal(output(t, dir, args...), &job); err != nil {
		t.Fatal(err)
	}
	return job.ID
}

// freePort is an address that nobody listens at.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// soon waits for what takes longer than wait does: leases and retransmissions.
func soon(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 2 minutes: %s", what)
		}
	}
}

// A job of which the server was killed in the middle is ended by the server
// started again: every phone is told, none twice.
func TestSyncSurvivesKill(t *testing.T) {
	const phones = 300
	dir := t.TempDir()
	settings := []string{"--db.url", sqliteURL(dir)}
	server := append([]string{"--sip.addr", freePort(t), "--phones.addr", freePort(t), "--limits.api_rate", "0"}, settings...)
	p := start(t, dir, server...)
	a := newAdmin(t, p, dir, settings...)
	s := a.crowd(t, dir, phones, settings...)

	id := a.syncing(t, dir, append(settings, "--rate", "100", "--patience", "5", "--come-back", "fetched")...)
	wait(t, "a third of the phones is told", func() bool { return len(s.told()) > phones/3 })
	p.kill(t)
	before := len(s.told())
	p = start(t, dir, server...)
	a.api = p.api
	var end syncStatus
	soon(t, "the job is finished", func() bool { end = a.sync(t, id); return end.State == "finished" })
	s.once(t, phones)
	if end.Counts["returned"]+end.Counts["missing"] != phones || before == phones { // who could not fetch without a server is missing
		t.Errorf("killed after %d, got %v", before, end.Counts)
	}
	t.Logf("killed after %d of %d phones; at the end %v", before, phones, end.Counts)
}

// Of two servers one works on a job; when it dies, the other ends it. The phones
// have their files from the other, and what was on its way is looked up there.
func TestSyncMovesToTheOtherServer(t *testing.T) {
	const phones = 80
	dir := t.TempDir()
	settings := []string{"--db.url", sqlstoretest.MySQLDatabase(t), "--secrets.keyset", filepath.Join(dir, "keyset")}
	server := append([]string{"--limits.api_rate", "0"}, settings...)
	other := start(t, dir, append(server, "--sip.addr", freePort(t))...)
	a := newAdmin(t, other, dir, settings...)
	s := a.crowd(t, dir, phones, settings...)
	signal := func(sig syscall.Signal) {
		t.Helper()
		if err := other.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	one := start(t, dir, append(server, "--sip.addr", freePort(t))...)
	signal(syscall.SIGSTOP) // until the one has the job
	id := a.syncing(t, dir, append(settings, "--rate", "20", "--patience", "20", "--come-back", "fetched")...)
	one.waitLog(t, "bulk job taken up", id)
	signal(syscall.SIGCONT)
	wait(t, "a third of the phones is told", func() bool { return len(s.told()) > phones/3 })
	if other.log.has([]string{"bulk job taken up", id}) {
		t.Error("two servers work on one job")
	}
	one.kill(t)
	var end syncStatus
	soon(t, "the job is finished", func() bool { end = a.sync(t, id); return end.State == "finished" })
	other.waitLog(t, "bulk job taken up", id)
	s.once(t, phones)
	if end.Counts["returned"] != phones {
		t.Errorf("got %v", end.Counts)
	}
}

// The command waits for the phones, and its exit code tells what came of them.
func TestSyncCommand(t *testing.T) {
	dir := t.TempDir()
	settings := []string{"--db.url", sqliteURL(dir)}
	p := start(t, dir, settings...)
	a := newAdmin(t, p, dir, settings...)
	a.crowd(t, dir, 3, settings...)
	run := func(args ...string) (code int, stdout, stderr string) {
		t.Helper()
		cmd := dialtone(t, dir, append(append([]string{"sync"}, args...), settings...)...)
		var out, errs strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errs
		_ = cmd.Run()
		return cmd.ProcessState.ExitCode(), out.String(), errs.String()
	}
	if code, out, errs := run("--come-back", "fetched", "--brand", "yealink"); code != exitOK || !strings.Contains(out, "returned     3") || !strings.Contains(errs, "left") {
		t.Errorf("got %d\n%s\n%s", code, out, errs)
	}
	if code, out, _ := run("--come-back", "fetched", "--behind"); code != exitOK || !strings.Contains(out, "skipped      3") {
		t.Errorf("phones in sync: got %d\n%s", code, out)
	}
	a.must(t, http.StatusCreated, "PUT", "devices", `{"data":{"name":"off","sip":{"username":"off","password":"s3cret-off"}}}`)
	if code, out, errs := run("--come-back", "fetched"); code != exitFound || !strings.Contains(out, "unreachable  1") || !strings.Contains(errs, "1 of 4 phones did not come back or were not reached") {
		t.Errorf("a phone that is off: got %d\n%s\n%s", code, out, errs)
	}
	if code, _, errs := run("--rate", "0"); code != exitFailed || !strings.Contains(errs, "rate") {
		t.Errorf("a rate of 0: got %d\n%s", code, errs)
	}
	code, out, _ := run("--rate", "1", "--no-wait", "--output", "json")
	var job struct{ ID string }
	if err := json.Unmarshal([]byte(out), &job); err != nil || code != exitOK {
		t.Fatal(code, out, err)
	}
	for _, step := range []struct{ command, state string }{{"pause", "paused"}, {"cancel", "cancelled"}} {
		if code, out, errs := run(step.command, job.ID); code != exitOK || !strings.Contains(out, step.state) {
			t.Errorf("%s: got %d\n%s\n%s", step.command, code, out, errs)
		}
	}
	if code, _, errs := run("resume", job.ID); code != exitFailed || !strings.Contains(errs, "is cancelled") {
		t.Errorf("resume: got %d\n%s", code, errs)
	}
	if code, out, _ := run("list"); code != exitOK || strings.Count(out, "\n") != 5 {
		t.Errorf("list: got %d\n%s", code, out)
	}
}
