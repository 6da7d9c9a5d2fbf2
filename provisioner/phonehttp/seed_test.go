package phonehttp_test

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dialtone/models"
	"dialtone/provisioner"
	"dialtone/provisioner/phonehttp"
	"dialtone/templates"
)

// A file with a template that phones may store is the template's until a phone
// has stored its own, and again when that is deleted.
func TestUploadWinsOverTemplate(t *testing.T) {
	manifest, err := fs.ReadFile(templates.FS, "polycom/manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const rule = `path: "{mac}-calls.xml", `
	seeded := strings.Replace(string(manifest), rule, rule+"template: seed.tpl, format: xml, ", 1)
	if seeded == string(manifest) {
		t.Fatal("the manifest has no such rule")
	}
	overlay := filepath.Join(t.TempDir(), "polycom")
	if err := os.MkdirAll(overlay, 0o750); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"manifest.yaml": seeded, "seed.tpl": "<calls name=\"{{ device.name }}\"/>\n"} {
		if err := os.WriteFile(filepath.Join(overlay, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	catalog, err := provisioner.LoadOverlay(templates.FS, filepath.Dir(overlay))
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(c *phonehttp.Config) { c.Files.Swap(catalog) })
	check := func(want string) {
		t.Helper()
		got := s.do(t, "GET", s.token("0004f2aabbcc-calls.xml"))
		if got.status != http.StatusOK || got.body != want || got.header.Get("Content-Type") != "application/xml" {
			t.Errorf("got %d %v %q, want %q", got.status, got.header, got.body, want)
		}
	}
	check("<calls name=\"Bob\"/>\n")
	s.put(t, "0004f2aabbcc-calls.xml", "<calls>{{ device.name }}</calls>")
	check("<calls>{{ device.name }}</calls>")
	if _, err := s.store.DeleteUploads(t.Context(), s.polycom, func(models.Upload) bool { return true }); err != nil {
		t.Fatal(err)
	}
	check("<calls name=\"Bob\"/>\n")
}
