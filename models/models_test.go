package models_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
)

func TestParseMAC(t *testing.T) {
	tests := []struct{ in, want string }{
		{"001565aabbcc", "001565aabbcc"},
		{"00:15:65:AA:BB:CC", "001565aabbcc"},
		{"0015.65aa.bbcc", "001565aabbcc"},
		{" 00-15-65-aa-bb-cc\n", "001565aabbcc"},
		{"", ""},
		{"001565aabbc", ""},
		{"001565aabbccd", ""},
		{"phone", ""}, // "e" alone
	}
	for _, tt := range tests {
		mac, err := models.ParseMAC(tt.in)
		if tt.want == "" {
			if !errors.Is(err, models.ErrInvalid) {
				t.Errorf("ParseMAC(%q): got %v, %v, want ErrInvalid", tt.in, mac, err)
			}
			continue
		}
		if err != nil || mac.String() != tt.want {
			t.Errorf("ParseMAC(%q): got %v, %v, want %s", tt.in, mac, err, tt.want)
		}
	}
	last := models.MAC{0x00, 0x15, 0x65, 0xff, 0xff, 0xff}
	if got := last.Next().Colons(); got != "00:15:66:00:00:00" {
		t.Errorf("Next: got %s", got)
	}
}

func FuzzParseMAC(f *testing.F) {
	for _, seed := range []string{"001565aabbcc", "00:15:65:AA:BB:CC", "0015.65aa.bbcc", "x", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		mac, err := models.ParseMAC(s)
		if err != nil {
			return
		}
		for _, spelling := range []string{mac.String(), mac.Colons(), strings.ToUpper(mac.String())} {
			if again, err := models.ParseMAC(spelling); err != nil || again != mac {
				t.Errorf("ParseMAC(%q) = %v, %v; ParseMAC(%q) = %v", spelling, again, err, s, mac)
			}
		}
	})
}

func TestSecretsDoNotPrint(t *testing.T) {
	device := models.Device{HTTPPassword: "canary"}
	if err := device.SetDocument(models.Document{"sip": map[string]any{"password": "canary"}}); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.InfoContext(t.Context(), "x", "secret", device.HTTPPassword, "document", device.Document, "settings", device.SIP)
	printed := log.String() + fmt.Sprintf("%v %+v %#v %s", device, device, device, device.Document)
	raw, err := json.Marshal(device.DeviceSettings)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(printed+string(raw), "canary") {
		t.Errorf("a secret was printed: %s %s", printed, raw)
	}
	if device.SIP.Password.Reveal() != "canary" {
		t.Error("Reveal does not give the secret")
	}
}

func TestDocument(t *testing.T) {
	for _, bad := range []string{"", "null", "[]", "5", `{"a":1}{"b":2}`, `{"a":}`} {
		if doc, err := models.ParseDocument([]byte(bad)); !errors.Is(err, models.ErrInvalid) {
			t.Errorf("ParseDocument(%q): got %v, %v, want ErrInvalid", bad, doc, err)
		}
	}
	doc, err := models.ParseDocument([]byte(`{"sip":{"username":"ann"},"n":1.50,"list":[{"a":1}]}`))
	if err != nil {
		t.Fatal(err)
	}
	clone := doc.Clone()
	clone.Set("sip.username", "bob")
	clone.Set("new.deep.member", true)
	clone.Set("n.under", "a scalar")
	clone["list"].([]any)[0].(map[string]any)["a"] = "changed"
	clone.Delete("sip.password")
	clone.Delete("none.at.all")
	if doc.Text("sip.username") != "ann" || doc.Text("new.deep") != "" {
		t.Error("changing a clone shows in the original")
	}
	if raw, _ := json.Marshal(map[string]any(doc)); string(raw) != `{"list":[{"a":1}],"n":1.50,"sip":{"username":"ann"}}` {
		t.Errorf("round trip: got %s", raw)
	}
	if v, ok := clone.Lookup("new.deep.member"); !ok || v != true {
		t.Errorf("Lookup: got %v, %v", v, ok)
	}
	clone.Delete("sip.username")
	if _, ok := clone.Lookup("sip.username"); ok {
		t.Error("Delete left the member")
	}
}

