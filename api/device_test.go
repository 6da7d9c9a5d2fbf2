package api_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
	"dialtone/provisioner"
)

// The documentation's answer to a create with only a name.
const seedDevice = `{
	"call_restriction": {}, "caller_id": {}, "contact_list": {}, "dial_plan": {}, "enabled": true, "exclude_from_queues": false,
	"media": {"audio": {"codecs": ["PCMU"]}, "encryption": {"enforce_security": false, "methods": []}, "video": {"codecs": []}},
	"music_on_hold": {}, "mwi_unsolicited_updates": true, "name": "New Device", "register_overwrite_notify": false, "ringtones": {},
	"sip": {"expire_seconds": 300, "invite_format": "username", "method": "password", "registration_expiration": 300},
	"suppress_unregister_notifications": false
}`

func TestCreateDevice(t *testing.T) {
	b := newBench(t)
	r := b.do("PUT", b.devices(), `{"data":{"name":"New Device"}}`).want(http.StatusCreated)
	id := r.id()
	if got, want := r.header.Get("Location"), b.devices()+"/"+id; got != want {
		t.Errorf("Location %q, want %q", got, want)
	}
	if revision, _ := r.envelope["revision"].(string); !strings.HasPrefix(revision, "1-") {
		t.Errorf("revision %q", revision)
	}
	got := b.do("GET", b.devices()+"/"+id, "").want(http.StatusOK)
	if diff := cmp.Diff(asJSON(t, r.data()), asJSON(t, got.data())); diff != "" {
		t.Errorf("created, read: %s", diff)
	}
	delete(r.data(), "id")
	if diff := cmp.Diff(asJSON(t, seedDevice), asJSON(t, r.data())); diff != "" {
		t.Error(diff)
	}
}

func TestDeviceIsCleaned(t *testing.T) {
	tests := []struct{ name, data, path, want string }{
		{"MAC with colons", `{"mac_address":"00:04:F2:AB:7E:FD"}`, "mac_address", `"0004f2ab7efd"`},
		{"MAC of nothing", `{"mac_address":":-:"}`, "mac_address", `":-:"`},
		{"flags trimmed", `{"outbound_flags":[" a ","b"]}`, "outbound_flags", `["a","b"]`},
		{"flags of no list", `{"outbound_flags":{"static":["x"]}}`, "outbound_flags", `[]`},
		{"account's realm", `{"sip":{"realm":"Master.Example.com"}}`, "sip.realm", `null`},
		{"other realm", `{"sip":{"realm":"other.example.com"}}`, "sip.realm", `"other.example.com"`},
		{"cleared keys", `{"provision":{"combo_keys":{"0":null,"1":{"type":"line"}}}}`, "provision.combo_keys", `{"1":{"type":"line"}}`},
		{"emergency number", `{"caller_id":{"emergency":{"number":"(415) 555-0100"}}}`, "caller_id.emergency.number", `"+14155550100"`},
		{"emergency extension", `{"caller_id":{"emergency":{"number":"2001"}}}`, "caller_id.emergency.number", `"2001"`},
		{"model as number", `{"provision":{"endpoint_model":450}}`, "provision.endpoint_model", `"450"`},
		{"model as list", `{"provision":{"endpoint_model":["t46"]}}`, "provision.endpoint_model", `["t46"]`},
		{"boolean as text", `{"enabled":"false"}`, "enabled", `false`},
		{"integer as text", `{"sip":{"expire_seconds":"360"}}`, "sip.expire_seconds", `360`},
		{"integer with fraction", `{"sip":{"expire_seconds":3.6e2}}`, "sip.expire_seconds", `360`},
		{"older name of the expiry", `{"sip":{"registration_expiration":600}}`, "sip.expire_seconds", `600`},
		{"newer name wins", `{"sip":{"registration_expiration":600,"expire_seconds":"120"}}`, "sip.registration_expiration", `120`},
		{"private member", `{"pvt_x":1,"_y":2}`, "pvt_x", `null`},
		{"inner defaults", `{"call_forward":{"number":"1"}}`, "call_forward",
			`{"direct_calls_only":false,"enabled":false,"failover":false,"ignore_early_media":true,"keep_caller_id":true,"number":"1","require_keypress":true,"substitute":true}`},
		{"metaflow defaults", `{"metaflows":{"numbers":{"1":{"module":"hold","children":{"2":{"module":"x"}}}}}}`, "metaflows",
			`{"binding_digit":"*","numbers":{"1":{"module":"hold","data":{},"children":{"2":{"module":"x","data":{}}}}}}`},
		{"media defaults", `{"media":{"audio":{"codecs":["G722"]}}}`, "media",
			`{"audio":{"codecs":["G722"]},"encryption":{"enforce_security":false,"methods":[]},"video":{"codecs":[]}}`},
		{"custom member", `{"custom":{"deep":[{"é":"<&>"}]}}`, "custom", `{"deep":[{"é":"<&>"}]}`},
		{"custom null", `{"custom":null}`, "custom", `null`},
		{"big number", `{"sip":{"custom":123456789012345678901234567890.10}}`, "sip.custom", `123456789012345678901234567890.10`},
		{"headers both ways", `{"sip":{"custom_sip_headers":{"X-Flat":"1","in":{"X-In":"2"},"out":{"X-Out":"3"}}}}`, "sip.custom_sip_headers.in.X-In", `"2"`},
		{"sync is not kept", `{"sync":"true"}`, "sync", `null`},
	}
	loose := []string{"flags of no list", "model as number", "boolean as text", "integer as text", "newer name wins", "sync is not kept"}
	b := newBench(t)
	for _, tt := range tests {
		b.subtest(tt.name, func() {
			var headers []string
			if slices.Contains(loose, tt.name) {
				headers = append(headers, lenient)
			}
			data := strings.Replace(tt.data, "{", `{"name":"x",`, 1)
			r := b.do("PUT", b.devices(), `{"data":`+data+`}`, headers...).want(http.StatusCreated)
			for _, r := range []*reply{r, b.do("GET", b.devices()+"/"+r.id(), "").want(http.StatusOK)} {
				if diff := cmp.Diff(asJSON(t, `[`+tt.want+`]`), asJSON(t, []any{r.at(tt.path)})); diff != "" {
					b.Error(diff)
				}
			}
		})
	}
}

