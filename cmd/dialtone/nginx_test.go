package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The recipe of docs/reverse-proxy.md: behind nginx phones have their own
// addresses, their certificates count, and what they say of themselves in headers
// does not.
func TestNginx(t *testing.T) {
	dir := t.TempDir()
	cert, key := selfSigned(t, dir)
	yealink := newMaker(t, "yealink")
	makers := filepath.Join(dir, "makers")
	writeFile(t, filepath.Join(makers, "yealink.pem"), yealink.pem())
	p := start(t, dir, "--db.url", sqliteURL(dir), "--phones.trusted_proxies", "127.0.0.1/32",
		"--phones.client_ca_dir", makers, "--phones.proxy_certificate", "X-SSL-Client-Cert")
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	a.must(t, http.StatusOK, "PATCH", "/v2/accounts/"+a.account, `{"data":{"provision":{"access":{"certificate":true,"require_tls_for_secrets":true}}}}`)
	device := a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice).id(t)
	addr := nginx(t, dir, strings.TrimPrefix(p.phones, "http://"), cert, key)

	const phone = "127.0.0.77"
	get := func(path string, args ...string) string {
		t.Helper()
		return curl(t, filepath.Join(dir, "answer"), append([]string{"--interface", phone, "--cacert", cert, "https://" + addr + path}, args...)...)
	}
	own := yealink.phone(t, dir, "001565aabbcc")
	raw, err := os.ReadFile(own)
	if err != nil {
		t.Fatal(err)
	}
	public, _, _ := strings.Cut(string(raw), "-----BEGIN PRIVATE KEY")
	_, path, _ := strings.Cut(strings.TrimPrefix(a.url, "http://"), "/")
	for _, tt := range []struct {
		name, path string
		args       []string
		want       string
	}{
		{"by token", "/" + path + "001565aabbcc.cfg", nil, "200"},
		{"its certificate", "/001565aabbcc.cfg", []string{"--cert", own}, "200"},
		{"another phone's certificate", "/001565aabbcc.cfg", []string{"--cert", yealink.phone(t, dir, "001565aabbcd")}, "401"},
		{"a certificate that is only said to be there", "/001565aabbcc.cfg", []string{"-H", "X-SSL-Client-Cert: " + url.PathEscape(public)}, "401"},
		{"nothing", "/001565aabbcc.cfg", nil, "401"},
		{"lies about the source", "/" + path + "001565aabbcc.cfg", []string{"-H", "X-Forwarded-For: 192.0.2.1", "-H", "Forwarded: for=192.0.2.1"}, "200"},
	} {
		if got := get(tt.path, tt.args...); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
	var report struct {
		Files []struct {
			LastFetch *struct{ Source string } `json:"last_fetch"`
		}
	}
	wait(t, "the fetch to be recorded with the phone's address", func() bool {
		raw := a.must(t, http.StatusOK, "GET", "devices/"+device+"/provision", "").Data
		if err := json.Unmarshal(raw, &report); err != nil {
			t.Fatal(err)
		}
		for _, f := range report.Files {
			if f.LastFetch != nil {
				return f.LastFetch.Source == phone
			}
		}
		return false
	})

	// Two requests where one is meant: what follows is never answered.
	for name, head := range map[string]string{
		"CL and TE":     "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
		"two CLs":       "Content-Length: 5\r\nContent-Length: 6\r\n",
		"odd TE":        "Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n",
		"blank in name": "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n",
	} {
		conn := dialTLS(t, addr)
		answer := sendRaw(t, conn, "POST /001565aabbcc-app.log HTTP/1.1\r\nHost: phones\r\nConnection: close\r\n"+head+"\r\n0\r\n\r\nGET /"+path+"001565aabbcc.cfg HTTP/1.1\r\nHost: phones\r\n\r\n")
		if n := strings.Count(answer, "HTTP/1.1 "); n != 1 || strings.Contains(answer, "account.1") {
			t.Errorf("%s: got %d answers: %.300s", name, n, answer)
		}
	}
	for i := range 25 { // a scanner locks itself out, not the proxy
		get(fmt.Sprintf("/p/wrong%d/001565aabbcc.cfg", i), "-H", "X-Forwarded-For: 198.51.100.1")
	}
	if got := get("/" + path + "001565aabbcc.cfg"); got != "404" {
		t.Errorf("the scanner: got %s, want 404", got)
	}
	if got := get("/"+path+"001565aabbcc.cfg", "--interface", "127.0.0.78"); got != "200" {
		t.Errorf("another phone: got %s, want 200", got)
	}
}

// nginx runs nginx with the recipe of docs/reverse-proxy.md in front of a server,
// until the test ends, and gives its address.
func nginx(t *testing.T, dir, to, cert, key string) string {
	t.Helper()
	if _, err := exec.LookPath("nginx"); err != nil {
		t.Fatal("nginx is missing: `make test` installs it, or apt-get install nginx-light")
	}
	doc, err := os.ReadFile("../../docs/reverse-proxy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, recipe, _ := strings.Cut(string(doc), "```nginx\n")
	recipe, _, found := strings.Cut(recipe, "```")
	if !found {
		t.Fatal("docs/reverse-proxy.md has no recipe for nginx")
	}
	addr := freeAddr(t)
	recipe = strings.NewReplacer("listen 443 ", "listen "+addr+" ", "/etc/ssl/phones.pem", cert, "/etc/ssl/phones.key", key, "127.0.0.1:8080", to).Replace(recipe)
	folder := filepath.Join(dir, "nginx")
	writeFile(t, filepath.Join(folder, "nginx.conf"), `daemon off; worker_processes 1; pid `+folder+`/pid; error_log `+folder+`/error.log;
		events {} http { access_log off; client_body_temp_path `+folder+`/body; proxy_temp_path `+folder+`/proxy;
		fastcgi_temp_path `+folder+`/fcgi; uwsgi_temp_path `+folder+`/uwsgi; scgi_temp_path `+folder+`/scgi;
		`+recipe+`}`)
	cmd := exec.Command("nginx", "-p", folder, "-c", filepath.Join(folder, "nginx.conf"), "-e", filepath.Join(folder, "error.log"))
	var output logBuffer
	cmd.Stderr = &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	wait(t, "nginx to listen", func() bool {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
	return addr
}
