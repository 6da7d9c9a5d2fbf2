package api_test

import (
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
)

func md5Of(plain string) string {
	sum := md5.Sum([]byte(plain))
	return hex.EncodeToString(sum[:])
}

func sha1Of(plain string) string {
	sum := sha1.Sum([]byte(plain))
	return hex.EncodeToString(sum[:])
}

// user creates a user of an account and returns its path.
func (b *bench) user(a *models.Account, username, password string) string {
	b.Helper()
	data := fmt.Sprintf(`{"data":{"first_name":"A","last_name":"B","username":%q,"password":%q}}`, username, password)
	return b.do("PUT", "/v2/accounts/"+a.ID+"/users", data).want(http.StatusCreated).header.Get("Location")
}

// userLogin logs in with members of data besides the MD5 of plain.
func (b *bench) userLogin(plain, more string) *reply {
	b.Helper()
	return b.as("", "PUT", "/v2/user_auth", `{"data":{"credentials":"`+md5Of(plain)+`"`+more+`}}`)
}

func (r *reply) token() string {
	r.Helper()
	r.want(http.StatusCreated)
	return r.envelope["auth_token"].(string)
}

func TestUserLogin(t *testing.T) {
	b := newBench(t)
	acme, _ := b.account("Acme & Sons", "acme.example.com", b.master)
	namesake, _ := b.account("ACME-sons", "sons.example.com", b.master)
	ann := b.user(acme, "Ann", "s3cret-ann")
	twin := b.user(namesake, "bob", "s3cret-bob")
	tests := []struct{ name, plain, more, want string }{
		{"realm", "ann:s3cret-ann", `,"account_realm":"acme.example.com"`, ann},
		{"realm in capitals", "ann:s3cret-ann", `,"account_realm":"ACME.example.com"`, ann},
		{"the realm's alias", "ann:s3cret-ann", `,"realm":"acme.example.com"`, ann},
		{"name", "ann:s3cret-ann", `,"account_name":"Acme & Sons"`, ann},
		{"name in another spelling", "ann:s3cret-ann", `,"account_name":"  acme SONS!"`, ann},
		{"name of several accounts", "bob:s3cret-bob", `,"account_name":"acmesons"`, twin},
		{"realm of another account, and name", "ann:s3cret-ann", `,"account_realm":"sons.example.com","account_name":"acmesons"`, ""},
		{"unknown realm, then name", "ann:s3cret-ann", `,"account_realm":"nowhere.example.com","account_name":"acmesons"`, ann},
		{"number, then realm", "ann:s3cret-ann", `,"phone_number":"+15551234567","account_realm":"acme.example.com"`, ann},
		{"method", "ann:s3cret-ann", `,"account_realm":"acme.example.com","method":"md5"`, ann},
		{"wrong method", "ann:s3cret-ann", `,"account_realm":"acme.example.com","method":"sha"`, ""},
		{"wrong password", "ann:s3cret-bob", `,"account_realm":"acme.example.com"`, ""},
		{"unknown user", "eve:s3cret-ann", `,"account_realm":"acme.example.com"`, ""},
		{"username in capitals", "Ann:s3cret-ann", `,"account_realm":"acme.example.com"`, ""},
		{"another account", "ann:s3cret-ann", `,"account_realm":"master.example.com"`, ""},
		{"unknown name", "ann:s3cret-ann", `,"account_name":"nobody"`, ""},
		{"number only", "ann:s3cret-ann", `,"phone_number":"+15551234567"`, ""},
		{"no account", "ann:s3cret-ann", ``, ""},
	}
	for _, tt := range tests {
		b.subtest(tt.name, func() {
			r := b.userLogin(tt.plain, tt.more)
			if tt.want == "" {
				r.fails(http.StatusUnauthorized, "invalid_credentials")
				return
			}
			if owner := r.want(http.StatusCreated).at("owner_id"); !strings.HasSuffix(tt.want, fmt.Sprint("/", owner)) {
				b.Errorf("logged in %v, want %s", owner, tt.want)
			}
		})
		b.sleep(time.Minute) // no lock-out
	}
	r := b.as("", "PUT", "/v2/user_auth", `{"data":{"credentials":"`+sha1Of("ann:s3cret-ann")+`","method":"sha","account_realm":"acme.example.com"}}`)
	want := `{"account_id":"` + acme.ID + `","account_name":"Acme & Sons","apps":[],"capabilities":{},"cluster_id":"","is_master_account":false,
		"is_reseller":false,"language":"en-us","owner_id":"` + ann[len(ann)-32:] + `","reseller_id":"` + b.master.ID + `","ui_config":{}}`
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, r.want(http.StatusCreated).data())); diff != "" {
		t.Error(diff)
	}
	// The token acts for the account, and for no other.
	b.as(r.token(), "GET", "/v2/accounts/"+acme.ID+"/devices", "").want(http.StatusOK)
	b.as(r.token(), "GET", "/v2/accounts/"+namesake.ID+"/devices", "").fails(http.StatusForbidden, "forbidden")
}

