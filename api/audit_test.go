package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
)

func TestAudit(t *testing.T) {
	b := newBench(t)
	path := b.do("PUT", b.devices(), `{"data":{"name":"a","sip":{"username":"ann","password":"s3cret-1"}}}`, "X-Request-ID: make-it").want(http.StatusCreated).header.Get("Location")
	id := path[len(path)-32:]
	b.do("PATCH", path, `{"data":{"name":"b","sip":{"password":"s3cret-2"}}}`, "X-Request-ID: change-it").want(http.StatusOK)
	b.do("PATCH", path, `{"data":{"name":""}}`).rejects("name: minLength")
	b.do("DELETE", path, "", "X-Request-ID: delete-it").want(http.StatusOK)

	r := b.do("GET", path+"/audit", "").want(http.StatusOK)
	if strings.Contains(r.body, secretMark) {
		t.Errorf("a secret shows: %s", r.body)
	}
	entries := r.list()
	if len(entries) != 3 {
		t.Fatalf("%d entries, want create, update and delete: %s", len(entries), r.body)
	}
	for i, want := range []string{"delete delete-it", "update change-it", "create make-it"} {
		e := entries[i].(map[string]any)
		if got := fmt.Sprint(e["action"], " ", e["request_id"]); got != want || e["object_id"] != id || e["object_type"] != "device" {
			t.Errorf("entry %d: %v, want %s", i, e, want)
		}
		actor := map[string]any{"account_id": b.master.ID, "user_id": "", "as": nil, "via": "api", "source": "192.0.2.1"}
		if diff := cmp.Diff(actor, e["actor"]); diff != "" {
			t.Error(diff)
		}
	}
	want := `[{"path":"name","from":"a","to":"b"},{"path":"sip.password","from":"REDACTED","to":"REDACTED"}]`
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, entries[1].(map[string]any)["changes"])); diff != "" {
		t.Error(diff)
	}
	last := models.Document(entries[0].(map[string]any)["document"].(map[string]any))
	if last.Text("name") != "b" || last.Text("id") != id || last.Text("sip.password") != "REDACTED" || last.Text("sip.username") != "ann" {
		t.Errorf("last document %v", map[string]any(last))
	}

	b.do("PUT", b.users(), `{"data":{"first_name":"Ann","last_name":"Lee","username":"ann","password":"s3cret-3"}}`).want(http.StatusCreated)
	account := "/v2/accounts/" + b.master.ID + "/audit"
	if r = b.do("GET", account, "").want(http.StatusOK); strings.Contains(r.body, secretMark) {
		t.Errorf("a secret shows: %s", r.body)
	}
	all := r.list()
	if len(all) != 6 { // and the account itself, and the login
		t.Fatalf("%d entries of the account: %s", len(all), r.body)
	}
	var walked []any
	for key := ""; ; {
		r := b.do("GET", account+"?page_size=2&start_key="+key, "").want(http.StatusOK)
		walked = append(walked, r.list()...)
		if key, _ = r.envelope["next_start_key"].(string); key == "" {
			break
		}
	}
	if diff := cmp.Diff(all, walked); diff != "" {
		t.Errorf("walked by pages: %s", diff)
	}
	for _, query := range []string{"start_key=x", "start_key=MTIz", "page_size=0", "page_size=x"} {
		b.do("GET", account+"?"+query, "").fails(http.StatusNotFound, "faulty_request")
	}
}

func TestAuditOfNothing(t *testing.T) {
	b := newBench(t)
	b.do("GET", b.devices()+"/"+models.NewID()+"/audit", "").fails(http.StatusNotFound, "bad_identifier")
	b.do("GET", b.devices()+"/x/audit", "").fails(http.StatusNotFound, "bad_identifier")
	child, key := b.account("Child", "child.example.com", b.master)
	b.as(b.login(key), "GET", "/v2/accounts/"+b.master.ID+"/audit", "").fails(http.StatusForbidden, "forbidden")
	if got := b.do("GET", "/v2/accounts/"+child.ID+"/audit", "").want(http.StatusOK).list(); len(got) != 2 {
		t.Errorf("entries of a new account that logged in: %v", got)
	}
	path := b.device(`{"name":"a"}`)
	b.as(b.login(key), "GET", path+"/audit", "").fails(http.StatusForbidden, "forbidden")
	theirs := "/v2/accounts/" + child.ID + "/devices/" + path[len(path)-32:] + "/audit"
	b.do("GET", theirs, "").fails(http.StatusNotFound, "bad_identifier")
}

// auditLines are an account's entries since the last call, the oldest first:
// "login account by key of Master: cb_api_auth", with names for ids.
func (b *bench) auditLines(account string, names map[string]string, from int) []string {
	b.Helper()
	list := b.do("GET", "/v2/accounts/"+account+"/audit", "").want(http.StatusOK).list()
	var lines []string
	for _, item := range list[:len(list)-from] {
		e := models.Document(item.(map[string]any))
		line := fmt.Sprintf("%s %s %s by %s: %s", e.Text("action"), e.Text("object_type"), names[e.Text("object_id")],
			names[e.Text("actor.account_id")]+names[e.Text("actor.user_id")], e.Text("detail"))
		lines = append([]string{line}, lines...)
	}
	return lines
}