func TestDeviceValidation(t *testing.T) {
	long := strings.Repeat("x", 129)
	tests := []struct {
		data string
		want []string
	}{
		{`{}`, []string{"name: required"}},
		{`{"name":""}`, []string{"name: minLength"}},
		{`{"name":"` + long + `"}`, []string{"name: maxLength"}},
		{`{"name":5}`, []string{"name: type"}},
		{`{"name":"x","enabled":"maybe"}`, []string{"enabled: type"}},
		{`{"name":"x","owner_id":"1"}`, []string{"owner_id: minLength"}},
		{`{"name":"x","owner_id":null}`, []string{"owner_id: type"}},
		{`{"name":"x","mac_address":"` + strings.Repeat("a", 65) + `"}`, []string{"mac_address: maxLength"}},
		{`{"name":"x","mac_address":5}`, []string{"mac_address: type"}},
		{`{"name":"x","sip":{"method":"magic"}}`, []string{"sip.method: enum"}},
		{`{"name":"x","sip":{"method":"ip","ip":"::1"}}`, []string{"sip.ip: type"}},
		{`{"name":"x","sip":{"method":"ip","ip":"1.2.3.4.5"}}`, []string{"sip.ip: type"}},
		{`{"name":"x","sip":{"method":"ip"}}`, []string{"sip.ip: type"}},
		{`{"name":"x","sip":{"username":"a","password":"abc"}}`, []string{"sip.username: minLength", "sip.password: minLength"}},
		{`{"name":"x","sip":{"realm":"a b c d"}}`, []string{"sip.realm: pattern"}},
		{`{"name":"x","sip":{"expire_seconds":"soon"}}`, []string{"sip.expire_seconds: type"}},
		{`{"name":"x","sip":{"expire_seconds":1e30}}`, []string{"sip.expire_seconds: maximum"}},
		{`{"name":"x","sip":{"expire_seconds":-1}}`, []string{"sip.expire_seconds: minimum"}},
		{`{"name":"x","sip":{"custom_sip_headers":{"X Y":"1"}}}`, []string{"sip.custom_sip_headers.X Y: additionalProperties"}},
		{`{"name":"x","sip":{"custom_sip_headers":{"in":{"a.b":"1"}}}}`, []string{"sip.custom_sip_headers.in.a%2Eb: additionalProperties"}},
		{`{"name":"x","sip":[]}`, []string{"sip: type"}},
		{`{"name":"x","media":{"audio":{"codecs":["PCMU","NOPE"]}}}`, []string{"media.audio.codecs.1: enum"}},
		{`{"name":"x","media":{"audio":{"codecs":["PCMU","PCMU"]}}}`, []string{"media.audio.codecs: uniqueItems"}},
		{`{"name":"x","media":{"bypass_media":"sometimes"}}`, []string{"media.bypass_media: enum"}},
		{`{"name":"x","sip":{"username":"ab","password":"abc\u0000de"}}`, []string{"sip.password: pattern"}},
		{`{"name":"x","sip":{"username":"ab","password":"abcde\r\n"}}`, []string{"sip.password: pattern"}},
		{`{"name":"x","sip":{"username":"ab","password":" abcde"}}`, []string{"sip.password: pattern"}},
		{`{"name":"x","sip":{"username":"ab","password":"abcde\u00a0"}}`, []string{"sip.password: pattern"}},
		{`{"name":"x","provision":{"admin_password":" abcdef","user_password":"abcde\t"}}`, []string{"provision.admin_password: pattern", "provision.user_password: pattern"}},
		{`{"name":"x","provision":{"combo_keys":{"3":{"type":"speed_dial","value":"` + strings.Repeat("1", 257) + `"}}}}`, []string{"provision.combo_keys.3: not_one_schema_valid"}},
		{`{"name":"x","provision":{"feature_keys":{"3":{"type":"parking","value":{"label":"` + strings.Repeat("1", 129) + `","value":1}}}}}`, []string{"provision.feature_keys.3: not_one_schema_valid"}},
		{`{"name":"x","provision":{"combo_keys":{"3":{"type":"parking","value":11}}}}`, []string{"provision.combo_keys.3: not_one_schema_valid"}},
		{`{"name":"x","provision":{"feature_keys":{"0":{"value":"1"}}}}`, []string{"provision.feature_keys.0: not_one_schema_valid"}},
		{`{"name":"x","provision":{"combo_keys":{"0":{"type":"speed_dial","value":{"label":"L"}}}}}`, []string{"provision.combo_keys.0: not_one_schema_valid"}},
		{`{"name":"x","provision":{"endpoint_model":true}}`, []string{"provision.endpoint_model: type"}},
		{`{"name":"x","call_restriction":{"tollfree":{"action":"allow"}}}`, []string{"call_restriction.tollfree.action: enum"}},
		{`{"name":"x","call_recording":{"any":{"any":{"time_limit":4,"url":"not a uri","more":1}}}}`,
			[]string{"call_recording.any.any.time_limit: minimum", "call_recording.any.any.url: wrong_format", "call_recording.any.any.more: additionalProperties"}},
		{`{"name":"x","call_forward":{"number":"` + strings.Repeat("1", 36) + `"}}`, []string{"call_forward.number: maxLength"}},
		{`{"name":"x","metaflows":{"numbers":{"1":{"children":{"2":{"module":""}}}}}}`,
			[]string{"metaflows.numbers.1.module: required", "metaflows.numbers.1.children.2.module: minLength"}},
		{`{"name":"x","metaflows":{"numbers":{"one":{"module":"hold"}}}}`, []string{"metaflows.numbers.one: additionalProperties"}},
		{`{"name":"x","formatters":{"to":{"direction":"sideways"}}}`, []string{"formatters.to: not_one_schema_valid"}},
		{`{"name":"x","caller_id":{"internal":{"name":"` + long + `"}}}`, []string{"caller_id.internal.name: maxLength"}},
		{`{"name":"x","flags":"a"}`, []string{"flags: type"}},
		{`{"name":"x","device_type":"mobile"}`, []string{"mobile.mdn: required"}},
		{`{"name":"x","id":"status"}`, []string{"id: pattern"}},
		// All at once.
		{`{"enabled":"maybe","sip":{"username":"a","method":"ip"},"provision":{"combo_keys":{"0":5}},"id":7}`,
			[]string{"name: required", "enabled: type", "sip.username: minLength", "sip.ip: type", "provision.combo_keys.0: not_one_schema_valid", "id: pattern"}},
	}
	b := newBench(t)
	for _, tt := range tests {
		b.subtest(tt.data[:min(60, len(tt.data))], func() {
			b.do("PUT", b.devices(), `{"data":`+tt.data+`}`).rejects(tt.want...)
		})
	}
	if n := len(b.do("GET", b.devices(), "").list()); n != 0 {
		t.Errorf("%d devices were stored", n)
	}
}

