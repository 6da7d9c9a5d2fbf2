package sip_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/icholy/digest"

	"dialtone/models"
	"dialtone/models/sqlstore/sqlstoretest"
	"dialtone/sip"
)

func TestRegister(t *testing.T) {
	o := open(t, nil)
	ann := o.ann(t)
	w := o.udp(t)
	contact := `<sip:100-0x56@10.9.8.7:5062;transport=udp;ob>`
	res := w.register(t, register{
		callID:  "abc@phone",
		contact: []string{contact + `;+sip.instance="<urn:uuid:1>";reg-id=1`},
		headers: []string{"Expires: 120", "User-Agent: Yealink SIP-T46U 108.86.0.20"},
	})
	if res.code() != 200 {
		t.Fatalf("got %v, want 200", res)
	}
	if got, want := res.get("Contact"), contact+`;expires=120;+sip.instance="<urn:uuid:1>";reg-id=1`; got != want {
		t.Errorf("Contact of the answer: got %s, want %s", got, want)
	}
	if via := res.get("Via"); !strings.Contains(via, "received=127.0.0.1") || !strings.Contains(via, ";rport="+port(w)) {
		t.Errorf("Via of the answer: got %s, want the real source", via)
	}
	got := o.bindings(t, ann)
	if len(got) != 1 {
		t.Fatalf("got %d bindings, want 1", len(got))
	}
	if left := time.Until(got[0].Expires); left < 115*time.Second || left > 120*time.Second {
		t.Errorf("expires in %v, want 2 minutes", left)
	}
	want := models.Binding{
		AccountID: ann.Account.ID, DeviceID: ann.Device.ID, AOR: "sip:ann@" + realm, Contact: strings.Trim(contact, "<>"),
		Instance: "<urn:uuid:1>", RegID: 1, Received: got[0].Received, Transport: "udp", Replica: "r1", CallID: "abc@phone", CSeq: 3,
		UserAgent: "Yealink SIP-T46U 108.86.0.20", Expires: got[0].Expires, Modified: got[0].Modified,
	}
	if diff := cmp.Diff(want, got[0], cmp.Comparer(sameSource)); diff != "" {
		t.Errorf("binding (-want +got):\n%s", diff)
	}
	if got[0].Received.String() != w.LocalAddr().String() {
		t.Errorf("received: got %v, want %v", got[0].Received, w.LocalAddr())
	}
}

func port(w *wire) string {
	_, port, _ := strings.Cut(w.LocalAddr().String(), ":")
	return port
}

func TestLifetimes(t *testing.T) {
	o := open(t, nil)
	o.ann(t)
	o.device(t, map[string]any{"username": "long", "password": password, "expire_seconds": json.Number("600")})
	tests := []struct {
		name, user, contact string
		headers             []string
		code                int
		want                string // of the answer's Contact or Min-Expires
	}{
		{"nothing asked", "ann", "<sip:a@10.0.0.1>", nil, 200, "<sip:a@10.0.0.1>;expires=300"},
		{"the device's", "long", "<sip:a@10.0.0.2>", nil, 200, "<sip:a@10.0.0.2>;expires=600"},
		{"header", "ann", "<sip:a@10.0.0.1>", []string{"Expires: 90"}, 200, "<sip:a@10.0.0.1>;expires=90"},
		{"parameter before header", "ann", "<sip:a@10.0.0.1>;expires=100", []string{"Expires: 90"}, 200, "<sip:a@10.0.0.1>;expires=100"},
		{"without brackets", "ann", "sip:a@10.0.0.1;expires=70", nil, 200, "<sip:a@10.0.0.1>;expires=70"},
		{"too long", "ann", "<sip:a@10.0.0.1>", []string{"Expires: 4000000000"}, 200, "<sip:a@10.0.0.1>;expires=7200"},
		{"no number", "ann", "<sip:a@10.0.0.1>", []string{"Expires: soon"}, 200, "<sip:a@10.0.0.1>;expires=3600"},
		{"compact form", "ann", "", []string{"m: <sip:a@10.0.0.1>;expires=80"}, 200, "<sip:a@10.0.0.1>;expires=80"},
		{"too brief", "ann", "<sip:a@10.0.0.1>", []string{"Expires: 59"}, 423, "60"},
		{"removed", "ann", "<sip:a@10.0.0.1>;expires=0", nil, 200, ""},
	}
	w := o.udp(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := register{user: tt.user, headers: tt.headers}
			if tt.contact != "" {
				r.contact = []string{tt.contact}
			}
			res := w.register(t, r)
			got := res.get("Contact") + res.get("Min-Expires")
			if res.code() != tt.code || got != tt.want {
				t.Errorf("got %d %s, want %d %s", res.code(), got, tt.code, tt.want)
			}
		})
	}
}

