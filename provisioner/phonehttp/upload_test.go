package phonehttp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"dialtone/models"
	"dialtone/provisioner/phonehttp"
)

// put stores a file under the account's token.
func (s *site) put(t *testing.T, file, body string, header ...string) answer {
	t.Helper()
	return s.send(t, "PUT", s.token(file), strings.NewReader(body), header...)
}

func TestUpload(t *testing.T) {
	s := newSite(t)
	tests := []struct{ file, contentType, body string }{
		{"0004f2aabbcc-boot.log", "text/plain", "0101000000|so  |*|00|boot\r\n"},
		{"0004f2aabbcc-web.cfg", "application/xml", `<PHONE_CONFIG><ALL reg.1.auth.password="canary-web"/></PHONE_CONFIG>`},
		{"001565aabbcc-local.cfg", "text/plain", "#!version:1.0.0.1\naccount.1.password = canary-local\n"},
		{"001565AABBCC-contact.xml", "application/xml", "\xff\x00 whatever, it is only kept {{ device.name }} <script>"},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			if got := s.do(t, "GET", s.token(tt.file)); got.status != http.StatusNotFound {
				t.Errorf("before: GET got %d, want 404", got.status)
			}
			if got := s.do(t, "HEAD", s.token(tt.file)); got.status != http.StatusNotFound {
				t.Errorf("before: HEAD got %d, want 404", got.status)
			}
			first := s.put(t, tt.file, tt.body)
			if first.status != http.StatusCreated || len(first.header.Get("ETag")) < 10 {
				t.Fatalf("first: got %d, ETag %s, want 201", first.status, first.header.Get("ETag"))
			}
			got := s.do(t, "GET", s.token(tt.file))
			if got.status != http.StatusOK || got.body != tt.body || got.header.Get("Content-Type") != tt.contentType ||
				got.header.Get("X-Content-Type-Options") != "nosniff" || got.header.Get("ETag") != first.header.Get("ETag") {
				t.Errorf("GET: got %d %v %q", got.status, got.header, got.body)
			}
			head := s.do(t, "HEAD", s.token(tt.file))
			if head.status != http.StatusOK || head.body != "" || head.header.Get("Content-Length") != fmt.Sprint(len(tt.body)) {
				t.Errorf("HEAD: got %d, length %s", head.status, head.header.Get("Content-Length"))
			}
			if part := s.do(t, "GET", s.token(tt.file), "Range", "bytes=5-9"); part.status != http.StatusPartialContent || part.body != tt.body[5:10] {
				t.Errorf("range: got %d %q", part.status, part.body)
			}
			if same := s.do(t, "GET", s.token(tt.file), "If-None-Match", first.header.Get("ETag")); same.status != http.StatusNotModified {
				t.Errorf("If-None-Match: got %d", same.status)
			}
			again := s.put(t, tt.file, tt.body+"more")
			if again.status != http.StatusNoContent || again.body != "" || again.header.Get("ETag") == first.header.Get("ETag") {
				t.Errorf("again: got %d %q, ETag %s", again.status, again.body, again.header.Get("ETag"))
			}
			if got := s.do(t, "GET", s.token(strings.ToLower(tt.file))); got.body != tt.body+"more" {
				t.Errorf("GET of the new one: got %q", got.body)
			}
			if emptied := s.send(t, "POST", s.token(tt.file), http.NoBody); emptied.status != http.StatusNoContent {
				t.Errorf("POST of nothing: got %d", emptied.status)
			}
			if got := s.do(t, "GET", s.token(tt.file)); got.status != http.StatusOK || got.body != "" {
				t.Errorf("GET of nothing: got %d %q", got.status, got.body)
			}
		})
	}
}

func TestUploadByDigest(t *testing.T) {
	s := newSite(t)
	log := strings.Repeat("0123456789abcde\n", 40_000) // more than a server reads of a request that it has refused
	if got := s.sendDigest(t, "PUT", "/001565aabbcc-boot.log", "001565aabbcc", s.yealink.HTTPPassword, log); got.status != http.StatusCreated {
		t.Errorf("its own: got %d, want 201", got.status)
	}
	if got := s.digest(t, "GET", "/001565aabbcc-boot.log", "001565aabbcc", s.yealink.HTTPPassword); got.body != log {
		t.Errorf("served back: got %d with %d bytes", got.status, len(got.body))
	}
	if got := s.sendDigest(t, "PUT", "/0004f2aabbcc-boot.log", "001565aabbcc", s.yealink.HTTPPassword, "x"); got.status != http.StatusUnauthorized {
		t.Errorf("another phone's: got %d, want 401", got.status)
	}
	if got := s.send(t, "PUT", "/001565aabbcc-boot.log", strings.NewReader("x")); got.status != http.StatusUnauthorized {
		t.Errorf("nobody's: got %d, want 401", got.status)
	}
}