func TestProvisionSettings(t *testing.T) {
	const settings = `{"admin_name":"root","admin_password":"s3cret-1","user_name":"guest","user_password":"1234","web_ui":false,
		"voicemail_number":"","dtmf":"info","keep_alive":0,"auto_answer":true,"shared_line":true,
		"forward":{"busy":"1002","no_answer":"+15551234567","timeout":15},"feature_codes":{"pickup":"**","park":"*68"},
		"digitmap":"[2-9]11|0T|+011xxx.T|\\+x.","digit_timeout":3,"time_format":"24","date_format":"YYYY-MM-DD",
		"logs":{"upload":true,"level":"debug","syslog_host":"log.example.com","syslog_port":5140},
		"network":{"vlan":20,"vlan_pc":0,"lldp":false,"dscp_signalling":24,"dscp_audio":46},
		"firmware":"yealink/T46U-108.86.0.20.rom","logo":"","ringtones":["bell.wav","https://media.example.com/a%20b.wav"],
		"combo_keys":{"1":{"type":"speed_dial","value":"1","line":2}},"of_our_own":[1]}`
	b := newBench(t)
	for kind, path := range map[string]string{"device": b.devices(), "user": b.users(), "account": "/v2/accounts"} {
		b.subtest(kind, func() {
			r := b.do("PUT", path, `{"data":{"name":"x","first_name":"Ann","last_name":"Lee","provision":`+settings+`}}`).want(http.StatusCreated)
			if diff := cmp.Diff(asJSON(t, settings), asJSON(t, r.data()["provision"])); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, tt := range []struct{ provision, want string }{
		{`{"admin_password":"short"}`, "admin_password: minLength"},
		{`{"admin_password":"two words"}`, "admin_password: pattern"},
		{`{"user_password":"123"}`, "user_password: minLength"},
		{`{"web_ui":"perhaps"}`, "web_ui: type"},
		{`{"voicemail_number":"*97\nx"}`, "voicemail_number: pattern"},
		{`{"dtmf":"loud"}`, "dtmf: enum"},
		{`{"keep_alive":3601}`, "keep_alive: maximum"},
		{`{"forward":{"timeout":0}}`, "forward.timeout: minimum"},
		{`{"forward":{"busy":"` + strings.Repeat("1", 36) + `"}}`, "forward.busy: maxLength"},
		{`{"feature_codes":{"pikcup":"**"}}`, "feature_codes.pikcup: additionalProperties"},
		{`{"digitmap":"say \"hello\""}`, "digitmap: pattern"},
		{`{"digit_timeout":15}`, "digit_timeout: maximum"},
		{`{"time_format":"13"}`, "time_format: enum"},
		{`{"date_format":"D.M.Y"}`, "date_format: enum"},
		{`{"logs":{"level":"all"}}`, "logs.level: enum"},
		{`{"logs":{"syslog_host":"a b"}}`, "logs.syslog_host: pattern"},
		{`{"logs":{"syslog_port":0}}`, "logs.syslog_port: minimum"},
		{`{"network":{"vlan":4095}}`, "network.vlan: maximum"},
		{`{"network":{"dscp_audio":-1}}`, "network.dscp_audio: minimum"},
		{`{"firmware":"../secret"}`, "firmware: pattern"},
		{`{"logo":"file:///etc/passwd"}`, "logo: pattern"},
		{`{"ringtones":["a/.hidden"]}`, "ringtones.0: pattern"},
		{`{"lines":{"1":"` + strings.Repeat("a", 32) + `"}}`, "lines.1: additionalProperties"},
		{`{"lines":{"301":"` + strings.Repeat("a", 32) + `"}}`, "lines.301: additionalProperties"},
		{`{"lines":{"2":"reception"}}`, "lines.2: pattern"},
		{`{"combo_keys":{"1":{"type":"line","line":0}}}`, "combo_keys.1: not_one_schema_valid"},
	} {
		b.do("PUT", b.devices(), `{"data":{"name":"x","provision":`+tt.provision+`}}`).rejects("provision." + tt.want)
	}
}

func TestValidationDetail(t *testing.T) {
	b := newBench(t)
	r := b.do("PUT", b.devices(), `{"data":{"sip":{"password":"abc","method":"x"},"extra":{"a":1}}}`)
	r.rejects("name: required", "sip.password: minLength", "sip.method: enum")
	for _, tt := range []struct{ path, want string }{
		{"name", `{"required":{"message":"field is required","value":"name"}}`},
		{"sip.password", `{"minLength":{"message":"must be at least 5 characters","target":5,"value":"REDACTED","cause":"REDACTED"}}`},
		{"sip.method", `{"enum":{"message":"not in the list of allowed values","target":["password","ip"],"value":"x","cause":"x"}}`},
	} {
		if diff := cmp.Diff(asJSON(t, tt.want), asJSON(t, r.data()[tt.path])); diff != "" {
			t.Errorf("%s: %s", tt.path, diff)
		}
	}
}

func TestDeviceUniqueness(t *testing.T) {
	b := newBench(t)
	other, _ := b.account("Other", "other.example.com", b.master)
	elsewhere := "/v2/accounts/" + other.ID + "/devices"
	b.device(`{"name":"a","mac_address":"00:15:65:AA:BB:CC","sip":{"username":"Ann"}}`)
	b.device(`{"name":"b","sip":{"method":"ip","ip":"198.51.100.7"}}`)

	for _, mac := range []string{"001565aabbcc", "00-15-65-AA-BB-CC", "0015.65aa.bbcc", "00:15:65:aa:bb:cc"} {
		r := b.do("PUT", elsewhere, `{"data":{"name":"x","mac_address":"`+mac+`"}}`).rejects("mac_address: unique")
		if got := models.Document(r.data()["mac_address"].(map[string]any)).Text("unique.cause"); got != "001565aabbcc" {
			t.Errorf("cause %q", got)
		}
	}
	b.do("PUT", b.devices(), `{"data":{"name":"x","sip":{"username":"aNN"}}}`).rejects("sip.username: unique")
	b.do("PUT", b.devices(), `{"data":{"name":"x","sip":{"username":"ann","realm":"third.example.com"}}}`).rejects("sip.username: unique")
	b.do("PUT", elsewhere, `{"data":{"name":"x","sip":{"username":"ann","realm":"MASTER.example.com"}}}`).rejects("sip.username: unique", "sip.realm: unique")
	// A realm of another account would let a device take its devices' names, and
	// a new account cannot have a realm that such devices use already.
	b.do("PUT", elsewhere, `{"data":{"name":"x","sip":{"username":"eve","realm":"master.example.com"}}}`).rejects("sip.realm: unique")
	b.do("PUT", elsewhere, `{"data":{"name":"x","sip":{"username":"eve","realm":"later.example.com"}}}`).want(http.StatusCreated)
	b.do("PUT", "/v2/accounts", `{"data":{"name":"Later","realm":"later.example.com"}}`).rejects("realm: unique")
	b.do("PUT", elsewhere, `{"data":{"name":"x","sip":{"method":"ip","ip":"198.51.100.7"}}}`).rejects("sip.ip: unique")
	b.do("PUT", elsewhere, `{"data":{"mac_address":"001565AABBCC","sip":{"username":"ann","realm":"master.example.com","method":"up"}}}`).
		rejects("name: required", "mac_address: unique", "sip.username: unique", "sip.realm: unique", "sip.method: enum")

	// Nothing stands in the way of the same username in another realm.
	d := b.do("PUT", elsewhere, `{"data":{"name":"x","sip":{"username":"ann"}}}`).want(http.StatusCreated)
	// Nor of a device that keeps what it has, nor of a MAC that became free.
	path := elsewhere + "/" + d.id()
	b.do("POST", path, `{"data":{"name":"y","sip":{"username":"ANN"}}}`).want(http.StatusOK)
	b.do("PATCH", path, `{"data":{"mac_address":"001565aabbcc"}}`).rejects("mac_address: unique")
	b.do("PATCH", path, `{"data":{"mac_address":"001565aabbcd"}}`).want(http.StatusOK)
	b.do("DELETE", path, "").want(http.StatusOK)
	b.device(`{"name":"z","mac_address":"001565AABBCD"}`)
}

func TestClientChosenID(t *testing.T) {
	b := newBench(t)
	id, other := models.NewID(), models.NewID()
	if got := b.do("PUT", b.devices(), `{"data":{"name":"x","id":"`+id+`"}}`).want(http.StatusCreated).id(); got != id {
		t.Errorf("id %q, want %q", got, id)
	}
	if got := b.do("PUT", b.devices(), `{"data":{"name":"x","_id":"`+other+`"}}`).want(http.StatusCreated).id(); got != other {
		t.Errorf("id %q, want %q", got, other)
	}
	b.do("PUT", b.devices(), `{"data":{"name":"x","id":"`+id+`"}}`).fails(http.StatusConflict, "datastore_conflict")
	r := b.do("POST", b.devices()+"/"+id, `{"data":{"name":"y","id":"`+models.NewID()+`"}}`).want(http.StatusOK)
	if r.id() != id {
		t.Errorf("id %q after a replace, want %q", r.id(), id)
	}
}

func TestReplaceDevice(t *testing.T) {
	b := newBench(t)
	path := b.device(`{"name":"a","custom":1,"presence_id":"7","call_forward":{"number":"1"},"sip":{"username":"ann","expire_seconds":60}}`)
	r := b.do("POST", path, `{"data":{"name":"New Device","new":[1,2]}}`).want(http.StatusOK)
	if revision, _ := r.envelope["revision"].(string); !strings.HasPrefix(revision, "2-") {
		t.Errorf("revision %q", revision)
	}
	delete(r.data(), "id")
	want := strings.Replace(seedDevice, "{", `{"new":[1,2],`, 1)
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, r.data())); diff != "" {
		t.Error(diff)
	}
	b.do("POST", path, `{"data":{}}`).rejects("name: required")
	b.do("POST", b.devices()+"/"+models.NewID(), `{"data":{}}`).fails(http.StatusNotFound, "bad_identifier")
}

func TestPatchDevice(t *testing.T) {
	tests := []struct{ name, patch, path, want string }{
		{"adds", `{"presence_id":"7"}`, "presence_id", `"7"`},
		{"keeps", `{"presence_id":"7"}`, "name", `"a"`},
		{"merges objects", `{"custom":{"b":{"d":2}}}`, "custom", `{"a":[1,2],"b":{"c":1,"d":2}}`},
		{"null deletes at depth", `{"custom":{"b":{"c":null}}}`, "custom", `{"a":[1,2],"b":{}}`},
		{"null deletes", `{"custom":null}`, "custom", `null`},
		{"null of nothing", `{"none":{"at":{"all":null}}}`, "none", `null`},
		{"empty object replaces", `{"custom":{"b":{}}}`, "custom", `{"a":[1,2],"b":{}}`},
		{"arrays replace", `{"custom":{"a":[3]}}`, "custom.a", `[3]`},
		{"scalar replaces object", `{"custom":"x"}`, "custom", `"x"`},
		{"object replaces scalar", `{"custom":{"a":{"z":1}}}`, "custom.a", `{"z":1}`},
		{"deleted default returns", `{"enabled":null}`, "enabled", `true`},
		{"clears a key", `{"provision":{"combo_keys":{"1":null}}}`, "provision.combo_keys", `{"0":{"type":"line"}}`},
		{"adds a key", `{"provision":{"combo_keys":{"2":{"type":"parking","value":3}}}}`, "provision.combo_keys.2.value", `3`},
		{"older expiry", `{"sip":{"registration_expiration":90}}`, "sip.expire_seconds", `90`},
		{"newer expiry", `{"sip":{"expire_seconds":"91"}}`, "sip.registration_expiration", `91`},
		{"deleted expiry", `{"sip":{"expire_seconds":null}}`, "sip.registration_expiration", `300`},
		{"nothing", `{}`, "custom", `{"a":[1,2],"b":{"c":1}}`},
	}
	b := newBench(t)
	for _, tt := range tests {
		b.subtest(tt.name, func() {
			path := b.device(`{"name":"a","custom":{"a":[1,2],"b":{"c":1}},"provision":{"combo_keys":{"0":{"type":"line"},"1":{"type":"line"}}},"sip":{"expire_seconds":60}}`)
			b.do("PATCH", path, `{"data":`+tt.patch+`}`).want(http.StatusOK)
			got := b.do("GET", path, "").at(tt.path)
			if diff := cmp.Diff(asJSON(t, `[`+tt.want+`]`), asJSON(t, []any{got})); diff != "" {
				b.Error(diff)
			}
		})
	}
	path := b.device(`{"name":"a"}`)
	b.do("PATCH", path, `{"data":{"name":null}}`).rejects("name: required")
	b.do("PATCH", b.devices()+"/"+models.NewID(), `{"data":{}}`).fails(http.StatusNotFound, "bad_identifier")
	b.do("PATCH", b.devices()+"/nonsense", `{"data":{}}`).fails(http.StatusNotFound, "bad_identifier")
}

func TestDeviceType(t *testing.T) {
	b := newBench(t)
	account, key := b.account("A", "a.example.com", b.master)
	token := b.login(key)
	path := "/v2/accounts/" + account.ID + "/devices"
	path += "/" + b.as(token, "PUT", path, `{"data":{"name":"x"}}`).want(http.StatusCreated).id()

	b.as(token, "PATCH", path, `{"data":{"device_type":"sip_device"}}`).want(http.StatusOK)
	b.as(token, "POST", path, `{"data":{"name":"x"}}`).want(http.StatusOK)
	r := b.as(token, "PATCH", path, `{"data":{"device_type":"softphone"}}`).rejects("device_type: invalid")
	if got := models.Document(r.data()["device_type"].(map[string]any)).Text("invalid.cause"); got != "softphone" {
		t.Errorf("cause %q", got)
	}
	b.do("PATCH", path, `{"data":{"device_type":"softphone"}}`).want(http.StatusOK) // the master may
	b.as(token, "POST", path, `{"data":{"name":"x"}}`).rejects("device_type: invalid")
}

func TestDeleteDevice(t *testing.T) {
	b := newBench(t)
	path := b.device(`{"name":"a","mac_address":"001565aabbcc"}`)
	r := b.do("DELETE", path, "").want(http.StatusOK)
	if r.at("name") != "a" || r.at("_read_only.deleted") != true {
		t.Errorf("answer %s", r.body)
	}
	for _, method := range []string{"GET", "POST", "PATCH", "DELETE"} {
		b.do(method, path, "").fails(http.StatusNotFound, "bad_identifier")
	}
}

func TestDeviceSummaries(t *testing.T) {
	b := newBench(t)
	b.device(`{"name":"plain","id":"` + strings.Repeat("1", 32) + `"}`)
	b.device(`{"name":"phone","id":"` + strings.Repeat("2", 32) + `","mac_address":"001565AABBCC","device_type":"softphone","flags":["f"],
		"owner_id":"` + strings.Repeat("3", 32) + `","sip":{"username":"ann","password":"` + secretMark + `"},"mobile":{"mdn":"1"}}`)
	want := `[
		{"device_type":"sip_device","enabled":true,"flags":[],"id":"11111111111111111111111111111111","mac_address":"","name":"plain"},
		{"device_type":"softphone","enabled":true,"flags":["f"],"id":"22222222222222222222222222222222","mac_address":"001565aabbcc","name":"phone",
		 "mobile":{"mdn":"1"},"owner_id":"33333333333333333333333333333333","username":"ann"}]`
	r := b.do("GET", b.devices(), "").want(http.StatusOK)
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, r.list())); diff != "" {
		t.Error(diff)
	}
}

