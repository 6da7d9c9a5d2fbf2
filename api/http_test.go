package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dialtone/api"
	"dialtone/models"
	"dialtone/provisioner"
)

func TestBodyProblems(t *testing.T) {
	b := newBench(t)
	deep := strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200)
	veryDeep := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	tests := []struct{ name, body, want string }{
		{"not JSON", `{"data":`, "json: invalid"},
		{"text after", `{"data":{}} x`, "json: invalid"},
		{"invalid UTF-8", "{\"data\":{\"name\":\"\xff\"}}", "json: invalid"},
		{"no data", `{}`, "data: required"},
		{"null data", `{"data":null}`, "data: required"},
		{"a list", `[1]`, "data: required"},
		{"a number", `7`, "data: required"},
		{"data is text", `{"data":"x"}`, "data: type"},
		{"data is a number", `{"data":1}`, "data: type"},
		{"data is a boolean", `{"data":true}`, "data: type"},
		{"data is a list", `{"data":[]}`, "data: type"},
		{"deep", `{"data":{"name":"x","a":` + deep + `}}`, "json: invalid"},
		{"deeper than the decoder goes", `{"data":{"name":"x","a":` + veryDeep + `}}`, "json: invalid"},
		{"endless list", `{"data":{"name":"x","media":{"audio":{"codecs":[0` + strings.Repeat(",0", 3_000_000) + `]}}}}`, "json: invalid"},
		{"monstrous exponent", `{"data":{"name":"x","a":1e999999999}}`, "json: invalid"},
		{"endless number", `{"data":{"name":"x","a":` + strings.Repeat("9", 2000) + `}}`, "json: invalid"},
		{"too big", `{"data":{"name":"` + strings.Repeat("x", 8_000_000) + `"}}`, "file: maxSize"},
		{"neither JSON nor form", "%zz", "json: invalid"},
	}
	for _, tt := range tests {
		b.subtest(tt.name, func() {
			var headers []string
			if tt.name == "neither JSON nor form" {
				headers = []string{"Content-Type: application/x-www-form-urlencoded"}
			}
			b.do("PUT", b.devices(), tt.body, headers...).rejects(tt.want)
		})
	}
}

func TestContentTypes(t *testing.T) {
	b := newBench(t)
	const body = `{"DATA":{"name":"a&b=c"}}`
	for _, contentType := range []string{"application/json", "application/json; charset=utf-8", "application/x-json", "application/x-www-form-urlencoded"} {
		r := b.do("PUT", b.devices(), body, "Content-Type: "+contentType).want(http.StatusCreated)
		if r.at("name") != "a&b=c" {
			t.Errorf("%s: name %v", contentType, r.at("name"))
		}
	}
	b.do("PUT", b.devices(), "name=x", "Content-Type: application/x-www-form-urlencoded").rejects("data: required")
	b.do("PUT", b.devices(), "data=x", "Content-Type: application/x-www-form-urlencoded").rejects("data: type")
	b.do("PUT", b.devices(), "<x/>", "Content-Type: text/xml").fails(http.StatusUnsupportedMediaType, "unsupported_media_type")
	b.as("", "PUT", b.devices(), "<x/>", "Content-Type: text/xml").fails(http.StatusUnauthorized, "invalid_credentials")
	b.do("GET", b.devices(), "", "Content-Type: text/xml").want(http.StatusOK)
}

func TestAccept(t *testing.T) {
	b := newBench(t)
	for accept, want := range map[string]int{
		"application/json": 200, "text/html, */*;q=0.1": 200, "application/*": 200, "text/html": 406, "application/json;q=0": 406,
	} {
		if r := b.do("GET", b.devices(), "", "Accept: "+accept); r.status != want {
			t.Errorf("Accept %q: %d, want %d", accept, r.status, want)
		}
	}
	b.do("GET", b.devices()+"?accept=application/json", "", "Accept: text/html").want(http.StatusOK)
}

