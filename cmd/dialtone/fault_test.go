package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"dialtone/provisioner"
)

// A phoneSide looks at a server as phones do, and counts every answer that
// would hurt one as an error.
type phoneSide struct {
	good map[string]string // body by URL
}

// remember fetches a file that has to be there.
func (s *phoneSide) remember(t *testing.T, url string) {
	t.Helper()
	resp, body := fetch(t, url)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: got %d", filepath.Base(url), resp.StatusCode)
	}
	if s.good == nil {
		s.good = map[string]string{}
	}
	s.good[url] = body
}

// check fetches every file that was fetched before: the phone has to get it.
func (s *phoneSide) check(t *testing.T, when string) {
	t.Helper()
	var all sync.WaitGroup
	for url, good := range s.good {
		all.Go(func() {
			if got, err := takeFile(t.Context(), url); err != nil || got != good {
				t.Errorf("%s, %s: got %d bytes, %v; want the last good file", when, filepath.Base(url), len(got), err)
			}
		})
	}
	all.Wait()
}

var errComeBack = errors.New("503 with Retry-After")

// takeFile is a phone's GET. What it takes is whole: the bytes are those of the
// ETag. An error other than errComeBack is an answer that no phone may get.
func takeFile(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", errNoAnswer
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return "", errNoAnswer // the phone sees that the end is missing
	case resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "":
		return "", errComeBack
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("status %d", resp.StatusCode)
	case resp.Header.Get("ETag") != `"`+provisioner.ETag(body)+`"`:
		return "", errors.New("the bytes are not those of the ETag")
	}
	return string(body), nil
}

// errNoAnswer is a connection that was refused or cut.
var errNoAnswer = errors.New("no answer")