func TestBindingExpires(t *testing.T) {
	o := open(t, nil)
	o.ann(t)
	w := o.udp(t)
	w.mustRegister(t, "<sip:a@10.0.0.1>;expires=60", "<sip:b@10.0.0.1>;expires=600")
	o.clock.advance(61 * time.Second)
	res := w.register(t, register{}) // fetches
	if got, want := res.get("Contact"), "<sip:b@10.0.0.1>;expires=539"; got != want {
		t.Errorf("after 61 s: got %s, want %s", got, want)
	}
}

func TestSeveralContacts(t *testing.T) {
	o := open(t, nil)
	ann := o.ann(t)
	w := o.udp(t)
	w.mustRegister(t, "<sip:a@10.0.0.1>, \"B, the <second>\" <sip:b@10.0.0.2;transport=tcp>", "sip:c@10.0.0.3")
	if got := contacts(o.bindings(t, ann)); !slices.Equal(got, []string{"sip:a@10.0.0.1", "sip:b@10.0.0.2;transport=tcp", "sip:c@10.0.0.3"}) {
		t.Errorf("three contacts: got %v", got)
	}
	// The same URI, written differently, is the same binding.
	w.mustRegister(t, "<sip:a@10.0.0.1;lr>", "<sip:b@10.0.0.2;TRANSPORT=TCP>;expires=0")
	if got := contacts(o.bindings(t, ann)); !slices.Equal(got, []string{"sip:a@10.0.0.1;lr", "sip:c@10.0.0.3"}) {
		t.Errorf("one refreshed, one removed: got %v", got)
	}
	if res := w.register(t, register{contact: []string{"*"}, headers: []string{"Expires: 60"}}); res.code() != 400 {
		t.Errorf("* with Expires: 60: got %v, want 400", res)
	}
	if res := w.register(t, register{contact: []string{"*", "<sip:a@10.0.0.1>"}, headers: []string{"Expires: 0"}}); res.code() != 400 {
		t.Errorf("* with another contact: got %v, want 400", res)
	}
	res := w.register(t, register{contact: []string{"*"}, headers: []string{"Expires: 0"}})
	if got := o.bindings(t, ann); res.code() != 200 || len(got) != 0 {
		t.Errorf("* with Expires: 0: got %v and bindings %v", res, got)
	}
}

func contacts(bindings []models.Binding) []string {
	var uris []string
	for _, b := range bindings {
		uris = append(uris, b.Contact)
	}
	slices.Sort(uris)
	return uris
}

func TestOutbound(t *testing.T) {
	o := open(t, nil)
	ann := o.ann(t)
	w := o.udp(t)
	flow := func(user string, id int) string {
		return fmt.Sprintf(`<sip:%s@10.0.0.1>;+sip.instance="<urn:uuid:7>";reg-id=%d`, user, id)
	}
	w.mustRegister(t, flow("x1", 1))
	w.mustRegister(t, flow("x1", 2)) // the same URI over another flow
	w.mustRegister(t, flow("x2", 1)) // the first flow again, with a new URI
	bindings := o.bindings(t, ann)
	if got := contacts(bindings); !slices.Equal(got, []string{"sip:x1@10.0.0.1", "sip:x2@10.0.0.1"}) {
		t.Errorf("got %v, want one binding a flow", got)
	}
}

func TestTooManyContacts(t *testing.T) {
	o := open(t, nil)
	ann := o.ann(t)
	w := o.udp(t)
	var ten []string
	for i := range 10 {
		ten = append(ten, fmt.Sprintf("<sip:%s%d@10.0.0.1>", strings.Repeat("x", 150), i))
	}
	if got := w.mustRegister(t, ten...); len(got.all("Contact")) != 10 { // over 1300 bytes
		t.Errorf("got %v, want ten contacts", got)
	}
	if res := w.register(t, register{contact: []string{"<sip:eleven@10.0.0.1>"}}); res.code() != 403 {
		t.Errorf("the eleventh: got %v, want 403", res)
	}
	w.mustRegister(t, ten[3]) // a refresh is none too many
	if got := o.bindings(t, ann); len(got) != 10 {
		t.Errorf("got %d bindings, want 10", len(got))
	}
}

func TestOrder(t *testing.T) {
	o := open(t, nil)
	ann := o.ann(t)
	w := o.udp(t)
	try := func(cseq int, contact, expires string) *message {
		return w.register(t, register{callID: "same", cseq: cseq, contact: []string{contact}, headers: []string{"Expires: " + expires}})
	}
	const contact = "<sip:a@10.0.0.1>"
	if res := try(10, contact, "300"); res.code() != 200 {
		t.Fatalf("got %v", res)
	}
	before := o.bindings(t, ann)
	if res := try(10, contact, "300"); res.code() != 200 || len(res.all("Contact")) != 1 {
		t.Errorf("the same again: got %v, want the same 200", res)
	}
	if diff := cmp.Diff(before, o.bindings(t, ann), cmp.Comparer(sameSource)); diff != "" {
		t.Errorf("the same again changed the binding:\n%s", diff)
	}
	if res := try(10, contact, "600"); res.code() != 500 {
		t.Errorf("the same CSeq with another wish: got %v, want 500", res)
	}
	if res := try(8, contact, "0"); res.code() != 500 {
		t.Errorf("older: got %v, want 500", res)
	}
	if res := try(8, "*", "0"); res.code() != 500 {
		t.Errorf("older *: got %v, want 500", res)
	}
	if res := try(12, contact, "300"); res.code() != 200 {
		t.Errorf("newer: got %v, want 200", res)
	}
	if res := w.register(t, register{callID: "rebooted", cseq: 1, contact: []string{contact}}); res.code() != 200 {
		t.Errorf("another Call-ID: got %v, want 200", res)
	}
	if got := o.bindings(t, ann); len(got) != 1 || got[0].CallID != "rebooted" {
		t.Errorf("got %v, want the binding of the last Call-ID", got)
	}
}

