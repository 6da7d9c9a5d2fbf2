package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
)

func (b *bench) person(data string) string {
	b.Helper()
	return b.do("PUT", b.users(), `{"data":`+data+`}`).want(http.StatusCreated).id()
}

func TestUserDevices(t *testing.T) {
	b := newBench(t)
	ann, bob := b.person(`{"first_name":"Ann","last_name":"A"}`), b.person(`{"first_name":"Bob","last_name":"B"}`)
	id := func(n int) string { return strings.Repeat(fmt.Sprint(n), 32) }
	device := func(n int, rest string) {
		b.device(fmt.Sprintf(`{"id":%q,"name":"d%d"%s}`, id(n), n, rest))
	}
	device(1, `,"owner_id":"`+ann+`","mac_address":"001565AABBCC","flags":["f"],"sip":{"username":"ann"}`)
	device(2, `,"hotdesk":{"users":{"`+ann+`":{},"`+bob+`":{}}},"device_type":"softphone","enabled":false`)
	device(3, `,"owner_id":"`+ann+`","hotdesk":{"users":{"`+ann+`":{}}}`)
	device(4, `,"owner_id":"`+bob+`","hotdesk":{"users":{"nobody":{}}}`)
	device(5, ``)
	path := b.users() + "/" + ann + "/devices"
	want := `[
		{"id":"` + id(1) + `","name":"d1","owner_id":"` + ann + `","mac_address":"001565aabbcc","device_type":"sip_device","enabled":true,"hotdesked":false},
		{"id":"` + id(2) + `","name":"d2","mac_address":"","device_type":"softphone","enabled":false,"hotdesked":true},
		{"id":"` + id(3) + `","name":"d3","owner_id":"` + ann + `","mac_address":"","device_type":"sip_device","enabled":true,"hotdesked":false}]`
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, b.do("GET", path, "").want(http.StatusOK).list())); diff != "" {
		t.Error(diff)
	}
	ids := func(query string) []string {
		t.Helper()
		var out []string
		for _, entry := range b.do("GET", path+query, "").want(http.StatusOK).list() {
			out = append(out, entry.(map[string]any)["name"].(string))
		}
		return out
	}
	for query, want := range map[string][]string{
		"?descending=true":                         {"d3", "d2", "d1"},
		"?page_size=2":                             {"d1", "d2"},
		"?filter_enabled=false":                    {"d2"},
		"?filter_owner_id=" + ann + "&page_size=1": {"d1"},
		"?paginate=false":                          {"d1", "d2", "d3"},
	} {
		if diff := cmp.Diff(want, ids(query)); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
	next := b.do("GET", path+"?page_size=2", "").envelope["next_start_key"].(string)
	if diff := cmp.Diff([]string{"d3"}, ids("?page_size=2&start_key="+next)); diff != "" {
		t.Error(diff)
	}

	hotdesks := "/v2/accounts/" + b.master.ID + "/hotdesks"
	desks := func(want string) {
		t.Helper()
		if diff := cmp.Diff(asJSON(t, want), asJSON(t, b.do("GET", hotdesks, "").want(http.StatusOK).data())); diff != "" {
			t.Error(diff)
		}
	}
	desks(`{"` + ann + `":[{"device_id":"` + id(2) + `","device_name":"d2"},{"device_id":"` + id(3) + `","device_name":"d3"}],
		"` + bob + `":[{"device_id":"` + id(2) + `","device_name":"d2"}]}`)

	// Logging out, and deletion.
	b.do("PATCH", b.devices()+"/"+id(2), `{"data":{"name":"two","hotdesk":{"users":{"`+ann+`":null}}}}`).want(http.StatusOK)
	b.do("DELETE", b.devices()+"/"+id(3), "").want(http.StatusOK)
	desks(`{"` + bob + `":[{"device_id":"` + id(2) + `","device_name":"two"}]}`)
	if diff := cmp.Diff([]string{"d1"}, ids("")); diff != "" {
		t.Error(diff)
	}
	b.do("DELETE", b.devices()+"/"+id(2), "").want(http.StatusOK)
	desks(`{}`)
	b.do("GET", b.users()+"/"+models.NewID()+"/devices", "").fails(http.StatusNotFound, "bad_identifier")
}

