package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dialtone/models/sqlstore/sqlstoretest"
)

// Every device whose creation was acknowledged is there after kill -9, whole.
func TestKillWhileCreating(t *testing.T) {
	dir := t.TempDir()
	for name, url := range map[string]string{
		"sqlite": sqliteURL(dir),
		"mysql":  sqlstoretest.MySQLDatabase(t),
	} {
		t.Run(name, func(t *testing.T) {
			settings := []string{"--db.url", url, "--secrets.keyset", filepath.Join(dir, name+".keyset")}
			p := start(t, dir, settings...)
			a := newAdmin(t, p, dir, settings...)
			acknowledged := createUntilKilled(t, p, a)

			p = start(t, dir, settings...)
			a.api = p.api
			for number, id := range acknowledged {
				var doc struct {
					Name string
					SIP  struct{ Password string }
				}
				got := a.must(t, http.StatusOK, "GET", "devices/"+id, "")
				if err := json.Unmarshal(got.Data, &doc); err != nil || doc.Name != fmt.Sprint("Phone ", number) || doc.SIP.Password != fmt.Sprint("secret-", number) {
					t.Errorf("device %d: got %s, %v", number, got.Data, err)
				}
			}
			var list []struct{ ID string }
			got := a.must(t, http.StatusOK, "GET", "devices?paginate=false", "")
			if err := json.Unmarshal(got.Data, &list); err != nil || len(list) < len(acknowledged) {
				t.Fatalf("list: got %d devices, %v, want at least %d", len(list), err, len(acknowledged))
			}
			for _, d := range list { // also those whose answer was lost are whole
				a.must(t, http.StatusOK, "GET", "devices/"+d.ID, "")
			}
		})
	}
}

// createUntilKilled creates up to 200 devices at once from several clients,
// kills the server after the 60th acknowledgement, and gives the ids of those
// that were acknowledged.
func createUntilKilled(t *testing.T, p *process, a *admin) map[int]string {
	t.Helper()
	numbers := make(chan int, 200)
	for i := range 200 {
		numbers <- i
	}
	close(numbers)
	acknowledged := map[int]string{}
	var mu sync.Mutex
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for i := range numbers {
				body := fmt.Sprintf(`{"data":{"name":"Phone %d","mac_address":"0015650000%02x","sip":{"username":"user%d","password":"secret-%d"}}}`, i, i, i, i)
				r, err := a.ask(context.Background(), "PUT", "devices", strings.NewReader(body))
				if err != nil {
					return // killed
				}
				if r.status != http.StatusCreated {
					t.Errorf("create: got %d %s", r.status, r.Data)
					return
				}
				var doc struct{ ID string }
				if err := json.Unmarshal(r.Data, &doc); err != nil {
					t.Error(err)
				}
				mu.Lock()
				acknowledged[i] = doc.ID
				if len(acknowledged) == 60 {
					_ = p.Process.Kill()
				}
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	p.kill(t)
	if len(acknowledged) < 60 || len(acknowledged) == 200 {
		t.Fatalf("%d creates were acknowledged, want some of the 200", len(acknowledged))
	}
	return acknowledged
}

// While the database is away a phone gets its last good file, and is told to
// come back for others, as administrators are; when it is there again everything
// works without a restart.
func TestDatabaseGone(t *testing.T) {
	dir := t.TempDir()
	url := sqlstoretest.MySQLDatabase(t)
	scheme, server, _ := strings.Cut(url, "@")
	addr, database, _ := strings.Cut(server, "/")
	cable := newCable(t, addr)
	settings := []string{"--db.url", scheme + "@" + cable.addr() + "/" + database, "--secrets.keyset", filepath.Join(dir, "keyset")}
	p := start(t, dir, settings...)
	a := newAdmin(t, p, dir, settings...)
	a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice)
	first, whole := fetch(t, a.url+"001565aabbcc.cfg")

	check := func(when string, want int) {
		t.Helper()
		if resp, body := fetch(t, a.url+"001565aabbcc.cfg"); resp.StatusCode != http.StatusOK || body != whole || resp.Header.Get("ETag") != first.Header.Get("ETag") {
			t.Errorf("%s, a file fetched before: got %d and %d bytes, want the same as before", when, resp.StatusCode, len(body))
		}
		resp, _ := fetch(t, a.url+"001565aabbcc.boot")
		if resp.StatusCode != want || (want == http.StatusServiceUnavailable) != (resp.Header.Get("Retry-After") != "") {
			t.Errorf("%s, file: got %d, Retry-After %q, want %d", when, resp.StatusCode, resp.Header.Get("Retry-After"), want)
		}
		if got := curl(t, filepath.Join(dir, "answer"), "-d", "#!version:1.0.0.1", a.url+"001565aabbcc-local.cfg"); (got == "503") != (want == http.StatusServiceUnavailable) {
			t.Errorf("%s, upload: got %s", when, got)
		}
		r, err := a.ask(t.Context(), "GET", "devices", nil)
		if err != nil || r.status != want || (want == http.StatusServiceUnavailable) != (r.header.Get("Retry-After") != "") {
			t.Errorf("%s, API: got %d %s, %v, want %d", when, r.status, r.Message, err, want)
		}
		if ready, _ := fetch(t, p.api+"/readyz"); ready.StatusCode != want {
			t.Errorf("%s, readyz: got %d, want %d", when, ready.StatusCode, want)
		}
		if alive, _ := fetch(t, p.api+"/healthz"); alive.StatusCode != http.StatusOK {
			t.Errorf("%s, healthz: got %d, want 200", when, alive.StatusCode)
		}
	}
	cable.cut()
	check("without the database", http.StatusServiceUnavailable)
	cable.mend()
	check("with the database back", http.StatusOK)
}