func TestUserLoginValidation(t *testing.T) {
	b := newBench(t)
	login := func(data string) *reply { return b.as("", "PUT", "/v2/user_auth", `{"data":`+data+`}`) }
	login(`{}`).rejects("credentials: required")
	login(`{"credentials":"","method":"plain","account_name":"","account_realm":"a b c","realm":"abc","phone_number":""}`).
		rejects("credentials: minLength", "method: enum", "account_name: minLength", "account_realm: pattern", "realm: minLength", "phone_number: minLength")
	login(`{"credentials":"`+strings.Repeat("a", 65)+`","account_name":"`+strings.Repeat("a", 129)+`"}`).
		rejects("credentials: maxLength", "account_name: maxLength")
	login(`{"credentials":"x","as":{"owner_id":"y"},"restrictions":{"get":"#","put":["a b"]}}`).
		rejects("as.account_id: required", "as.owner_id: pattern", "restrictions.get: type", "restrictions.put.0: pattern")
	login(`{"credentials":"x","restrictions":{"get":["` + strings.Repeat(`x","`, 4000) + `x"]}}`).rejects("restrictions: maxSize")
	for _, method := range []string{"PUT", "POST"} {
		b.as("", method, "/v2/user_auth/recovery", `{"data":{"username":"ann","ui_url":"https://x.example.com"}}`).
			fails(http.StatusNotImplemented, "not_implemented")
	}
}

func TestUserLoginRefused(t *testing.T) {
	b := newBench(t)
	acme, _ := b.account("Acme", "acme.example.com", b.master)
	path := b.user(acme, "ann", "s3cret-ann")
	const realm = `,"account_realm":"acme.example.com"`
	account := "/v2/accounts/" + acme.ID

	b.do("PATCH", path, `{"data":{"enabled":false}}`).want(http.StatusOK)
	b.userLogin("ann:s3cret-ann", realm).fails(http.StatusUnauthorized, "invalid_credentials")
	b.do("PATCH", path, `{"data":{"enabled":true}}`).want(http.StatusOK)
	token := b.userLogin("ann:s3cret-ann", realm).token()

	b.do("PATCH", account, `{"data":{"enabled":false}}`).want(http.StatusOK)
	r := b.userLogin("ann:s3cret-ann", realm).rejects("account: disabled")
	if d := r.data()["account"].(map[string]any)["disabled"].(map[string]any); d["cause"] != acme.ID {
		t.Errorf("cause %v", d["cause"])
	}
	b.userLogin("ann:wrong", realm).fails(http.StatusUnauthorized, "invalid_credentials")
	b.as(token, "GET", account, "").fails(http.StatusUnauthorized, "invalid_credentials")

	trial := b.clock().Add(time.Minute).Unix() + 62167219200
	b.do("PATCH", account, fmt.Sprintf(`{"data":{"enabled":true,"trial_expires":%d}}`, trial)).want(http.StatusOK)
	token = b.userLogin("ann:s3cret-ann", realm).token()
	b.as(token, "GET", account, "").want(http.StatusOK)
	b.as(token, "PATCH", account, `{"data":{"trial_expires":99999999999}}`).rejects("trial_expires: invalid")
	b.sleep(time.Minute)
	b.userLogin("ann:s3cret-ann", realm).rejects("account: expired")
	b.as(token, "GET", account, "").fails(http.StatusUnauthorized, "invalid_credentials")
	b.do("PATCH", account, `{"data":{"trial_expires":null}}`).want(http.StatusOK)
	b.userLogin("ann:s3cret-ann", realm).want(http.StatusCreated)
}

