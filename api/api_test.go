package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"dialtone/api"
	"dialtone/internal/limit"
	"dialtone/internal/syncbuf"
	"dialtone/models"
	"dialtone/models/sqlstore"
	"dialtone/models/sqlstore/sqlstoretest"
	"dialtone/provisioner"
	"dialtone/templates"
)

// Every password in these tests contains this; no log line may.
const secretMark = "s3cret"

// A bench is a whole API on an empty store with a master account.
type bench struct {
	*testing.T
	handler http.Handler
	store   *sqlstore.Store
	master  *models.Account
	key     models.Secret // the master's API key
	token   string        // the master's
	log     syncbuf.Buffer
	config  api.Config

	mu       sync.Mutex
	now      time.Time
	synced   []api.CheckSync
	notified []string
	called   []api.QuickCall
	story    models.QuickCall // what becomes of each
	report   provisioner.Report
	err      error
}

var loadTemplates = sync.OnceValues(func() (*provisioner.Catalog, error) { return provisioner.Parse(templates.FS) })

// builtin is the catalog of the built-in templates, loaded once for all tests.
func builtin(t *testing.T) *provisioner.Catalog {
	t.Helper()
	catalog, err := loadTemplates()
	if err != nil {
		t.Fatal(err)
	}
	return catalog
}

func newBench(t *testing.T) *bench {
	t.Helper()
	return newBenchOn(t, sqlstoretest.New(t))
}

