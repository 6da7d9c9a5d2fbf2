package phonesim

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"

	"dialtone/internal/syncbuf"
	"dialtone/models"
	"dialtone/provisioner"
)

func TestMain(m *testing.M) {
	Quiet()
	os.Exit(m.Run())
}

// xmlScript boots as a firmware does whose index is an XML file and where the
// first value of a parameter counts.
func xmlScript() provisioner.PhoneScript {
	return provisioner.PhoneScript{
		Firmware:     "6.4.3",
		UserAgent:    "FileTransport X-{label}-UA/{firmware} Type/Application",
		SIPUserAgent: "X-{label}-UA/{firmware}",
		Boot: []provisioner.BootStep{
			{Put: "{mac}-boot.log", UserAgent: "FileTransport X-{label}-UA/1.0 Type/Updater"},
			{
				Index: []string{"{mac}.cfg", "000000000000.cfg"}, Lists: "CONFIG_FILES",
				Otherwise: []string{"fallback.cfg"},
			},
			{Get: []string{"{mac}-directory.xml", "000000000000-directory.xml"}},
			{Head: "{mac}-app.log"},
		},
		Precedence: "first",
		Settings: provisioner.PhoneSettings{
			Format: "xml", Enabled: "reg.1.on", Username: "reg.1.address", AuthUser: "reg.1.auth.userId",
			Password: "reg.1.auth.password", DisplayName: "reg.1.displayName", Domain: "reg.1.server.1.address",
			Port: "reg.1.server.1.port", Proxy: "reg.1.outboundProxy.address", ProxyPort: "reg.1.outboundProxy.port",
			Transport: "reg.1.server.1.transport", Expires: "reg.1.server.1.expires",
		},
		Transports: map[string]string{"UDPOnly": "udp", "TCPOnly": "tcp", "TLS": "tls"},
	}
}

// iniScript boots as a firmware does whose files are "name = value" lines,
// where the last value of a parameter counts.
func iniScript() provisioner.PhoneScript {
	return provisioner.PhoneScript{
		Firmware:     "108.86.0.20",
		UserAgent:    "Y SIP-{label} {firmware} {mac_colons}",
		SIPUserAgent: "Y SIP-{label} {firmware}",
		Boot: []provisioner.BootStep{{
			Index: []string{"{mac}.boot", "y000000000000.boot"}, Lists: "include:config",
			Otherwise: []string{"y000000000108.cfg", "{mac}.cfg"},
		}},
		Precedence: "last",
		Settings: provisioner.PhoneSettings{
			Format: "ini", Enabled: "account.1.enable", Username: "account.1.user_name", AuthUser: "account.1.auth_name",
			Password: "account.1.password", DisplayName: "account.1.display_name", Domain: "account.1.sip_server.1.address",
			Port: "account.1.sip_server.1.port", Proxy: "account.1.outbound_proxy.1.address",
			ProxyPort: "account.1.outbound_proxy.1.port", Transport: "account.1.sip_server.1.transport_type",
			Expires: "account.1.sip_server.1.expires",
		},
		Transports: map[string]string{"0": "udp", "1": "tcp", "2": "tls"},
	}
}

var testMAC = models.MAC{0x00, 0x15, 0x65, 0xaa, 0xbb, 0x01}

// testPhone makes a phone from a script, whose placeholders it fills.
func testPhone(t *testing.T, script provisioner.PhoneScript, o Options) *Phone {
	t.Helper()
	if o.MAC == (models.MAC{}) {
		o.MAC = testMAC
	}
	script, err := expand(script, map[string]string{
		"mac": o.MAC.String(), "mac_colons": o.MAC.Colons(), "label": "T1", "firmware": script.Firmware,
	})
	if err != nil {
		t.Fatal(err)
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	phone, err := newPhone(script, provisioner.ParameterRules{}, o)
	if err != nil {
		t.Fatal(err)
	}
	return phone
}

// A fileServer serves files by name and notes every request.
type fileServer struct {
	*httptest.Server
	mu       sync.Mutex
	files    map[string]string
	answer   func(w http.ResponseWriter, r *http.Request) bool // true when it answered
	requests []*http.Request
}

func newFileServer(t *testing.T, files map[string]string) *fileServer {
	t.Helper()
	s := &fileServer{files: files}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *fileServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	if s.answer != nil && s.answer(w, r) {
		return
	}
	name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	body, ok := s.files[name]
	switch {
	case r.Method == http.MethodPut:
		w.WriteHeader(http.StatusForbidden)
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	default:
		_, _ = io.WriteString(w, body)
	}
}

func (s *fileServer) set(name, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[name] = body
}

func (s *fileServer) setAnswer(f func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

// request is the n-th request.
func (s *fileServer) request(n int) *http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[n]
}

// asked lists the requests so far: "GET /p/tok/x.cfg".
func (s *fileServer) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, r := range s.requests {
		list = append(list, r.Method+" "+r.URL.Path)
	}
	return list
}

// A registrar is a SIP registrar for one realm, where every user's password is
// "s3cret": it challenges, and grants what is asked for.
type registrar struct {
	t        *testing.T
	realm    string
	password string
	port     int
	udp      net.PacketConn
	ua       *sipgo.UserAgent
	client   *sipgo.Client

	mu       sync.Mutex
	contacts map[string]sip.Uri // by user; gone when de-registered
	sources  map[string]string  // by user: where the REGISTER came from
	answers  []*sip.Request     // REGISTERs that were authenticated
}

