package provisioner

import (
	"fmt"
	"strings"
	"testing"

	"dialtone/models"
)

// What built-in templates make of single settings, where goldens do not show it.
func TestBuiltinSettings(t *testing.T) {
	const twoProxies = `{"sip": {"username": "ann", "transport": "auto", "proxy": "a.example.com, b.example.com"}}`
	const twoPorts = `{"sip": {"username": "ann", "transport": "auto", "proxy": "[2001:db8::1]:5070, b.example.com:5080"}}`
	tests := []struct {
		name, brand, model string
		device             string
		want, without      []string // texts in the settings file
	}{
		{"no port where DNS tells it", "yealink", "t46u", twoProxies,
			[]string{"account.1.outbound_proxy.1.port = 0\n", "account.1.outbound_proxy.2.address = b.example.com\n", "account.1.outbound_proxy.2.port = 0\n"}, nil},
		{"nor in the words of older firmware", "yealink", "t32g", twoProxies, []string{"account.1.backup_outbound_port = 0\n"}, nil},
		{"no backup", "yealink", "t46u", `{"sip": {"username": "ann", "transport": "auto"}}`,
			[]string{"account.1.outbound_proxy.2.address = %NULL%\n", "account.1.outbound_proxy.2.port = 5060\n"}, nil},
		{"nor Fanvil", "fanvil", "x5u", twoProxies, []string{"<ProxyPort>0</ProxyPort>", "<BakProxyPort>0</BakProxyPort>", "<RegisterPort>0</RegisterPort>",
			"<DNSSRV>1</DNSSRV>", "<DNSMode>1</DNSMode>"}, []string{"<BakProxyPort>5060<"}},
		{"nor Snom", "snom", "d785", twoProxies, []string{`<user_outbound idx="1" perm="R">a.example.com,b.example.com<`}, nil},
		{"nor Grandstream", "grandstream", "grp2614", twoProxies, []string{"<P48>a.example.com<", "<P2333>b.example.com<", "<P103>2<"}, nil},
		{"nor its adapters", "grandstream", "ht802", twoProxies, []string{"<P48>a.example.com<", "<P2333>b.example.com<", "<P103>2<"}, nil},
		{"a port that is there, of Fanvil", "fanvil", "x5u", twoPorts, []string{"<ProxyAddr>2001:db8::1<", "<ProxyPort>5070<", "<BakProxyAddr>b.example.com<",
			"<BakProxyPort>5080<", "<DNSSRV>0<", "<DNSMode>0<"}, nil},
		{"of the older form", "fanvil", "x4", twoPorts, []string{"<Proxy_Port>5070<", "<BakProxy_Port>5080<", "<DNS_SRV>0<"}, nil},
		{"of Snom", "snom", "d785", twoPorts, []string{`<user_outbound idx="1" perm="R">[2001:db8::1]:5070,b.example.com:5080<`}, nil},
		{"of Grandstream", "grandstream", "grp2614", twoPorts, []string{"<P48>[2001:db8::1]:5070<", "<P2333>b.example.com:5080<", "<P103>0<"}, nil},
		{"of its adapters", "grandstream", "ht802", twoPorts, []string{"<P48>[2001:db8::1]:5070<", "<P2333>b.example.com:5080<", "<P103>0<"}, nil},
		{"the transport with an address, of Snom", "snom", "d785", `{"sip": {"username": "ann", "transport": "tls", "proxy": "[2001:db8::1], [2001:db8::2]:5071"}}`,
			[]string{">[2001:db8::1]:5061;transport=tls,[2001:db8::2]:5071;transport=tls<"}, nil},
		{"a registrar's port that is there, of Fanvil", "fanvil", "x5u", `{"sip": {"username": "ann", "transport": "auto", "proxy": "acme.example.com:5070"}}`,
			[]string{"<RegisterPort>5070<", "<ProxyAddr></ProxyAddr>", "<DNSSRV>0<"}, nil},
		{"and that of Grandstream", "grandstream", "grp2614", `{"sip": {"username": "ann", "transport": "auto", "proxy": "acme.example.com:5070"}}`,
			[]string{"<P47>acme.example.com:5070<", "<P48></P48>", "<P103>0<"}, nil},
		{"lines of keys counted from 0 where they monitor", "yealink", "t38g", `{"sip": {"username": "ann"}, "provision": {"combo_keys": {
			"1": {"type": "presence", "value": "` + bobID + `"}, "2": {"type": "speed_dial", "value": "300"}}}}`,
			[]string{"linekey.2.type = 16\nlinekey.2.line = 0\n", "linekey.3.type = 13\nlinekey.3.line = 1\n"}, nil},
		{"soft keys of combo and feature keys", "polycom", "trio8800", `{"sip": {"username": "ann"}, "provision": {
			"combo_keys": {"2": {"type": "speed_dial", "value": {"value": "100", "label": "Ann & Bob & Carol & Dan & Eve"}}, "9": {"type": "speed_dial", "value": "200"}},
			"feature_keys": {"0": {"type": "parking", "value": "3"}, "1": {"type": "speed_dial", "value": "300"}}}}`,
			[]string{`softkey.1.label="Ann &amp; Bob &amp; Caro"`, `softkey.1.action="100$Tinvite$"`, `softkey.2.action="200$Tinvite$"`, `softkey.3.action="300$Tinvite$"`},
			[]string{"softkey.4."}},
	}
	catalog := builtinCatalog(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := builtinSettings(t, catalog, tt.brand, tt.model, tt.device)
			for _, text := range tt.want {
				if !strings.Contains(body, text) {
					t.Errorf("not in the file: %q", text)
				}
			}
			for _, text := range tt.without {
				if strings.Contains(body, text) {
					t.Errorf("in the file: %q", text)
				}
			}
			if t.Failed() {
				t.Log(body)
			}
		})
	}
}

