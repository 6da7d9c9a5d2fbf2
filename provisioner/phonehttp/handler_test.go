package phonehttp_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/icholy/digest"

	"dialtone/internal/limit"
	"dialtone/internal/syncbuf"
	"dialtone/models"
	"dialtone/models/sqlstore"
	"dialtone/models/sqlstore/sqlstoretest"
	"dialtone/provisioner"
	"dialtone/provisioner/phonehttp"
	"dialtone/templates"
)

// A site is one account with two phones behind a phone-facing server.
type site struct {
	*httptest.Server
	store   *sqlstore.Store
	account *models.Account
	yealink *models.Device // 001565aabbcc
	polycom *models.Device // 0004f2aabbcc
	log     *syncbuf.Buffer
	fail    func() error // of the handler's store, nil = it works

	mu       sync.Mutex
	fetches  []models.Fetch
	refusals []models.Refusal
}

var loadTemplates = sync.OnceValues(func() (*provisioner.Catalog, error) { return provisioner.Parse(templates.FS) })

// builtin is the catalog of the built-in templates, loaded once for all tests.
func builtin(t testing.TB) *provisioner.Catalog {
	t.Helper()
	catalog, err := loadTemplates()
	if err != nil {
		t.Fatal(err)
	}
	return catalog
}

func newSite(t *testing.T, changes ...func(*phonehttp.Config)) *site {
	t.Helper()
	s := &site{store: sqlstoretest.New(t), log: &syncbuf.Buffer{}, fail: func() error { return nil }}
	s.account = s.createAccount(t, "acme.example.com")
	s.yealink = s.createDevice(t, s.account, `{"name":"Ann","mac_address":"001565aabbcc","sip":{"username":"ann","password":"canary-sip"},
		"provision":{"endpoint_brand":"yealink","endpoint_family":"t4x","endpoint_model":"t46u"}}`)
	s.polycom = s.createDevice(t, s.account, `{"name":"Bob","mac_address":"0004f2aabbcc","sip":{"username":"bob","password":"canary-sip"},
		"provision":{"endpoint_brand":"polycom","endpoint_family":"vvx","endpoint_model":"vvx450"}}`)

	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	begun := time.Now()
	config := phonehttp.Config{
		Files:  provisioner.NewService(s.store, builtin(t), provisioner.Options{BaseURL: "http://phones.example.com", Registrar: "192.0.2.1"}),
		Store:  &flakyStore{s.store, s},
		Guard:  limit.NewLockout(nil, func() time.Time { return begun }), // nothing is forgiven while a test runs
		Record: s.record, Refused: s.refused, NonceKey: []byte("key"),
		Quota: models.UploadQuota{Files: 5, Bytes: 2 << 20},
		Log:   log,
		Now:   time.Now,
	}
	for _, change := range changes {
		change(&config)
	}
	s.Server = httptest.NewServer(phonehttp.New(config))
	t.Cleanup(s.Close)
	t.Cleanup(func() {
		for _, secret := range []string{"canary", s.account.PathToken.Reveal(), s.yealink.HTTPPassword.Reveal()} {
			if strings.Contains(s.log.String(), secret) {
				t.Error("the log holds a secret")
			}
		}
	})
	return s
}

func (s *site) createAccount(t *testing.T, realm string) *models.Account {
	t.Helper()
	a := &models.Account{}
	if s.account != nil {
		a.Ancestors = []string{s.account.ID}
	}
	if err := a.SetDocument(models.Document{"name": "Acme", "realm": realm}); err != nil {
		t.Fatal(err)
	}
	if err := s.store.CreateAccount(t.Context(), a, models.NewAPIKey()); err != nil {
		t.Fatal(err)
	}
	return a
}

