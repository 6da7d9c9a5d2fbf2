package sip_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"dialtone/models"
	"dialtone/sip"
)

// securely opens a server with TLS and gives the way to connect to it.
func securely(t *testing.T, change func(*sip.Config)) (*office, func() *wire) {
	t.Helper()
	_, config, pool := certificate(t)
	o := open(t, func(c *sip.Config) {
		c.TLSAddr, c.TLS = "127.0.0.1:0", config
		if change != nil {
			change(c)
		}
	})
	return o, func() *wire {
		return dialWire(t, "tls", o.Addrs().TLS, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})
	}
}

// pong waits for the answer to a keep-alive.
func (w *wire) pong(t *testing.T) {
	t.Helper()
	const want = "\r\n"
	if err := w.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(w.in, got); err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func (w *wire) closed(t *testing.T) {
	t.Helper()
	if m, err := w.tryRead(patience); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("got %v, %v, want the connection closed", m, err)
	}
}

// Keep-alives are answered between messages, however they are cut, and over
// UDP they are swallowed (RFC 5626, section 4.4.1).
func TestKeepAlive(t *testing.T) {
	o, secure := securely(t, nil)
	o.ann(t)
	for _, w := range []*wire{o.tcp(t), secure()} {
		t.Run(w.transport, func(t *testing.T) {
			ping := func() string { return register{callID: "k", cseq: 1}.text(w, "") }
			w.send(t, "\r\n\r\n")
			w.pong(t)
			w.send(t, "\r")
			w.send(t, "\n\r")
			w.send(t, "\n")
			w.pong(t)
			// Two messages in one piece, with a keep-alive before, between and after them.
			w.send(t, "\r\n\r\n"+ping()+"\r\n\r\n"+ping()+"\r\n\r\n")
			w.pong(t)
			answers, pongs := 0, 0
			for answers < 2 || pongs < 2 {
				if err := w.SetReadDeadline(time.Now().Add(patience)); err != nil {
					t.Fatal(err)
				}
				if next, err := w.in.Peek(2); err != nil {
					t.Fatal(err)
				} else if string(next) == "\r\n" {
					w.pong(t)
					pongs++
					continue
				}
				if res := w.read(t); res.code() != 401 {
					t.Errorf("got %v, want 401", res)
				}
				answers++
			}
		})
	}
	w := o.udp(t)
	w.send(t, "\r\n\r\n")
	w.send(t, "\r\n")
	w.send(t, register{callID: "k", cseq: 1}.text(w, ""))
	if res := w.read(t); res.code() != 401 { // the first thing that comes
		t.Errorf("got %v, want 401", res)
	}
}

// What is larger than any phone's message is not read: a connection ends, a
// datagram is dropped.
func TestMessageLimits(t *testing.T) {
	o, secure := securely(t, nil)
	o.ann(t)
	large := map[string]func(w *wire) string{
		"message": func(w *wire) string {
			return register{callID: "l", cseq: 1, headers: []string{"X: " + strings.Repeat("a", 4000), "Y: " + strings.Repeat("a", 4000), "Z: " + strings.Repeat("a", 400)}}.text(w, "")
		},
		"line": func(w *wire) string {
			return register{callID: "l", cseq: 1, headers: []string{"X: " + strings.Repeat("a", 4200)}}.text(w, "")
		},
		"headers": func(w *wire) string {
			return register{callID: "l", cseq: 1, headers: strings.Split(strings.Repeat("X: a,", 130)+"X: a", ",")}.text(w, "")
		},
	}
	for name, text := range large {
		for _, connect := range []func() *wire{func() *wire { return o.tcp(t) }, secure} {
			w := connect()
			t.Run(name+" over "+w.transport, func(t *testing.T) {
				w.send(t, text(w))
				w.closed(t)
			})
		}
		t.Run(name+" over udp", func(t *testing.T) {
			w := o.udp(t)
			w.send(t, text(w))
			w.send(t, register{callID: "small", cseq: 1}.text(w, ""))
			if res := w.read(t); res.get("Call-ID") != "small" {
				t.Errorf("got %v, want the answer to the small one alone", res)
			}
		})
	}
}

