package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
)

func TestRefusals(t *testing.T) {
	b := newBench(t)
	child, _ := b.account("Child", "child.example.com", b.master)
	at := time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)
	refused := func(account string, rule models.RefusalRule, at time.Time) models.Refusal {
		return models.Refusal{AccountID: account, Rule: rule, MAC: "001565aabb02", File: "001565aabb02.cfg", Source: "192.0.2.7", Method: "GET", Status: 404,
			UserAgent: "x", Requests: 1, First: at, Last: at}
	}
	err := b.store.RecordRefusals(t.Context(), []models.Refusal{
		refused(b.master.ID, models.RefusedUnknown, at), refused(b.master.ID, models.RefusedUnknown, at.Add(time.Minute)),
		refused(b.master.ID, models.RefusedLocked, at), refused(child.ID, models.RefusedDisabled, at),
	})
	if err != nil {
		t.Fatal(err)
	}
	path := "/v2/accounts/" + b.master.ID + "/refusals"
	want := `[
		{"rule":"unknown_device","hint":"create a device with this MAC in the account","device_id":"","mac_address":"001565aabb02","file":"001565aabb02.cfg",
		 "source":"192.0.2.7","method":"GET","status":404,"user_agent":"x","requests":2,"first_seen":"2026-11-23T11:00:00Z","last_seen":"2026-11-23T11:01:00Z"},
		{"rule":"locked_out","hint":"` + models.RefusedLocked.Hint() + `","device_id":"","mac_address":"001565aabb02","file":"001565aabb02.cfg",
		 "source":"192.0.2.7","method":"GET","status":404,"user_agent":"x","requests":1,"first_seen":"2026-11-23T11:00:00Z","last_seen":"2026-11-23T11:00:00Z"}]`
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, b.do("GET", path, "").want(http.StatusOK).list())); diff != "" {
		t.Error(diff)
	}
	if got := b.do("GET", path+"?page_size=1", "").want(http.StatusOK).list(); len(got) != 1 {
		t.Errorf("page_size=1: got %v", got)
	}
	b.do("GET", path+"?page_size=x", "").fails(http.StatusNotFound, "faulty_request")
}

// provision.access of an account is checked: a network that is none would let
// nobody in, or everybody.
func TestAccountAccess(t *testing.T) {
	b := newBench(t)
	path := "/v2/accounts/" + b.master.ID
	patch := func(access string) *reply {
		return b.do("PATCH", path, `{"data":{"provision":{"access":`+access+`}}}`)
	}
	got := patch(`{"token":false,"networks":["192.0.2.0/24","2001:db8::/32"],"decoys":["00:15:65:00:00:01"]}`).want(http.StatusOK)
	if got.at("provision.access.token") != false || got.at("provision.access.password") != true {
		t.Errorf("got %s", got.body)
	}
	for _, wrong := range []string{
		`{"networks":["192.0.2.1"]}`, `{"networks":["x"]}`, `{"networks":["0.0.0.0/0"]}`, `{"networks":["::/0"]}`, `{"networks":"192.0.2.0/24"}`,
		`{"token":"maybe"}`, `{"tokens":true}`, `{"decoys":["x"]}`,
	} {
		patch(wrong).fails(http.StatusBadRequest, "validation error")
	}
}
