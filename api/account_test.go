package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
)

func accountPath(a *models.Account) string { return "/v2/accounts/" + a.ID }

func TestUpdateAccount(t *testing.T) {
	b := newBench(t)
	acme, key := b.account("Acme", "acme.example.com", b.master)
	path := accountPath(acme)
	token := b.login(key)
	etag := b.do("GET", path, "").header.Get("ETag")
	r := b.as(token, "PATCH", path, `{"data":{"timezone":"Europe/Berlin","custom":{"a":1},"is_reseller":true,"id":"x","pvt_x":1}}`, "If-Match: "+etag).want(http.StatusOK)
	if r.at("timezone") != "Europe/Berlin" || r.at("name") != "Acme" || r.at("is_reseller") != false || r.id() != acme.ID || r.header.Get("ETag") == etag {
		t.Errorf("answer %s", r.body)
	}
	b.do("PATCH", path, `{"data":{"timezone":"Europe/Paris"}}`, "If-Match: "+etag).fails(http.StatusPreconditionFailed, "precondition_failed")

	r = b.as(token, "POST", path, `{"data":{"name":"Acme Ltd.","custom":null}}`).want(http.StatusOK)
	want := `{"billing_mode":"manual","created":` + asJSON(t, r.at("created")) + `,"custom":null,"enabled":true,"id":"` + acme.ID + `","is_reseller":false,"name":"Acme Ltd.",
		"realm":"acme.example.com","reseller_id":"` + b.master.ID + `","superduper_admin":false,"wnm_allow_additions":false}`
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, r.data())); diff != "" {
		t.Error(diff)
	}
	again := b.do("GET", path, "").want(http.StatusOK)
	if diff := cmp.Diff(asJSON(t, r.data()), asJSON(t, again.data())); diff != "" {
		t.Error(diff)
	}
	if stored, err := b.store.Account(t.Context(), acme.ID); err != nil || stored.Document["is_reseller"] != nil || stored.Document["created"] != nil {
		t.Errorf("computed members were stored: %v", err)
	}
	if got := b.do("PATCH", path, `{"data":{"realm":null}}`).want(http.StatusOK).at("realm"); got != "acme.example.com" {
		t.Errorf("realm %v after its removal", got)
	}
	b.as(token, "GET", path, "").want(http.StatusOK) // no login has ended

	b.do("PATCH", path, `{"data":{"name":"","realm":"Master.Example.com","enabled":"perhaps","timezone":"x","trial_expires":-1,"sip_digest":"sha1"}}`).
		rejects("name: minLength", "realm: unique", "enabled: type", "timezone: minLength", "trial_expires: minimum", "sip_digest: enum")
	b.do("POST", path, `{"data":{}}`).rejects("name: required")
	b.do("PUT", "/v2/accounts", `{"data":{"realm":"ACME.example.com"}}`).rejects("name: required", "realm: unique")
	b.do("PATCH", "/v2/accounts/"+models.NewID(), `{"data":{}}`).fails(http.StatusNotFound, "bad_identifier")
	b.as(token, "PATCH", accountPath(b.master), `{"data":{"name":"mine"}}`).fails(http.StatusForbidden, "forbidden")
	b.do("PATCH", accountPath(b.master), `{"data":{"enabled":false,"trial_expires":1}}`).rejects("enabled: invalid", "trial_expires: invalid")
}

func TestRealmChange(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b *bench) {
		acme, _ := b.account("Acme", "acme.example.com", b.master)
		other, _ := b.account("Other", "other.example.com", b.master)
		device := func(a *models.Account, data string) string {
			return b.do("PUT", accountPath(a)+"/devices", `{"data":`+data+`}`).want(http.StatusCreated).id()
		}
		ann := device(acme, `{"name":"a","sip":{"username":"ann","password":"s3cret"}}`)
		own := device(acme, `{"name":"b","sip":{"username":"bob","password":"s3cret","realm":"own.example.com"}}`)
		b.register(accountPath(acme) + "/devices/" + ann)
		device(other, `{"name":"c","sip":{"username":"Ann","password":"s3cret","realm":"busy.example.com"}}`)

		b.do("PATCH", accountPath(acme), `{"data":{"name":"","realm":"busy.example.com"}}`).rejects("name: minLength", "realm: unique")
		b.do("PATCH", accountPath(acme), `{"data":{"realm":"other.example.com"}}`).rejects("realm: unique")
		b.wantPhone("ann", "acme.example.com", ann)
		if got := b.syncedOnce(); got != nil {
			t.Errorf("synced %v", got)
		}

		b.do("PATCH", accountPath(acme), `{"data":{"realm":"New.example.com"}}`).want(http.StatusOK)
		b.wantPhone("ann", "new.example.com", ann)
		b.wantPhone("ann", "acme.example.com", "")
		b.wantPhone("bob", "own.example.com", own)
		device(b.master, `{"name":"d","sip":{"username":"ann","password":"s3cret","realm":"acme.example.com"}}`) // free again
		b.do("PUT", accountPath(other)+"/devices", `{"data":{"name":"e","sip":{"username":"ann","realm":"new.example.com"}}}`).rejects("sip.username: unique", "sip.realm: unique")
	})
}

func (b *bench) wantPhone(username, realm, id string) {
	b.Helper()
	p, err := b.store.PhoneByAOR(b.Context(), username, realm)
	got := ""
	if err == nil {
		got = p.Device.ID
	}
	if got != id {
		b.Errorf("%s@%s is device %q, want %q", username, realm, got, id)
	}
}

