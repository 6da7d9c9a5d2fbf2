package api_test

import (
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
)

func TestCreateUser(t *testing.T) {
	b := newBench(t)
	r := b.do("PUT", b.users(), `{"data":{"first_name":"Ann","last_name":"Lee","username":"Ann.Lee","password":"s3cret-1","custom":[1.50],"sync":true}}`).
		want(http.StatusCreated)
	if strings.Contains(r.body, secretMark) {
		t.Errorf("the answer holds the password: %s", r.body)
	}
	want := `{"call_restriction":{},"caller_id":{},"contact_list":{},"custom":[1.50],"dial_plan":{},"enabled":true,"first_name":"Ann",
		"hotdesk":{"enabled":false,"keep_logged_in_elsewhere":false,"require_pin":false},"id":"` + r.id() + `","last_name":"Lee","music_on_hold":{},
		"priv_level":"user","profile":{},"require_password_update":false,"ringtones":{},"username":"ann.lee","verified":false,"vm_to_email_enabled":true}`
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, r.data())); diff != "" {
		t.Error(diff)
	}
	path := b.users() + "/" + r.id()
	if got := r.header.Get("Location"); got != path {
		t.Errorf("Location %q, want %q", got, path)
	}
	got := b.do("GET", path, "").want(http.StatusOK)
	if diff := cmp.Diff(asJSON(t, r.data()), asJSON(t, got.data())); diff != "" {
		t.Error(diff)
	}
	b.wantCredentials(path, "ann.lee:s3cret-1")
}

// wantCredentials checks the stored hashes; plain is "" when there are none.
func (b *bench) wantCredentials(path, plain string) {
	b.Helper()
	u, err := b.store.User(b.Context(), b.master.ID, path[len(path)-32:])
	if err != nil {
		b.Fatal(err)
	}
	m, h := md5.Sum([]byte(plain)), sha1.Sum([]byte(plain))
	want := []string{hex.EncodeToString(m[:]), hex.EncodeToString(h[:])}
	if plain == "" {
		want = []string{"", ""}
	}
	if diff := cmp.Diff(want, []string{u.MD5Auth.Reveal(), u.SHA1Auth.Reveal()}); diff != "" {
		b.Errorf("hashes of %q: %s", plain, diff)
	}
}

func TestUserCredentials(t *testing.T) {
	const names = `"first_name":"A","last_name":"B"`
	b := newBench(t)
	r := b.do("PUT", b.users(), `{"data":{`+names+`,"username":"ann","password":"s3cret-1"}}`).want(http.StatusCreated)
	path := b.users() + "/" + r.id()

	b.do("PATCH", path, `{"data":{"first_name":"C"}}`).want(http.StatusOK)
	b.wantCredentials(path, "ann:s3cret-1")
	b.do("PATCH", path, `{"data":{"username":"ANN"}}`).want(http.StatusOK)
	b.wantCredentials(path, "ann:s3cret-1")
	b.do("PATCH", path, `{"data":{"username":"bob"}}`).rejects("password: required")
	b.wantCredentials(path, "ann:s3cret-1")
	b.do("PATCH", path, `{"data":{"username":"Bob","password":"s3cret-2"}}`).want(http.StatusOK)
	b.wantCredentials(path, "bob:s3cret-2")
	b.do("PATCH", path, `{"data":{"password":"s3cret-3"}}`).want(http.StatusOK)
	b.wantCredentials(path, "bob:s3cret-3")
	b.do("POST", path, `{"data":{`+names+`,"username":"bob"}}`).want(http.StatusOK)
	b.wantCredentials(path, "bob:s3cret-3")
	b.do("POST", path, `{"data":{`+names+`}}`).want(http.StatusOK)
	b.wantCredentials(path, "")

	made := b.do("PATCH", path, `{"data":{"password":"s3cret-4"}}`).want(http.StatusOK)
	username, _ := made.at("username").(string)
	if len(username) != len("user_")+16 || !strings.HasPrefix(username, "user_") {
		t.Errorf("username %q", username)
	}
	b.wantCredentials(path, username+":s3cret-4")
	b.do("PUT", b.users(), `{"data":{`+names+`,"username":"lone"}}`).rejects("password: required")
}

