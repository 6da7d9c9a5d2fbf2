package provisioner

import (
	"fmt"
	"strings"
	"testing"
)

func TestTemplateMistakes(t *testing.T) {
	forever := func(inside string) string { // as many rounds as would take hours
		return strings.Repeat("{% for k in keys.line %}", 20) + inside + strings.Repeat("{% endfor %}", 20)
	}
	double := func(times int, text string) string { return strings.Repeat(text+"\n", times) }
	tests := []struct {
		name    string
		changes map[string]string // settings.tpl when there is no path
		file    string
		line    int
		reason  string
	}{
		{"syntax", map[string]string{"": "a = 1\n{% if %}\n"}, "acme/settings.tpl", 2, ""},
		{"not closed", map[string]string{"": "a = 1\nb = {{ device.name\n"}, "acme/settings.tpl", 2, "end on its line"},
		{"unknown tag", map[string]string{"": "{% frobnicate %}\n"}, "acme/settings.tpl", 1, "not part of the template language"},
		{"ssi", map[string]string{"": "\n{% ssi \"/etc/passwd\" %}\n"}, "acme/settings.tpl", 2, "not part of the template language"},
		{"now", map[string]string{"": "{% now \"2006\" %}\n"}, "acme/settings.tpl", 1, "not part of the template language"},
		{"verbatim", map[string]string{"": "{% verbatim %}{% endverbatim %}\n"}, "acme/settings.tpl", 1, "not part of the template language"},
		{"filter that fills memory", map[string]string{"": "a = {{ device.name|rjust:100000000 }}\n"}, "acme/settings.tpl", 1, "rjust"},
		{"filter that breaks lines", map[string]string{"": "a = {{ device.name|wordwrap:1 }}\n"}, "acme/settings.tpl", 1, "wordwrap"},
		{"filter that is never the same", map[string]string{"": "a = {{ device.name|random }}\n"}, "acme/settings.tpl", 1, "random"},
		{"unknown filter", map[string]string{"": "a = {{ device.name|nope }}\n"}, "acme/settings.tpl", 1, "nope"},
		{"unknown variable", map[string]string{"": "a = 1\nb = {{ devise.name }}\n"}, "acme/settings.tpl", 2, `unknown variable "devise"`},
		{"unknown variable in a tag", map[string]string{"": "{% if ower.name %}{% endif %}\n"}, "acme/settings.tpl", 1, `unknown variable "ower"`},
		{"unknown member", map[string]string{"": "b = {{ time.zonee }}\n"}, "acme/settings.tpl", 1, `unknown variable "time.zonee"`},
		{"not UTF-8", map[string]string{"": "a = \xff\n"}, "acme/settings.tpl", 0, "UTF-8"},
		{"a string with a backslash", map[string]string{"": `a = {{ device.name|default:"\"" }}` + "\n"}, "acme/settings.tpl", 1, "string"},
		{"comment over lines", map[string]string{"": "{# a\nb #}\n"}, "acme/settings.tpl", 1, "comment"},
		{"unknown variable after a comment in a comment", map[string]string{"": "{% comment %}{% comment %}{% endcomment %}\n# {{ nope }}\n"}, "acme/settings.tpl", 2, "unknown variable"},
		{"a variable that a comment sets", map[string]string{"": "{% comment %}{% set x = 1 %}{% endcomment %}\n# {{ x }}\n"}, "acme/settings.tpl", 2, "unknown variable"},
		{"a macro in a comment", map[string]string{"": "{% comment %}{% macro m() %}{% endmacro %}{% endcomment %}\n# {{ m() }}\n"}, "acme/settings.tpl", 2, "no macro"},
		{"the end of a comment with words", map[string]string{"": "\n{% comment %}{% endcomment \"note\" %}\n"}, "acme/settings.tpl", 2, "no arguments"},
		{"includes itself", map[string]string{"": "\n{% include \"acme/settings.tpl\" %}\n"}, "acme/settings.tpl", 2, "back to itself"},
		{"extends itself", map[string]string{"": "{% extends \"acme/settings.tpl\" %}\n"}, "acme/settings.tpl", 1, "back to itself"},
		{"a circle of three", map[string]string{
			"": "{% include \"acme/a.tpl\" %}\n", "acme/a.tpl": "{% include \"acme/b.tpl\" %}\n", "acme/b.tpl": "\n\n{% extends \"acme/settings.tpl\" %}\n",
		}, "acme/settings.tpl", 1, "back to itself"},
		{"a macro that includes its file", map[string]string{"": "{% macro m() %}{% include \"acme/settings.tpl\" %}{% endmacro %}\n"}, "acme/settings.tpl", 1, "back to itself"},
		{"imports itself", map[string]string{"": "{% import \"acme/settings.tpl\" m %}\n"}, "acme/settings.tpl", 1, "back to itself"},
		{"a recursive macro", map[string]string{"": "{% macro m(x) %}\n{{ m(x) }}{% endmacro %}{{ m(1) }}\n"}, "acme/settings.tpl", 2, "back to itself"},
		{"macros that call each other", map[string]string{"": "{% macro m() %}{{ n() }}{% endmacro %}\n{% macro n() %}{{ m() }}{% endmacro %}\n"}, "acme/settings.tpl", 2, "back to itself"},
		{"a macro as a value", map[string]string{"": "{% macro m(x) %}{{ x }}{% endmacro %}\n{{ m(m) }}\n"}, "acme/settings.tpl", 2, "must be called"},
		{"a call of a value", map[string]string{"": "{% macro m(x) %}{{ x(x) }}{% endmacro %}\n"}, "acme/settings.tpl", 1, "no macro of this file"},
		{"a call of a member", map[string]string{"": "{{ device.name() }}\n"}, "acme/settings.tpl", 1, "cannot be called"},
		{"a lazy include", map[string]string{"": "{% include device.name %}\n"}, "acme/settings.tpl", 1, "name of a file in quotes"},
		{"an include from outside", map[string]string{"": "{% include \"../secret\" %}\n"}, "acme/settings.tpl", 1, "from the root of the template tree"},
		{"an absolute include", map[string]string{"": "{% include \"/etc/passwd\" %}\n"}, "acme/settings.tpl", 1, "from the root of the template tree"},
		{"an include of no template", map[string]string{"": "\n{% include \"acme/manifest.yaml\" %}\n"}, "acme/settings.tpl", 2, "no template"},
		{"loops without end", map[string]string{"": "a = 1\n" + forever("") + "\n"}, "acme/settings.tpl", 2, "does not end"},
		{"loops without end in an include", map[string]string{"": "{% include \"acme/a.tpl\" with name=1 only %}\n", "acme/a.tpl": "\n{% for x in \"" +
			strings.Repeat("x", 1000) + "\" %}{% for y in \"" + strings.Repeat("y", 1000) + "\" %}{% endfor %}{% endfor %}\n"}, "acme/a.tpl", 2, "does not end"},
		{"loops without end in a macro", map[string]string{"": "{% macro m() %}\n" + forever("") + "{% endmacro %}{{ m() }}\n"}, "acme/settings.tpl", 2, "does not end"},
		{"loops without end over calls", map[string]string{"": "{% macro m0() %}{% endmacro %}\n" + calls(20) + "{{ m20() }}\n"}, "acme/settings.tpl", 1, "does not end"},
		{"output without end in a macro", map[string]string{"": "{% macro m() %}" + forever("\n"+strings.Repeat("x", 8000)) + "{% endmacro %}{% set x = m() %}\n"},
			"acme/settings.tpl", 1, "bytes of output"},
		{"output without end in an include", map[string]string{"": "\n{% include \"acme/a.tpl\" %}\n", "acme/a.tpl": "\n" + forever(strings.Repeat("x", 8000))},
			"acme/a.tpl", 2, "bytes of output"},
		{"a value that doubles", map[string]string{"": "{% set x = \"12345678\" %}\n" + double(40, "{% set x = x + x %}")}, "acme/settings.tpl", 15, `"x" grows`},
		{"a value that doubles by a filter", map[string]string{"": "{% set x = \"12345678\" %}\n{% for a in keys.line %}" + double(40, "{% set x = x|add:x %}") + "{% endfor %}"},
			"acme/settings.tpl", 15, `"x" grows`},
		{"a value that doubles within itself", map[string]string{"": "{% macro m(x) %}{{ x }}{{ x }}{% endmacro %}{% set x = \"12345678\" %}\n" + double(40, "{% set x = m(x) %}")},
			"acme/settings.tpl", 15, `"x" grows`},
		{"a value that doubles by includes", doublingIncludes(20), "acme/i13.tpl", 1, `"x" grows`},
		{"what a block had before, whose size nobody knows", map[string]string{"": "{% extends \"acme/base.tpl\" %}\n{% block extra %}{{ block.Super }}{% endblock %}\n",
			"acme/base.tpl": "{% block extra %}# {% endblock %}\n"}, "acme/settings.tpl", 2, `unknown variable "block`},
		{"a variable called block", map[string]string{"": "{% set block = 1 %}\n"}, "acme/settings.tpl", 1, "is taken"},
		{"a value squared", map[string]string{"": "{% set x = \"" + strings.Repeat("x", 1000) + "\" %}\na = {{ x|make_list|join:x }}\n"}, "acme/settings.tpl", 2, "join makes"},
		{"includes without end", doublyIncluded(30, ""), "acme/i29.tpl", 1, "does not end"},
		{"includes without end, with blocks", doublyIncluded(30, "{% block x %}{% endblock %}"), "acme/i0.tpl", 0, "over and over"},
		{"the variable of the budget", map[string]string{"": "\n{% set render_budget = 1 %}\n"}, "acme/settings.tpl", 2, "is taken"},
		{"a read of the budget", map[string]string{"": "\n{{ render_budget }}\n"}, "acme/settings.tpl", 2, "unknown variable"},
		{"the tag of the budget", map[string]string{"": "\n{% step %}\n"}, "acme/settings.tpl", 2, "not part of the template language"},
		{"a control character", map[string]string{"": "a = 1\nb = \x02\n"}, "acme/settings.tpl", 2, "control character"},
		{"a control character in a string", map[string]string{"": "a = {{ \"\x02\" }}\n"}, "acme/settings.tpl", 1, "control character"},
		{"division by zero", map[string]string{"": "a = 1\nb = {{ 1/0 }}\n"}, "acme/settings.tpl", 2, "divide by zero"},
		{"division by zero in a loop", map[string]string{"": "{% for k in keys.line %}{% endfor %}\n{% for k in 1/0 %}{% endfor %}\n"}, "acme/settings.tpl", 2, "divide by zero"},
		{"endless output", map[string]string{"": strings.Repeat("# "+strings.Repeat("x", 8000)+"\n", 100) +
			"{% for a in keys.line %}{% for b in keys.line %}{% for c in keys.line %}" + strings.Repeat("# "+strings.Repeat("y", 8000)+"\n", 10) + "{% endfor %}{% endfor %}{% endfor %}"},
			"acme/settings.tpl", 101, "bytes of output"},
		{"line that is no setting", map[string]string{"": "a = 1\nsomething else\n"}, "acme/settings.tpl", 0, "line 2: want key = value"},
		{"key twice", map[string]string{"": "a = 1\na = 2\n"}, "acme/settings.tpl", 0, "key a is there twice"},
		{"last line open", map[string]string{"": "a = 1"}, "acme/settings.tpl", 0, "does not end"},
		{"broken XML", map[string]string{"acme/page.tpl": "<a>\n<b></a>\n"}, "acme/page.tpl", 0, "line 2"},
		{"attribute twice", map[string]string{"acme/page.tpl": "<a b=\"1\" b=\"2\"/>\n"}, "acme/page.tpl", 0, "attribute b is there twice"},
		{"two roots", map[string]string{"acme/page.tpl": "<a/><b/>\n"}, "acme/page.tpl", 0, "2 root elements"},
		{"text beside the root", map[string]string{"acme/page.tpl": "x<a/>\n"}, "acme/page.tpl", 0, "outside of the root"},
		{"no root", map[string]string{"acme/page.tpl": "<!-- -->\n"}, "acme/page.tpl", 0, "0 root elements"},
		{"in a model's template", map[string]string{"acme/t1x/t12/settings.tpl": "oops\n"}, "acme/t1x/t12/settings.tpl", 0, "model t12"},
		{"in a template by id", map[string]string{"acme/id/special/settings.tpl": "oops\n"}, "acme/id/special/settings.tpl", 0, "want key = value"},
		{"in an unlisted family", map[string]string{"acme/t9x/settings.tpl": "oops\n"}, "acme/t9x/settings.tpl", 0, "want key = value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if text, ok := tt.changes[""]; ok {
				tt.changes["acme/settings.tpl"] = text
				delete(tt.changes, "")
			}
			_, err := Load(acme(tt.changes))
			wantFileError(t, err, tt.file, tt.line, tt.reason)
		})
	}
}

