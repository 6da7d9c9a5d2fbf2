package api_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"dialtone/internal/limit"
	"dialtone/models"
)

// meter limits b to buckets of 40 tokens, one more a second.
func (b *bench) meter() {
	b.Helper()
	cfg := b.config
	cfg.Meter = limit.NewMeter(1, 40, []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}, b.clock)
	b.handler = b.serve(cfg)
}

// from calls from an address.
func (b *bench) from(addr, token, method, path, body string) *reply {
	b.Helper()
	req := httptest.NewRequestWithContext(b.Context(), method, path, strings.NewReader(body))
	req.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(addr), 40000).String()
	if token != "" {
		req.Header.Set("X-Auth-Token", token)
	}
	return b.send(b.handler, req)
}

// spend makes n requests that are not refused for their number.
func (b *bench) spend(n int, addr, token, method, path string) {
	b.Helper()
	for i := range n {
		if r := b.from(addr, token, method, path, ""); r.status == http.StatusTooManyRequests {
			b.Fatalf("%s %s: refused after %d requests, want %d", method, path, i, n)
		}
	}
}

// refused checks that a request finds its bucket empty.
func (r *reply) refused(retryAfter string) {
	r.Helper()
	r.fails(http.StatusTooManyRequests, "too_many_requests")
	if got := r.header.Get("Retry-After"); got != retryAfter || r.envelope["auth_token"] != nil {
		r.Errorf("Retry-After %q, want %q: %s", got, retryAfter, r.body)
	}
}

// An account pays for what its tokens ask, an address for the rest.
func TestRateOfAccounts(t *testing.T) {
	b := newBench(t)
	_, key := b.account("Acme", "acme.example.com", b.master)
	other := b.login(key)
	b.meter()
	const office, elsewhere = "198.51.100.1", "198.51.100.2"

	b.spend(40, office, "", "GET", "/v2/accounts")
	b.from(office, "", "GET", "/v2/accounts", "").refused("1")
	b.from(office, b.token, "GET", "/v2/token_auth", "").want(http.StatusOK) // an account at an address that strangers used up

	b.spend(39, office, b.token, "GET", "/v2/token_auth")
	b.from(office, b.token, "GET", "/v2/token_auth", "").refused("1")
	b.from(elsewhere, b.token, "GET", "/v2/token_auth", "").refused("1")
	b.from(elsewhere, other, "GET", "/v2/token_auth", "").want(http.StatusOK)
	b.from(elsewhere, "", "GET", "/v2/accounts", "").fails(http.StatusUnauthorized, "invalid_credentials")

	b.sleep(2 * time.Second)
	b.spend(2, elsewhere, b.token, "GET", "/v2/token_auth")
	b.from(elsewhere, b.token, "GET", "/v2/token_auth", "").refused("1")
}

// Whatever a token is that is not valid, it is charged to the address.
func TestRateOfBadTokens(t *testing.T) {
	b := newBench(t)
	expired := b.login(b.key)
	b.sleep(time.Hour)
	b.token = b.login(b.key)
	ended := b.login(b.key)
	b.as(ended, "DELETE", "/v2/token_auth", "").want(http.StatusOK)
	for i, token := range []string{"", "nonsense", "dt_" + strings.Repeat("A", 43), expired, ended, b.key.Reveal()} {
		b.meter()
		addr := netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}).String()
		b.spend(40, addr, token, "GET", "/v2/accounts/"+b.master.ID)
		b.from(addr, token, "GET", "/v2/accounts/"+b.master.ID, "").refused("1")
		b.spend(40, addr, b.token, "GET", "/v2/token_auth")
	}
}

