package phonehttp_test

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"dialtone/models"
	"dialtone/provisioner/phonehttp"
)

var behindProxies = phonehttp.Proxies{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::/48")}}

// asked is a GET that comes from an address, with headers "Name: value".
func asked(t *testing.T, remote, path string, headers ...string) *http.Request {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://phones.example.com"+path, nil)
	req.RemoteAddr = remote
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		req.Header.Add(name, value)
	}
	return req
}

func TestForwardedPeer(t *testing.T) {
	const proxy, stranger = "10.0.0.1:1024", "203.0.113.9:1024"
	tests := []struct {
		name    string
		remote  string
		headers []string
		source  string // "" = refused
		secure  bool
	}{
		{"nothing said", proxy, nil, "10.0.0.1", false},
		{"one proxy", proxy, []string{"X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: https"}, "198.51.100.7", true},
		{"in the clear", proxy, []string{"X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: http"}, "198.51.100.7", false},
		{"not said how", proxy, []string{"X-Forwarded-For: 198.51.100.7"}, "198.51.100.7", false},
		{"clear behind TLS", proxy, []string{"X-Forwarded-For: 198.51.100.7, 10.0.0.2", "X-Forwarded-Proto: https, http"}, "198.51.100.7", false},
		{"two proxies", proxy, []string{"X-Forwarded-For: 198.51.100.7, 10.0.0.2"}, "198.51.100.7", false},
		{"several headers", proxy, []string{"X-Forwarded-For: 198.51.100.7", "X-Forwarded-For: 10.0.0.2"}, "198.51.100.7", false},
		{"the phone's own lies are in front", proxy, []string{"X-Forwarded-For: 192.0.2.1, 10.0.0.9, 198.51.100.7"}, "198.51.100.7", false},
		{"with ports", proxy, []string{"X-Forwarded-For: 198.51.100.7:5060, [2001:db8:1::5]:443"}, "198.51.100.7", false},
		{"IPv6", "[2001:db8:1::1]:99", []string{"X-Forwarded-For: 2001:db8::7"}, "2001:db8::7", false},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:99", []string{"X-Forwarded-For: ::ffff:198.51.100.7"}, "198.51.100.7", false},
		{"not an address", proxy, []string{"X-Forwarded-For: 192.0.2.1, unknown"}, "10.0.0.1", false},
		{"all are proxies", proxy, []string{"X-Forwarded-For: 10.0.0.3, 10.0.0.2"}, "10.0.0.3", false},
		{"RFC 7239", proxy, []string{"Forwarded: for=198.51.100.7;proto=https;by=10.0.0.1"}, "198.51.100.7", true},
		{"RFC 7239, quoted", proxy, []string{`Forwarded: For="[2001:db8::7]:1024" ; Proto="https";host="a,b\";c"`}, "2001:db8::7", true},
		{"RFC 7239, several", proxy, []string{"Forwarded: for=192.0.2.1;proto=https, for=198.51.100.7;proto=http", "Forwarded: for=10.0.0.2;proto=https"}, "198.51.100.7", false},
		{"RFC 7239, a lie about the scheme in front", proxy, []string{"Forwarded: for=192.0.2.1;proto=http, for=198.51.100.7;proto=https"}, "198.51.100.7", true},
		{"RFC 7239, hidden", proxy, []string{"Forwarded: for=192.0.2.1, for=_gazonk;proto=https"}, "10.0.0.1", false},
		{"both, the same", proxy, []string{"X-Forwarded-For: 198.51.100.7", "Forwarded: for=198.51.100.7;proto=https"}, "198.51.100.7", true},
		{"both, another", proxy, []string{"X-Forwarded-For: 198.51.100.7", "Forwarded: for=192.0.2.1"}, "", false},
		{"both, the scheme contradicted", proxy, []string{"X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: http", "Forwarded: for=198.51.100.7;proto=https"}, "198.51.100.7", false},
		{"malformed", proxy, []string{`Forwarded: for="198.51.100.7`}, "", false},
		{"malformed pair", proxy, []string{"Forwarded: 198.51.100.7"}, "", false},
		{"from a stranger", stranger, []string{"X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: https"}, "203.0.113.9", false},
		{"from a stranger, RFC 7239", stranger, []string{"Forwarded: for=198.51.100.7;proto=https"}, "203.0.113.9", false},
		{"from a stranger, malformed", stranger, []string{`Forwarded: "`}, "203.0.113.9", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			source, secure, _, err := phonehttp.Peer(asked(t, tt.remote, "/x", tt.headers...), behindProxies)
			if tt.source == "" {
				if err == nil {
					t.Fatalf("got %s, want a refusal", source)
				}
				return
			}
			if err != nil || source.String() != tt.source || secure != tt.secure {
				t.Errorf("got %s, secure %v, %v, want %s, %v", source, secure, err, tt.source, tt.secure)
			}
		})
	}
}

