package provisioner

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
)

// Each line is put down to what it depends on, whichever layer that is in.
func TestExplain(t *testing.T) {
	c := loadAcme(t, map[string]string{
		"acme/settings.tpl": `# constant
name = {{ device.name }}
zone = {{ time.zone }}
ntp = {{ time.ntp_server }}
language = {{ language }}
{%- for line in lines %}
user = {{ line.username }}@{{ line.realm }}
secret = {{ line.password }}
proxy = {{ line.proxy }}
transport = {{ line.transport }}
{%- endfor %}
{%- for k in keys.line %}
key.{{ k.position }} = {{ k.value }}
{%- endfor %}
server = {{ server.url }}
label = {{ model.label }}
number = {{ model.number }}
mac = {{ device.mac }}
custom = {{ device.custom.deep.thing }}
`})
	s := NewService(&fakeStore{}, c, Options{BaseURL: "http://host"})
	phone := newPhone(t, `{"name":"Acme","realm":"acme.example.com","timezone":"Europe/Berlin","custom":{"deep":{"thing":"x"},"other":1}}`,
		`{"first_name":"Ann","language":"de","ntp_server":"ntp.example.com"}`,
		`{"name":"Desk","mac_address":"001122334455","sip":{"username":"ann","password":"canary","transport":"udp"},
		  "provision":{"endpoint_brand":"acme","endpoint_family":"t1x","endpoint_model":"t11","combo_keys":{"1":{"type":"speed_dial","value":"77"}}}}`)
	explained, err := s.Explain(t.Context(), phone, "001122334455.txt", false)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, line := range explained.Lines {
		fmt.Fprintf(&got, "%s <- %v\n", line.Text, line.Origins)
	}
	want := `# constant <- []
name = Desk <- [{device name}]
zone = Europe/Berlin <- [{account timezone}]
ntp = ntp.example.com <- [{owner ntp_server}]
language = German <- [{owner language}]
user = ann@acme.example.com <- [{account realm} {device sip.username}]
secret = REDACTED <- [{device sip.password} {device sip.username}]
proxy = acme.example.com <- [{account realm} {device sip.username} {server sip.registrar}]
transport = 0 <- [{device sip.transport} {device sip.username}]
key.1 =  <- []
key.2 = 77 <- [{device provision.combo_keys.1.type} {device provision.combo_keys.1.value}]
key.3 =  <- []
key.4 =  <- []
key.5 =  <- []
key.6 =  <- [{manifest line_keys}]
server = http://host/p/REDACTED/ <- [{server phones.url}]
label = T11 <- [{device provision.endpoint_model} {manifest label}]
number = 11 <- [{device provision.endpoint_model} {manifest attributes.number}]
mac = 001122334455 <- [{device mac_address}]
custom = x <- [{account custom.deep.thing}]
`
	if got.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", got.String(), want)
	}
	revealed, err := s.Explain(t.Context(), phone, "001122334455.txt", true)
	if err != nil || !strings.Contains(string(revealed.Body), "secret = canary\n") {
		t.Errorf("revealed: %v\n%s", err, revealed.Body)
	}
}

// A document with more in it than is tried is no secret: the explanation says
// so, and that of a few lines needs less.
func TestExplainMuch(t *testing.T) {
	c := loadAcme(t, map[string]string{"acme/settings.tpl": `{% for id, thing in device.custom.things sorted %}
{{ id }} = {{ thing.a }}{{ thing.b }}{{ thing.c }}
{%- endfor %}
label = {{ device.name }}
`})
	s := NewService(&fakeStore{}, c, Options{})
	things := make([]string, 300)
	for i := range things {
		things[i] = fmt.Sprintf(`"t%d":{"a":"a","b":"b","c":"c"}`, i)
	}
	phone := newPhone(t, `{}`, `{}`, `{"name":"Desk","mac_address":"001122334455","provision":{"endpoint_brand":"acme"},"custom":{"things":{`+strings.Join(things, ",")+`}}}`)
	all, err := s.Explain(t.Context(), phone, "001122334455.txt", false)
	if err != nil || !all.Incomplete {
		t.Fatalf("incomplete: %v, %v", all.Incomplete, err)
	}
	one, err := s.ExplainLines(t.Context(), phone, "001122334455.txt", func(r Rendering) []int {
		return []int{slices.IndexFunc(r.Lines, func(l TracedLine) bool { return strings.HasPrefix(l.Text, "label") })}
	})
	if err != nil || one.Incomplete {
		t.Fatalf("one line, incomplete: %v, %v", one.Incomplete, err)
	}
	last := one.Lines[len(one.Lines)-1]
	if diff := cmp.Diff([]Origin{{LayerDevice, "name"}}, last.Origins); diff != "" || last.Text != "label = Desk" {
		t.Errorf("%s:\n%s", last.Text, diff)
	}
}

// Further lines are changed together, each in its own way.
func TestExplainLinesOfAPhone(t *testing.T) {
	manifest := strings.Replace(string(acme(nil)["acme/manifest.yaml"].Data), "T12, lines: 2", "T12, lines: 3", 1)
	c := loadAcme(t, map[string]string{"acme/manifest.yaml": manifest, "acme/settings.tpl": `{%- for line in lines %}
auto.{{ line.number }} = {{ line.auto_answer }}
{%- endfor %}
x = 1
`})
	phone := newPhone(t, `{"realm":"acme.example.com"}`, "", `{"mac_address":"001122334455","sip":{"username":"a"},
		"provision":{"endpoint_brand":"acme","endpoint_family":"t1x","endpoint_model":"t12"}}`)
	phone.Lines = []models.Line{
		lineOf(t, phone, 2, "", `{"sip":{"username":"b"},"provision":{"auto_answer":true}}`),
		lineOf(t, phone, 3, "", `{"sip":{"username":"c"},"provision":{"auto_answer":false}}`),
	}
	explained, err := NewService(&fakeStore{}, c, Options{}).Explain(t.Context(), phone, "001122334455.txt", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range explained.Lines {
		if n := line.Text[:min(6, len(line.Text))]; n != "auto.2" && n != "auto.3" {
			continue
		}
		if !slices.Contains(line.Origins, Origin{LayerLine, "provision.auto_answer"}) {
			t.Errorf("%s <- %v", line.Text, line.Origins)
		}
	}
}
