package phonehttp_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"dialtone/internal/limit"
	"dialtone/models"
	"dialtone/provisioner/phonehttp"
)

// Who looks for phones is locked out within 20 requests, whatever it presents:
// then not even what is right lets it in.
func TestScannerIsLockedOut(t *testing.T) {
	mac := func(i int) string { return fmt.Sprintf("0015650000%02x", i) }
	tests := []struct {
		name string
		ask  func(s *site, i int) string
	}{
		{"with nothing", func(_ *site, i int) string { return "/" + mac(i) + ".cfg" }},
		{"with a stolen token", func(s *site, i int) string { return s.token(mac(i) + ".cfg") }},
		{"with a wrong token", func(_ *site, i int) string { return fmt.Sprintf("/p/%032x/001565aabbcc.cfg", i) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			for i := range 20 {
				if got := s.do(t, "GET", tt.ask(s, i)); got.status == http.StatusOK {
					t.Fatalf("request %d: got 200", i)
				}
			}
			if got := s.do(t, "GET", s.token("001565aabbcc.cfg")); got.status != http.StatusNotFound {
				t.Errorf("with the right token after 20 requests: got %d, want 404", got.status)
			}
			if got := s.digest(t, "GET", "/001565aabbcc.cfg", "001565aabbcc", s.yealink.HTTPPassword); got.status != http.StatusUnauthorized {
				t.Errorf("with the right password after 20 requests: got %d, want 401", got.status)
			}
		})
	}
}

// What phones do in an ordinary boot, and one that is not set up yet over and
// over, is no attack.
func TestOrdinaryMissesAreNoAttack(t *testing.T) {
	s := newSite(t)
	for range 60 {
		s.do(t, "GET", s.token("001565aabbcc-local.cfg")) // not there
		s.do(t, "GET", s.token("y000000000999.cfg"))      // of a model that nobody knows
		s.do(t, "GET", s.token("001565000001.cfg"))       // the same unknown phone
		s.do(t, "GET", "/001565aabbcc.cfg")               // waits to be challenged
	}
	if got := s.do(t, "GET", s.token("001565aabbcc.cfg")); got.status != http.StatusOK {
		t.Errorf("got %d, want 200", got.status)
	}
}

// Nobody but a scanner asks for a decoy: once is enough.
func TestDecoy(t *testing.T) {
	decoy := models.MAC{0x00, 0x15, 0x65, 0xde, 0xc0, 0x01}
	tests := []struct {
		name, access, path string
		decoys             []models.MAC
	}{
		{"of the server", `{}`, "/001565dec001.cfg", []models.MAC{decoy}},
		{"of the server, with a token", `{}`, "/p/TOKEN/001565dec001.cfg", []models.MAC{decoy}},
		{"of the account", `{"decoys":["00:15:65:de:c0:01"]}`, "/p/TOKEN/001565dec001.boot", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, func(c *phonehttp.Config) { c.Decoys = tt.decoys })
			s.setAccess(t, tt.access)
			s.do(t, "GET", strings.Replace(tt.path, "TOKEN", s.account.PathToken.Reveal(), 1))
			if last := s.lastRefusal(t); last.Rule != models.RefusedDecoy {
				t.Errorf("recorded as %q", last.Rule)
			}
			if got := s.do(t, "GET", s.token("001565aabbcc.cfg")); got.status != http.StatusNotFound {
				t.Errorf("afterwards: got %d, want 404", got.status)
			}
			if !strings.Contains(s.log.String(), "decoy") {
				t.Error("it is not in the log")
			}
		})
	}
}

// An office of 500 phones that boot at once behind one address is served: each
// asks in vain for optional files, three times, and is challenged for every file.
func TestOfficeBootsAtOnce(t *testing.T) {
	s := newSite(t)
	const phones = 500
	devices := make([]*models.Device, phones)
	for i := range devices {
		doc, err := models.ParseDocument(fmt.Appendf(nil, `{"name":"x","mac_address":"00156510%04x",
			"provision":{"endpoint_brand":"yealink","endpoint_family":"t4x","endpoint_model":"t46u"}}`, i))
		if err != nil {
			t.Fatal(err)
		}
		devices[i] = &models.Device{AccountID: s.account.ID}
		if err := devices[i].SetDocument(doc); err != nil {
			t.Fatal(err)
		}
	}
	err := s.store.ImportDevices(t.Context(), devices, func(taken map[int]*models.TakenError) bool { return len(taken) == 0 })
	if err != nil {
		t.Fatal(err)
	}
	var office errgroup.Group
	office.SetLimit(50)
	for i, d := range devices {
		office.Go(func() error {
			mac := d.MACAddress
			for range 3 {
				s.do(t, "GET", s.token(mac+"-local.cfg"))
			}
			get := func(path string) answer { return s.digest(t, "GET", path, mac, d.HTTPPassword) }
			if i%2 == 0 {
				get = func(path string) answer { return s.do(t, "GET", s.token(path[1:])) }
			}
			if got := get("/" + mac + ".cfg"); got.status != http.StatusOK {
				return fmt.Errorf("phone %d: got %d", i, got.status)
			}
			return nil
		})
	}
	if err := office.Wait(); err != nil {
		t.Error(err)
	}
}