// Whatever a phone writes into the headers, its source is the address that the
// proxy adds at the end, or the request is refused; and without a proxy it is
// its own.
func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{"", "192.0.2.1", "unknown, 10.0.0.1", `for="[2001:db8::1]:1";proto=https`, `for=a, for="\"`, "for=198.51.100.7", ",", ";;=", `"`} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, for1, for2 string) {
		own := http.Header{"X-Forwarded-For": {for1}, "Forwarded": {for2}, "X-Forwarded-Proto": {for2}, "Client-Cert": {for1}, "X-Ssl-Client-Cert": {for2}}
		for _, certHeader := range append([]string{""}, phonehttp.CertHeaders...) {
			proxies := behindProxies
			proxies.CertHeader = certHeader
			req := asked(t, "203.0.113.9:1", "/x")
			req.Header = own.Clone()
			if source, secure, n, err := phonehttp.Peer(req, proxies); err != nil || source.String() != "203.0.113.9" || secure || n > 0 {
				t.Fatalf("without a proxy: got %s, secure %v, %d certificates, %v", source, secure, n, err)
			}
			for name, added := range map[string]string{"X-Forwarded-For": "198.51.100.7", "Forwarded": "for=198.51.100.7"} {
				req := asked(t, "10.0.0.1:1", "/x")
				req.Header = own.Clone()
				req.Header.Add(name, added)
				if source, _, _, err := phonehttp.Peer(req, proxies); err == nil && source.String() != "198.51.100.7" {
					t.Fatalf("behind a proxy with %s: got %s from %q", name, source, req.Header)
				}
			}
		}
	})
}

// A trusted proxy hands on the phone's certificate, which is verified here; in
// the headers of anybody else it counts for nothing, nor does it in a header that
// the proxy was not said to write.
func TestForwardedCertificate(t *testing.T) {
	yealink := newAuthority(t, "Yealink")
	soon := time.Now().Add(time.Hour)
	own, _ := newCertificate(t, "001565aabbcc", yealink, soon)
	foreign, _ := newCertificate(t, "001565aabbcc", newAuthority(t, "Stranger"), soon)
	text := func(raw []byte) string {
		return url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})))
	}
	bytes := func(raw []byte) string { return ":" + base64.StdEncoding.EncodeToString(raw) + ":" }
	const proxy, phone = "10.0.0.1:1024", "203.0.113.9:1024"
	tests := []struct {
		name, remote, believed string
		header                 []string
		want                   int
	}{
		{"nginx", proxy, "X-Ssl-Client-Cert", []string{"X-SSL-Client-Cert: " + text(own.Raw)}, 200},
		{"RFC 9440", proxy, "Client-Cert", []string{"Client-Cert: " + bytes(own.Raw)}, 200},
		{"RFC 9440, with a chain", proxy, "Client-Cert", []string{"Client-Cert: " + bytes(own.Raw), "Client-Cert-Chain: " + bytes(yealink.cert.Raw)}, 200},
		{"a stranger's authority", proxy, "Client-Cert", []string{"Client-Cert: " + bytes(foreign.Raw)}, 401},
		{"twice", proxy, "Client-Cert", []string{"Client-Cert: " + bytes(own.Raw), "Client-Cert: " + bytes(own.Raw)}, 401},
		{"garbled", proxy, "X-Ssl-Client-Cert", []string{"X-SSL-Client-Cert: " + text(own.Raw)[:200]}, 401},
		{"garbled bytes", proxy, "Client-Cert", []string{"Client-Cert: :AAAA:"}, 401},
		{"empty", proxy, "X-Ssl-Client-Cert", []string{"X-SSL-Client-Cert: "}, 401},
		{"the other header", proxy, "X-Ssl-Client-Cert", []string{"Client-Cert: " + bytes(own.Raw)}, 401},
		{"the other header too", proxy, "Client-Cert", []string{"X-SSL-Client-Cert: " + text(own.Raw)}, 401},
		{"no header believed", proxy, "", []string{"Client-Cert: " + bytes(own.Raw)}, 401},
		{"from a phone", phone, "Client-Cert", []string{"Client-Cert: " + bytes(own.Raw)}, 401},
		{"from a phone, nginx", phone, "X-Ssl-Client-Cert", []string{"X-SSL-Client-Cert: " + text(own.Raw)}, 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, func(c *phonehttp.Config) {
				c.ClientCAs = clientCAs(t, map[string]*authority{"yealink": yealink})
				c.Proxies = behindProxies
				c.Proxies.CertHeader = tt.believed
			})
			s.setAccess(t, `{"token":false,"password":false,"certificate":true}`)
			w := httptest.NewRecorder()
			s.Config.Handler.ServeHTTP(w, asked(t, tt.remote, "/001565aabbcc.cfg", append(tt.header, "X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: https")...))
			if w.Code != tt.want {
				t.Errorf("got %d, want %d", w.Code, tt.want)
			}
		})
	}
}

