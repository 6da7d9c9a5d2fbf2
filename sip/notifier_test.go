package sip_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/icholy/digest"

	"dialtone/models"
	"dialtone/sip"
)

const privateContact = "sip:100-0x56@192.168.77.9:5062;transport=udp;ob"

func checkSync(p *models.Phone) sip.NotifyRequest {
	return sip.NotifyRequest{Phone: p, Event: "check-sync;reboot=false"}
}

// one waits for the phone's only notification and checks it.
func (o *office) one(t *testing.T, p *models.Phone, want models.Notification) {
	t.Helper()
	want.AccountID, want.DeviceID, want.AOR = p.Account.ID, p.Device.ID, p.AOR()
	if want.Event == "" {
		want.Event = "check-sync;reboot=false"
	}
	got := o.outcomes(t, p, 1)
	if diff := cmp.Diff([]models.Notification{want}, got, cmpopts.IgnoreFields(models.Notification{}, "ID", "Created", "Finished", "Attempts", "Replica")); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
	if got[0].Finished.Before(got[0].Created) {
		t.Errorf("finished %v, created %v", got[0].Finished, got[0].Created)
	}
}

func TestNotifyOverUDP(t *testing.T) {
	o := open(t, nil)
	ann, bob := o.ann(t), o.device(t, map[string]any{"username": "bob", "password": password})
	w, other := o.udp(t), o.udp(t) // connected: they hear the listening port alone
	w.mustRegister(t, "<"+privateContact+">")
	if res := other.register(t, register{user: "bob", contact: []string{"<sip:bob@192.168.77.9>"}}); res.code() != 200 {
		t.Fatal(res)
	}

	o.Notify(checkSync(ann))
	req := w.read(t)
	if want := "NOTIFY " + privateContact + " SIP/2.0"; req.start != want {
		t.Errorf("got %s, want %s", req.start, want)
	}
	for name, want := range map[string]string{
		"From":               `^<sip:ann@acme\.example\.com>;tag=\w+$`,
		"To":                 `^<sip:ann@acme\.example\.com>$`,
		"Event":              `^check-sync;reboot=false$`,
		"Subscription-State": `^terminated$`,
		"Max-Forwards":       `^70$`,
		"Content-Length":     `^0$`,
		"CSeq":               `^1 NOTIFY$`,
		"Contact":            fmt.Sprintf(`^<sip:%s;transport=udp>$`, o.Addrs().UDP),
		"Via":                fmt.Sprintf(`^SIP/2\.0/UDP %s;branch=z9hG4bK[^;]+;rport$`, o.Addrs().UDP),
		"Content-Type":       `^$`,
		"Route":              `^$`,
	} {
		if got := req.get(name); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s: got %q, want %s", name, got, want)
		}
	}
	w.respond(t, req, "200 OK")
	o.one(t, ann, models.Notification{Contact: privateContact, State: models.NotifyAccepted, Code: 200, Reason: "OK"})
	if m, err := other.tryRead(100 * time.Millisecond); err == nil {
		t.Errorf("another phone got %v", m)
	}
	if got, err := o.store.Notifications(t.Context(), bob.Device.ID, 1); err != nil || len(got) > 0 {
		t.Errorf("another phone: got %v, %v", got, err)
	}
}

func TestNotifyBody(t *testing.T) {
	o := open(t, nil)
	ann := o.ann(t)
	w := o.udp(t)
	w.mustRegister(t, "<sip:a@10.0.0.1?Subject=x>")
	body := strings.Repeat("action=restart\r\n", 200) // larger than an Ethernet frame
	o.Notify(sip.NotifyRequest{Phone: ann, Event: "service-control", ContentType: "text/plain", Body: []byte(body)})
	req := w.read(t)
	if req.body != body || req.get("Content-Type") != "text/plain" || req.start != "NOTIFY sip:a@10.0.0.1 SIP/2.0" {
		t.Errorf("got %v", req)
	}
	w.respond(t, req, "481 Subscription Does Not Exist")
	o.one(t, ann, models.Notification{
		Contact: "sip:a@10.0.0.1?Subject=x", Event: "service-control",
		State: models.NotifyRefused, Code: 481, Reason: "Subscription Does Not Exist",
	})
}