func TestPaging(t *testing.T) {
	b := newBench(t)
	if r := b.do("GET", b.devices(), ""); len(r.list()) != 0 || asJSON(t, r.envelope["page_size"]) != "0" || r.envelope["revision"] != nil {
		t.Errorf("empty list: %s", r.body)
	}
	want := map[string]bool{}
	for i := range 53 {
		want[fmt.Sprintf("%032x", i*7919%65536)] = true
		b.device(fmt.Sprintf(`{"name":"x","id":"%032x"}`, i*7919%65536))
	}
	for _, size := range []int{1, 7, 50, 53, 1000} {
		seen, last, query := map[string]bool{}, "", fmt.Sprintf("?page_size=%d", size)
		for {
			r := b.do("GET", b.devices()+query, "").want(http.StatusOK)
			if n := fmt.Sprint(r.envelope["page_size"]); n != fmt.Sprint(len(r.list())) || len(r.list()) > size {
				t.Fatalf("page_size %s, %d entries", n, len(r.list()))
			}
			for _, entry := range r.list() {
				id := entry.(map[string]any)["id"].(string)
				if id <= last {
					t.Fatalf("%s after %s", id, last)
				}
				seen[id], last = true, id
			}
			next, more := r.envelope["next_start_key"].(string)
			if !more {
				break
			}
			query = fmt.Sprintf("?page_size=%d&start_key=%s", size, next)
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("page_size %d: %s", size, diff)
		}
	}
	if n := len(b.do("GET", b.devices(), "").list()); n != 50 {
		t.Errorf("default page of %d", n)
	}
	r := b.do("GET", b.devices()+"?paginate=false", "")
	if len(r.list()) != 53 || r.envelope["page_size"] != nil || r.envelope["next_start_key"] != nil {
		t.Errorf("unpaged: %d entries, envelope %v", len(r.list()), r.envelope["page_size"])
	}
	for _, query := range []string{"page_size=0", "page_size=-1", "page_size=many", "page_size=99999999999999999999", "start_key=%21", "start_key=YWJj"} {
		b.do("GET", b.devices()+"?"+query, "").fails(http.StatusNotFound, "faulty_request")
	}
	etag := b.do("GET", b.devices(), "").header.Get("ETag")
	b.do("GET", b.devices(), "", "If-None-Match: "+etag).want(http.StatusNotModified)
	b.device(`{"name":"late","id":"` + strings.Repeat("f", 32) + `"}`)
	b.do("GET", b.devices()+"?page_size=1000", "", "If-None-Match: "+etag).want(http.StatusOK)
}

