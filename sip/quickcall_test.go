package sip_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"dialtone/models"
	"dialtone/sip"
)

const number = "14155550100"

// callTo is a request for a quick call to these phones.
func (o *office) callTo(phones ...*models.Phone) sip.CallRequest {
	return sip.CallRequest{
		AccountID: o.account.ID, Phones: phones, Number: number, CallerName: `Quick "Call"`, CallerNumber: number,
		Headers: []sip.Header{{Name: "Call-Info", Value: "<sip:" + realm + ">;answer-after=0"}}, RingFor: patience,
	}
}

// call begins a quick call, when an earlier one to the phone has been cleared up.
func (o *office) call(t *testing.T, r sip.CallRequest) *sip.QuickCall {
	t.Helper()
	var q *sip.QuickCall
	eventually(t, "a call that can begin", func() bool {
		var err error
		if q, err = o.Call(t.Context(), r); err != nil && !errors.Is(err, models.ErrBusy) {
			t.Fatal(err)
		}
		return err == nil
	})
	return q
}

// called waits for the end of a device's newest call, and checks what is kept of it.
func (o *office) called(t *testing.T, p *models.Phone, want models.QuickCall) {
	t.Helper()
	var got models.QuickCall
	eventually(t, "the end of the call", func() bool {
		all, err := o.store.DeviceQuickCalls(t.Context(), p.Device.ID, 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) > 0 {
			got = all[0]
		}
		return !got.Finished.IsZero()
	})
	want.AccountID, want.DeviceID, want.Number, want.Replica = o.account.ID, p.Device.ID, number, "r1"
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(models.QuickCall{}, "ID", "Created", "Answered", "Finished")); diff != "" {
		t.Errorf("quick call (-want +got):\n%s", diff)
	}
	if answered := !got.Answered.IsZero(); answered != (got.Started() || got.State == models.CallHungUp || got.State == models.CallNotTransferred) {
		t.Errorf("%s: answered %v", got.State, got.Answered)
	}
}

// A handset is a phone that is called, speaking bytes.
type handset struct {
	*wire
	phone  *models.Phone
	uri    string
	invite *message
	early  []*message // requests that came while an answer was waited for
	tag    string
	cseq   int
}

// handset registers a phone.
func (o *office) handset(t *testing.T, transport, user string) *handset {
	t.Helper()
	h := &handset{phone: o.device(t, map[string]any{"username": user, "password": password}), tag: "tag-of-" + user}
	if h.wire = o.udp(t); transport == "tcp" {
		h.wire = o.tcp(t)
	}
	h.uri = "sip:" + user + "@10.9.8.7:5062;transport=" + transport // behind NAT: nothing can be sent there
	if res := h.register(t, register{user: user, contact: []string{"<" + h.uri + ">"}}); res.code() != 200 {
		t.Fatalf("REGISTER: %v", res)
	}
	return h
}

// expect reads the next request, past repetitions of the last one.
func (h *handset) expect(t *testing.T, method string) *message {
	t.Helper()
	for {
		m := h.next(t)
		if strings.HasPrefix(m.start, method+" ") {
			return m
		}
		if h.invite == nil || m.get("CSeq") != h.invite.get("CSeq") {
			t.Fatalf("got %v, want %s", m, method)
		}
	}
}

// next is what came early, or else is read.
func (h *handset) next(t *testing.T) *message {
	t.Helper()
	if len(h.early) == 0 {
		return h.read(t)
	}
	m := h.early[0]
	h.early = h.early[1:]
	return m
}

// rings reads an INVITE.
func (h *handset) rings(t *testing.T) *message {
	t.Helper()
	h.invite = nil
	h.invite = h.expect(t, "INVITE")
	return h.invite
}

// answer responds to a request.
func (h *handset) answer(t *testing.T, req *message, status string, extra ...string) {
	t.Helper()
	h.answerAs(t, h.tag, req, status, extra...)
}

func (h *handset) answerAs(t *testing.T, tag string, req *message, status string, extra ...string) {
	t.Helper()
	lines := []string{"SIP/2.0 " + status}
	for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		for _, value := range req.all(name) {
			if name == "To" && !strings.Contains(value, ";tag=") {
				value += ";tag=" + tag
			}
			lines = append(lines, name+": "+value)
		}
	}
	lines = append(append(lines, extra...), "Content-Length: 0", "", "")
	h.send(t, strings.Join(lines, "\r\n"))
}