// While a MariaDB is read-only, stopped or halted, phones get their last good
// files, or are told to come back, and the server says whether it is ready.
func TestMariaDBFaults(t *testing.T) {
	db := newMariaDB(t)
	dir := t.TempDir()
	settings := []string{"--db.url", db.database(t), "--secrets.keyset", filepath.Join(dir, "keyset")}
	p := start(t, dir, settings...)
	a := newAdmin(t, p, dir, settings...)
	device := a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice).id(t)
	a.must(t, http.StatusCreated, "PUT", "devices", polycomDevice)
	phones := &phoneSide{}
	for _, file := range []string{"001565aabbcc.boot", "001565aabbcc.cfg"} {
		phones.remember(t, a.url+file)
	}
	for _, fault := range []struct {
		name         string
		begin, end   func()
		reads, hangs bool
	}{
		{
			name:  "read-only",
			begin: func() { must(t, db.ask("SET GLOBAL read_only = 1")) },
			end:   func() { must(t, db.ask("SET GLOBAL read_only = 0")) },
			reads: true,
		},
		{name: "halted", begin: func() { db.signal(t, syscall.SIGSTOP) }, end: func() { db.signal(t, syscall.SIGCONT) }, hangs: true},
		{name: "stopped", begin: func() { db.end(syscall.SIGTERM) }, end: func() { db.start(t) }},
		{name: "killed", begin: func() { db.end(syscall.SIGKILL) }, end: func() { db.start(t) }},
	} {
		fault.begin()
		phones.check(t, fault.name)
		fresh := "y000000000108.cfg"
		if fault.reads {
			fresh = "0004f2aabbcc.cfg"
		}
		if _, err := takeFile(t.Context(), a.url+fresh); fault.reads != (err == nil) || err != nil && !errors.Is(err, errComeBack) {
			t.Errorf("%s, a file that was not fetched before: got %v", fault.name, err)
		}
		if _, err := takeFile(t.Context(), a.url+"001565999999.cfg"); !fault.reads && !errors.Is(err, errComeBack) {
			t.Errorf("%s, an unknown phone: got %v, want %v", fault.name, err, errComeBack)
		}
		if ready, _ := fetch(t, p.api+"/readyz"); (ready.StatusCode == http.StatusOK) != fault.reads {
			t.Errorf("%s, readyz: got %d", fault.name, ready.StatusCode)
		}
		if !fault.hangs {
			r, err := a.ask(t.Context(), "PATCH", "devices/"+device, strings.NewReader(`{"data":{"name":"Other"}}`))
			if err != nil || r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
				t.Errorf("%s, a write: got %d %s, %v, want 503 with Retry-After", fault.name, r.status, r.Message, err)
			}
		}
		fault.end()
		wait(t, "an answer after "+fault.name, func() bool {
			resp, _ := fetch(t, p.api+"/readyz")
			return resp.StatusCode == http.StatusOK
		})
		phones.check(t, "after "+fault.name)
	}
	a.must(t, http.StatusOK, "PATCH", "devices/"+device, `{"data":{"name":"Other"}}`)
	if got, err := takeFile(t.Context(), a.url+"001565aabbcc.cfg"); err != nil || got == phones.good[a.url+"001565aabbcc.cfg"] {
		t.Errorf("after a change, all being well: got the old file, %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A server whose SQLite file somebody else is writing to, or that nobody may
// write to, gives phones their files.
func TestSQLiteFaults(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--db.url", sqliteURL(dir))
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice)
	a.must(t, http.StatusCreated, "PUT", "devices", polycomDevice)
	phones := &phoneSide{}
	phones.remember(t, a.url+"001565aabbcc.cfg")

	other, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "dialtone.db")+"?_txlock=immediate")
	must(t, err)
	defer func() { _ = other.Close() }()
	tx, err := other.BeginTx(t.Context(), nil)
	must(t, err)
	phones.check(t, "while another program writes")
	phones.remember(t, a.url+"0004f2aabbcc.cfg")
	must(t, errors.Join(tx.Rollback(), other.Close()))
	if code := p.stop(t); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, p.log)
	}

	must(t, os.Chmod(filepath.Join(dir, "dialtone.db"), 0o400))
	cmd := dialtone(t, dir, serveArgs("--db.url", sqliteURL(dir))...)
	if os.Getuid() == 0 { // root may write to whatever it likes, unless that is taken away
		cmd.Args = append([]string{"setpriv", "--bounding-set=-dac_override", cmd.Path}, cmd.Args[1:]...)
		cmd.Path = program(t, "setpriv")
	}
	p = startCommand(t, cmd)
	a.api, a.url = p.api, strings.Replace(a.url, a.url[:strings.Index(a.url, "/p/")], p.phones, 1)
	for url, good := range phones.good {
		if got, err := takeFile(t.Context(), a.url+filepath.Base(url)); err != nil || strings.Count(got, "\n") != strings.Count(good, "\n") {
			t.Errorf("read-only, %s: got %d bytes, %v", filepath.Base(url), len(got), err)
		}
	}
	r, err := a.ask(t.Context(), "PUT", "devices", strings.NewReader(`{"data":{"name":"New"}}`))
	if err != nil || r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
		t.Errorf("read-only, a write: got %d %s, %v, want 503 with Retry-After", r.status, r.Message, err)
	}
}

