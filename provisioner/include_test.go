package provisioner

import (
	"strings"
	"testing"
)

// Includes and loops are not the engine's, but write what the engine would: the
// same files with a block in them are left to it.
func TestIncludes(t *testing.T) {
	tests := []struct{ name, text, part, want string }{
		{"sees the variables", `{% set x = 1 %}{% include "acme/part.tpl" %}`, "{{ x }} {{ account.realm }}", "1 acme.example.com"},
		{"leaves none behind", `{% set x = 1 %}{% include "acme/part.tpl" %} {{ x }}`, "{% set x = 2 %}{{ x }}", "2 1"},
		{"is handed some", `{% set x = 1 %}{% include "acme/part.tpl" with x=x+1 y="a" %} {{ x }}`, "{{ x }}{{ y }}", "2a 1"},
		{"is handed only those", `{% set x = 1 %}{% include "acme/part.tpl" with y=x only %}`, "{{ x }}|{{ y }}|{{ account.realm }}", "|1|"},
		{"in a loop", `{% for x in "ab" %}{% include "acme/part.tpl" %}{% endfor %}`,
			"{{ x }}{{ forloop.Counter }}{% for y in x %}{{ forloop.Counter }}{% if forloop.Parentloop %}!{% endif %}{% endfor %} ", "a11 b21"},
		{"included twice deep", `{% for x in "ab" %}{% include "acme/outer.tpl" %}{% endfor %}`, "{{ x }}{{ forloop.Last }} ", "aFalse bTrue"},
		{"calls a macro around it", `{% macro m(x) %}<{{ x }}>{% endmacro %}{% include "acme/part.tpl" with z=3 %}`, "{% macro n(x) %}[{{ x }}]{% endmacro %}{{ n(z) }}", "[3]"},
		{"removes white space", `a {%- include "acme/part.tpl" -%} b`, " \n{{- account.realm -}}\n ", "aacme.example.comb"},
		{"if it exists", `{% include "acme/part.tpl" if_exists %}`, "x", "x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			render := func(block string) string {
				return acmeText(t, tt.text, map[string]string{"acme/part.tpl": tt.part + block, "acme/outer.tpl": `{% include "acme/part.tpl" %}` + block})
			}
			own, engines := render(""), render("{% block none %}{% endblock %}")
			if own != tt.want || engines != own {
				t.Errorf("got %q, of the engine %q, want %q", own, engines, tt.want)
			}
		})
	}
}

func TestLoops(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"list", `{% for l in lines %}{{ l.number }}{{ l.username }}{% endfor %}`, "1ann"},
		{"what is known of a loop", `{% for x in list %}{{ forloop.Counter }}{{ forloop.Counter0 }}{{ forloop.Revcounter }}{{ forloop.Revcounter0 }}{{ forloop.First }}{{ forloop.Last }}{{ x }} {% endfor %}`,
			"1021TrueFalsea 2110FalseTrueb"},
		{"a loop in a loop", `{% for x in list %}{% for y in list %}{{ forloop.Parentloop.Counter }}{{ forloop.Counter }}{{ x }}{{ y }} {% endfor %}{{ forloop.Counter }} {% endfor %}`,
			"11aa 12ab 1 21ba 22bb 2"},
		{"the list stays as it is", `{% for x in list reversed %}{{ x }}{% endfor %}{% for x in list %}{{ x }}{% endfor %}`, "baab"},
		{"sorted", `{% for x in list reversed sorted %}{{ x }}{% endfor %}{% for x in "b,a"|split:"," sorted %}{{ x }}{% endfor %}`, "baab"},
		{"object", `{% for name, value in phone sorted %}{{ name }}={{ value }} {% endfor %}`, "firmware= generation=0"},
		{"text", `{% for c in "abc" %}{{ c }}{% if not forloop.Last %},{% endif %}{% endfor %} {% for c in "abc" reversed %}{{ c }}{% endfor %}`, "a,b,c cba"},
		{"nothing", `{% for x in device.none %}x{% empty %}{{ forloop.Counter }}empty{% endfor %} {% for x in "" %}x{% endfor %}{% for x in 3 %}{% empty %}no list{% endfor %}`, "0empty no list"},
		{"leaves nothing behind", `{% set x = 1 %}{% for x in list %}{% set x = 2 %}{% endfor %}{{ x }}{{ forloop }}`, "1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := acmeText(t, `{% set list = "a,b"|split:"," %}`+tt.text, nil); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// acmeText is what a template makes of a plain device, without white space
// around it.
func acmeText(t *testing.T, text string, files map[string]string) string {
	t.Helper()
	changes := map[string]string{"acme/settings.tpl": "a = " + text + "\n"}
	for name, content := range files {
		changes[name] = content
	}
	s := NewService(&fakeStore{}, loadAcme(t, changes), Options{})
	f, err := s.DeviceFile(t.Context(), acmePhone(t), "001122334455.txt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(strings.TrimPrefix(string(f.Body), "a = "))
}