// A source, or an account, that asks more than it may is told to come back.
func TestTooManyRequests(t *testing.T) {
	few := limit.NewMeter(1, 3, nil, func() time.Time { return time.Unix(0, 0) })
	for name, change := range map[string]func(*phonehttp.Config){
		"of a source":   func(c *phonehttp.Config) { c.Sources = few },
		"of an account": func(c *phonehttp.Config) { c.Accounts = few },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, change)
			for range 3 {
				if got := s.status(t, s.token("001565aabbcc.boot")); got != http.StatusOK {
					t.Fatalf("got %d, want 200", got)
				}
			}
			got := s.do(t, "GET", s.token("001565aabbcc.boot"))
			if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
				t.Errorf("got %d, want 503 with Retry-After", got.status)
			}
		})
	}
}

// A stolen token that many sources use to look for phones lets in no source that
// is new: where phones have fetched before they go on doing so.
func TestTokenUsedByManySources(t *testing.T) {
	now := time.Now()
	s := newSite(t, func(c *phonehttp.Config) { c.Now = func() time.Time { return now } }) // nothing is forgiven meanwhile
	get := func(source, file string) int { return s.from(t, source, s.token(file)) }
	if got := get("198.51.100.1", "001565aabbcc.cfg"); got != http.StatusOK {
		t.Fatalf("from the office: got %d", got)
	}
	s.settle(t, 1)
	var scan errgroup.Group
	scan.SetLimit(50)
	for i := range 400 { // more than 300, since some are forgiven meanwhile; each source stays below its own limit
		scan.Go(func() error {
			get(fmt.Sprintf("203.0.113.%d", i/10), fmt.Sprintf("00156500%04x.cfg", i))
			return nil
		})
	}
	_ = scan.Wait()
	if got := get("203.0.113.99", "001565aabbcc.cfg"); got != http.StatusNotFound {
		t.Errorf("from a new source: got %d, want 404", got)
	}
	if last := s.lastRefusal(t); last.Rule != models.RefusedStrange {
		t.Errorf("recorded as %q", last.Rule)
	}
	if got := get("198.51.100.1", "001565aabbcc.cfg"); got != http.StatusOK {
		t.Errorf("from the office: got %d, want 200", got)
	}
	if !strings.Contains(s.log.String(), "used to look for phones") {
		t.Error("it is not in the log")
	}
}

// from asks over TLS from an address; the header is of names and values.
func (s *site) from(t *testing.T, source, path string, header ...string) int {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://phones.example.com"+path, nil)
	req.RemoteAddr, req.RequestURI = source+":1024", path
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.Config.Handler.ServeHTTP(w, req)
	return w.Code
}

// Nobody but who has a token can have it count for less: not a stranger who
// knows a phone of the account, and not from one source that is locked out.
func TestTokenSpentByNobodyElse(t *testing.T) {
	unknown := func(i int) string { return fmt.Sprintf("00156500%04x.cfg", i) }
	for name, scan := range map[string]func(s *site, i int){
		"a stranger who names a phone": func(s *site, i int) {
			s.from(t, fmt.Sprintf("203.0.113.%d", i/10), "/"+unknown(i),
				"Authorization", `Digest username="001565aabbcc", realm="Dialtone", nonce="x", uri="/`+unknown(i)+`", response="x"`)
		},
		"one source with the token": func(s *site, i int) { s.from(t, "203.0.113.1", s.token(unknown(i))) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			var all errgroup.Group
			all.SetLimit(50)
			for i := range 320 {
				all.Go(func() error { scan(s, i); return nil })
			}
			_ = all.Wait()
			if got := s.from(t, "198.51.100.1", s.token("001565aabbcc.cfg")); got != http.StatusOK {
				t.Errorf("a phone at a new address: got %d, want 200", got)
			}
		})
	}
}