func TestNotifyOverStreams(t *testing.T) {
	_, config, pool := certificate(t)
	o := open(t, func(c *sip.Config) { c.TLSAddr, c.TLS = "127.0.0.1:0", config })
	ann := o.ann(t)
	for _, w := range []*wire{o.tcp(t), dialWire(t, "tls", o.Addrs().TLS, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})} {
		t.Run(w.transport, func(t *testing.T) {
			contact := "sip:a@192.168.77.9:1024;transport=" + w.transport
			w.mustRegister(t, "<"+contact+">")
			if got := o.bindings(t, ann)[0]; got.Transport != w.transport || got.Received.String() != w.LocalAddr().String() || got.Replica != "r1" {
				t.Errorf("binding: got %+v", got)
			}
			w.send(t, "\r\n\r\n") // keep-alive (RFC 5626)
			if pong, err := w.in.Peek(2); string(pong) != "\r\n" {
				t.Errorf("keep-alive: got %q, %v", pong, err)
			}
			if _, err := w.in.Discard(2); err != nil {
				t.Fatal(err)
			}
			o.Notify(checkSync(ann))
			req := w.read(t)
			if via := req.get("Via"); req.start != "NOTIFY "+contact+" SIP/2.0" || !strings.HasPrefix(via, "SIP/2.0/"+strings.ToUpper(w.transport)) {
				t.Errorf("got %v", req)
			}
			w.respond(t, req, "200 OK")
			o.outcomes(t, ann, 1)
			// Once the connection is gone, so is the phone: nobody waits or dials.
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			var last models.Notification
			eventually(t, "an unreachable phone", func() bool {
				known := len(o.outcomes(t, ann, 1))
				began := time.Now()
				o.Notify(checkSync(ann))
				last = o.outcomes(t, ann, known+1)[0]
				if took := time.Since(began); took > 2*time.Second {
					t.Fatalf("it took %v", took)
				}
				return last.State == models.NotifyUnreachable
			})
			if last.Reason != "the phone's connection is gone" {
				t.Errorf("got %+v", last)
			}
			if res := o.udp(t).register(t, register{contact: []string{"*"}, headers: []string{"Expires: 0"}}); res.code() != 200 {
				t.Fatal(res)
			}
		})
	}
}

// A connection that ends while the answer is awaited ends the waiting.
func TestConnectionLostWhileWaiting(t *testing.T) {
	o := open(t, nil)
	ann := o.ann(t)
	w := o.tcp(t)
	w.mustRegister(t, "<sip:a@10.0.0.1;transport=tcp>")
	o.Notify(checkSync(ann))
	w.read(t)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	o.one(t, ann, models.Notification{
		Contact: "sip:a@10.0.0.1;transport=tcp", State: models.NotifyUnreachable, Reason: "the phone's connection is gone",
	})
}

// certificate makes a self-signed certificate for 127.0.0.1: its file, what a
// server needs, and what a client does.
func certificate(t *testing.T) (file string, config *tls.Config, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "cert.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	config = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	return file, config, pool
}

func TestNotifyChallenged(t *testing.T) {
	o := open(t, nil)
	tests := []struct {
		name, status, asked, answered string
	}{
		{"by the phone", "401 Unauthorized", "WWW-Authenticate", "Authorization"},
		{"by a proxy", "407 Proxy Authentication Required", "Proxy-Authenticate", "Proxy-Authorization"},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			user := fmt.Sprintf("phone%d", i)
			phone := o.device(t, map[string]any{"username": user, "password": password})
			w := o.udp(t)
			if res := w.register(t, register{user: user, contact: []string{"<" + privateContact + ">"}}); res.code() != 200 {
				t.Fatal(res)
			}
			o.Notify(checkSync(phone))
			first := w.read(t)
			offer := `Digest realm="phone", nonce="n1", algorithm=MD5, qop="auth"`
			w.respond(t, first, tt.status, tt.asked+": "+offer)
			second := w.read(t)
			creds, err := digest.ParseCredentials(second.get(tt.answered))
			if err != nil {
				t.Fatalf("%v: %v", second, err)
			}
			challenge, err := digest.ParseChallenge(offer)
			if err != nil {
				t.Fatal(err)
			}
			want, err := digest.Digest(challenge, digest.Options{
				Method: "NOTIFY", URI: privateContact, Count: 1, Cnonce: creds.Cnonce, Username: user, Password: password,
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, creds); diff != "" {
				t.Errorf("credentials (-want +got):\n%s", diff)
			}
			if second.get("Call-ID") != first.get("Call-ID") || second.get("From") != first.get("From") || second.get("CSeq") != "2 NOTIFY" {
				t.Errorf("got %v after %v", second, first)
			}
			w.respond(t, second, tt.status, tt.asked+": "+offer) // refused again: no third attempt
			code, reason, _ := strings.Cut(tt.status, " ")
			o.one(t, phone, models.Notification{
				Contact: privateContact, State: models.NotifyRefused, Code: map[string]int{"401": 401, "407": 407}[code], Reason: reason,
			})
		})
	}
}