// A repeated datagram gets the same answer, To tag included.
func TestRetransmission(t *testing.T) {
	o := open(t, nil)
	ann := o.ann(t)
	w := o.udp(t)
	r := register{callID: "again", cseq: 1, contact: []string{"<sip:a@10.0.0.1>"}}
	w.send(t, r.text(w, ""))
	authorization := r.answer(t, w.read(t))
	r.cseq = 2
	datagram := r.text(w, authorization)
	w.send(t, datagram)
	first := w.read(t)
	w.send(t, datagram)
	if second := w.read(t); first.code() != 200 || second.get("To") != first.get("To") || second.code() != 200 {
		t.Errorf("got %v after %v", second, first)
	}
	if got := o.bindings(t, ann); len(got) != 1 {
		t.Errorf("got %d bindings, want 1", len(got))
	}
}

func TestPath(t *testing.T) {
	o := open(t, nil)
	ann := o.ann(t)
	w := o.udp(t)
	path := []string{"<sip:127.0.0.1:15090;lr;received=sip:1.2.3.4:5062%3Btransport%3Dtcp>", "<sip:edge2.example.com;lr>", "<sip:edge3.example.com;lr>"}
	res := w.register(t, register{contact: []string{"<sip:a@10.0.0.1>"}, headers: []string{"Path: " + path[0], "Path: " + path[1] + "," + path[2]}})
	if got := res.all("Path"); res.code() != 200 || !slices.Equal(got, path) {
		t.Errorf("Path of the answer: got %v, want %v", res, path)
	}
	if got := o.bindings(t, ann)[0].Path; !slices.Equal(got, path) {
		t.Errorf("stored: got %v, want %v", got, path)
	}
	if got := w.mustRegister(t, "<sip:a@10.0.0.1>"); got.all("Path") != nil {
		t.Errorf("without Path: got %v", got)
	}
}

func TestAuthentication(t *testing.T) {
	o := open(t, nil)
	o.ann(t)
	o.device(t, map[string]any{"username": "off", "password": password}, "enabled", false)
	o.device(t, map[string]any{"username": "byip", "password": password, "method": "ip", "ip": "192.0.2.1"})
	o.device(t, map[string]any{"username": "open"})
	contact := []string{"<sip:a@10.0.0.1>"}
	tests := []struct {
		name   string
		r      register
		code   int
		failed int32 // counted by the guard
	}{
		{"right", register{contact: contact}, 200, 0},
		{"without qop", register{contact: contact, digest: func(c *digest.Challenge) { c.QOP = nil }}, 200, 0},
		{"username in capitals", register{user: "ANN", contact: contact}, 200, 0},
		{"wrong password", register{password: "guess", contact: contact}, 401, 1},
		{"unknown user", register{user: "nobody", contact: contact}, 401, 1},
		{"known by address only", register{user: "byip", contact: contact}, 401, 1},
		{"no password at all", register{user: "open", contact: contact}, 401, 1},
		{"SHA-256", register{contact: contact, digest: func(c *digest.Challenge) { c.Algorithm = "SHA-256" }}, 401, 1},
		{"disabled", register{user: "off", contact: contact}, 403, 0},
		{"disabled, wrong password", register{user: "off", password: "guess", contact: contact}, 401, 1},
		{"stale nonce", register{contact: contact, digest: func(*digest.Challenge) { o.clock.advance(6 * time.Minute) }}, 401, 0},
	}
	w := o.udp(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := o.guard.failed.Load()
			res := w.register(t, tt.r)
			if failed := o.guard.failed.Load() - before; res.code() != tt.code || failed != tt.failed {
				t.Errorf("got %d and %d failures, want %d and %d", res.code(), failed, tt.code, tt.failed)
			}
			if got := strings.Contains(res.get("WWW-Authenticate"), "stale=true"); got != (tt.name == "stale nonce") {
				t.Errorf("stale: got %v in %v", got, res)
			}
		})
	}
}

