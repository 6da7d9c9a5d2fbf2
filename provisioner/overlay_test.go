package provisioner

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"dialtone/templates"
)

func TestOverlay(t *testing.T) {
	base := fstest.MapFS{
		"a/one.tpl":   {Data: []byte("base one")},
		"a/two.tpl":   {Data: []byte("base two")},
		"b/three.tpl": {Data: []byte("base three")},
		"c":           {Data: []byte("a file")},
	}
	top := fstest.MapFS{
		"a/two.tpl":     {Data: []byte("top two")},
		"a/x/four.tpl":  {Data: []byte("top four")},
		"c/five.tpl":    {Data: []byte("top five")},
		"new/six.tpl":   {Data: []byte("top six")},
		"b/three.tpl.d": {Data: []byte("beside")},
	}
	tree := Overlay(base, top)
	want := map[string]string{
		"a/one.tpl": "base one", "a/two.tpl": "top two", "a/x/four.tpl": "top four", "b/three.tpl": "base three",
		"b/three.tpl.d": "beside", "c/five.tpl": "top five", "new/six.tpl": "top six",
	}
	var names []string
	for name, text := range want {
		names = append(names, name)
		if got, err := fs.ReadFile(tree, name); err != nil || string(got) != text {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, text)
		}
	}
	if err := fstest.TestFS(tree, names...); err != nil {
		t.Error(err)
	}
}

func TestOverlayReadsNothingOutside(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret.tpl")
	dir := t.TempDir()
	write(t, secret, "name = secret\n")
	if err := os.Mkdir(filepath.Join(dir, "acme"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(dir, "acme", "settings.tpl")); err != nil {
		t.Fatal(err)
	}
	_, err := LoadOverlay(acme(nil), dir)
	if err == nil || !strings.Contains(err.Error(), "acme/settings.tpl") {
		t.Errorf("got %v, want an error about the link", err)
	}
	if _, err := LoadOverlay(acme(nil), filepath.Join(dir, "absent")); err == nil {
		t.Error("an absent folder loads")
	}
}

// A model is added with a manifest line and, if it differs, a template that
// extends the brand's; no Go and no built-in file changes.
func TestAddModel(t *testing.T) {
	dir := t.TempDir()
	manifest, err := fs.ReadFile(templates.FS, "yealink/manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const before = "  t4x:\n    label: T4 series\n    model: {line_keys: 27}\n    models:\n"
	const line = "      t45x: {label: T45X, lines: 8, line_keys: 20, aliases: [sip-t45x], attributes: {common: \"000000000999\"}}\n"
	write(t, filepath.Join(dir, "yealink", "manifest.yaml"), strings.Replace(string(manifest), before, before+line, 1))
	write(t, filepath.Join(dir, "yealink", "t4x", "t45x", "settings.tpl"),
		"{% extends \"yealink/settings.tpl\" %}\n{% block extra %}\nfeatures.something = 1\n{% endblock %}\n")
	c, err := LoadOverlay(templates.FS, dir)
	if err != nil {
		t.Fatal(err)
	}
	s := NewService(&fakeStore{}, c, Options{})
	phone := newPhone(t, `{"realm": "acme.example.com"}`, "", `{"mac_address": "001565aabbcc", "sip": {"username": "ann"},
		"provision": {"endpoint_brand": "yealink", "endpoint_family": "t4x", "endpoint_model": "SIP-T45X"}}`)
	for name, want := range map[string]string{
		"001565aabbcc.cfg":  "features.something = 1\n",
		"001565aabbcc.boot": "include:config \"y000000000999.cfg\"\n",
		"y000000000999.cfg": "sip.notify_reboot_enable = 0\n",
	} {
		f, err := s.DeviceFile(t.Context(), phone, name)
		if err != nil || !strings.Contains(string(f.Body), want) {
			t.Errorf("%s: %v, want %q in:\n%s", name, err, want, f.Body)
		}
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A brand whose templates use a file of another one is proved with it.
func TestOverlayOfSharedFile(t *testing.T) {
	base := acme(map[string]string{
		"acme/shared.tpl":          "volume = 1\n",
		"other/manifest.yaml":      strings.Replace(acmeManifest, "brand: acme", "brand: other", 1),
		"other/settings.tpl":       "{% include \"acme/shared.tpl\" %}",
		"other/common.tpl":         "{% include \"acme/shared.tpl\" %}",
		"other/page.tpl":           "<page/>\n",
		"other/samples/plain.json": acmeSample,
	})
	dir := t.TempDir()
	write(t, filepath.Join(dir, "acme", "shared.tpl"), "volume = 2\n")
	if _, err := LoadOverlay(base, dir); err != nil {
		t.Error(err)
	}
	write(t, filepath.Join(dir, "acme", "shared.tpl"), "no setting\n")
	if _, err := LoadOverlay(base, dir); err == nil || !strings.Contains(err.Error(), "want key = value") {
		t.Errorf("got %v, want an error about the other brand's file", err)
	}
}