func TestConditionalRequests(t *testing.T) {
	b := newBench(t)
	path := b.device(`{"name":"a"}`)
	etag := b.do("GET", path, "").header.Get("ETag")
	for _, match := range []string{etag, "W/" + etag, `"other", ` + etag, "*"} {
		r := b.do("GET", path, "", "If-None-Match: "+match).want(http.StatusNotModified)
		if r.body != "" || r.header.Get("ETag") != etag {
			t.Errorf("304 with body %q, ETag %q", r.body, r.header.Get("ETag"))
		}
	}
	b.do("GET", path, "", "If-None-Match: \"other\"").want(http.StatusOK)
	b.do("GET", path, "", "If-Match: \"other\"").fails(http.StatusPreconditionFailed, "precondition_failed")

	b.do("PATCH", path, `{"data":{"name":"b"}}`, "If-Match: "+etag).want(http.StatusOK)
	for _, method := range []string{"PATCH", "POST", "DELETE"} {
		b.do(method, path, `{"data":{"name":"c"}}`, "If-Match: "+etag).fails(http.StatusPreconditionFailed, "precondition_failed")
	}
	r := b.do("GET", path, "")
	if r.at("name") != "b" {
		t.Errorf("name %v", r.at("name"))
	}
	b.do("DELETE", path, "", "If-Match: "+r.header.Get("ETag")).want(http.StatusOK)
}