// doublyIncluded are files that each include the next one twice.
func doublyIncluded(n int, text string) map[string]string {
	files := map[string]string{"": "{% include \"acme/i0.tpl\" %}\n", fmt.Sprintf("acme/i%d.tpl", n): "#\n"}
	for i := range n {
		files[fmt.Sprintf("acme/i%d.tpl", i)] = text + strings.Repeat(fmt.Sprintf("{%% include \"acme/i%d.tpl\" %%}", i+1), 2)
	}
	return files
}

// doublingIncludes are files that each hand the next one a value twice as long.
func doublingIncludes(n int) map[string]string {
	files := map[string]string{"": "{% include \"acme/i0.tpl\" with x=\"12345678\" %}\n", fmt.Sprintf("acme/i%d.tpl", n): "# {{ x|length }}\n"}
	for i := range n {
		files[fmt.Sprintf("acme/i%d.tpl", i)] = fmt.Sprintf("{%% include \"acme/i%d.tpl\" with x=x+x %%}\n", i+1)
	}
	return files
}

// calls are macros that each call the one before twice.
func calls(n int) string {
	text := ""
	for i := range n {
		text += fmt.Sprintf("{%% macro m%d() %%}{{ m%d() }}{{ m%[2]d() }}{%% endmacro %%}\n", i+1, i)
	}
	return text
}

