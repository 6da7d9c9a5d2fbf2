package sip

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	sipmsg "github.com/emiago/sipgo/sip"
)

func TestParseSipfrag(t *testing.T) {
	tests := []struct {
		body   string
		code   int
		reason string
	}{
		{"SIP/2.0 200 OK\r\n", 200, "OK"},
		{"SIP/2.0 100", 100, ""},
		{"sip/2.0  486 Busy Here\nWarning: x", 486, "Busy Here"},
		{"", 0, ""},
		{"SIP/2.0", 0, ""},
		{"SIP/2.0 20 OK", 0, ""},
		{"SIP/2.0 2000 OK", 0, ""},
		{"SIP/2.0 999 OK", 0, ""},
		{"SIP/2.0 2x0 OK", 0, ""},
		{"HTTP/1.1 200 OK", 0, ""},
		{"\r\nSIP/2.0 200 OK", 0, ""},
	}
	for _, tt := range tests {
		if code, reason := parseSipfrag([]byte(tt.body)); code != tt.code || reason != tt.reason {
			t.Errorf("%q: got %d %q, want %d %q", tt.body, code, reason, tt.code, tt.reason)
		}
	}
}

func FuzzSipfrag(f *testing.F) {
	for _, seed := range []string{"SIP/2.0 200 OK\r\n", "SIP/2.0 486 Busy \xff Here", "SIP/2.0 1", "SIP/2.0\x00200 OK"} {
		f.Add("refer;id=2", "terminated;reason=noresource", []byte(seed))
	}
	f.Fuzz(func(t *testing.T, event, state string, body []byte) {
		req := sipmsg.NewRequest(sipmsg.NOTIFY, sipmsg.Uri{})
		req.AppendHeader(sipmsg.NewHeader("Event", event))
		req.AppendHeader(sipmsg.NewHeader("Subscription-State", state))
		req.SetBody(body)
		n, ok := parseReferNews(req)
		if !ok && n != (news{}) || n.hungUp || (n.code != 0 && (n.code < 100 || n.code > 699)) || len(n.reason) > maxName || !isClean(n.reason) {
			t.Errorf("read %+v", n)
		}
	})
}

func FuzzSDPAnswer(f *testing.F) {
	local := netip.MustParseAddr("127.0.0.1")
	f.Add(sdpOffer(local))
	f.Add([]byte("v=0\nm=audio 4000 RTP/AVP 96\na=rtpmap:96 opus/48000/2\nm=video 1 RTP/AVP 99\n"))
	f.Add([]byte("m=audio 0 RTP/AVP 0"))
	f.Add([]byte("\nm=a"))
	f.Fuzz(func(t *testing.T, offer []byte) {
		answer, ok := sdpAnswer(offer, local)
		if !ok {
			return
		}
		if bytes.Count(answer, []byte("\r\nm=")) > maxSections || !bytes.Contains(answer, []byte("\r\na=inactive\r\n")) {
			t.Errorf("answered %q", answer)
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(string(answer), "\r\n"), "\r\n") {
			if len(line) < 2 || line[1] != '=' || !isClean(line) {
				t.Errorf("line %q", line)
			}
		}
		if again, ok := sdpAnswer(answer, local); !ok || !bytes.Equal(again, answer) {
			t.Errorf("answer to itself: %q, %v", again, ok)
		}
	})
}

// What a SUBSCRIBE says leads nowhere but back to its sender, and can be written
// into a NOTIFY.
func FuzzSubscription(f *testing.F) {
	f.Add("MAC%3a001565aabbcc", `ua-profile;profile-type="device";vendor="Yealink";model="T53W"`, "<sip:127.0.0.1:5059>")
	f.Add("MAC=00-15-65-AA-BB-CC", "ua-profile", "sip:127.0.0.9")
	f.Add("mac:001565aabbcc", `ua-profile;vendor="a\"b"`, `"x" <sip:[::1]:5060;transport=tcp?a=b>`)
	f.Fuzz(func(t *testing.T, user, event, contact string) {
		req := sipmsg.NewRequest(sipmsg.SUBSCRIBE, sipmsg.Uri{Scheme: "sip", Host: "224.0.1.75"})
		req.AppendHeader(&sipmsg.FromHeader{Address: sipmsg.Uri{Scheme: "sip", User: user, Host: "224.0.1.75"}})
		req.AppendHeader(&sipmsg.ToHeader{Address: sipmsg.Uri{Scheme: "sip", Host: "224.0.1.75"}})
		callID := sipmsg.CallIDHeader("1")
		req.AppendHeader(&callID)
		req.AppendHeader(sipmsg.NewHeader("Event", event))
		req.AppendHeader(sipmsg.NewHeader("Contact", contact))
		req.SetTransport("UDP")
		req.SetSource("127.0.0.1:5060")
		s, err := parseSubscription(req)
		if err != nil {
			return
		}
		if s.source.Addr() != s.Source || s.source.Port() == 0 || s.Source.String() != "127.0.0.1" {
			t.Errorf("the NOTIFY goes to %v", s.source)
		}
		if !isClean(s.event) || !isClean(s.contact) || len(s.Vendor) > maxEventValue || len(s.Model) > maxEventValue {
			t.Errorf("accepted %+v", s)
		}
		if uri := stackURI(s.contact); !strings.EqualFold(uri.String(), s.contact) {
			t.Errorf("as Request-URI: got %s, want %s", uri.String(), s.contact)
		}
	})
}
