package provisioner

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
)

// The worked example of Kazoo's derivation, as rendering sees it.
func TestWorkedExample(t *testing.T) {
	b := builtinCatalog(t).brands["yealink"]
	ann := newUser(t, annID, `{"first_name": "Ann", "last_name": "Lee", "presence_id": "1002"}`)
	phone := newPhone(t, `{"name": "Acme", "realm": "ab12.sip.example", "timezone": "America/Chicago"}`, "",
		`{"name": "Desk", "owner_id": "`+annID+`", "sip": {"username": "ann1", "password": "s3cret"},
		  "media": {"audio": {"codecs": ["PCMU", "G722"]}, "encryption": {"methods": ["srtp"]}},
		  "provision": {"endpoint_brand": "yealink", "endpoint_family": "t4x", "endpoint_model": "T46",
		    "feature_keys": {"0": {"type": "presence", "value": "`+annID+`"},
		                     "1": {"type": "parking", "value": {"value": 3, "label": "Lot"}}, "4": null},
		    "combo_keys": {"2": {"type": "line"}}}}`)
	phone.Owner = ann
	s := b.deriveSettings(phone, []*models.User{ann}, "sip.example.com")
	want := []line{{Number: 1, DeviceID: deviceID, Enabled: true, Username: "ann1", Password: "s3cret", Realm: "ab12.sip.example", DisplayName: "Desk",
		Label: "Ann Lee", PresenceID: "1002", Servers: []sipServer{{"sip.example.com", 5060}}, Transport: "udp", Expires: 300, SRTP: "optional",
		document: s.document}}
	if diff := cmp.Diff(want, s.lines, cmp.AllowUnexported(line{}), cmp.Comparer(func(a, b models.Secret) bool { return a == b })); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]key{
		{Number: 0, Type: "presence", Value: "1002", Label: "Ann Lee", Line: 1},
		{Number: 1, Type: "parking", Value: "*33", Label: "Lot", Line: 1},
	}, s.features); diff != "" {
		t.Errorf("feature keys (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]key{{Number: 2, Type: "line", Line: 1}}, s.combos); diff != "" {
		t.Errorf("combo keys (-want +got):\n%s", diff)
	}
	if zone := s.document.Text("timezone"); zone != "America/Chicago" {
		t.Errorf("timezone %q, want the account's", zone)
	}
	on, _ := b.selectCodecs(s.document.Texts("media.audio.codecs"))
	if diff := cmp.Diff([]string{"pcmu", "g722"}, on); diff != "" {
		t.Errorf("codecs (-want +got):\n%s", diff)
	}
	m := b.model(phone.Device.Provision.Family, string(phone.Device.Provision.Model))
	if m.Name != "t46g" || m.Family != "t4x" || m.LineKeys != 27 {
		t.Errorf("model %+v, want t46g of t4x with 27 line keys", m)
	}
}

