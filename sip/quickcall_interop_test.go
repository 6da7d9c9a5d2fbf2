package sip_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dialtone/models"
)

// sippCalled is a phone that is called, told to call a number, and tells that
// it is busy.
const sippCalled = `<?xml version="1.0"?>
<scenario name="called">
  <recv request="INVITE"/>
  <send><![CDATA[
SIP/2.0 180 Ringing
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
  <send retrans="500"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:ann@[local_ip]:[local_port];transport=[transport]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 4000 RTP/AVP 0
a=inactive
]]></send>
  <recv request="ACK"/>
  <recv request="REFER">
    <action>
      <ereg regexp="sip:[^>]*" search_in="hdr" header="Contact:" assign_to="server"/>
      <ereg regexp="&lt;.*" search_in="hdr" header="From:" assign_to="remote"/>
      <ereg regexp="&lt;.*" search_in="hdr" header="To:" assign_to="local"/>
    </action>
  </recv>
  <send><![CDATA[
SIP/2.0 202 Accepted
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:ann@[local_ip]:[local_port];transport=[transport]>
Content-Length: 0

]]></send>
  <send retrans="500"><![CDATA[
NOTIFY [$server] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: [$local]
To: [$remote]
[last_Call-ID:]
CSeq: 1 NOTIFY
Contact: <sip:ann@[local_ip]:[local_port];transport=[transport]>
Event: refer
Subscription-State: terminated;reason=noresource
Content-Type: message/sipfrag
Content-Length: [len]

SIP/2.0 486 Busy Here
]]></send>
  <recv response="200"/>
  <recv request="BYE"/>
  <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
`

func TestQuickCallToSIPp(t *testing.T) {
	for transport, mode := range map[string]string{"udp": "u1", "tcp": "t1"} {
		t.Run(transport, func(t *testing.T) {
			o := open(t, nil)
			ann := o.ann(t)
			output := run(t, map[string]string{"register.xml": sippRegister, "called.xml": sippCalled},
				"sipp", o.Addrs().UDP.String(), "-sf", "register.xml", "-oocsf", "called.xml", "-t", mode, "-i", "127.0.0.1",
				"-m", "1", "-nostdin", "-trace_msg", "-message_file", "messages.log", "-timeout", fmt.Sprint(int(4*patience/time.Second)))
			eventually(t, "a registration", func() bool { return len(o.bindings(t, ann)) == 1 })
			o.call(t, o.callTo(ann))
			o.called(t, ann, models.QuickCall{State: models.CallNumberFailed, Code: 486, Reason: "Busy Here", Contact: o.bindings(t, ann)[0].Contact})
			eventually(t, "the BYE in the client's own log", func() bool { return strings.Contains(output(), "\nBYE sip:ann@") })
		})
	}
}

// baresip answers by itself, and really calls the number: of this server, which
// places no calls for others.
func TestQuickCallToBaresip(t *testing.T) {
	modules := "/usr/lib/baresip/modules"
	if found, err := filepath.Glob("/usr/lib/*/baresip/modules"); err == nil && len(found) > 0 {
		modules = found[0]
	}
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			o := open(t, nil)
			ann := o.ann(t)
			server := fmt.Sprintf("sip:%s;transport=%s", o.Addrs().UDP, transport)
			output := run(t, map[string]string{
				"config": "sip_listen 127.0.0.1:0\nmodule_path " + modules + "\nmodule g711.so\nmodule_app account.so\nmodule_app menu.so\n",
				"accounts": fmt.Sprintf("<sip:ann@%s;transport=%s>;auth_user=ann;auth_pass=%s;outbound=%q;regint=60;answermode=auto\n",
					realm, transport, password, server),
				"contacts": "",
			}, "baresip", "-f", ".", "-s", "-v")
			eventually(t, "a registration", func() bool { return len(o.bindings(t, ann)) == 1 })
			o.call(t, o.callTo(ann))
			o.called(t, ann, models.QuickCall{State: models.CallNumberFailed, Code: 405, Reason: "Method Not Allowed", Contact: o.bindings(t, ann)[0].Contact})
			if !strings.Contains(output(), "INVITE sip:"+number+"@"+realm) {
				t.Error("baresip did not call the number")
			}
		})
	}
}

// sippAsks is a phone that asks where its configuration is.
const sippAsks = `<?xml version="1.0"?>
<scenario name="asks">
  <send retrans="500"><![CDATA[
SUBSCRIBE sip:MAC%3a` + phoneMAC + `@224.0.1.75 SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:MAC%3a` + phoneMAC + `@224.0.1.75>;tag=[call_number]
To: <sip:MAC%3a` + phoneMAC + `@224.0.1.75>
Call-ID: [call_id]
CSeq: 1 SUBSCRIBE
Contact: <sip:[local_ip]:[local_port]>
Event: ua-profile;profile-type="device";vendor="snom";model="snom370";version="8.7.5.48"
Expires: 0
Accept: application/url
Content-Length: 0

]]></send>
  <recv response="200"/>
  <recv request="NOTIFY"/>
  <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
  <pause milliseconds="20000"/>
</scenario>
`

func TestProfileOfSIPp(t *testing.T) {
	o, seen := plug(t, nil)
	output := run(t, map[string]string{"asks.xml": sippAsks}, "sipp", o.Addrs().UDP.String(), "-sf", "asks.xml", "-i", "127.0.0.1",
		"-m", "1", "-nostdin", "-trace_msg", "-message_file", "messages.log", "-timeout", fmt.Sprint(int(4*patience/time.Second)))
	eventually(t, "the URL in the client's own log", func() bool { return strings.Contains(output(), profileURL) })
	eventually(t, "the outcome in the log", func() bool { return strings.Contains(o.log.String(), "code=200 reason=OK") })
	if got := seen.list()[0]; got.Vendor != "snom" || got.Model != "snom370" || got.Version != "8.7.5.48" {
		t.Errorf("asked for %+v", got)
	}
}
