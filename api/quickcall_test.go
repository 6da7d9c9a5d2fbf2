package api_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
)

const desk = `{"name":"a","presence_id":"1001","sip":{"username":"ann","password":"s3cret-ann"},"caller_id":{"internal":{"name":"Ann","number":"1001"}}}`

func TestQuickcall(t *testing.T) {
	b := newBench(t)
	path := b.device(desk)
	id := path[len(path)-32:]
	b.story = models.QuickCall{ID: strings.Repeat("c", 32), DeviceID: id, Number: "14155550100", State: models.CallRinging, Created: b.now}
	want := fmt.Sprintf(`{
		"application_name": "transfer", "application_data": {"route": "14155550100"},
		"endpoints": [{"endpoint_id": %[1]q, "invite_format": "username", "to_user": "ann", "to_username": "ann", "to_realm": "master.example.com",
			"to_did": "14155550100", "codecs": [], "presence_id": "1001", "custom_channel_vars": {"auto_answer": true}, "custom_sip_headers": {}}],
		"custom_channel_vars": {"account_id": %[2]q, "authorizing_id": %[1]q, "authorizing_type": "device", "inherit_codec": false, "retain_cid": false},
		"dial_endpoint_method": "simultaneous", "continue_on_fail": false,
		"outbound_caller_id_name": "Device QuickCall", "outbound_caller_id_number": "14155550100",
		"outbound_callee_id_name": "Ann", "outbound_callee_id_number": "1001",
		"media": "process", "ignore_early_media": true, "timeout": 30,
		"call": {"id": "cccccccccccccccccccccccccccccccc", "device_id": %[1]q, "number": "14155550100", "contact": "", "state": "ringing", "code": 0,
			"reason": "", "created": "2026-11-23T12:00:00Z", "answered": null, "finished": null}}`, id, b.master.ID)
	r := b.do("GET", path+"/quickcall/+1(415)555-0100", "").want(http.StatusAccepted)
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, r.data())); diff != "" {
		t.Error(diff)
	}
	call := b.called[0]
	if call.Account.ID != b.master.ID || call.UserID != "" || len(call.Phones) != 1 || call.Phones[0].Device.ID != id || call.Number != "14155550100" ||
		call.CallerName != "Device QuickCall" || call.CallerNumber != "14155550100" || !call.AutoAnswer || call.RingFor != 30*time.Second {
		t.Errorf("called %+v", call)
	}
	audited := b.do("GET", path+"/audit", "").want(http.StatusOK).list()[0].(map[string]any)
	if audited["action"] != "quickcall" || audited["detail"] != "14155550100" {
		t.Errorf("audit: %v", audited)
	}
	b.do("HEAD", path+"/quickcall/1", "").want(http.StatusAccepted)
	if len(b.called) != 1 {
		t.Error("HEAD called somebody")
	}

	b.story.State, b.story.Answered = models.CallDialing, b.now
	if r = b.do("POST", path+"/quickcall/1", "").want(http.StatusOK); r.at("call.state") != "dialing" {
		t.Errorf("POST: %s", r.body)
	}
	b.story.State = models.CallAnswered // still after all that time
	b.do("POST", path+"/quickcall/1", "").want(http.StatusAccepted)
	b.story.State, b.story.Code, b.story.Reason, b.story.Finished = models.CallRefused, 486, "Busy Here", b.now
	b.do("GET", path+"/quickcall/1", "").want(http.StatusAccepted)
	r = b.do("POST", path+"/quickcall/1", "").fails(http.StatusInternalServerError, "unspecified_fault")
	if r.at("error_message") != "Busy Here" || r.at("call.state") != "refused" {
		t.Errorf("POST: %s", r.body)
	}
	b.err = models.ErrBusy
	if r = b.do("GET", path+"/quickcall/1", "").fails(http.StatusTooManyRequests, "too_many_requests"); r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if strings.Contains(b.log.String(), "request failed") {
		t.Error("a call that did not come about was logged as a failure")
	}
}