func TestUserLoginLockout(t *testing.T) {
	b := newBench(t)
	b.user(b.master, "ann", "s3cret-ann")
	const realm = `,"account_realm":"master.example.com"`
	for i := range 20 {
		guess := []string{"ann:wrong", "nobody:wrong"}[i%2]
		b.userLogin(guess, realm).fails(http.StatusUnauthorized, "invalid_credentials")
	}
	b.userLogin("ann:s3cret-ann", realm).fails(http.StatusTooManyRequests, "too_many_requests")
	b.as("", "PUT", "/v2/api_auth", `{"data":{"api_key":"`+b.key.Reveal()+`"}}`).fails(http.StatusTooManyRequests, "too_many_requests")
	b.sleep(time.Minute)
	b.userLogin("ann:s3cret-ann", realm).want(http.StatusCreated)
}

func TestTokenAuth(t *testing.T) {
	b := newBench(t)
	path := b.user(b.master, "ann", "s3cret-ann")
	token := b.userLogin("ann:s3cret-ann", `,"realm":"master.example.com"`).token()
	r := b.as(token, "GET", "/v2/token_auth", "").want(http.StatusOK)
	created := b.clock().Unix() + 62167219200
	want := fmt.Sprintf(`{"account_id":%q,"account_name":"Master","apps":[],"capabilities":{},"cluster_id":"","created":%d,"expires":%d,
		"is_master_account":true,"is_reseller":true,"language":"en-us","method":"cb_user_auth","owner_id":%q,"reseller_id":%q,"ui_config":{}}`,
		b.master.ID, created, created+3600, path[len(path)-32:], b.master.ID)
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, r.data())); diff != "" {
		t.Error(diff)
	}
	same := b.as(token, "GET", "/v2/user_auth/"+token, "").want(http.StatusOK)
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, same.data())); diff != "" {
		t.Error(diff)
	}
	b.do("GET", "/v2/user_auth/"+token, "").fails(http.StatusNotFound, "bad_identifier")
	b.as("", "GET", "/v2/user_auth/"+token, "").fails(http.StatusUnauthorized, "invalid_credentials")
	b.as("", "GET", "/v2/token_auth", "").fails(http.StatusUnauthorized, "invalid_credentials")
	b.as("", "DELETE", "/v2/token_auth", "").fails(http.StatusUnauthorized, "invalid_credentials")
	if got := b.do("GET", "/v2/token_auth", "").want(http.StatusOK); got.at("method") != "cb_api_auth" || got.at("owner_id") != nil {
		t.Errorf("login by API key: %s", got.body)
	}

	if r := b.as(token, "DELETE", "/v2/token_auth", "").want(http.StatusOK); r.envelope["auth_token"] != nil {
		t.Errorf("the ended token shows: %s", r.body)
	}
	b.as(token, "GET", "/v2/token_auth", "").fails(http.StatusUnauthorized, "invalid_credentials")
	b.do("GET", "/v2/token_auth", "").want(http.StatusOK) // others go on
}

