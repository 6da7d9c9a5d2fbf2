package main

import (
	"bufio"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// Old phones have a listener of their own: the other one takes none of their
// versions and ciphers. That they are there is told, of each account once.
func TestOldPhones(t *testing.T) {
	dir := t.TempDir()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	cert, keyFile := selfSignedWith(t, dir, key, 1)
	p := start(t, dir, "--db.url", sqliteURL(dir), "--phones.tls_addr", "127.0.0.1:0", "--phones.tls_old_addr", "127.0.0.1:0",
		"--phones.tls_cert", cert, "--phones.tls_key", keyFile)
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	a.must(t, http.StatusOK, "PATCH", "/v2/accounts/"+a.account, `{"data":{"provision":{"access":{"require_tls_for_secrets":true}}}}`)
	a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice)
	p.waitLog(t, "phones.tls_old_addr accepts TLS 1.0")
	_, path, _ := strings.Cut(strings.TrimPrefix(a.url, "http://"), "/")

	get := func(service string, version, suite uint16) int {
		config := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: version, CipherSuites: []uint16{suite}}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
		req, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+p.listener(t, service)+"/"+path+"001565aabbcc.cfg", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			return 0
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	for _, tt := range []struct {
		name           string
		version, suite uint16
		main, old      int
	}{
		{"TLS 1.0", tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA, 0, 200},
		{"TLS 1.1", tls.VersionTLS11, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, 0, 200},
		{"TLS 1.0 with 3DES", tls.VersionTLS10, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, 0, 200},
		{"TLS 1.0 with RC4", tls.VersionTLS10, tls.TLS_RSA_WITH_RC4_128_SHA, 0, 0},
		{"TLS 1.2 without forward secrecy", tls.VersionTLS12, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, 0, 200},
		{"TLS 1.2", tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, 200, 200},
		{"TLS 1.3", tls.VersionTLS13, 0, 200, 200},
	} {
		if got := get("phones-tls", tt.version, tt.suite); got != tt.main {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.main)
		}
		if got := get("phones-tls-old", tt.version, tt.suite); got != tt.old {
			t.Errorf("%s at the listener for old phones: got %d, want %d", tt.name, got, tt.old)
		}
	}
	p.waitLog(t, "a phone knows only old TLS", a.account, "TLS 1.0")
	if n := strings.Count(p.log.String(), "a phone knows only old TLS"); n != 1 {
		t.Errorf("the account's old phones were told of %d times, want once a day", n)
	}
}

// A phone that comes back resumes its TLS session at any server of the same
// database and keyset, and at no other.
func TestResumeAtAnotherServer(t *testing.T) {
	dir := t.TempDir()
	cert, key := selfSigned(t, dir)
	serve := func(name, keyset string) *process {
		return start(t, dir, "--db.url", sqliteURL(filepath.Join(dir, name)), "--secrets.keyset", filepath.Join(dir, keyset),
			"--phones.tls_addr", "127.0.0.1:0", "--phones.tls_cert", cert, "--phones.tls_key", key)
	}
	for _, name := range []string{"database", "another"} {
		writeFile(t, filepath.Join(dir, name, "here"), "")
	}
	one, two := serve("database", "keyset"), serve("database", "keyset")
	other := serve("another", "keyset") // a ticket names the phone's certificate: who has but the keyset must make none
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		sessions := tls.NewLRUClientSessionCache(10)
		resumed := func(p *process) bool {
			t.Helper()
			config := &tls.Config{InsecureSkipVerify: true, ServerName: "phones", ClientSessionCache: sessions, MaxVersion: version}
			conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", p.listener(t, "phones-tls"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_, _ = fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: phones\r\n\r\n") // with the answer the ticket comes
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			return conn.(*tls.Conn).ConnectionState().DidResume
		}
		for _, step := range []struct {
			name string
			at   *process
			want bool
		}{{"at first", one, false}, {"again", one, true}, {"at another server", two, true}, {"with another database", other, false}} {
			if got := resumed(step.at); got != step.want {
				t.Errorf("%s, %s: resumed is %v, want %v", tls.VersionName(version), step.name, got, step.want)
			}
		}
	}
}