// Members that differ from known ones only in case are unknown ones.
func TestViewIsExact(t *testing.T) {
	var d models.Device
	doc := parse(t, `{"NAME":5,"MAC_Address":"001565aabbcc","SIP":{"username":"eve"},"sip":{"Username":"eve","password":"ok"},"\u212Aey":1}`)
	if err := d.SetDocument(doc); err != nil {
		t.Fatal(err)
	}
	if d.Name != "" || d.MACAddress != "" || d.SIP.Username != "" || d.SIP.Password != "ok" {
		t.Errorf("got %+v", d.DeviceSettings)
	}
	if len(d.Document) != 5 {
		t.Errorf("unknown members were lost: %d left", len(d.Document))
	}
}

// Members of a wrong type are an error; null is as good as absent.
func TestViewOfWrongTypes(t *testing.T) {
	for _, raw := range []string{
		`{"name":5}`, `{"sip":"x"}`, `{"sip":[]}`, `{"media":{"audio":{"codecs":"PCMA"}}}`, `{"media":{"audio":{"codecs":["PCMA",5]}}}`,
		`{"media":{"encryption":{"enforce_security":"true"}}}`, `{"sip":{"expire_seconds":1.5}}`, `{"sip":{"expire_seconds":"300"}}`,
	} {
		if err := new(models.Device).SetDocument(parse(t, raw)); !errors.Is(err, models.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", raw, err)
		}
	}
	var d models.Device
	doc := parse(t, `{"name":null,"sip":null,"enabled":null,"media":{"audio":null,"encryption":{"methods":null}},
		"provision":{"lines":{"2":"0123456789abcdef0123456789abcdef","1":"x","02":"y"},"combo_keys":null}}`)
	if err := d.SetDocument(doc); err != nil {
		t.Fatal(err)
	}
	want := models.DeviceSettings{}
	want.Provision.Lines = models.Lines{{Number: 2, DeviceID: "0123456789abcdef0123456789abcdef"}}
	if diff := cmp.Diff(want, d.DeviceSettings, cmp.AllowUnexported(models.Switch{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOverlay(t *testing.T) {
	tests := []struct{ name, base, top, want string }{
		{"leaves of top win", `{"a":{"x":1,"y":2},"b":1}`, `{"a":{"y":3}}`, `{"a":{"x":1,"y":3},"b":1}`},
		{"an empty object replaces", `{"a":{"x":1}}`, `{"a":{}}`, `{"a":{}}`},
		{"null is kept", `{"a":1}`, `{"a":null}`, `{"a":null}`},
		{"lists replace", `{"a":[1,2]}`, `{"a":[3]}`, `{"a":[3]}`},
		{"an object replaces a scalar", `{"a":1}`, `{"a":{"x":1}}`, `{"a":{"x":1}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base, top := parse(t, tt.base), parse(t, tt.top)
			if diff := cmp.Diff(parse(t, tt.want), models.Overlay(base, top)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !cmp.Equal(base, parse(t, tt.base)) || !cmp.Equal(top, parse(t, tt.top)) {
				t.Error("an argument changed")
			}
		})
	}
}

func parse(t *testing.T, raw string) models.Document {
	t.Helper()
	doc, err := models.ParseDocument([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestKeys(t *testing.T) {
	settings, err := models.ParseDeviceSettings(parse(t, `{"provision":{"endpoint_model":["T46","T48"],"combo_keys":{
		"10":{"type":"parking","value":{"value":3,"label":"Lot"}},
		"2":{"type":"speed_dial","value":"1001"},
		"3":{"type":"parking","value":4},
		"4":null, "5":"junk", "x":{"type":"line"}, "-1":{"type":"line"},
		"0":{"type":"line"},
		"1":{"type":"presence","value":{"value":"u1"}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := models.Keys{
		{Number: 0, Type: models.KeyLine},
		{Number: 1, Type: models.KeyPresence, Value: "u1", HasValue: true},
		{Number: 2, Type: models.KeySpeedDial, Value: "1001", HasValue: true},
		{Number: 3, Type: models.KeyParking, Value: "4", HasValue: true},
		{Number: 10, Type: models.KeyParking, Value: "3", HasValue: true, Label: "Lot", HasLabel: true},
	}
	if diff := cmp.Diff(want, settings.Provision.ComboKeys); diff != "" {
		t.Errorf("combo keys (-want +got):\n%s", diff)
	}
	if settings.Provision.Model != "T46" {
		t.Errorf("model: got %q, want the first of the list", settings.Provision.Model)
	}
	for raw, want := range map[string]models.Model{`46`: "46", `"t46"`: "t46", `null`: "", `[]`: "", `{}`: ""} {
		settings, err := models.ParseDeviceSettings(parse(t, `{"provision":{"endpoint_model":`+raw+`,"combo_keys":[]}}`))
		if err != nil || settings.Provision.Model != want {
			t.Errorf("endpoint_model %s: got %q, %v, want %q", raw, settings.Provision.Model, err, want)
		}
	}
}

// Kazoo's truth table: one thing that is off turns the phone off.
func TestPhoneEnabled(t *testing.T) {
	for _, device := range []string{`{}`, `{"enabled":true}`, `{"enabled":false}`} {
		for _, account := range []string{`{}`, `{"enabled":false}`} {
			for _, owner := range []string{"", `{}`, `{"enabled":false}`} {
				p := &models.Phone{Device: &models.Device{}, Account: &models.Account{}}
				err := errors.Join(p.Device.SetDocument(parse(t, device)), p.Account.SetDocument(parse(t, account)))
				if owner != "" {
					p.Owner = &models.User{}
					err = errors.Join(err, p.Owner.SetDocument(parse(t, owner)))
				}
				if err != nil {
					t.Fatal(err)
				}
				want := !strings.Contains(device+account+owner, "false")
				if got := p.Enabled(); got != want {
					t.Errorf("device %s, account %s, owner %q: got %v, want %v", device, account, owner, got, want)
				}
			}
		}
	}
}

func TestPhoneAOR(t *testing.T) {
	p := &models.Phone{Device: &models.Device{}, Account: &models.Account{}}
	p.Account.Realm = "Acme.example.com"
	if got := p.AOR(); got != "" {
		t.Errorf("AOR without a username: got %q", got)
	}
	p.Device.SIP.Username = "Ann"
	if got := p.AOR(); got != "sip:Ann@acme.example.com" {
		t.Errorf("AOR in the account's realm: got %q", got)
	}
	p.Device.SIP.Realm = "other.example.com"
	if got := p.AOR(); got != "sip:Ann@other.example.com" {
		t.Errorf("AOR in the device's realm: got %q", got)
	}
}

func TestUserLabel(t *testing.T) {
	tests := []struct{ first, last, name, want string }{
		{"Ann", "Lee", "x", "Ann Lee"}, {"Ann", "", "x", "Ann"}, {"", "Lee", "x", "Lee"}, {"", "", "x", "x"}, {"", "", "", ""},
	}
	for _, tt := range tests {
		u := &models.User{UserSettings: models.UserSettings{FirstName: tt.first, LastName: tt.last, Name: tt.name}}
		if got := u.Label(); got != tt.want {
			t.Errorf("Label of %+v: got %q, want %q", tt, got, tt.want)
		}
	}
}

func TestE164(t *testing.T) {
	for number, want := range map[string]string{
		"+14155550100":        "+14155550100",
		"14155550100":         "+14155550100",
		"4155550100":          "+14155550100",
		"(415) 555-0100":      "+14155550100",
		"1.415.555.0100":      "+14155550100",
		"+49 30/1234567":      "+49301234567",
		"0049301234567":       "+49301234567",
		"011 49 30 1234567":   "+49301234567",
		"030 1234567":         "030 1234567", // of which country?
		"911":                 "911",
		"2001":                "2001",
		"1155550100":          "1155550100",
		"+0123":               "+0123",
		"+":                   "+",
		"+1234567890123456":   "+1234567890123456", // too long
		"+1 415 555 0100 x 7": "+1 415 555 0100 x 7",
		"anonymous":           "anonymous",
		"":                    "",
	} {
		if got := models.E164(number); got != want {
			t.Errorf("%q: got %q, want %q", number, got, want)
		}
	}
}

func FuzzE164(f *testing.F) {
	for _, seed := range []string{"+14155550100", "4155550100", "0049301234567", "x", "+"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, number string) {
		once := models.E164(number)
		if twice := models.E164(once); twice != once {
			t.Errorf("%q: %q, and of that %q", number, once, twice)
		}
	})
}