// What a Polycom phone has once for all lines comes from the first there is.
func TestFirstLineOfPolycom(t *testing.T) {
	further := newPhone(t, `{"realm": "acme.example.com"}`, "", `{"sip": {"username": "bob"}, "call_waiting": {"enabled": false},
		"provision": {"dtmf": "info", "keep_alive": 45, "auto_answer": true, "feature_codes": {"pickup": "**"}}}`)
	body := builtinSettings(t, builtinCatalog(t), "polycom", "vvx450", `{"provision": {"feature_codes": {"pickup": "**"}}}`, models.Line{Number: 2, Phone: further})
	for _, text := range []string{`tone.dtmf.viaRtp="0"`, `voIpProt.SIP.dtmfViaSignaling.rfc2976="1"`, `nat.keepalive.interval="45"`, `call.autoAnswer.SIP="1"`,
		`call.callWaiting.enable="0"`, `call.directedCallPickupString="**"`, `attendant.reg="2"`} {
		if !strings.Contains(body, text) {
			t.Errorf("not in the file: %q\n%s", text, body)
		}
	}
}

// Lines of a manager of several bases share what they have in common of their
// servers; there is room for ten.
func TestServersOfManager(t *testing.T) {
	var lines []models.Line
	for n := 2; n <= 13; n++ {
		line := newPhone(t, `{"realm": "acme.example.com"}`, "", fmt.Sprintf(`{"sip": {"username": "u%d", "expire_seconds": %d}}`, n, 300+max(n-3, 0)))
		lines = append(lines, models.Line{Number: n, Phone: line})
	}
	body := builtinSettings(t, builtinCatalog(t), "yealink", "w90dm", `{"sip": {"username": "ann"}}`, lines...)
	for text, want := range map[string]int{
		"account.1.sip_server.template = 1\n": 1, "account.3.sip_server.template = 1\n": 1, "account.4.sip_server.template = 2\n": 1,
		"account.12.sip_server.template = 10\n": 1, "account.13.sip_server.template = %NULL%\n": 1, "account.250.sip_server.template = %NULL%\n": 1,
		"template.1.sip_server.1.address = acme.example.com\n": 1, "template.2.sip_server.1.expires = 301\n": 1, "template.10.name": 1, "template.11.": 0,
	} {
		if got := strings.Count(body, "\n"+text); got != want {
			t.Errorf("%q: %d times, want %d", text, got, want)
		}
	}
}

// builtinSettings is the settings file of a phone.
func builtinSettings(t *testing.T, c *Catalog, brand, model, device string, further ...models.Line) string {
	t.Helper()
	phone := newPhone(t, `{"name": "Acme", "realm": "acme.example.com"}`, "", device)
	for path, value := range map[string]any{"mac_address": "000102030405", "provision.endpoint_brand": brand, "provision.endpoint_model": model} {
		phone.Device.Document.Set(path, value)
	}
	if err := phone.Device.SetDocument(phone.Device.Document); err != nil {
		t.Fatal(err)
	}
	phone.Lines = further
	s := NewService(&fakeStore{users: []*models.User{newUser(t, bobID, `{"presence_id": "1002"}`)}}, c, Options{BaseURL: "http://phones.example.com", Registrar: "sip.example.com"})
	for _, file := range c.brands[brand].deviceFiles(c.Model(brand, "", model), models.MAC{0, 1, 2, 3, 4, 5}) {
		if !file.rule.Settings {
			continue
		}
		f, err := s.DeviceFile(t.Context(), phone, file.name)
		if err != nil {
			t.Fatal(err)
		}
		return string(f.Body)
	}
	t.Fatalf("%s %s has no settings file", brand, model)
	return ""
}
