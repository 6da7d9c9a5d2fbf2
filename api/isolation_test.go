package api_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"dialtone/api"
	"dialtone/models"
)

// A tenant is an account with one of each thing that paths name.
type tenant struct {
	account *models.Account
	token   string
	ids     map[string]string // by path parameter
}

func (b *bench) tenant(name string, parent *models.Account) tenant {
	b.Helper()
	account, key := b.account(name, name+".example.com", parent)
	path := "/v2/accounts/" + account.ID
	user := b.do("PUT", path+"/users", `{"data":{"first_name":"`+name+`","last_name":"x","username":"`+name+`","password":"s3cret-x"}}`).want(http.StatusCreated).id()
	device := b.do("PUT", path+"/devices", `{"data":{"name":"`+name+`","owner_id":"`+user+`","sip":{"username":"`+name+`phone","password":"s3cret-x"}}}`).
		want(http.StatusCreated).id()
	b.register(path + "/devices/" + device)
	b.upload(device, "x.cfg", "of "+name)
	job := &models.SyncJob{AccountID: account.ID, Rate: 1, ComeBack: models.BackFetched}
	if err := b.store.CreateSyncJob(b.Context(), job); err != nil {
		b.Fatal(err)
	}
	return tenant{account, b.login(key), map[string]string{
		"account": account.ID, "user": user, "device": device, "username": name + "phone", "sync": job.ID,
		"number": "100", "name": "x.cfg", "token": "x", "brand": "x", "family": "x", "file": "x",
	}}
}

// The routes that work without a token.
var openRoutes = []string{
	"/healthz", "/readyz", "/metrics", "/openapi.yaml", "/schemas/:file", "/docs", "/docs/:file", "/v2/api_auth", "/v2/user_auth", "/v2/user_auth/recovery",
}

// Every route of the API is tried by those who may not use it: they get the
// same refusal whatever they name, and nothing happens.
func TestIsolation(t *testing.T) {
	b := newBench(t)
	victim := b.tenant("victim", b.master)
	below := b.tenant("below", victim.account)
	outsider := b.tenant("outsider", b.master)
	before := b.stateOf(victim)
	b.syncedOnce()

	for _, route := range api.Routes() {
		method, pattern, _ := strings.Cut(route, " ")
		if method == http.MethodOptions || slices.Contains(openRoutes, pattern) {
			continue
		}
		unknown := maps.Clone(victim.ids)
		for name := range unknown {
			if name != "account" {
				unknown[name] = strings.Repeat("d", 32)
			}
		}
		for _, token := range []string{"", "wrong", "dt_" + strings.Repeat("a", 43)} {
			r := b.try(token, method, pattern, victim.ids)
			if r.status != http.StatusUnauthorized {
				t.Errorf("%s with token %q: %d, want 401", route, token, r.status)
			}
			b.sameAnswer(route, r, b.try(token, method, pattern, unknown))
		}
		if !strings.Contains(pattern, ":account") {
			if method == http.MethodGet {
				b.hides(route, b.try(outsider.token, method, pattern, outsider.ids), victim)
			}
			continue
		}
		for _, token := range []string{outsider.token, below.token} {
			r := b.try(token, method, pattern, victim.ids)
			if r.status != http.StatusForbidden {
				t.Errorf("%s in an account that is not below: %d, want 403", route, r.status)
			}
			b.hides(route, r, victim)
			b.sameAnswer(route, r, b.try(token, method, pattern, unknown))
		}

		// What belongs to the victim is not in the outsider's own account either.
		for _, name := range []string{"user", "device", "username", "sync"} {
			if !strings.Contains(pattern+"/", "/:"+name+"/") {
				continue
			}
			theirs, nobodys := maps.Clone(outsider.ids), maps.Clone(outsider.ids)
			theirs[name], nobodys[name] = victim.ids[name], unknown[name]
			r := b.try(outsider.token, method, pattern, theirs)
			if r.status != http.StatusNotFound {
				t.Errorf("%s with the %s of another account: %d, want 404", route, name, r.status)
			}
			b.sameAnswer(route, r, b.try(outsider.token, method, pattern, nobodys))
		}
		if method == http.MethodGet && !strings.Contains(pattern, ":token") {
			b.hides(route, b.try(outsider.token, method, pattern, outsider.ids), victim)
			for _, filter := range []string{"filter_pvt_account_id=" + victim.account.ID, "filter_id=" + victim.ids["device"], "filter_owner_id=" + victim.ids["user"],
				"start_key=" + key(victim.ids["device"]), "start_key=" + key(strings.Repeat("0", 32))} {
				b.hides(route, b.try(outsider.token, method, pattern+"?"+filter, outsider.ids), victim)
			}
		}
	}
	if after := b.stateOf(victim); after != before {
		t.Errorf("the victim's account changed from\n%s to\n%s", before, after)
	}
	if slices.Contains(b.syncedOnce(), victim.ids["device"]) {
		t.Error("the victim's phone was told to check-sync")
	}
	if len(b.notified) > 0 {
		t.Errorf("sent %v", b.notified)
	}
}