// A proxy on the way asks who sends, then the phone does; each learns of its own
// credentials alone, and of the second use of its nonce.
func TestNotifyChallengedByProxyAndPhone(t *testing.T) {
	proxy, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	o := open(t, func(c *sip.Config) {
		c.Proxy = proxy.Addr().String() + ";transport=tcp"
		c.Sender = sip.Credentials{Username: "dialtone", Password: "the sender's own"}
	})
	ann := o.ann(t)
	o.Notify(checkSync(ann))
	conn, err := proxy.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	w := newWire(conn, "tcp")

	w.respond(t, w.read(t), "407 Who", `Proxy-Authenticate: Digest realm="proxy", nonce="n1", qop="auth"`)
	second := w.read(t)
	verify(t, second, "Proxy-Authorization", "dialtone", "the sender's own", 1)
	w.respond(t, second, "407 Who", `Proxy-Authenticate: Digest realm="proxy", nonce="n2", qop="auth", stale=true`)
	third := w.read(t)
	verify(t, third, "Proxy-Authorization", "dialtone", "the sender's own", 1)
	if got := third.get("Authorization"); got != "" {
		t.Errorf("the phone did not ask yet: got %q", got)
	}
	w.respond(t, third, "401 Who", `WWW-Authenticate: Digest realm="phone", nonce="n3", algorithm=SHA-256, qop="auth"`)
	fourth := w.read(t)
	verify(t, fourth, "Proxy-Authorization", "dialtone", "the sender's own", 2)
	verify(t, fourth, "Authorization", "ann", password, 1)
	if fourth.get("CSeq") != "4 NOTIFY" {
		t.Errorf("CSeq: got %q", fourth.get("CSeq"))
	}
	w.respond(t, fourth, "200 OK")
	o.one(t, ann, models.Notification{Contact: "sip:ann@" + realm, State: models.NotifyAccepted, Code: 200, Reason: "OK"})
}

