package phonehttp_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dialtone/models"
)

// A phone without credentials gets, while its device is open for first contact,
// one file with where to fetch and as whom: no SIP password, and no token that
// opens the files of others.
func TestFirstContact(t *testing.T) {
	tests := []struct{ brand, family, model, mac, file string }{
		{"yealink", "t4x", "t46u", "001565bb0001", "001565bb0001.cfg"},
		{"polycom", "vvx", "vvx450", "0004f2bb0001", "0004f2bb0001.cfg"},
		{"snom", "d7xx", "d785", "000413bb0001", "snomD785-000413BB0001.htm"},
		{"grandstream", "gxp", "gxp2170", "000b82bb0001", "cfg000b82bb0001.xml"},
		{"fanvil", "x", "x5u", "0c383ebb0001", "0c383ebb0001.cfg"},
	}
	s := newSite(t)
	for _, tt := range tests {
		t.Run(tt.brand, func(t *testing.T) {
			d := s.createDevice(t, s.account, `{"name":"canary-name","mac_address":"`+tt.mac+`","sip":{"username":"canary-`+tt.brand+`","password":"canary-sip"},
				"provision":{"endpoint_brand":"`+tt.brand+`","endpoint_family":"`+tt.family+`","endpoint_model":"`+tt.model+`","admin_password":"canary-admin"}}`)
			get := func() answer { return s.do(t, http.MethodGet, "/"+tt.file) }
			if got := get(); got.status != http.StatusUnauthorized {
				t.Fatalf("before it is open: got %d, want 401", got.status)
			}
			if err := s.store.OpenFirstContact(t.Context(), d, time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if head := s.do(t, http.MethodHead, "/"+tt.file); head.status != http.StatusOK {
				t.Errorf("HEAD: got %d, want 200", head.status)
			}
			got := get()
			if got.status != http.StatusOK || !strings.Contains(got.body, d.HTTPPassword.Reveal()) || !strings.Contains(got.body, tt.mac) ||
				!strings.Contains(got.body, "phones.example.com") || strings.Contains(got.body, "canary") || strings.Contains(got.body, s.account.PathToken.Reveal()) {
				t.Errorf("got %d:\n%s", got.status, got.body)
			}
			if again := get(); again.status != http.StatusUnauthorized {
				t.Errorf("a second time: got %d, want 401", again.status)
			}
			if own := s.digest(t, http.MethodGet, "/"+tt.file, tt.mac, d.HTTPPassword); own.status != http.StatusOK || !strings.Contains(own.body+own.header.Get("Content-Type"), "xml") && tt.brand != "yealink" {
				t.Errorf("with what was in it: got %d", own.status)
			}
		})
	}
}

// While it is open, other files of the phone are not there, other phones' are as
// closed as ever, and whoever presents something wrong gets nothing.
func TestFirstContactIsNarrow(t *testing.T) {
	s := newSite(t)
	open := func(until time.Time) {
		t.Helper()
		if err := s.store.OpenFirstContact(t.Context(), s.yealink, until); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what, path string, want int) {
		t.Helper()
		if got := s.status(t, path); got != want {
			t.Errorf("%s: got %d, want %d", what, got, want)
		}
	}
	open(time.Now().Add(-time.Second))
	check("when it is over", "/001565aabbcc.cfg", 401)
	open(time.Now().Add(time.Minute))
	check("another file of the phone", "/001565aabbcc.boot", 404)
	check("a file that it would store", "/001565aabbcc-local.cfg", 404)
	check("another phone", "/0004f2aabbcc.cfg", 401)
	check("a wrong token", "/p/x/001565aabbcc.cfg", 404)
	if got := s.wrongDigest(t, "/001565aabbcc.cfg"); got != http.StatusUnauthorized {
		t.Errorf("a wrong password: got %d, want 401", got)
	}
	if got := s.send(t, http.MethodPut, "/001565aabbcc-local.cfg", strings.NewReader("x")); got.status != http.StatusNotFound {
		t.Errorf("an upload: got %d, want 404", got.status)
	}
	s.setAccess(t, `{"password":false}`)
	check("where credentials let nobody in", "/001565aabbcc.cfg", 404)
	s.setAccess(t, `{"password":true,"require_tls_for_secrets":true}`)
	check("in the clear where that is refused", "/001565aabbcc.cfg", 403)
	s.setAccess(t, `{"require_tls_for_secrets":false}`)

	var served atomic.Int64
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			if s.status(t, "/001565aabbcc.cfg") == http.StatusOK {
				served.Add(1)
			}
		})
	}
	wait.Wait()
	if served.Load() != 1 {
		t.Errorf("asked for 20 times at once, it was served %d times, want 1", served.Load())
	}
}

// wrongDigest presents credentials that answer no challenge.
func (s *site) wrongDigest(t *testing.T, path string) int {
	t.Helper()
	return s.do(t, http.MethodGet, path, "Authorization", `Digest username="001565aabbcc", realm="Dialtone", nonce="x", uri="`+path+`", response="`+models.NewID()+`"`).status
}
