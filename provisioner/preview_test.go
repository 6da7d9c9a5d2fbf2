package provisioner

import (
	"strings"
	"testing"

	"dialtone/models"
)

// A preview holds no secret, whatever a template does with it.
func TestPreviewHoldsNoSecret(t *testing.T) {
	manifest := strings.Replace(acmeManifest, "timezone: Etc/UTC", "timezone: Etc/UTC\n  provision: {admin_password: canary-default}", 1)
	text := `a = {{ lines.0.password }} {{ lines.0.password|upper }} {{ lines.0.password|first }}
b = {{ server.password }} {{ server.url }}
c = {{ security.admin_password }}{{ device.provision.admin_password }} {{ device.provision.unlock_pin }} {{ device.custom.secret }}
d = {{ owner.pin }} {{ account.voicemail_pin }}
e = {{ device.name }} {{ device.custom.shown }}
f = {{ security.user_password }}
`
	if !strings.Contains(manifest, "canary-default") {
		t.Fatal("the manifest has no defaults to change")
	}
	changes := map[string]string{"acme/manifest.yaml": manifest, "acme/settings.tpl": text}
	s := NewService(&fakeStore{}, loadAcme(t, changes), Options{BaseURL: "http://host"})
	phone := newPhone(t, `{"realm":"acme.example.com","voicemail_pin":"canary"}`, `{"first_name":"Ann","pin":"canary"}`,
		`{"name":"Desk","mac_address":"001122334455","sip":{"username":"ann","password":"canary"},"custom":{"secret":"canary","shown":"yes"},
		  "provision":{"endpoint_brand":"acme","endpoint_family":"t1x","endpoint_model":"t11","unlock_pin":"canary"}}`)
	phone.Account.PathToken, phone.Device.HTTPPassword = "canary-token", "canary-http"
	render := func(reveal bool) string {
		t.Helper()
		f, err := s.Preview(t.Context(), phone, "001122334455.txt", reveal)
		if err != nil {
			t.Fatal(err)
		}
		return string(f.Body)
	}
	for range 2 { // before and after the real file was rendered and kept
		masked := render(false)
		if strings.Contains(strings.ToLower(masked), "canary") || strings.Contains(masked, " c\n") {
			t.Errorf("the preview holds a secret:\n%s", masked)
		}
		if !strings.Contains(masked, "e = Desk yes\n") || !strings.Contains(masked, "http://host/p/REDACTED/") || !strings.Contains(masked, "c = REDACTED REDACTED REDACTED\n") {
			t.Errorf("preview:\n%s", masked)
		}
		if revealed := render(true); strings.Contains(revealed, "REDACTED") || !strings.Contains(revealed, "canary-default") {
			t.Errorf("revealed:\n%s", revealed)
		}
	}
	if phone.Device.SIP.Password != "canary" || phone.Owner.Document.Text("pin") != "canary" || phone.Account.PathToken != models.Secret("canary-token") {
		t.Error("a preview changed the phone")
	}
}

// A preview shows what is stored now, not what a preview before showed.
func TestPreviewIsFresh(t *testing.T) {
	s := NewService(&fakeStore{}, loadAcme(t, nil), Options{})
	phone := acmePhone(t)
	for _, name := range []string{"Desk", "Hall"} {
		phone.Device.Document["name"] = name
		phone.Device.Revision += "+"
		f, err := s.Preview(t.Context(), phone, "001122334455.txt", false)
		if err != nil || string(f.Body) != "name = "+name+"\n" {
			t.Errorf("got %q, %v, want %s", f.Body, err, name)
		}
	}
}

func TestIdentify(t *testing.T) {
	c := builtinCatalog(t)
	tests := []struct {
		userAgent string
		want      Identity
	}{
		{"Yealink SIP-T46U 108.86.0.20 00:15:65:aa:bb:cc", Identity{"yealink", "t4x", "t46u", "108.86.0.20"}},
		{"FileTransport PolycomVVX-VVX_450-UA/6.4.3.5156 (SN:0004f2aabbcc) Type/Application", Identity{"polycom", "vvx", "vvx450", "6.4.3.5156"}},
		{"Yealink SIP-T99X 1.2.3.4", Identity{"yealink", "", "t99x", "1.2.3.4"}},
		{"curl/8", Identity{}},
		{"", Identity{}},
		{"Yealink SIP-T46U 108.86.0.20 " + strings.Repeat("x", 600), Identity{}},
	}
	for _, tt := range tests {
		if got := c.Identify(tt.userAgent); got != tt.want {
			t.Errorf("Identify(%q): got %+v, want %+v", tt.userAgent, got, tt.want)
		}
	}
}

func TestTemplateIDs(t *testing.T) {
	c := loadAcme(t, map[string]string{"acme/id/lobby/settings.tpl": "a = b\n", "acme/id/desk/settings.tpl": "a = c\n"})
	if got := strings.Join(c.TemplateIDs("acme"), " "); got != "desk lobby" {
		t.Errorf("got %q", got)
	}
	if got := c.TemplateIDs("other"); len(got) != 0 {
		t.Errorf("of an unknown brand: got %v", got)
	}
}