// verify checks the credentials of a NOTIFY.
func verify(t *testing.T, req *message, header, username, secret string, uses int) {
	t.Helper()
	creds, err := digest.ParseCredentials(req.get(header))
	if err != nil {
		t.Fatalf("%s of %v: %v", header, req, err)
	}
	offer := &digest.Challenge{Realm: creds.Realm, Nonce: creds.Nonce, Algorithm: creds.Algorithm, QOP: []string{"auth"}}
	want, err := digest.Digest(offer, digest.Options{
		Method: "NOTIFY", URI: strings.Fields(req.start)[1], Count: uses, Cnonce: creds.Cnonce, Username: username, Password: secret,
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, creds); diff != "" {
		t.Errorf("%s (-want +got):\n%s", header, diff)
	}
}

func TestNotifySeveralContacts(t *testing.T) {
	o := open(t, func(c *sip.Config) { c.NotifyTimeout = 500 * time.Millisecond })
	ann := o.ann(t)
	dead, alive := o.udp(t), o.udp(t)
	dead.mustRegister(t, "<sip:dead@10.0.0.1>")
	alive.mustRegister(t, "<sip:alive@10.0.0.2>")
	o.Notify(checkSync(ann))
	alive.respond(t, alive.read(t), "200 OK")
	var got []string
	for _, n := range o.outcomes(t, ann, 2) {
		got = append(got, fmt.Sprint(n.Contact, " ", n.State, " ", n.Code, " ", n.Reason))
	}
	slices.Sort(got)
	want := []string{"sip:alive@10.0.0.2 accepted 200 OK", "sip:dead@10.0.0.1 timeout 0 no answer"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestDeadPhoneDelaysNobody(t *testing.T) {
	const timeout = 3 * time.Second
	o := open(t, func(c *sip.Config) { c.NotifyTimeout = timeout })
	dead := o.ann(t)
	o.udp(t).mustRegister(t, "<sip:dead@10.0.0.1>")
	bob := o.device(t, map[string]any{"username": "bob", "password": password})
	w := o.udp(t)
	if res := w.register(t, register{user: "bob", contact: []string{"<sip:bob@10.0.0.3>"}}); res.code() != 200 {
		t.Fatal(res)
	}
	began := time.Now()
	for range 100 {
		o.Notify(checkSync(dead))
	}
	o.Notify(checkSync(bob))
	w.respond(t, w.read(t), "200 OK")
	if took := time.Since(began); took > timeout/2 {
		t.Errorf("another phone waited %v", took)
	}
	o.one(t, bob, models.Notification{Contact: "sip:bob@10.0.0.3", State: models.NotifyAccepted, Code: 200, Reason: "OK"})
}

func TestNotifyNobody(t *testing.T) {
	o := open(t, nil)
	tests := []struct {
		name   string
		phone  *models.Phone
		event  string
		reason string
	}{
		{"not registered", o.ann(t), "check-sync", "not registered"},
		{"no username", o.device(t, map[string]any{}), "check-sync", "the device has no SIP username"},
		{"event with a line break", o.device(t, map[string]any{"username": "c"}), "check-sync\r\nX: y", "the event is not a header value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o.Notify(sip.NotifyRequest{Phone: tt.phone, Event: tt.event})
			o.one(t, tt.phone, models.Notification{Event: tt.event, State: models.NotifyUnreachable, Reason: tt.reason})
		})
	}
}

// A device that was deleted in the meantime harms nothing.
func TestNotifyDeleted(t *testing.T) {
	o := open(t, nil)
	ann := o.ann(t)
	w := o.udp(t)
	w.mustRegister(t, "<sip:a@10.0.0.1>")
	if err := o.store.DeleteDevice(t.Context(), ann.Device); err != nil {
		t.Fatal(err)
	}
	o.Notify(checkSync(ann))
	eventually(t, "its end in the log", func() bool { return strings.Contains(o.log.String(), `msg="NOTIFY finished" state=unreachable`) })
	if res := w.register(t, register{contact: []string{"<sip:a@10.0.0.1>"}}); res.code() != 401 {
		t.Errorf("REGISTER of a deleted device: got %v, want 401", res)
	}
}

// A request that carries bindings reaches these, although they are gone; a
// connection that is gone is not opened again.
func TestNotifyDroppedBindings(t *testing.T) {
	o := open(t, nil)
	ann := o.ann(t)
	udp, tcp := o.udp(t), o.tcp(t)
	udp.mustRegister(t, "<sip:a@10.0.0.1>")
	tcp.mustRegister(t, "<sip:a@10.0.0.2;transport=tcp>")
	flush := checkSync(ann)
	flush.Bindings = o.bindings(t, ann)
	if len(flush.Bindings) != 2 {
		t.Fatalf("got %+v", flush.Bindings)
	}
	if err := o.store.DropBindings(t.Context(), flush.Bindings); err != nil {
		t.Fatal(err)
	}
	o.Notify(flush)
	for _, w := range []*wire{udp, tcp} {
		w.respond(t, w.read(t), "200 OK")
	}
	for _, n := range o.outcomes(t, ann, 2) {
		if n.State != models.NotifyAccepted {
			t.Errorf("got %+v", n)
		}
	}

	// Nobody answers in the place of a connection that has ended, and nobody
	// is told of those who were not to be reached.
	if err := tcp.Close(); err != nil {
		t.Fatal(err)
	}
	flush.Bindings = slices.DeleteFunc(flush.Bindings, func(b models.Binding) bool { return b.Transport == "udp" })
	eventually(t, "an unreachable phone", func() bool {
		known := len(o.outcomes(t, ann, 2))
		o.Notify(flush)
		return o.outcomes(t, ann, known+1)[0].Reason == "the phone's connection is gone"
	})
	known := len(o.outcomes(t, ann, 3))
	nobody := checkSync(ann)
	nobody.Bindings = []models.Binding{}
	o.Notify(nobody)
	o.Notify(checkSync(ann)) // is told "not registered", after the one before
	if got := o.outcomes(t, ann, known+1); len(got) != known+1 || got[0].Reason != "not registered" {
		t.Errorf("got %+v", got)
	}
}

func TestNotifyAlongPath(t *testing.T) {
	o := open(t, nil)
	ann := o.ann(t)
	phone, edge := o.udp(t), o.udp(t)
	path := []string{"<sip:" + edge.LocalAddr().String() + ";lr;received=sip:1.2.3.4:5062%3Btransport%3Dtcp>", "<sip:10.1.1.1;lr>"}
	res := phone.register(t, register{contact: []string{"<" + privateContact + ">"}, headers: []string{"Path: " + strings.Join(path, ", ")}})
	if res.code() != 200 {
		t.Fatal(res)
	}
	o.Notify(checkSync(ann))
	req := edge.read(t)
	if got := req.all("Route"); !slices.Equal(got, path) || req.start != "NOTIFY "+privateContact+" SIP/2.0" {
		t.Errorf("got %v, want Route %v", req, path)
	}
	edge.respond(t, req, "202 Accepted")
	o.one(t, ann, models.Notification{Contact: privateContact, State: models.NotifyAccepted, Code: 202, Reason: "Accepted"})
}

func TestNotifyOfAnotherReplica(t *testing.T) {
	o := open(t, nil)
	ann := o.ann(t)
	w := o.tcp(t)
	w.mustRegister(t, "<sip:a@10.0.0.1;transport=tcp>")
	err := o.store.UpdateBindings(t.Context(), ann.Device.ID, func(live []models.Binding) ([]models.Binding, error) {
		live[0].Replica = "r2"
		return live, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	o.Notify(checkSync(ann))
	o.one(t, ann, models.Notification{
		Contact: "sip:a@10.0.0.1;transport=tcp", State: models.NotifyUnreachable, Reason: "the phone's connection is held by r2",
	})
}

func TestNotifyThroughProxy(t *testing.T) {
	proxy, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	o := open(t, func(c *sip.Config) { c.Proxy = proxy.Addr().String() + ";transport=tcp" })
	ann := o.device(t, map[string]any{"username": "ann #1", "password": password})
	o.Notify(checkSync(ann))
	conn, err := proxy.Accept()
	if err != nil {
		t.Fatal(err)
	}
	w := newWire(conn, "tcp")
	req := w.read(t)
	if req.start != "NOTIFY sip:ann%20%231@"+realm+" SIP/2.0" || req.get("Route") != "" {
		t.Errorf("got %v", req)
	}
	w.respond(t, req, "404 Not Found")
	o.one(t, ann, models.Notification{Contact: "sip:ann%20%231@" + realm, State: models.NotifyRefused, Code: 404, Reason: "Not Found"})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// With a proxy, no listener is needed.
func TestNotifyThroughUDPProxy(t *testing.T) {
	proxy, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	o := open(t, func(c *sip.Config) {
		c.Proxy, c.Addr, c.NotifyTimeout = proxy.LocalAddr().String(), "", 300*time.Millisecond
	})
	ann := o.ann(t)
	o.Notify(checkSync(ann))
	buf := make([]byte, 2000)
	if err := proxy.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	n, _, err := proxy.ReadFrom(buf)
	if err != nil || !strings.HasPrefix(string(buf[:n]), "NOTIFY sip:ann@"+realm+" SIP/2.0\r\n") {
		t.Errorf("got %s, %v", buf[:n], err)
	}
	o.one(t, ann, models.Notification{Contact: "sip:ann@" + realm, State: models.NotifyTimeout, Reason: "no answer"})
}

// Stopping gives what is in flight a moment, records the rest and leaves nothing behind.
func TestStop(t *testing.T) {
	before := runtime.NumGoroutine()
	o := open(t, nil)
	ann := o.ann(t)
	silent, busy := o.udp(t), o.tcp(t)
	silent.mustRegister(t, "<sip:silent@10.0.0.1>")
	o.Notify(checkSync(ann))
	silent.read(t)
	busy.send(t, "REGISTER sip:half a message")
	began := time.Now()
	if err := o.stop(); err != nil {
		t.Fatalf("Run: got %v, want nil", err)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("stopping took %v", took)
	}
	o.one(t, ann, models.Notification{
		Contact: "sip:silent@10.0.0.1", State: models.NotifyTimeout, Reason: "the server stopped before an answer came",
	})
	if _, err := busy.tryRead(patience); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("a connection after the stop: got %v, want it closed", err)
	}
	o.Notify(checkSync(ann)) // neither blocks nor panics
	// The database keeps a few goroutines until the test ends.
	eventually(t, "the goroutines are gone", func() bool { return runtime.NumGoroutine() <= before+5 })
}

func TestListenErrors(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	addr := taken.Addr().String()
	_, config, _ := certificate(t)
	o := open(t, nil)
	tests := []struct {
		name string
		cfg  sip.Config
		want string
	}{
		{"TCP", sip.Config{Addr: addr}, "sip-tcp cannot listen on " + addr + ": bind: address already in use"},
		{"UDP", sip.Config{Addr: o.Addrs().UDP.String()}, "sip-udp cannot listen on " + o.Addrs().UDP.String() + ": bind: address already in use"},
		{"TLS", sip.Config{TLSAddr: addr, TLS: config}, "sip-tls cannot listen on " + addr + ": bind: address already in use"},
		{"no port", sip.Config{Addr: "127.0.0.1"}, "invalid sip address: address 127.0.0.1: missing port in address"},
		{"no certificate", sip.Config{TLSAddr: addr}, "invalid sip configuration: TLS on " + addr + " needs a certificate"},
		{"proxy", sip.Config{Proxy: "a b"}, `sip proxy "a b": invalid URI: stray characters`},
		{"sender without password", sip.Config{Sender: sip.Credentials{Username: "a"}}, `invalid sip configuration: a sender's username and password go together`},
		{"sender without proxy", sip.Config{Sender: sip.Credentials{Username: "a", Password: "b"}}, `invalid sip configuration: a sender's credentials are for a proxy, and there is none`},
		{"proxy transport", sip.Config{Proxy: "a;transport=sctp"}, `sip proxy "a;transport=sctp": invalid transport: want udp, tcp or tls`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Log, tt.cfg.NonceKey = discard, []byte("key")
			s, err := sip.New(tt.cfg)
			if err == nil {
				err = s.Listen(t.Context())
			}
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestListeningLines(t *testing.T) {
	o := open(t, nil)
	if o.Addrs().UDP != o.Addrs().TCP || o.Addrs().TLS != (netip.AddrPort{}) {
		t.Errorf("got %+v, want one port for UDP and TCP, no TLS", o.Addrs())
	}
	for _, service := range []string{"sip-udp", "sip-tcp"} {
		if want := fmt.Sprintf("level=INFO msg=listening service=%s addr=%s\n", service, o.Addrs().UDP); !strings.Contains(o.log.String(), want) {
			t.Errorf("no line %q", want)
		}
	}
}

// A phone with two connections (RFC 5626) is told over one, and over the other
// when that is gone.
func TestNotifyOneFlow(t *testing.T) {
	const contact = "sip:a@10.0.0.1;ob"
	again := slices.Repeat([]time.Duration{20 * time.Millisecond}, 50) // until the server knows that a connection is gone
	o := open(t, func(c *sip.Config) { c.NotifyPauses = again })
	ann := o.ann(t)
	flows := []*wire{o.tcp(t), o.tcp(t)}
	for i, w := range flows {
		o.clock.advance(time.Second)
		w.mustRegister(t, fmt.Sprintf(`<%s>;+sip.instance="<urn:uuid:7>";reg-id=%d`, contact, i+1))
	}
	for i := range flows {
		newest := flows[len(flows)-1-i]
		o.Notify(checkSync(ann))
		newest.respond(t, newest.read(t), "200 OK")
		for _, n := range o.outcomes(t, ann, i+1) {
			if n.State != models.NotifyAccepted || n.Contact != contact {
				t.Errorf("NOTIFY %d: got %+v, want it accepted", i, n)
			}
		}
		if all := o.outcomes(t, ann, i+1); len(all) != i+1 {
			t.Errorf("NOTIFY %d: got %d notifications, want one each", i, len(all))
		}
		if err := newest.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// What is queued before the server reads its socket is sent over it all the same.
func TestNotifyAtStart(t *testing.T) {
	o := open(t, nil)
	ann := o.ann(t)
	w := o.udp(t)
	w.mustRegister(t, "<"+privateContact+">")
	for range 5 {
		if err := o.stop(); err != nil {
			t.Fatal(err)
		}
		o.config.Addr = o.Addrs().UDP.String()
		o.start(t)
		o.Notify(checkSync(ann))
		w.respond(t, w.read(t), "200 OK")
	}
	for _, n := range o.outcomes(t, ann, 5) {
		if n.State != models.NotifyAccepted || n.Attempts != 1 {
			t.Errorf("got %+v, want it accepted at once", n)
		}
	}
}