// The account's choice is all that is offered, to known and unknown users alike.
func TestDigestAlgorithms(t *testing.T) {
	tests := []struct {
		choice  string
		offered []string
		codes   map[string]int // by the algorithm of the answer
	}{
		{"", []string{"MD5"}, map[string]int{"MD5": 200, "SHA-256": 401}},
		{"md5", []string{"MD5"}, map[string]int{"MD5": 200, "SHA-256": 401}},
		{"sha256", []string{"SHA-256"}, map[string]int{"MD5": 401, "SHA-256": 200}},
		{"both", []string{"SHA-256", "MD5"}, map[string]int{"MD5": 200, "SHA-256": 200}},
	}
	for _, tt := range tests {
		t.Run(tt.choice, func(t *testing.T) {
			o := open(t, nil)
			old := *o.account
			setDocument(t, o.account, models.Document{"name": "Acme", "realm": realm, "sip_digest": tt.choice})
			if err := o.store.SaveAccount(t.Context(), &old, o.account); err != nil {
				t.Fatal(err)
			}
			o.ann(t)
			o.device(t, map[string]any{"username": "eve", "password": password, "realm": "eve.example.com"})
			w := o.udp(t)
			for _, user := range []string{"ann", "nobody"} {
				for algorithm, code := range tt.codes {
					r := register{user: user, callID: algorithm, cseq: 1, contact: []string{"<sip:a@10.0.0.1>"}}
					w.send(t, r.text(w, ""))
					first := w.read(t)
					var offered []string
					for _, value := range first.all("WWW-Authenticate") {
						c, err := digest.ParseChallenge(value)
						if err != nil {
							t.Fatal(err)
						}
						offered = append(offered, c.Algorithm)
					}
					if !slices.Equal(offered, tt.offered) {
						t.Errorf("%s: offered %v, want %v", user, offered, tt.offered)
					}
					first.headers = slices.DeleteFunc(first.headers, func(h string) bool {
						return strings.Contains(h, "WWW-Authenticate") && !strings.HasSuffix(h, first.all("WWW-Authenticate")[0])
					})
					r.digest = func(c *digest.Challenge) { c.Algorithm = algorithm }
					r.cseq++
					w.send(t, r.text(w, r.answer(t, first)))
					if user == "nobody" {
						code = 401
					}
					if res := w.read(t); res.code() != code {
						t.Errorf("%s answers with %s: got %v, want %d", user, algorithm, res, code)
					}
				}
			}
			// A realm that devices of the account name is the account's, too.
			w.send(t, strings.ReplaceAll(register{user: "eve", callID: "eve", cseq: 1}.text(w, ""), realm, "eve.example.com"))
			if got := w.read(t).all("WWW-Authenticate"); len(got) != len(tt.offered) || !strings.Contains(got[0], tt.offered[0]) {
				t.Errorf("a device's own realm: got %v, want %v", got, tt.offered)
			}
		})
	}
}

// Who has seen a REGISTER on its way can do nothing with it.
func TestReplay(t *testing.T) {
	o := open(t, nil)
	ann := o.ann(t)
	w := o.udp(t)
	r := register{callID: "replayed", cseq: 1, contact: []string{"<sip:a@10.0.0.1>"}}
	w.send(t, r.text(w, ""))
	authorization := r.answer(t, w.read(t))
	r.cseq = 2
	datagram := r.text(w, authorization)
	w.send(t, datagram)
	if res := w.read(t); res.code() != 200 {
		t.Fatalf("got %v, want 200", res)
	}
	stale := func(what string, res *message) {
		t.Helper()
		if res.code() != 401 || !strings.Contains(res.get("WWW-Authenticate"), "stale=true") {
			t.Errorf("%s: got %v, want a new challenge", what, res)
		}
	}
	r.cseq, r.contact = 3, []string{"<sip:thief@10.0.0.66>"}
	w.send(t, r.text(w, authorization))
	stale("the credentials with another request", w.read(t))
	w.send(t, strings.Replace(datagram, "<sip:a@10.0.0.1>", "<sip:thief@10.0.0.66>", 1))
	stale("the request with another contact", w.read(t))
	if got := o.guard.failed.Load(); got != 0 {
		t.Errorf("%d failures were counted, want none: a phone may have lost its count", got)
	}

	w.register(t, register{contact: []string{"*"}, headers: []string{"Expires: 0"}})
	w.send(t, datagram)
	if res := w.read(t); res.code() != 200 || res.get("Contact") != "" {
		t.Errorf("repeated after the contact was removed: got %v, want 200 without it", res)
	}
	o.clock.advance(time.Minute)
	eventually(t, "a new challenge for the very request, later", func() bool { // until its transaction has ended
		w.send(t, datagram)
		res := w.read(t)
		return res.code() == 401 && strings.Contains(res.get("WWW-Authenticate"), "stale=true")
	})
	if got := o.bindings(t, ann); len(got) != 0 {
		t.Errorf("got %v, want no contact", contacts(got))
	}
}

// slowStore stores bindings when it is told to.
type slowStore struct {
	sip.Store
	begun, proceed chan struct{}
}

func (s *slowStore) UpdateBindings(ctx context.Context, id string, change func([]models.Binding) ([]models.Binding, error)) error {
	s.begun <- struct{}{}
	<-s.proceed
	return s.Store.UpdateBindings(ctx, id, change)
}