func (s *site) createDevice(t *testing.T, a *models.Account, raw string) *models.Device {
	t.Helper()
	doc, err := models.ParseDocument([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	d := &models.Device{AccountID: a.ID}
	if err := d.SetDocument(doc); err != nil {
		t.Fatal(err)
	}
	if err := s.store.CreateDevice(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	return d
}

func (s *site) record(f models.Fetch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetches = append(s.fetches, f)
}

func (s *site) refused(r models.Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusals = append(s.refusals, r)
}

// forget drops what was recorded so far.
func (s *site) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetches, s.refusals = nil, nil
}

// lastRefusal waits for one.
func (s *site) lastRefusal(t *testing.T) models.Refusal {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		s.mu.Lock()
		got := slices.Clone(s.refusals)
		s.refusals = nil
		s.mu.Unlock()
		if len(got) > 0 {
			return got[len(got)-1]
		}
	}
	t.Fatal("no refusal was recorded")
	return models.Refusal{}
}

// waitFetches waits for the nth record and gives all there are.
func (s *site) waitFetches(t *testing.T, n int) []models.Fetch {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		s.mu.Lock()
		got := slices.Clone(s.fetches)
		s.mu.Unlock()
		if len(got) >= n {
			return got
		}
	}
	t.Fatalf("fewer than %d fetches were recorded", n)
	return nil
}

func (s *site) lastFetch(t *testing.T) models.Fetch {
	t.Helper()
	fetches := s.waitFetches(t, 1)
	return fetches[len(fetches)-1]
}

// token is the path of a file under the account's provisioning URL.
func (s *site) token(file string) string { return "/p/" + s.account.PathToken.Reveal() + "/" + file }

// answer is what a phone sees of a response.
type answer struct {
	status int
	header http.Header
	body   string
}

func (s *site) do(t *testing.T, method, path string, header ...string) answer {
	t.Helper()
	return s.send(t, method, path, nil, header...)
}

func (s *site) send(t *testing.T, method, path string, body io.Reader, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	req.URL.Opaque = path // as it is, without Go's cleaning
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// digest answers the server's challenge for a path.
func (s *site) digest(t *testing.T, method, path, user string, password models.Secret) answer {
	t.Helper()
	return s.sendDigest(t, method, path, user, password, "")
}

func (s *site) sendDigest(t *testing.T, method, path, user string, password models.Secret, body string) answer {
	t.Helper()
	challenged := s.send(t, method, path, strings.NewReader(body))
	challenge, err := digest.ParseChallenge(challenged.header.Get("WWW-Authenticate"))
	if challenged.status != http.StatusUnauthorized || err != nil {
		t.Fatalf("%s %s without credentials: got %d, %v, want a digest challenge", method, path, challenged.status, err)
	}
	creds, err := digest.Digest(challenge, digest.Options{Method: method, URI: path, Username: user, Password: password.Reveal()})
	if err != nil {
		t.Fatal(err)
	}
	return s.send(t, method, path, strings.NewReader(body), "Authorization", creds.String())
}

func TestFetchByToken(t *testing.T) {
	s := newSite(t)
	tests := []struct{ file, contentType, holds string }{
		{"001565aabbcc.cfg", "text/plain", "canary-sip"},
		{"001565AABBCC.cfg", "text/plain", "canary-sip"}, // any case of the MAC
		{"001565aabbcc.boot", "text/plain", "001565aabbcc.cfg"},
		{"y000000000108.cfg", "text/plain", "#!version:1.0.0.1"},
		{"0004f2aabbcc.cfg", "xml", "<APPLICATION"},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			got := s.do(t, "GET", s.token(tt.file))
			if got.status != http.StatusOK || !strings.Contains(got.header.Get("Content-Type"), tt.contentType) || !strings.Contains(got.body, tt.holds) {
				t.Fatalf("GET: got %d %s, want 200 %s with %q:\n%s", got.status, got.header.Get("Content-Type"), tt.contentType, tt.holds, got.body)
			}
			etag := got.header.Get("ETag")
			if len(etag) < 10 || !strings.HasPrefix(etag, `"`) {
				t.Errorf("ETag: got %s, want a strong one", etag)
			}
			if again := s.do(t, "GET", s.token(tt.file)); again.body != got.body || again.header.Get("ETag") != etag {
				t.Error("a second GET gives other bytes")
			}
			head := s.do(t, "HEAD", s.token(tt.file))
			if head.status != http.StatusOK || head.body != "" || head.header.Get("Content-Length") != fmt.Sprint(len(got.body)) {
				t.Errorf("HEAD: got %d, length %s", head.status, head.header.Get("Content-Length"))
			}
			if same := s.do(t, "GET", s.token(tt.file), "If-None-Match", etag); same.status != http.StatusNotModified || same.body != "" {
				t.Errorf("If-None-Match: got %d, want 304", same.status)
			}
		})
	}
}

