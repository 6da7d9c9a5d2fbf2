package sip_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"dialtone/internal/syncbuf"
	"dialtone/models"
	"dialtone/sip"
)

// kamailio starts the proxy that others wrote, with a configuration of
// testdata and defines ("NAME=value") for it, on a free port for UDP and TCP.
func kamailio(t testing.TB, config string, defines ...string) netip.AddrPort {
	t.Helper()
	addr := freePort(t)
	args := []string{"-f", filepath.Join("testdata", "kamailio", config), "-DD", "-E", "-m", "256", "-M", "8", "-Y", t.TempDir(), "-A", "LISTEN=" + addr.String()}
	for _, define := range defines {
		args = append(args, "-A", define)
	}
	out := &syncbuf.Buffer{}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, program(t, "kamailio"), args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // which it passes on to its children
	cmd.WaitDelay = patience
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was ended
		if t.Failed() {
			t.Logf("kamailio says:\n%s", out.String())
		}
	})
	awaitSIP(t, addr)
	return addr
}

// freePort is a port of 127.0.0.1 that is free for UDP and TCP.
func freePort(t testing.TB) netip.AddrPort {
	t.Helper()
	var config net.ListenConfig
	for range 20 {
		tcp, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := tcp.Addr().String()
		udp, err := config.ListenPacket(t.Context(), "udp", addr)
		_ = tcp.Close()
		if err == nil {
			_ = udp.Close()
			return netip.MustParseAddrPort(addr)
		}
	}
	t.Fatal("no port is free for UDP and TCP")
	return netip.AddrPort{}
}

