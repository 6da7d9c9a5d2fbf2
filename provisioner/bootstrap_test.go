package provisioner_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"dialtone/provisioner"
)

// What a phone without credentials is given may hold its HTTP password, and no
// other secret, however it comes there.
func TestBootstrapTemplates(t *testing.T) {
	const manifest = `{brand: acme, check_sync: {resync: a, reboot: a}, keys: {combo: {first: 1}, feature: {first: 1}}, transports: {udp: "0"}, model: {lines: 1},
		files: [{role: own, path: "{mac}.cfg", template: a.tpl, bootstrap: boot.tpl, format: ini, content_type: text/plain}]}`
	tests := []struct {
		name   string
		change map[string]string
		want   string // in the error, "" = none
	}{
		{"HTTP credentials", nil, ""},
		{"a SIP password", map[string]string{"acme/boot.tpl": "{% for line in lines %}x = {{ line.password }}\n{% endfor %}"}, "line.password"},
		{"by an include", map[string]string{"acme/boot.tpl": `{% include "acme/b.tpl" %}`, "acme/b.tpl": "x = {{ security.admin_password }}\n"}, "security.admin_password"},
		{"in a model's own", map[string]string{"acme/old/boot.tpl": "x = {{ account.provision.user_password }}\n"}, "account.provision.user_password"},
		{"none", map[string]string{"acme/boot.tpl": ""}, ""},
		{"not there", map[string]string{"acme/manifest.yaml": strings.Replace(manifest, "boot.tpl", "gone.tpl", 1)}, "no such template"},
		{"of a common file", map[string]string{"acme/manifest.yaml": strings.Replace(manifest, "{mac}.cfg", "all.cfg", 1)}, "bootstrap: only of a file with {mac}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree := fstest.MapFS{}
			for file, text := range map[string]string{
				"acme/manifest.yaml": manifest, "acme/a.tpl": "a = 1\n", "acme/boot.tpl": "url = {{ server.url }}\npassword = {{ server.password }}\n",
			} {
				tree[file] = &fstest.MapFile{Data: []byte(text)}
			}
			for file, text := range tt.change {
				tree[file] = &fstest.MapFile{Data: []byte(text)}
			}
			_, err := provisioner.Parse(tree)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
