package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// dialPlain connects without TLS, from an address of this machine.
func dialPlain(t *testing.T, from, addr string) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// ended waits until the server ends a connection, or answers it.
func ended(t *testing.T, what string, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(2 * time.Minute))
	if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Errorf("%s: the connection is still open after 2 minutes", what)
	}
}

// Who sends slowly loses the connection, and nobody else waits for that.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := selfSigned(t, dir)
	p := start(t, dir, "--db.url", sqliteURL(dir), "--phones.tls_addr", "127.0.0.1:0", "--phones.tls_cert", cert, "--phones.tls_key", key)
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice)
	phones, api := strings.TrimPrefix(p.phones, "http://"), strings.TrimPrefix(p.api, "http://")
	starts := []struct{ name, addr, sent string }{
		{"headers", phones, "GET /001565aabbcc.cfg HTTP/1.1\r\nHost: x\r\nX-Slow: "},
		{"headers to the API", api, "GET /v2/accounts HTTP/1.1\r\nHost: x\r\nX-Slow: "},
		{"a stranger's body", phones, "POST /001565aabbcc-app.log HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"},
		{"a body for the API", api, "PUT /v2/api_auth HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"},
		{"a handshake", p.listener(t, "phones-tls"), "\x16\x03\x01\x02"},
	}
	var slow sync.WaitGroup
	over := make(chan struct{})
	for _, s := range starts {
		for range 20 {
			conn := dialPlain(t, "127.0.0.9", s.addr)
			if _, err := io.WriteString(conn, s.sent); err != nil {
				t.Fatal(err)
			}
			go drip(conn, over)
			slow.Go(func() { ended(t, s.name, conn) })
		}
	}
	for range 20 {
		if resp, _ := fetch(t, a.url+"001565aabbcc.cfg"); resp.StatusCode != http.StatusOK {
			t.Errorf("a phone meanwhile: got %d", resp.StatusCode)
		}
	}
	a.must(t, http.StatusOK, "GET", "devices", "")
	slow.Wait()
	close(over)
}

// drip sends a byte now and then until nobody takes it.
func drip(conn net.Conn, over chan struct{}) {
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-over:
			return
		case <-ticker.C:
			if _, err := conn.Write([]byte("a")); err != nil {
				return
			}
		}
	}
}

// A source that opens connections without end has its own bound; an office of 500
// phones behind one address is served meanwhile, and so is who fills all there is
// from many addresses once that is idle.
func TestConnectionFlood(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--db.url", sqliteURL(dir), "--phones.max_connections", "1600")
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice)
	addr := strings.TrimPrefix(p.phones, "http://")
	for range 1200 { // in the middle of a request: they are busy for 10 s
		conn := dialPlain(t, "127.0.0.66", addr)
		_, _ = io.WriteString(conn, "GET /")
	}
	_, path, _ := strings.Cut(strings.TrimPrefix(a.url, "http://"), "/")
	var phones sync.WaitGroup
	var served atomic.Int32
	conns := make([]net.Conn, 500)
	for i := range conns {
		conns[i] = dialPlain(t, "127.0.0.77", addr)
	}
	for _, conn := range conns {
		phones.Go(func() {
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			_, _ = fmt.Fprintf(conn, "GET /%s001565aabbcc.cfg HTTP/1.1\r\nHost: x\r\n\r\n", path)
			if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil && resp.StatusCode == http.StatusOK {
				served.Add(1)
				_ = resp.Body.Close()
			}
		})
	}
	phones.Wait()
	if served.Load() != 500 {
		t.Errorf("%d phones of 500 were served during the flood", served.Load())
	}
	for i := range 1800 { // silent ones, from many addresses
		dialPlain(t, fmt.Sprintf("127.0.2.%d", i%250+1), addr)
	}
	if resp, _ := fetch(t, a.url+"001565aabbcc.cfg"); resp.StatusCode != http.StatusOK {
		t.Errorf("a phone beside 1800 silent connections: got %d", resp.StatusCode)
	}
}