// When no more connections are allowed, those without a phone make room for new
// ones; a registered phone keeps its own.
func TestConnectionLimit(t *testing.T) {
	o, secure := securely(t, func(c *sip.Config) { c.MaxConnections = 3 })
	ann := o.ann(t)
	phone := secure()
	phone.mustRegister(t, "<sip:a@10.0.0.1;transport=tls>")
	var others []*wire
	for i := range 4 {
		w := o.tcp(t)
		w.send(t, register{callID: "x", cseq: 1}.text(w, ""))
		if res := w.read(t); res.code() != 401 {
			t.Fatalf("connection %d: got %v, want 401", i, res)
		}
		others = append(others, w)
	}
	others[0].closed(t)
	others[1].closed(t)
	o.Notify(checkSync(ann))
	phone.respond(t, phone.read(t), "200 OK")
	o.one(t, ann, models.Notification{Contact: "sip:a@10.0.0.1;transport=tls", State: models.NotifyAccepted, Code: 200, Reason: "OK"})
	for i, user := range []string{"bob", "eve"} {
		o.device(t, map[string]any{"username": user, "password": password})
		if res := others[2+i].register(t, register{user: user, contact: []string{"<sip:b@10.0.0.2;transport=tcp>"}}); res.code() != 200 {
			t.Fatal(res)
		}
	}
	o.tcp(t).closed(t) // phones have them all
}

