package provisioner

import (
	"errors"
	"strings"
	"testing"
)

func TestManifestMistakes(t *testing.T) {
	tests := []struct {
		name     string
		old, new string // what is replaced in the manifest that loads
		line     int
		reason   string
	}{
		{"unknown member", "label: Acme", "labell: Acme", 2, `unknown field "labell"`},
		{"not YAML", "label: Acme", "label: [", 2, "sequence end token"},
		{"twice", "label: Acme", "brand: acme", 2, "already defined"},
		{"wrong type", "lines: 2", "lines: two", 27, "cannot unmarshal"},
		{"other brand's folder", "brand: acme", "brand: other", 1, `the folder "acme"`},
		{"user agent", "(?P<model>", "(?P<", 3, "user agent"},
		{"auto_answer", "reboot: acme-reboot}", "reboot: acme-reboot}\nauto_answer: [\"X: 1\", \"no header\"]", 5, "want a header"},
		{"pnp without a URL", "reboot: acme-reboot}", "reboot: acme-reboot}\npnp: {vendors: [acme], body: \"{mac}\"}", 5, "does not say {url}"},
		{"check_sync", "reboot: acme-reboot", "reboot: ''", 4, "resync and reboot"},
		{"role twice", "role: common", "role: settings", 7, "role"},
		{"path leads out", `"{mac}.xml"`, `"../{mac}.xml"`, 8, "path"},
		{"path twice", `"{mac}.xml"`, `"{mac}.txt"`, 8, "twice"},
		{"path with an unknown attribute", "m{number}.txt", "m{nope}.txt", 7, `no model has the attribute "nope"`},
		{"path with two MACs", `"{mac}.xml"`, `"{mac}{mac}.xml"`, 8, "only once"},
		{"settings in a common file", "content_type: text/plain}\n  - {role: page", "content_type: text/plain, settings: true}\n  - {role: page", 7, "needs {mac}"},
		{"template in another folder", "template: page.tpl", "template: x/page.tpl", 8, "want a file name"},
		{"unknown format", "format: xml", "format: json", 8, "ini, xml"},
		{"no content type", "content_type: text/xml", "content_type: ''", 8, "content_type"},
		{"upload without a bound", "template: page.tpl, format: xml, content_type: text/xml", "content_type: text/plain, upload: {}", 8, "upload.max_bytes is 0"},
		{"upload too large", "template: page.tpl, format: xml, content_type: text/xml", "content_type: text/plain, upload: {max_bytes: 99999999}", 8, "want 1 to"},
		{"upload of a common file", "template: common.tpl, format: ini, content_type: text/plain", "content_type: text/plain, upload: {max_bytes: 9}", 7, "needs {mac}"},
		{"upload of HTML", "template: page.tpl, format: xml, content_type: text/xml", "content_type: text/html, upload: {max_bytes: 9}", 8, "for an upload"},
		{"uploaded settings", "content_type: text/plain, settings: true", "content_type: text/plain, settings: true, upload: {max_bytes: 9}", 6, "itself writes"},
		{"override that is no upload", "content_type: text/xml", "content_type: text/xml, override: true", 8, "override"},
		{"first key", "combo: {first: 1", "combo: {first: 0", 10, "count from 1"},
		{"codec twice", "code: wide", "code: mu", 15, "twice"},
		{"codec name twice", "names: [PCMA]", "names: [PCMU]", 14, "twice"},
		{"no transport", "udp: \"0\", ", "", 17, "needs udp"},
		{"offsets", "transports: {", "offsets: {min: 1}\ntransports: {", 17, "min 1 is more than max 0"},
		{"defaults", "timezone: Etc/UTC", "timezone: {a: 1}", 19, "defaults"},
		{"model without lines", "lines: 1, line_keys: 4", "line_keys: 4", 21, "needs lines"},
		{"too many keys", "line_keys: 8", "line_keys: 8000", 27, "want 0 to"},
		{"generation", "generation: '^([0-9]+)", "generation: '^[0-9]+", 32, "want a regular expression with a group"},
		{"too many modules", "expansion_modules: 2", "expansion_modules: 11", 27, "expansion_modules is 11: want 0 to 10"},
		{"model name", "t12:", "T12:", 27, "lower-case"},
		{"alias twice", "aliases: [t11p]", "aliases: [t12]", 27, "already names"},
		{"attribute with another meaning", `attributes: {number: "12"}`, `attributes: {number: "12", mac: x}`, 27, "free name"},
		{"precedence", "precedence: last", "precedence: random", 31, "precedence"},
		{"boot step", "phone: {precedence: last}", "phone: {boot: [{head: a, put: b}]}", 31, "exactly one"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			manifest := strings.Replace(acmeManifest, tt.old, tt.new, 1)
			if manifest == acmeManifest {
				t.Fatalf("%q is not in the manifest", tt.old)
			}
			_, err := Load(acme(map[string]string{"acme/manifest.yaml": manifest}))
			wantFileError(t, err, "acme/manifest.yaml", tt.line, tt.reason)
		})
	}
}

func TestLoadMistakes(t *testing.T) {
	tests := []struct {
		name    string
		changes map[string]string
		file    string
		line    int
		reason  string
	}{
		{"no manifest beside templates", map[string]string{"other/settings.tpl": "x\n"}, "other/manifest.yaml", 0, "missing"},
		{"no samples", map[string]string{"acme/samples/plain.json": ""}, "acme/samples", 0, "no sample"},
		{"sample that is no JSON", map[string]string{"acme/samples/plain.json": "{"}, "acme/samples/plain.json", 1, "JSON"},
		{"sample with a member that there is not", map[string]string{"acme/samples/plain.json": "{\n\"acount\": {}}"}, "acme/samples/plain.json", 2, "acount"},
		{"sample without a device", map[string]string{"acme/samples/plain.json": `{"account": {}}`}, "acme/samples/plain.json", 0, "device"},
		{"sample without a MAC", map[string]string{"acme/samples/plain.json": `{"account": {}, "device": {}}`}, "acme/samples/plain.json", 0, "mac_address"},
		{"template missing", map[string]string{"acme/page.tpl": ""}, "acme/page.tpl", 0, "no such template"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(acme(tt.changes))
			wantFileError(t, err, tt.file, tt.line, tt.reason)
		})
	}
	if _, err := Load(acme(map[string]string{"acme/manifest.yaml": "", "acme/settings.tpl": "", "acme/common.tpl": "", "acme/page.tpl": ""})); err == nil {
		t.Error("an empty tree loads")
	}
}

// Whatever an author types: no panic, and every mistake names the file.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(acmeManifest))
	f.Add([]byte("brand: acme\nfiles: [{path: '{mac}'}]\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := parseBrand("acme/manifest.yaml", "acme", raw)
		if err == nil {
			if b.Brand != "acme" || len(b.Files) == 0 {
				t.Errorf("accepted %+v", b.Manifest)
			}
			return
		}
		if located := (&FileError{}); !errors.As(err, &located) || located.File != "acme/manifest.yaml" {
			t.Errorf("error without the file: %v", err)
		}
	})
}