// A password or token is guessed as seldom beside something that is right as
// without it. Wrong ones of a phone that is let in are no guesses.
func TestGuessesBesideWhatIsRight(t *testing.T) {
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	password := func(*site) string { return "/001565aabbcc.cfg" }
	token := func(s *site) string { return s.token("001565aabbcc.cfg") }
	tests := []struct {
		name   string
		path   func(s *site, other *models.Account, i int) string
		user   func(s *site) (name, password string)
		guess  bool
		status int
		right  func(s *site) string // where it is tried with the right password afterwards
	}{
		{"a password, beside another account's token, for the phone's file",
			func(_ *site, other *models.Account, _ int) string {
				return "/p/" + other.PathToken.Reveal() + "/001565aabbcc.cfg"
			},
			func(*site) (string, string) { return "001565aabbcc", "guess" }, true, http.StatusNotFound, password},
		{"a password, beside another account's token, for a common file",
			func(_ *site, other *models.Account, _ int) string {
				return "/p/" + other.PathToken.Reveal() + "/y000000000108.cfg"
			},
			func(*site) (string, string) { return "001565aabbcc", "guess" }, true, http.StatusOK, password},
		{"a token, beside the password of another phone",
			func(_ *site, _ *models.Account, i int) string { return fmt.Sprintf("/p/guess%d/001565aabbcc.cfg", i) },
			func(s *site) (string, string) { return "0004f2aabbcc", s.polycom.HTTPPassword.Reveal() }, true, http.StatusNotFound, token},
		{"an old password of a phone that has the token",
			func(s *site, _ *models.Account, _ int) string { return s.token("001565aabbcc.cfg") },
			func(*site) (string, string) { return "001565aabbcc", "old" }, false, http.StatusOK, token},
		{"an old token of a phone that has its password",
			func(_ *site, _ *models.Account, i int) string { return fmt.Sprintf("/p/old%d/001565aabbcc.cfg", i) },
			func(s *site) (string, string) { return "001565aabbcc", s.yealink.HTTPPassword.Reveal() }, false, http.StatusOK, password},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			other, header := s.createAccount(t, "other.example.com"), basic(tt.user(s))
			for i := range 20 {
				if got := s.from(t, "198.51.100.1", tt.path(s, other, i), "Authorization", header); got != tt.status {
					t.Fatalf("request %d: got %d, want %d", i+1, got, tt.status)
				}
			}
			path, want := tt.right(s), http.StatusOK
			if tt.guess {
				want = http.StatusUnauthorized
				if strings.HasPrefix(path, "/p/") {
					want = http.StatusNotFound
				}
			}
			got := s.from(t, "198.51.100.1", path, "Authorization", basic("001565aabbcc", s.yealink.HTTPPassword.Reveal()))
			if got != want {
				t.Errorf("with what is right afterwards: got %d, want %d", got, want)
			}
		})
	}
}

// A phone that has a wrong password asks with it for every file, at every boot.
// That locks out nobody else at its address; who guesses a phone's password is
// locked out of that after 20, even with the right one.
func TestWrongPasswordOfOnePhone(t *testing.T) {
	s := newSite(t)
	basic := func(mac string, password models.Secret) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(mac+":"+password.Reveal()))
	}
	ask := func(source, mac string, password models.Secret, want int) {
		t.Helper()
		if got := s.from(t, source, "/"+mac+".cfg", "Authorization", basic(mac, password)); got != want {
			t.Errorf("%s from %s: got %d, want %d", mac, source, got, want)
		}
	}
	for range 20 {
		ask("198.51.100.1", "001565aabbcc", "guess", http.StatusUnauthorized)
	}
	ask("198.51.100.1", "0004f2aabbcc", s.polycom.HTTPPassword, http.StatusOK)
	ask("198.51.100.1", "001565aabbcc", s.yealink.HTTPPassword, http.StatusUnauthorized)
	if last := s.lastRefusal(t); last.Rule != models.RefusedLocked {
		t.Errorf("recorded as %q", last.Rule)
	}
	ask("198.51.100.2", "001565aabbcc", s.yealink.HTTPPassword, http.StatusOK)
	for i := range 20 { // passwords of many phones, the same way
		mac := fmt.Sprintf("00156500%04x", i)
		ask("198.51.100.2", mac, "guess", http.StatusUnauthorized)
	}
	ask("198.51.100.2", "0004f2aabbcc", s.polycom.HTTPPassword, http.StatusUnauthorized)
}

// Who asks for decoys over and over does not fill the log.
func TestDecoyIsToldOnce(t *testing.T) {
	s := newSite(t, func(c *phonehttp.Config) { c.Decoys = []models.MAC{{0x00, 0x15, 0x65, 0xde, 0xc0, 0x01}} })
	for range 5 {
		s.do(t, "GET", "/001565dec001.cfg")
	}
	if told := strings.Count(s.log.String(), "a decoy was asked for"); told != 1 {
		t.Errorf("logged %d times, want once", told)
	}
}