func TestLayers(t *testing.T) {
	b := loadAcme(t, nil).brands["acme"]
	tests := []struct {
		name                   string
		account, owner, device string
		member                 string
		want                   any
	}{
		{"device wins", `{"timezone": "Asia/Tokyo"}`, `{"timezone": "Asia/Dubai"}`, `{"timezone": "Asia/Seoul"}`, "timezone", "Asia/Seoul"},
		{"owner before account", `{"timezone": "Asia/Tokyo"}`, `{"timezone": "Asia/Dubai"}`, `{}`, "timezone", "Asia/Dubai"},
		{"account before manifest", `{"timezone": "Asia/Tokyo"}`, `{}`, `{}`, "timezone", "Asia/Tokyo"},
		{"manifest last", `{}`, `{}`, `{}`, "timezone", "Etc/UTC"},
		{"inherit is absent", `{"timezone": "Asia/Tokyo"}`, `{"timezone": "inherit"}`, `{"timezone": "inherit"}`, "timezone", "Asia/Tokyo"},
		{"empty is absent", `{"timezone": "Asia/Tokyo"}`, `{"timezone": ""}`, `{"timezone": ""}`, "timezone", "Asia/Tokyo"},
		{"null timezone is absent", `{"timezone": "Asia/Tokyo"}`, `{}`, `{"timezone": null}`, "timezone", "Asia/Tokyo"},
		{"proxy of the account", `{"sip": {"proxy": "p.example.com"}}`, `{}`, `{"sip": {"proxy": ""}}`, "sip.proxy", "p.example.com"},
		{"an owner's credentials leave no trace", `{"sip": {"proxy": "p.example.com"}}`, `{"sip": {"username": "u"}}`, `{}`, "sip.proxy", "p.example.com"},
		{"empty object replaces", `{}`, `{"ringtones": {"internal": "x"}}`, `{"ringtones": {}}`, "ringtones.internal", nil},
		{"objects merge", `{}`, `{"ringtones": {"internal": "x"}}`, `{"ringtones": {"external": "y"}}`, "ringtones.internal", "x"},
		{"null is kept", `{}`, `{"language": "de", "mwi": 1}`, `{"mwi": null}`, "mwi", nil},
		{"presence id comes from the owner", `{}`, `{"presence_id": "1001"}`, `{}`, "presence_id", "1001"},
		{"names are not handed down", `{"name": "Acme"}`, `{"name": "Ann"}`, `{}`, "name", nil},
		{"enabled is not handed down", `{"enabled": false}`, `{"enabled": false}`, `{}`, "enabled", nil},
		{"the account's realm is not a setting", `{"realm": "r"}`, `{}`, `{}`, "realm", nil},
		{"credentials are not handed down", `{}`, `{"sip": {"username": "u", "password": "p", "realm": "r"}}`, `{}`, "sip.password", nil},
		{"an owner's model is not the device's", `{}`, `{"provision": {"endpoint_model": "t1"}}`, `{}`, "provision.endpoint_model", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := b.deriveSettings(newPhone(t, tt.account, tt.owner, tt.device), nil, "")
			got, _ := s.document.Lookup(tt.member)
			if got != tt.want {
				t.Errorf("%s is %v, want %v", tt.member, got, tt.want)
			}
		})
	}
}

func TestLayersKeepDocuments(t *testing.T) {
	b := loadAcme(t, nil).brands["acme"]
	phone := newPhone(t, `{"name": "Acme", "sip": {"proxy": "p"}}`, `{"first_name": "Ann"}`, `{"timezone": "inherit", "sip": {"username": "ann"}}`)
	before := phone.Device.Document.Clone()
	b.deriveSettings(phone, nil, "")
	if diff := cmp.Diff(map[string]any(before), map[string]any(phone.Device.Document)); diff != "" {
		t.Errorf("the device's document changed (-before +after):\n%s", diff)
	}
	if phone.Account.Document.Text("name") != "Acme" {
		t.Error("the account's document changed")
	}
}

func TestEnabled(t *testing.T) {
	b := loadAcme(t, nil).brands["acme"]
	flags := map[string]string{"on": `{"enabled": true}`, "off": `{"enabled": false}`, "absent": `{}`}
	for account, accountDoc := range flags {
		for owner, ownerDoc := range map[string]string{"on": `{"enabled": true}`, "off": `{"enabled": false}`, "absent": `{}`, "none": ""} {
			for device, enabled := range map[string]string{"on": "true", "off": "false", "absent": "null"} {
				phone := newPhone(t, accountDoc, ownerDoc, `{"enabled": `+enabled+`, "sip": {"username": "a", "password": "p"}}`)
				s := b.deriveSettings(phone, nil, "")
				want := account != "off" && owner != "off" && device != "off"
				if got := s.lines[0].Enabled; got != want {
					t.Errorf("account %s, owner %s, device %s: enabled %v, want %v", account, owner, device, got, want)
				}
				if hidden := s.lines[0].Password == ""; hidden == want {
					t.Errorf("account %s, owner %s, device %s: password hidden %v, want %v", account, owner, device, hidden, !want)
				}
			}
		}
	}
}