func TestUploadRefused(t *testing.T) {
	s := newSite(t)
	other := s.createAccount(t, "other.example.com")
	foreign := s.createDevice(t, other, `{"name":"x","mac_address":"0004f2aabbcd","provision":{"endpoint_brand":"polycom"}}`)
	off := s.createDevice(t, s.account, `{"name":"x","mac_address":"0004f2aabbce","enabled":false,"provision":{"endpoint_brand":"polycom"}}`)
	big := strings.Repeat("x", 1<<20+1)
	tests := []struct {
		name, file, body string
		header           []string
		want             int
	}{
		{"unknown phone", "0004f2000000-app.log", "x", nil, 404},
		{"another account's", "0004f2aabbcd-app.log", "x", nil, 404},
		{"disabled", "0004f2aabbce-app.log", "x", nil, 404},
		{"another brand's", "001565aabbcc-app.log", "x", nil, 404},
		{"rendered", "0004f2aabbcc-settings.cfg", "x", nil, 405},
		{"nobody's directory", "000000000000-directory.xml", "x", nil, 405},
		{"in a folder", "x/0004f2aabbcc-app.log", "x", nil, 405},
		{"up a folder", "../0004f2aabbcc-app.log", "x", nil, 405},
		{"in escapes", "%30004f2aabbcc-app.log", "x", nil, 405},
		{"too large", "0004f2aabbcc-app.log", big, nil, 413},
		{"part", "0004f2aabbcc-app.log", "x", []string{"Content-Range", "bytes 5-5/6"}, 400},
		{"compressed", "0004f2aabbcc-app.log", "x", []string{"Content-Encoding", "gzip"}, 415},
		{"form", "0004f2aabbcc-app.log", "x", []string{"Content-Type", "multipart/form-data; boundary=x"}, 415},
	}
	for _, tt := range tests {
		if got := s.put(t, tt.file, tt.body, tt.header...); got.status != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got.status, tt.want)
		}
	}
	if got := s.send(t, "PUT", "/p/wrong/0004f2aabbcc-app.log", strings.NewReader("x")); got.status != http.StatusNotFound {
		t.Errorf("wrong token: got %d, want 404", got.status)
	}
	unsized := io.MultiReader(strings.NewReader(big)) // sent in chunks
	if got := s.send(t, "PUT", s.token("0004f2aabbcc-app.log"), unsized); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("too large, of untold length: got %d, want 413", got.status)
	}
	for _, d := range []*models.Device{s.polycom, s.yealink, foreign, off} {
		if kept, err := s.store.Uploads(t.Context(), d.ID); err != nil || len(kept) != 0 {
			t.Errorf("kept %+v, %v", kept, err)
		}
	}
}

func TestUploadQuota(t *testing.T) {
	s := newSite(t)
	mega := strings.Repeat("x", 1<<20)
	for _, tt := range []struct {
		file, body string
		want       int
	}{
		{"0004f2aabbcc-boot.log", mega, 201}, {"0004f2aabbcc-app.log", mega[1:], 201}, {"0004f2aabbcc-web.cfg", "12", 413},
		{"0004f2aabbcc-web.cfg", "1", 201}, {"0004f2aabbcc-app.log", mega, 413}, {"0004f2aabbcc-app.log", "", 204}, // a log that grows stays bounded
		{"0004f2aabbcc-calls.xml", "1", 201}, {"0004f2aabbcc-phone.cfg", "1", 201}, {"0004f2aabbcc-directory.xml", "1", 413},
	} {
		if got := s.put(t, tt.file, tt.body); got.status != tt.want {
			t.Errorf("%s with %d bytes: got %d, want %d", tt.file, len(tt.body), got.status, tt.want)
		}
	}
	if got := s.put(t, "001565aabbcc-boot.log", mega); got.status != http.StatusCreated {
		t.Errorf("another phone: got %d, want 201", got.status)
	}
}

func TestUploadsOff(t *testing.T) {
	s := newSite(t, func(c *phonehttp.Config) { c.Quota = models.UploadQuota{} })
	if got := s.put(t, "0004f2aabbcc-app.log", "x"); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("got %d, Allow %q, want 405", got.status, got.header.Get("Allow"))
	}
}

