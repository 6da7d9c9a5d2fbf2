package provisioner

import (
	"strings"
	"testing"
)

// A macro that is not exported is called without the engine, and writes what the
// engine would: one that is exported is left to it.
func TestMacros(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"arguments", `{% macro m(a, b) EXPORT %}{{ a }}-{{ b }}{% endmacro %}{{ m(1, "x") }} {{ m(lines.0.username, 2 + 3) }} {{ m(1) }}`, "1-x ann-5 1-"},
		{"defaults", `{% set z = 7 %}{% macro m(a, b=z|add:1, c="x") EXPORT %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 2) }} {{ m(1, 2, 3) }}`, "18x 12x 123"},
		{"no parameters", `{% macro m() EXPORT %}{{ account.realm }}{% endmacro %}{{ m() }}{{ m() }}`, "acme.example.comacme.example.com"},
		{"sees the place where it is defined", `{% macro m() EXPORT %}{{ x }}{{ y }}{{ forloop.Counter }}{% endmacro %}{% set x = 1 %}{% for y in "ab" %}{% set x = 2 %}{{ m() }},{% endfor %}`, "1,1,"},
		{"leaves nothing behind", `{% set x = 1 %}{% macro m(y) EXPORT %}{% set x = y %}{{ x }}{% endmacro %}{{ m(2) }}{{ x }}{{ y }}`, "21"},
		{"in an expression", `{% macro m(a) EXPORT %}{{ a }}!{% endmacro %}{% if m(1) == "1!" %}yes{% endif %} {{ m("a")|upper }} {{ m(1) + m(2) }} {% set x = m(3) %}{{ x|length }}`, "yes A! 1!2! 2"},
		{"of a macro", `{% macro m(a) EXPORT %}<{{ a }}>{% endmacro %}{% macro n(a) %}{{ m(a) }}{{ m(m(a)) }}{% endmacro %}{{ n(1) }}`, "<1><<1>>"},
		{"arguments that the engine evaluates", `{% macro m(a) EXPORT %}<{{ a }}>{% endmacro %}{{ m(1.5) }}{{ m("a"|upper) }}`, "<1.500000><A>"},
		{"before it is defined", `{{ m(1) }}{% macro m(a) EXPORT %}{{ a }}{% endmacro %}{{ m(2) }}`, "2"},
		{"an element of a list", `{% macro m(l) EXPORT %}{{ l.username }}{% for s in l.servers %}{{ s.nth }}{% endfor %}{% endmacro %}{% for l in lines %}{{ m(l) }}{% endfor %}`, "ann1"},
		{"a loop in it", `{% macro m() EXPORT %}{% for x in "ab" %}{{ x }}{{ forloop.Counter }}{% if forloop.Parentloop %}!{% endif %}{% endfor %}{% endmacro %}{% for y in "cd" %}{{ m() }}{% endfor %}`, "a1b2a1b2"},
		{"white space", "a {%- macro m() EXPORT -%} \n b \n {%- endmacro -%} \n {{- m() -}} \n c", "abc"},
		{"an include in it", `{% macro m(x) EXPORT %}{% include "acme/part.tpl" %}{% endmacro %}{{ m(1) }}`, "part 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			render := func(export string) string {
				return acmeText(t, strings.ReplaceAll(tt.text, " EXPORT", export), map[string]string{"acme/part.tpl": "{% set p = \"part\" %}{{ p }} {{ lines.0.number }}"})
			}
			own, engines := render(""), render(" export")
			if own != tt.want || engines != own {
				t.Errorf("got %q, of the engine %q, want %q", own, engines, tt.want)
			}
		})
	}
}

// A mistake in a macro is told where it is made.
func TestMistakesInMacros(t *testing.T) {
	for text, want := range map[string]string{
		"{% macro m(a) %}{% endmacro %}\n{{ m(1, 2) }}\n":               `acme/settings.tpl:1: macro "m" takes 1 arguments, not 2`,
		"{% macro m(a) %}\n{{ a / 0 }}{% endmacro %}\n{{ m(1) }}\n":     "acme/settings.tpl:2: panic: runtime error: integer divide by zero",
		"{% macro m(a) %}\n{{ a / 0 }}{% endmacro %}\n{{ m(1) + 1 }}\n": "acme/settings.tpl:3: ",
		"{% macro m(a=1/0) %}{% endmacro %}\n{{ m() }}\n":               "acme/settings.tpl:1: panic: runtime error: integer divide by zero",
		"{% macro m(a %}{% endmacro %}\n":                               "acme/settings.tpl:1:",
		"{% macro (a) %}{% endmacro %}\n":                               "acme/settings.tpl:1:",
		"{% macro m(a=) %}{% endmacro %}\n":                             "acme/settings.tpl:1:",
		"{% macro m(a) b %}{% endmacro %}\n":                            "acme/settings.tpl:1:",
		"{% macro m(a) %}{% endmacro m %}\n":                            "acme/settings.tpl:1:",
		"{% macro m(a) %}\n":                                            "acme/settings.tpl",
	} {
		if _, err := Load(acme(map[string]string{"acme/settings.tpl": text})); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}