func TestFetchByDigest(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/001565aabbcc.cfg", "/001565aabbcc.boot", "/y000000000108.cfg"} {
		if got := s.digest(t, "GET", path, "001565aabbcc", s.yealink.HTTPPassword); got.status != http.StatusOK {
			t.Errorf("GET %s: got %d, want 200", path, got.status)
		}
	}
	if got := s.digest(t, "HEAD", "/001565aabbcc.cfg", "00:15:65:AA:BB:CC", s.yealink.HTTPPassword); got.status != http.StatusOK {
		t.Errorf("HEAD with another spelling of the user name: got %d, want 200", got.status)
	}
	if got := s.digest(t, "GET", "/0004f2aabbcc.cfg", "001565aabbcc", s.yealink.HTTPPassword); got.status != http.StatusUnauthorized {
		t.Errorf("another phone's file: got %d, want 401", got.status)
	}
	fetch := s.lastFetch(t)
	if fetch.Status != http.StatusUnauthorized || fetch.MAC != "0004f2aabbcc" || fetch.AccountID != s.account.ID {
		t.Errorf("recorded: got %+v", fetch)
	}
}

// From outside, a known and an unknown MAC are the same.
func TestStrangersLearnNothing(t *testing.T) {
	s := newSite(t)
	wrongToken := "/p/" + strings.Repeat("0", 32) + "/"
	tests := []struct {
		name string
		ask  func(mac string) answer
		want int
	}{
		{"nothing presented", func(mac string) answer { return s.do(t, "GET", "/"+mac+".cfg") }, http.StatusUnauthorized},
		{"wrong token", func(mac string) answer { return s.do(t, "GET", wrongToken+mac+".cfg") }, http.StatusNotFound},
		{"wrong password", func(mac string) answer { return s.digest(t, "GET", "/"+mac+".cfg", mac, "guess") }, http.StatusUnauthorized},
		{"basic without TLS", func(mac string) answer {
			return s.do(t, "GET", "/"+mac+".cfg", "Authorization", "Basic MDAxNTY1YWFiYmNjOng=")
		}, http.StatusUnauthorized},
		{"garbage", func(mac string) answer { return s.do(t, "GET", "/"+mac+".cfg", "Authorization", "Digest x") }, http.StatusUnauthorized},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			known, unknown := tt.ask("001565aabbcc"), tt.ask("001565000000")
			if known.status != tt.want || unknown.status != tt.want || known.body != unknown.body || len(known.header) != len(unknown.header) {
				t.Errorf("got %d %q and %d %q, want %d twice, alike", known.status, known.body, unknown.status, unknown.body, tt.want)
			}
		})
	}
	if len(s.fetches) != 0 {
		t.Errorf("strangers' requests were recorded: %+v", s.fetches)
	}
}

func TestRefusedInside(t *testing.T) {
	s := newSite(t)
	other := s.createAccount(t, "other.example.com")
	s.createDevice(t, other, `{"name":"x","mac_address":"001565aabbcd","provision":{"endpoint_brand":"yealink"}}`)
	s.createDevice(t, s.account, `{"name":"x","mac_address":"001565aabbce","enabled":false,"provision":{"endpoint_brand":"yealink"}}`)
	for name, file := range map[string]string{
		"unknown MAC":            "001565000000.cfg",
		"another account's":      "001565aabbcd.cfg",
		"disabled":               "001565aabbce.cfg",
		"another brand's file":   "0004f2aabbcc.boot",
		"unknown file":           "favicon.ico",
		"optional file":          "001565aabbcc-local.cfg",
		"unknown model's common": "y000000000999.cfg",
		"no file":                "",
	} {
		if got := s.do(t, "GET", s.token(file)); got.status != http.StatusNotFound {
			t.Errorf("%s: got %d, want 404", name, got.status)
		}
	}
}