// picksUp answers the INVITE and reads the ACK.
func (h *handset) picksUp(t *testing.T) {
	t.Helper()
	h.answer(t, h.invite, "180 Ringing")
	h.answer(t, h.invite, "200 OK", "Contact: <"+h.uri+">")
	if ack := h.expect(t, "ACK"); ack.start != "ACK "+h.uri+" SIP/2.0" || !strings.HasSuffix(ack.get("To"), ";tag="+h.tag) {
		t.Errorf("ACK: %v", ack)
	}
}

// takesOver picks up and agrees to call the number.
func (h *handset) takesOver(t *testing.T) {
	t.Helper()
	h.rings(t)
	h.picksUp(t)
	h.answer(t, h.expect(t, "REFER"), "202 Accepted")
}

// says sends a request inside the call and returns its answer. What the server does
// because of it may come first.
func (h *handset) says(t *testing.T, method, body string, headers ...string) *message {
	t.Helper()
	h.cseq++
	contact := strings.TrimPrefix(h.invite.get("Contact"), "<")
	contact, _, _ = strings.Cut(contact, ">")
	lines := []string{
		method + " " + contact + " SIP/2.0",
		fmt.Sprintf("Via: SIP/2.0/%s %s;branch=z9hG4bK%d;rport", strings.ToUpper(h.transport), h.LocalAddr(), serial.Add(1)),
		"Max-Forwards: 70",
		"From: " + h.invite.get("To") + ";tag=" + h.tag,
		"To: " + h.invite.get("From"),
		"Call-ID: " + h.invite.get("Call-ID"),
		fmt.Sprintf("CSeq: %d %s", h.cseq, method),
	}
	lines = append(append(lines, headers...), fmt.Sprintf("Content-Length: %d", len(body)), "", body)
	h.send(t, strings.Join(lines, "\r\n"))
	for {
		m := h.read(t)
		if strings.HasPrefix(m.start, "SIP/2.0 ") {
			return m
		}
		h.early = append(h.early, m)
	}
}

// reports sends a NOTIFY about the call to the number.
func (h *handset) reports(t *testing.T, state, fragment string) {
	t.Helper()
	res := h.says(t, "NOTIFY", fragment, "Event: refer", "Subscription-State: "+state, "Content-Type: message/sipfrag;version=2.0")
	if res.code() != 200 {
		t.Errorf("NOTIFY: %v", res)
	}
}

func (h *handset) isHungUp(t *testing.T) {
	t.Helper()
	h.answer(t, h.expect(t, "BYE"), "200 OK")
}

func TestQuickCall(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			o := open(t, nil)
			h := o.handset(t, transport, "ann")
			q := o.call(t, o.callTo(h.phone))
			invite := h.rings(t)
			for name, want := range map[string]string{
				"From":         `"Quick Call" <sip:` + number + "@" + realm + ">;tag=",
				"To":           "<sip:ann@" + realm + ">",
				"Contact":      "<sip:quickcall@" + o.Addrs().UDP.String() + ";transport=" + transport + ">",
				"Call-Info":    "<sip:" + realm + ">;answer-after=0",
				"Content-Type": "application/sdp",
			} {
				if got := invite.get(name); !strings.HasPrefix(got, want) {
					t.Errorf("%s: got %s, want %s", name, got, want)
				}
			}
			if invite.start != "INVITE "+h.uri+" SIP/2.0" || !strings.Contains(invite.body, "a=inactive\r\n") || strings.Contains(invite.body, "a=sendrecv") {
				t.Errorf("INVITE: %v", invite)
			}
			h.picksUp(t)
			refer := h.expect(t, "REFER")
			if got, want := refer.get("Refer-To"), "<sip:"+number+"@"+realm+">"; got != want {
				t.Errorf("Refer-To: got %s, want %s", got, want)
			}
			if got, want := refer.get("Referred-By"), "<sip:ann@"+realm+">"; got != want {
				t.Errorf("Referred-By: got %s, want %s", got, want)
			}
			if refer.get("CSeq") != "2 REFER" || refer.get("From") != invite.get("From") || !strings.HasSuffix(refer.get("To"), ";tag="+h.tag) {
				t.Errorf("REFER: %v", refer)
			}
			h.answer(t, refer, "202 Accepted")
			if story := q.Outcome(t.Context()); story.State != models.CallDialing || !story.Started() {
				t.Errorf("outcome: %+v", story)
			}
			h.reports(t, "active;expires=60", "SIP/2.0 100 Trying\r\n")
			h.reports(t, "terminated;reason=noresource", "SIP/2.0 200 OK\r\n")
			h.isHungUp(t)
			o.called(t, h.phone, models.QuickCall{State: models.CallConnected, Code: 200, Reason: "OK", Contact: h.uri})
		})
	}
}

