package strictxml_test

import (
	"encoding/xml"
	"errors"
	"slices"
	"strings"
	"testing"

	"dialtone/internal/strictxml"
)

func TestWalk(t *testing.T) {
	tests := []struct {
		name, body, elements string
		line                 int
		reason               string
	}{
		{"a document", "<?xml version=\"1.0\"?>\n<a x=\"1\">\n <b/><c/></a>\n", "a b c", 0, ""},
		{"no root", "<!-- -->\n", "", 2, "0 root elements"},
		{"two roots", "<a/>\n<b/>\n", "", 3, "2 root elements"},
		{"attribute twice", "<a>\n<b x=\"1\" x=\"2\"/></a>", "", 2, "attribute x is there twice"},
		{"not closed", "<a>\n", "", 1, "element a is not closed"},
		{"text outside", "<a/>\nb", "", 2, "text outside"},
		{"empty", "", "", 1, "0 root elements"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var names []string
			err := strictxml.Walk([]byte(tt.body), func(e xml.StartElement) { names = append(names, e.Name.Local) })
			if tt.reason == "" {
				if got := strings.Join(names, " "); err != nil || got != tt.elements {
					t.Errorf("got %q, %v, want %q", got, err, tt.elements)
				}
				return
			}
			var mistake *strictxml.Error
			if !errors.As(err, &mistake) || mistake.Line != tt.line || !strings.Contains(mistake.Reason, tt.reason) {
				t.Errorf("got %v, want line %d: %s", err, tt.line, tt.reason)
			}
		})
	}
}

func TestLeaves(t *testing.T) {
	got, err := strictxml.Leaves([]byte("<?xml version=\"1.0\"?>\n<a>\n<b i=\"2\"><c> x &lt;\n y </c>\n<d i=''/></b><b/></a>"), strictxml.Index{Attribute: "i"})
	want := []strictxml.Leaf{
		{Path: []string{"b.2", "c"}, Value: "x <\n y", Line: 3},
		{Path: []string{"b.2", "d."}, Line: 5},
		{Path: []string{"b"}, Line: 5},
	}
	if err != nil || !slices.EqualFunc(got, want, func(a, b strictxml.Leaf) bool {
		return slices.Equal(a.Path, b.Path) && a.Value == b.Value && a.Line == b.Line
	}) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, broken := range []string{"", "<a><b></a>", "<a/><b/>"} {
		if leaves, err := strictxml.Leaves([]byte(broken), strictxml.Index{}); err == nil {
			t.Errorf("%q: got %+v, want an error", broken, leaves)
		}
	}
}

// An element within another one may tell it apart, if it is the first.
func TestIndexElement(t *testing.T) {
	leaves, err := strictxml.Leaves([]byte("<a><b><ID>S1</ID><c>x</c></b><b><c>y</c><ID>S2</ID></b><ID>z</ID></a>"), strictxml.Index{Element: "ID"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, leaf := range leaves {
		got = append(got, strings.Join(leaf.Path, ".")+"="+leaf.Value)
	}
	if want := []string{"b.S1.c=x", "b.c=y", "b.ID=S2", "ID=z"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
