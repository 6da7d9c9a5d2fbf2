package main

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

// The examples of Kazoo's documentation of its devices API, with curl as they
// are printed there: no content type is set, so curl calls JSON a form.
func TestDocumentedExamplesWithCurl(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--db.url", sqliteURL(dir))
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	devices := p.api + "/v2/accounts/" + a.account + "/devices"
	curl := func(wantStatus string, args ...string) string {
		t.Helper()
		args = append([]string{"-s", "-S", "-w", "\n%{http_code}", "-H", "X-Auth-Token: " + a.token}, args...)
		out, err := exec.CommandContext(t.Context(), "curl", args...).Output()
		end := strings.LastIndexByte(string(out), '\n')
		if err != nil || string(out[end+1:]) != wantStatus {
			t.Fatalf("curl %q: got %s, %v, want %s", args[6:], out, err, wantStatus)
		}
		return string(out[:end])
	}
	holds := func(body string, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if !strings.Contains(body, text) {
				t.Errorf("no %s in %s", text, body)
			}
		}
	}

	created := curl("201", "-X", "PUT", "-d", `{"data": {"name":"New Device"}}`, devices)
	holds(created, `"status":"success"`, `"revision":"1-`, `"name":"New Device"`, `"codecs":["PCMU"]`, `"invite_format":"username"`,
		`"method":"password"`, `"registration_expiration":300`, `"exclude_from_queues":false`, `"mwi_unsolicited_updates":true`)
	var answer struct{ Data struct{ ID string } }
	if err := json.Unmarshal([]byte(created), &answer); err != nil {
		t.Fatal(err)
	}
	device := devices + "/" + answer.Data.ID

	holds(curl("200", "-X", "GET", devices), `"id":"`+answer.Data.ID+`"`, `"mac_address":""`, `"device_type":"sip_device"`, `"page_size":1`)
	holds(curl("200", "-X", "GET", device), `"name":"New Device"`)
	holds(curl("200", "-X", "PATCH", "-d", `{"data": {"custom":"value", "sip":{"username":"ann","password":"s3cret-ann"}}}`, device), `"custom":"value"`, `"name":"New Device"`)
	holds(curl("200", "-X", "POST", "-d", `{"data": {"name":"Replaced Device"}}`, device), `"name":"Replaced Device"`)
	if body := curl("200", "-X", "GET", device); strings.Contains(body, "custom") {
		t.Errorf("a replaced device keeps what was not sent: %s", body)
	}
	holds(curl("201", "-X", "PUT", "-d", `{"action":"notify","data": {"event":"check-sync","body":{"content_type":"text/plain","data":"hi"}}}`, device), `"data":"NOTIFY sent"`)
	holds(curl("201", "-X", "POST", "-d", `{"action":"notify","data": {"event":"check-sync"}}`, device+"/notify"), `"data":"NOTIFY sent"`)
	holds(curl("200", "-X", "POST", device+"/sync"), `"data":"sync request sent"`)
	holds(curl("200", "-X", "GET", devices+"/status"), `"data":[]`)
	holds(curl("200", "-X", "DELETE", device), `"id":"`+answer.Data.ID+`"`)
	holds(curl("404", "-X", "GET", device), `"message":"bad_identifier"`, `"error":"404"`)
	holds(curl("200", "-X", "GET", devices), `"data":[]`)

	if r, err := a.ask(t.Context(), "GET", "devices", nil); err != nil || r.status != http.StatusOK {
		t.Errorf("the login outlived the examples: got %d, %v", r.status, err)
	}
}
