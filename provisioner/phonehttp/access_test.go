package phonehttp_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dialtone/internal/limit"
	"dialtone/models"
	"dialtone/provisioner/phonehttp"
)

// setAccess writes provision.access of the site's account.
func (s *site) setAccess(t *testing.T, access string) {
	t.Helper()
	old, err := s.store.Account(t.Context(), s.account.ID)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := models.ParseDocument([]byte(`{"provision":{"access":` + access + `}}`))
	if err != nil {
		t.Fatal(err)
	}
	next := *old
	if err := next.SetDocument(models.Overlay(old.Document, doc)); err != nil {
		t.Fatal(err)
	}
	if err := s.store.SaveAccount(t.Context(), old, &next); err != nil {
		t.Fatal(err)
	}
}

// A countingStore counts what is read to answer one request.
type countingStore struct {
	phonehttp.Store
	calls map[string]int
}

func (c *countingStore) PhoneByMAC(ctx context.Context, mac models.MAC) (*models.Phone, error) {
	c.calls["phone"]++
	return c.Store.PhoneByMAC(ctx, mac)
}

func (c *countingStore) AccountByPathToken(ctx context.Context, token models.Secret) (*models.Account, error) {
	c.calls["account"]++
	return c.Store.AccountByPathToken(ctx, token)
}

// A guardOf is another guard for each case of a test.
type guardOf struct{ phonehttp.Guard }

func newGuard() phonehttp.Guard { return limit.NewLockout(nil, time.Now) }

// lockedGuard has locked out this machine.
func lockedGuard() phonehttp.Guard {
	guard := newGuard()
	guard.Ban(netip.MustParseAddr("127.0.0.1"))
	return guard
}

// Who is not let in learns nothing from how: of one form of request all
// refusals have the same status, body and header, and cost the same reads.
// Inside each has a rule.
func TestRefusalsAreAlike(t *testing.T) {
	store := &countingStore{calls: map[string]int{}}
	guard := &guardOf{}
	s := newSite(t, func(c *phonehttp.Config) {
		store.Store, c.Store, c.Guard = c.Store, store, guard
	})
	other := s.createAccount(t, "other.example.com")
	s.createDevice(t, other, `{"name":"x","mac_address":"001565aabbcd","provision":{"endpoint_brand":"yealink"}}`)
	disabled := s.createDevice(t, s.account, `{"name":"x","mac_address":"001565aabbce","enabled":false,"provision":{"endpoint_brand":"yealink"}}`)
	const wrong, own, foreign, off, nobody = "/p/00000000000000000000000000000000/", "001565aabbcc", "001565aabbcd", "001565aabbce", "001565000000"
	right := s.token("")
	type outside struct {
		Status int
		Body   string
		Header []string
		Reads  map[string]int
	}
	looks := map[string]outside{} // by form of request
	tests := []struct {
		form     string
		rule     models.RefusalRule
		locked   bool
		path     string
		mac      string
		password models.Secret
	}{
		{"token", models.RefusedToken, false, wrong, own, ""},
		{"token", models.RefusedToken, false, wrong, nobody, ""},
		{"token", models.RefusedToken, true, wrong, own, ""},
		{"token", models.RefusedUnknown, false, right, nobody, ""},
		{"token", models.RefusedUnknown, true, right, nobody, ""},
		{"token", models.RefusedForeign, false, right, foreign, ""},
		{"token", models.RefusedDisabled, false, right, off, ""},
		{"token", models.RefusedLocked, true, right, own, ""},
		{"password", models.RefusedPassword, false, "/", own, "guess"},
		{"password", models.RefusedPassword, false, "/", nobody, "guess"},
		{"password", models.RefusedPassword, true, "/", own, "guess"},
		{"password", models.RefusedDisabled, false, "/", off, disabled.HTTPPassword},
		{"password", models.RefusedLocked, true, "/", own, s.yealink.HTTPPassword},
		{"nothing", "", false, "/", own, ""},
		{"nothing", models.RefusedNothing, false, "/", nobody, ""},
		{"nothing", "", true, "/", own, ""},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %s %s %v", tt.form, tt.rule, tt.mac, tt.locked), func(t *testing.T) {
			if guard.Guard = newGuard(); tt.locked {
				guard.Guard = lockedGuard()
			}
			clear(store.calls)
			path := tt.path + tt.mac + ".cfg"
			var got answer
			if tt.password == "" {
				got = s.do(t, "GET", path)
			} else {
				got = s.digest(t, "GET", path, tt.mac, tt.password)
			}
			look := outside{got.status, got.body, slices.Sorted(maps.Keys(got.header)), maps.Clone(store.calls)}
			if before, seen := looks[tt.form]; seen {
				if diff := cmp.Diff(before, look); diff != "" {
					t.Errorf("looks different from the others:\n%s", diff)
				}
			}
			looks[tt.form] = look
			if tt.rule == "" {
				return // a phone that has credentials is asked for them: nothing to report
			}
			last := s.lastRefusal(t)
			if last.AccountID != "" && (last.File != tt.mac+".cfg" || last.Source != "127.0.0.1" || last.Status != got.status) {
				t.Errorf("recorded: got %+v", last)
			}
			if last.Rule != tt.rule || last.Rule.Hint() == "" {
				t.Errorf("recorded as %q, want %q", last.Rule, tt.rule)
			}
		})
	}
	want := map[string]int{"token": http.StatusNotFound, "password": http.StatusUnauthorized, "nothing": http.StatusUnauthorized}
	for form, status := range want {
		if looks[form].Status != status {
			t.Errorf("%s: got %d, want %d", form, looks[form].Status, status)
		}
	}
}