func TestQuickCallRefused(t *testing.T) {
	tests := []struct {
		name string
		play func(t *testing.T, h *handset)
		want models.QuickCall
	}{
		{"busy", func(t *testing.T, h *handset) {
			h.answer(t, h.rings(t), "486 Busy Here")
			h.expect(t, "ACK")
		}, models.QuickCall{State: models.CallRefused, Code: 486, Reason: "Busy Here"}},
		{"forwards its calls", func(t *testing.T, h *handset) {
			h.answer(t, h.rings(t), "302 Moved Temporarily", "Contact: <sip:elsewhere@example.com>")
			h.expect(t, "ACK")
		}, models.QuickCall{State: models.CallRefused, Code: 302, Reason: "Moved Temporarily"}},
		{"wrong credentials", func(t *testing.T, h *handset) {
			for range 2 {
				h.answer(t, h.rings(t), "401 Unauthorized", `WWW-Authenticate: Digest realm="phone", nonce="n", algorithm=MD5`)
				h.expect(t, "ACK")
			}
		}, models.QuickCall{State: models.CallRefused, Code: 401, Reason: "Unauthorized"}},
		{"hangs up at once", func(t *testing.T, h *handset) {
			h.rings(t)
			h.picksUp(t)
			refer := h.expect(t, "REFER")
			if res := h.says(t, "BYE", ""); res.code() != 200 {
				t.Errorf("BYE: %v", res)
			}
			h.answer(t, refer, "481 Call Does Not Exist")
		}, models.QuickCall{State: models.CallHungUp, Reason: "the phone hung up"}},
		{"cannot transfer", func(t *testing.T, h *handset) {
			h.rings(t)
			h.picksUp(t)
			h.answer(t, h.expect(t, "REFER"), "405 Method Not Allowed")
			h.isHungUp(t)
		}, models.QuickCall{State: models.CallNotTransferred, Code: 405, Reason: "Method Not Allowed"}},
		{"number busy", func(t *testing.T, h *handset) {
			h.takesOver(t)
			h.reports(t, "terminated", "SIP/2.0 486 Busy\x01 Here\r\nX: y\r\n")
			h.isHungUp(t)
		}, models.QuickCall{State: models.CallNumberFailed, Code: 486, Reason: "Busy Here"}},
		{"tells no outcome", func(t *testing.T, h *handset) {
			h.takesOver(t)
			h.reports(t, "terminated;reason=noresource", "SIP/2.0 100 Trying\r\n")
			h.isHungUp(t)
		}, models.QuickCall{State: models.CallTransferred, Reason: "the phone did not tell whether the number answered"}},
		{"hangs up and tells nothing", func(t *testing.T, h *handset) {
			h.takesOver(t)
			h.says(t, "BYE", "")
		}, models.QuickCall{State: models.CallTransferred, Reason: "the phone did not tell whether the number answered"}},
		{"tells after it hung up", func(t *testing.T, h *handset) {
			h.takesOver(t)
			h.says(t, "BYE", "")
			h.reports(t, "terminated", "SIP/2.0 200 OK")
		}, models.QuickCall{State: models.CallConnected, Code: 200, Reason: "OK"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := open(t, func(c *sip.Config) {
				if strings.Contains(tt.name, "tells nothing") {
					c.ReferPatience = 50 * time.Millisecond
				}
			})
			h := o.handset(t, "udp", "ann")
			q := o.call(t, o.callTo(h.phone))
			tt.play(t, h)
			tt.want.Contact = h.uri
			o.called(t, h.phone, tt.want)
			if story := q.Outcome(t.Context()); story.State != tt.want.State {
				t.Errorf("outcome: %+v", story)
			}
			again := o.call(t, o.callTo(h.phone)) // nothing is left over
			h.answer(t, h.rings(t), "603 Decline")
			if story := again.Outcome(t.Context()); story.Code != 603 {
				t.Errorf("second call: %+v", story)
			}
		})
	}
}

