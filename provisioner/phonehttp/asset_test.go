package phonehttp_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dialtone/models"
	"dialtone/provisioner"
	"dialtone/provisioner/phonehttp"
)

// assetFiles are what an operator has in the folder. Nothing that holds
// "outside" may be served.
var assetFiles = map[string]string{
	"assets/3111-48840-001.sip.ld":              "firmware",
	"assets/T46S(T48S)-66.86.0.15.rom":          "rom",
	"assets/logo.BMP":                           "BM",
	"assets/page.html":                          "<script>",
	"assets/languages/German/de.xml":            "<x/>",
	"assets/Ring 1.wav":                         "RIFF",
	"assets/000000000000-license.cfg":           "<license/>",
	"assets/0004f2aabbcc-phone.cfg":             "outside: a phone's own name",
	"assets/site.cfg":                           "outside: a rendered name",
	"assets/.htpasswd":                          "outside: hidden",
	"assets/.git/config":                        "outside: hidden",
	"assets/languages/.hidden/x":                "outside: hidden",
	"secret.txt":                                "outside",
	"assets/assets/nested.txt":                  "nested",
	"assets/" + strings.Repeat("n", 100) + ".x": "long",
}

// newAssets makes the folder, with links out of it and within, and a pipe.
func newAssets(t testing.TB) *phonehttp.Assets {
	t.Helper()
	root := t.TempDir()
	for name, text := range assetFiles {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	folder := filepath.Join(root, "assets")
	for link, to := range map[string]string{
		"out.txt": "../secret.txt", "absolute.txt": filepath.Join(root, "secret.txt"), "up": "..", "loop": "loop", "within.ld": "3111-48840-001.sip.ld",
	} {
		if err := os.Symlink(to, filepath.Join(folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(folder, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	assets, err := phonehttp.OpenAssets(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := assets.Close(); err != nil {
			t.Error(err)
		}
	})
	return assets
}

func newAssetSite(t *testing.T) *site {
	t.Helper()
	return newSite(t, func(c *phonehttp.Config) { c.Assets = newAssets(t) })
}

func TestAssets(t *testing.T) {
	s := newAssetSite(t)
	tests := []struct{ path, contentType, body string }{
		{"assets/3111-48840-001.sip.ld", "application/octet-stream", "firmware"},
		{"3111-48840-001.sip.ld", "application/octet-stream", "firmware"}, // where some phones ask
		{"assets/within.ld", "application/octet-stream", "firmware"},
		{"assets/T46S(T48S)-66.86.0.15.rom", "application/octet-stream", "rom"},
		{"assets/T46S%28T48S%29-66.86.0.15.rom", "application/octet-stream", "rom"},
		{"assets/Ring%201.wav", "audio/wav", "RIFF"},
		{"assets/logo.BMP", "image/bmp", "BM"},
		{"assets/page.html", "application/octet-stream", "<script>"},
		{"languages/German/de.xml", "application/xml", "<x/>"},
		{"000000000000-license.cfg", "text/plain; charset=utf-8", "<license/>"},
		{"assets/assets/nested.txt", "text/plain; charset=utf-8", "nested"},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			got := s.do(t, "GET", s.token(tt.path))
			if got.status != http.StatusOK || got.body != tt.body || got.header.Get("Content-Type") != tt.contentType ||
				got.header.Get("X-Content-Type-Options") != "nosniff" || got.header.Get("Content-Length") != fmt.Sprint(len(tt.body)) {
				t.Fatalf("got %d %v %q", got.status, got.header, got.body)
			}
			if head := s.do(t, "HEAD", s.token(tt.path)); head.status != http.StatusOK || head.body != "" || head.header.Get("Content-Length") != fmt.Sprint(len(tt.body)) {
				t.Errorf("HEAD: got %d, length %s", head.status, head.header.Get("Content-Length"))
			}
			etag, modified := got.header.Get("ETag"), got.header.Get("Last-Modified")
			for header, value := range map[string]string{"If-None-Match": etag, "If-Modified-Since": modified} {
				if same := s.do(t, "GET", s.token(tt.path), header, value); same.status != http.StatusNotModified || same.body != "" {
					t.Errorf("%s: got %d", header, same.status)
				}
			}
			part := s.do(t, "GET", s.token(tt.path), "Range", "bytes=1-", "If-Range", etag)
			if part.status != http.StatusPartialContent || part.body != tt.body[1:] {
				t.Errorf("range: got %d %q", part.status, part.body)
			}
			if whole := s.do(t, "GET", s.token(tt.path), "Range", "bytes=1-", "If-Range", `"other"`); whole.status != http.StatusOK || whole.body != tt.body {
				t.Errorf("range of an older one: got %d %q", whole.status, whole.body)
			}
		})
	}
	if got := s.digest(t, "GET", "/assets/Ring%201.wav", "001565aabbcc", s.yealink.HTTPPassword); got.body != "RIFF" {
		t.Errorf("by digest: got %d", got.status)
	}
	if got := s.do(t, "PUT", s.token("assets/new.bin")); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("PUT: got %d, Allow %q", got.status, got.header.Get("Allow"))
	}
}

func TestAssetsRefused(t *testing.T) {
	s := newAssetSite(t)
	for _, path := range []string{
		"", "assets", "assets/", "assets/none", "languages", "languages/", "assets/languages/German", ".htpasswd", "assets/.htpasswd", "assets/.git/config",
		"languages/.hidden/x", "assets/../secret.txt", "../secret.txt", "assets/%2e%2e/secret.txt", "assets/..%2fsecret.txt", "assets%2f..%2fsecret.txt",
		"assets/%2ehtpasswd", "assets/languages%2fGerman%2fde.xml", "assets/out.txt", "assets/absolute.txt", "assets/up/secret.txt", "assets/loop", "assets/pipe",
		"assets//logo.BMP", "/logo.BMP", "assets/./logo.BMP", "assets/logo.BMP/", "assets/logo.BMP/x", "assets/logo.BMP%00", "assets/logo.BMP%0a", `assets/..\secret.txt`,
		"assets/%5c..%5csecret.txt", "assets/%252e%252e/secret.txt", "assets/%ff", "assets/" + strings.Repeat("n", 300), strings.Repeat("d/", 3000) + "x",
		"%30004f2aabbcc-phone.cfg", "0004f2aabbcc-phone.cfg", "0004F2AABBCC-phone.cfg",
	} {
		if got := s.do(t, "GET", s.token(path)); got.status != http.StatusNotFound && got.status != http.StatusBadRequest || strings.Contains(got.body, "outside") {
			t.Errorf("GET %.60s: got %d %q, want 404 or 400", path, got.status, got.body)
		}
	}
	if got := s.do(t, "GET", s.token("site.cfg")); got.status != http.StatusOK || strings.Contains(got.body, "outside") {
		t.Errorf("a rendered name: got %d %q", got.status, got.body)
	}
	s.put(t, "0004f2aabbcc-phone.cfg", "the phone's")
	if got := s.do(t, "GET", s.token("0004f2aabbcc-phone.cfg")); got.body != "the phone's" {
		t.Errorf("an uploaded name: got %d %q", got.status, got.body)
	}
}

// Strangers do not learn which assets there are.
func TestAssetsAreForPhones(t *testing.T) {
	s := newAssetSite(t)
	for _, file := range []string{"assets/logo.BMP", "logo.BMP", "assets/none", "..", "%2e"} {
		if got := s.do(t, "GET", "/"+file); got.status != http.StatusUnauthorized {
			t.Errorf("nobody's GET of %s: got %d, want 401", file, got.status)
		}
		if got := s.do(t, "GET", "/p/wrong/"+file); got.status != http.StatusNotFound {
			t.Errorf("GET of %s with a wrong token: got %d, want 404", file, got.status)
		}
	}
	off, doc := *s.account, s.account.Document.Clone()
	doc.Set("enabled", false)
	if err := off.SetDocument(doc); err != nil {
		t.Fatal(err)
	}
	if err := s.store.SaveAccount(t.Context(), s.account, &off); err != nil {
		t.Fatal(err)
	}
	if got := s.do(t, "GET", s.token("assets/logo.BMP")); got.status != http.StatusNotFound {
		t.Errorf("of a disabled account: got %d, want 404", got.status)
	}
}

// Who fetched an asset is recorded when it is known.
func TestAssetRecords(t *testing.T) {
	s := newAssetSite(t)
	s.do(t, "GET", s.token("logo.BMP"))
	s.do(t, "GET", s.token("logo.BMP"), "User-Agent", "Yealink SIP-T46U 108.86.0.20 00:15:65:aa:bb:cc")
	s.digest(t, "GET", "/assets/logo.BMP", "0004f2aabbcc", s.polycom.HTTPPassword)
	got := s.waitFetches(t, 2)
	if len(got) != 2 || got[0].MAC != "001565aabbcc" || got[0].File != "assets/logo.BMP" || got[0].Status != 200 || got[0].Bytes != 2 || got[1].DeviceID != s.polycom.ID {
		t.Errorf("got %+v", got)
	}
}

// A large file on a slow line outlasts the times that the server gives to
// other requests, and is not in memory as a whole.
func TestSlowDownload(t *testing.T) {
	folder := t.TempDir()
	const size = 64 << 20
	file, err := os.Create(filepath.Join(folder, "large.rom"))
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Truncate(size); err != nil { // a hole: it takes no room
		t.Fatal(err)
	}
	_ = file.Close()
	assets, err := phonehttp.OpenAssets(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = assets.Close() }()
	s := newSite(t, func(c *phonehttp.Config) { c.Assets = assets })
	strict := httptest.NewUnstartedServer(s.Config.Handler)
	strict.Config.ReadTimeout, strict.Config.WriteTimeout = 200*time.Millisecond, 300*time.Millisecond
	strict.Start()
	defer strict.Close()
	req, err := http.NewRequestWithContext(t.Context(), "GET", strict.URL+s.token("large.rom"), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := strict.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	time.Sleep(time.Second) // longer than both times
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != size {
		t.Errorf("got %d bytes, %v, want %d", n, err, int64(size))
	}
}

func TestOpenAssets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{file, file + "-none", ""} {
		if _, err := phonehttp.OpenAssets(folder); err == nil {
			t.Errorf("%q: no error", folder)
		}
	}
}

// FuzzAssetPath asks for arbitrary paths as a phone of the account: only what is
// in the folder, and not hidden, may come back.
func FuzzAssetPath(f *testing.F) {
	for _, seed := range []string{
		"assets/logo.BMP", "assets/../secret.txt", "%2e%2e/secret.txt", "assets/up/secret.txt", "out.txt", ".htpasswd", "languages/.hidden/x", "a%2fb", "%00", "site.cfg",
	} {
		f.Add(seed)
	}
	account := &models.Account{}
	if err := account.SetDocument(models.Document{"name": "Acme", "realm": "acme.example.com"}); err != nil {
		f.Fatal(err)
	}
	handler := phonehttp.New(phonehttp.Config{
		Files: provisioner.NewService(nil, builtin(f), provisioner.Options{}), Store: accountStore{account: account}, Guard: noGuard{}, Assets: newAssets(f),
		NonceKey: []byte("key"), Record: func(models.Fetch) {}, Refused: func(models.Refusal) {}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	f.Fuzz(func(t *testing.T, path string) {
		req, ok := readRequest("/p/token/" + path)
		if !ok {
			return
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		if w.Code >= 500 || strings.Contains(w.Body.String(), "outside") {
			t.Errorf("GET %q: got %d %q", path, w.Code, w.Body)
		}
	})
}

// An accountStore knows one account, by any token.
type accountStore struct {
	emptyStore
	account *models.Account
}

func (s accountStore) AccountByPathToken(context.Context, models.Secret) (*models.Account, error) {
	return s.account, nil
}