// register gives the device a live contact binding for an hour.
func (b *bench) register(devicePath string) {
	b.Helper()
	account, id := strings.Split(devicePath, "/")[3], devicePath[len(devicePath)-32:]
	phone, err := b.store.PhoneByID(b.Context(), account, id)
	if err != nil {
		b.Fatal(err)
	}
	at := time.Now().Truncate(time.Second)
	err = b.store.UpdateBindings(b.Context(), id, func([]models.Binding) ([]models.Binding, error) {
		return []models.Binding{{
			AccountID: account, DeviceID: id, AOR: phone.AOR(), Contact: "sip:x@192.0.2.9", Transport: "udp",
			Received: netip.MustParseAddrPort("198.51.100.3:1024"), UserAgent: "Acme 1", CallID: "c", CSeq: 1,
			Expires: at.Add(time.Hour), Modified: at,
		}}, nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

func TestSync(t *testing.T) {
	b := newBench(t)
	path := b.device(`{"name":"a","sip":{"username":"ann"}}`)
	id := path[len(path)-32:]
	tests := []struct {
		method, path, body string
		status             int
		want               []string
	}{
		{"POST", path + "/sync", "", 200, []string{id}},
		{"POST", path + "/sync", `{"data":{}}`, 200, []string{id}},
		{"PATCH", path, `{"data":{"sync":true}}`, 200, []string{id}},
		{"PATCH", path, `{"data":{"sync":"true","custom":1}}`, 200, []string{id}},
		{"POST", path, `{"data":{"name":"a","sync":true}}`, 200, []string{id}},
		{"PATCH", path, `{"data":{"sync":false}}`, 200, nil},
		{"PATCH", path, `{"data":{"custom":2}}`, 200, nil},
		{"PATCH", path, `{"data":{"sync":true,"name":""}}`, 400, nil},
		{"POST", b.devices() + "/" + models.NewID() + "/sync", "", 404, nil},
	}
	for _, tt := range tests {
		var headers []string
		if strings.Contains(tt.body, `"sync":"true"`) {
			headers = append(headers, lenient)
		}
		r := b.do(tt.method, tt.path, tt.body, headers...).want(tt.status)
		if diff := cmp.Diff(tt.want, b.syncedOnce()); diff != "" {
			t.Errorf("%s %s %s: %s", tt.method, tt.path, tt.body, diff)
		}
		if tt.path == path+"/sync" && r.envelope["data"] != "sync request sent" {
			t.Errorf("data %v", r.envelope["data"])
		}
	}
	if v := b.do("GET", path, "").at("sync"); v != nil {
		t.Errorf("sync was stored: %v", v)
	}
	r := b.do("PUT", b.devices(), `{"data":{"name":"b","sync":true}}`).want(http.StatusCreated)
	if diff := cmp.Diff([]string{r.id()}, b.syncedOnce()); diff != "" {
		t.Error(diff)
	}
}

func TestDeviceStatus(t *testing.T) {
	b := newBench(t)
	if r := b.do("GET", b.devices()+"/status", ""); len(r.list()) != 0 || r.envelope["page_size"] != nil {
		t.Errorf("nobody registered: %s", r.body)
	}
	first, _ := b.device(`{"name":"a"}`), b.device(`{"name":"b"}`)
	b.register(first)
	want := `[{"device_id":"` + first[len(first)-32:] + `","registered":true}]`
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, b.do("GET", b.devices()+"/status", "").list())); diff != "" {
		t.Error(diff)
	}
}

// Further lines of a phone are other devices of its account, each once.
func TestDeviceLines(t *testing.T) {
	b := newBench(t)
	b.config.Provision = provisioner.NewService(b.store, builtin(t), provisioner.Options{}).Report
	b.handler = b.serve(b.config)
	second := b.do("PUT", b.devices(), `{"data":{"name":"second","sip":{"username":"second"}}}`).want(http.StatusCreated).id()
	third := b.do("PUT", b.devices(), `{"data":{"name":"third"}}`).want(http.StatusCreated).id()
	account := b.do("PUT", "/v2/accounts/"+b.master.ID, `{"data":{"name":"other","realm":"other.example.com"}}`).want(http.StatusCreated).id()
	foreign := b.do("PUT", "/v2/accounts/"+account+"/devices", `{"data":{"name":"x"}}`).want(http.StatusCreated).id()
	nobody := strings.Repeat("a", 32)
	lines := func(members string) string {
		return `{"data":{"name":"a","mac_address":"0004f2aabbcc","sip":{"username":"first"},
			"provision":{"endpoint_brand":"polycom","endpoint_family":"vvx","endpoint_model":"vvx150","lines":{` + members + `}}}}`
	}
	created := b.do("PUT", b.devices(), lines(`"2":"`+second+`"`)).want(http.StatusCreated)
	path := b.devices() + "/" + created.id()
	for members, want := range map[string][]string{
		`"2":"` + foreign + `"`:                     {"provision.lines.2: not_found"},
		`"2":"` + second + `","3":"` + nobody + `"`: {"provision.lines.3: not_found"},
		`"2":"` + second + `","3":"` + second + `"`: {"provision.lines.3: unique"},
		`"2":"` + created.id() + `"`:                {"provision.lines.2: unique"},
		`"2":{},"3":"` + second + `","301":"x"`:     {"provision.lines.2: type", "provision.lines.301: additionalProperties"},
	} {
		b.do("POST", path, lines(members)).rejects(want...)
	}
	b.do("PUT", b.devices(), lines(`"2":"`+foreign+`"`)).rejects("mac_address: unique", "sip.username: unique", "provision.lines.2: not_found")

	b.do("POST", path, lines(`"2":"`+second+`","3":"`+third+`","9":"`+foreign+`"`)).rejects("provision.lines.9: not_found")
	b.do("POST", path, lines(`"2":"`+second+`"`)).want(http.StatusOK)
	if got := b.do("GET", path+"/provision", "").want(http.StatusOK).at("missing_lines"); asJSON(t, got) != "[]" {
		t.Errorf("got %v", got)
	}
	fourth := b.do("PUT", b.devices(), `{"data":{"name":"fourth","sip":{"username":"fourth"}}}`).want(http.StatusCreated).id()
	b.do("POST", path, lines(`"2":"`+third+`","9":"`+fourth+`","10":"`+second+`"`)).want(http.StatusOK)
	b.do("DELETE", b.devices()+"/"+second, "").want(http.StatusOK)
	b.do("PATCH", path, `{"data":{"name":"still saved"}}`).want(http.StatusOK)
	want := `[{"device_id":"` + third + `","number":2,"reason":"no_username"},{"device_id":"` + fourth + `","number":9,"reason":"above_the_model"},
		{"device_id":"` + second + `","number":10,"reason":"not_found"}]`
	if got := b.do("GET", path+"/provision", "").want(http.StatusOK).at("missing_lines"); asJSON(t, got) != asJSON(t, want) {
		t.Errorf("got %s", asJSON(t, got))
	}
}

// An error tells what is wrong with a secret, and not the secret.
func TestErrorsTellNoSecrets(t *testing.T) {
	b := newBench(t)
	for _, body := range []string{
		`{"name":"x","sip":{"password":"s3c"}}`,
		`{"name":"x","sip":{"password":["s3cret"]}}`,
		`{"name":"x","sip":{"password":{"a":"s3cret"}}}`,
		`{"name":"x","sip":{"username":"ann","password":"s3cret\u0007"}}`,
		`{"name":"x","provision":{"admin_password":"s3"}}`,
		`{"name":"x","provision":[{"admin_password":"s3cret"}]}`,
	} {
		r := b.do("PUT", b.devices(), `{"data":`+body+`}`).want(http.StatusBadRequest)
		if data, _, _ := strings.Cut(r.body, `"request_id"`); strings.Contains(data, "s3") {
			t.Errorf("%s: the answer tells %s", body, data)
		}
	}
}