func newBenchOn(t *testing.T, store *sqlstore.Store) *bench {
	t.Helper()
	b := &bench{T: t, store: store, now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	b.report.State = provisioner.StateNever
	b.story = models.QuickCall{ID: models.NewID(), Number: "1", State: models.CallRinging, Created: b.now}
	b.config = api.Config{
		Store: b.store,
		CheckSync: func(c api.CheckSync) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.synced = append(b.synced, c)
		},
		AwaitRoom: func(context.Context) {},
		Notify: func(n api.Notice) {
			b.mu.Lock()
			defer b.mu.Unlock()
			text := strings.Join([]string{n.Phone.Device.ID, n.Event, n.ContentType, string(n.Body)}, "|")
			for _, to := range n.Bindings {
				text += "|" + to.Contact
			}
			b.notified = append(b.notified, text)
		},
		QuickCall: func(_ context.Context, c api.QuickCall) (func(context.Context) models.QuickCall, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.called = append(b.called, c)
			return func(context.Context) models.QuickCall { return b.story }, b.err
		},
		Preview: func(ctx context.Context, p *models.Phone, name string, reveal bool) (provisioner.File, error) {
			return provisioner.NewService(b.store, builtin(t), provisioner.Options{BaseURL: "http://h"}).Preview(ctx, p, name, reveal)
		},
		Explain: func(ctx context.Context, p *models.Phone, name string, reveal bool) (provisioner.Explanation, error) {
			return provisioner.NewService(b.store, builtin(t), provisioner.Options{BaseURL: "http://h"}).Explain(ctx, p, name, reveal)
		},
		Catalog:    func() *provisioner.Catalog { return builtin(t) },
		Background: func(ctx context.Context, work func(context.Context)) { work(context.WithoutCancel(ctx)) },
		ProvisioningURL: func(a *models.Account) string {
			return provisioner.AccountURL("https://phones.example.com", a)
		},
		Provision: func(context.Context, *models.Phone) (provisioner.Report, error) { return b.report, b.err },
		Version:   "1.2.3",
		Log:       slog.New(slog.NewTextHandler(&b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:       b.clock,
	}
	b.config.Guard = limit.NewLockout(nil, b.clock)
	b.master, b.key = b.account("Master", "master.example.com", nil)
	b.handler = b.serve(b.config)
	b.token = b.login(b.key)
	t.Cleanup(b.checkLog)
	return b
}

func (b *bench) serve(cfg api.Config) http.Handler {
	b.Helper()
	h, err := api.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	return &contract{TB: b, next: h}
}

// subtest runs f with b reporting to the subtest.
func (b *bench) subtest(name string, f func()) {
	b.Helper()
	outer := b.T
	outer.Run(name, func(t *testing.T) {
		b.T = t
		defer func() { b.T = outer }()
		f()
	})
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) sleep(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// checkLog runs after every test: no line holds a password, key or token.
func (b *bench) checkLog() {
	for line := range strings.Lines(b.log.String()) {
		for _, secret := range []string{secretMark, b.key.Reveal(), "dt_"} {
			if strings.Contains(line, secret) {
				b.Errorf("log line holds a secret: %s", line)
			}
		}
	}
}

// account stores an account directly; its parent is nil only for the master.
func (b *bench) account(name, realm string, parent *models.Account) (*models.Account, models.Secret) {
	b.Helper()
	a := &models.Account{}
	if parent != nil {
		a.Ancestors = append(append(a.Ancestors, parent.Ancestors...), parent.ID)
	}
	if err := a.SetDocument(models.Document{"name": name, "realm": realm}); err != nil {
		b.Fatal(err)
	}
	key := models.NewAPIKey()
	if err := b.store.CreateAccount(b.Context(), a, key); err != nil {
		b.Fatal(err)
	}
	return a, key
}

func (b *bench) login(key models.Secret) string {
	b.Helper()
	r := b.as("", "PUT", "/v2/api_auth", `{"data":{"api_key":"`+key.Reveal()+`"}}`)
	r.want(http.StatusCreated)
	return r.envelope["auth_token"].(string)
}

// A reply is what the API answered.
type reply struct {
	*bench
	status   int
	header   http.Header
	body     string
	envelope map[string]any
}

// do calls as the master account; headers are given as "Name: value".
func (b *bench) do(method, path, body string, headers ...string) *reply {
	b.Helper()
	return b.as(b.token, method, path, body, headers...)
}

func (b *bench) as(token, method, path, body string, headers ...string) *reply {
	b.Helper()
	req := httptest.NewRequestWithContext(b.Context(), method, path, strings.NewReader(body))
	if token != "" {
		req.Header.Set("X-Auth-Token", token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	return b.send(b.handler, req)
}

func (b *bench) send(handler http.Handler, req *http.Request) *reply {
	b.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, req)
	res := w.Result()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	_ = res.Body.Close()
	r := &reply{bench: b, status: res.StatusCode, header: res.Header, body: string(raw)}
	if len(raw) > 0 && res.Header.Get("Content-Disposition") == "" {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		if err := dec.Decode(&r.envelope); err != nil {
			b.Fatalf("%s %s: body is not JSON: %v: %s", req.Method, req.URL.Path, err, raw)
		}
		if got := res.Header.Get("Content-Type"); got != "application/json" {
			b.Errorf("%s %s: Content-Type %q", req.Method, req.URL.Path, got)
		}
		if r.envelope["request_id"] != res.Header.Get("X-Request-ID") || r.envelope["request_id"] == "" {
			b.Errorf("request_id %q, X-Request-ID %q", r.envelope["request_id"], res.Header.Get("X-Request-ID"))
		}
	}
	return r
}

func (r *reply) want(status int) *reply {
	r.Helper()
	if r.status != status {
		r.Fatalf("status %d, want %d: %s", r.status, status, r.body)
	}
	return r
}

// fails checks status and "message" of an error.
func (r *reply) fails(status int, message string) *reply {
	r.Helper()
	r.want(status)
	if r.envelope["message"] != message || r.envelope["status"] != "error" {
		r.Fatalf("message %q, status %q, want %q, error: %s", r.envelope["message"], r.envelope["status"], message, r.body)
	}
	return r
}

// rejects checks that exactly these "field: code" pairs are reported.
func (r *reply) rejects(want ...string) *reply {
	r.Helper()
	r.fails(http.StatusBadRequest, "validation error")
	if r.envelope["error"] != "400" {
		r.Errorf("error %q, want 400", r.envelope["error"])
	}
	missing := map[string]bool{}
	for _, w := range want {
		missing[w] = true
	}
	for field, codes := range r.data() {
		for code, d := range codes.(map[string]any) {
			if !missing[field+": "+code] {
				r.Errorf("unexpected problem %s: %s (%v)", field, code, d)
			}
			delete(missing, field+": "+code)
			if text, _ := d.(map[string]any)["message"].(string); text == "" {
				r.Errorf("%s: %s has no message", field, code)
			}
		}
	}
	for w := range missing {
		r.Errorf("problem not reported: %s", w)
	}
	return r
}

func (r *reply) data() map[string]any {
	r.Helper()
	data, isObject := r.envelope["data"].(map[string]any)
	if !isObject {
		r.Fatalf("data is no object: %s", r.body)
	}
	return data
}

func (r *reply) list() []any {
	r.Helper()
	data, isList := r.envelope["data"].([]any)
	if !isList {
		r.Fatalf("data is no list: %s", r.body)
	}
	return data
}

// at is the member of data at a dotted path.
func (r *reply) at(path string) any {
	r.Helper()
	v, _ := models.Document(r.data()).Lookup(path)
	return v
}

func (r *reply) id() string {
	r.Helper()
	id, _ := r.at("id").(string)
	if !models.ValidID(id) {
		r.Fatalf("id %q", id)
	}
	return id
}

func (b *bench) devices() string { return "/v2/accounts/" + b.master.ID + "/devices" }
func (b *bench) users() string   { return "/v2/accounts/" + b.master.ID + "/users" }

// device creates a device of the master account and returns its path.
func (b *bench) device(data string) string {
	b.Helper()
	return b.devices() + "/" + b.do("PUT", b.devices(), `{"data":`+data+`}`).want(http.StatusCreated).id()
}

// asJSON compares JSON values as canonical text.
func asJSON(t *testing.T, v any) string {
	t.Helper()
	if text, isText := v.(string); isText {
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// syncedOnce are the ids of the devices told to check-sync since the last call,
// wherever they are registered.
func (b *bench) syncedOnce() []string {
	var ids []string
	for _, c := range b.checkSyncs() {
		if c.Bindings == nil {
			ids = append(ids, c.Phone.Device.ID)
		}
	}
	return ids
}

// checkSyncs are the check-syncs since the last call.
func (b *bench) checkSyncs() []api.CheckSync {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.synced
	b.synced = nil
	return out
}

func TestIncompleteConfiguration(t *testing.T) {
	if _, err := api.New(api.Config{}); err == nil {
		t.Fatal("an empty configuration was accepted")
	}
}