// No refusal comes before its time, whatever there is to find on the way to it.
func TestRefusalsWaitForTheBeat(t *testing.T) {
	s := newSite(t)
	const beat = 100 * time.Millisecond
	t.Cleanup(phonehttp.SetRefusalBeat(beat))
	for name, ask := range map[string]func(mac string) answer{
		"nothing":     func(mac string) answer { return s.do(t, "GET", "/"+mac+".cfg") },
		"wrong token": func(mac string) answer { return s.do(t, "GET", "/p/wrong/"+mac+".cfg") },
		"unusable":    func(mac string) answer { return s.do(t, "GET", "/"+mac+".cfg", "Authorization", "Digest x") },
	} {
		for _, mac := range []string{"001565aabbcc", "001565000000"} {
			begun := time.Now()
			if got := ask(mac); got.status < http.StatusBadRequest || time.Since(begun) < beat {
				t.Errorf("%s, %s: got %d after %v, want a refusal after %v or later", name, mac, got.status, time.Since(begun), beat)
			}
		}
	}
}

// An account chooses what it accepts.
func TestAccess(t *testing.T) {
	tests := []struct {
		access             string
		token, pass, plain int // status of a file by token, by password, and with nothing
	}{
		{`{}`, 200, 200, 401},
		{`{"token":false}`, 401, 200, 401},
		{`{"password":false}`, 200, 401, 401},
		{`{"token":false,"password":false}`, 401, 401, 401},
		{`{"token":false,"password":false,"networks":["127.0.0.0/8"]}`, 200, 200, 200},
		{`{"networks":["192.0.2.0/24"]}`, 200, 200, 401},
		{`{"networks":["192.0.2.0/24","127.0.0.1/32"]}`, 200, 200, 200},
	}
	for _, tt := range tests {
		t.Run(tt.access, func(t *testing.T) {
			s := newSite(t)
			s.setAccess(t, tt.access)
			agent := []string{"User-Agent", "Yealink SIP-T46U 108.86.0.20 00:15:65:aa:bb:cc"}
			for _, file := range []string{"001565aabbcc.cfg", "y000000000108.cfg"} {
				if got := s.do(t, "GET", s.token(file), agent...); got.status != tt.token {
					t.Errorf("%s by token: got %d, want %d", file, got.status, tt.token)
				}
				if got := s.do(t, "GET", "/"+file, agent...); got.status != tt.plain {
					t.Errorf("%s with nothing: got %d, want %d", file, got.status, tt.plain)
				}
				if tt.plain == 200 {
					continue
				}
				if got := s.digest(t, "GET", "/"+file, "001565aabbcc", s.yealink.HTTPPassword); got.status != tt.pass {
					t.Errorf("%s by password: got %d, want %d", file, got.status, tt.pass)
				}
			}
			if got := s.do(t, "GET", "/001565000000.cfg"); got.status != http.StatusUnauthorized {
				t.Errorf("an unknown MAC with nothing: got %d, want 401", got.status)
			}
		})
	}
}

// A phone whose provisioning URL has a token that counts for nothing any more is
// asked for its credentials, and finds a URL without a token in its file.
func TestTokenSwitchedOff(t *testing.T) {
	s := newSite(t)
	s.setAccess(t, `{"token":false}`)
	got := s.digest(t, "GET", s.token("001565aabbcc.cfg"), "001565aabbcc", s.yealink.HTTPPassword)
	if got.status != http.StatusOK || strings.Contains(got.body, "/p/") || !strings.Contains(got.body, "http://phones.example.com/\n") {
		t.Errorf("got %d:\n%s", got.status, got.body)
	}
}

// An account can have its secrets sent over TLS alone. Until then what goes out
// in the clear is counted.
func TestSecretsInTheClear(t *testing.T) {
	s := newSite(t)
	s.put(t, "001565aabbcc-contact.xml", "<x/>")
	s.waitFetches(t, 1)
	s.forget()
	secure := httptest.NewTLSServer(s.Config.Handler)
	defer secure.Close()
	overTLS := func(file string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", secure.URL+s.token(file), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := secure.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		return resp.StatusCode
	}
	files := map[string]bool{ // has secrets in it
		"001565aabbcc.cfg": true, "0004f2aabbcc-settings.cfg": true, "001565aabbcc-contact.xml": true, "001565aabbcc.boot": false,
	}
	for file, secret := range files {
		if got := s.do(t, "GET", s.token(file)); got.status != http.StatusOK {
			t.Errorf("%s: got %d, want 200", file, got.status)
		}
		if fetch := s.lastFetch(t); fetch.Exposed != secret {
			t.Errorf("%s: counted as in the clear: %v, want %v", file, fetch.Exposed, secret)
		}
		s.forget()
	}
	s.setAccess(t, `{"require_tls_for_secrets":true}`)
	for file, secret := range files {
		want := http.StatusOK
		if secret {
			want = http.StatusForbidden
		}
		if got := s.do(t, "GET", s.token(file)); got.status != want || secret && len(got.body) > 20 {
			t.Errorf("%s by HTTP: got %d, want %d", file, got.status, want)
		}
		if got := overTLS(file); got != http.StatusOK {
			t.Errorf("%s by HTTPS: got %d, want 200", file, got)
		}
	}
	if last := s.lastRefusal(t); last.Rule != models.RefusedClear || last.DeviceID == "" {
		t.Errorf("recorded: got %+v", last)
	}
}