// A REGISTER that is repeated while the first is being stored is not answered
// before that is done.
func TestRepeatedWhileStored(t *testing.T) {
	slow := &slowStore{begun: make(chan struct{}, 1), proceed: make(chan struct{})}
	o := open(t, func(c *sip.Config) { slow.Store, c.Store = c.Store, slow })
	o.ann(t)
	w := o.udp(t)
	r := register{callID: "impatient", cseq: 1, contact: []string{"<sip:a@10.0.0.1>"}}
	w.send(t, r.text(w, ""))
	authorization := r.answer(t, w.read(t))
	r.cseq = 2
	datagram := r.text(w, authorization)
	w.send(t, datagram)
	<-slow.begun
	w.send(t, datagram)
	w.send(t, optionsOf(w, "heard after it"))
	if res := w.read(t); res.get("Call-ID") != "heard after it" {
		t.Errorf("got %v, want the answer to OPTIONS", res)
	}
	close(slow.proceed)
	for _, what := range []string{"stored", "repeated later"} {
		if res := w.read(t); res.code() != 200 || !strings.Contains(res.get("Contact"), "sip:a@10.0.0.1") {
			t.Errorf("%s: got %v, want 200 with the contact", what, res)
		}
		w.send(t, datagram)
	}
}

// Phones are answered also where the server listens at any address.
func TestAnyAddress(t *testing.T) {
	o := open(t, func(c *sip.Config) { c.Addr = ":0" })
	ann := o.ann(t)
	dialWire(t, "udp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), o.Addrs().UDP.Port()), nil).mustRegister(t, "<sip:a@10.0.0.1>")
	bindings := o.bindings(t, ann)
	if len(bindings) != 1 || bindings[0].Received.Addr() != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("got %+v, want one from 127.0.0.1", bindings)
	}
}

// A phone may count on with one nonce, and must then not be asked again.
func TestNonceIsCountedOn(t *testing.T) {
	o := open(t, nil)
	o.ann(t)
	w := o.udp(t)
	r := register{callID: "counted", cseq: 1, contact: []string{"<sip:a@10.0.0.1>"}}
	w.send(t, r.text(w, ""))
	challenge := w.read(t)
	for count := 1; count <= 3; count++ {
		r.count = count
		r.cseq++
		w.send(t, r.text(w, r.answer(t, challenge)))
		if res := w.read(t); res.code() != 200 {
			t.Errorf("count %d: got %v, want 200", count, res)
		}
	}
}

// What storage could not do is done when the phone repeats it.
func TestRepeatedAfterFailure(t *testing.T) {
	o := open(t, nil)
	ann := o.ann(t)
	w := o.udp(t)
	r := register{callID: "failed", cseq: 1, contact: []string{"<sip:a@10.0.0.1>"}}
	w.send(t, r.text(w, ""))
	authorization := r.answer(t, w.read(t))
	r.cseq = 2
	datagram := r.text(w, authorization)
	o.faults.readOnly.Store(true)
	w.send(t, datagram)
	if res := w.read(t); res.code() != 503 {
		t.Fatalf("got %v, want 503", res)
	}
	o.faults.readOnly.Store(false)
	eventually(t, "200 and a contact", func() bool { // once its transaction has ended
		w.send(t, datagram)
		return w.read(t).code() == 200 && len(o.bindings(t, ann)) == 1
	})
}

func TestKnownByAddress(t *testing.T) {
	o := open(t, nil)
	door := o.device(t, map[string]any{"username": "Door", "method": "ip", "ip": "127.0.0.3"})
	o.device(t, map[string]any{"username": "off", "method": "ip", "ip": "127.0.0.4"}, "enabled", false)
	o.device(t, map[string]any{"username": "elsewhere", "method": "ip", "ip": "127.0.0.5", "realm": "other.example.com"})
	o.ann(t)
	contact := []string{"<sip:door@127.0.0.3:5060>"}
	tests := []struct {
		name, from, user, password string
		code                       int
	}{
		{"its own address", "127.0.0.3", "door", "", 200},
		{"another address", "127.0.0.2", "door", "", 401},
		{"another device's address", "127.0.0.4", "door", "", 401},
		{"disabled", "127.0.0.4", "off", "", 403},
		{"disabled, from elsewhere", "127.0.0.3", "off", "", 401},
		{"in another realm", "127.0.0.5", "elsewhere", "", 401},
		{"somebody else at its address", "127.0.0.3", "nobody", "", 401},
		{"a password at its address", "127.0.0.3", "ann", password, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWire(udpFrom(t, tt.from, o.Addrs().UDP), "udp")
			r := register{user: tt.user, password: tt.password, callID: tt.name, cseq: 1, contact: contact}
			w.send(t, r.text(w, ""))
			res := w.read(t)
			if tt.password != "" && res.code() == 401 {
				r.cseq++
				w.send(t, r.text(w, r.answer(t, res)))
				res = w.read(t)
			}
			if res.code() != tt.code {
				t.Errorf("got %v, want %d", res, tt.code)
			}
		})
	}
	if got := contacts(o.bindings(t, door)); !slices.Equal(got, []string{"sip:door@127.0.0.3:5060"}) {
		t.Errorf("got %v, want its contact", got)
	}
	// Credentials of an earlier time do not stand in its way.
	w := newWire(udpFrom(t, "127.0.0.3", o.Addrs().UDP), "udp")
	r := register{user: "nobody", callID: "old", cseq: 1}
	w.send(t, r.text(w, ""))
	r.user = "door"
	answer := r.answer(t, w.read(t))
	w.send(t, r.text(w, answer))
	if res := w.read(t); res.code() != 200 || o.guard.failed.Load() != 0 {
		t.Errorf("with credentials: got %v and %d failures, want 200 and none", res, o.guard.failed.Load())
	}
}