// A device behind a user in the path is the same device.
func TestDeviceOfUser(t *testing.T) {
	b := newBench(t)
	user := b.users() + "/" + b.person(`{"first_name":"Ann","last_name":"A"}`)
	plain := b.device(`{"name":"a","sip":{"username":"ann"}}`)
	path := user + "/devices/" + plain[len(plain)-32:]
	b.checkSyncs()
	b.do("PATCH", path, `{"data":{"custom":1}}`).want(http.StatusOK)
	if diff := cmp.Diff(b.do("GET", plain, "").data(), b.do("GET", path, "").data()); diff != "" {
		t.Error(diff)
	}
	b.do("POST", path+"/sync", "").want(http.StatusOK)
	b.do("PUT", path, `{"action":"notify","data":{"event":"x"}}`).want(http.StatusCreated)
	b.do("POST", path+"/notify", `{"data":{"event":"y"}}`).want(http.StatusCreated)
	if len(b.told()) != 1 || len(b.notified) != 2 {
		t.Errorf("notified %v", b.notified)
	}
	b.do("POST", path, `{"data":{"name":"b"}}`).want(http.StatusOK)

	nobody := b.users() + "/" + models.NewID() + "/devices/" + plain[len(plain)-32:]
	for _, method := range []string{"GET", "POST", "PATCH", "PUT", "DELETE"} {
		b.do(method, nobody, `{"data":{}}`).fails(http.StatusNotFound, "bad_identifier")
	}
	b.do("PUT", user+"/devices", `{"data":{"name":"c"}}`).fails(http.StatusMethodNotAllowed, "invalid_method")
	b.do("DELETE", path, "").want(http.StatusOK)
	b.do("GET", plain, "").want(http.StatusNotFound)
}

func TestHotdeskIDIsUnique(t *testing.T) {
	b := newBench(t)
	other, _ := b.account("Other", "other.example.com", b.master)
	const ann, bob = `{"data":{"first_name":"A","last_name":"A","hotdesk":{"id":"1001"}}}`, `{"data":{"first_name":"B","last_name":"B","hotdesk":{"id":"1002"}}}`
	b.do("PUT", b.users(), ann).want(http.StatusCreated)
	r := b.do("PUT", b.users(), ann).rejects("hotdesk.id: unique")
	if got := models.Document(r.data()["hotdesk.id"].(map[string]any)).Text("unique.cause"); got != "1001" {
		t.Errorf("cause %q", got)
	}
	b.user(b.master, "ann", "s3cret-ann")
	b.do("PUT", b.users(), `{"data":{"first_name":"A","username":"Ann","password":"s3cret-ann","hotdesk":{"id":"1001"}}}`).
		rejects("last_name: required", "username: unique", "hotdesk.id: unique")
	b.do("PUT", "/v2/accounts/"+other.ID+"/users", ann).want(http.StatusCreated)
	path := b.users() + "/" + b.do("PUT", b.users(), bob).want(http.StatusCreated).id()
	b.do("PATCH", path, `{"data":{"hotdesk":{"id":"1001"}}}`).rejects("hotdesk.id: unique")
	b.do("PATCH", path, `{"data":{"hotdesk":{"enabled":true}}}`).want(http.StatusOK)
	b.do("PATCH", path, `{"data":{"hotdesk":{"id":null}}}`).want(http.StatusOK)
	b.do("PUT", b.users(), bob).want(http.StatusCreated) // free again
}