func TestQuickCallChallenges(t *testing.T) {
	o := open(t, nil)
	h := o.handset(t, "udp", "ann")
	o.call(t, o.callTo(h.phone))
	first := h.rings(t)
	h.answer(t, first, "401 Unauthorized", `WWW-Authenticate: Digest realm="phone", nonce="n1", algorithm=MD5, qop="auth"`)
	h.expect(t, "ACK")
	second := h.rings(t)
	credentials := second.get("Authorization")
	if second.get("CSeq") != "2 INVITE" || second.get("Call-ID") != first.get("Call-ID") || second.get("From") != first.get("From") ||
		!strings.Contains(credentials, `username="ann"`) || !strings.Contains(credentials, `uri="`+h.uri+`"`) {
		t.Fatalf("second INVITE: %v", second)
	}
	h.answer(t, second, "200 OK", "Contact: <"+h.uri+">")
	if ack := h.expect(t, "ACK"); ack.get("CSeq") != "2 ACK" || ack.get("Authorization") != credentials {
		t.Errorf("ACK: %v", ack)
	}
	h.answer(t, h.expect(t, "REFER"), "407 Proxy Authentication Required", `Proxy-Authenticate: Digest realm="phone", nonce="n2", algorithm=MD5`)
	refer := h.expect(t, "REFER")
	if refer.get("CSeq") != "4 REFER" || !strings.Contains(refer.get("Proxy-Authorization"), `nonce="n2"`) {
		t.Errorf("second REFER: %v", refer)
	}
	h.answer(t, refer, "202 Accepted")
	h.reports(t, "terminated", "SIP/2.0 200 OK")
	h.isHungUp(t)
	o.called(t, h.phone, models.QuickCall{State: models.CallConnected, Code: 200, Reason: "OK", Contact: h.uri})
}

// Of a user's phones all ring; those that did not answer first are silenced.
func TestQuickCallToSeveral(t *testing.T) {
	o := open(t, nil)
	ann, bob, eve := o.handset(t, "udp", "ann"), o.handset(t, "tcp", "bob"), o.handset(t, "udp", "eve")
	r := o.callTo(ann.phone, bob.phone, eve.phone, o.device(t, map[string]any{"username": "off", "password": password}))
	r.UserID = models.NewID()
	q := o.call(t, r)
	ann.answer(t, ann.rings(t), "486 Busy Here")
	ann.expect(t, "ACK")
	eve.answer(t, eve.rings(t), "180 Ringing")
	bob.takesOver(t)

	cancel := eve.expect(t, "CANCEL")
	if cancel.get("Via") != eve.invite.get("Via") || cancel.get("CSeq") != "1 CANCEL" || cancel.start != "CANCEL "+eve.uri+" SIP/2.0" {
		t.Errorf("CANCEL: %v", cancel)
	}
	eve.answer(t, cancel, "200 OK")
	eve.answer(t, eve.invite, "487 Request Terminated")
	eve.expect(t, "ACK")
	bob.reports(t, "terminated", "SIP/2.0 200 OK")
	bob.isHungUp(t)
	if story := q.Outcome(t.Context()); story.UserID != r.UserID || story.DeviceID != bob.phone.Device.ID {
		t.Errorf("outcome: %+v", story)
	}
	eventually(t, "the end of the call", func() bool {
		all, err := o.store.UserQuickCalls(t.Context(), r.UserID, 10)
		return err == nil && len(all) == 1 && all[0].State == models.CallConnected && all[0].Contact == bob.uri
	})
}

