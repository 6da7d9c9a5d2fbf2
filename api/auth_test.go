package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
)

func TestLogin(t *testing.T) {
	b := newBench(t)
	r := b.as("", "PUT", "/v2/api_auth", `{"data":{"api_key":"`+b.key.Reveal()+`"}}`).want(http.StatusCreated)
	want := `{"account_id":"` + b.master.ID + `","account_name":"Master","apps":[],"capabilities":{},"cluster_id":"",
		"is_master_account":true,"is_reseller":true,"language":"en-us","reseller_id":"` + b.master.ID + `","ui_config":{}}`
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, r.data())); diff != "" {
		t.Error(diff)
	}
	if r.envelope["status"] != "success" || r.envelope["version"] != "1.2.3" || r.envelope["revision"] != nil {
		t.Errorf("envelope: %s", r.body)
	}
	again := b.as("", "PUT", "/v2/api_auth", `{"data":{"api_key":"`+b.key.Reveal()+`"}}`)
	if again.envelope["auth_token"] == r.envelope["auth_token"] {
		t.Error("two logins gave one token")
	}
}

func TestLoginRefused(t *testing.T) {
	b := newBench(t)
	b.as("", "PUT", "/v2/api_auth", `{"data":{"api_key":"short"}}`).rejects("api_key: minLength")
	b.as("", "PUT", "/v2/api_auth", `{"data":{"api_key":"`+strings.Repeat("a", 65)+`"}}`).rejects("api_key: maxLength")
	b.as("", "PUT", "/v2/api_auth", `{"data":{"more":1}}`).rejects("api_key: required", "more: additionalProperties")
	b.as("", "PUT", "/v2/api_auth", "").rejects("api_key: required")
	unknown := strings.Repeat("0", 64)
	r := b.as("", "PUT", "/v2/api_auth", `{"data":{"api_key":"`+unknown+`"}}`).fails(http.StatusNotFound, "bad identifier")
	if got := r.list(); len(got) != 1 || got[0] != unknown {
		t.Errorf("data %v, want the key", got)
	}
}

func TestLoginOfDisabledAccount(t *testing.T) {
	b := newBench(t)
	a := &models.Account{Ancestors: []string{b.master.ID}}
	if err := a.SetDocument(models.Document{"name": "off", "realm": "off.example.com", "enabled": false}); err != nil {
		t.Fatal(err)
	}
	key := models.NewAPIKey()
	if err := b.store.CreateAccount(t.Context(), a, key); err != nil {
		t.Fatal(err)
	}
	b.as("", "PUT", "/v2/api_auth", `{"data":{"api_key":"`+key.Reveal()+`"}}`).rejects("account: disabled")
}

func TestLoginLockout(t *testing.T) {
	b := newBench(t)
	guess := `{"data":{"api_key":"` + strings.Repeat("0", 64) + `"}}`
	for range 20 {
		b.as("", "PUT", "/v2/api_auth", guess, "X-Forwarded-For: 10.9.8.7").fails(http.StatusNotFound, "bad identifier")
	}
	r := b.as("", "PUT", "/v2/api_auth", guess, "X-Forwarded-For: 10.1.2.3").fails(http.StatusTooManyRequests, "too_many_requests")
	if r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	b.do("GET", b.devices(), "").want(http.StatusOK) // tokens go on working
	b.sleep(time.Minute)
	b.login(b.key)
}

func TestTokenPlaces(t *testing.T) {
	b := newBench(t)
	path := "/v2/accounts/" + b.master.ID
	b.as(b.token, "GET", path, "").want(http.StatusOK)
	b.as("", "GET", path, "", "Authorization: Bearer "+b.token).want(http.StatusOK)
	b.as("", "GET", path+"?auth_token="+b.token, "").want(http.StatusOK)
	b.as("", "PUT", path+"/devices", `{"auth_token":"`+b.token+`","data":{"name":"x"}}`).want(http.StatusCreated)
	b.as("wrong", "GET", path+"?auth_token="+b.token, "").fails(http.StatusUnauthorized, "invalid_credentials")
	b.as("", "GET", path, "", "Authorization: Basic eDp5").fails(http.StatusUnauthorized, "invalid_credentials")
	r := b.as("", "GET", path, "").fails(http.StatusUnauthorized, "invalid_credentials")
	if r.envelope["error"] != "401" || r.envelope["auth_token"] != nil || r.header.Get("WWW-Authenticate") == "" {
		t.Errorf("unauthenticated answer: %s", r.body)
	}
}

func TestTokenExpires(t *testing.T) {
	b := newBench(t)
	b.sleep(time.Hour - time.Second)
	b.do("GET", b.devices(), "").want(http.StatusOK)
	b.sleep(time.Second)
	r := b.do("GET", b.devices(), "").fails(http.StatusUnauthorized, "invalid credentials")
	if len(r.data()) != 0 {
		t.Errorf("data %v, want {}", r.data())
	}
}