// Device, owner and account must all be enabled.
func TestDisabled(t *testing.T) {
	for _, what := range []string{"device", "owner", "account"} {
		t.Run(what, func(t *testing.T) {
			o := open(t, nil)
			owner := &models.User{AccountID: o.account.ID}
			setDocument(t, owner, models.Document{"first_name": "A", "last_name": "B", "enabled": what != "owner"})
			if err := o.store.CreateUser(t.Context(), owner); err != nil {
				t.Fatal(err)
			}
			p := o.device(t, map[string]any{"username": "ann", "password": password}, "enabled", what != "device", "owner_id", owner.ID)
			old := *o.account
			setDocument(t, o.account, models.Document{"name": "Acme", "realm": realm, "enabled": what != "account"})
			if err := o.store.SaveAccount(t.Context(), &old, o.account); err != nil {
				t.Fatal(err)
			}
			w := o.udp(t)
			if res := w.register(t, register{contact: []string{"<sip:a@10.0.0.1>"}}); res.code() != 403 || len(o.bindings(t, p)) != 0 {
				t.Errorf("got %v, want 403", res)
			}
			if res := w.register(t, register{password: "guess", contact: []string{"<sip:a@10.0.0.1>"}}); res.code() != 401 {
				t.Errorf("wrong password: got %v, want 401", res)
			}
		})
	}
}

// Over UDP anybody can write any source address. Wrong credentials count
// against a source only under a nonce that was sent to it, so that nobody can
// have an office locked out.
func TestForgedFailuresDoNotCount(t *testing.T) {
	o := open(t, nil)
	o.ann(t)
	guess := register{password: "guess", callID: "forged", contact: []string{"<sip:a@10.0.0.1>"}}
	attacker := newWire(udpFrom(t, "127.0.0.2", o.Addrs().UDP), "udp")
	attacker.send(t, guess.text(attacker, ""))
	answer := guess.answer(t, attacker.read(t))

	victim := o.udp(t) // the attacker's packets under the victim's address
	for range 3 {
		guess.cseq++
		victim.send(t, guess.text(victim, answer))
		if res := victim.read(t); res.code() != 401 || !strings.Contains(res.get("WWW-Authenticate"), "stale=true") {
			t.Errorf("got %v, want a new challenge", res)
		}
	}
	if got := o.guard.failed.Load(); got != 0 {
		t.Errorf("%d failures were counted, want none", got)
	}
	victim.mustRegister(t, "<sip:a@10.0.0.1>")
}

// Nobody learns from an answer whether a user exists.
func TestUnknownUserLooksLikeWrongPassword(t *testing.T) {
	o := open(t, nil)
	o.ann(t)
	o.device(t, map[string]any{"username": "off", "password": password}, "enabled", false)
	o.device(t, map[string]any{"username": "door", "method": "ip", "ip": "127.0.0.3"})
	o.device(t, map[string]any{"username": "open"})
	changing := regexp.MustCompile(`((?:tag|nonce|branch)="?)[^;",\n]*|sip:\w+@`)
	shape := func(m *message) string { return changing.ReplaceAllString(m.String(), "$1") }
	w := o.udp(t)
	for _, secret := range []string{"guess", ""} {
		var seen []string
		for _, user := range []string{"ann", "bob", "off", "door", "open"} {
			r := register{user: user, password: secret, callID: "c", cseq: 1, contact: []string{"<sip:a@10.0.0.1>"}}
			w.send(t, r.text(w, ""))
			first := w.read(t)
			if secret != "" {
				w.send(t, r.text(w, r.answer(t, first)))
				first = w.read(t)
			}
			seen = append(seen, shape(first))
		}
		if len(slices.Compact(seen)) > 1 || !strings.HasPrefix(seen[0], "SIP/2.0 401 ") {
			t.Errorf("known and unknown users differ:\n%s", strings.Join(seen, "\n"))
		}
	}
}

func TestLockedSource(t *testing.T) {
	o := open(t, nil)
	o.ann(t)
	o.guard.locked.Store(true)
	if res := o.udp(t).register(t, register{contact: []string{"<sip:a@10.0.0.1>"}}); res.code() != 503 || res.get("Retry-After") == "" {
		t.Errorf("got %v, want 503 with Retry-After", res)
	}
}