func TestQuickCallUnanswered(t *testing.T) {
	tests := []struct {
		name string
		play func(t *testing.T, h *handset)
	}{
		{"rings on", func(t *testing.T, h *handset) {
			h.answer(t, h.rings(t), "180 Ringing")
			h.answer(t, h.expect(t, "CANCEL"), "200 OK")
			h.answer(t, h.invite, "487 Request Terminated")
			h.expect(t, "ACK")
		}},
		{"is answered while it is cancelled", func(t *testing.T, h *handset) {
			h.answer(t, h.rings(t), "180 Ringing")
			cancel := h.expect(t, "CANCEL")
			h.answer(t, h.invite, "200 OK", "Contact: <"+h.uri+">")
			h.answer(t, cancel, "200 OK")
			h.expect(t, "ACK")
			h.isHungUp(t)
		}},
		{"is heard from too late", func(t *testing.T, h *handset) {
			h.rings(t)
			<-time.After(300 * time.Millisecond) // nobody waits any more, and nothing can be cancelled yet
			h.answer(t, h.invite, "183 Session Progress")
			h.answer(t, h.expect(t, "CANCEL"), "200 OK")
			h.answer(t, h.invite, "487 Request Terminated")
			h.expect(t, "ACK")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := open(t, nil)
			h := o.handset(t, "udp", "ann")
			r := o.callTo(h.phone)
			r.RingFor = 200 * time.Millisecond
			o.call(t, r)
			tt.play(t, h)
			o.called(t, h.phone, models.QuickCall{State: models.CallUnanswered, Reason: "nobody answered"})
		})
	}
}

func TestQuickCallUnreachable(t *testing.T) {
	o := open(t, nil)
	off := o.device(t, map[string]any{"username": "off", "password": password})
	o.call(t, o.callTo(off))
	o.called(t, off, models.QuickCall{State: models.CallUnreachable, Reason: "not registered"})

	gone := o.handset(t, "tcp", "gone")
	o.call(t, o.callTo(gone.phone))
	gone.rings(t)
	_ = gone.Close()
	o.called(t, gone.phone, models.QuickCall{State: models.CallUnreachable, Reason: "the phone's connection is gone", Contact: gone.uri})
}

// Behind a proxy several phones may answer one INVITE, and any answer may
// come again.
func TestQuickCallForked(t *testing.T) {
	o := open(t, nil)
	h := o.handset(t, "udp", "ann")
	o.call(t, o.callTo(h.phone))
	h.rings(t)
	h.picksUp(t)
	refer := h.expect(t, "REFER")

	h.answer(t, h.invite, "200 OK", "Contact: <"+h.uri+">")
	if ack := h.expect(t, "ACK"); !strings.HasSuffix(ack.get("To"), ";tag="+h.tag) {
		t.Errorf("second ACK: %v", ack)
	}
	for i := range 2 {
		h.answerAs(t, "other", h.invite, "200 OK", "Contact: <sip:other@10.1.1.1>", "Record-Route: <sip:p1;lr>", "Record-Route: <sip:p2;lr>")
		if ack := h.expect(t, "ACK"); ack.start != "ACK sip:other@10.1.1.1 SIP/2.0" || ack.get("Route") != "<sip:p2;lr>|<sip:p1;lr>" {
			t.Errorf("ACK to another phone: %v", ack)
		}
		if i == 0 { // told once
			bye := h.expect(t, "BYE")
			if bye.start != "BYE sip:other@10.1.1.1 SIP/2.0" || !strings.HasSuffix(bye.get("To"), ";tag=other") {
				t.Errorf("BYE to another phone: %v", bye)
			}
			h.answer(t, bye, "200 OK")
		}
	}
	mine := h.tag
	h.tag = "other" // its own BYE ends nothing
	if res := h.says(t, "BYE", ""); res.code() != 200 {
		t.Errorf("BYE of another phone: %v", res)
	}
	h.tag = "stranger"
	for _, method := range []string{"BYE", "NOTIFY", "INVITE"} {
		if res := h.says(t, method, ""); res.code() != 481 {
			t.Errorf("%s of a stranger: %v", method, res)
		}
	}
	h.tag = mine
	h.answer(t, refer, "202 Accepted")
	h.reports(t, "terminated", "SIP/2.0 200 OK")
	h.isHungUp(t)
	o.called(t, h.phone, models.QuickCall{State: models.CallConnected, Code: 200, Reason: "OK", Contact: h.uri})
}

