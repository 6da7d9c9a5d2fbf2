package provisioner

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flosch/pongo2/v6"
)

// expressionSeeds are of every kind that templates use, and some that the engine
// alone understands.
var expressionSeeds = []string{
	"text", "n", "zero", "yes", "nothing", "absent", "list", "object", "fraction", "wrapped", "wrapped_list.1.name", "engine.Counter",
	"object.name", "object.absent", "object.absent.deeper", "object.list.0", "object.list.9", "list.1.name", "text.name", "n.name", "object.0", "list.name", "text.0",
	"3", "2.5", `"quoted"`, "true", "not true", "not n", "not zero", "not text", "not nothing", "not list", "-n", "- 1", "+n", "1 - -n",
	"n + 1", "n - 1", "n * 2 + 1", "1 + n * 2", "(n + 1) * 2", "n / 2", "n / zero", "n % 2", "n ^ 2", "n - 1 - 1", "n * 2 * 2", "text + 1", "1 + text", "yes + 1", "nothing + 1",
	"n == 3", "n != 3", "n <> 3", "n < 4", "n <= 3", "n > text", `text == "a text"`, `text != "b"`, "yes == true", "nothing == absent", "nothing == text", `n == "3"`, "list == list", "list == 1", "object != 1",
	"n == 3 == true", "not n == 0", "not n + 1", `"a" in list`, `"text" in text`,
	"yes and n", "yes and zero or yes", "zero or text", "zero and list.name", "no or no", "nothing and yes", "yes && n", "zero || n", "!n", "yes and not no",
	`empty|default:"none"`, `text|default:"none"`, `zero|default:n`, `zero|default:empty|default:"x"`, "n|default:text.name", "fraction|default:1", `empty|default:"a" == "a"`,
	"text|upper", "text|length > 3", `text|default`, `(n)|default:1`, "n|add:1", `list|length`, `object["name"]`, "list[1]", "text()", "object.list.0.1", "n.1", "1.n", "0)%(010",
	"digits|integer", "text|integer", "n|integer", "yes|integer", "nothing|integer", "fraction|integer", "list|integer", `"1e99"|integer`, `"-7.9"|integer`,
	"list|first", "words|last", "text|first", "umlauts|last", "empty|last", "n|first", "object|first", "nothing|last", "list.1|first", "list|last + 1", "engine|first",
	`text|cut:"t"`, "n|cut:n", "text|cut:nothing", "text|cut", "list|cut:n", `text|split:" "|last`, "n|split:3", "text|split", "text|split:empty|length", "words|join:n", "list|join:n", "words|join", `text|join:","`,
	"n|add:text", "n|add", "yes|add:n", "nothing|add:nothing", "fraction|add:n", "list|add:n", "text|limit:3", "digits|limit:digits", `umlauts|limit:"2"`, "n|limit:yes", "list|limit:1",
	"object|length", "umlauts|length", "nothing|length", "n|length", "words|length", "engine|length", "words", "words.1", "not words", "words and n", "words|default:1", "words == words",
	"n / 2 == 1", "n % zero", "7 / 2 * 2", "7 % 4 - 1", "n in list", "7 in list", `"a" in list`, `"name" in object`, "n in object", "nothing in list", "list in list", "n in text", `"x" in words`, "text in nothing",
	"1 in n", "n in n + 1", "not n in list", "n + 1 == 4", "n + 1 == text", "n + 1 in list", "4 > n + 0", "n == 1 + 2 and n + 1 > 3", "1 + 2 + 3 * n", `"a" in "abc" == true`,
}

// FuzzExpression holds expressions to what the engine makes of them.
func FuzzExpression(f *testing.F) {
	for _, seed := range expressionSeeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, e string) {
		text := "{{ " + e + " }}"
		codes, err := scanTemplate("acme/a.tpl", text)
		if err != nil || len(e) > 100 || len(codes) != 1 || codes[0].end < len(text) || !hasAllowedFilters(codes[0]) {
			return // it does not get as far as the engine
		}
		compareWithEngine(t, "{% "+writeTag+" "+e+" %}", text)
		condition := "{{ (" + e + ") and true }}"
		if _, err := pongo2.FromString(text); err != nil {
			condition = text // "1)+(1" is an expression in parentheses alone
		}
		compareWithEngine(t, "{% if "+e+" %}True{% else %}False{% endif %}", condition)
		compareWithEngine(t, "{% set x = "+e+" %}{{ x }}", text)
	})
}