func TestRouting(t *testing.T) {
	b := newBench(t)
	path := b.device(`{"name":"a"}`)
	tests := []struct {
		method, path string
		status       int
		message      string
	}{
		{"GET", "/", 404, "not_found"},
		{"GET", "/v2", 404, "not_found"},
		{"GET", "/v2/nonsense", 404, "not_found"},
		{"GET", path + "/nonsense", 404, "not_found"},
		{"GET", "/v2/accounts//devices", 404, "bad identifier"},
		{"GET", "/v1/accounts", 410, "gone"},
		{"GET", "/v1", 410, "gone"},
		{"GET", "/v3/accounts", 404, "not_found"},
		{"GET", "/v2/accounts/" + b.master.ID + "/../../../etc/passwd", 404, "not_found"},
		{"POST", b.devices(), 405, "invalid_method"},
		{"DELETE", "/v2/api_auth", 405, "invalid_method"},
		{"GET", path + "/sync", 405, "invalid_method"},
		{"BREW", path, 405, "invalid_method"},
	}
	for _, tt := range tests {
		r := b.do(tt.method, tt.path, "")
		if r.status != tt.status || r.envelope["message"] != tt.message || r.envelope["error"] != fmt.Sprint(tt.status) {
			t.Errorf("%s %s: %d %v, want %d %s", tt.method, tt.path, r.status, r.envelope["message"], tt.status, tt.message)
		}
	}
	r := b.as("", "PUT", path+"/sync", "").fails(http.StatusMethodNotAllowed, "invalid_method") // before authentication
	if allow := r.header.Get("Allow"); !strings.Contains(allow, "POST") || strings.Contains(allow, "PUT") {
		t.Errorf("Allow %q", allow)
	}
	for _, slashes := range []string{"/", "//"} {
		b.do("GET", path+slashes, "").want(http.StatusOK)
		created := b.do("PUT", b.devices()+slashes, `{"data":{"name":"x"}}`).want(http.StatusCreated)
		if got, want := created.header.Get("Location"), b.devices()+"/"+created.id(); got != want {
			t.Errorf("Location %q, want %q", got, want)
		}
	}
}

func TestHeadAndOptions(t *testing.T) {
	b := newBench(t)
	path := b.device(`{"name":"a"}`)
	etag := b.do("HEAD", path, "").want(http.StatusOK).header.Get("ETag")
	if etag == "" || etag != b.do("GET", path, "").header.Get("ETag") {
		t.Errorf("ETag of HEAD %q", etag)
	}
	r := b.as("", "OPTIONS", path, "", "Origin: https://portal.example.com").want(http.StatusOK)
	for header, want := range map[string]string{
		"Allow":                        "GET, HEAD, POST, PATCH, PUT, DELETE, OPTIONS",
		"Access-Control-Allow-Methods": "GET, HEAD, POST, PATCH, PUT, DELETE, OPTIONS",
		"Access-Control-Allow-Origin":  "*",
		"Access-Control-Max-Age":       "86400",
	} {
		if got := r.header.Get(header); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	if b.do("GET", path, "").header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("CORS headers without Origin")
	}
}

func TestTunnelledVerbs(t *testing.T) {
	b := newBench(t)
	r := b.do("POST", b.devices()+"?verb=put", `{"data":{"name":"a"}}`).want(http.StatusCreated)
	path := r.header.Get("Location")
	if got := b.do("POST", path, `{"verb":"Patch","data":{"custom":1}}`).want(http.StatusOK); got.at("name") != "a" {
		t.Errorf("a tunnelled PATCH gave %s", got.body)
	}
	b.do("POST", b.devices(), `{"verb":"DELETE","data":{}}`).fails(http.StatusMethodNotAllowed, "invalid_method")
	b.do("POST", path+"?verb=delete", "").want(http.StatusOK)
	b.do("GET", path, "").want(http.StatusNotFound)
}

func TestRequestID(t *testing.T) {
	b := newBench(t)
	if r := b.do("GET", b.devices(), "", "X-Request-ID: mine-1"); r.envelope["request_id"] != "mine-1" {
		t.Errorf("request_id %v", r.envelope["request_id"])
	}
	for _, bad := range []string{strings.Repeat("x", 129), "a b", "a\tb", "é"} {
		if r := b.do("GET", b.devices(), "", "X-Request-ID: "+bad); !models.ValidID(r.envelope["request_id"].(string)) {
			t.Errorf("request_id %v", r.envelope["request_id"])
		}
	}
}