func TestQuickCallRenegotiated(t *testing.T) {
	o := open(t, nil)
	h := o.handset(t, "udp", "ann")
	o.call(t, o.callTo(h.phone))
	h.takesOver(t)
	const head = "v=0\r\no=- 1 2 IN IP4 10.9.8.7\r\ns=-\r\nc=IN IP4 10.9.8.7\r\nt=0 0\r\n"
	tests := []struct {
		method, offer string
		code          int
		want          []string
	}{
		{"INVITE", "", 200, []string{"m=audio 9 RTP/AVP 0 8", "a=inactive"}},
		{"INVITE", head + "m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\na=sendrecv\r\nm=video 4002 RTP/AVP 99\r\n", 200,
			[]string{"m=audio 9 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\na=inactive\r\nm=video 0 RTP/AVP 99\r\n"}},
		{"UPDATE", head + "m=audio 4000 RTP/AVP 0\n", 200, []string{"m=audio 9 RTP/AVP 0\r\na=inactive"}},
		{"UPDATE", "", 200, nil},
		{"INFO", "Signal=1", 200, nil},
		{"OPTIONS", "", 200, nil},
		{"INVITE", head + "m=audio 4000 RTP/SAVP 0\r\n", 488, nil},
		{"INVITE", "nonsense", 488, nil},
		{"INVITE", head + strings.Repeat("m=audio 4000 RTP/AVP 0\r\n", 17), 488, nil},
		{"REFER", "", 405, nil},
		{"CANCEL", "", 481, nil},
	}
	for _, tt := range tests {
		res := h.says(t, tt.method, tt.offer, "Content-Type: application/sdp")
		if res.code() != tt.code {
			t.Errorf("%s %q: got %v, want %d", tt.method, tt.offer, res, tt.code)
		}
		for _, want := range tt.want {
			if !strings.Contains(res.body, want) || res.get("Contact") == "" {
				t.Errorf("%s: got %v, want %q", tt.method, res, want)
			}
		}
	}
	if res := h.says(t, "NOTIFY", "", "Event: dialog", "Subscription-State: active"); res.code() != 489 {
		t.Errorf("NOTIFY of another event: %v", res)
	}
	h.reports(t, "terminated", "SIP/2.0 200 OK")
	h.isHungUp(t)
	eventually(t, "the end of the dialog", func() bool { return h.says(t, "BYE", "").code() == 481 })
}

func TestQuickCallHostile(t *testing.T) {
	o := open(t, nil)
	h := o.handset(t, "udp", "ann")
	for _, hostile := range []string{
		"", "1\r\nX: y", "1>;x=<sip:2", "1@example.com", "sip:1", "1?Replaces=x", "1;phone-context=x", "1%0d%0a", "1 2", "ü", strings.Repeat("1", 65),
	} {
		for _, change := range []func(*sip.CallRequest){
			func(r *sip.CallRequest) { r.Number = hostile },
			func(r *sip.CallRequest) { r.CallerNumber = hostile },
		} {
			r := o.callTo(h.phone)
			change(&r)
			if _, err := o.Call(t.Context(), r); !errors.Is(err, models.ErrInvalid) {
				t.Errorf("number %q: %v", hostile, err)
			}
		}
	}
	for _, header := range []sip.Header{{Name: "X: y\r\nZ", Value: "1"}, {Name: "X", Value: "1\r\nZ: 2"}, {Name: "X"}} {
		r := o.callTo(h.phone)
		r.Headers = []sip.Header{header}
		if _, err := o.Call(t.Context(), r); !errors.Is(err, models.ErrInvalid) {
			t.Errorf("header %q: %v", header, err)
		}
	}
	r := o.callTo(h.phone)
	r.CallerName, r.Number = "A\r\nX-Injected: 1\" <sip:evil@example.com>\\", "*21#"
	o.call(t, r)
	invite := h.rings(t)
	if got := invite.get("From"); !strings.HasPrefix(got, `"AX-Injected: 1 <sip:evil@example.com>" <sip:`+number+"@"+realm+">;tag=") || invite.get("X-Injected") != "" {
		t.Errorf("From: got %s", got)
	}
	h.picksUp(t)
	refer := h.expect(t, "REFER")
	if got, want := refer.get("Refer-To"), "<sip:*21%23@"+realm+">"; got != want {
		t.Errorf("Refer-To: got %s, want %s", got, want)
	}
	h.answer(t, refer, "603 Decline")
	h.isHungUp(t)
}