func TestQuickcallUser(t *testing.T) {
	b := newBench(t)
	user := b.person(`{"first_name":"A","last_name":"A","caller_id":{"external":{"number":"+1415"}}}`)
	own := func(name, more string) {
		b.device(fmt.Sprintf(`{"name":%[1]q,"owner_id":%[2]q,"sip":{"username":%[1]q}%[3]s}`, name, user, more))
	}
	path := b.users() + "/" + user
	b.do("GET", path+"/quickcall/100", "").fails(http.StatusInternalServerError, "unspecified_fault")
	own("desk", "")
	own("softphone", "")
	own("disabled", `,"enabled":false`)
	b.device(fmt.Sprintf(`{"name":"no SIP","owner_id":%q}`, user))
	b.device(`{"name":"not theirs","sip":{"username":"other"}}`)
	r := b.do("GET", path+"/quickcall/100?cid-name=Front+desk&cid-number=200&timeout=3&media=bypass&ignore-early-media=false", "").want(http.StatusAccepted)
	data := r.envelope["data"].(map[string]any)
	if len(data["endpoints"].([]any)) != 2 || r.at("custom_channel_vars.authorizing_type") != "user" || r.at("custom_channel_vars.retain_cid") != true ||
		data["media"] != "bypass" || data["ignore_early_media"] != false || data["outbound_callee_id_number"] != "200" {
		t.Errorf("answer: %s", r.body)
	}
	call := b.called[0]
	if call.UserID != user || len(call.Phones) != 2 || call.AutoAnswer || call.CallerName != "Front desk" || call.CallerNumber != "200" || call.RingFor != 30*time.Second {
		t.Errorf("called %+v", call)
	}
}

func TestQuickcallParameters(t *testing.T) {
	b := newBench(t)
	path := b.device(desk) + "/quickcall/"
	tests := []struct{ number, want string }{
		{"%2B1-415-555-0100", "14155550100"},
		{"*21%23?number_filter=false", "*21#"},
		{"%2B49301?number_filter=false", "+49301"},
		{"0049301?number_filter=^00([0-9]%2B)$", "49301"},
		{"ann?timeout=99999999999999999999", "ann"},
	}
	for _, tt := range tests {
		b.do("GET", path+tt.number, "").want(http.StatusAccepted)
		if got := b.called[len(b.called)-1].Number; got != tt.want {
			t.Errorf("%s: called %s, want %s", tt.number, got, tt.want)
		}
	}
	for number, want := range map[string]string{
		"...":                                                "number: pattern",
		"1%0D%0AX:y?number_filter=false":                     "number: pattern",
		"1%3Fx=y?number_filter=false":                        "number: pattern",
		"1%3Bx=y?number_filter=false":                        "number: pattern",
		"a@b?number_filter=false":                            "number: pattern",
		"1%3E?number_filter=(.*)":                            "number: pattern",
		"1?number_filter=^2(.)":                              "number: pattern",
		"1?number_filter=(":                                  "number_filter: pattern",
		"1?number_filter=[0-9]":                              "number_filter: pattern",
		"1?number_filter=(" + strings.Repeat("a", 256) + ")": "number_filter: pattern",
		"1?cid-number=1%0D%0A":                               "cid-number: pattern",
		"1?cid-name=" + strings.Repeat("a", 65):              "cid-name: maxLength",
		strings.Repeat("1", 65):                              "number: maxLength",
	} {
		b.do("GET", path+number, "").rejects(want)
	}
	for timeout, want := range map[string]time.Duration{"4": 4 * time.Second, "3": 30 * time.Second, "-1": 30 * time.Second, "x": 30 * time.Second, "600": 2 * time.Minute} {
		b.do("GET", path+"1?timeout="+timeout, "").want(http.StatusAccepted)
		if got := b.called[len(b.called)-1].RingFor; got != want {
			t.Errorf("timeout %s: rings %v, want %v", timeout, got, want)
		}
	}
	b.do("POST", path+"1", `{"data":{"auto_answer":false,"cid-number":"7"}}`).want(http.StatusAccepted)
	if call := b.called[len(b.called)-1]; call.AutoAnswer || call.CallerNumber != "7" {
		t.Errorf("called %+v", call)
	}
}