func TestPrettyPrint(t *testing.T) {
	b := newBench(t)
	if r := b.do("GET", b.devices()+"?pretty_print=true", ""); !strings.Contains(r.body, "\n  \"data\"") {
		t.Errorf("not indented: %s", r.body)
	}
	if r := b.do("GET", b.devices(), "", "X-Pretty-Print: true"); !strings.Contains(r.body, "\n  \"data\"") {
		t.Errorf("not indented: %s", r.body)
	}
	if r := b.do("GET", b.devices(), ""); strings.Count(r.body, "\n") != 1 {
		t.Errorf("indented: %s", r.body)
	}
}

func TestRequestLog(t *testing.T) {
	b := newBench(t)
	b.do("GET", b.devices()+"?auth_token="+b.token+"&filter_x=s3cret", "", "X-Request-ID: find-me", "X-Forwarded-For: 10.9.8.7").want(http.StatusOK)
	var line string
	for l := range strings.Lines(b.log.String()) {
		if strings.Contains(l, "find-me") {
			line = l
		}
	}
	for _, want := range []string{"method=GET", "route=/v2/accounts/:account/devices", "status=200", "duration=", "account=" + b.master.ID, "remote=192.0.2.1"} {
		if !strings.Contains(line, want) {
			t.Errorf("no %s in %q", want, line)
		}
	}
}

// A failing store forces what SQLite will not do on demand.
type failingStore struct {
	api.Store
	err   error
	panic any
}

func (f failingStore) Device(context.Context, string, string) (*models.Device, error) {
	if f.panic != nil {
		panic(f.panic)
	}
	return nil, f.err
}

func (f failingStore) Ping(context.Context) error { return f.err }

func TestStorageFailures(t *testing.T) {
	b := newBench(t)
	path := b.device(`{"name":"a"}`)
	tests := []struct {
		name    string
		store   failingStore
		status  int
		message string
	}{
		{"unavailable", failingStore{err: fmt.Errorf("dial s3cre_t: %w", models.ErrUnavailable)}, 503, "datastore_unreachable"},
		{"conflict", failingStore{err: models.ErrConflict}, 409, "datastore_conflict"},
		{"unknown", failingStore{err: errors.New("inner detail")}, 500, "unspecified_fault"},
		{"panic", failingStore{panic: "inner detail"}, 500, "unspecified_fault"},
	}
	for _, tt := range tests {
		b.subtest(tt.name, func() {
			cfg := b.config
			tt.store.Store = b.store
			cfg.Store = tt.store
			handler, err := api.NewImpatient(cfg)
			if err != nil {
				b.Fatal(err)
			}
			b.handler = &contract{TB: b, next: handler}
			r := b.do("PATCH", path, `{"data":{"custom":1}}`).fails(tt.status, tt.message)
			if (r.header.Get("Retry-After") != "") != (tt.status == 503) {
				b.Errorf("Retry-After %q", r.header.Get("Retry-After"))
			}
			if strings.Contains(r.body, "inner detail") || strings.Contains(r.body, "dial") {
				b.Errorf("details leaked: %s", r.body)
			}
			if tt.status >= 500 && !strings.Contains(b.log.String(), "request failed") {
				b.Error("the failure was not logged")
			}
		})
	}
}

func TestHealth(t *testing.T) {
	b := newBench(t)
	b.as("", "GET", "/healthz", "").want(http.StatusOK)
	b.as("", "HEAD", "/healthz", "").want(http.StatusOK)
	b.as("", "GET", "/readyz", "not JSON: never read").want(http.StatusOK)
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	b.as("", "GET", "/healthz", "").want(http.StatusOK)
	r := b.as("", "GET", "/readyz", "").fails(http.StatusServiceUnavailable, "datastore_unreachable")
	if r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	b.do("GET", b.devices(), "").fails(http.StatusServiceUnavailable, "datastore_unreachable")
}

