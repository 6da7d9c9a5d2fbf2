package api_test

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
)

func (b *bench) registrations() string { return "/v2/accounts/" + b.master.ID + "/registrations" }

func TestRegistrations(t *testing.T) {
	b := newBench(t)
	if r := b.do("GET", b.registrations(), "").want(http.StatusOK); len(r.list()) != 0 || r.envelope["page_size"] != nil {
		t.Errorf("nobody registered: %s", r.body)
	}
	path := b.device(`{"name":"a","owner_id":"11111111111111111111111111111111","suppress_unregister_notifications":true,"sip":{"username":"Ann"}}`)
	id := path[len(path)-32:]
	at := time.Date(2126, 11, 23, 12, 0, 0, 0, time.UTC)
	err := b.store.UpdateBindings(t.Context(), id, func([]models.Binding) ([]models.Binding, error) {
		bound := models.Binding{
			AccountID: b.master.ID, DeviceID: id, AOR: "sip:Ann@master.example.com", Contact: "sip:Ann@10.0.0.1:5062;transport=tcp",
			Received: netip.MustParseAddrPort("198.51.100.3:1024"), Transport: "tcp", UserAgent: "Acme 1", CallID: "c1", CSeq: 1,
			Expires: at.Add(6 * time.Minute), Modified: at,
		}
		routed := bound
		routed.Contact, routed.Path, routed.Transport, routed.CallID = "sips:[2001:db8::1]", []string{`"edge" <sip:192.0.2.5:5070;lr>`, "<sip:b;lr>"}, "tls", "c2"
		routed.Modified = at.Add(-time.Minute)
		return []models.Binding{bound, routed}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	common := `"username":"Ann","realm":"master.example.com","from_user":"Ann","from_host":"master.example.com","to_user":"Ann","to_host":"master.example.com",
		"network_ip":"198.51.100.3","network_port":1024,"user_agent":"Acme 1","authorizing_id":"` + id + `","authorizing_type":"device",
		"owner_id":"11111111111111111111111111111111","account_name":"Master","account_realm":"master.example.com","suppress_unregister_notify":true,`
	want := `[{` + common + `"contact":"sip:Ann@198.51.100.3:1024;transport=tcp","original_contact":"sip:Ann@10.0.0.1:5062;transport=tcp",
		"contact_ip":"10.0.0.1","contact_port":5062,"call_id":"c1","expires":360,"event_timestamp":67118328000},
		{` + common + `"contact":"sip:Ann@198.51.100.3:1024;transport=tls","original_contact":"sips:[2001:db8::1]","contact_ip":"2001:db8::1","contact_port":5061,
		"call_id":"c2","expires":420,"event_timestamp":67118327940,"proxy_ip":"192.0.2.5","proxy_port":5070}]`
	r := b.do("GET", b.registrations(), "").want(http.StatusOK)
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, r.list())); diff != "" {
		t.Error(diff)
	}
	for _, path := range []string{b.registrations() + "/count", "/v2/registrations/count"} {
		if got := asJSON(t, b.do("GET", path, "").want(http.StatusOK).at("count")); got != "2" {
			t.Errorf("%s: got %s, want 2", path, got)
		}
	}
}

func TestRegistrationsOfOthers(t *testing.T) {
	b := newBench(t)
	other, key := b.account("Other", "other.example.com", b.master)
	token := b.login(key)
	b.register(b.device(`{"name":"a","sip":{"username":"ann"}}`))
	theirs := "/v2/accounts/" + other.ID + "/registrations"
	if r := b.as(token, "GET", theirs, "").want(http.StatusOK); len(r.list()) != 0 {
		t.Errorf("list: %s", r.body)
	}
	if got := asJSON(t, b.as(token, "GET", theirs+"/count", "").want(http.StatusOK).at("count")); got != "0" {
		t.Errorf("count: got %s, want 0", got)
	}
	b.as(token, "GET", "/v2/registrations/count", "").fails(http.StatusForbidden, "forbidden")
	b.as("", "GET", "/v2/registrations/count", "").fails(http.StatusUnauthorized, "invalid_credentials")
	b.as(token, "DELETE", theirs, "").want(http.StatusOK)
	b.as(token, "DELETE", theirs+"/ann", "").fails(http.StatusNotFound, "bad identifier")
	for _, method := range []string{"GET", "DELETE"} {
		b.as(token, method, b.registrations(), "").fails(http.StatusForbidden, "forbidden")
	}
	if r := b.do("GET", b.registrations(), ""); len(r.list()) != 1 {
		t.Errorf("after all that: %s", r.body)
	}
}

func TestFlushRegistrations(t *testing.T) {
	b := newBench(t)
	ann, bob := b.device(`{"name":"a","sip":{"username":"Ann #1"}}`), b.device(`{"name":"b","sip":{"username":"bob","realm":"else.example.com"}}`)
	b.device(`{"name":"c","sip":{"username":"eve"}}`)
	b.register(ann)
	b.register(bob)
	b.checkSyncs()
	one := func(username, told string) {
		t.Helper()
		r := b.do("DELETE", b.registrations()+"/"+username+"?reboot=true", "").want(http.StatusOK)
		if got := b.told(); r.envelope["data"] != "ok" || len(got) != 1 || got[0] != told {
			t.Errorf("%s: told %v, want %s: %s", username, got, told, r.body)
		}
	}
	one("aNN%20%231", "sip:Ann #1@master.example.com reboot [sip:x@192.0.2.9]")
	if b.isRegistered(ann) || !b.isRegistered(bob) {
		t.Error("another phone's registration was dropped")
	}
	one("ann%20%231", "sip:Ann #1@master.example.com reboot []") // nobody there
	one("bob", "sip:bob@else.example.com reboot [sip:x@192.0.2.9]")

	r := b.do("DELETE", b.registrations()+"/nobody", "").fails(http.StatusNotFound, "bad identifier")
	if diff := cmp.Diff(`["nobody"]`, string(mustCompact(t, r.envelope["data"]))); diff != "" {
		t.Error(diff)
	}

	b.register(ann)
	b.register(bob)
	if r := b.do("DELETE", b.registrations(), "").want(http.StatusOK); r.envelope["data"] != "ok" {
		t.Errorf("answer %s", r.body)
	}
	if got := b.told(); len(got) != 2 || b.isRegistered(ann) || b.isRegistered(bob) {
		t.Errorf("flush of the realm: told %v, registered %t, %t", got, b.isRegistered(ann), b.isRegistered(bob))
	}
}

func mustCompact(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// A device that is known by its address has a username to flush it by.
func TestFlushOfTrunk(t *testing.T) {
	b := newBench(t)
	trunk := b.device(`{"name":"t","sip":{"username":"trunk1","method":"ip","ip":"192.0.2.1"}}`)
	b.do("DELETE", b.registrations()+"/trunk1", "").want(http.StatusOK)
	if got := b.do("GET", b.devices()+"?filter_sip.username=trunk1", "").list(); len(got) != 1 || !strings.HasSuffix(trunk, got[0].(map[string]any)["id"].(string)) {
		t.Errorf("by username: %v", got)
	}
}