// A full disk takes no device, and no phone's file.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--db.url", sqliteURL(dir))
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice)
	a.must(t, http.StatusCreated, "PUT", "devices", polycomDevice)
	if code := p.stop(t); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, p.log)
	}

	// The server gets a small disk of its own at disk, with the database on it.
	disk := filepath.Join(dir, "disk")
	must(t, os.Mkdir(disk, 0o750))
	script := `set -e; mount -t tmpfs -o size=8m tmpfs "$1"; cp dialtone.db* "$1"; cd "$1"; shift; exec "$@"`
	cmd := dialtone(t, dir, serveArgs("--db.url", "sqlite:dialtone.db")...)
	cmd.Args = append([]string{"unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", disk, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = program(t, "unshare")
	p = startCommand(t, cmd)
	a.api, a.url = p.api, strings.Replace(a.url, a.url[:strings.Index(a.url, "/p/")], p.phones, 1)
	phones := &phoneSide{}
	phones.remember(t, a.url+"001565aabbcc.cfg")

	inside := fmt.Sprintf("/proc/%d/root%s/", p.Process.Pid, disk)
	filler, err := os.Create(inside + "filler")
	must(t, err)
	for err == nil {
		_, err = filler.Write(make([]byte, 4<<10))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	must(t, filler.Close())
	acknowledged := 0
	for full := false; !full && acknowledged < 10_000; { // the database has some room inside
		r, err := a.ask(t.Context(), "PUT", "devices", strings.NewReader(`{"data":{"name":"`+strings.Repeat("x", 100)+`"}}`))
		if err != nil {
			t.Fatal(err)
		}
		switch full = r.status != http.StatusCreated; {
		case !full:
			acknowledged++
		case r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "":
			t.Errorf("a write on a full disk: got %d %s, want 503 with Retry-After", r.status, r.Message)
		}
	}
	phones.check(t, "on a full disk")
	phones.remember(t, a.url+"0004f2aabbcc.cfg")
	must(t, os.Remove(inside+"filler"))
	a.must(t, http.StatusCreated, "PUT", "devices", `{"data":{"name":"New"}}`)
	phones.check(t, "with room again")
	var list []struct{ Name string }
	a.list(t, &list)
	if len(list) != acknowledged+3 {
		t.Errorf("found %d devices, want the %d that were acknowledged and 3", len(list), acknowledged)
	}
}

// Phones that boot while the server is stopped and started again, and killed and
// started again, all come up, and none is told that a file of its own is not there.
func TestRestartWhilePhonesBoot(t *testing.T) {
	const count = 40
	dir := t.TempDir()
	first := start(t, dir, "--db.url", sqliteURL(dir))
	a := newAdmin(t, first, dir, "--db.url", sqliteURL(dir))
	csv := "name,mac_address,username,password,brand,family,model\n"
	for i := range count {
		csv += fmt.Sprintf("Phone %d,0015650000%02x,user%d,secret-%d,yealink,t4x,t46u\n", i, i, i, i)
	}
	a.importCSV(t, csv)
	listen := []string{"--db.url", sqliteURL(dir), "--api.addr", strings.TrimPrefix(first.api, "http://"), "--phones.addr", strings.TrimPrefix(first.phones, "http://"), "--sip.addr", first.sip}
	fleet := &process{Cmd: dialtone(t, dir, "phone", "--brand", "yealink", "--model", "t46u", "--mac", "001565000000", "--count", fmt.Sprint(count),
		"--url", a.url, "--sip-listen", "127.0.0.1:0"), log: &logBuffer{}, done: make(chan struct{})}
	fleet.Stdout = fleet.log
	fleet.run(t)
	wait(t, "the first phone to boot", func() bool { return strings.Contains(fleet.log.String(), " 200 ") })
	if code := first.stop(t); code != exitOK {
		t.Errorf("exit code %d\n%s", code, first.log)
	}
	second := start(t, dir, listen...)
	before := strings.Count(fleet.log.String(), " 200 ")
	wait(t, "phones to go on", func() bool { return strings.Count(fleet.log.String(), " 200 ") > before })
	second.kill(t)
	start(t, dir, listen...)
	wait(t, "every phone to register", func() bool {
		registered := map[string]bool{}
		for line := range strings.Lines(fleet.log.String()) {
			if mac, rest, _ := strings.Cut(line, " "); strings.HasPrefix(rest, "REGISTER") && strings.Contains(rest, " 200") {
				registered[mac] = true
			}
		}
		return len(registered) == count
	})
	if missing := regexp.MustCompile(`GET [0-9a-f]{12}\.(boot|cfg) 404`).FindString(fleet.log.String()); missing != "" {
		t.Errorf("a phone was told: %s", missing)
	}
}

// program is the path of a program of the system.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, folder := range []string{"/usr/bin", "/bin", "/usr/sbin", "/sbin"} {
		if path := filepath.Join(folder, name); exists(path) {
			return path
		}
	}
	t.Fatalf("%s is missing: apt-get install util-linux", name)
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// list reads all devices of the account.
func (a *admin) list(t *testing.T, into any) {
	t.Helper()
	must(t, json.Unmarshal(a.must(t, http.StatusOK, "GET", "devices?paginate=false", "").Data, into))
}

// importCSV stores the devices of a table.
func (a *admin) importCSV(t *testing.T, csv string) {
	t.Helper()
	r, err := a.send(t.Context(), "POST", "devices/import", "text/csv", strings.NewReader(csv))
	if err != nil || r.status != http.StatusCreated {
		t.Fatalf("import: got %d %s %s, %v", r.status, r.Message, r.Data, err)
	}
}