// Over a real connection: what net/http itself refuses must not hang or crash.
func TestHugeHeader(t *testing.T) {
	b := newBench(t)
	server := httptest.NewServer(b.handler)
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+b.devices(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Auth-Token", strings.Repeat("x", 2<<20))
	res, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", res.StatusCode)
	}
}

func TestNotify(t *testing.T) {
	b := newBench(t)
	path := b.device(`{"name":"a"}`)
	id := path[len(path)-32:]
	tests := []struct{ method, path, body, want string }{
		{"PUT", path, `{"action":"notify","data":{"event":"check-sync"}}`, id + "|check-sync||"},
		{"PUT", path, `{"action":"notify","data":{"data":{"event":"x","body":{"content_type":"text/plain","data":"hi"}}}}`, id + "|x|text/plain|hi"},
		{"POST", path + "/notify", `{"data":{"event":"y"}}`, id + "|y||"},
	}
	for _, tt := range tests {
		r := b.do(tt.method, tt.path, tt.body).want(http.StatusCreated)
		if r.envelope["data"] != "NOTIFY sent" || len(b.notified) == 0 || b.notified[len(b.notified)-1] != tt.want {
			t.Errorf("%s: notified %v, want %s: %s", tt.body, b.notified, tt.want, r.body)
		}
	}
	b.do("PUT", path, `{"data":{}}`).fails(http.StatusBadRequest, "action required")
	b.do("PUT", path, `{"action":"dance","data":{}}`).fails(http.StatusBadRequest, "invalid action")
	b.do("PUT", path, `{"action":"notify","data":{"body":{"data":"x"}}}`).rejects("event: required", "body.content_type: required")
	b.do("PUT", path, `{"action":"notify","data":{"event":"a\r\nVia: x"}}`).rejects("event: pattern")
	b.do("POST", b.devices()+"/"+models.NewID()+"/notify", `{"data":{"event":"y"}}`).fails(http.StatusNotFound, "bad_identifier")
	if len(b.notified) != len(tests) {
		t.Errorf("notified %v", b.notified)
	}
}

