package models_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
)

func TestChanges(t *testing.T) {
	tests := []struct{ name, before, after, want string }{
		{"nothing", `{"a":{"b":1}}`, `{"a":{"b":1}}`, `null`},
		{"a member", `{"a":{"b":1,"c":2}}`, `{"a":{"b":3,"c":2}}`, `[{"path":"a.b","from":1,"to":3}]`},
		{"added and removed", `{"a":1}`, `{"b":{"c":true}}`, `[{"path":"a","from":1,"to":null},{"path":"b.c","from":null,"to":true}]`},
		{"a list is one value", `{"a":[1,2]}`, `{"a":[2]}`, `[{"path":"a","from":[1,2],"to":[2]}]`},
		{"an object becomes a scalar", `{"a":{"b":1}}`, `{"a":5}`, `[{"path":"a","from":{"b":1},"to":5}]`},
		{"an empty object", `{}`, `{"a":{}}`, `[{"path":"a","from":null,"to":{}}]`},
		{"a dot in a name", `{}`, `{"a.b":1}`, `[{"path":"a%2Eb","from":null,"to":1}]`},
		{"a secret", `{"sip":{"password":"one"}}`, `{"sip":{"password":"two"}}`, `[{"path":"sip.password","from":"REDACTED","to":"REDACTED"}]`},
		{"a new secret", `{}`, `{"x":{"adminPin":1234}}`, `[{"path":"x.adminPin","from":null,"to":"REDACTED"}]`},
		{"below a secret name", `{}`, `{"secrets":{"a":["x"]}}`, `[{"path":"secrets.a","from":null,"to":["REDACTED"]}]`},
		{"SIP headers", `{"custom_sip_headers":{"in":{"X-A":"1"},"X-B":"2"}}`, `{"custom_sip_headers":{"in":{"X-A":"3"}}}`,
			`[{"path":"custom_sip_headers.X-B","from":"REDACTED","to":null},{"path":"custom_sip_headers.in.X-A","from":"REDACTED","to":"REDACTED"}]`},
		{"a secret in a list", `{}`, `{"a":[{"pin":"1","n":2}]}`, `[{"path":"a","from":null,"to":[{"n":2,"pin":"REDACTED"}]}]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			changes, truncated := models.Changes(parse(t, tt.before), parse(t, tt.after))
			var want []models.Change
			dec := json.NewDecoder(strings.NewReader(tt.want))
			dec.UseNumber()
			if err := dec.Decode(&want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, changes); diff != "" || truncated {
				t.Errorf("truncated %t (-want +got):\n%s", truncated, diff)
			}
		})
	}
}

func TestChangesAreBounded(t *testing.T) {
	many := models.Document{}
	for i := range 5000 {
		many[fmt.Sprint("m", i)] = strings.Repeat("ü", 100)
	}
	for name, doc := range map[string]models.Document{
		"many members": many,
		"a large list": {"a": []any{strings.Repeat("ü", 100_000)}},
		"a large text": {"a": strings.Repeat("x", 1_000_000)},
	} {
		changes, truncated := models.Changes(models.Document{}, doc)
		raw, err := json.Marshal(changes)
		if err != nil || !truncated || len(changes) == 0 || len(raw) > 200<<10 {
			t.Errorf("%s: %d changes of %d bytes, truncated %t, %v", name, len(changes), len(raw), truncated, err)
		}
	}
	state, truncated := models.Document{"name": "x", "a": strings.Repeat("x", 1_000_000), "sip": map[string]any{"password": "s"}}.LastState()
	if !truncated || state.Text("name") != "x" || state.Text("sip.password") != "REDACTED" || state["a"] != nil {
		t.Errorf("last state of a large document: truncated %t, %d members", truncated, len(state))
	}
}

func TestSecretNames(t *testing.T) {
	for name, want := range map[string]bool{
		"password": true, "Password": true, "admin_password": true, "passwd": true, "pin": true, "unlock_pin": true, "pin2": true,
		"adminPin": true, "PIN": true, "secret": true, "client_secret": true, "auth_token": true, "api_key": true, "pvt_tree": true,
		"pass": true, "psk": true, "userPass": true, "adminpass": true, "webpwd": true, "unlockpin": true, "sip_passwd": true,
		"auth": true, "proxyauth": true, "Authorization": true, "Proxy-Authorization": true, "cookie": true, "setcookie": true, "hash": true,
		"ha1_hash": true, "key": true, "licensekey": true, "srtpKey": true, "key2": true, "custom_sip_headers": true,
		"require_pin": false, "require_password_update": false, "token_life": false, "bypass": false, "keypad": false, "require_keypress": false,
		"author": false, "hashtag": false, "spinner": false, "endpoint_model": false, "feature_keys": false,
		"ping": false, "opinion": false, "pinned": false, "combo_keys": false, "bypass_media": false, "passthrough": false, "name": false,
		"keepingTime": false, "compass": false,
	} {
		if got := models.IsSecretName(name); got != want {
			t.Errorf("IsSecretName(%q): got %t", name, got)
		}
	}
}
