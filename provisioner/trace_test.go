package provisioner

import (
	"fmt"
	"strings"
	"testing"

	"dialtone/templates"
)

// Every line of what a template writes is traced to the lines that wrote it.
func TestTrace(t *testing.T) {
	c := loadAcme(t, map[string]string{
		"acme/settings.tpl": `{% import "acme/macros.tpl" pair -%}
{% comment %}
 nothing {{ nonsense }}
{% endcomment -%}
{# remark #}name = {{ device.name }}
{%- for k in keys.line %}
k.{{ k.position }} = {% if k.type == "line" %}line{% else %}
	{{- k.position }}{% endif %}
{%- endfor %}
{{ pair("pair", 1) }}
{% include "acme/part.tpl" with x=1 only %}
`,
		"acme/macros.tpl": "{% macro pair(name, value) export -%}\n{{ name }} = {{ value }}\n{%- endmacro %}",
		"acme/part.tpl":   "\n# part {{ x }}",
	})
	s := NewService(&fakeStore{}, c, Options{})
	phone := acmePhone(t)
	r, err := s.Trace(t.Context(), phone, "001122334455.txt")
	if err != nil {
		t.Fatal(err)
	}
	ordinary, err := s.DeviceFile(t.Context(), phone, "001122334455.txt")
	if err != nil || string(r.Body) != string(ordinary.Body) || r.ETag != ordinary.ETag {
		t.Errorf("traced:\n%s\nordinary, %v:\n%s", r.Body, err, ordinary.Body)
	}
	var got strings.Builder
	for _, line := range r.Lines {
		fmt.Fprintf(&got, "%s <-", line.Text)
		for _, source := range line.Sources {
			fmt.Fprintf(&got, " %s", strings.TrimPrefix(source.String(), "acme/"))
		}
		got.WriteByte('\n')
	}
	want := `name = Desk <- settings.tpl:5
k.1 = line <- settings.tpl:7
k.2 = 2 <- settings.tpl:7 settings.tpl:8
k.3 = 3 <- settings.tpl:7 settings.tpl:8
k.4 = 4 <- settings.tpl:7 settings.tpl:8
k.5 = 5 <- settings.tpl:7 settings.tpl:8
k.6 = 6 <- settings.tpl:7 settings.tpl:8
pair = 1 <- settings.tpl:10 macros.tpl:2
 <- settings.tpl:10 macros.tpl:2
# part 1 <- part.tpl:2
`
	if got.String() != want {
		t.Errorf("got:\n%swant:\n%s", got.String(), want)
	}
}

// A template that looks at what a macro wrote is traced to its file.
func TestTraceOfWhatIsRead(t *testing.T) {
	c := loadAcme(t, map[string]string{"acme/settings.tpl": "{% macro m() %}x{% endmacro %}{% if m() == \"x\" %}a = 1{% else %}a = 2{% endif %}\n"})
	r, err := NewService(&fakeStore{}, c, Options{}).Trace(t.Context(), acmePhone(t), "001122334455.txt")
	if err != nil || string(r.Body) != "a = 1\n" || len(r.Lines) != 1 || r.Lines[0].Sources[0].String() != "acme/settings.tpl:0" {
		t.Errorf("got %+v, %v", r, err)
	}
}

// Traced output is the ordinary one for everything built in.
func TestTraceOfBuiltins(t *testing.T) {
	c := builtinCatalog(t)
	for _, brand := range c.Brands() {
		trials, err := c.Trials(templates.FS, brand)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, trial := range trials {
			files, err := trial.Files(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				if seen[f.ETag] {
					continue
				}
				seen[f.ETag] = true
				r, err := trial.Service.Trace(t.Context(), trial.Phone, f.Name)
				if err != nil || r.ETag != f.ETag || r.Lines[0].Sources[0].Line == 0 {
					t.Fatalf("%s, %s, %s: %v", trial.Sample, trial.Model.Name, f.Name, err)
				}
			}
		}
	}
}
