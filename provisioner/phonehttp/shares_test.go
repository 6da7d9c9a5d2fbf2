package phonehttp_test

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dialtone/models"
	"dialtone/provisioner"
	"dialtone/provisioner/phonehttp"
	"dialtone/templates"
)

// begin sends the head of a request and gives the first line of the answer.
func (s *site) begin(t *testing.T, head string) (net.Conn, string) {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := fmt.Fprintf(conn, "%s\r\nHost: x\r\n\r\n", head); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return conn, line
}

// beginUpload declares a megabyte, of which nothing comes.
func (s *site) beginUpload(t *testing.T, mac string) string {
	t.Helper()
	_, line := s.begin(t, "PUT "+s.token(mac+"-boot.log")+" HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1048576")
	return line
}

func isBusy(a answer) bool {
	return a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != ""
}

// Uploads that are announced and do not come keep nobody else's out.
func TestUploadsThatHang(t *testing.T) {
	s := newSite(t)
	other := s.createAccount(t, "other.example.com")
	s.createDevice(t, other, `{"name":"x","mac_address":"0004f2aabbcd","provision":{"endpoint_brand":"polycom"}}`)
	for i := range 40 {
		want := "HTTP/1.1 100 "
		if i >= 2 {
			want = "HTTP/1.1 503 "
		}
		if line := s.beginUpload(t, "0004f2aabbcc"); !strings.HasPrefix(line, want) {
			t.Fatalf("upload %d: got %q, want %s", i+1, line, want)
		}
	}
	if got := s.do(t, "PUT", s.token("0004f2aabbcc-app.log")); !isBusy(got) {
		t.Errorf("the same phone's: got %d, want 503 with Retry-After", got.status)
	}
	if got := s.put(t, "001565aabbcc-boot.log", "x"); got.status != http.StatusCreated {
		t.Errorf("of another phone: got %d, want 201", got.status)
	}
	if got := s.send(t, "PUT", "/p/"+other.PathToken.Reveal()+"/0004f2aabbcd-app.log", strings.NewReader("x")); got.status != http.StatusCreated {
		t.Errorf("of another account: got %d, want 201", got.status)
	}
}

// newFirmwareSite has one large asset.
func newFirmwareSite(t *testing.T) *site {
	t.Helper()
	folder := t.TempDir()
	name := filepath.Join(folder, "large.rom")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, 64<<20); err != nil { // a hole: it takes no room
		t.Fatal(err)
	}
	assets, err := phonehttp.OpenAssets(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = assets.Close() })
	return newSite(t, func(c *phonehttp.Config) { c.Assets = assets })
}

// One phone has four assets sent at once, one account a quarter of what there is.
func TestAssetsThatHang(t *testing.T) {
	s := newFirmwareSite(t)
	other := s.createAccount(t, "other.example.com")
	for phone := range 17 {
		mac := fmt.Sprintf("00:15:65:00:00:%02x", phone)
		for i := range 5 {
			want := "HTTP/1.1 200 "
			if i == 4 || phone == 16 {
				want = "HTTP/1.1 503 "
			}
			_, line := s.begin(t, "GET "+s.token("large.rom")+" HTTP/1.1\r\nUser-Agent: Yealink SIP-T46U 108.86.0.20 "+mac)
			if !strings.HasPrefix(line, want) {
				t.Fatalf("phone %d, download %d: got %q, want %s", phone, i+1, line, want)
			}
		}
	}
	if got := s.do(t, "HEAD", "/p/"+other.PathToken.Reveal()+"/large.rom"); got.status != http.StatusOK {
		t.Errorf("of another account: got %d, want 200", got.status)
	}
}

// What comes or goes drop by drop ends, although there is always a next drop.
func TestDrops(t *testing.T) {
	t.Cleanup(phonehttp.SetPace(100*time.Millisecond, 1<<30))
	s := newFirmwareSite(t)
	conn, _ := s.begin(t, "PUT "+s.token("0004f2aabbcc-boot.log")+" HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1048576")
	for err := error(nil); err == nil; time.Sleep(time.Millisecond) {
		_, err = conn.Write([]byte("x"))
	}
	conn, _ = s.begin(t, "GET "+s.token("large.rom")+" HTTP/1.1\r\nUser-Agent: Yealink SIP-T46U 108.86.0.20 00:15:65:aa:bb:cc")
	got, err := int64(0), error(nil)
	for err == nil {
		var n int64
		n, err = io.CopyN(io.Discard, conn, 32<<10)
		got += n
		time.Sleep(time.Millisecond)
	}
	if got >= 64<<20 {
		t.Error("the whole asset was sent")
	}
	for _, fetch := range s.waitFetches(t, 2) {
		if fetch.Status != 499 {
			t.Errorf("recorded: got %+v", fetch)
		}
	}
	if _, err := s.store.Upload(t.Context(), s.polycom.ID, "0004f2aabbcc-boot.log"); err == nil {
		t.Error("half an upload is stored")
	}
}

// A disabled phone, and one of a disabled owner, gets nothing by its own
// credentials, whatever it asks for.
func TestDisabledPhoneByDigest(t *testing.T) {
	s := newAssetSite(t)
	owner := &models.User{AccountID: s.account.ID}
	if err := owner.SetDocument(models.Document{"first_name": "Ann", "last_name": "A", "enabled": false}); err != nil {
		t.Fatal(err)
	}
	if err := s.store.CreateUser(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	for mac, extra := range map[string]string{"001565aabbce": `"enabled":false`, "001565aabbcf": fmt.Sprintf(`"owner_id":%q`, owner.ID)} {
		d := s.createDevice(t, s.account, fmt.Sprintf(`{"name":"x","mac_address":%q,%s,"provision":{"endpoint_brand":"yealink","endpoint_family":"t4x","endpoint_model":"t46u"}}`, mac, extra))
		for _, file := range []string{mac + ".cfg", "y000000000108.cfg", "phonebook.xml", "assets/logo.BMP", "logo.BMP"} {
			if got := s.digest(t, "GET", "/"+file, mac, d.HTTPPassword); got.status != http.StatusUnauthorized {
				t.Errorf("%s of %s: got %d, want 401", file, extra, got.status)
			}
		}
	}
}

// Of a name that several brands have, a phone that is known gets its own.
func TestCommonFileOfOwnBrand(t *testing.T) {
	manifest, err := fs.ReadFile(templates.FS, "yealink/manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const files = "\nfiles:\n"
	changed := strings.Replace(string(manifest), files, files+"  - {role: site, path: site.cfg, template: ownsite.tpl, format: ini, content_type: text/plain}\n", 1)
	overlay := filepath.Join(t.TempDir(), "yealink")
	if err := os.MkdirAll(overlay, 0o750); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"manifest.yaml": changed, "ownsite.tpl": "own = 1\n"} {
		if err := os.WriteFile(filepath.Join(overlay, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	catalog, err := provisioner.LoadOverlay(templates.FS, filepath.Dir(overlay))
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(c *phonehttp.Config) { c.Files.Swap(catalog) })
	if got := s.digest(t, "GET", "/site.cfg", "001565aabbcc", s.yealink.HTTPPassword); got.body != "own = 1\n" {
		t.Errorf("got %d %q", got.status, got.body)
	}
	if got := s.digest(t, "GET", "/site.cfg", "0004f2aabbcc", s.polycom.HTTPPassword); got.status != http.StatusOK || got.body == "own = 1\n" {
		t.Errorf("of another brand: got %d %q", got.status, got.body)
	}
}
