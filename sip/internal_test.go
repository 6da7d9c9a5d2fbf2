package sip

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
)

// scriptedStore fails or panics where a test wants it to, and keeps what is saved.
type scriptedStore struct {
	bindings func() ([]models.Binding, error)

	mu    sync.Mutex
	saved []models.Notification
}

func (s *scriptedStore) PhoneByAOR(context.Context, string, string) (*models.Phone, error) {
	panic("a bug with a secret password")
}

func (s *scriptedStore) PhoneByIP(context.Context, netip.Addr) (*models.Phone, error) {
	return nil, models.ErrNotFound
}

func (s *scriptedStore) RealmAccount(context.Context, string) (*models.Account, error) {
	return nil, models.ErrNotFound
}

func (s *scriptedStore) ReplicaBindings(context.Context, string, string, models.Binding, int) ([]models.Binding, error) {
	return nil, nil
}

func (s *scriptedStore) Bindings(context.Context, string) ([]models.Binding, error) {
	return s.bindings()
}

func (s *scriptedStore) UpdateBindings(context.Context, string, func([]models.Binding) ([]models.Binding, error)) error {
	return models.ErrUnavailable
}

func (s *scriptedStore) SaveNotification(_ context.Context, n *models.Notification) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saved = append(s.saved, *n)
	return nil
}

func (s *scriptedStore) BeginNotification(ctx context.Context, n *models.Notification) {
	_ = s.SaveNotification(ctx, n)
}

func (s *scriptedStore) SettleNotifications(context.Context, string, time.Time, time.Time, string) error {
	return models.ErrUnavailable
}

func (s *scriptedStore) FetchedSince(context.Context, string, time.Time) (bool, error) {
	return false, models.ErrUnavailable
}

func (s *scriptedStore) CreateQuickCall(context.Context, *models.QuickCall) error {
	return models.ErrUnavailable
}

func (s *scriptedStore) SaveQuickCall(context.Context, *models.QuickCall) error {
	return models.ErrUnavailable
}

func (s *scriptedStore) InterruptQuickCalls(context.Context, string, time.Time, time.Time) error {
	return nil
}

type openGuard struct{}

func (openGuard) Allowed(netip.Addr) bool { return true }
func (openGuard) Fail(netip.Addr)         {}

func testPhone() *models.Phone {
	p := &models.Phone{Device: &models.Device{}, Account: &models.Account{}}
	p.Device.ID, p.Account.ID = "d1", "a1"
	p.Account.Realm, p.Device.SIP.Username = "acme.example.com", "ann"
	return p
}

// drain runs a notifier until everything queued is done.
func drain(t *testing.T, n *notifier) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n.run(ctx)
}

func TestNotifierWithoutWay(t *testing.T) {
	tests := []struct {
		name     string
		bindings func() ([]models.Binding, error)
		queue    int
		want     []string // reasons of what is recorded
	}{
		{"full queue", func() ([]models.Binding, error) { return nil, nil }, 1, []string{"not registered", "the queue is full"}},
		{"device gone", func() ([]models.Binding, error) { return nil, models.ErrNotFound }, 9, nil},
		{"storage down", func() ([]models.Binding, error) { return nil, models.ErrUnavailable }, 9, []string{"storage did not answer", "storage did not answer"}},
		{"panic", func() ([]models.Binding, error) { panic("a bug") }, 9, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := &scriptedStore{bindings: tt.bindings}
			n := newNotifier(Config{Store: store, Log: slog.New(slog.DiscardHandler), Now: time.Now, NotifyTimeout: time.Second}, uri{}, nil)
			n.queue, n.overflow = make(chan task, tt.queue), make(chan NotifyRequest, 1)
			for range 2 {
				n.enqueue(NotifyRequest{Phone: testPhone(), Event: "check-sync"})
			}
			drain(t, n)
			n.enqueue(NotifyRequest{Phone: testPhone(), Event: "check-sync"}) // after the stop: refused
			reasons := map[string]int{}
			for _, note := range store.saved {
				if note.State != models.NotifyUnreachable {
					t.Errorf("got state %s, want unreachable", note.State)
				}
				reasons[note.Reason]++
			}
			want := map[string]int{}
			for _, reason := range tt.want {
				want[reason]++
			}
			if diff := cmp.Diff(want, reasons); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
		})
	}
}

// startServer runs a server with a scripted store on a free port.
func startServer(t *testing.T, store Store, log *slog.Logger, prepare func(*Server)) (*Server, *net.UDPConn) {
	t.Helper()
	s, err := New(Config{Addr: "127.0.0.1:0", NonceKey: []byte("key"), Store: store, Guard: openGuard{}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	prepare(s)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s, newPhone(t, s)
}

func newPhone(t *testing.T, s *Server) *net.UDPConn {
	t.Helper()
	phone, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(s.Addrs().UDP))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = phone.Close() })
	return phone
}