// Paths lead nowhere but to the names of files.
func TestPathTricks(t *testing.T) {
	dir := t.TempDir()
	assets := filepath.Join(dir, "assets")
	writeFile(t, filepath.Join(assets, "logo.bmp"), "a logo")
	writeFile(t, filepath.Join(dir, "secret.txt"), "canary-outside")
	p := start(t, dir, "--db.url", sqliteURL(dir), "--assets.dir", assets)
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice)
	phones, api := strings.TrimPrefix(p.phones, "http://"), strings.TrimPrefix(p.api, "http://")
	_, token, _ := strings.Cut(strings.TrimPrefix(a.url, "http://"), "/")
	token = "/" + token

	ask := func(addr, target string) (status int, answer string) {
		t.Helper()
		answer = sendRaw(t, dialPlain(t, "127.0.0.1", addr), "GET "+target+" HTTP/1.1\r\nHost: phones\r\nConnection: close\r\n\r\n")
		if _, err := fmt.Sscanf(answer, "HTTP/1.1 %d", &status); err != nil {
			t.Errorf("%q: got %.100q", target, answer)
		}
		return status, answer
	}
	for _, target := range []string{token + "001565aabbcc.cfg", token + "assets/logo.bmp", "http://phones" + token + "001565aabbcc.cfg"} {
		if status, _ := ask(phones, target); status != http.StatusOK {
			t.Errorf("%s: got %d, want 200", target, status)
		}
	}
	for _, up := range []string{"..", "%2e%2e", ".%2e", "%252e%252e", "..%2f", "..%5c", "..\\", "%c0%ae%c0%ae", ".", "..;", "%00", "..%00"} {
		for _, before := range []string{"", "assets/", "assets/x/", "001565aabbcc.cfg/"} {
			for _, after := range []string{"secret.txt", "dialtone.db", "dialtone.db.keyset", "001565aabbcc.cfg", "../../etc/passwd", ""} {
				target := token + before + up + "/" + after
				status, answer := ask(phones, target)
				if status != http.StatusNotFound && status != http.StatusBadRequest || strings.Contains(answer, "account.1") || strings.Contains(answer, "canary") {
					t.Errorf("%s: got %d %.200s", target, status, answer)
				}
			}
		}
		for _, target := range []string{"/docs/" + up + "/", "/docs/" + up + "/../dialtone.db", "/v2/" + up + "/accounts", "/" + up + "/v2/accounts/" + a.account} {
			if status, answer := ask(api, target); status == http.StatusOK && !strings.Contains(answer, "swagger") || status >= 500 || strings.Contains(answer, "Acme") {
				t.Errorf("API, %s: got %d %.200s", target, status, answer)
			}
		}
	}
	for _, target := range []string{
		"http://" + api + "/healthz", "http://127.0.0.1/", "*", "//" + api + "/healthz", "/%00", "/\\", token + "%2f001565aabbcc.cfg", "/" + token + "001565aabbcc.cfg",
		"/p%2f" + strings.TrimPrefix(token, "/p/") + "001565aabbcc.cfg", token + "001565aabbcc.cfg%00.xml", token + "001565aabbcc.cfg%0d%0aX-Evil:%201", token + "001565aabbcc%2ecfg/..",
	} {
		if status, answer := ask(phones, target); status < 400 || status >= 500 || strings.Contains(answer, "\nX-Evil") {
			t.Errorf("%s: got %d %.200s", target, status, answer)
		}
	}
	if answer := sendRaw(t, dialPlain(t, "127.0.0.1", phones), "CONNECT "+api+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 4") {
		t.Errorf("CONNECT: got %.100s", answer)
	}
}

// Names, labels and what clients send never become headers, or lines, of an answer.
func TestHeaderInjection(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--db.url", sqliteURL(dir))
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	const evil = `x\r\nX-Evil: 1\r\n\r\n<b>`
	var devices []string
	for i, brand := range []string{`"yealink","endpoint_family":"t4x","endpoint_model":"t46u"`, `"polycom","endpoint_family":"vvx","endpoint_model":"vvx450"`} {
		body := fmt.Sprintf(`{"data":{"name":"%s","mac_address":"00156500000%d","sip":{"username":"u%d","password":"s3cret-x"},"caller_id":{"internal":{"name":"%s"}},
			"provision":{"endpoint_brand":%s,"combo_keys":{"1":{"type":"speed_dial","value":{"label":"%s","value":"1001"}}}}}}`, evil, i, i, evil, brand, evil)
		r, err := a.ask(t.Context(), "PUT", "devices", strings.NewReader(body))
		if err != nil || r.status >= 500 {
			t.Fatalf("got %d, %v", r.status, err)
		}
		if r.status != http.StatusCreated { // what cannot be in SIP is refused; without it
			body = strings.Replace(body, `"name":"`+evil+`","mac`, `"name":"x","mac`, 1)
			body = strings.Replace(body, `"caller_id":{"internal":{"name":"`+evil+`"}},`, "", 1)
			r = a.must(t, http.StatusCreated, "PUT", "devices", body)
		}
		devices = append(devices, r.id(t))
	}
	_, path, _ := strings.Cut(strings.TrimPrefix(a.url, "http://"), "/")
	for _, file := range []string{"001565000000.cfg", "001565000000.boot", "001565000001.cfg", "001565000001-settings.cfg"} {
		answer := sendRaw(t, dialPlain(t, "127.0.0.1", strings.TrimPrefix(p.phones, "http://")), "GET /"+path+file+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 200") || strings.Contains(answer, "\nX-Evil") {
			t.Errorf("%s: got %.400s", file, answer)
		}
	}
	out := filepath.Join(dir, "answer")
	if got := curl(t, out, "-d", "log", a.url+"001565000000-local.cfg"); got != "201" {
		t.Fatalf("upload: got %s", got)
	}
	accounts := "/v2/accounts/" + a.account
	for _, target := range []string{
		accounts + "/devices/" + devices[0] + "/uploads/001565000000-local.cfg%0d%0aX-Evil:%201", accounts + "/devices?jsonp=f%0d%0aX-Evil:%201",
		accounts + "/devices?start_key=%0d%0aX-Evil:%201", accounts + "/devices/" + devices[0] + "/provision?explain=%0d%0aX-Evil:%201", accounts + "/%0d%0aX-Evil:%201",
		"/docs%0d%0aX-Evil:%201", "//example.com/%2e%2e/docs",
	} {
		answer := sendRaw(t, dialPlain(t, "127.0.0.1", strings.TrimPrefix(p.api, "http://")),
			"GET "+target+" HTTP/1.1\r\nHost: x\r\nX-Auth-Token: "+a.token+"\r\nX-Request-ID: r\rX-Evil: 1\r\nConnection: close\r\n\r\n")
		head, _, _ := strings.Cut(answer, "\r\n\r\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 ") || strings.Contains(head, "X-Evil") || strings.Contains(head, "Location: //") {
			t.Errorf("%s: got %.400s", target, answer)
		}
	}
	if _, err := os.Stat(out); err != nil {
		t.Error(err)
	}
}
