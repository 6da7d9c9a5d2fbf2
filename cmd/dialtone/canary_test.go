package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// No secret that somebody sets, sends or is given is in the log of a server that
// logs all it can, in what commands print, or in answers that explain.
func TestSecretsStayInside(t *testing.T) {
	dir := t.TempDir()
	settings := []string{"--db.url", sqliteURL(dir)}
	p := start(t, dir, append(settings, "--log.level", "debug", "--sip.proxy", "127.0.0.1:9", "--sip.sender_username", "proxy", "--sip.sender_password", "canary-sender")...)
	a := newAdmin(t, p, dir, settings...)
	user := a.must(t, http.StatusCreated, "PUT", "users", `{"data":{"first_name":"Ann","last_name":"Lee","username":"ann","password":"canary-login",
		"hotdesk":{"id":"1001","pin":"canary-pin"},"provision":{"admin_password":"canary-owner"}}}`).id(t)
	device := a.must(t, http.StatusCreated, "PUT", "devices", strings.NewReplacer("s3cret-ann", "canary-sip", `"endpoint_brand"`,
		`"admin_password":"canary-admin","user_password":"canary-user","endpoint_brand"`, `"name"`, `"owner_id":"`+user+`","name"`).Replace(yealinkDevice)).id(t)
	var provision struct{ Username, Password string }
	must(t, json.Unmarshal(a.must(t, http.StatusOK, "GET", "devices/"+device+"/provision", "").Data, &provision))
	secrets := map[string]string{"path token": a.url[strings.Index(a.url, "/p/")+3 : len(a.url)-1], "HTTP password": provision.Password, "auth token": a.token}
	keyset, err := os.ReadFile(filepath.Join(dir, "dialtone.db.keyset"))
	must(t, err)
	secrets["key"] = regexp.MustCompile(`"value":"([^"]+)"`).FindStringSubmatch(string(keyset))[1]

	// Everything that goes well, and what does not.
	if _, body := fetch(t, a.url+"001565aabbcc.cfg"); !strings.Contains(body, "canary-sip") {
		t.Fatal("the phone's own file holds no secret: this test looks for nothing")
	}
	for _, path := range []string{a.url + "001565999999.cfg", a.url + "../x", p.phones + "/p/canary-token/001565aabbcc.cfg", p.phones + "/001565aabbcc.cfg?canary-query"} {
		fetch(t, path)
	}
	answer := filepath.Join(dir, "answer")
	curl(t, answer, "--digest", "-u", provision.Username+":"+provision.Password, p.phones+"/001565aabbcc.cfg")
	curl(t, answer, "--digest", "-u", provision.Username+":canary-wrong", p.phones+"/001565aabbcc.cfg")
	curl(t, answer, "-u", provision.Username+":canary-basic", p.phones+"/001565aabbcc.cfg")
	curl(t, answer, "-d", "canary-upload", a.url+"001565aabbcc-local.cfg")
	a.must(t, http.StatusOK, "PATCH", "devices/"+device, `{"data":{"sip":{"password":"canary-sip-2"},"sync":true}}`)
	a.must(t, http.StatusOK, "PATCH", "users/"+user, `{"data":{"password":"canary-login-2"}}`)
	var answers strings.Builder
	for _, body := range []string{`{"data":{"name":"x","sip":{"password":"canary-\u0007"}}}`, `{"data":{"sip":{"password":["canary-list"]}}}`, `{"data":{"sip":"canary-`} {
		_, _ = a.ask(t.Context(), "PUT", "devices", strings.NewReader(body))
	}
	_, _ = a.ask(t.Context(), "PUT", "/v2/api_auth", strings.NewReader(`{"data":{"api_key":"canary-key"}}`))
	_, _ = a.ask(t.Context(), "PUT", "/v2/user_auth", strings.NewReader(`{"data":{"credentials":"canary-credentials","account_name":"Acme"}}`))
	_, _ = a.ask(t.Context(), "GET", "/v2/accounts/"+a.account+"?auth_token=canary-parameter", nil)

	for _, path := range []string{"audit", "refusals", "unknown_devices", "devices/" + device + "/audit", "devices/" + device + "/notifications"} {
		if r, err := a.ask(t.Context(), "GET", path, nil); err == nil && r.status == http.StatusOK {
			answers.Write(r.Data)
		}
	}
	_, metrics := fetch(t, p.api+"/metrics")
	if code := p.stop(t); code != exitOK { // all is logged
		t.Errorf("exit code %d", code)
	}
	places := map[string]string{"log": p.log.String(), "answers": answers.String(), "metrics": metrics}
	for _, command := range []string{"account list --output json", "device list --output json --account " + a.account, "device show 001565aabbcc", "secrets status", "migrate status"} {
		out, err := dialtone(t, dir, append(strings.Fields(command), settings...)...).CombinedOutput()
		if command != "migrate status" && err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
		places[command] = string(out)
	}
	for _, db := range []string{"mysql://root:canary-db@127.0.0.1:1/x", "mysql://root:canary-db%zz@127.0.0.1/x", "mysql://root:canary-db@/x"} {
		out, _ := dialtone(t, dir, "account", "list", "--log.level", "debug", "--db.url", db).CombinedOutput()
		places["db.url"] += string(out)
	}
	for place, text := range places {
		if len(text) < 50 {
			t.Errorf("%s: only %q", place, text)
		}
		if found := regexp.MustCompile(`.{0,80}canary.{0,20}`).FindString(text); found != "" {
			t.Errorf("%s: %s", place, found)
		}
		for name, secret := range secrets {
			if len(secret) < 20 || strings.Contains(text, secret) {
				t.Errorf("%s: the %s is in it", place, name)
			}
		}
	}
}