func ask(t *testing.T, phone *net.UDPConn, text string) string {
	t.Helper()
	if _, err := phone.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return hear(t, phone)
}

func hear(t *testing.T, phone *net.UDPConn) string {
	t.Helper()
	if err := phone.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4000)
	n, err := phone.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func options(phone *net.UDPConn) string {
	return "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP " + phone.LocalAddr().String() + ";branch=z9hG4bK" + models.NewID() +
		"\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:a@x>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
}

// The stack's memory of senders is emptied again and again, and nobody notices.
func TestSendersAreForgotten(t *testing.T) {
	store := &scriptedStore{}
	s, phone := startServer(t, store, slog.New(slog.DiscardHandler), func(s *Server) { s.sockets.udp.limit = 8 })
	phoneAddr := phone.LocalAddr().(*net.UDPAddr).AddrPort()
	store.bindings = func() ([]models.Binding, error) {
		return []models.Binding{{Contact: "sip:a@10.0.0.1", Received: phoneAddr, Transport: transportUDP, Expires: time.Now().Add(time.Hour)}}, nil
	}
	for range 50 {
		other := newPhone(t, s)
		if res := ask(t, other, options(other)); !strings.HasPrefix(res, "SIP/2.0 200 ") {
			t.Fatalf("got %s, want 200", res)
		}
	}
	if size := s.stack.TransportLayer().Pool("udp").Size(); size > 8+1 {
		t.Errorf("the stack remembers %d addresses, want 9 at most", size)
	}
	s.Notify(NotifyRequest{Phone: testPhone(), Event: "check-sync"})
	if req := hear(t, phone); !strings.HasPrefix(req, "NOTIFY sip:a@10.0.0.1 ") {
		t.Errorf("got %s, want a NOTIFY", req)
	}
}

// A bug in a handler costs one request, and its message stays out of the log.
func TestPanicInHandler(t *testing.T) {
	var log strings.Builder
	var mu sync.Mutex
	handler := slog.NewTextHandler(writerFunc(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return log.Write(b)
	}), nil)
	_, phone := startServer(t, &scriptedStore{}, slog.New(handler), func(*Server) {})
	register := strings.ReplaceAll(options(phone), "OPTIONS", "REGISTER")
	challenge := ask(t, phone, register)
	_, nonce, _ := strings.Cut(challenge, `nonce="`)
	nonce, _, _ = strings.Cut(nonce, `"`)
	authorized := strings.Replace(register, "Content-Length", `Authorization: Digest username="a", realm="x", nonce="`+nonce+
		`", uri="sip:x", response="topsecret"`+"\r\nContent-Length", 1)
	if _, err := phone.Write([]byte(strings.Replace(authorized, "z9hG4bK", "z9hG4bK2", 1))); err != nil {
		t.Fatal(err)
	}
	if res := ask(t, phone, options(phone)); !strings.HasPrefix(res, "SIP/2.0 200 ") {
		t.Errorf("after a panic: got %s, want 200", res)
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		mu.Lock()
		text := log.String()
		mu.Unlock()
		if strings.Contains(text, "panic while handling a request") {
			if strings.Contains(text, "topsecret") {
				t.Errorf("the log holds the message: %s", text)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no log line: %s", text)
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestSameURI(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		// RFC 3261, section 19.1.4
		{"sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp", true},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true},
		{"sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;newparam=6", false},
		{"SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false},
		{"sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", false},
		{"sip:a@[::1]:5060", "sip:a@[::1]:5060;ob", true},
		{"sip:a@b", "sips:a@b", false},
	}
	for _, tt := range tests {
		if got := sameURI(tt.a, tt.b); got != tt.want {
			t.Errorf("%s and %s: got %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestStackURIIsVerbatim(t *testing.T) {
	for _, s := range []string{"sip:A%20b:p@Host.Example:5062;Transport=TCP;ob;x=\"y z\"", "sips:[2001:db8::1]:1;a=b", "sip:x?y"} {
		u := stackURI(s)
		if got := u.String(); got != s {
			t.Errorf("got %s, want %s", got, s)
		}
	}
}

// Who has very many NOTIFYs waits once half of the queue is taken.
func TestAwaitRoom(t *testing.T) {
	n := newNotifier(Config{Log: slog.New(slog.DiscardHandler)}, uri{}, nil)
	n.awaitRoom(t.Context()) // returns: there is room
	for range notifyQueue / 2 {
		n.enqueue(NotifyRequest{})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	n.awaitRoom(ended) // returns with its context
	waiting := make(chan struct{})
	go func() {
		defer close(waiting)
		n.awaitRoom(t.Context())
	}()
	select {
	case <-waiting:
		t.Fatal("there was room in a queue that is half full")
	case <-time.After(10 * time.Millisecond):
	}
	<-n.queue
	<-waiting
}
