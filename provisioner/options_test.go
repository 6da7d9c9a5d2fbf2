package provisioner

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// optionsOf is a view of documents, without those.
func optionsOf(t *testing.T, account, owner, device string) view {
	t.Helper()
	return sampleView(t, sample{phone: *newPhone(t, account, owner, device)})
}

// member finds "lines.0.forward.always" in a view.
func member(t *testing.T, v view, path string) any {
	t.Helper()
	var at any = v
	for name := range strings.SplitSeq(path, ".") {
		if list, ok := at.([]any); ok && name == "0" && len(list) > 0 {
			at = list[0]
			continue
		}
		object, ok := at.(map[string]any)
		if !ok {
			t.Fatalf("no %s in the view", path)
		}
		at = object[name]
	}
	return at
}

func TestOptions(t *testing.T) {
	tests := []struct {
		name, account, owner, device string
		want                         view // by path
	}{
		{"defaults", `{}`, "", `{"sip": {"username": "u"}}`, view{
			"lines.0.voicemail_number": "*97", "lines.0.dtmf": "rfc2833", "lines.0.keep_alive": 30, "lines.0.call_waiting": true, "lines.0.dnd": false,
			"lines.0.mwi_subscribe": false, "lines.0.auto_answer": false, "lines.0.shared": false, "lines.0.music_on_hold": "",
			"lines.0.forward": view{"always": false, "offline": false, "number": "", "busy": false, "busy_number": "",
				"no_answer": false, "no_answer_number": "", "timeout": 20},
			"codes.park": "*3", "codes.pickup": "", "web.enabled": true,
			"logs":     view{"upload": false, "level": "warning", "syslog_host": "", "syslog_port": 514},
			"network":  view{"vlan": 0, "vlan_pc": 0, "lldp": true, "dscp_signalling": 26, "dscp_audio": 46},
			"dialplan": view{"digitmap": "", "timeout": 4}, "firmware.url": "", "assets": view{"logo": "", "ringtones": []any{}},
			"time.format_24h": true, "time.date_format": "YYYY-MM-DD", "security.admin_name": "admin", "security.user_name": "user",
		}},
		{"layers", `{"provision": {"dtmf": "info", "network": {"vlan": 5, "vlan_pc": 6}}}`, `{"provision": {"network": {"vlan": 7}}}`,
			`{"sip": {"username": "u"}, "provision": {"network": {"lldp": false}}}`,
			view{"lines.0.dtmf": "info", "network": view{"vlan": 7, "vlan_pc": 6, "lldp": false, "dscp_signalling": 26, "dscp_audio": 46}}},
		{"nonsense is the default", `{"provision": {"dtmf": 7, "keep_alive": -1, "network": "no", "logs": {"level": "all", "syslog_port": 70000}}}`, "",
			`{"sip": {"username": "u"}}`,
			view{"lines.0.dtmf": "rfc2833", "lines.0.keep_alive": 30, "network.vlan": 0, "logs.level": "warning", "logs.syslog_port": 514}},
		{"an empty code is none", `{"provision": {"feature_codes": {"park": "*68"}}}`, "", `{"sip": {"username": "u"}, "provision": {"voicemail_number": "",
			"feature_codes": {"intercom": ""}, "combo_keys": {"1": {"type": "parking", "value": 3}}}}`,
			view{"codes.park": "*68", "codes.intercom": "", "lines.0.voicemail_number": "", "keys.combo.0.value": "*683"}},
		{"caller id", `{"caller_id": {"external": {"name": "Acme", "number": "1"}}}`, "", `{"sip": {"username": "u"}, "caller_id": {"internal": {"name": "Ann"}}}`,
			view{"lines.0.caller_id_name": "Ann", "lines.0.caller_id_number": "1"}},
		{"forwarding", `{}`, `{"call_forward": {"enabled": true, "failover": true, "number": "1"}}`, `{"sip": {"username": "u"}}`,
			view{"lines.0.forward.always": true, "lines.0.forward.offline": false, "lines.0.forward.number": "1"}},
		{"fail-over", `{}`, `{"call_forward": {"failover": true, "number": "1"}}`, `{"sip": {"username": "u"}}`,
			view{"lines.0.forward.always": false, "lines.0.forward.offline": true}},
		{"forwarding to nowhere", `{}`, "", `{"sip": {"username": "u"}, "call_forward": {"enabled": true}}`, view{"lines.0.forward.always": false}},
		{"music of the switch", `{"music_on_hold": {"media_id": "a1b2"}}`, "", `{"sip": {"username": "u"}}`, view{"lines.0.music_on_hold": ""}},
		{"asking for the mailbox", `{}`, "", `{"sip": {"username": "u"}, "mwi_unsolicited_updates": false}`, view{"lines.0.mwi_subscribe": true}},
		{"no video", `{}`, "", `{"sip": {"username": "u"}, "media": {"video": {"codecs": []}}}`, view{"video_codecs.on": []any{},
			"lines.0.video_codecs": view{"on": []any{}, "off": []any{view{"code": "avc"}, view{"code": "old"}}}}},
		{"American times", `{"language": "en_US"}`, "", `{}`, view{"time.format_24h": false, "time.date_format": "MM/DD/YYYY"}},
		{"British times", `{"language": "en-gb"}`, "", `{}`, view{"time.format_24h": true, "time.date_format": "DD/MM/YYYY"}},
		{"Swedish times", `{"language": "sv-SE"}`, "", `{}`, view{"time.format_24h": true, "time.date_format": "YYYY-MM-DD"}},
		{"the offset of the day", `{"timezone": "Australia/Lord_Howe"}`, "", `{}`,
			view{"time.offset": 37800, "time.offset_now": 39600, "time.dst": true, "time.saving": 30}},
		{"times by document", `{"language": "en-us", "provision": {"time_format": "24"}}`, "", `{}`, view{"time.format_24h": true, "time.date_format": "MM/DD/YYYY"}},
		{"passwords by document", `{"provision": {"user_password": "4321"}}`, "", `{"provision": {"admin_password": "s3cret"}}`,
			view{"security.admin_password": "s3cret", "security.user_password": "4321", "device.provision.admin_password": nil, "account.provision.user_password": nil}},
		{"assets", `{"provision": {"firmware": "a/b.rom", "logo": "http://h/x.png"}}`, "", `{"provision": {"ringtones": ["a/b.wav"]}}`,
			view{"firmware.url": sampleFolder + "assets/a/b.rom", "assets.logo": "http://h/x.png",
				"assets.ringtones": []any{view{"name": "b.wav", "url": sampleFolder + "assets/a/b.wav"}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := optionsOf(t, tt.account, tt.owner, tt.device)
			for path, want := range tt.want {
				if diff := cmp.Diff(want, member(t, v, path)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", path, diff)
				}
			}
		})
	}
}

func TestPickup(t *testing.T) {
	keys := everything(t)["keys"].(view)["line"].([]any)
	for i, want := range []view{
		{"type": "line", "user": false, "pickup": "", "line": 1},
		{"type": "presence", "user": true, "pickup": "**1002", "line": 2},
		{"type": "parking", "user": false, "pickup": "", "line": 1},
	} {
		for name, value := range want {
			if got := keys[i].(view)[name]; got != value {
				t.Errorf("key %d: %s is %v, want %v", i+1, name, got, value)
			}
		}
	}
}

// Keys beyond those of the phone, which has eight, are on its two modules of
// three keys each.
func TestExpansion(t *testing.T) {
	v := optionsOf(t, `{}`, "", `{"provision": {"combo_keys": {"7": {"type": "speed_dial", "value": "7"}, "8": {"type": "speed_dial", "value": "8"},
		"13": {"type": "speed_dial", "value": "13"}, "14": {"type": "speed_dial", "value": "14"}}, "feature_keys": {"8": {"type": "speed_dial", "value": "f8"}}}}`)
	if own := member(t, v, "keys.line").([]any); len(own) != 8 || own[7].(view)["value"] != "7" || own[7].(view)["nth"] != 1 {
		t.Errorf("the phone's own keys: %v", own)
	}
	var got []view
	for _, module := range member(t, v, "keys.expansion").([]any) {
		for _, k := range module.(view)["keys"].([]any) {
			k := k.(view)
			got = append(got, view{"module": module.(view)["module"], "position": k["position"], "overall": k["overall"], "value": k["value"], "nth": k["nth"]})
		}
	}
	want := []view{
		{"module": 1, "position": 1, "overall": 9, "value": "8", "nth": 2},
		{"module": 1, "position": 2, "overall": 10, "value": "f8", "nth": 3},
		{"module": 1, "position": 3, "overall": 11, "value": "", "nth": 0},
		{"module": 2, "position": 1, "overall": 12, "value": "", "nth": 0},
		{"module": 2, "position": 2, "overall": 13, "value": "", "nth": 0},
		{"module": 2, "position": 3, "overall": 14, "value": "13", "nth": 4},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys of the modules (-want +got):\n%s", diff)
	}
}

func TestDerivedPasswords(t *testing.T) {
	phone := newPhone(t, `{}`, "", `{}`)
	admin := derivedPassword(phone.Device, "admin", passwordLetters, 16)
	if len(admin) != 16 || strings.Trim(admin, passwordLetters) != "" || admin != derivedPassword(phone.Device, "admin", passwordLetters, 16) {
		t.Errorf("admin password %q, want 16 letters, always the same", admin)
	}
	pin := derivedPassword(phone.Device, "user", pinDigits, 8)
	if len(pin) != 8 || strings.Trim(pin, pinDigits) != "" {
		t.Errorf("user password %q, want 8 digits", pin)
	}
	other := *phone.Device
	other.ID = bobID
	if derivedPassword(&other, "admin", passwordLetters, 16) == admin {
		t.Error("two devices have the same password")
	}
	other = *phone.Device
	other.HTTPPassword = "another"
	if derivedPassword(&other, "admin", passwordLetters, 16) == admin {
		t.Error("the password does not depend on the device's secret")
	}
	other.HTTPPassword = ""
	if got := derivedPassword(&other, "admin", passwordLetters, 16); got != "" {
		t.Errorf("without a secret: %q, want none", got)
	}
	seen := map[rune]bool{}
	for i := range 200 {
		other.HTTPPassword = phone.Device.HTTPPassword
		other.ID = strings.Repeat("x", i)
		for _, c := range derivedPassword(&other, "admin", passwordLetters, 16) {
			seen[c] = true
		}
	}
	if len(seen) != len(passwordLetters) {
		t.Errorf("%d different letters, want all %d", len(seen), len(passwordLetters))
	}
}

// A common file is everybody's: nobody's passwords, lines and keys.
func TestCommonView(t *testing.T) {
	phone := newPhone(t, `{"name": "Acme"}`, "", `{"sip": {"username": "u"}}`)
	b := loadAcme(t, nil).brands["acme"]
	in := b.commonInput(phone.Account, modelKey{})
	in.now = sampleNow
	v := wholeView(in)
	for path, want := range map[string]any{"lines": []any{}, "keys.line": []any{}, "security.admin_password": "", "security.user_password": "",
		"server.username": "", "device": view{}, "owner": view{}} {
		if diff := cmp.Diff(want, member(t, v, path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestKeysOfALine(t *testing.T) {
	v := optionsOf(t, `{}`, "", `{"sip": {"username": "ann", "password": "x"}, "provision": {"combo_keys": {"1": {"type": "line"}, "2": {"type": "line", "line": 2},
		"3": {"type": "presence", "value": "`+annID+`"}}}}`)
	if lines := member(t, v, "lines").([]any); len(lines) != 1 || lines[0].(view)["keys"] != 2 {
		t.Errorf("got %v, want the first line with its first key and the second one", lines)
	}
}
