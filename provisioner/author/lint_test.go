package author_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"dialtone/provisioner/author"
	"dialtone/templates"
)

// Elements are looked up by their path below the root, where the manifest says so.
func TestLintOfPaths(t *testing.T) {
	tree := fstest.MapFS{}
	for name, text := range map[string]string{
		"acme/manifest.yaml": `brand: acme
label: Acme
check_sync: {resync: check-sync, reboot: check-sync}
files:
  - {role: settings, path: "{mac}.xml", template: settings.tpl, format: xml, content_type: text/xml, settings: true}
keys: {combo: {first: 1}, feature: {first: 2}}
transports: {udp: udp}
model: {label: ACME, lines: 1}
parameters: {style: paths, index: index}
`,
		"acme/settings.tpl": `<config>
  <sip>
    <line index="1"><user>ann</user><prot>1</prot></line>
    <line index="2"><user>bob</user></line>
    <line index="2"><user>eve</user></line>
  </sip>
  <log><level>9</level></log>
</config>
<!-- fixed --><!-- of {{ device.name }} -->
`,
		"acme/parameters.tsv": "sip.line.N.user\tstring\t..3\nsip.line.N.port\tint\nlog.level\tint\t0..7\n",
		"acme/samples/one.json": `{"account": {"id": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "realm": "acme.example.com"},
			"device": {"id": "cccccccccccccccccccccccccccccccc", "mac_address": "001122334455"}}`,
		"acme/goldens/one/index.tsv":         "unlisted\t001122334455.xml\tx\n",
		"acme/goldens/one/x":                 "",
		"acme/goldens/one/unlisted/more.txt": "",
	} {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	findings, err := author.Lint(t.Context(), tree, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, f := range findings {
		fmt.Fprintln(&got, f)
	}
	want := `acme/settings.tpl:3:38: unknown parameter sip.line.1.prot (did you mean sip.line.1.port?) [parameter]
acme/settings.tpl:5:22: parameter sip.line.2.user is set twice in 001122334455.xml, also in its line 4 [duplicate]
acme/settings.tpl:7:9: log.level = "9": want at most 7 [value]
acme/settings.tpl:9:23: a value in an XML comment: "--" in it breaks the file (say it in an element, or in {% comment %}) [malformed]
`
	if got.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", got.String(), want)
	}
}

// What differs in the same way is kept once, and not without bound.
func TestGroups(t *testing.T) {
	groups := &author.Groups{}
	for i := range 5000 {
		groups.Add(author.Difference{Name: fmt.Sprint("device ", i), Text: fmt.Sprint("+line ", i%2000, "\n")})
	}
	if len(groups.List) != 1000 || groups.Rest != 2000 || groups.List[0].Count != 3 {
		t.Errorf("%d groups, %d left out, %d in the first", len(groups.List), groups.Rest, groups.List[0].Count)
	}
	for range 10 {
		groups.Add(author.Difference{Name: "x", Text: "+line 0\n"})
	}
	if got := groups.List[0].String(); got != "device 0, device 2000, device 4000, x, x and 8 more\n+line 0\n" {
		t.Errorf("got %q", got)
	}
}

// Built-in templates write nothing that their dictionaries do not know, and no
// value outside of what phones take: of such they would keep another one.
func TestBuiltinValues(t *testing.T) {
	findings, err := author.Lint(t.Context(), templates.FS, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		t.Error(f)
	}
}