// A cable is a TCP proxy that can be cut.
type cable struct {
	net.Listener
	to    string
	mu    sync.Mutex
	isCut bool
	conns []net.Conn
}

func newCable(t *testing.T, to string) *cable {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{Listener: listener, to: to}
	t.Cleanup(func() { _ = listener.Close(); c.cut() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			c.connect(near)
		}
	}()
	return c
}

func (c *cable) addr() string { return c.Addr().String() }

func (c *cable) connect(near net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	far, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", c.to)
	if err != nil || c.isCut {
		_ = near.Close()
		return
	}
	c.conns = append(c.conns, near, far)
	for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = pair[0].Close()
		}()
	}
}

func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isCut = true
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isCut = false
}

// SIGTERM lets a request in flight finish, then the program exits with 0.
func TestStopFinishesRequests(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--db.url", sqliteURL(dir))
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	body, rest := io.Pipe()
	answered := make(chan reply, 1)
	go func() {
		r, err := a.ask(context.Background(), "PUT", "devices", body)
		if err != nil {
			t.Errorf("request in flight: %v", err)
		}
		answered <- r
	}()
	if _, err := io.WriteString(rest, yealinkDevice[:20]); err != nil {
		t.Fatal(err)
	}
	code := make(chan int, 1)
	began := time.Now()
	go func() { code <- p.stop(t) }()
	// New connections are refused once the stop has begun.
	for refused := false; !refused; time.Sleep(10 * time.Millisecond) {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.api, "http://"))
		if refused = err != nil; !refused {
			_ = conn.Close()
		}
	}
	if _, err := io.WriteString(rest, yealinkDevice[20:]); err != nil {
		t.Fatal(err)
	}
	_ = rest.Close()
	if r := <-answered; r.status != http.StatusCreated {
		t.Errorf("request in flight: got %d %s, want 201", r.status, r.Message)
	}
	if got := <-code; got != exitOK {
		t.Errorf("exit code: got %d, want 0\n%s", got, p.log)
	}
	t.Logf("stopped after %v", time.Since(began))
}