// The steps that templates count change no byte, whatever removes white space
// beside them.
func TestStepsWriteNothing(t *testing.T) {
	text := "a = 1\n\n  {%- set x = 2 -%}\n b = {{ x }}\n{% for k in keys.line -%}  \nk.{{ k.position }} = 1\n\n{%- endfor %}\n" +
		"{% macro m(x) -%}  \n {{ x }} \n {%- endmacro -%}\n c = {{ m(3) }}\n{% with y=1 -%} \nd = {{ y }}\n{%- endwith %}\n" +
		strings.Repeat("{{- x -}}\n ", 40) + "\n{% block extra -%}\n e = 1{% endblock %}\n"
	codes, err := scanTemplate("acme/settings.tpl", text)
	if err != nil {
		t.Fatal(err)
	}
	render := func(text string) string {
		parsed, err := parseTemplates(map[string]string{"acme/settings.tpl": text})
		if err != nil {
			t.Fatal(err)
		}
		tree := &templateTree{parsed: parsed}
		body, err := tree.render("acme/settings.tpl", view{"keys": view{"line": []any{view{"position": 1}, view{"position": 2}}}})
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	with := insert(text, steps(codes, nil))
	if strings.Count(with, "step") < 7 || strings.Count(with, "\n") != strings.Count(text, "\n") {
		t.Errorf("got:\n%s", with)
	}
	if got, want := render(with), render(text); got != want {
		t.Errorf("got:\n%q\nwant:\n%q", got, want)
	}
}

func TestHiddenFilesAreIgnored(t *testing.T) {
	loadAcme(t, map[string]string{
		"acme/.#settings.tpl":           "{% broken",
		"acme/..2026/settings.tpl":      "{% broken",
		"acme/samples/.plain.json":      "{",
		".git/settings.tpl":             "{% broken",
		"acme/goldens/x/x/settings.tpl": "{% broken",
	})
}

func TestTemplateLanguage(t *testing.T) {
	c := loadAcme(t, map[string]string{
		"acme/settings.tpl": `{% import "acme/macros.tpl" pair, pair as twice -%}
{% macro own(name, value="none") %}{{ pair(name, value) }}{% endmacro -%}
{{ own("a", device.name) }}
{{ own("b") }}
{{ twice("c", 3) }}
{% for k in keys.line %}{% if k.type == "line" and not (k.nth) %}d = {{ forloop.Counter }}{% else %}e.{{ k.position }} = {{ k.type }}{% endif %}
{% endfor -%}
{% with x="f" y=account.realm %}{{ x }} = {{ y }}{% endwith %}
{% set z = lines.0.username -%}
g = {{ z|upper }}
{% comment %} {{ nonsense }} {% comment %} {% if %} {% endcomment -%}
{% include "acme/part.tpl" with name=z only %}
user = 1
user = 2
i = {{ dialplan.timeout }}
`,
		"acme/macros.tpl": `{% macro pair(name, value) export %}{{ name }} = {{ value }}{% endmacro %}`,
		"acme/part.tpl":   `h = {{ name }}`,
	})
	s := NewService(&fakeStore{}, c, Options{})
	f, err := s.DeviceFile(t.Context(), acmePhone(t), "001122334455.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := "a = Desk\nb = none\nc = 3\nd = 1\ne.2 = none\ne.3 = none\ne.4 = none\ne.5 = none\ne.6 = none\nf = acme.example.com\ng = ANN\nh = ann\nuser = 1\nuser = 2\ni = 4\n"
	if got := strings.TrimSpace(strings.ReplaceAll(string(f.Body), "\n\n", "\n")) + "\n"; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// A mistake is told with its column and, where something is like it, a hint.
func TestMistakePlaces(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"variable", "a = 1\nb = {{ devise.name }}\n", `acme/settings.tpl:2:8: unknown variable "devise" (did you mean device?)`},
		{"member", "ü = {{ time.zonee }}\n", `acme/settings.tpl:1:8: unknown variable "time.zonee" (did you mean zone?)`},
		{"member in a loop", "{% for line in lines %}\na = {{ line.usrname }}\n{% endfor %}\n", `acme/settings.tpl:2:8: unknown variable "line.usrname" (did you mean username?)`},
		{"member in a loop of a loop", "{% for x in keys.line %}{% endfor %}{% for line in lines %}{% for c in line.codecs.on reversed %}\n{{ c.cod }}{% endfor %}{% endfor %}\n",
			`acme/settings.tpl:2:4: unknown variable "c.cod" (did you mean code?)`},
		{"filter", "a = {{ device.name|uper }}\n", `acme/settings.tpl:1:20: filter "uper" is not part of the template language (did you mean upper?)`},
		{"tag", "a = 1\n  {% fro x in lines %}\n", `acme/settings.tpl:2:3: tag "fro" is not part of the template language (did you mean for?)`},
		{"template", "{% include \"acme/comon.tpl\" %}\n", `acme/settings.tpl:1:1: there is no template "acme/comon.tpl" (did you mean acme/common.tpl?)`},
		{"syntax", "a = 1\n{{ device.name }} {{ 1 + }}\n", `acme/settings.tpl:2:`},
		{"comment", "a = 1\nb {# c\n#}", `acme/settings.tpl:2:3: a comment`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(acme(map[string]string{"acme/settings.tpl": tt.text}))
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
		})
	}
	loadAcme(t, map[string]string{"acme/settings.tpl": "# {% for line in lines %}{% set x = line %}{% for k in keys.line %}{% with k=x %}{{ k.username }}{% endwith %}{% endfor %}{% endfor %}\n"})
}