func hasAllowedFilters(c code) bool {
	for i, t := range c.tokens {
		if c.is(i-1, "|") && !slices.Contains(allowedFilters, t.text) {
			return false
		}
	}
	return true
}

// compareWithEngine wants two templates to write the same, or to fail both.
func compareWithEngine(t *testing.T, ours, engines string) {
	t.Helper()
	want, wantErr := renderText(engines)
	got, err := renderText(ours)
	if (err != nil) != (wantErr != nil) || got != want {
		t.Errorf("%s writes %q (%v), %s writes %q (%v)", ours, got, err, engines, want, wantErr)
	}
}

func renderText(text string) (out string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	template, err := pongo2.FromString(text)
	if err != nil {
		return "", err
	}
	inner := view{"name": "inner"}
	return template.Execute(pongo2.Context{
		budgetName: &budget{},
		"text":     "a text", "empty": "", "n": 3, "zero": 0, "yes": true, "no": false, "nothing": nil, "fraction": 2.5,
		"list": []any{"a", inner, 7}, "object": view{"name": "x", "list": []any{1, "b"}},
		"digits": "42", "umlauts": "\u00fc&amp;\u00e9", "words": []string{"x", "y"},
		"wrapped": pongo2.AsValue("kept"), "wrapped_list": pongo2.AsValue([]any{1, inner}), "engine": struct{ Counter int }{4},
	})
}

// TestSimpleExpressions are evaluated without the engine, which is what makes
// large files fast.
func TestSimpleExpressions(t *testing.T) {
	for _, e := range []string{
		"n", "object.list.0", "not n", "n * 2 + 1", "(n - zero) * 3 + 298", `text == "a text"`, "n > 2 and n < zero + 8", `empty|default:"none"`, "true",
		`text|split:" "|last`, "(n + 59) / 60 % 2", `text|cut:"t"|default:"x"`, "list|length > 1", `"name" in object`, `text|add:n|add:".x"`, "digits|integer", "text|limit:3", `words|join:"+"`, "list|first",
	} {
		template, err := pongo2.FromString("{% " + probeTag + " " + e + " %}")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := template.Execute(nil); err != nil || got != "simple" {
			t.Errorf("%s is left to the engine (%v)", e, err)
		}
	}
}

// probeTag tells of an expression whether it is simple.
const probeTag = "probe"

type probe string

func init() {
	err := pongo2.RegisterTag(probeTag, func(_ *pongo2.Parser, _ *pongo2.Token, arguments *pongo2.Parser) (pongo2.INodeTag, *pongo2.Error) {
		e, err := parseExpression(arguments)
		if e.simple == nil {
			return probe("the engine's"), err
		}
		return probe("simple"), err
	})
	if err != nil {
		panic(err)
	}
}

func (p probe) Execute(_ *pongo2.ExecutionContext, w pongo2.TemplateWriter) *pongo2.Error {
	_, _ = w.WriteString(string(p))
	return nil
}

// TestBrokenTags are refused as the engine refuses them.
func TestBrokenTags(t *testing.T) {
	for text, want := range map[string]string{
		"{% set %}":                                   "name of a variable",
		"{% set x %}":                                 "want =",
		"{% set x = %}":                               "Unexpected EOF",
		"{% set x = 1 2 %}":                           "goes on",
		"{% if %}{% endif %}":                         "Unexpected EOF",
		"{% if 1 2 %}{% endif %}":                     "goes on",
		"{% if 1 %}":                                  "Unexpected EOF",
		"{% if 1 %}{% else 1 %}{% endif %}":           "else takes no arguments",
		"{% if 1 %}{% endif 1 %}":                     "endif takes no arguments",
		"{% if 1 %}{% else %}{% elif 1 %}{% endif %}": "'elif' not found",
		"{% if 1 %}{% else %}{% else %}{% endif %}":   "'else' not found",
		"{% if 1 %}{% elif 1 2 %}{% endif %}":         "goes on",
	} {
		if _, err := renderText(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}