// A request that waits for a database which somebody else has locked is told
// to come back, and the program still exits with 0.
func TestStopWhileDatabaseIsLocked(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--db.url", sqliteURL(dir))
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	lock, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "dialtone.db")+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }()
	tx, err := lock.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	body, rest := io.Pipe() // its end is read once the server has begun with the request
	answered := make(chan reply, 1)
	go func() {
		r, err := a.ask(context.Background(), "PUT", "devices", body)
		if err != nil {
			t.Errorf("request in flight: %v", err)
		}
		answered <- r
	}()
	if _, err := io.WriteString(rest, yealinkDevice); err != nil {
		t.Fatal(err)
	}
	_ = rest.Close()
	fetch(t, a.url+"y000000000108.cfg") // its record waits for the lock too
	if code := p.stop(t); code != exitOK {
		t.Errorf("exit code: got %d, want 0\n%s", code, p.log)
	}
	if r := <-answered; r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
		t.Errorf("request in flight: got %d %s, want 503 with Retry-After", r.status, r.Message)
	}
}

func TestOccupiedPort(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	taken := listener.Addr().String()
	for _, key := range []string{"api.addr", "phones.addr", "sip.addr"} {
		t.Run(key, func(t *testing.T) {
			dir := t.TempDir()
			cmd := dialtone(t, dir, "serve", "--log.level", "error", "--api.addr", "127.0.0.1:0", "--phones.addr", "127.0.0.1:0", "--sip.addr", "127.0.0.1:0", "--"+key, taken)
			out, err := cmd.CombinedOutput()
			if err == nil || cmd.ProcessState.ExitCode() != exitFailed || strings.Count(string(out), "\n") != 1 || !strings.Contains(string(out), taken) {
				t.Errorf("got exit code %d and %q, want 1 and one line that names %s", cmd.ProcessState.ExitCode(), out, taken)
			}
		})
	}
}

func TestHugeHeader(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--db.url", sqliteURL(dir))
	for _, base := range []string{p.api + "/v2/api_auth", p.phones + "/001565aabbcc.cfg"} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", base, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Huge", strings.Repeat("a", 1<<20))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("GET %s with a header of 1 MB: got %d, want 431", base, resp.StatusCode)
		}
	}
}

// Without its keyset a database with secrets is left alone.
func TestMissingKeyset(t *testing.T) {
	dir := t.TempDir()
	output(t, dir, "account", "create", "--name", "Acme", "--realm", "acme.example.com", "--db.url", sqliteURL(dir))
	keyset := filepath.Join(dir, "dialtone.db.keyset")
	if err := os.Rename(keyset, keyset+".away"); err != nil {
		t.Fatal(err)
	}
	refused := func(want string) {
		t.Helper()
		cmd := dialtone(t, dir, "serve", "--log.level", "error", "--db.url", sqliteURL(dir))
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), want) || !strings.Contains(string(out), keyset) {
			t.Errorf("got %q, %v, want a refusal with %q that names the file", out, err, want)
		}
	}
	refused("missing")
	if _, err := os.Stat(keyset); !os.IsNotExist(err) {
		t.Errorf("a keyset was made: %v", err)
	}
	other := t.TempDir()
	output(t, other, "account", "create", "--name", "X", "--realm", "x.example.com", "--db.url", sqliteURL(other))
	if err := os.Rename(filepath.Join(other, "dialtone.db.keyset"), keyset); err != nil {
		t.Fatal(err)
	}
	refused("does not fit")
}

// An overlay file is served as soon as it is saved; a broken edit is logged
// with file and line while the last good version serves on.
func TestOverlayWhileServing(t *testing.T) {
	dir := t.TempDir()
	overlay := filepath.Join(dir, "overlay")
	file := filepath.Join(overlay, "yealink", "boot.tpl")
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		t.Fatal(err)
	}
	p := start(t, dir, "--db.url", sqliteURL(dir), "--templates.dir", overlay)
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice)
	served := func() string { _, body := fetch(t, a.url+"001565aabbcc.boot"); return body }
	waitFor := func(text string) {
		t.Helper()
		wait(t, text, func() bool { return strings.Contains(served(), text) })
	}
	original := served()
	writeFile(t, file, "#!version:1.0.0.1\ninclude:config \"001565aabbcc.cfg\"\n# ours\n")
	waitFor("# ours")
	writeFile(t, file, "#!version:1.0.0.1\n# broken\n{% if %}\n")
	p.waitLog(t, "templates not reloaded", "boot.tpl", `"line":3`)
	if got := served(); !strings.Contains(got, "# ours") {
		t.Errorf("after a broken edit: got %q, want the last good version", got)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	waitFor(original)
}

