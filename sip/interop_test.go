package sip_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dialtone/internal/syncbuf"
	"dialtone/models"
	"dialtone/sip"
)

// program finds a SIP client that others wrote. These tests do not skip: what
// they show is what real phones meet.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing; scripts/test-deps installs it", name)
	}
	return path
}

// run starts a program in a folder of files and ends it with the test. Its
// output is the returned function's.
func run(t testing.TB, files map[string]string, name string, args ...string) (output func() string) {
	t.Helper()
	dir := t.TempDir()
	for file, content := range files {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := &syncbuf.Buffer{}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, program(t, name), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	cmd.WaitDelay = patience
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("%s says:\n%s", name, out.String())
		}
	})
	return func() string {
		messages, _ := os.ReadFile(filepath.Join(dir, "messages.log"))
		return out.String() + string(messages)
	}
}

// reach waits for the client's registration, notifies it, and checks that the
// NOTIFY arrived there and how it was answered.
func reach(t *testing.T, o *office, p *models.Phone, transport string, output func() string, want models.Notification) {
	t.Helper()
	eventually(t, "a registration", func() bool { return len(o.bindings(t, p)) == 1 })
	b := o.bindings(t, p)[0]
	if b.Transport != transport || b.Received.Addr() != netip.AddrFrom4([4]byte{127, 0, 0, 1}) {
		t.Errorf("binding: got %+v", b)
	}
	o.Notify(checkSync(p))
	want.Contact = b.Contact
	o.one(t, p, want)
	eventually(t, "the NOTIFY in the client's own log", func() bool {
		return strings.Contains(output(), "NOTIFY "+b.Contact+" SIP/2.0") && strings.Contains(output(), "Event: check-sync;reboot=false")
	})
}

func TestBaresip(t *testing.T) {
	modules := "/usr/lib/baresip/modules"
	if found, err := filepath.Glob("/usr/lib/*/baresip/modules"); err == nil && len(found) > 0 {
		modules = found[0]
	}
	for _, tt := range []struct{ name, transport, account string }{
		{"udp", "udp", ""},
		{"tcp", "tcp", ""},
		{"tls", "tls", ""},
		{"udp flow", "udp", ";sipnat=outbound"},
		{"tcp flow", "tcp", ";sipnat=outbound"},
	} {
		transport := tt.transport
		t.Run(tt.name, func(t *testing.T) {
			cert, config, _ := certificate(t)
			o := open(t, func(c *sip.Config) { c.TLSAddr, c.TLS = "127.0.0.1:0", config })
			ann := o.ann(t)
			addr := o.Addrs().UDP
			if transport == "tls" {
				addr = o.Addrs().TLS
			}
			server := fmt.Sprintf("sip:%s;transport=%s", addr, transport)
			output := run(t, map[string]string{
				"config": "sip_listen 127.0.0.1:0\nsip_cafile " + cert + "\nmodule_path " + modules + "\nmodule_tmp uuid.so\nmodule_app account.so\n",
				"accounts": fmt.Sprintf("<sip:ann@%s;transport=%s>;auth_user=ann;auth_pass=%s;outbound=%q;regint=60%s\n",
					realm, transport, password, server, tt.account),
			}, "baresip", "-f", ".", "-s", "-v")
			// baresip knows no check-sync outside a subscription; any answer shows that it was reached.
			reach(t, o, ann, transport, output, models.Notification{State: models.NotifyRefused, Code: 481, Reason: "Subscription Does Not Exist"})
			if b := o.bindings(t, ann)[0]; b.Instance == "" || (b.RegID == 1) != (tt.account != "") {
				t.Errorf("flow: got instance %q and reg-id %d", b.Instance, b.RegID)
			}
		})
	}
}

// sippRegister registers with digest, then waits for what comes out of the call.
const sippRegister = `<?xml version="1.0"?>
<scenario name="register">
  <send><![CDATA[
REGISTER sip:` + realm + ` SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:ann@` + realm + `>;tag=[call_number]
To: <sip:ann@` + realm + `>
Call-ID: [call_id]
CSeq: 1 REGISTER
Contact: <sip:ann@[local_ip]:[local_port];transport=[transport]>
Expires: 60
Content-Length: 0

]]></send>
  <recv response="401" auth="true"/>
  <send><![CDATA[
REGISTER sip:` + realm + ` SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:ann@` + realm + `>;tag=[call_number]
To: <sip:ann@` + realm + `>
Call-ID: [call_id]
CSeq: 2 REGISTER
Contact: <sip:ann@[local_ip]:[local_port];transport=[transport]>
Expires: 60
[authentication username=ann password=` + password + `]
Content-Length: 0

]]></send>
  <recv response="200"/>
  <pause milliseconds="20000"/>
</scenario>
`

const sippNotified = `<?xml version="1.0"?>
<scenario name="notified">
  <recv request="NOTIFY"/>
  <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
`

func TestSIPp(t *testing.T) {
	for transport, mode := range map[string]string{"udp": "u1", "tcp": "t1"} {
		t.Run(transport, func(t *testing.T) {
			o := open(t, nil)
			ann := o.ann(t)
			output := run(t, map[string]string{"register.xml": sippRegister, "notified.xml": sippNotified},
				"sipp", o.Addrs().UDP.String(), "-sf", "register.xml", "-oocsf", "notified.xml", "-t", mode, "-i", "127.0.0.1",
				"-m", "1", "-nostdin", "-trace_msg", "-message_file", "messages.log", "-timeout", fmt.Sprint(int(4*patience/time.Second)))
			reach(t, o, ann, transport, output, models.Notification{State: models.NotifyAccepted, Code: 200, Reason: "OK"})
		})
	}
}