func TestDeleteAccount(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b *bench) {
		acme, _ := b.account("Acme", "acme.example.com", b.master)
		child, childKey := b.account("Child", "child.example.com", acme)
		path := accountPath(child)
		token := b.login(childKey)
		user := b.user(child, "ann", "s3cret-ann")
		device := b.do("PUT", path+"/devices", `{"data":{"name":"x","mac_address":"001565aabbcc","sip":{"username":"ann","password":"s3cret-x"}}}`).
			want(http.StatusCreated).id()
		b.register(path + "/devices/" + device)

		b.do("DELETE", accountPath(b.master), "").fails(http.StatusForbidden, "forbidden")
		r := b.do("DELETE", accountPath(acme), "").fails(http.StatusConflict, "account_has_descendants")
		if text, _ := r.at("message").(string); !strings.Contains(text, "below") {
			t.Errorf("message %q", text)
		}
		b.do("GET", accountPath(acme), "").want(http.StatusOK)
		b.do("DELETE", path, "", `If-Match: "1-x"`).fails(http.StatusPreconditionFailed, "precondition_failed")
		b.as(token, "DELETE", accountPath(acme), "").fails(http.StatusForbidden, "forbidden")

		last := b.do("GET", path, "")
		r = b.as(token, "DELETE", path, "").want(http.StatusOK) // an account may end itself
		if diff := cmp.Diff(asJSON(t, last.data()), asJSON(t, r.data())); diff != "" {
			t.Error(diff)
		}
		for _, gone := range []string{path, path + "/devices/" + device, user} {
			b.do("GET", gone, "").fails(http.StatusNotFound, "bad_identifier")
		}
		b.as(token, "GET", accountPath(acme), "").fails(http.StatusUnauthorized, "invalid_credentials")
		b.as("", "PUT", "/v2/api_auth", `{"data":{"api_key":"`+childKey.Reveal()+`"}}`).fails(http.StatusNotFound, "bad identifier")
		b.device(`{"name":"y","mac_address":"001565aabbcc"}`)
		b.do("PUT", "/v2/accounts", `{"data":{"name":"again","realm":"child.example.com"}}`).want(http.StatusCreated)

		audit := b.do("GET", accountPath(acme)+"/audit", "").want(http.StatusOK)
		states := map[any]bool{}
		for _, entry := range audit.list() {
			if e := entry.(map[string]any); e["action"] == "delete" && e["document"] != nil {
				states[e["object_id"]] = true
			}
		}
		if want := map[any]bool{child.ID: true, device: true, user[len(user)-32:]: true}; !cmp.Equal(want, states) || strings.Contains(audit.body, secretMark) {
			t.Errorf("audit of the account above: %s", audit.body)
		}
		b.do("DELETE", accountPath(acme), "").want(http.StatusOK)
	})
}

func TestListAccounts(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b *bench) {
		acme, key := b.account("Acme", "acme.example.com", b.master)
		child, _ := b.account("Child", "child.example.com", acme)
		b.account("Grandchild", "grandchild.example.com", child)
		if diff := cmp.Diff([]string{"Acme", "Child", "Grandchild", "Master"}, b.do("GET", "/v2/accounts", "").names()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"Child"}, b.do("GET", "/v2/accounts?filter_realm=child.example.com", "").names()); diff != "" {
			t.Error(diff)
		}
		token := b.login(key)
		b.as(token, "GET", "/v2/accounts", "").fails(http.StatusForbidden, "forbidden")
		b.as("", "GET", "/v2/accounts", "").fails(http.StatusUnauthorized, "invalid_credentials")
		r := b.as(token, "GET", accountPath(acme)+"/children", "").want(http.StatusOK)
		want := `[{"enabled":true,"flags":[],"id":"` + child.ID + `","name":"Child","realm":"child.example.com"}]`
		if diff := cmp.Diff(asJSON(t, want), asJSON(t, r.list())); diff != "" {
			t.Error(diff)
		}
		b.as(token, "GET", accountPath(b.master)+"/children", "").fails(http.StatusForbidden, "forbidden")
		first := b.do("GET", "/v2/accounts?page_size=3", "").want(http.StatusOK)
		next, _ := first.envelope["next_start_key"].(string)
		second := b.do("GET", "/v2/accounts?start_key="+next, "").want(http.StatusOK)
		if len(first.list()) != 3 || next == "" || len(second.list()) != 1 {
			t.Errorf("pages of %d and %d", len(first.list()), len(second.list()))
		}
	})
}

// No account gets an id that another one has had: what the audit holds under it
// is none of its business.
func TestAccountIDsAreNotChosen(t *testing.T) {
	b := newBench(t)
	tenant, key := b.account("Tenant", "tenant.example.com", b.master)
	gone, _ := b.account("Gone", "gone.example.com", b.master)
	b.do("PATCH", "/v2/accounts/"+gone.ID, `{"data":{"name":"Private"}}`).want(http.StatusOK)
	b.do("DELETE", "/v2/accounts/"+gone.ID, "").want(http.StatusOK)
	token := b.login(key)
	for _, id := range []string{gone.ID, b.master.ID, strings.Repeat("d", 32)} {
		b.as(token, "PUT", "/v2/accounts", `{"data":{"name":"A","id":"`+id+`"}}`).rejects("id: invalid")
		b.as(token, "PUT", "/v2/accounts/"+tenant.ID, `{"data":{"name":"A","id":"`+id+`"}}`).rejects("id: invalid")
	}
	b.as(token, "PUT", "/v2/accounts", `{"data":{"name":"A","id":null}}`).want(http.StatusCreated)
	b.as(token, "GET", "/v2/accounts/"+gone.ID+"/audit", "").fails(http.StatusNotFound, "bad_identifier")
}