// The proof with programs we did not write: curl fetches both brands' files by
// token and by digest, xmllint reads the XML.
func TestCurl(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--db.url", sqliteURL(dir))
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	for _, device := range []struct {
		doc   string
		files []string
	}{
		{yealinkDevice, []string{"001565aabbcc.boot", "y000000000108.cfg", "001565aabbcc.cfg"}},
		{polycomDevice, []string{"0004f2aabbcc.cfg", "0004f2aabbcc-settings.cfg", "site.cfg"}},
	} {
		id := a.must(t, http.StatusCreated, "PUT", "devices", device.doc).id(t)
		var provision struct{ Username, Password string }
		if err := json.Unmarshal(a.must(t, http.StatusOK, "GET", "devices/"+id+"/provision", "").Data, &provision); err != nil {
			t.Fatal(err)
		}
		for _, file := range device.files {
			byToken := filepath.Join(dir, "token-"+file)
			byDigest := filepath.Join(dir, "digest-"+file)
			external(t, "curl", "-sSf", "-o", byToken, a.url+file)
			external(t, "curl", "-sSf", "--digest", "-u", provision.Username+":"+provision.Password, "-o", byDigest, p.phones+"/"+file)
			one, err := os.ReadFile(byToken)
			if err != nil {
				t.Fatal(err)
			}
			two, err := os.ReadFile(byDigest)
			if err != nil || string(one) != string(two) {
				t.Errorf("%s: by token and by digest differ, %v", file, err)
			}
			if strings.HasPrefix(string(one), "<?xml") {
				external(t, "xmllint", "--noout", byToken)
			}
		}
	}
}

// external runs a program of the system; a missing one is a failure.
func external(t *testing.T, name string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is missing: `make test` installs it, or apt-get install it", name)
	}
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
}

// One certificate serves phones over HTTPS and SIP; basic is good enough there.
func TestTLSListeners(t *testing.T) {
	dir := t.TempDir()
	cert, key := selfSigned(t, dir)
	p := start(t, dir, "--db.url", sqliteURL(dir), "--phones.tls_addr", "127.0.0.1:0", "--sip.tls_addr", "127.0.0.1:0",
		"--phones.tls_cert", cert, "--phones.tls_key", key)
	p.waitLog(t, `"listening"`, `"sip-tls"`)
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	id := a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice).id(t)
	var provision struct{ Username, Password string }
	if err := json.Unmarshal(a.must(t, http.StatusOK, "GET", "devices/"+id+"/provision", "").Data, &provision); err != nil {
		t.Fatal(err)
	}
	external(t, "curl", "-sSf", "--cacert", cert, "-u", provision.Username+":"+provision.Password, "-o", os.DevNull,
		"https://"+p.listener(t, "phones-tls")+"/001565aabbcc.cfg")
	roots := x509.NewCertPool()
	raw, err := os.ReadFile(cert)
	if err != nil || !roots.AppendCertsFromPEM(raw) {
		t.Fatal(err)
	}
	conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}).DialContext(t.Context(), "tcp", p.listener(t, "sip-tls"))
	if err != nil {
		t.Fatalf("SIP over TLS: %v", err)
	}
	_ = conn.Close()
}

// selfSigned makes a certificate for 127.0.0.1 and gives the PEM files.
func selfSigned(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return selfSignedWith(t, dir, private, 1)
}