func TestLine(t *testing.T) {
	b := loadAcme(t, nil).brands["acme"]
	users := []*models.User{newUser(t, annID, `{}`), newUser(t, bobID, `{"presence_id": "2002@acme.example.com"}`)}
	const registrar = "reg.example.com:5070"
	tests := []struct {
		name                   string
		account, owner, device string
		want                   line // of which the zero members are not compared
	}{
		{"device name", `{"name": "Acme"}`, `{"first_name": "Ann", "last_name": "Lee"}`, `{"name": "Desk", "sip": {"username": "u"}}`, line{DisplayName: "Desk", Label: "Ann Lee"}},
		{"owner's name", `{"name": "Acme"}`, `{"first_name": "Ann", "last_name": ""}`, `{"sip": {"username": "u"}}`, line{DisplayName: "Ann", Label: "Ann"}},
		{"a lone blank is no name", `{"name": "Acme"}`, `{"first_name": "", "last_name": ""}`, `{"sip": {"username": "u"}}`, line{DisplayName: "Acme", Label: "Acme"}},
		{"owner with a name member only", `{"name": "Acme"}`, `{"name": "ann"}`, `{"sip": {"username": "u"}}`, line{DisplayName: "Acme", Label: "ann"}},
		{"realm of the account", `{"realm": "Acme.example.com"}`, "", `{"sip": {"username": "u"}}`, line{Realm: "acme.example.com"}},
		{"realm of the device", `{"realm": "acme.example.com"}`, "", `{"sip": {"username": "u", "realm": "other.example.com"}}`, line{Realm: "other.example.com"}},
		{"registrar", `{}`, "", `{"sip": {"username": "u"}}`, line{Servers: []sipServer{{"reg.example.com", 5070}}}},
		{"proxy of the account", `{"sip": {"proxy": "p.example.com"}}`, "", `{"sip": {"username": "u"}}`, line{Servers: []sipServer{{"p.example.com", 5060}}}},
		{"proxy of the device", `{"sip": {"proxy": "p.example.com"}}`, "", `{"sip": {"username": "u", "proxy": "[2001:db8::1]:5080"}}`, line{Servers: []sipServer{{"2001:db8::1", 5080}}}},
		{"tls", `{}`, "", `{"sip": {"username": "u", "proxy": "p.example.com", "transport": "TLS"}}`, line{Transport: "tls", Servers: []sipServer{{"p.example.com", 5061}}}},
		{"several proxies", `{}`, "", `{"sip": {"username": "u", "proxy": "a.example.com:5070, b.example.com,,c,d,e"}}`,
			line{Servers: []sipServer{{"a.example.com", 5070}, {"b.example.com", 5060}, {"c", 5060}, {"d", 5060}}}},
		{"a list of nothing", `{}`, "", `{"sip": {"username": "u", "proxy": " ,, "}}`, line{Servers: []sipServer{{"reg.example.com", 5070}}}},
		{"no host", `{}`, "", `{"sip": {"username": "u", "proxy": "a b, sip:ann@px, px:99999, \u003csip:\u003e"}}`, line{Servers: []sipServer{{"reg.example.com", 5070}}}},
		{"proxies as URIs", `{}`, "", `{"sip": {"username": "u", "proxy": "sip:a.example.com, \u003csips:b:5071;lr\u003e, c;transport=tcp, \u003cSIP:[2001:db8::1]:5080\u003e;q=1"}}`,
			line{Servers: []sipServer{{"a.example.com", 5060}, {"b", 5071}, {"c", 5060}, {"2001:db8::1", 5080}}}},
		{"an IPv6 proxy without brackets", `{}`, "", `{"sip": {"username": "u", "proxy": "2001:db8::1"}}`, line{Servers: []sipServer{{"2001:db8::1", 5060}}}},
		{"a proxy called sip", `{}`, "", `{"sip": {"username": "u", "proxy": "sip:5090"}}`, line{Servers: []sipServer{{"sip", 5090}}}},
		{"the owner's presence id", `{}`, `{"presence_id": "1001@acme.example.com"}`, `{"presence_id": "1002", "sip": {"username": "u"}}`, line{PresenceID: "1001"}},
		{"a hotdesked user's presence id", `{}`, "", `{"hotdesk": {"users": {"` + annID + `": {}, "` + bobID + `": {}, "x": {}}}, "sip": {"username": "u"}}`, line{PresenceID: "2002"}},
		{"no hotdesks beside an owner", `{}`, `{}`, `{"hotdesk": {"users": {"` + bobID + `": {}}}, "presence_id": "1002", "sip": {"username": "u"}}`, line{PresenceID: "1002"}},
		{"the username is the presence id", `{"presence_id": "9"}`, "", `{"sip": {"username": "u"}}`, line{PresenceID: "u"}},
		{"an account that says nonsense", `{"sip": 5, "media": "x", "provision": [1]}`, "", `{"sip": {"username": "u"}}`, line{Transport: "udp", Expires: 300}},
		{"expires", `{}`, "", `{"sip": {"username": "u", "expire_seconds": 60}}`, line{Expires: 60}},
		{"expires sooner than phones can", `{}`, "", `{"sip": {"username": "u", "expire_seconds": 1}}`, line{Expires: 10}},
		{"expires later than phones can", `{}`, "", `{"sip": {"username": "u", "expire_seconds": 4294967295}}`, line{Expires: 2147483647}},
		{"expires by default", `{}`, "", `{"sip": {"username": "u"}}`, line{Expires: 300}},
		{"srtp", `{}`, "", `{"sip": {"username": "u"}, "media": {"encryption": {"methods": ["srtp"], "enforce_security": true}}}`, line{SRTP: "required"}},
		{"zrtp alone", `{}`, "", `{"sip": {"username": "u"}, "media": {"encryption": {"methods": ["zrtp"]}}}`, line{SRTP: "off"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := b.deriveSettings(newPhone(t, tt.account, tt.owner, tt.device), users, registrar)
			if len(s.lines) != 1 {
				t.Fatalf("%d lines, want 1", len(s.lines))
			}
			got := s.lines[0]
			for member, pair := range map[string][2]any{
				"DisplayName": {tt.want.DisplayName, got.DisplayName}, "Label": {tt.want.Label, got.Label}, "Realm": {tt.want.Realm, got.Realm},
				"PresenceID": {tt.want.PresenceID, got.PresenceID}, "Transport": {tt.want.Transport, got.Transport}, "SRTP": {tt.want.SRTP, got.SRTP},
				"Expires": {tt.want.Expires, got.Expires},
			} {
				if pair[0] != "" && pair[0] != 0 && pair[0] != pair[1] {
					t.Errorf("%s is %v, want %v", member, pair[1], pair[0])
				}
			}
			if diff := cmp.Diff(tt.want.Servers, got.Servers); tt.want.Servers != nil && diff != "" {
				t.Errorf("servers (-want +got):\n%s", diff)
			}
		})
	}
	s := b.deriveSettings(newPhone(t, `{}`, "", `{"name": "no account"}`), nil, registrar)
	if len(s.lines) != 0 {
		t.Errorf("without a SIP username: %d lines, want none", len(s.lines))
	}
}