func TestTokenLife(t *testing.T) {
	b := newBench(t)
	cfg := b.config
	cfg.APITokenLife, cfg.UserTokenLife = 2*time.Minute, 5*time.Minute
	b.handler = b.serve(cfg)
	acme, acmeKey := b.account("Acme", "acme.example.com", b.master)
	child, childKey := b.account("Child", "child.example.com", acme)
	b.user(acme, "ann", "s3cret-ann")
	account := "/v2/accounts/" + acme.ID
	byKey := func(key models.Secret, more string) string {
		return b.as("", "PUT", "/v2/api_auth", `{"data":{"api_key":"`+key.Reveal()+`"}`+more+`}`).token()
	}
	byPassword := func() string { return b.userLogin("ann:s3cret-ann", `,"realm":"acme.example.com"`).token() }
	check := func(what, token string, life time.Duration) {
		t.Helper()
		r := b.as(token, "GET", "/v2/token_auth", "").want(http.StatusOK)
		if want := fmt.Sprint(b.clock().Add(life).Unix() + 62167219200); fmt.Sprint(r.at("expires")) != want {
			t.Errorf("%s: expires %v, want %s", what, r.at("expires"), want)
		}
	}
	check("by key", byKey(acmeKey, ""), 2*time.Minute)
	check("by password", byPassword(), 5*time.Minute)
	b.do("PATCH", account, `{"data":{"token_life":90}}`).want(http.StatusOK)
	check("by key, of the account", byKey(acmeKey, ""), 90*time.Second)
	check("by password, of the account", byPassword(), 90*time.Second)
	check("acting as an account below", byKey(acmeKey, `,"as":{"account_id":"`+child.ID+`"}`), 90*time.Second)
	check("an account below", byKey(childKey, ""), 2*time.Minute)

	token := byPassword()
	b.sleep(89 * time.Second)
	b.as(token, "GET", account, "").want(http.StatusOK)
	b.sleep(time.Second)
	b.as(token, "GET", account, "").fails(http.StatusUnauthorized, "invalid credentials")

	b.token = b.login(b.key)
	b.do("PATCH", account, `{"data":{"token_life":59}}`).rejects("token_life: minimum")
	b.do("PATCH", account, `{"data":{"token_life":2592001}}`).rejects("token_life: maximum")
	b.do("PATCH", account, `{"data":{"token_life":90.5}}`).rejects("token_life: type")
	b.do("PATCH", account, `{"data":{"token_life":"2592000"}}`).want(http.StatusOK)
	check("the longest", byPassword(), 720*time.Hour)
	b.do("PATCH", account, `{"data":{"token_life":null}}`).want(http.StatusOK)
	check("the settings again", byPassword(), 5*time.Minute)
}