func TestPathTricks(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{
		"/../001565aabbcc.cfg", "/%2e%2e/001565aabbcc.cfg", "/..%2f..%2fetc/passwd", "//001565aabbcc.cfg", "/p//001565aabbcc.cfg",
		"/p/x", "/p/", s.token("../001565aabbcc.cfg"), s.token("./001565aabbcc.cfg"), s.token("%30%301565aabbcc.cfg"),
		s.token("001565aabbcc.cfg%00"), s.token(`..\001565aabbcc.cfg`), s.token("001565aabbcc.cfg/"), s.token("x/001565aabbcc.cfg"), "/001565aabbcc.cfg%0d%0aX:y",
	} {
		if got := s.do(t, "GET", path); got.status != http.StatusNotFound && got.status != http.StatusBadRequest {
			t.Errorf("GET %s: got %d, want 404 or 400", path, got.status)
		}
	}
}

func TestMethods(t *testing.T) {
	s := newSite(t)
	const reading, writing = "GET, HEAD", "GET, HEAD, PUT, POST"
	tests := []struct {
		methods []string
		file    string
		allow   string
	}{
		{[]string{"PUT", "POST", "DELETE", "PATCH", "OPTIONS"}, "001565aabbcc.cfg", reading},
		{[]string{"PUT", "POST", "DELETE"}, "y000000000108.cfg", reading},
		{[]string{"PUT", "DELETE"}, "favicon.ico", reading},
		{[]string{"DELETE", "PATCH", "OPTIONS"}, "001565aabbcc-local.cfg", writing},
	}
	for _, tt := range tests {
		for _, method := range tt.methods {
			for _, path := range []string{s.token(tt.file), "/" + tt.file} {
				got := s.do(t, method, path)
				if got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != tt.allow {
					t.Errorf("%s %s: got %d, Allow %q, want 405, %q", method, tt.file, got.status, got.header.Get("Allow"), tt.allow)
				}
			}
		}
	}
}

func TestStoreFailure(t *testing.T) {
	s := newSite(t)
	s.fail = func() error { return fmt.Errorf("phone: %w: dial tcp: refused", models.ErrUnavailable) }
	for name, got := range map[string]answer{
		"by token":  s.do(t, "GET", s.token("001565aabbcc.cfg")),
		"by digest": s.digest(t, "GET", "/001565aabbcc.cfg", "001565aabbcc", s.yealink.HTTPPassword),
	} {
		if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || strings.Contains(got.body, "dial") {
			t.Errorf("%s: got %d, Retry-After %q, %q, want 503 without details", name, got.status, got.header.Get("Retry-After"), got.body)
		}
	}
	s.fail = func() error { return nil }
	if got := s.do(t, "GET", s.token("001565aabbcc.cfg")); got.status != http.StatusOK {
		t.Errorf("after the store came back: got %d, want 200", got.status)
	}
}

// A phone that hangs up while we look for its file is not a failure of ours.
func TestHungUpWhileLooking(t *testing.T) {
	s := newSite(t)
	calls := 0
	s.fail = func() error {
		if calls++; calls > 1 { // the account is found, the phone is not
			return fmt.Errorf("phone: %w", context.Canceled)
		}
		return nil
	}
	s.do(t, "GET", s.token("001565aabbcc.cfg"))
	if fetch := s.lastFetch(t); fetch.Status != 499 {
		t.Errorf("recorded: got status %d, want 499", fetch.Status)
	}
	if strings.Contains(s.log.String(), "file failed") {
		t.Errorf("it was logged as a failure:\n%s", s.log.String())
	}
}