func TestStorageFailure(t *testing.T) {
	o := open(t, nil)
	ann := o.ann(t)
	w := o.udp(t)
	w.mustRegister(t, "<sip:a@10.0.0.1>")
	o.faults.down.Store(true)
	if res := w.register(t, register{contact: []string{"<sip:a@10.0.0.1>"}}); res.code() != 503 || res.get("Retry-After") == "" {
		t.Errorf("got %v, want 503 with Retry-After", res)
	}
	for range 30 { // from strangers as well: they must not fill the disk
		w.register(t, register{contact: []string{"<sip:a@10.0.0.1>"}})
	}
	if told := strings.Count(o.log.String(), "registration failed"); told != 10 {
		t.Errorf("logged %d times, want 10", told)
	}
	o.faults.down.Store(false)
	w.mustRegister(t, "<sip:a@10.0.0.1>")
	if got := o.bindings(t, ann); len(got) != 1 {
		t.Errorf("got %d bindings, want 1", len(got))
	}
}

func TestBadRequests(t *testing.T) {
	o := open(t, nil)
	ann := o.ann(t)
	w := o.udp(t)
	head := func(method, extra string) string {
		return method + " sip:" + realm + " SIP/2.0\r\nVia: SIP/2.0/UDP " + w.LocalAddr().String() + ";branch=z9hG4bK" + fmt.Sprint(serial.Add(1)) + "\r\n" + extra
	}
	ids := "From: <sip:ann@" + realm + ">;tag=1\r\nTo: <sip:ann@" + realm + ">\r\nCall-ID: x\r\nCSeq: 1 "
	tests := []struct {
		name, text string
		code       int
		header     string
	}{
		{"OPTIONS", head("OPTIONS", ids+"OPTIONS\r\n"), 200, "Allow: REGISTER, OPTIONS"},
		{"SUBSCRIBE", head("SUBSCRIBE", ids+"SUBSCRIBE\r\n"), 405, "Allow: REGISTER, OPTIONS"},
		{"INVITE", head("INVITE", ids+"INVITE\r\n"), 405, "Allow: REGISTER, OPTIONS"},
		{"CANCEL", head("CANCEL", ids+"CANCEL\r\n"), 481, ""},
		{"unknown method", head("BOOGIE", ids+"BOOGIE\r\n"), 405, ""},
		{"version", strings.Replace(head("OPTIONS", ids+"OPTIONS\r\n"), realm+" SIP/2.0", realm+" SIP/7.0", 1), 505, ""},
		{"CSeq of another method", head("REGISTER", ids+"OPTIONS\r\n"), 400, ""},
		{"contact not closed", head("REGISTER", ids+"REGISTER\r\nContact: <sip:a@b\r\n"), 400, ""},
		{"contact of another scheme", head("REGISTER", ids+"REGISTER\r\nContact: <mailto:a@b>\r\n"), 400, ""},
		{"contact too long", head("REGISTER", ids+"REGISTER\r\nContact: <sip:"+strings.Repeat("a", 512)+"@b>\r\n"), 400, ""},
		{"line feed in a contact", head("REGISTER", ids+"REGISTER\r\nContact: <sip:a@b\nX: y>\r\n"), 400, ""},
		{"reg-id", head("REGISTER", ids+"REGISTER\r\nContact: <sip:a@b>;reg-id=x;+sip.instance=\"<i>\"\r\n"), 400, ""},
		{"path", head("REGISTER", ids+"REGISTER\r\nContact: <sip:a@b>\r\nPath: nonsense\r\n"), 400, ""},
		{"required extension", head("REGISTER", ids+"REGISTER\r\nRequire: path, gruu\r\n"), 420, "Unsupported: gruu"},
		{"no To", head("REGISTER", "From: <sip:a@b>;tag=1\r\nCall-ID: x\r\nCSeq: 1 REGISTER\r\n"), 400, ""},
		{"realm with a quote", head("REGISTER", strings.Replace(ids, "To: <sip:ann@"+realm, "To: <sip:ann@a\"b", 1)+"REGISTER\r\n"), 400, ""},
		{"no user", head("REGISTER", strings.Replace(ids, "To: <sip:ann@", "To: <sip:", 1)+"REGISTER\r\n"), 400, ""},
		{"bad authorization", head("REGISTER", ids+"REGISTER\r\nAuthorization: Digest =,\"\r\n"), 401, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.send(t, tt.text+"Content-Length: 0\r\n\r\n")
			res := w.read(t)
			if res.code() != tt.code || (tt.header != "" && !slices.Contains(res.headers, tt.header)) {
				t.Errorf("got %v, want %d with %q", res, tt.code, tt.header)
			}
		})
	}
	for _, noise := range []string{"\r\n\r\n", "\x00\x01\x00\x00", "hello", "REGISTER\r\n\r\n",
		head("REGISTER", "Authorization: Digest "+password+"\r\nTo: <<>\r\n\r\n"), head("ACK", ids+"ACK\r\n\r\n")} {
		w.send(t, noise)
	}
	w.mustRegister(t, "<sip:still@10.0.0.1>")
	if got := contacts(o.bindings(t, ann)); !slices.Equal(got, []string{"sip:still@10.0.0.1"}) {
		t.Errorf("got %v, want the last contact alone", got)
	}
}