// awaitSIP waits until something answers OPTIONS over UDP and takes connections.
func awaitSIP(t testing.TB, addr netip.AddrPort) {
	t.Helper()
	eventually(t, "an answer to OPTIONS", func() bool {
		w := dialWire(t, "udp", addr, nil)
		defer func() { _ = w.Close() }()
		w.send(t, "OPTIONS sip:x@"+addr.String()+" SIP/2.0\r\nVia: SIP/2.0/UDP "+w.LocalAddr().String()+";branch=z9hG4bKoptions;rport\r\n"+
			"Max-Forwards: 70\r\nFrom: <sip:x@x>;tag=1\r\nTo: <sip:x@x>\r\nCall-ID: options\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")
		if _, err := w.tryRead(200 * time.Millisecond); err != nil {
			return false
		}
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr.String())
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}

// subscribers is a folder that the PBX takes for its database: who may
// register, as username and password.
func subscribers(t *testing.T, credentials map[string]string) string {
	t.Helper()
	table := "username(string) domain(string) password(string)\n"
	for user, secret := range credentials {
		table += fmt.Sprintf("%s:%s:%s\n", user, realm, secret)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{"version": "table_name(string) table_version(int)\nsubscriber:7\n", "subscriber": table} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// sippPhone is a phone that somebody else wrote: it registers as ann, and
// answers NOTIFYs with 200.
func sippPhone(t *testing.T, registrar netip.AddrPort, transport string) (output func() string) {
	t.Helper()
	return run(t, map[string]string{"register.xml": sippRegister, "notified.xml": sippNotified},
		"sipp", registrar.String(), "-sf", "register.xml", "-oocsf", "notified.xml", "-t", map[string]string{"udp": "u1", "tcp": "t1"}[transport],
		"-i", "127.0.0.1", "-m", "1", "-nostdin", "-trace_msg", "-message_file", "messages.log", "-timeout", fmt.Sprint(int(4*patience/time.Second)))
}

var sippRegistered = regexp.MustCompile(`(?s)SIP/2\.0 200 .*CSeq: 2 REGISTER`)

// Phones register with a PBX, which Dialtone sends its NOTIFYs through, to the
// address of record.
func TestKamailioAsPBX(t *testing.T) {
	const sendersPassword = "pa55-w0rd-of-the-sender"
	known := map[string]string{"ann": password, "dialtone": sendersPassword}
	sender := sip.Credentials{Username: "dialtone", Password: sendersPassword}
	tests := []struct {
		name       string
		phone, hop string // transports of the phone, and of Dialtone
		asks       bool   // the PBX asks who sends
		sender     sip.Credentials
		user       string // who is notified
		password   string // as Dialtone knows it
		state      string
		code       int
		reason     string
	}{
		{"over UDP", "udp", "udp", false, sip.Credentials{}, "ann", password, models.NotifyAccepted, 200, "OK"},
		{"over TCP", "tcp", "tcp", false, sip.Credentials{}, "ann", password, models.NotifyAccepted, 200, "OK"},
		{"from UDP to TCP", "tcp", "udp", false, sip.Credentials{}, "ann", password, models.NotifyAccepted, 200, "OK"},
		{"device's credentials", "udp", "udp", true, sip.Credentials{}, "ann", password, models.NotifyAccepted, 200, "OK"},
		{"device's credentials over TCP", "tcp", "tcp", true, sip.Credentials{}, "ann", password, models.NotifyAccepted, 200, "OK"},
		{"other credentials", "udp", "udp", true, sip.Credentials{}, "ann", "other", models.NotifyRefused, 407, "Proxy Authentication Required"},
		{"sender's credentials", "udp", "udp", true, sender, "ann", "other", models.NotifyAccepted, 200, "OK"},
		{"unknown user", "udp", "udp", false, sip.Credentials{}, "bob", password, models.NotifyRefused, 404, "Not Found"},
		{"unknown user, sender's credentials", "udp", "udp", true, sender, "bob", password, models.NotifyRefused, 404, "Not Found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defines := []string{"WITH_DBTEXT", fmt.Sprintf("DBURL=%q", "text://"+subscribers(t, known)), `DIALTONE="127.0.0.1"`}
			if tt.asks {
				defines = append(defines, "WITH_SENDER_AUTH")
			}
			pbx := kamailio(t, "pbx.cfg", defines...)
			o := open(t, func(c *sip.Config) { c.Proxy, c.Sender = pbx.String()+";transport="+tt.hop, tt.sender })
			output := sippPhone(t, pbx, tt.phone)
			eventually(t, "a registration", func() bool { return sippRegistered.MatchString(output()) })

			phone := o.device(t, map[string]any{"username": tt.user, "password": tt.password})
			o.Notify(checkSync(phone))
			o.one(t, phone, models.Notification{Contact: "sip:" + tt.user + "@" + realm, State: tt.state, Code: tt.code, Reason: tt.reason})
			reached := func() bool { return strings.Contains(output(), "Event: check-sync;reboot=false") }
			if tt.code == 200 {
				eventually(t, "the NOTIFY in the phone's own log", reached)
			} else if reached() {
				t.Error("the phone was reached")
			}
			if strings.Contains(output(), "Proxy-Authorization") {
				t.Error("the phone saw credentials")
			}
		})
	}
}

// Phones register with Dialtone through an edge, which adds a Path: NOTIFYs
// take it back.
func TestKamailioAsEdge(t *testing.T) {
	for _, tt := range []struct{ phone, hop string }{{"udp", "udp"}, {"tcp", "tcp"}, {"tcp", "udp"}, {"udp", "tcp"}} {
		t.Run(tt.phone+" to the edge, "+tt.hop+" from there", func(t *testing.T) {
			o := open(t, nil)
			ann := o.ann(t)
			edge := kamailio(t, "edge.cfg", `DIALTONE="127.0.0.1"`,
				fmt.Sprintf("REGISTRAR=%q", "sip:"+o.Addrs().UDP.String()+";transport="+tt.hop))
			output := sippPhone(t, edge, tt.phone)
			eventually(t, "a registration", func() bool { return len(o.bindings(t, ann)) == 1 })
			b := o.bindings(t, ann)[0]
			if len(b.Path) != 1 || b.Received.String() != edge.String() && b.Transport == "udp" {
				t.Errorf("binding: got %+v", b)
			}
			o.Notify(checkSync(ann))
			o.one(t, ann, models.Notification{Contact: b.Contact, State: models.NotifyAccepted, Code: 200, Reason: "OK"})
			eventually(t, "the NOTIFY in the phone's own log", func() bool { return strings.Contains(output(), "NOTIFY "+b.Contact+" SIP/2.0") })
			if strings.Contains(output(), "Route:") {
				t.Error("the phone got a Route")
			}
			if res := straight(t, edge, b.Contact); res.code() != 403 {
				t.Errorf("a NOTIFY without the Path: got %v, want 403", res)
			}
		})
	}
}

// straight sends a NOTIFY to a contact without any Route, and returns the answer.
func straight(t *testing.T, edge netip.AddrPort, contact string) *message {
	t.Helper()
	w := dialWire(t, "udp", edge, nil)
	w.send(t, "NOTIFY "+contact+" SIP/2.0\r\nVia: SIP/2.0/UDP "+w.LocalAddr().String()+";branch=z9hG4bKstraight;rport\r\n"+
		"Max-Forwards: 70\r\nFrom: <sip:x@x>;tag=1\r\nTo: <"+contact+">\r\nCall-ID: straight\r\nCSeq: 1 NOTIFY\r\nEvent: check-sync\r\nContent-Length: 0\r\n\r\n")
	return w.read(t)
}