// An operator sees in the log why a phone that is known gets nothing.
func TestRefusalIsExplained(t *testing.T) {
	s := newSite(t)
	d := s.createDevice(t, s.account, `{"name":"x","mac_address":"001565aabbce","enabled":false,"provision":{"endpoint_brand":"yealink"}}`)
	s.do(t, "GET", s.token("001565aabbce.cfg"))
	s.lastFetch(t)
	if log := s.log.String(); !strings.Contains(log, `reason="refused: disabled"`) || !strings.Contains(log, "device="+d.ID) {
		t.Errorf("got log:\n%s", log)
	}
}

func TestRecords(t *testing.T) {
	s := newSite(t)
	got := s.do(t, "GET", s.token("001565aabbcc.cfg"), "User-Agent", "Yealink SIP-T46U 108.86.0.20 00:15:65:aa:bb:cc")
	fetch := s.lastFetch(t)
	etag := strings.Trim(got.header.Get("ETag"), `"`)
	if fetch.DeviceID != s.yealink.ID || fetch.AccountID != s.account.ID || fetch.MAC != "001565aabbcc" || fetch.File != "001565aabbcc.cfg" ||
		fetch.Status != 200 || fetch.ETag != etag || fetch.Bytes != int64(len(got.body)) || fetch.Source != "127.0.0.1" ||
		fetch.Firmware != "108.86.0.20" || fetch.Method != "GET" {
		t.Errorf("got %+v", fetch)
	}
}