// A contact that is named is the only one to be told.
func TestOneContact(t *testing.T) {
	b := newBench(t)
	path := b.device(`{"name":"a","sip":{"username":"ann"}}`)
	id := path[len(path)-32:]
	for _, contact := range []string{"sip:one@10.0.0.1", "sip:two@10.0.0.2"} {
		err := b.store.UpdateBindings(t.Context(), id, func(live []models.Binding) ([]models.Binding, error) {
			return append(live, models.Binding{
				AccountID: b.master.ID, DeviceID: id, AOR: "sip:ann@master.example.com", Contact: contact,
				Received: netip.MustParseAddrPort("192.0.2.1:5060"), Transport: "udp", Expires: time.Now().Add(time.Hour), Modified: time.Now(),
			}), nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	b.do("PUT", path, `{"action":"notify","data":{"event":"x","contact":"sip:two@10.0.0.2"}}`).want(http.StatusCreated)
	if got := b.notified[0]; got != id+"|x|||sip:two@10.0.0.2" {
		t.Errorf("got %s", got)
	}
	b.checkSyncs()
	b.do("POST", path+"/sync", `{"data":{"contact":"sip:one@10.0.0.1"}}`).want(http.StatusOK)
	if got := b.checkSyncs(); len(got) != 1 || len(got[0].Bindings) != 1 || got[0].Bindings[0].Contact != "sip:one@10.0.0.1" {
		t.Errorf("got %+v", got)
	}
	b.do("POST", path+"/sync?contact=sip:none", "").rejects("contact: not_found")
	b.do("POST", path+"/notify", `{"data":{"event":"x","contact":"sip:none"}}`).rejects("contact: not_found")
}

func TestNotifications(t *testing.T) {
	b := newBench(t)
	path := b.device(`{"name":"a"}`)
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for i, n := range []models.Notification{
		{Event: "check-sync", State: models.NotifyRefused, Code: 481, Reason: "Gone", Finished: at.Add(time.Second)},
		{Event: "check-sync", State: models.NotifyRetrying, Attempts: 1, Next: at.Add(time.Hour)},
	} {
		n.AccountID, n.DeviceID, n.AOR, n.Contact = b.master.ID, path[len(path)-32:], "sip:a@b", "sip:a@192.0.2.9"
		n.ID, n.Created = strings.Repeat(fmt.Sprint(i), 32), at.Add(time.Duration(i)*time.Minute)
		if err := b.store.SaveNotification(t.Context(), &n); err != nil {
			t.Fatal(err)
		}
	}
	want := `[
		{"aor":"sip:a@b","attempts":1,"came_back_after":null,"code":0,"contact":"sip:a@192.0.2.9","created":"2026-11-23T12:01:00Z","event":"check-sync",
		 "fetched":null,"finished":null,"id":"11111111111111111111111111111111","job_id":"","next_attempt":"2026-11-23T13:00:00Z","reason":"",
		 "registered":null,"state":"retrying"},
		{"aor":"sip:a@b","attempts":0,"came_back_after":null,"code":481,"contact":"sip:a@192.0.2.9","created":"2026-11-23T12:00:00Z","event":"check-sync",
		 "fetched":null,"finished":"2026-11-23T12:00:01Z","id":"00000000000000000000000000000000","job_id":"","next_attempt":null,"reason":"Gone",
		 "registered":null,"state":"refused"}]`
	r := b.do("GET", path+"/notifications", "").want(http.StatusOK)
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, r.list())); diff != "" {
		t.Error(diff)
	}
	b.do("GET", b.devices()+"/"+models.NewID()+"/notifications", "").fails(http.StatusNotFound, "bad_identifier")
}

func TestProvision(t *testing.T) {
	b := newBench(t)
	path := b.device(`{"name":"a","mac_address":"001565aabbcc","provision":{"endpoint_brand":"acme"}}`) + "/provision"
	b.report = provisioner.Report{
		State: "behind", URL: "http://h/p/t/", Username: "001565aabbcc", Password: "s3cret-http",
		Files: []provisioner.FileReport{
			{Role: "boot", Name: "x.boot", URL: "http://h/p/t/x.boot", ETag: "ab", ContentType: "text/plain", Bytes: 7, State: "in_sync",
				LastFetch: &models.Fetch{Method: "GET", Status: 200, ETag: "ab", Bytes: 7, Source: "192.0.2.7", UserAgent: "Acme 1", Firmware: "1",
					At: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}},
			{Role: "common", Name: "y.cfg", State: "never"},
		},
		Overrides: []models.Upload{{Name: "x-local.cfg", Bytes: 3, ContentType: "text/plain", ETag: "cd", Modified: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}},
	}
	want := `{"overrides":[{"bytes":3,"content_type":"text/plain","etag":"cd","modified":"2026-11-23T12:00:00Z","name":"x-local.cfg","override":true}],"missing_lines":[],"error":"","password":"s3cret-http","state":"behind","url":"http://h/p/t/","username":"001565aabbcc","files":[
		{"bytes":7,"content_type":"text/plain","error":"","etag":"ab","name":"x.boot","role":"boot","state":"in_sync","url":"http://h/p/t/x.boot",
		 "last_fetch":{"bytes":7,"etag":"ab","firmware":"1","method":"GET","source":"192.0.2.7","status":200,"time":"2026-11-23T12:00:00Z","user_agent":"Acme 1"}},
		{"bytes":0,"content_type":"","error":"","etag":"","last_fetch":null,"name":"y.cfg","role":"common","state":"never","url":""}]}`
	r := b.do("GET", path, "").want(http.StatusOK)
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, r.data())); diff != "" {
		t.Error(diff)
	}

	b.report = provisioner.Report{State: "error", Error: "no mac_address", URL: "http://h/p/t/"}
	if r := b.do("GET", path, "").want(http.StatusOK); r.at("state") != "error" || r.at("error") != "no mac_address" {
		t.Errorf("answer %s, want the reason", r.body)
	}
	b.err = models.ErrUnavailable
	b.do("GET", path, "").fails(http.StatusServiceUnavailable, "datastore_unreachable")
}