// A token counts wherever a client may put it.
func TestRateFindsTokens(t *testing.T) {
	b := newBench(t)
	b.meter()
	const addr = "198.51.100.1"
	b.spend(40, addr, "", "GET", "/v2/nonsense")
	b.from(addr, "", "GET", "/v2/nonsense", "").refused("1")
	b.from(addr, "", "GET", "/v2/token_auth?auth_token="+b.token, "").want(http.StatusOK)
	b.from(addr, "", "POST", "/v2/token_auth", `{"auth_token":"`+b.token+`","verb":"GET","data":{}}`).want(http.StatusOK)
	b.from(addr, b.token, "GET", "/v2/account", "").want(http.StatusOK)
	b.from(addr, "", "GET", "/v2/account", "").refused("1")
	b.from(addr, "", "PUT", "/v2/accounts", "{").refused("1")
}

func TestRateOfLogins(t *testing.T) {
	b := newBench(t)
	tests := []struct{ method, path, body string }{
		{"PUT", "/v2/api_auth", `{"data":{"api_key":"` + b.key.Reveal() + `"}}`},
		{"POST", "/v2/api_auth?verb=put", `{"data":{"api_key":"` + b.key.Reveal() + `"}}`},
		{"PUT", "/v2/user_auth", `{"data":{"credentials":"x"}}`},
		{"PUT", "/v2/user_auth/recovery", ""},
		{"POST", "/v2/user_auth/recovery", ""},
	}
	for _, tt := range tests {
		b.meter()
		for _, who := range []struct{ addr, token string }{{"198.51.100.1", ""}, {"198.51.100.2", b.token}} {
			b.spend(1, who.addr, who.token, "GET", "/v2/accounts")
			if r := b.from(who.addr, who.token, tt.method, tt.path, tt.body); r.status == http.StatusTooManyRequests {
				t.Errorf("%s %s: refused: %s", tt.method, tt.path, r.body)
			}
			b.spend(4, who.addr, who.token, "GET", "/v2/accounts")
			b.from(who.addr, who.token, tt.method, tt.path, tt.body).refused("35")
			b.from(who.addr, who.token, "GET", "/v2/accounts", "").refused("1")
		}
	}
}

func TestRateFree(t *testing.T) {
	b := newBench(t)
	b.meter()
	const addr = "198.51.100.1"
	for _, path := range []string{"/healthz", "/readyz", "/docs", "/docs/docs.css", "/openapi.yaml", "/schemas/devices.json"} {
		for range 41 {
			req := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
			w := httptest.NewRecorder()
			if b.handler.ServeHTTP(w, req); w.Code != http.StatusOK {
				t.Fatalf("GET %s: %d", path, w.Code)
			}
		}
	}
	b.spend(41, addr, "", "OPTIONS", "/v2/accounts")
	b.spend(40, addr, "", "HEAD", "/v2/accounts")
	b.from(addr, "", "HEAD", "/v2/accounts", "").want(http.StatusTooManyRequests)
}

func TestRateOfNetworks(t *testing.T) {
	b := newBench(t)
	b.meter()
	b.spend(50, "203.0.113.7", "", "GET", "/v2/accounts")
	b.spend(50, "203.0.113.7", b.token, "GET", "/v2/token_auth")
	b.spend(40, "198.51.100.1", b.token, "GET", "/v2/token_auth") // the account has paid nothing
	b.spend(40, "2001:db8::1", "", "GET", "/v2/accounts")
	b.from("2001:db8::ffff:1", "", "GET", "/v2/accounts", "").refused("1")
	b.spend(40, "2001:db8:0:1::1", "", "GET", "/v2/accounts")
}

// A token of an account below pays with that account's bucket.
func TestRateOfActing(t *testing.T) {
	b := newBench(t)
	child, _ := b.account("Child", "child.example.com", b.master)
	acting := b.as("", "PUT", "/v2/api_auth", `{"data":{"api_key":"`+b.key.Reveal()+`"},"as":{"account_id":"`+child.ID+`"}}`).token()
	b.meter()
	b.spend(40, "198.51.100.1", acting, "GET", "/v2/token_auth")
	b.from("198.51.100.1", acting, "GET", "/v2/token_auth", "").refused("1")
	b.spend(40, "198.51.100.1", b.token, "GET", "/v2/accounts/"+models.NewID())
}