// What ends logins, and whose.
func TestLoginsEnd(t *testing.T) {
	type logins struct{ user, other, key, below string }
	tests := []struct {
		name string
		do   func(b *bench, account, user string)
		want string // which still work
	}{
		{"a name changes", func(b *bench, _, user string) {
			b.do("PATCH", user, `{"data":{"first_name":"C"}}`).want(http.StatusOK)
		}, "user other key below"},
		{"the same password again", func(b *bench, _, user string) {
			b.do("PATCH", user, `{"data":{"password":"s3cret-ann"}}`).want(http.StatusOK)
		}, "user other key below"},
		{"another password", func(b *bench, _, user string) {
			b.do("PATCH", user, `{"data":{"password":"s3cret-new"}}`).want(http.StatusOK)
		}, "other key below"},
		{"another username", func(b *bench, _, user string) {
			b.do("PATCH", user, `{"data":{"username":"anna","password":"s3cret-ann"}}`).want(http.StatusOK)
		}, "other key below"},
		{"no credentials", func(b *bench, _, user string) {
			b.do("POST", user, `{"data":{"first_name":"A","last_name":"B"}}`).want(http.StatusOK)
		}, "other key below"},
		{"user disabled", func(b *bench, _, user string) {
			b.do("PATCH", user, `{"data":{"enabled":false}}`).want(http.StatusOK)
		}, "other key below"},
		{"user deleted", func(b *bench, _, user string) {
			b.do("DELETE", user, "").want(http.StatusOK)
		}, "other key below"},
		{"API key renewed", func(b *bench, account, _ string) {
			b.do("PUT", account+"/api_key", "").want(http.StatusCreated)
		}, "user other below"},
		{"account disabled", func(b *bench, account, _ string) {
			b.do("PATCH", account, `{"data":{"enabled":false}}`).want(http.StatusOK)
			b.do("PATCH", account, `{"data":{"enabled":true}}`).want(http.StatusOK)
		}, "below"},
	}
	b := newBench(t)
	for i, tt := range tests {
		b.subtest(tt.name, func() {
			realm := fmt.Sprintf("r%d.example.com", i)
			acme, key := b.account("Acme", realm, b.master)
			_, childKey := b.account("Child", "child."+realm, acme)
			user := b.user(acme, "ann", "s3cret-ann")
			b.user(acme, "bob", "s3cret-bob")
			l := logins{b.userLogin("ann:s3cret-ann", `,"realm":"`+realm+`"`).token(), b.userLogin("bob:s3cret-bob", `,"realm":"`+realm+`"`).token(), b.login(key), b.login(childKey)}
			tt.do(b, "/v2/accounts/"+acme.ID, user)
			var working []string
			for _, login := range [][2]string{{"user", l.user}, {"other", l.other}, {"key", l.key}, {"below", l.below}} {
				if b.as(login[1], "GET", "/v2/token_auth", "").status == http.StatusOK {
					working = append(working, login[0])
				}
			}
			if got := strings.Join(working, " "); got != tt.want {
				b.Errorf("still logged in: %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAPIKey(t *testing.T) {
	b := newBench(t)
	acme, old := b.account("Acme", "acme.example.com", b.master)
	path := "/v2/accounts/" + acme.ID + "/api_key"
	r := b.do("GET", path, "").want(http.StatusOK)
	if r.at("api_key") != nil || !strings.Contains(fmt.Sprint(r.at("message")), "PUT") || strings.Contains(r.body, old.Reveal()) {
		t.Errorf("answer %s", r.body)
	}
	token := b.login(old)
	r = b.as(token, "PUT", path, "").want(http.StatusCreated)
	key := models.Secret(fmt.Sprint(r.at("api_key")))
	if len(key) != 64 || key == old {
		t.Fatalf("answer %s", r.body)
	}
	b.as(token, "GET", path, "").fails(http.StatusUnauthorized, "invalid_credentials")
	b.as("", "PUT", "/v2/api_auth", `{"data":{"api_key":"`+old.Reveal()+`"}}`).fails(http.StatusNotFound, "bad identifier")
	token = b.login(key)
	b.as(token, "PUT", "/v2/accounts/"+b.master.ID+"/api_key", "").fails(http.StatusForbidden, "forbidden")
	audit := b.do("GET", "/v2/accounts/"+acme.ID+"/audit", "").want(http.StatusOK)
	want := `[{"path":"api_key","from":"REDACTED","to":"REDACTED"}]`
	renewed := audit.list()[1].(map[string]any) // before the last login
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, renewed["changes"])); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(audit.body+b.log.String(), key.Reveal()) {
		t.Error("the key shows in audit or log")
	}
}

func TestActAs(t *testing.T) {
	b := newBench(t)
	parent, key := b.account("Parent", "parent.example.com", b.master)
	child, _ := b.account("Child", "child.example.com", parent)
	off := b.do("PUT", "/v2/accounts/"+parent.ID, `{"data":{"name":"Off","enabled":false}}`).id()
	ann := b.user(child, "ann", "s3cret-ann")
	annID := ann[len(ann)-32:]
	b.user(parent, "boss", "s3cret-boss")
	login := func(as string) *reply {
		return b.userLogin("boss:s3cret-boss", `,"realm":"parent.example.com","as":`+as)
	}
	r := login(`{"account_id":"` + child.ID + `","owner_id":"` + annID + `"}`).want(http.StatusCreated)
	if r.at("account_id") != child.ID || r.at("owner_id") != annID || r.at("account_name") != "Child" {
		t.Errorf("answer %s", r.body)
	}
	token := r.token()
	b.as(token, "GET", "/v2/accounts/"+child.ID, "").want(http.StatusOK)
	b.as(token, "GET", "/v2/accounts/"+parent.ID, "").fails(http.StatusForbidden, "forbidden")
	if r := login(`{"account_id":"` + child.ID + `"}`); r.want(http.StatusCreated).at("owner_id") != nil {
		t.Errorf("answer %s", r.body)
	}
	for _, id := range []string{b.master.ID, models.NewID()} {
		login(`{"account_id":"`+id+`"}`).fails(http.StatusForbidden, "forbidden")
	}
	login(`{"account_id":"` + off + `"}`).rejects("account: disabled")
	login(`{"account_id":"` + child.ID + `","owner_id":"` + models.NewID() + `"}`).rejects("as.owner_id: not_found")
	other := b.login(key)
	b.as(other, "PATCH", ann, `{"data":{"enabled":false}}`).want(http.StatusOK)
	b.as(token, "GET", "/v2/accounts/"+child.ID, "").fails(http.StatusUnauthorized, "invalid_credentials")
	login(`{"account_id":"` + child.ID + `","owner_id":"` + annID + `"}`).rejects("as.owner_id: not_found")

	// In the envelope of a login by key, whose data is closed; and it ends with the key.
	body := func(where string) string { return fmt.Sprintf(where, key.Reveal(), child.ID) }
	b.as("", "PUT", "/v2/api_auth", body(`{"data":{"api_key":%q,"as":{"account_id":%q}}}`)).rejects("as: additionalProperties")
	token = b.as("", "PUT", "/v2/api_auth", body(`{"data":{"api_key":%q},"as":{"account_id":%q}}`)).token()
	b.as(token, "GET", "/v2/accounts/"+child.ID, "").want(http.StatusOK)
	b.do("PUT", "/v2/accounts/"+parent.ID+"/api_key", "").want(http.StatusCreated)
	b.as(token, "GET", "/v2/accounts/"+child.ID, "").fails(http.StatusUnauthorized, "invalid_credentials")
}

func TestRestrictions(t *testing.T) {
	b := newBench(t)
	b.device(`{"name":"a","id":"` + strings.Repeat("a", 32) + `"}`)
	device := b.devices() + "/" + strings.Repeat("a", 32)
	tests := []struct {
		restrictions, method, path string
		want                       int
	}{
		{`{}`, "GET", b.devices(), 403},
		{`{"get":["#"]}`, "GET", b.devices(), 200},
		{`{"get":["#"]}`, "HEAD", b.devices(), 200},
		{`{"GET":["/v2/#"]}`, "GET", b.devices(), 200},
		{`{"get":["#"]}`, "DELETE", device + "x", 403},
		{`{"get":["#"]}`, "POST", device + "/sync", 403},
		{`{"post":["#"]}`, "POST", device + "/sync", 200},
		{`{"post":["#"]}`, "POST", device + "?verb=GET", 403},
		{`{"get":["accounts/*/devices"]}`, "GET", b.devices(), 200},
		{`{"get":["accounts/*/devices"]}`, "GET", device, 403},
		{`{"get":["accounts/*/devices/#"]}`, "GET", device, 200},
		{`{"get":["accounts/*/devices/#"]}`, "GET", b.devices(), 200},
		{`{"get":["accounts/*/devices/#"]}`, "GET", b.users(), 403},
		{`{"get":["#/devices/*"]}`, "GET", device, 200},
		{`{"get":["#/devices/#/provision"]}`, "GET", device + "/provision", 200},
		{`{"get":["#/devices/#/provision"]}`, "GET", device, 403},
		{`{"get":["accounts/*"]}`, "GET", "/v2/account/devices", 403},
		{`{"get":["accounts/` + b.master.ID + `/devices","token_auth"]}`, "GET", "/v2/account/devices", 200},
		{`{"get":["token_auth"]}`, "GET", "/v2/token_auth", 200},
		{`{"get":["token_auth"]}`, "DELETE", "/v2/token_auth", 403},
	}
	for _, tt := range tests {
		body := `{"data":{"api_key":"` + b.key.Reveal() + `"},"restrictions":` + tt.restrictions + `}`
		token := b.as("", "PUT", "/v2/api_auth", body).token()
		if r := b.as(token, tt.method, tt.path, ""); r.status != tt.want {
			t.Errorf("%s: %s %s: %d, want %d: %s", tt.restrictions, tt.method, tt.path, r.status, tt.want, r.body)
		}
	}
}

func TestOwnAccount(t *testing.T) {
	b := newBench(t)
	acme, key := b.account("Acme", "acme.example.com", b.master)
	token := b.login(key)
	if r := b.as(token, "GET", "/v2/account", "").want(http.StatusOK); r.id() != acme.ID {
		t.Errorf("answer %s", r.body)
	}
	r := b.as(token, "PUT", "/v2/account/devices/", `{"data":{"name":"x"}}`).want(http.StatusCreated)
	if got, want := r.header.Get("Location"), "/v2/accounts/"+acme.ID+"/devices/"+r.id(); got != want {
		t.Errorf("Location %q, want %q", got, want)
	}
	b.as(token, "GET", "/v2/account/devices/"+r.id(), "").want(http.StatusOK)
	b.as("", "GET", "/v2/account/devices", "").fails(http.StatusUnauthorized, "invalid_credentials")
	b.as("wrong", "GET", "/v2/account", "").fails(http.StatusUnauthorized, "invalid_credentials")
	b.as("", "PUT", "/v2/account/devices", "{").rejects("json: invalid")
	b.as(token, "GET", "/v2/account/nonsense", "").fails(http.StatusNotFound, "not_found")
	b.as("", "OPTIONS", "/v2/account/devices", "").want(http.StatusOK)
	b.sleep(time.Hour)
	b.as(token, "GET", "/v2/account", "").fails(http.StatusUnauthorized, "invalid credentials")
}