// The log never holds a message, whatever the stack wants to say about it.
func TestLogHoldsNoMessages(t *testing.T) {
	o := open(t, nil)
	bad := "REGISTER sip:x SIP/2.0\r\nAuthorization: Digest response=\"" + password + "\"\r\nnot a header\r\n\r\n"
	datagrams := o.udp(t)
	datagrams.send(t, bad)
	datagrams.send(t, strings.Replace(bad, "REGISTER", "OPTIONS", 1))
	w := o.tcp(t)
	w.send(t, bad)
	if m, err := w.tryRead(patience); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, %v, want the connection closed", m, err)
	}
	eventually(t, "a log line of the stack", func() bool { return strings.Contains(o.log.String(), "sip stack: failed to parse") })
}

// A phone behind NAT that does not ask for it (RFC 3581) is answered where it is
// reached; one that is not behind NAT where its Via says (RFC 3261, section 18.2.2).
func TestAnswerWithoutRport(t *testing.T) {
	o := open(t, nil)
	ask := func(w *wire, sentBy string) {
		text := register{callID: "no-rport", cseq: 1}.text(w, "")
		text = strings.Replace(text, w.LocalAddr().String(), sentBy, 1)
		w.send(t, strings.Replace(text, ";rport", "", 1))
	}
	behind, sending, listening := o.udp(t), o.udp(t), o.udp(t)
	ask(behind, "10.1.2.3:5060")
	res := behind.read(t)
	if via := res.get("Via"); res.code() != 401 || !strings.Contains(via, ";received=127.0.0.1") || strings.Contains(via, "rport") {
		t.Errorf("behind NAT: got %v", res)
	}
	ask(sending, listening.LocalAddr().String())
	if res := listening.read(t); res.code() != 401 {
		t.Errorf("answered at another port: got %v", res)
	}
}

// A phone is judged by the password that another server has stored a moment ago.
func TestPasswordChangedElsewhere(t *testing.T) {
	o := open(t, nil)
	store, other := sqlstoretest.Replicas(t, "sqlite:"+filepath.Join(t.TempDir(), "d.db"))
	if err := o.stop(); err != nil {
		t.Fatal(err)
	}
	o.store, o.config.Store, o.account = store, store, &models.Account{}
	setDocument(t, o.account, models.Document{"name": "Acme", "realm": realm})
	if err := store.CreateAccount(t.Context(), o.account, models.NewAPIKey()); err != nil {
		t.Fatal(err)
	}
	o.start(t)
	ann := o.ann(t)
	w := o.udp(t)
	r := register{contact: []string{"<sip:a@10.0.0.1>"}}
	for range 2 {
		w.mustRegister(t, r.contact...)
	}
	change := func(settings map[string]any, enabled bool) {
		t.Helper()
		next := *ann.Device
		setDocument(t, &next, models.Document{"name": "Desk", "enabled": enabled, "sip": settings})
		if err := other.SaveDevice(t.Context(), ann.Device, &next); err != nil {
			t.Fatal(err)
		}
		ann.Device = &next
	}
	change(map[string]any{"username": "ann", "password": "an0ther-pa55"}, true)
	if res := w.register(t, r); res.code() != 401 {
		t.Errorf("the old password: got %v, want 401", res)
	}
	r.password = "an0ther-pa55"
	if res := w.register(t, r); res.code() != 200 {
		t.Errorf("the new password: got %v, want 200", res)
	}
	change(map[string]any{"username": "ann", "password": "an0ther-pa55"}, false)
	if res := w.register(t, r); res.code() != 403 {
		t.Errorf("disabled: got %v, want 403", res)
	}
}

// The bound on contacts holds for those that register at the same moment.
func TestTooManyContactsAtOnce(t *testing.T) {
	o := open(t, nil)
	ann := o.ann(t)
	var phones sync.WaitGroup
	var taken, refused atomic.Int32
	for i := range 30 {
		w := o.udp(t)
		r := register{callID: fmt.Sprintf("at-once-%d", i), cseq: 1, contact: []string{fmt.Sprintf("<sip:a@10.0.0.%d>", i+1)}}
		w.send(t, r.text(w, ""))
		credentials := r.answer(t, w.read(t))
		r.cseq = 2
		phones.Go(func() {
			if _, err := io.WriteString(w, r.text(w, credentials)); err != nil {
				t.Error(err)
			}
			switch res, err := w.tryRead(patience); {
			case err != nil:
				t.Error(err)
			case res.code() == 200:
				taken.Add(1)
			case res.code() == 403:
				refused.Add(1)
			}
		})
	}
	phones.Wait()
	if got := len(o.bindings(t, ann)); got != 10 || taken.Load() != 10 || refused.Load() != 20 {
		t.Errorf("30 at once: %d taken, %d refused, %d stored, want 10, 20 and 10", taken.Load(), refused.Load(), got)
	}
}