func TestMobileNumber(t *testing.T) {
	b := newBench(t)
	account, key := b.account("A", "a.example.com", b.master)
	token, theirs := b.login(key), "/v2/accounts/"+account.ID+"/devices"
	const mobile = `{"data":{"name":"m","device_type":"mobile","mobile":{"mdn":"+14155550100"}}}`
	path := theirs + "/" + b.as(token, "PUT", theirs, mobile).want(http.StatusCreated).id()

	b.do("PUT", b.devices(), mobile).rejects("mobile.mdn: unique") // anywhere
	b.do("PUT", b.devices(), strings.Replace(mobile, "+1415555", "(415) 555-", 1)).rejects("mobile.mdn: unique")
	b.do("PUT", b.devices(), `{"data":{"device_type":"mobile","mobile":{"mdn":"+14155550100"},"sip":{"method":"ip"}}}`).
		rejects("name: required", "mobile.mdn: unique", "sip.ip: type")
	b.do("PUT", b.devices(), `{"data":{"name":"no mobile","mobile":{"mdn":"+14155550100"}}}`).want(http.StatusCreated)

	r := b.as(token, "PATCH", path, `{"data":{"mobile":{"mdn":"+14155550101"}}}`).rejects("mobile.mdn: invalid")
	if got := models.Document(r.data()["mobile.mdn"].(map[string]any)).Text("invalid.cause"); got != "+14155550101" {
		t.Errorf("cause %q", got)
	}
	b.as(token, "PATCH", path, `{"data":{"mobile":null}}`).rejects("mobile.mdn: required")
	b.as(token, "PATCH", path, `{"data":{"name":"n"}}`).want(http.StatusOK)
	b.as(token, "POST", path, mobile).want(http.StatusOK)
	b.do("PATCH", path, `{"data":{"mobile":{"mdn":"+14155550101"}}}`).want(http.StatusOK) // the master may
	b.do("PUT", b.devices(), mobile).want(http.StatusCreated)                             // free again
	b.do("PATCH", path, `{"data":{"mobile":{"mdn":"+14155550100"}}}`).rejects("mobile.mdn: unique")
}

// Devices that are known by their source address: one address, one device.
func TestAuthenticationByIP(t *testing.T) {
	b := newBench(t)
	path := b.device(`{"name":"a","sip":{"method":"ip","ip":"198.51.100.7","username":"ann"}}`)
	for _, ip := range []string{"198.51.100.0/24", "198.51.100.7/32", "198.51.100", "198.051.100.7", "::ffff:198.51.100.7", "host.example.com", ""} {
		b.do("PUT", b.devices(), `{"data":{"name":"x","sip":{"method":"ip","ip":"`+ip+`"}}}`).rejects("sip.ip: type")
	}
	b.do("PUT", b.devices(), `{"data":{"name":"x","sip":{"method":"ip","ip":"198.51.100.7"}}}`).rejects("sip.ip: unique")
	// The username of such a device is nobody's, and an address without the method is a remark.
	other := b.device(`{"name":"b","sip":{"username":"ann","ip":"198.51.100.7"}}`)
	b.do("PATCH", other, `{"data":{"sip":{"method":"ip"}}}`).rejects("sip.ip: unique")
	b.do("PATCH", path, `{"data":{"sip":{"method":"password"}}}`).rejects("sip.username: unique")
	b.do("PATCH", path, `{"data":{"sip":{"ip":"198.51.100.8"}}}`).want(http.StatusOK)
	b.do("PATCH", other, `{"data":{"sip":{"method":"ip"}}}`).want(http.StatusOK)
}

func TestTooManyHotdesks(t *testing.T) {
	b := newBench(t)
	users := map[string]any{}
	for n := range 1001 {
		users[fmt.Sprintf("%032x", n)] = map[string]any{}
	}
	send := func() *reply {
		return b.do("PUT", b.devices(), `{"data":{"name":"x","hotdesk":{"users":`+asJSON(t, users)+`}}}`)
	}
	send().rejects("hotdesk.users: maxProperties")
	delete(users, fmt.Sprintf("%032x", 0))
	send().want(http.StatusCreated)
}
