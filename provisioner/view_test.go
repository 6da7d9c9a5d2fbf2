package provisioner

import "testing"

// A view has of a document what a template reads, however it does.
func TestViewOfDocuments(t *testing.T) {
	for _, text := range []string{
		`{{ device.name }}`,
		`{{ device["name"] }}`,
		`{% set d = device %}{{ d.name }}`,
		`{% with d=device %}{{ d.name }}{% endwith %}`,
		`{% macro m(d) %}{{ d.name }}{% endmacro %}{{ m(device) }}`,
		`{% for name, value in device %}{% if name == "name" %}{{ value }}{% endif %}{% endfor %}`,
		`{% include "acme/part.tpl" with d=device only %}`,
		`{% include "acme/deep.tpl" %}`,
		`{% if device.sip.absent or device.absent.deeper %}x{% endif %}{{ device.name }}`,
	} {
		files := map[string]string{"acme/part.tpl": "{% set e = d %}{{ e.name }}{% set d = e %}", "acme/deep.tpl": "{% include \"acme/deeper.tpl\" %}", "acme/deeper.tpl": "{{ device.name }}"}
		if got := acmeText(t, text, files); got != "Desk" {
			t.Errorf("%s: got %q, want Desk", text, got)
		}
	}
}
