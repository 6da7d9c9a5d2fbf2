package sip_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"dialtone/models"
	"dialtone/sip"
)

// The network of TestSymmetricNAT: server - wan - router - lan - phone.
const (
	inNamespace = "DIALTONE_TEST_IN_NAMESPACE"
	serverIP    = "203.0.113.1"
	routerIP    = "203.0.113.2"
	gatewayIP   = "192.168.77.1"
	phoneIP     = "192.168.77.9"
)

// A router that gives every pair of source and destination a port of its own,
// chosen at random, and lets in answers alone.
const symmetricNAT = `
table ip router {
	chain translate {
		type nat hook postrouting priority 100;
		oifname "wan" masquerade fully-random
	}
	chain admit {
		type filter hook forward priority 0; policy drop;
		iifname "lan" accept
		ct state established accept
	}
	chain own {
		type filter hook input priority 0;
		iifname "wan" drop
	}
}`

// Phones behind a symmetric NAT are reached through the hole that their REGISTER
// made, and only from where it went. It takes network namespaces: the
// test runs itself again in one where it may make others.
func TestSymmetricNAT(t *testing.T) {
	if os.Getenv(inNamespace) == "" {
		cmd := exec.CommandContext(t.Context(), program(t, "unshare"), "--map-root-user", "--net", os.Args[0], "-test.run=^TestSymmetricNAT$", "-test.v")
		cmd.Env = append(os.Environ(), inNamespace+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestSymmetricNAT/tcp") {
			t.Errorf("in a network namespace of its own: %v\n%s", err, out)
		}
		return
	}
	phoneHost := behindNAT(t)
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			o := open(t, func(c *sip.Config) { c.Addr = serverIP + ":0" })
			ann := o.ann(t)
			output := run(t, map[string]string{"register.xml": sippRegister, "notified.xml": sippNotified},
				"nsenter", "--target", phoneHost, "--net",
				"sipp", o.Addrs().UDP.String(), "-sf", "register.xml", "-oocsf", "notified.xml", "-t", map[string]string{"udp": "u1", "tcp": "t1"}[transport],
				"-i", phoneIP, "-m", "1", "-nostdin", "-trace_msg", "-message_file", "messages.log", "-timeout", fmt.Sprint(int(4*patience/time.Second)))
			eventually(t, "a registration", func() bool { return len(o.bindings(t, ann)) == 1 })
			b := o.bindings(t, ann)[0]
			private := netip.MustParseAddrPort(strings.TrimPrefix(strings.Split(b.Contact, ";")[0], "sip:ann@"))
			if b.Received.Addr().String() != routerIP || private.Addr().String() != phoneIP || b.Received.Port() == private.Port() {
				t.Errorf("the router translated nothing: %+v", b)
			}
			if transport == "udp" {
				fromElsewhere(t, b)
			}
			o.Notify(checkSync(ann))
			o.one(t, ann, models.Notification{Contact: b.Contact, State: models.NotifyAccepted, Code: 200, Reason: "OK"})
			eventually(t, "the NOTIFY in the phone's own log", func() bool { return strings.Contains(output(), "Event: check-sync;reboot=false") })
			if strings.Contains(output(), "Event: elsewhere") {
				t.Error("the NAT let in what came from elsewhere")
			}
		})
	}
}

// fromElsewhere sends the phone a NOTIFY from another port of the server: the NAT
// must keep it out.
func fromElsewhere(t *testing.T, b models.Binding) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "udp", b.Received.String())
	if err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(conn, "NOTIFY %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKelsewhere;rport\r\nMax-Forwards: 70\r\nFrom: <sip:x@x>;tag=1\r\n"+
		"To: <sip:x@x>\r\nCall-ID: elsewhere\r\nCSeq: 1 NOTIFY\r\nEvent: elsewhere\r\nContent-Length: 0\r\n\r\n", b.Contact, conn.LocalAddr())
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
}

// behindNAT builds the network and returns the process that stands for the
// phone's host. It needs a network namespace that may be changed.
func behindNAT(t *testing.T) (phone string) {
	t.Helper()
	router, phone := namespace(t), namespace(t)
	within := func(process string, command ...string) {
		t.Helper()
		command = append([]string{"--target", process, "--net"}, command...)
		command = append([]string{program(t, "nsenter")}, command...)
		if out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
		}
	}
	server := strconv.Itoa(os.Getpid())
	within(server, "ip", "link", "set", "lo", "up")
	within(server, "ip", "link", "add", "wan", "type", "veth", "peer", "name", "wan", "netns", router)
	within(server, "ip", "address", "add", serverIP+"/24", "dev", "wan")
	within(server, "ip", "link", "set", "wan", "up")
	within(router, "ip", "address", "add", routerIP+"/24", "dev", "wan")
	within(router, "ip", "link", "set", "wan", "up")
	within(router, "ip", "link", "add", "lan", "type", "veth", "peer", "name", "lan", "netns", phone)
	within(router, "ip", "address", "add", gatewayIP+"/24", "dev", "lan")
	within(router, "ip", "link", "set", "lan", "up")
	within(router, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
	within(router, "nft", symmetricNAT)
	within(phone, "ip", "address", "add", phoneIP+"/24", "dev", "lan")
	within(phone, "ip", "link", "set", "lan", "up")
	within(phone, "ip", "route", "add", "default", "via", gatewayIP)
	return phone
}

// namespace starts a process that does nothing, in a network namespace of its
// own, until the test ends.
func namespace(t *testing.T) (process string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t, "unshare"), "--net", "sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // it was killed
	process = strconv.Itoa(cmd.Process.Pid)
	own := networkOf(t, "self")
	eventually(t, "a network namespace", func() bool { return networkOf(t, process) != own })
	return process
}

func networkOf(t *testing.T, process string) string {
	t.Helper()
	name, err := os.Readlink("/proc/" + process + "/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	return name
}