func TestQuickCallLimits(t *testing.T) {
	o := open(t, nil)
	h := o.handset(t, "udp", "ann")
	o.call(t, o.callTo(h.phone))
	if _, err := o.Call(t.Context(), o.callTo(h.phone)); !errors.Is(err, models.ErrBusy) {
		t.Errorf("a second call to a phone: %v", err)
	}
	for i := range 19 {
		o.call(t, o.callTo(o.handset(t, "udp", fmt.Sprintf("phone%d", i)).phone))
	}
	one := o.device(t, map[string]any{"username": "one-more", "password": password})
	if _, err := o.Call(t.Context(), o.callTo(one)); !errors.Is(err, models.ErrBusy) {
		t.Errorf("one more call of the account: %v", err)
	}
	elsewhere := o.callTo(one)
	elsewhere.AccountID = models.NewID()
	o.call(t, elsewhere)
	h.answer(t, h.rings(t), "486 Busy Here")
	eventually(t, "room for another call", func() bool { _, err := o.Call(t.Context(), o.callTo(one)); return err == nil })
}

// A server that stops hangs up, and says so; one that was killed says so when
// it starts again, or another server for it when it does not.
func TestQuickCallInterrupted(t *testing.T) {
	o := open(t, nil)
	h, ringing := o.handset(t, "udp", "ann"), o.handset(t, "udp", "bob")
	o.call(t, o.callTo(h.phone))
	h.takesOver(t)
	q := o.call(t, o.callTo(ringing.phone))
	ringing.answer(t, ringing.rings(t), "180 Ringing")
	lost := &models.QuickCall{AccountID: o.account.ID, DeviceID: ringing.phone.Device.ID, Number: number, State: models.CallDialing, Replica: "r1", Created: time.Now().Add(-time.Hour)}
	elsewhere := &models.QuickCall{AccountID: o.account.ID, DeviceID: o.device(t, map[string]any{"username": "eve"}).Device.ID, Number: number, State: models.CallRinging, Replica: "gone", Created: time.Now().Add(-time.Hour)}
	for _, c := range []*models.QuickCall{lost, elsewhere} {
		if err := o.store.CreateQuickCall(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	stopped := make(chan error, 1)
	go func() { stopped <- o.stop() }()
	ringing.answer(t, ringing.expect(t, "CANCEL"), "200 OK")
	ringing.answer(t, ringing.invite, "487 Request Terminated")
	h.isHungUp(t)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	want := models.QuickCall{State: models.CallInterrupted, Reason: "the server stopped"}
	o.called(t, ringing.phone, want)
	if story := q.Outcome(t.Context()); story.State != models.CallInterrupted {
		t.Errorf("outcome: %+v", story)
	}
	want.Contact = h.uri
	all, err := o.store.DeviceQuickCalls(t.Context(), h.phone.Device.ID, 1)
	if err != nil || len(all) != 1 || all[0].State != models.CallInterrupted {
		t.Errorf("call that was under way: %+v, %v", all, err)
	}
	if _, err := o.Call(t.Context(), o.callTo(h.phone)); !errors.Is(err, models.ErrBusy) {
		t.Errorf("call to a server that stopped: %v", err)
	}

	open(t, func(c *sip.Config) { c.Store = o.store })
	for _, lost := range []*models.QuickCall{lost, elsewhere} {
		eventually(t, "the end of a lost call", func() bool {
			all, err := o.store.DeviceQuickCalls(t.Context(), lost.DeviceID, 2)
			return err == nil && slices.ContainsFunc(all, func(c models.QuickCall) bool {
				return c.ID == lost.ID && c.State == models.CallInterrupted && !c.Finished.IsZero()
			})
		})
	}
}

func TestQuickCallLeavesNothing(t *testing.T) {
	o := open(t, nil)
	h := o.handset(t, "tcp", "ann")
	before := runtime.NumGoroutine()
	for i := range 20 {
		o.call(t, o.callTo(h.phone))
		if i%2 == 0 {
			h.answer(t, h.rings(t), "486 Busy Here")
			h.expect(t, "ACK")
		} else {
			h.takesOver(t)
			h.reports(t, "terminated", "SIP/2.0 200 OK")
			h.isHungUp(t)
		}
	}
	eventually(t, "the end of the calls' goroutines", func() bool { return runtime.NumGoroutine() <= before+2 })
}