// selfSignedWith is selfSigned with a key and a serial number.
func selfSignedWith(t *testing.T, dir string, private crypto.Signer, serial int64) (cert, key string) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "phones"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeFile(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	writeFile(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
	return cert, key
}

// An exempt network is never locked out; any other is, after 20 wrong tokens.
func TestExemptNetwork(t *testing.T) {
	for exempt, want := range map[string]int{"": http.StatusNotFound, "192.0.2.0/24, 127.0.0.0/8": http.StatusOK} {
		dir := t.TempDir()
		p := start(t, dir, "--db.url", sqliteURL(dir), "--limits.exempt", exempt)
		a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
		a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice)
		for i := range 25 {
			fetch(t, fmt.Sprintf("%s/p/wrong%d/001565aabbcc.cfg", p.phones, i))
		}
		if resp, _ := fetch(t, a.url+"001565aabbcc.cfg"); resp.StatusCode != want {
			t.Errorf("limits.exempt %q: got %d, want %d", exempt, resp.StatusCode, want)
		}
	}
}

// What a device's document leaves unsaid comes from its owner, then its
// account, then the brand; the defaults that answers show do not stand in the
// way.
func TestLayersThroughREST(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--db.url", sqliteURL(dir))
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	owner := a.must(t, http.StatusCreated, "PUT", "users", `{"data":{"first_name":"Ann","last_name":"Lee"}}`).id(t)
	device := a.must(t, http.StatusCreated, "PUT", "devices", strings.Replace(yealinkDevice, `"name"`, `"owner_id":"`+owner+`","name"`, 1)).id(t)
	holds := func(when string, lines ...string) {
		t.Helper()
		_, body := fetch(t, a.url+"001565aabbcc.cfg")
		for _, line := range lines {
			if !strings.Contains(body, "\n"+line+"\n") {
				t.Errorf("%s: no line %q in\n%s", when, line, body)
			}
		}
	}
	holds("brand", "account.1.codec.pcmu.enable = 1", "account.1.codec.g722.enable = 1", "account.1.sip_server.1.expires = 300", "account.1.srtp_encryption = 0")
	a.must(t, http.StatusOK, "PATCH", "users/"+owner, `{"data":{"media":{"audio":{"codecs":["G722","PCMA"]},"encryption":{"methods":["srtp"]}},"sip":{"expire_seconds":900}}}`)
	holds("owner", "account.1.codec.pcmu.enable = 0", "account.1.codec.g722.priority = 1", "account.1.codec.pcma.priority = 2",
		"account.1.sip_server.1.expires = 900", "account.1.srtp_encryption = 1")
	a.must(t, http.StatusOK, "PATCH", "devices/"+device, `{"data":{"media":{"audio":{"codecs":["PCMU"]}},"sip":{"expire_seconds":120}}}`)
	holds("device", "account.1.codec.pcmu.enable = 1", "account.1.codec.g722.enable = 0", "account.1.sip_server.1.expires = 120", "account.1.srtp_encryption = 1")
	a.must(t, http.StatusOK, "PATCH", "devices/"+device, `{"data":{"media":null,"sip":{"expire_seconds":null}}}`)
	holds("owner again", "account.1.codec.pcmu.enable = 0", "account.1.sip_server.1.expires = 900")
}

// A log does not grow as fast as phones ask, and tells what it left out.
func TestLogPerSecond(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--db.url", sqliteURL(dir), "--log.per_second", "6")
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice)
	for range 50 {
		fetch(t, a.url+"001565aabbcc.cfg")
	}
	wait(t, "a line that tells of those left out", func() bool {
		fetch(t, a.url+"001565aabbcc.cfg")
		return p.log.has([]string{"phone request", "left_out"})
	})
	out, err := dialtone(t, dir, "serve", "--log.per_second", "many").CombinedOutput()
	if want := "log.per_second: want a number from 0 to 1000000"; err == nil || !strings.Contains(string(out), want) {
		t.Errorf("a bad setting: got %q, %v, want %s", out, err, want)
	}
}