func newRegistrar(t *testing.T) *registrar {
	t.Helper()
	r := &registrar{
		t: t, realm: "acme.example.com", password: "s3cret",
		contacts: map[string]sip.Uri{}, sources: map[string]string{},
	}
	quiet := slog.New(slog.DiscardHandler)
	var err error
	if r.ua, err = sipgo.NewUA(); err != nil {
		t.Fatal(err)
	}
	server, err := sipgo.NewServer(r.ua, sipgo.WithServerLogger(quiet))
	if err != nil {
		t.Fatal(err)
	}
	server.OnRegister(r.register)
	var tcp net.Listener
	r.udp, tcp = listenBoth(t)
	r.port = r.udp.LocalAddr().(*net.UDPAddr).Port
	ready := &readConn{PacketConn: r.udp, reading: make(chan struct{})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.ServeUDP(ready) })
	serving.Go(func() { _ = server.ServeTCP(tcp) })
	<-ready.reading
	r.client, err = sipgo.NewClient(r.ua, sipgo.WithClientConnectionAddr(r.udp.LocalAddr().String()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.ua.Close()
		_ = r.udp.Close()
		_ = tcp.Close()
		serving.Wait()
	})
	return r
}

// listenBoth finds a port that is free over UDP and TCP.
func listenBoth(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	var lc net.ListenConfig
	for range 20 {
		tcp, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if udp, err := lc.ListenPacket(t.Context(), "udp", tcp.Addr().String()); err == nil {
			return udp, tcp
		}
		_ = tcp.Close()
	}
	t.Fatal("no port is free over both UDP and TCP")
	return nil, nil
}

func (r *registrar) register(req *sip.Request, tx sip.ServerTransaction) {
	respond := func(code int, reason string, headers ...sip.Header) {
		res := sip.NewResponseFromRequest(req, code, reason, nil)
		for _, h := range headers {
			res.AppendHeader(h)
		}
		_ = tx.Respond(res)
	}
	auth := req.GetHeader("Authorization")
	if auth == nil {
		asked := digest.Challenge{Realm: r.realm, Nonce: "n1", Algorithm: "MD5", QOP: []string{"auth"}}
		respond(401, "Unauthorized", sip.NewHeader("WWW-Authenticate", asked.String()))
		return
	}
	if !r.valid(auth.Value()) {
		respond(403, "Forbidden")
		return
	}
	expires := req.GetHeader("Expires").Value()
	contact := req.Contact()
	r.mu.Lock()
	r.answers = append(r.answers, req)
	user := req.To().Address.User
	r.contacts[user], r.sources[user] = contact.Address, req.Source()
	if expires == "0" {
		delete(r.contacts, user)
	}
	r.mu.Unlock()
	bound := contact.Clone()
	bound.Params.Add("expires", expires)
	respond(200, "OK", bound)
}

// valid checks a digest answer against the realm's one password.
func (r *registrar) valid(header string) bool {
	got, err := digest.ParseCredentials(header)
	if err != nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	want, err := digest.Digest(
		&digest.Challenge{Realm: r.realm, Nonce: "n1", Algorithm: "MD5", QOP: []string{"auth"}},
		digest.Options{
			Method: "REGISTER", URI: got.URI, Count: got.Nc, Cnonce: got.Cnonce,
			Username: got.Username, Password: r.password,
		})
	return err == nil && got.Response == want.Response
}

// registers are the REGISTERs that were authenticated.
func (r *registrar) registers() []*sip.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.answers)
}

// contact is where a user is registered, "" for nowhere.
func (r *registrar) contact(user string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	uri, ok := r.contacts[user]
	if !ok {
		return ""
	}
	return uri.String()
}

// users are the users that are registered.
func (r *registrar) users() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.contacts)
}

// send sends a request to a registered user and returns the code of the answer.
func (r *registrar) send(method sip.RequestMethod, user, event string) int {
	r.t.Helper()
	r.mu.Lock()
	contact, source := r.contacts[user], r.sources[user]
	r.mu.Unlock()
	req := sip.NewRequest(method, contact)
	req.SetTransport("UDP")
	client := r.client
	if transport, _ := contact.UriParams.Get("transport"); transport == "tcp" {
		req.SetTransport("TCP")
		client, _ = sipgo.NewClient(r.ua)
	}
	req.SetDestination(source)
	if event != "" {
		req.AppendHeader(sip.NewHeader("Event", event))
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Second)
	defer cancel()
	res, err := client.Do(ctx, req)
	if err != nil {
		r.t.Fatalf("%s: %v", method, err)
	}
	return res.StatusCode
}

// config is an ini configuration file for the registrar's realm.
func (r *registrar) config(user, password string) string {
	return fmt.Sprintf(`#!version:1.0.0.1
account.1.enable = 1
account.1.user_name = %s
account.1.password = %s
account.1.sip_server.1.address = acme.example.com
account.1.outbound_proxy.1.address = 127.0.0.1
account.1.outbound_proxy.1.port = %d
account.1.sip_server.1.expires = 300
`, user, password, r.port)
}

// A transcript collects what phones print.
type transcript struct{ syncbuf.Buffer }

func (s *transcript) lines() []string {
	return strings.Split(strings.TrimSuffix(s.String(), "\n"), "\n")
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
		select {
		case <-t.Context().Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// switchOn runs a phone, or a fleet, until the returned function is called;
// that returns what Run did.
func switchOn(t *testing.T, run func(context.Context) error) (switchOff func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	var once sync.Once
	var err error
	switchOff = func() error {
		once.Do(func() {
			cancel()
			err = <-done
		})
		return err
	}
	t.Cleanup(func() { _ = switchOff() })
	return switchOff
}
