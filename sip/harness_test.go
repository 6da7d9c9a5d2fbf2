package sip_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icholy/digest"

	"dialtone/internal/syncbuf"
	"dialtone/models"
	"dialtone/models/sqlstore"
	"dialtone/models/sqlstore/sqlstoretest"
	"dialtone/sip"
)

const (
	realm    = "acme.example.com"
	password = "pa55-w0rd-of-ann"
	patience = 20 * time.Second // for what must happen
)

// An office is a SIP server with an account in its database.
type office struct {
	*sip.Server
	store   *sqlstore.Store
	faults  *faultyStore
	guard   *fakeGuard
	clock   *fakeClock
	log     *syncbuf.Buffer
	account *models.Account
	config  sip.Config
	stop    func() error // ends Run and returns what it returned
}

// open starts a server on free ports of 127.0.0.1.
func open(t *testing.T, change func(*sip.Config)) *office {
	t.Helper()
	o := &office{store: sqlstoretest.New(t), guard: &fakeGuard{}, clock: &fakeClock{}, log: &syncbuf.Buffer{}, account: &models.Account{}}
	o.faults = &faultyStore{Store: o.store}
	setDocument(t, o.account, models.Document{"name": "Acme", "realm": realm})
	if err := o.store.CreateAccount(t.Context(), o.account, models.NewAPIKey()); err != nil {
		t.Fatal(err)
	}
	cfg := sip.Config{
		Addr: "127.0.0.1:0", Replica: "r1", NonceKey: []byte("key"), Store: o.faults, Guard: o.guard, Now: o.clock.now,
		Log:          slog.New(slog.NewTextHandler(o.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		NotifyPauses: []time.Duration{}, // one attempt, unless a test wants more
	}
	if change != nil {
		change(&cfg)
	}
	o.config = cfg
	o.start(t)
	t.Cleanup(func() {
		if err := o.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		for _, secret := range []string{password, "Authorization", "response="} {
			if strings.Contains(o.log.String(), secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
		if t.Failed() {
			t.Log(o.log.String())
		}
	})
	return o
}

// start runs a server.
func (o *office) start(t *testing.T) {
	t.Helper()
	var err error
	if o.Server, err = sip.New(o.config); err != nil {
		t.Fatal(err)
	}
	if err := o.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	result := make(chan error, 1)
	server := o.Server
	go func() { result <- server.Run(ctx) }()
	o.stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-result:
			return err
		case <-time.After(patience):
			return errors.New("Run did not return")
		}
	})
}

// restart stops the server and starts it again at the same address.
func (o *office) restart(t *testing.T) {
	t.Helper()
	o.config.Addr = o.Addrs().UDP.String()
	if err := o.stop(); err != nil {
		t.Fatal(err)
	}
	o.start(t)
}

var discard = slog.New(slog.DiscardHandler)

type documented interface {
	SetDocument(models.Document) error
}

func setDocument(t testing.TB, d documented, doc models.Document) {
	t.Helper()
	if err := d.SetDocument(doc); err != nil {
		t.Fatal(err)
	}
}

// device stores a device with this SIP object and returns its phone.
func (o *office) device(t *testing.T, sipSettings map[string]any, more ...any) *models.Phone {
	t.Helper()
	doc := models.Document{"name": "Desk", "sip": sipSettings}
	for i := 0; i < len(more); i += 2 {
		doc[more[i].(string)] = more[i+1]
	}
	d := &models.Device{AccountID: o.account.ID}
	setDocument(t, d, doc)
	if err := o.store.CreateDevice(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	phone, err := o.store.PhoneByID(t.Context(), o.account.ID, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	return phone
}

// ann is the usual device.
func (o *office) ann(t *testing.T) *models.Phone {
	t.Helper()
	return o.device(t, map[string]any{"username": "ann", "password": password})
}

func (o *office) bindings(t *testing.T, p *models.Phone) []models.Binding {
	t.Helper()
	bindings, err := o.store.Bindings(t.Context(), p.Device.ID)
	if err != nil {
		t.Fatal(err)
	}
	return bindings
}

// outcomes waits until the phone has want notifications that are finished, and
// returns them, the newest first.
func (o *office) outcomes(t *testing.T, p *models.Phone, want int) []models.Notification {
	t.Helper()
	var all []models.Notification
	eventually(t, fmt.Sprintf("%d finished notifications", want), func() bool {
		var err error
		if all, err = o.store.Notifications(t.Context(), p.Device.ID, 100); err != nil {
			t.Fatal(err)
		}
		finished := 0
		for _, n := range all {
			if !n.Open() {
				finished++
			}
		}
		return finished >= want
	})
	return all
}

func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// faultyStore is the real store until it is down.
type faultyStore struct {
	sip.Store
	down     atomic.Bool
	readOnly atomic.Bool
}

func (s *faultyStore) UpdateBindings(ctx context.Context, id string, change func([]models.Binding) ([]models.Binding, error)) error {
	if s.readOnly.Load() {
		return models.ErrUnavailable
	}
	return s.Store.UpdateBindings(ctx, id, change)
}

func (s *faultyStore) PhoneByAOR(ctx context.Context, username, realm string) (*models.Phone, error) {
	if s.down.Load() {
		return nil, models.ErrUnavailable
	}
	return s.Store.PhoneByAOR(ctx, username, realm)
}

type fakeGuard struct {
	locked atomic.Bool
	failed atomic.Int32
}

func (g *fakeGuard) Allowed(netip.Addr) bool { return !g.locked.Load() }
func (g *fakeGuard) Fail(netip.Addr)         { g.failed.Add(1) }

type fakeClock struct{ ahead atomic.Int64 }

func (c *fakeClock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *fakeClock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// A message is a SIP message as it was read.
type message struct {
	start   string
	headers []string // "Name: value"
	body    string
}

func (m *message) code() int {
	fields := strings.Fields(m.start)
	if len(fields) < 2 {
		return 0
	}
	code, _ := strconv.Atoi(fields[1])
	return code
}

// all are the values of a header.
func (m *message) all(name string) []string {
	var values []string
	for _, h := range m.headers {
		if key, value, _ := strings.Cut(h, ":"); strings.EqualFold(strings.TrimSpace(key), name) {
			values = append(values, strings.TrimSpace(value))
		}
	}
	return values
}

func (m *message) get(name string) string { return strings.Join(m.all(name), "|") }

func (m *message) String() string {
	return m.start + "\n" + strings.Join(m.headers, "\n") + "\n\n" + m.body
}

// A wire is one phone's socket, speaking bytes.
type wire struct {
	net.Conn
	transport string
	in        *bufio.Reader
	calls     int
}

// serial numbers what must differ in a test.
var serial atomic.Int32

func dialWire(t testing.TB, transport string, to netip.AddrPort, config *tls.Config) *wire {
	t.Helper()
	var conn net.Conn
	var err error
	switch transport {
	case "tls":
		conn, err = (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", to.String())
	default:
		conn, err = (&net.Dialer{}).DialContext(t.Context(), transport, to.String())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return newWire(conn, transport)
}

func newWire(conn net.Conn, transport string) *wire {
	return &wire{Conn: conn, transport: transport, in: bufio.NewReaderSize(conn, 1<<16)}
}

// udpFrom opens a socket at a loopback address of its own.
func udpFrom(t testing.TB, local string, to netip.AddrPort) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(local)}}
	conn, err := dialer.DialContext(t.Context(), "udp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (o *office) udp(t *testing.T) *wire { return dialWire(t, "udp", o.Addrs().UDP, nil) }
func (o *office) tcp(t *testing.T) *wire { return dialWire(t, "tcp", o.Addrs().TCP, nil) }

func (w *wire) send(t testing.TB, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// read waits for the next message.
func (w *wire) read(t testing.TB) *message {
	t.Helper()
	m, err := w.tryRead(patience)
	if err != nil {
		t.Fatalf("no message: %v", err)
	}
	return m
}

func (w *wire) tryRead(wait time.Duration) (*message, error) {
	if err := w.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return nil, err
	}
	m := &message{}
	for {
		line, err := w.in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		line = strings.TrimRight(line, "\r\n")
		switch {
		case m.start == "":
			m.start = line
		case line != "":
			m.headers = append(m.headers, line)
		default:
			length, err := strconv.Atoi(m.get("Content-Length"))
			if err != nil {
				return nil, err
			}
			body := make([]byte, length)
			_, err = io.ReadFull(w.in, body)
			m.body = string(body)
			return m, err
		}
	}
}

// A register is a REGISTER to write. Empty fields get what ann would send.
type register struct {
	user, password, callID string
	cseq                   int
	contact                []string // header values; nil = none
	headers                []string // "Name: value"
	digest                 func(*digest.Challenge)
	count                  int // of the nonce
}

func (r register) text(w *wire, authorization string) string {
	if r.user == "" {
		r.user = "ann"
	}
	lines := []string{
		"REGISTER sip:" + realm + " SIP/2.0",
		fmt.Sprintf("Via: SIP/2.0/%s %s;branch=z9hG4bK%d;rport", strings.ToUpper(w.transport), w.LocalAddr(), serial.Add(1)),
		"Max-Forwards: 70",
		fmt.Sprintf("From: <sip:%s@%s>;tag=f1", r.user, realm),
		fmt.Sprintf("To: <sip:%s@%s>", r.user, realm),
		"Call-ID: " + r.callID,
		fmt.Sprintf("CSeq: %d REGISTER", r.cseq),
	}
	for _, c := range r.contact {
		lines = append(lines, "Contact: "+c)
	}
	lines = append(lines, r.headers...)
	if authorization != "" {
		lines = append(lines, "Authorization: "+authorization)
	}
	return strings.Join(append(lines, "Content-Length: 0", "", ""), "\r\n")
}

// answer computes the Authorization for a 401.
func (r register) answer(t testing.TB, challenge *message) string {
	t.Helper()
	offer, err := digest.ParseChallenge(challenge.get("WWW-Authenticate"))
	if err != nil {
		t.Fatalf("challenge of %v: %v", challenge, err)
	}
	if r.digest != nil {
		r.digest(offer)
	}
	user, secret := r.user, r.password
	if user == "" {
		user = "ann"
	}
	if secret == "" {
		secret = password
	}
	creds, err := digest.Digest(offer, digest.Options{Method: "REGISTER", URI: "sip:" + realm, Count: r.count, Username: user, Password: secret})
	if err != nil {
		t.Fatal(err)
	}
	return creds.String()
}

// register sends a REGISTER, answers its challenge and returns the answer to that.
func (w *wire) register(t testing.TB, r register) *message {
	t.Helper()
	if r.callID == "" {
		r.callID = fmt.Sprintf("call-%d", serial.Add(1))
	}
	if r.cseq == 0 {
		w.calls += 2
		r.cseq = w.calls
	}
	w.send(t, r.text(w, ""))
	first := w.read(t)
	if first.code() != 401 {
		return first
	}
	r.cseq++
	w.send(t, r.text(w, r.answer(t, first)))
	return w.read(t)
}

// tryRegister is register for a goroutine of its own; an answer other than 200 is an
// error.
func (w *wire) tryRegister(t testing.TB, r register) error {
	if _, err := io.WriteString(w, r.text(w, "")); err != nil {
		return err
	}
	challenge, err := w.tryRead(patience)
	if err != nil {
		return err
	}
	r.cseq++
	if _, err := io.WriteString(w, r.text(w, r.answer(t, challenge))); err != nil {
		return err
	}
	res, err := w.tryRead(patience)
	switch {
	case err != nil:
		return err
	case res.code() == 503:
		return errBusy
	case res.code() != 200:
		return fmt.Errorf("REGISTER answered %v", res)
	}
	return nil
}

// errBusy is the answer of a server that has too little of the machine.
var errBusy = errors.New("REGISTER answered 503")

// mustRegister registers a contact and fails the test when that fails.
func (w *wire) mustRegister(t testing.TB, contact ...string) *message {
	t.Helper()
	res := w.register(t, register{contact: contact})
	if res.code() != 200 {
		t.Fatalf("REGISTER answered %v, want 200", res)
	}
	return res
}

// respond answers a request, with extra headers.
func (w *wire) respond(t *testing.T, req *message, status string, extra ...string) {
	t.Helper()
	lines := []string{"SIP/2.0 " + status}
	for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		for _, value := range req.all(name) {
			if name == "To" {
				value += ";tag=phone"
			}
			lines = append(lines, name+": "+value)
		}
	}
	lines = append(lines, extra...)
	w.send(t, strings.Join(append(lines, "Content-Length: 0", "", ""), "\r\n"))
}

func sameSource(a, b netip.AddrPort) bool { return a == b }
