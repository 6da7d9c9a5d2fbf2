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
		actor := map[string]any{"account_id": b.master.ID, "user_id": "", "via": "api", "source": "192.0.2.1"}
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
	if len(all) != 5 { // and the account itself
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
	if got := b.do("GET", "/v2/accounts/"+child.ID+"/audit", "").want(http.StatusOK).list(); len(got) != 1 {
		t.Errorf("entries of a new account: %v", got)
	}
	path := b.device(`{"name":"a"}`)
	b.as(b.login(key), "GET", path+"/audit", "").fails(http.StatusForbidden, "forbidden")
	theirs := "/v2/accounts/" + child.ID + "/devices/" + path[len(path)-32:] + "/audit"
	b.do("GET", theirs, "").fails(http.StatusNotFound, "bad_identifier")
}