func TestSelectCodecs(t *testing.T) {
	b := builtinCatalog(t).brands["polycom"]
	tests := []struct {
		name   string
		listed []string
		want   []string
	}{
		{"in order", []string{"G722", "PCMU"}, []string{"G722", "G711_Mu"}},
		{"fifth and later are dropped", []string{"PCMU", "PCMA", "G722", "G729", "OPUS"}, []string{"G711_Mu", "G711_A", "G722", "G729_AB"}},
		{"unknown ones are left out", []string{"GSM", "PCMA"}, []string{"G711_A"}},
		{"two names for one codec", []string{"G722_32", "G7221@32000h"}, []string{"G7221_C.48kbps"}},
		{"none listed", nil, []string{"G711_Mu", "G711_A", "G722", "G729_AB"}},
		{"none known", []string{"GSM"}, []string{"G711_Mu", "G711_A", "G722", "G729_AB"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			on, off := b.selectCodecs(tt.listed)
			if diff := cmp.Diff(tt.want, on); diff != "" {
				t.Errorf("on (-want +got):\n%s", diff)
			}
			if len(on)+len(off) != len(b.Codecs) {
				t.Errorf("%d on and %d off of %d", len(on), len(off), len(b.Codecs))
			}
		})
	}
}

func TestLanguage(t *testing.T) {
	b := loadAcme(t, nil).brands["acme"]
	for tag, want := range map[string]string{"de": "German", "de-AT": "Austrian", "de_at": "Austrian", "de-CH": "German", "en-us": "English", "fr": "", "": "", "-": ""} {
		if got := b.language(tag); got != want {
			t.Errorf("language %q is %q, want %q", tag, got, want)
		}
	}
}
