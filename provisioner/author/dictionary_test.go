package author_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"dialtone/provisioner"
	"dialtone/provisioner/author"
	"dialtone/templates"
)

func dictionary(t *testing.T, text string) (*author.Dictionary, error) {
	t.Helper()
	return author.LoadDictionary(fstest.MapFS{"acme/parameters.tsv": {Data: []byte(text)}}, "acme")
}

const acmeParameters = `# comment

line.N.user	string	..8	the account
line.N.port	int	1..65535
line.N.codec.G722	bool
line.N.key.N.type	enum	blf,speed
free
open	enum
log.level	int	..5
`

func TestDictionary(t *testing.T) {
	d, err := dictionary(t, acmeParameters)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, value, want, nearest string }{ // want "?" = unknown
		{"line.1.user", "ann", "", ""},
		{"line.1.user", "ann-marie", "want at most 8 characters", ""},
		{"line.1.user", "电话电话电话电话", "", ""},
		{"line.12.port", "5060", "", ""},
		{"line.12.port", "", "", ""},
		{"line.12.port", "0", "want at least 1", ""},
		{"line.12.port", "sip", "want a number", ""},
		{"line.2.codec.G722", "1", "", ""},
		{"line.2.codec.G722", "yes", "want 0 or 1", ""},
		{"line.2.codec.G729", "1", "?", "line.N.codec.G722"},
		{"line.1.key.10.type", "blf", "", ""},
		{"line.1.key.10.type", "bfl", "want one of blf, speed", ""},
		{"free", "anything", "", ""},
		{"open", "anything", "", ""},
		{"log.level", "6", "want at most 5", ""},
		{"line.3.usr", "", "?", "line.3.user"},
		{"frobnicate.it", "", "?", ""},
		{"1.2.3.4.5.6.7.8.9.10", "", "?", ""},
	}
	for _, tt := range tests {
		p := d.Lookup(tt.name)
		if p == nil {
			if tt.want != "?" {
				t.Errorf("%s is not there", tt.name)
			} else if got := d.Nearest(tt.name); got != tt.nearest {
				t.Errorf("%s: the nearest is %q, want %q", tt.name, got, tt.nearest)
			}
			continue
		}
		if got := p.Check(tt.value); got != tt.want {
			t.Errorf("%s = %q: got %q, want %q", tt.name, tt.value, got, tt.want)
		}
	}
}

func TestDictionaryMistakes(t *testing.T) {
	tests := []struct {
		text   string
		line   int
		reason string
	}{
		{"a\n\na\n", 3, "there twice"},
		{"# x\na b\n", 2, "blanks"},
		{"a\tfloat\n", 1, `type "float"`},
		{"a\tint\tmany\n", 1, "want 1..9"},
		{"a\tbool\t0..1\n", 1, "has none"},
		{"a\tint\t\tnote\tmore\n", 1, "tab between"},
		{"a\xff\n", 1, "UTF-8"},
	}
	for _, tt := range tests {
		_, err := dictionary(t, tt.text)
		located := &provisioner.FileError{}
		if !errors.As(err, &located) || located.File != "acme/parameters.tsv" || located.Line != tt.line || !strings.Contains(located.Reason, tt.reason) {
			t.Errorf("%q: got %v, want line %d: %s", tt.text, err, tt.line, tt.reason)
		}
	}
	if d, err := author.LoadDictionary(fstest.MapFS{}, "acme"); d != nil || err != nil {
		t.Errorf("without a file: got %v, %v", d, err)
	}
}

// Built-in dictionaries are readable.
func TestBuiltinDictionaries(t *testing.T) {
	catalog, err := provisioner.Parse(templates.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, brand := range catalog.Brands() {
		if _, err := author.LoadDictionary(templates.FS, brand); err != nil {
			t.Errorf("%s: %v", brand, err)
		}
	}
}
