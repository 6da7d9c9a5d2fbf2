package api_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestRotations(t *testing.T) {
	b := newBench(t)
	device := b.device(`{"name":"a","mac_address":"001565aabb01"}`)
	path := "/v2/accounts/" + b.master.ID + "/path_token"
	before := b.do("GET", path, "").want(http.StatusOK)
	if url, _ := before.at("provisioning_url").(string); !strings.HasPrefix(url, "https://phones.example.com/p/") || before.at("old_good_until") != nil {
		t.Errorf("before: got %s", before.body)
	}
	rotated := b.do("PUT", path, `{"data":{"overlap_hours":24}}`).want(http.StatusCreated)
	if rotated.at("provisioning_url") == before.at("provisioning_url") || rotated.at("old_good_until") != "2026-11-24T12:00:00Z" {
		t.Errorf("rotated: got %s", rotated.body)
	}
	b.do("PUT", path, `{"data":{"overlap_hours":721}}`).fails(http.StatusBadRequest, "validation error")
	if ended := b.do("PUT", path, `{"data":{"overlap_hours":0}}`).want(http.StatusCreated); ended.at("old_good_until") != nil {
		t.Errorf("without overlap: got %s", ended.body)
	}

	password := b.do("PUT", device+"/http_password", "").want(http.StatusCreated)
	if password.at("username") != "001565aabb01" || len(password.at("password").(string)) != 32 || password.at("old_good_until") != "2026-11-30T12:00:00Z" {
		t.Errorf("password: got %s", password.body)
	}
	b.do("PUT", device+"/http_password", "").fails(http.StatusConflict, "datastore_conflict") // as a client would that got no answer
	if again := b.do("PUT", device+"/http_password", `{"data":{"overlap_hours":0}}`).want(http.StatusCreated); again.at("old_good_until") != nil {
		t.Errorf("without overlap: got %s", again.body)
	}
	for _, entry := range b.do("GET", "/v2/accounts/"+b.master.ID+"/audit", "").list()[:2] {
		if _, isThere := entry.(map[string]any)["changes"]; !isThere {
			t.Errorf("audit: got %v", entry)
		}
	}
}

func TestFirstContact(t *testing.T) {
	b := newBench(t)
	path := b.device(`{"name":"a","mac_address":"001565aabb01"}`) + "/first_contact"
	if got := b.do("GET", path, "").want(http.StatusOK); got.at("open_until") != nil {
		t.Errorf("before: got %s", got.body)
	}
	want := "2026-11-23T12:30:00Z"
	if got := b.do("PUT", path, `{"data":{"minutes":30}}`).want(http.StatusCreated); got.at("open_until") != want {
		t.Errorf("opened: got %s", got.body)
	}
	if got := b.do("GET", path, "").want(http.StatusOK); got.at("open_until") != want {
		t.Errorf("open: got %s", got.body)
	}
	if got := b.do("DELETE", path, "").want(http.StatusOK); got.at("open_until") != nil {
		t.Errorf("closed: got %s", got.body)
	}
	if got := b.do("GET", path, "").want(http.StatusOK); got.at("open_until") != nil {
		t.Errorf("afterwards: got %s", got.body)
	}
	for _, wrong := range []string{`{}`, `{"minutes":0}`, `{"minutes":1441}`, `{"minutes":"soon"}`} {
		b.do("PUT", path, `{"data":`+wrong+`}`).fails(http.StatusBadRequest, "validation error")
	}
}
