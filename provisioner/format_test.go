package provisioner

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"dialtone/models"
)

func TestEscape(t *testing.T) {
	tests := []struct{ name, in, xml, ini string }{
		{"plain", "Zoë 电话", "Zoë 电话", "Zoë 电话"},
		{"markup", `<a b="c" d='e'>&`, "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;", `<a b="c" d='e'>&`},
		{"line breaks", "a\r\nb\u2028c\u2029d\u0085e\vf", "a  b c d e f", "a  b c d e f"},
		{"controls", "a\x00\x07\x1bb", "a   b", "a   b"},
		{"broken UTF-8", "a\xffb", "a b", "a b"},
		{"outer blanks", " \u00a0a \n", " \u00a0a  ", "a"},
		{"no characters of XML", "a\ufffeb\uffffc", "a b c", "a b c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := escapeXML(tt.in); got != tt.xml {
				t.Errorf("xml: got %q, want %q", got, tt.xml)
			}
			if got := escapeINI(tt.in); got != tt.ini {
				t.Errorf("ini: got %q, want %q", got, tt.ini)
			}
		})
	}
}

// evil are values that try to become a setting or a tag.
var evil = []string{
	`x"/><evil a="`, "x\nlinekey.1.value = evil", "x\r\nevil = 1", "x\u2028evil = 1", "x\u0085evil = 1",
	`'><evil/>`, `]]><evil/>`, `<!-- `, `{{ 1/0 }}{% evil %}`, "#!version:1.0.0.1", "%NULL%", "x\x00\x1b",
}

// The names of all settings stay the same whatever strings the documents hold.
func TestNoInjection(t *testing.T) {
	c := builtinCatalog(t)
	for _, brand := range c.Brands() {
		names := map[string][]string{}
		for _, value := range append([]string{"harmless"}, evil...) {
			for file, body := range renderHostile(t, c, brand, value) {
				got := settingNames(t, c, brand, file, body)
				if value == "harmless" {
					names[file] = got
					continue
				}
				if !slices.Equal(got, names[file]) {
					t.Errorf("%s: %q changed the settings of %s:\n%s", brand, value, file, body)
				}
			}
		}
	}
}

// renderHostile renders a phone's files with value in every string member that
// an administrator or user can write.
func renderHostile(t *testing.T, c *Catalog, brand, value string) map[string]string {
	t.Helper()
	mac := models.MAC{0, 1, 2, 3, 4, 5}
	doc := func(members string) models.Document {
		return document(t, strings.NewReplacer(`"*"`, quoteJSON(value), `"proxy *"`, quoteJSON("proxy, ?"+value)).Replace(members))
	}
	phone := newPhone(t, `{}`, `{}`, `{}`)
	bob := newUser(t, bobID, `{}`)
	err := errors.Join(
		phone.Account.SetDocument(doc(`{"name": "*", "realm": "*", "language": "*", "ntp_server": "*", "timezone": "*", "extra": {"*": "*"}}`)),
		phone.Owner.SetDocument(doc(`{"first_name": "*", "last_name": "*", "name": "*", "presence_id": "*"}`)),
		bob.SetDocument(doc(`{"first_name": "*", "last_name": "*", "presence_id": "*"}`)),
		phone.Device.SetDocument(doc(`{"name": "*", "mac_address": "`+mac.String()+`", "presence_id": "*",
		  "sip": {"username": "*", "password": "*", "realm": "*", "proxy": "proxy *", "transport": "*"},
		  "media": {"audio": {"codecs": ["*"]}},
		  "provision": {"id": "*", "endpoint_brand": "`+brand+`", "endpoint_family": "*", "endpoint_model": "*",
		    "combo_keys": {"1": {"type": "presence", "value": {"value": "`+bobID+`", "label": "*"}}, "2": {"type": "speed_dial", "value": "*"},
		      "3": {"type": "parking", "value": {"value": "*", "label": "*"}}, "4": {"type": "*", "value": "*"}},
		    "feature_keys": {"4": {"type": "personal_parking", "value": "`+bobID+`"}}}}`)),
	)
	if err != nil {
		t.Fatal(err)
	}
	s := NewService(&fakeStore{users: []*models.User{bob}}, c, Options{BaseURL: "http://127.0.0.1:8080", Registrar: value})
	bodies := map[string]string{}
	for _, file := range c.brands[brand].deviceFiles(c.Model(brand, "", ""), mac) {
		f, err := s.DeviceFile(t.Context(), phone, file.name)
		if err != nil {
			t.Fatalf("%s with %q: %v", file.name, value, err)
		}
		bodies[file.name] = string(f.Body)
	}
	return bodies
}

func quoteJSON(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		if r < ' ' || r == '"' || r == '\\' {
			_, _ = fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	b.WriteByte('"')
	return b.String()
}

// settingNames are the elements and attributes, or the keys, of a file.
func settingNames(t *testing.T, c *Catalog, brand, name, body string) []string {
	t.Helper()
	names := map[string]bool{}
	for _, file := range c.brands[brand].deviceFiles(c.Model(brand, "", ""), models.MAC{0, 1, 2, 3, 4, 5}) {
		if file.name != name {
			continue
		}
		if file.rule.Format == "ini" {
			for line := range strings.Lines(body) {
				key, _, _ := strings.Cut(line, "=")
				names[strings.TrimSpace(key)] = true
			}
			continue
		}
		dec := xml.NewDecoder(strings.NewReader(body))
		for {
			token, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, body)
			}
			if start, ok := token.(xml.StartElement); ok {
				names[start.Name.Local] = true
				for _, attr := range start.Attr {
					names[attr.Name.Local] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}