func TestAuditOfLogins(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b *bench) {
		acme, key := b.account("Acme", "acme.example.com", b.master)
		b.account("Twin", "twin1.example.com", b.master)
		b.account("Twin", "twin2.example.com", b.master)
		users := "/v2/accounts/" + acme.ID + "/users"
		ann := b.do("PUT", users, `{"data":{"first_name":"A","last_name":"L","username":"ann","password":"s3cret-ann"}}`).want(http.StatusCreated).id()
		bob := b.do("PUT", users, `{"data":{"first_name":"B","last_name":"L","username":"bob","password":"s3cret-bob"}}`).want(http.StatusCreated).id()
		b.do("PATCH", users+"/"+bob, `{"data":{"enabled":false}}`).want(http.StatusOK)
		names := map[string]string{b.master.ID: "Master", acme.ID: "Acme", ann: "Ann", bob: "Bob"}
		const before = 4 // entries of the account: it and the users

		logIn := func(name, user string) *reply {
			return b.as("", "PUT", "/v2/user_auth", fmt.Sprintf(`{"data":{"account_name":%q,"credentials":%q}}`, name, md5Of(user+":s3cret-"+user)))
		}
		token := b.login(key)
		b.as(token, "DELETE", "/v2/token_auth", "").want(http.StatusOK)
		logIn("acme", "ann").want(http.StatusCreated)
		logIn("acme", "eve").fails(http.StatusUnauthorized, "invalid_credentials")
		logIn("acme", "bob").fails(http.StatusUnauthorized, "invalid_credentials")
		logIn("twin", "eve").fails(http.StatusUnauthorized, "invalid_credentials")
		logIn("nobody", "eve").fails(http.StatusUnauthorized, "invalid_credentials")
		auth := func(key models.Secret, more string) *reply {
			return b.as("", "PUT", "/v2/api_auth", `{"data":{"api_key":"`+key.Reveal()+`"}`+more+`}`)
		}
		auth(b.key, `,"as":{"account_id":"`+acme.ID+`","owner_id":"`+ann+`"}`).want(http.StatusCreated)
		auth(key, `,"as":{"account_id":"`+b.master.ID+`"}`).fails(http.StatusForbidden, "forbidden")
		b.do("PATCH", "/v2/accounts/"+acme.ID, `{"data":{"enabled":false}}`).want(http.StatusOK)
		auth(key, "").rejects("account: disabled")
		logIn("acme", "ann").rejects("account: disabled")
		auth(models.NewAPIKey(), "").fails(http.StatusNotFound, "bad identifier")

		want := []string{
			"login account Acme by Acme: cb_api_auth",
			"logout account Acme by Acme: cb_api_auth",
			"login user Ann by AcmeAnn: cb_user_auth",
			"login_refused account Acme by : cb_user_auth: invalid_credentials",
			"login_refused user Bob by : cb_user_auth: user: disabled",
			"login user Ann by Master: cb_api_auth",
			"login_refused account Acme by : cb_api_auth: forbidden",
			"update account Acme by Master: ",
			"login_refused account Acme by : cb_api_auth: account: disabled",
			"login_refused user Ann by : cb_user_auth: account: disabled",
		}
		if diff := cmp.Diff(want, b.auditLines(acme.ID, names, before)); diff != "" {
			t.Errorf("audit of the account (-want +got):\n%s", diff)
		}
		audit := b.do("GET", "/v2/accounts/"+acme.ID+"/audit", "").body
		for _, secret := range []string{key.Reveal(), token, md5Of("ann:s3cret-ann"), md5Of("eve:s3cret-eve")} {
			if strings.Contains(audit, secret) {
				t.Errorf("the audit holds a secret: %s", audit)
			}
		}
		if !strings.Contains(audit, `"source":"192.0.2.1"`) {
			t.Error("the audit does not say where logins came from")
		}
		mine := b.auditLines(b.master.ID, names, 0)
		if got := mine[len(mine)-1]; got != "login account Master by Master: cb_api_auth" {
			t.Errorf("audit of who acted as another: got %s", got)
		}
	})
}

func TestAuditOfFlushes(t *testing.T) {
	b := newBench(t)
	path := b.device(registeredDevice)
	registrations := "/v2/accounts/" + b.master.ID + "/registrations"
	names := map[string]string{b.master.ID: "Master", path[len(path)-32:]: "phone"}
	before := len(b.auditLines(b.master.ID, names, 0))
	b.do("DELETE", registrations, "").want(http.StatusOK)
	b.do("DELETE", registrations+"/nobody", "").fails(http.StatusNotFound, "bad identifier")
	b.do("DELETE", registrations+"/ann", "").want(http.StatusOK)
	want := []string{"flush account Master by Master: ", "flush device phone by Master: "}
	if diff := cmp.Diff(want, b.auditLines(b.master.ID, names, before)); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
}