// A filter that is too long is refused before it is compiled, which would take very
// much memory.
func TestQuickcallLongFilter(t *testing.T) {
	b := newBench(t)
	path := b.device(desk) + "/quickcall/1?number_filter=("
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b.do("GET", path+strings.Repeat("(x{10}){100}", 400)+")", "").rejects("number_filter: pattern")
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
		t.Errorf("a filter that is too long took %d bytes", took)
	}
}

// Without a token a call is placed only where the document, or else the account,
// says that anybody may.
func TestQuickcallAnonymous(t *testing.T) {
	b := newBench(t)
	device := b.device(desk)
	user := b.users() + "/" + b.person(`{"first_name":"A","last_name":"A"}`)
	b.do("PATCH", device, `{"data":{"owner_id":"`+user[len(user)-32:]+`"}}`).want(http.StatusOK)
	refused := func(paths ...string) {
		t.Helper()
		for _, path := range paths {
			b.as("", "GET", path+"/quickcall/1", "").fails(http.StatusUnauthorized, "invalid_credentials")
		}
	}
	unknown := b.devices() + "/" + strings.Repeat("d", 32)
	refused(device, user, unknown)
	b.do("PATCH", device, `{"data":{"allow_anonymous_quickcalls":true}}`).want(http.StatusOK)
	r := b.as("", "GET", device+"/quickcall/1", "").want(http.StatusAccepted)
	if data := r.envelope["data"].(map[string]any); len(data) != 2 {
		t.Errorf("anybody is told %v", data)
	}
	refused(user, unknown)
	b.do("PATCH", "/v2/accounts/"+b.master.ID, `{"data":{"allow_anonymous_quickcalls":true}}`).want(http.StatusOK)
	b.as("", "GET", user+"/quickcall/1", "").want(http.StatusAccepted)
	b.as("", "GET", unknown+"/quickcall/1", "").fails(http.StatusNotFound, "bad_identifier")
	b.do("PATCH", device, `{"data":{"allow_anonymous_quickcalls":false}}`).want(http.StatusOK)
	refused(device)

	for _, path := range []string{device, user} {
		b.as("", "POST", path+"/quickcall/1", "").fails(http.StatusUnauthorized, "invalid_credentials")
		b.as("dt_"+strings.Repeat("a", 43), "GET", path+"/quickcall/1", "").fails(http.StatusUnauthorized, "invalid_credentials")
	}
	if len(b.called) != 2 {
		t.Errorf("%d calls, want 2", len(b.called))
	}
}

func TestQuickcalls(t *testing.T) {
	b := newBench(t)
	device := b.device(desk)
	user := b.users() + "/" + b.person(`{"first_name":"A","last_name":"A"}`)
	for i, c := range []*models.QuickCall{
		{DeviceID: device[len(device)-32:], State: models.CallConnected, Code: 200, Reason: "OK", Contact: "sip:a@b", Answered: b.now, Finished: b.now.Add(time.Minute)},
		{DeviceID: device[len(device)-32:], UserID: user[len(user)-32:], State: models.CallRinging},
	} {
		c.AccountID, c.Number, c.Created = b.master.ID, "1", b.now.Add(time.Duration(i)*time.Second)
		if err := b.store.CreateQuickCall(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	calls := b.do("GET", device+"/quickcalls", "").want(http.StatusOK).list()
	if len(calls) != 2 || calls[0].(map[string]any)["state"] != "ringing" || calls[1].(map[string]any)["finished"] != "2026-11-23T12:01:00Z" {
		t.Errorf("calls to the device: %v", calls)
	}
	if calls = b.do("GET", user+"/quickcalls", "").want(http.StatusOK).list(); len(calls) != 1 {
		t.Errorf("calls to the user: %v", calls)
	}
	for _, path := range []string{b.devices(), b.users()} {
		b.do("GET", path+"/"+models.NewID()+"/quickcalls", "").fails(http.StatusNotFound, "bad_identifier")
	}
}
