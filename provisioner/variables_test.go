package provisioner

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sampleFolder = sampleURL + "/p/" + sampleToken + "/"

// everything is a view in which no list is empty.
func everything(t *testing.T) view {
	t.Helper()
	s, err := readSample(os.DirFS("testdata"), "everything.json")
	if err != nil {
		t.Fatal(err)
	}
	return sampleView(t, s)
}

// sampleView is what templates of the model t12 see of a sample.
func sampleView(t *testing.T, s sample) view {
	t.Helper()
	b := loadAcme(t, nil).brands["acme"]
	phone, err := s.forTarget(target{model: b.model("t1x", "t12")})
	if err != nil {
		t.Fatal(err)
	}
	in := b.deviceInput(phone, s.users, sampleRegistrar)
	in.model.Lines++ // one more than it has devices for
	in.now = sampleNow
	in.firmware = "86.1"
	in.phonebook = phonebookEntries(s.users)
	in.server = server{URL: sampleFolder, Username: "001122334455", Password: phone.Device.HTTPPassword}
	return wholeView(in)
}

// wholeView is what a template sees that reads everything.
func wholeView(in viewInput) view {
	return newView(in, sortedKeys(viewParts), func(s string) string { return s })
}

// A view has the variables of the table, and no others, each of its type.
func TestVariables(t *testing.T) {
	c := &comparison{filled: map[string]bool{}}
	c.value(t, "view", viewShape, everything(t))
	for path, filled := range c.filled {
		if !filled {
			t.Errorf("%s is always empty: nothing of it is compared", path)
		}
	}
}

// A comparison is that of a view with what is documented.
type comparison struct {
	filled map[string]bool // lists, by path: whether one had elements
}

func (c *comparison) value(t *testing.T, path string, want *shape, got any) {
	t.Helper()
	switch want.Type {
	case typeText, typeInt, typeBool:
		if typ := map[string]string{typeText: "string", typeInt: "int", typeBool: "bool"}[want.Type]; fmt.Sprintf("%T", got) != typ {
			t.Errorf("%s is a %T, documented as %s", path, got, want.Type)
		}
	case typeList:
		list, ok := got.([]any)
		if !ok {
			t.Errorf("%s is %v, want a list", path, got)
		}
		c.filled[path] = c.filled[path] || len(list) > 0
		for _, element := range list {
			c.value(t, path+"[]", want.Element, element)
		}
	default:
		c.members(t, path, want, got)
	}
}

func (c *comparison) members(t *testing.T, path string, want *shape, got any) {
	t.Helper()
	object, ok := got.(map[string]any)
	if !ok {
		t.Errorf("%s is %v, want an object", path, got)
	}
	for name, member := range want.Members {
		if _, ok := object[name]; !ok {
			t.Errorf("%s.%s is documented and not there", path, name)
			continue
		}
		c.value(t, path+"."+name, member, object[name])
	}
	for name := range object {
		if want.Members[name] == nil && want.Type == typeObject {
			t.Errorf("%s.%s is there and not documented", path, name)
		}
	}
}

const (
	docsFile  = "../docs/templates.md"
	docsBegin = "<!-- variables: written by go test ./provisioner -run Documentation -update -->\n"
	docsEnd   = "<!-- end of variables -->\n"
)

// The variables' part of the guide for template authors is the table's.
func TestDocumentation(t *testing.T) {
	raw, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(raw), docsBegin)
	documented, after, ended := strings.Cut(rest, docsEnd)
	if !found || !ended {
		t.Fatalf("%s has no part for the variables", docsFile)
	}
	want := variablesMarkdown()
	if *update {
		if err := os.WriteFile(docsFile, []byte(before+docsBegin+want+docsEnd+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(documented, want); diff != "" {
		t.Errorf("go test ./provisioner -run Documentation -update rewrites the guide (-guide +table):\n%s", diff)
	}
}

// variablesMarkdown writes the table. Variables without a meaning of their own
// are only there to be checked.
func variablesMarkdown() string {
	var out strings.Builder
	for _, group := range variableGroups {
		fmt.Fprintf(&out, "\n### %s\n\n", group.Title)
		if group.Intro != "" {
			fmt.Fprintf(&out, "%s\n\n", group.Intro)
		}
		out.WriteString("| variable | type | meaning | example |\n| --- | --- | --- | --- |\n")
		for _, v := range group.List {
			if v.Meaning == "" && v.Example == "" {
				continue
			}
			fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", spoken(v.Path), v.Type, v.Meaning, quoted(v.Example))
		}
	}
	out.WriteString("\n")
	return out.String()
}

// spoken is a path as a template writes it: "line.servers" in a loop over lines.
func spoken(path string) string {
	i := strings.LastIndex(path, "[]")
	if i < 0 {
		return path
	}
	return elementNames[path[:i]] + path[i+2:]
}

// elementNames are what the guide calls the elements of lists.
var elementNames = map[string]string{
	"lines": "line", "lines[].servers": "registrar", "codecs.on": "codec", "codecs.off": "codec",
	"unused_lines": "number", "keys.line": "key", "keys.expansion": "module", "phonebook.entries": "entry", "keys.combo": "key", "assets.ringtones": "ringtone",
}

func quoted(example string) string {
	if example == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(example, "|", `\|`) + "`"
}

func TestElementNames(t *testing.T) {
	for _, group := range variableGroups {
		for _, v := range group.List {
			if i := strings.LastIndex(v.Path, "[]"); i >= 0 && elementNames[v.Path[:i]] == "" {
				t.Errorf("the elements of %s have no name in the guide", v.Path[:i])
			}
		}
	}
}