func TestAuthorization(t *testing.T) {
	b := newBench(t)
	parent, parentKey := b.account("Parent", "parent.example.com", b.master)
	child, childKey := b.account("Child", "child.example.com", parent)
	other, otherKey := b.account("Other", "other.example.com", b.master)
	tokens := map[string]string{"master": b.token, "parent": b.login(parentKey), "child": b.login(childKey), "other": b.login(otherKey), "": ""}
	tests := []struct {
		who  string
		on   *models.Account
		want int
	}{
		{"master", b.master, 200}, {"master", child, 200}, {"master", other, 200},
		{"parent", parent, 200}, {"parent", child, 200}, {"parent", other, 403}, {"parent", b.master, 403},
		{"child", child, 200}, {"child", parent, 403}, {"other", child, 403}, {"", child, 401},
	}
	for _, tt := range tests {
		for _, path := range []string{"", "/devices", "/users", "/devices/status"} {
			r := b.as(tokens[tt.who], "GET", "/v2/accounts/"+tt.on.ID+path, "")
			if r.status != tt.want {
				t.Errorf("%q reads %s%s: %d, want %d", tt.who, tt.on.Name, path, r.status, tt.want)
			}
		}
	}
	d := b.do("PUT", "/v2/accounts/"+child.ID+"/devices", `{"data":{"name":"x"}}`).want(http.StatusCreated).id()
	for _, call := range [][2]string{{"GET", ""}, {"POST", ""}, {"PATCH", ""}, {"DELETE", ""}, {"POST", "/sync"}, {"GET", "/provision"}} {
		path := "/v2/accounts/" + child.ID + "/devices/" + d + call[1]
		b.as(tokens["other"], call[0], path, "").fails(http.StatusForbidden, "forbidden")
		// Nor is it reachable as a device of the intruder's own account.
		path = "/v2/accounts/" + other.ID + "/devices/" + d + call[1]
		r := b.as(tokens["other"], call[0], path, `{"data":{"name":"y"}}`).fails(http.StatusNotFound, "bad_identifier")
		if r.at("cause") != d {
			t.Errorf("cause %v", r.at("cause"))
		}
	}
}

func TestAccountComesBeforeToken(t *testing.T) {
	b := newBench(t)
	unknown := models.NewID()
	for _, token := range []string{"", b.token} {
		r := b.as(token, "GET", "/v2/accounts/"+unknown+"/devices", "").fails(http.StatusNotFound, "bad_identifier")
		if r.at("cause") != unknown {
			t.Errorf("cause %v", r.at("cause"))
		}
		r = b.as(token, "GET", "/v2/accounts/nonsense/devices", "").fails(http.StatusNotFound, "bad identifier")
		if text, _ := r.at("message").(string); !strings.Contains(text, "invalid") {
			t.Errorf("message %q", text)
		}
	}
}

func TestCreateAccount(t *testing.T) {
	b := newBench(t)
	r := b.do("PUT", "/v2/accounts", `{"data":{"name":"Acme","realm":"Acme.Example.COM","timezone":"Europe/Berlin","custom":{"a":1},
		"superduper_admin":true,"pvt_api_key":"x","_private":1}}`).want(http.StatusCreated)
	for path, want := range map[string]any{
		"name": "Acme", "realm": "acme.example.com", "enabled": true, "timezone": "Europe/Berlin", "superduper_admin": false,
		"is_reseller": false, "reseller_id": b.master.ID, "billing_mode": "manual", "wnm_allow_additions": false, "pvt_api_key": nil, "_private": nil,
	} {
		if got := r.at(path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	if r.at("created") == nil || asJSON(t, r.at("custom")) != asJSON(t, `{"a":1}`) {
		t.Errorf("answer %s", r.body)
	}
	path := "/v2/accounts/" + r.id()
	if got := r.header.Get("Location"); got != path {
		t.Errorf("Location %q, want %q", got, path)
	}
	got := b.do("GET", path, "").want(http.StatusOK)
	if diff := cmp.Diff(asJSON(t, r.data()), asJSON(t, got.data())); diff != "" {
		t.Error(diff)
	}
	if got.header.Get("ETag") != `"`+got.envelope["revision"].(string)+`"` {
		t.Errorf("ETag %q, revision %q", got.header.Get("ETag"), got.envelope["revision"])
	}

	child := b.do("PUT", path, `{"data":{"name":"Acme Sales"}}`).want(http.StatusCreated)
	realm, _ := child.at("realm").(string)
	if !strings.HasSuffix(realm, ".sip.acme.example.com") || len(realm) < 8+len(".sip.acme.example.com") {
		t.Errorf("generated realm %q", realm)
	}
	grandchild := b.do("PUT", "/v2/accounts/"+child.id(), `{"data":{"name":"Deeper"}}`).want(http.StatusCreated)
	if realm, _ := grandchild.at("realm").(string); strings.Count(realm, ".sip.") != 1 {
		t.Errorf("generated realm %q", realm)
	}
	a, err := b.store.Account(t.Context(), grandchild.id())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{b.master.ID, r.id(), child.id()}, a.Ancestors); diff != "" {
		t.Error(diff)
	}
}

func TestCreateAccountRefused(t *testing.T) {
	b := newBench(t)
	b.do("PUT", "/v2/accounts", `{"data":{"name":"A","realm":"MASTER.example.com"}}`).rejects("realm: unique")
	b.do("PUT", "/v2/accounts", `{"data":{"realm":"no spaces","timezone":"x","enabled":"perhaps","id":"nonsense"}}`).
		rejects("name: required", "realm: pattern", "timezone: minLength", "enabled: type", "id: invalid")
	b.as("", "PUT", "/v2/accounts", `{"data":{"name":"A"}}`).fails(http.StatusUnauthorized, "invalid_credentials")
}