// Files are written for the firmware that the request tells, and else for the
// one that was told last.
func TestFirmware(t *testing.T) {
	tree := fstest.MapFS{}
	for name, text := range map[string]string{
		"yealink/manifest.yaml": `{brand: yealink, user_agents: ['^Yealink (?P<firmware>[0-9.]+)'], generation: '^[0-9]+\.([0-9]+)',
			check_sync: {resync: a, reboot: a}, keys: {combo: {first: 1}, feature: {first: 1}}, transports: {udp: "0"}, model: {lines: 1},
			files: [{role: own, path: "{mac}.cfg", template: a.tpl, format: ini, content_type: text/plain},
				{role: common, path: common.cfg, template: a.tpl, format: ini, content_type: text/plain}]}`,
		"yealink/a.tpl":          "generation = {{ phone.generation }}\n",
		"yealink/samples/a.json": `{"account": {}, "device": {"mac_address": "001565aabbcc"}}`,
	} {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	catalog, err := provisioner.Load(tree)
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(c *phonehttp.Config) { c.Files.Swap(catalog) })
	for _, tt := range []struct{ file, agent, want string }{
		{"001565aabbcc.cfg", "curl", "0"},
		{"001565aabbcc.cfg", "Yealink 108.86.0.20", "86"},
		{"common.cfg", "Yealink 108.85.0.20", "85"},
		{"001565aabbcc.cfg", "curl", "84"},
		{"001565aabbcc.cfg", "Yealink 108.86.0.20", "86"},
		{"common.cfg", "curl", "0"},
	} {
		if tt.want == "84" {
			recorded := models.Fetch{DeviceID: s.yealink.ID, File: "x", Method: "GET", Status: 404, Firmware: "108.84.1", At: time.Now()}
			if err := s.store.RecordFetches(t.Context(), []models.Fetch{recorded}); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.do(t, "GET", s.token(tt.file), "User-Agent", tt.agent); got.body != "generation = "+tt.want+"\n" {
			t.Errorf("%s for %s: got %d %q, want generation %s", tt.file, tt.agent, got.status, got.body, tt.want)
		}
	}
}

// A file cut off half way is not a delivery.
func TestClientGone(t *testing.T) {
	s := newSite(t)
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.0\r\n\r\n", s.token("001565aabbcc.cfg")); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(line, "200") {
		t.Fatalf("HTTP/1.0: got %q, %v", line, err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if fetch := s.lastFetch(t); fetch.Status != 200 && fetch.ETag != "" {
		t.Errorf("got %+v, want status 200, or no ETag", fetch)
	}
}

func TestBasicOverTLS(t *testing.T) {
	s := newSite(t)
	secure := httptest.NewTLSServer(s.Config.Handler)
	defer secure.Close()
	get := func(password models.Secret) int {
		req, err := http.NewRequestWithContext(t.Context(), "GET", secure.URL+"/001565aabbcc.cfg", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("001565aabbcc", password.Reveal())
		client := secure.Client()
		client.Transport.(*http.Transport).TLSClientConfig.MinVersion = tls.VersionTLS12
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		return resp.StatusCode
	}
	if got := get(s.yealink.HTTPPassword); got != http.StatusOK {
		t.Errorf("right password: got %d, want 200", got)
	}
	if got := get("guess"); got != http.StatusUnauthorized {
		t.Errorf("wrong password: got %d, want 401", got)
	}
}

func TestRecorder(t *testing.T) {
	store := sqlstoretest.New(t)
	recorder := phonehttp.NewRecorder(store, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); recorder.Run(ctx) }()
	device := models.NewID()
	for i := range 600 { // more than one batch, and a rest that only the end writes
		recorder.Record(models.Fetch{DeviceID: device, File: fmt.Sprintf("%04d.cfg", i), Method: "GET", Status: 200, At: time.Now()})
	}
	stop()
	<-done
	last, err := store.LastFetches(t.Context(), device)
	if err != nil || len(last) != 600 {
		t.Errorf("recorded: got %d fetches, %v, want 600", len(last), err)
	}
}

func TestRecorderOutlivesDatabaseTrouble(t *testing.T) {
	store := &brokenFetchStore{fail: errors.New("gone")}
	recorder := phonehttp.NewRecorder(store, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	recorder.Record(models.Fetch{File: "a", MAC: "001565aabbcc"})
	stop()
	recorder.Run(ctx) // returns although nothing could be written
	if store.calls == 0 {
		t.Error("the rest was not tried")
	}
}

// A common file names no phone; its User-Agent may, within the account.
func TestRecorderAttributesCommonFiles(t *testing.T) {
	s := newSite(t)
	other := s.createAccount(t, "other.example.com")
	foreign := s.createDevice(t, other, `{"name":"x","mac_address":"001565aabbcd","provision":{"endpoint_brand":"yealink"}}`)
	recorder := phonehttp.NewRecorder(s.store, slog.New(slog.DiscardHandler))
	for i, mac := range []string{"00:15:65:aa:bb:cc", "00:15:65:aa:bb:cd", "00:15:65:00:00:00", ""} {
		s.do(t, "GET", s.token("y000000000108.cfg"), "User-Agent", strings.TrimSpace("Yealink SIP-T46U 108.86.0.20 "+mac))
		recorder.Record(s.waitFetches(t, i+1)[i])
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	recorder.Run(ctx)
	own, err := s.store.LastFetches(t.Context(), s.yealink.ID)
	if err != nil || len(own) != 1 || own[0].File != "y000000000108.cfg" || own[0].Firmware != "108.86.0.20" {
		t.Errorf("the account's own phone: got %+v, %v", own, err)
	}
	if got, err := s.store.LastFetches(t.Context(), foreign.ID); err != nil || len(got) != 0 {
		t.Errorf("another account's phone: got %+v, %v, want nothing", got, err)
	}
}

// Very many phones that boot at once fetch common files: what they are is asked
// for together, so that the recorder keeps up.
func TestRecorderAsksForPhonesTogether(t *testing.T) {
	store := &countingFetchStore{Store: sqlstoretest.New(t)}
	recorder := phonehttp.NewRecorder(store, slog.New(slog.DiscardHandler))
	for i := range 300 {
		recorder.Record(models.Fetch{AccountID: models.NewID(), MAC: fmt.Sprintf("0015650000%02x", i%256), File: "y.cfg", Method: "GET", Status: 200, At: time.Now()})
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	recorder.Run(ctx)
	if store.lookups > 2 { // what waits may be written in two parts
		t.Errorf("asked %d times, want once or twice", store.lookups)
	}
}

type countingFetchStore struct {
	*sqlstore.Store
	lookups int
}

func (c *countingFetchStore) DevicesByMAC(ctx context.Context, macs []string) (map[string]models.DeviceRef, error) {
	c.lookups++
	return c.Store.DevicesByMAC(ctx, macs)
}

type brokenFetchStore struct {
	fail  error
	calls int
}

func (*brokenFetchStore) DevicesByMAC(context.Context, []string) (map[string]models.DeviceRef, error) {
	return nil, models.ErrUnavailable
}

func (b *brokenFetchStore) RecordRefusals(context.Context, []models.Refusal) error { return b.fail }

func (b *brokenFetchStore) RecordFetches(context.Context, []models.Fetch) error {
	b.calls++
	return b.fail
}

// A flakyStore fails when its site says so.
type flakyStore struct {
	*sqlstore.Store
	site *site
}

func (f *flakyStore) PhoneByMAC(ctx context.Context, mac models.MAC) (*models.Phone, error) {
	if err := f.site.fail(); err != nil {
		return nil, err
	}
	return f.Store.PhoneByMAC(ctx, mac)
}

func (f *flakyStore) SaveUpload(ctx context.Context, u *models.Upload, quota models.UploadQuota) (bool, error) {
	if err := f.site.fail(); err != nil {
		return false, err
	}
	return f.Store.SaveUpload(ctx, u, quota)
}

func (f *flakyStore) AccountByPathToken(ctx context.Context, token models.Secret) (*models.Account, error) {
	if err := f.site.fail(); err != nil {
		return nil, err
	}
	return f.Store.AccountByPathToken(ctx, token)
}

// FuzzPath asks for arbitrary paths as a stranger: nothing but 400, 401, 404
// may come back, and never a file.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/001565aabbcc.cfg", "/p/x/001565aabbcc.cfg", "/%2e%2e/x", "/p//", "", "/\x00"} {
		f.Add(seed)
	}
	handler := phonehttp.New(phonehttp.Config{
		Files: provisioner.NewService(nil, builtin(f), provisioner.Options{}), Store: emptyStore{}, Guard: noGuard{},
		NonceKey: []byte("key"), Record: func(models.Fetch) {}, Refused: func(models.Refusal) {}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	f.Fuzz(func(t *testing.T, path string) {
		req, ok := readRequest(path)
		if !ok {
			return
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		if w.Code != http.StatusUnauthorized && w.Code != http.StatusNotFound {
			t.Errorf("GET %q: got %d", path, w.Code)
		}
	})
}

// readRequest is the GET of a path; false when it makes no request.
func readRequest(path string) (*http.Request, bool) {
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")))
	return req, err == nil
}

type emptyStore struct{}

func (emptyStore) Once(ctx context.Context) context.Context { return ctx }

func (emptyStore) PhoneByMAC(context.Context, models.MAC) (*models.Phone, error) {
	return nil, models.ErrNotFound
}

func (emptyStore) Upload(context.Context, string, string) (*models.Upload, error) {
	return nil, models.ErrNotFound
}

func (emptyStore) UseFirstContact(context.Context, string) (bool, error) { return false, nil }

func (emptyStore) SourceKnown(context.Context, string, string) (bool, error) { return false, nil }

func (emptyStore) SaveUpload(context.Context, *models.Upload, models.UploadQuota) (bool, error) {
	return false, models.ErrNotFound
}

func (emptyStore) AccountByPathToken(context.Context, models.Secret) (*models.Account, error) {
	return nil, models.ErrNotFound
}

type noGuard struct{}

func (noGuard) Allowed(netip.Addr) bool      { return true }
func (noGuard) Fail(netip.Addr)              {}
func (noGuard) Miss(netip.Addr, string) bool { return false }
func (noGuard) Guess(netip.Addr, string)     {}
func (noGuard) Ban(netip.Addr)               {}

func (noGuard) MayGuess(netip.Addr, string) bool { return true }