// try calls a route with a body that fits many.
func (b *bench) try(token, method, pattern string, ids map[string]string) *reply {
	b.Helper()
	path, query, _ := strings.Cut(pattern, "?")
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if name := strings.TrimLeft(segment, ":*"); name != segment {
			value, known := ids[name]
			if !known {
				b.Fatalf("%s: the test does not know what %s is", pattern, segment)
			}
			segments[i] = value
		}
	}
	body := ""
	if method != http.MethodGet && method != http.MethodHead {
		body = `{"action":"notify","data":{"name":"x","first_name":"x","last_name":"y","event":"e"}}`
	}
	path = strings.Join(segments, "/")
	if query != "" {
		path += "?" + query
	}
	return b.as(token, method, path, body)
}

// sameAnswer checks that two answers tell the same but for what was asked.
func (b *bench) sameAnswer(route string, one, other *reply) {
	b.Helper()
	plain := func(r *reply) string {
		out := maps.Clone(r.envelope)
		for _, name := range []string{"request_id", "timestamp", "auth_token"} {
			delete(out, name)
		}
		if data, isObject := out["data"].(map[string]any); isObject {
			delete(data, "cause") // the id that was asked for
		}
		if message := out["message"]; message == "bad identifier" {
			delete(out, "data")
		}
		return asJSON(b.T, out)
	}
	if one.status != other.status || plain(one) != plain(other) || one.header.Get("ETag") != other.header.Get("ETag") {
		b.Errorf("%s tells what exists from what does not:\n%d %s%d %s", route, one.status, one.body, other.status, other.body)
	}
}

// hides checks that an answer says nothing of a tenant but what was asked.
func (b *bench) hides(route string, r *reply, who tenant) {
	b.Helper()
	for _, secret := range []string{who.account.Realm, "victim"} {
		if strings.Contains(r.body, secret) {
			b.Errorf("%s shows %q: %s", route, secret, r.body)
		}
	}
	if r.status < 300 && (strings.Contains(r.body, who.ids["device"]) || strings.Contains(r.body, who.ids["user"])) {
		b.Errorf("%s shows an id of another account: %s", route, r.body)
	}
}

// stateOf is all that the master account sees of a tenant.
func (b *bench) stateOf(who tenant) string {
	b.Helper()
	path := "/v2/accounts/" + who.account.ID
	var out []string
	for _, below := range []string{
		"", "/users", "/users/" + who.ids["user"], "/devices", "/devices/" + who.ids["device"], "/devices/status", "/devices/" + who.ids["device"] + "/uploads", "/registrations", "/audit", "/children",
	} {
		r := b.do("GET", path+below, "").want(http.StatusOK)
		out = append(out, asJSON(b.T, r.envelope["data"]), r.header.Get("ETag"))
	}
	return strings.Join(out, "\n")
}