// A connection from the address of one that is gone is not the same phone's.
func TestConnectionOfAnotherPhone(t *testing.T) {
	o := open(t, nil)
	ann := o.ann(t)
	o.device(t, map[string]any{"username": "bob", "password": password})
	first := o.tcp(t)
	first.mustRegister(t, "<sip:a@10.0.0.1;transport=tcp>")
	if err := first.Conn.(*net.TCPConn).SetLinger(0); err != nil { // the port is free again at once
		t.Fatal(err)
	}
	address := first.LocalAddr()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	o.clock.advance(time.Second)
	conn, err := (&net.Dialer{LocalAddr: address}).DialContext(t.Context(), "tcp", o.Addrs().TCP.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	second := newWire(conn, "tcp")
	if res := second.register(t, register{user: "bob", contact: []string{"<sip:b@10.0.0.2;transport=tcp>"}}); res.code() != 200 {
		t.Fatal(res)
	}
	o.Notify(checkSync(ann))
	o.one(t, ann, models.Notification{
		Contact: "sip:a@10.0.0.1;transport=tcp", State: models.NotifyUnreachable, Reason: "the phone's connection is gone",
	})
	if m, err := second.tryRead(100 * time.Millisecond); err == nil {
		t.Errorf("the other phone got %v", m)
	}
}

// Bindings survive a restart: a phone on UDP is reached as before, and that the
// connection of one on TCP is gone is known at once.
func TestRestart(t *testing.T) {
	o := open(t, nil)
	ann, bob := o.ann(t), o.device(t, map[string]any{"username": "bob", "password": password})
	datagrams, stream := o.udp(t), o.tcp(t)
	datagrams.mustRegister(t, "<sip:a@10.0.0.1>")
	if res := stream.register(t, register{user: "bob", contact: []string{"<sip:b@10.0.0.2;transport=tcp>"}}); res.code() != 200 {
		t.Fatal(res)
	}
	o.restart(t)
	if res := datagrams.register(t, register{}); res.code() != 200 || !strings.Contains(res.get("Contact"), "<sip:a@10.0.0.1>") {
		t.Errorf("fetched after the restart: got %v, want the contact", res)
	}
	o.Notify(checkSync(ann))
	datagrams.respond(t, datagrams.read(t), "200 OK")
	o.one(t, ann, models.Notification{Contact: "sip:a@10.0.0.1", State: models.NotifyAccepted, Code: 200, Reason: "OK"})
	o.Notify(checkSync(bob))
	o.one(t, bob, models.Notification{
		Contact: "sip:b@10.0.0.2;transport=tcp", State: models.NotifyUnreachable, Reason: "the phone's connection is gone",
	})
}

// Phones on UDP are pinged over the socket that they know, by their server alone.
func TestPing(t *testing.T) {
	o := open(t, func(c *sip.Config) { c.PingEvery = 50 * time.Millisecond })
	o.ann(t)
	w, edge, tcp := o.udp(t), o.udp(t), o.tcp(t)
	w.mustRegister(t, "<sip:a@10.0.0.1;ob>")
	tcp.mustRegister(t, "<sip:b@10.0.0.2;transport=tcp>")
	if res := edge.register(t, register{contact: []string{"<sip:c@10.0.0.3>"}, headers: []string{"Path: <sip:127.0.0.1:9;lr>"}}); res.code() != 200 {
		t.Fatal(res)
	}
	for range 3 {
		req := w.read(t)
		if req.start != "OPTIONS sip:a@10.0.0.1;ob SIP/2.0" || req.get("CSeq") != "1 OPTIONS" {
			t.Fatalf("got %v, want an OPTIONS to the contact", req)
		}
		w.respond(t, req, "404 Not Found") // whatever a phone says
	}
	for _, other := range []*wire{edge, tcp} {
		if m, err := other.tryRead(100 * time.Millisecond); err == nil {
			t.Errorf("%s got %v, want nothing", other.transport, m)
		}
	}
}

func TestFlows(t *testing.T) {
	o, secure := securely(t, nil)
	o.ann(t)
	flow := `<sip:a@10.0.0.1;ob>;+sip.instance="<urn:uuid:7>";reg-id=1`
	edge, plain := "Path: <sip:edge1.example.com;lr>,<sip:edge2.example.com;lr;ob>", "Path: <sip:edge1.example.com;lr;ob>,<sip:edge2.example.com;lr>"
	asks := "Supported: path, outbound"
	tests := []struct {
		name, contact string
		headers       []string
		code          int
		require       string
		timer         bool // over a connection
	}{
		{"asked for", flow, []string{asks}, 200, "outbound", true},
		{"required", flow, []string{"Require: outbound"}, 200, "outbound", true},
		{"compact form", flow, []string{"k: Outbound"}, 200, "outbound", true},
		{"not asked for", flow, nil, 200, "", false},
		{"no reg-id", "<sip:a@10.0.0.1>", []string{asks}, 200, "", false},
		{"no reg-id but required", "<sip:a@10.0.0.1>", []string{"Require: outbound"}, 439, "", false},
		{"removed", flow + ";expires=0", []string{asks}, 200, "", false},
		{"behind an edge with flows", flow, []string{asks, edge}, 200, "outbound", false},
		{"behind an edge without", flow, []string{asks, plain}, 200, "", false},
		{"behind an edge without, required", flow, []string{"Require: path, outbound", plain}, 439, "", false},
	}
	for _, w := range []*wire{o.udp(t), o.tcp(t), secure()} {
		for _, tt := range tests {
			t.Run(w.transport+" "+tt.name, func(t *testing.T) {
				res := w.register(t, register{contact: []string{tt.contact}, headers: tt.headers})
				timer := ""
				if tt.timer && w.transport != "udp" {
					timer = "120"
				}
				if res.code() != tt.code || res.get("Require") != tt.require || res.get("Flow-Timer") != timer {
					t.Errorf("got %v, want %d, Require %q, Flow-Timer %q", res, tt.code, tt.require, timer)
				}
				if tt.code == 200 && res.get("Supported") != "path, outbound" {
					t.Errorf("Supported: got %q", res.get("Supported"))
				}
			})
		}
	}
	// A proxy that says nothing of itself is no neighbour that keeps flows.
	w := o.udp(t)
	r := register{contact: []string{flow}, headers: []string{asks, "Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKx" + fmt.Sprint(serial.Add(1))}}
	if res := w.register(t, r); res.code() != 200 || res.get("Require") != "" {
		t.Errorf("behind a proxy: got %v, want 200 without Require", res)
	}
}