func TestUserValidation(t *testing.T) {
	b := newBench(t)
	b.do("PUT", b.users(), `{"data":{"first_name":"A","last_name":"B","username":"ann","password":"s3cret"}}`).want(http.StatusCreated)
	b.do("PUT", b.users(), `{"data":{"first_name":"A","last_name":"B","username":"Ann","password":"s3cret"}}`).rejects("username: unique")
	b.do("PUT", b.users(), `{"data":{"last_name":"B","username":"ANN","password":"s3cret","priv_level":"root"}}`).
		rejects("first_name: required", "username: unique", "priv_level: enum")
	b.do("PUT", b.users(), `{"data":{}}`).rejects("first_name: required", "last_name: required")
	b.do("PUT", b.users(), `{"data":{"first_name":"","last_name":7,"username":"a b","password":"s3cret","email":"nowhere","priv_level":"root",
		"hotdesk":{"pin":"1","id":"1234567890123456"},"music_on_hold":{"media_id":"`+strings.Repeat("x", 129)+`"}}}`).
		rejects("first_name: minLength", "last_name: type", "username: pattern", "email: wrong_format", "priv_level: enum",
			"hotdesk.pin: minLength", "hotdesk.id: maxLength", "music_on_hold.media_id: maxLength")
	b.do("GET", b.users()+"/"+models.NewID(), "").fails(http.StatusNotFound, "bad_identifier")
	b.do("PATCH", b.users()+"/"+models.NewID(), `{"data":{}}`).fails(http.StatusNotFound, "bad_identifier")

	other, _ := b.account("Other", "other.example.com", b.master)
	b.do("PUT", "/v2/accounts/"+other.ID+"/users", `{"data":{"first_name":"A","last_name":"B","username":"ann","password":"s3cret"}}`).
		want(http.StatusCreated)
}

func TestDeleteUser(t *testing.T) {
	b := newBench(t)
	path := b.user(b.master, "ann", "s3cret-ann")
	id := path[len(path)-32:]
	device := b.device(`{"name":"x","owner_id":"` + id + `"}`)
	last := b.do("GET", path, "").want(http.StatusOK)
	b.do("DELETE", path, "", `If-Match: "1-x"`).fails(http.StatusPreconditionFailed, "precondition_failed")
	other, _ := b.account("Other", "other.example.com", b.master)
	b.do("DELETE", "/v2/accounts/"+other.ID+"/users/"+id, "").fails(http.StatusNotFound, "bad_identifier")
	r := b.do("DELETE", path, "").want(http.StatusOK)
	if diff := cmp.Diff(asJSON(t, last.data()), asJSON(t, r.data())); diff != "" {
		t.Error(diff)
	}
	for _, method := range []string{"GET", "POST", "PATCH", "DELETE"} {
		b.do(method, path, "").fails(http.StatusNotFound, "bad_identifier")
	}
	if got := b.do("GET", device, "").want(http.StatusOK).at("owner_id"); got != id {
		t.Errorf("owner_id %v of the device that stays, want %s", got, id)
	}
	b.user(b.master, "ann", "s3cret-ann") // the username is free again
}

func TestUserSummaries(t *testing.T) {
	b := newBench(t)
	id := strings.Repeat("a", 32)
	b.do("PUT", b.users(), `{"data":{"first_name":"A","last_name":"B","id":"`+id+`","email":"a@example.com","timezone":"inherit",
		"call_forward":{"failover":true},"hotdesk":{"enabled":true}}}`).want(http.StatusCreated)
	want := `[{"email":"a@example.com","features":["hotdesk","call_forward_failover","vm_to_email"],"first_name":"A","flags":[],"id":"` + id + `",
		"last_name":"B","priv_level":"user","timezone":"inherit"}]`
	r := b.do("GET", b.users(), "").want(http.StatusOK)
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, r.list())); diff != "" {
		t.Error(diff)
	}
}

func TestUserIfMatch(t *testing.T) {
	b := newBench(t)
	path := b.users() + "/" + b.do("PUT", b.users(), `{"data":{"first_name":"A","last_name":"B"}}`).id()
	etag := b.do("GET", path, "").header.Get("ETag")
	b.do("GET", path, "", "If-None-Match: "+etag).want(http.StatusNotModified)
	b.do("PATCH", path, `{"data":{"first_name":"C"}}`, "If-Match: "+etag).want(http.StatusOK)
	b.do("PATCH", path, `{"data":{"first_name":"D"}}`, "If-Match: "+etag).fails(http.StatusPreconditionFailed, "precondition_failed")
}

// A user's "sync" reaches every registered phone of the account, and no other.
func TestUserSync(t *testing.T) {
	b := newBench(t)
	other, _ := b.account("Other", "other.example.com", b.master)
	path := b.users() + "/" + b.do("PUT", b.users(), `{"data":{"first_name":"A","last_name":"B"}}`).id()
	first := b.device(`{"name":"a","id":"` + strings.Repeat("1", 32) + `"}`)
	second := b.device(`{"name":"b","id":"` + strings.Repeat("2", 32) + `"}`)
	b.device(`{"name":"not registered"}`)
	foreign := b.do("PUT", "/v2/accounts/"+other.ID+"/devices", `{"data":{"name":"c"}}`).header.Get("Location")
	for _, d := range []string{first, second, foreign} {
		b.register(d)
	}
	b.do("PATCH", path, `{"data":{"first_name":"C"}}`).want(http.StatusOK)
	if got := b.syncedOnce(); got != nil {
		t.Errorf("synced without being told: %v", got)
	}
	r := b.do("PATCH", path, `{"data":{"first_name":"D","sync":true}}`).want(http.StatusOK)
	if diff := cmp.Diff([]string{first[len(first)-32:], second[len(second)-32:]}, b.syncedOnce()); diff != "" {
		t.Error(diff)
	}
	if r.at("sync") != nil {
		t.Error("sync was returned")
	}
}
