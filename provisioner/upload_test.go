package provisioner

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
)

// uploading is the acme manifest with a directory that a phone may replace, and
// a file of overrides that only it writes.
var uploading = strings.Replace(acmeManifest, "keys:\n", `  - {role: directory, path: "{mac}-dir.xml", template: page.tpl, format: xml, content_type: application/xml, upload: {max_bytes: 100}}
  - {role: overrides, path: "{mac}-local.txt", content_type: text/plain, upload: {max_bytes: 100}, override: true}
keys:
`, 1)

func TestRule(t *testing.T) {
	c := loadAcme(t, map[string]string{"acme/manifest.yaml": uploading})
	own, other := acmePhone(t).Device, acmePhone(t).Device
	other.Provision.Brand = "other"
	tests := []struct {
		name      string
		device    *models.Device
		role      string // "" = none
		overrides bool
	}{
		{"001122334455.txt", own, "settings", false},
		{"001122334455-dir.xml", own, "directory", false},
		{"001122334455-LOCAL.txt", own, "overrides", true},
		{"001122334455-local.txt", own, "overrides", true},
		{"001122334455-local.txt", other, "", false},
		{"../001122334455-local.txt", own, "", false},
	}
	for _, tt := range tests {
		req, _ := c.match(tt.name)
		rule, ok := req.Rule(tt.device)
		if ok != (tt.role != "") || ok && rule.Role != tt.role || c.Overrides(tt.device, tt.name) != tt.overrides {
			t.Errorf("%s of %s: got %+v, overrides %v, want role %q, %v",
				tt.name, tt.device.Provision.Brand, rule, c.Overrides(tt.device, tt.name), tt.role, tt.overrides)
		}
	}
}

// What only phones write is never rendered, nor missed.
func TestUploadOnlyFile(t *testing.T) {
	s := NewService(&fakeStore{}, loadAcme(t, map[string]string{"acme/manifest.yaml": uploading}), Options{})
	if _, err := s.DeviceFile(t.Context(), acmePhone(t), "001122334455-local.txt"); !errors.Is(err, models.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if f, err := s.DeviceFile(t.Context(), acmePhone(t), "001122334455-dir.xml"); err != nil || f.ContentType != "application/xml" {
		t.Errorf("the seed: got %+v, %v", f, err)
	}
}

func TestReportOfUploads(t *testing.T) {
	catalog := loadAcme(t, map[string]string{"acme/manifest.yaml": uploading})
	local := models.Upload{Name: "001122334455-local.txt", ETag: "abc", Bytes: 3}
	store := &fakeStore{uploads: []models.Upload{
		{Name: "001122334455-dir.xml", ETag: "def", Bytes: 4, ContentType: "application/xml"}, local, {Name: "001122334455-gone.txt"},
	}}
	s := NewService(store, catalog, Options{})
	settings, err := s.DeviceFile(t.Context(), acmePhone(t), "001122334455.txt")
	if err != nil {
		t.Fatal(err)
	}
	store.fetches = []models.Fetch{ // it fetched the directory before it stored its own
		{File: "001122334455.txt", Status: 200, ETag: settings.ETag}, {File: "001122334455-dir.xml", Status: 200, ETag: "seed"},
	}
	r, err := s.Report(t.Context(), acmePhone(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]models.Upload{local}, r.Overrides); diff != "" {
		t.Errorf("overrides:\n%s", diff)
	}
	if len(r.Files) != 4 || r.Files[3].ETag != "def" || r.Files[3].Bytes != 4 || r.Files[3].State != StateInSync || r.State != StateInSync {
		t.Errorf("got %s, files %+v", r.State, r.Files)
	}
	store.uploads = nil
	if r, err := s.Report(t.Context(), acmePhone(t)); err != nil || r.State != StateBehind || len(r.Overrides) != 0 {
		t.Errorf("after its deletion: got %+v, %v", r, err)
	}
}