// Behind a trusted proxy the phone's own address is recorded and limited, and
// secrets go out when the phone came by HTTPS; a proxy's own connection by TLS
// says nothing of that.
func TestBehindTrustedProxy(t *testing.T) {
	s := newSite(t, func(c *phonehttp.Config) { c.Proxies = behindProxies })
	s.setAccess(t, `{"require_tls_for_secrets":true}`)
	get := func(remote string, headers ...string) int {
		t.Helper()
		req := asked(t, remote, s.token("001565aabbcc.cfg"), headers...)
		req.TLS = &tls.ConnectionState{}
		if remote != "10.0.0.1:1" {
			req.TLS = nil
		}
		w := httptest.NewRecorder()
		s.Config.Handler.ServeHTTP(w, req)
		return w.Code
	}
	tests := []struct {
		name, remote string
		headers      []string
		want         int
		source       string
	}{
		{"by HTTPS", "10.0.0.1:1", []string{"X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: https"}, 200, "198.51.100.7"},
		{"in the clear", "10.0.0.1:1", []string{"X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: http"}, 403, "198.51.100.7"},
		{"spoofed", "203.0.113.9:1", []string{"X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: https"}, 403, "203.0.113.9"},
		{"contradiction", "10.0.0.1:1", []string{"X-Forwarded-For: 198.51.100.7", "Forwarded: for=192.0.2.1;proto=https"}, 400, ""},
	}
	for _, tt := range tests {
		s.forget()
		if got := get(tt.remote, tt.headers...); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
		if tt.source != "" {
			if got := s.lastFetch(t).Source; got != tt.source {
				t.Errorf("%s: recorded as from %s, want %s", tt.name, got, tt.source)
			}
		}
	}
	s.forget()
	for i := range 40 { // a scanner is locked out, and it alone
		w := httptest.NewRecorder()
		s.Config.Handler.ServeHTTP(w, asked(t, "10.0.0.1:1", fmt.Sprintf("/p/wrong%d/001565aabbcc.cfg", i), "X-Forwarded-For: 192.0.2."+string(rune('0'+i%8))+", 203.0.113.50"))
	}
	s.setAccess(t, `{}`)
	if got := get("10.0.0.1:1", "X-Forwarded-For: 203.0.113.50", "X-Forwarded-Proto: https"); got != http.StatusNotFound {
		t.Errorf("the scanner: got %d, want 404", got)
	}
	if last := s.lastRefusal(t); last.Rule != models.RefusedLocked {
		t.Errorf("the scanner: recorded as %q", last.Rule)
	}
	if got := get("10.0.0.1:1", "X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: https"); got != http.StatusOK {
		t.Errorf("others behind the proxy: got %d, want 200", got)
	}
}