// Who acts as somebody else is named all the same, and whom they acted as.
func TestAuditOfActingAs(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b *bench) {
		parent, key := b.account("Parent", "parent.example.com", b.master)
		child, _ := b.account("Child", "child.example.com", parent)
		path := b.user(parent, "boss", "s3cret-boss")
		boss := path[len(path)-32:]
		path = b.user(child, "ann", "s3cret-ann")
		ann := path[len(path)-32:]
		as := func(account *models.Account, user string) string {
			return fmt.Sprintf(`{"account_id":%q,"owner_id":%q}`, account.ID, user)
		}
		byPassword := func(as string) string {
			return b.userLogin("boss:s3cret-boss", `,"realm":"parent.example.com","as":`+as).token()
		}
		tests := []struct {
			name, token, user string
			as                any
		}{
			{"nobody else", b.userLogin("boss:s3cret-boss", `,"realm":"parent.example.com"`).token(), boss, nil},
			{"a user below", byPassword(as(child, ann)), boss, map[string]any{"account_id": child.ID, "user_id": ann}},
			{"an account below", byPassword(`{"account_id":"` + child.ID + `"}`), boss, map[string]any{"account_id": child.ID, "user_id": ""}},
			{"the own account", byPassword(`{"account_id":"` + parent.ID + `"}`), boss, map[string]any{"account_id": parent.ID, "user_id": ""}},
			{"nobody else, by key", b.login(key), "", nil},
			{"a user below, by key", b.as("", "PUT", "/v2/api_auth", `{"data":{"api_key":"`+key.Reveal()+`"},"as":`+as(child, ann)+`}`).token(), "",
				map[string]any{"account_id": child.ID, "user_id": ann}},
		}
		for _, tt := range tests {
			path := b.as(tt.token, "PUT", "/v2/accounts/"+child.ID+"/devices", `{"data":{"name":"x"}}`).want(http.StatusCreated).header.Get("Location")
			b.as(tt.token, "DELETE", "/v2/token_auth", "").want(http.StatusOK)
			created := b.do("GET", path+"/audit", "").want(http.StatusOK).list()[0].(map[string]any)
			want := map[string]any{"account_id": parent.ID, "user_id": tt.user, "as": tt.as, "via": "api", "source": "192.0.2.1"}
			if diff := cmp.Diff(want, created["actor"]); diff != "" {
				t.Errorf("%s: the actor (-want +got):\n%s", tt.name, diff)
			}
		}
		for _, item := range b.do("GET", "/v2/accounts/"+parent.ID+"/audit", "").want(http.StatusOK).list() {
			e := models.Document(item.(map[string]any))
			if e.Text("action") == models.ActionLogin && e.Text("actor.account_id") != parent.ID {
				t.Errorf("a login by nobody: %v", map[string]any(e))
			}
		}
	})
}

// What may be a secret shows neither in the audit nor to filters, by whatever
// name.
func TestSecretsByOtherNames(t *testing.T) {
	b := newBench(t)
	path := b.device(`{"name":"a","voip":{"webpwd":"s3cret-1","Authorization":"s3cret-2","licenseKey":"s3cret-3"},"cookie":"s3cret-4",
		"sip":{"username":"ann","custom_sip_headers":{"X-Flat":"s3cret-5","out":{"X-Plain":"s3cret-6"}}}}`)
	b.do("PATCH", path, `{"data":{"voip":{"webpwd":"s3cret-7"},"sip":{"custom_sip_headers":{"in":{"X-In":"s3cret-8"}}}}}`).want(http.StatusOK)
	b.do("DELETE", path, "").want(http.StatusOK)
	if r := b.do("GET", path+"/audit", "").want(http.StatusOK); strings.Contains(r.body, secretMark) || !strings.Contains(r.body, "custom_sip_headers.in.X-In") {
		t.Errorf("the audit: %s", r.body)
	}
	b.device(`{"name":"b","voip":{"webpwd":"s3cret-1","pins":3},"sip":{"custom_sip_headers":{"X-Flat":"s3cret-5"}}}`)
	for _, member := range []string{"voip.webpwd", "sip.custom_sip_headers.X-Flat"} {
		for _, filter := range []string{"filter_" + member + "=s3cret-1", "filter_not_" + member + "=x", "has_key=" + member, "key_missing=" + member} {
			if got := b.do("GET", b.devices()+"?"+filter, "").names(); len(got) != 0 {
				t.Errorf("%s answers %v", filter, got)
			}
		}
	}
	if got := b.do("GET", b.devices()+"?filter_voip.pins=3&filter_not_require_pin=true", "").names(); len(got) != 1 {
		t.Errorf("plain members: %v", got)
	}
}