// After an administrator cleared an override the phone finds none.
func TestClearedOverride(t *testing.T) {
	s := newSite(t)
	s.put(t, "0004f2aabbcc-phone.cfg", "x")
	if _, err := s.store.DeleteUploads(t.Context(), s.polycom, func(models.Upload) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if got := s.do(t, "GET", s.token("0004f2aabbcc-phone.cfg")); got.status != http.StatusNotFound {
		t.Errorf("got %d, want 404", got.status)
	}
}

// When the device becomes one of another brand its old files are not served.
func TestUploadOfAnotherBrand(t *testing.T) {
	s := newSite(t)
	s.put(t, "0004f2aabbcc-phone.cfg", "x")
	moved, doc := *s.polycom, s.polycom.Document.Clone()
	doc.Set("provision.endpoint_brand", "yealink")
	if err := moved.SetDocument(doc); err != nil {
		t.Fatal(err)
	}
	if err := s.store.SaveDevice(t.Context(), s.polycom, &moved); err != nil {
		t.Fatal(err)
	}
	if got := s.do(t, "GET", s.token("0004f2aabbcc-phone.cfg")); got.status != http.StatusNotFound {
		t.Errorf("got %d, want 404", got.status)
	}
}

func TestUploadRecords(t *testing.T) {
	s := newSite(t)
	got := s.put(t, "0004f2aabbcc-app.log", "canary", "User-Agent", "FileTransport PolycomVVX-VVX_450-UA/5.9.7.4477 Type/Application")
	fetch := s.lastFetch(t)
	if fetch.DeviceID != s.polycom.ID || fetch.Method != "PUT" || fetch.File != "0004f2aabbcc-app.log" || fetch.Status != 201 || fetch.Bytes != 6 ||
		fetch.ETag != strings.Trim(got.header.Get("ETag"), `"`) || fetch.MAC != "0004f2aabbcc" || fetch.Firmware != "5.9.7.4477" {
		t.Errorf("got %+v", fetch)
	}
	s.put(t, "0004f2aabbcd-app.log", "canary")
	if refused := s.waitFetches(t, 2)[1]; refused.Status != 404 || refused.DeviceID != "" || refused.MAC != "0004f2aabbcd" {
		t.Errorf("refused: got %+v", refused)
	}
}

func TestUploadWhileStoreFails(t *testing.T) {
	s := newSite(t)
	calls := 0
	for failing := 1; failing <= 3; failing++ { // the account, the phone, the file
		calls = 0
		s.fail = func() error {
			if calls++; calls == failing {
				return fmt.Errorf("dial tcp: %w", models.ErrUnavailable)
			}
			return nil
		}
		got := s.put(t, "0004f2aabbcc-app.log", "x")
		if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || strings.Contains(got.body, "dial") {
			t.Errorf("call %d fails: got %d, Retry-After %q, %q", failing, got.status, got.header.Get("Retry-After"), got.body)
		}
	}
}

// Half an upload is none.
func TestUploadCutOff(t *testing.T) {
	s := newSite(t)
	s.put(t, "0004f2aabbcc-app.log", "whole")
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf", s.token("0004f2aabbcc-app.log")); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answered, err := io.ReadAll(conn)
	_ = conn.Close()
	if err != nil || !bytes.HasPrefix(answered, []byte("HTTP/1.1 400 ")) {
		t.Errorf("got %q, %v, want 400", answered, err)
	}
	if fetch := s.waitFetches(t, 2)[1]; fetch.Status != 499 || fetch.Bytes != 4 || fetch.ETag != "" {
		t.Errorf("recorded: got %+v", fetch)
	}
	if got := s.do(t, "GET", s.token("0004f2aabbcc-app.log")); got.body != "whole" {
		t.Errorf("stored: got %q", got.body)
	}
}

// A phone that asks before it sends is not made to send in vain.
func TestUploadWaitsForContinue(t *testing.T) {
	s := newSite(t)
	transport := &http.Transport{ExpectContinueTimeout: time.Minute}
	defer transport.CloseIdleConnections()
	for path, want := range map[string]int{s.token("0004f2aabbcc-app.log"): 201, "/0004f2aabbcc-app.log": 401, s.token("0004f2aabbcc.cfg"): 405} {
		body := &counted{Reader: strings.NewReader("x")}
		req, err := http.NewRequestWithContext(t.Context(), "PUT", s.URL+path, body)
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = 1
		req.Header.Set("Expect", "100-continue")
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want || (body.reads > 0) != (want == 201) {
			t.Errorf("%d, body read %d times, want %d", resp.StatusCode, body.reads, want)
		}
	}
}

type counted struct {
	io.Reader
	reads int
}

func (c *counted) Read(p []byte) (int, error) {
	c.reads++
	return c.Reader.Read(p)
}

// What a phone sends while its device gets another MAC is not kept: nobody
// would ask for it again.
func TestUploadWhileMACChanges(t *testing.T) {
	store := &meanwhile{}
	s := newSite(t, func(c *phonehttp.Config) { store.Store, c.Store = c.Store, store })
	store.change = func() {
		d := *s.polycom
		doc := d.Document.Clone()
		doc.Set("mac_address", "0004f2aabbdd")
		if err := d.SetDocument(doc); err != nil {
			t.Error(err)
		}
		if err := s.store.SaveDevice(t.Context(), s.polycom, &d); err != nil {
			t.Error(err)
		}
	}
	if got := s.put(t, "0004f2aabbcc-app.log", "1234"); got.status != http.StatusNotFound {
		t.Errorf("got %d, want 404", got.status)
	}
	if kept, err := s.store.Uploads(t.Context(), s.polycom.ID); err != nil || len(kept) != 0 {
		t.Errorf("kept %v, %v", kept, err)
	}
	store.change = func() {}
	if got := s.put(t, "0004f2aabbdd-app.log", "1234"); got.status != http.StatusCreated {
		t.Errorf("the new phone's: got %d, want 201", got.status)
	}
}

// meanwhile is a store in which something happens while an upload arrives.
type meanwhile struct {
	phonehttp.Store
	change func()
}

func (m *meanwhile) SaveUpload(ctx context.Context, u *models.Upload, quota models.UploadQuota) (bool, error) {
	m.change()
	return m.Store.SaveUpload(ctx, u, quota)
}
