package sip

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"

	"dialtone/models"
)

// memoryStore knows one phone, by its address.
type memoryStore struct {
	scriptedStore
	mu       sync.Mutex
	contacts []models.Binding
}

func (s *memoryStore) phone() *models.Phone {
	p := testPhone()
	p.Device.SIP.Username, p.Account.Realm = "user", "example.com"
	return p
}

func (s *memoryStore) PhoneByIP(context.Context, netip.Addr) (*models.Phone, error) {
	return s.phone(), nil
}

func (s *memoryStore) PhoneByAOR(context.Context, string, string) (*models.Phone, error) {
	return nil, models.ErrNotFound
}

func (s *memoryStore) Bindings(context.Context, string) ([]models.Binding, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.contacts, nil
}

func (s *memoryStore) UpdateBindings(_ context.Context, _ string, change func([]models.Binding) ([]models.Binding, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	contacts, err := change(s.contacts)
	if err == nil {
		s.contacts = contacts
	}
	return err
}

const wholeRegister = "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1;rport\r\nMax-Forwards: 70\r\n" +
	"To: <sip:user@example.com>\r\nFrom: \"A\" <sip:user@example.com>;tag=1\r\nCall-ID: c1@x\r\nCSeq: 7 REGISTER\r\n" +
	"Contact: <sip:user@10.0.0.1:5060;transport=udp;ob>;+sip.instance=\"<urn:uuid:1>\";reg-id=1\r\nExpires: 300\r\n" +
	"Supported: path, outbound\r\nPath: <sip:edge.example.com;lr;ob>\r\nUser-Agent: Phone/1\r\nContent-Length: 0\r\n\r\n"

// Whatever comes, nothing crashes, and nothing that a request says becomes a line of
// the answer.
func FuzzMessage(f *testing.F) {
	f.Add([]byte(wholeRegister))
	f.Add([]byte(strings.ReplaceAll(wholeRegister, "REGISTER", "OPTIONS")))
	f.Add([]byte(strings.Replace(wholeRegister, "Contact: ", "Contact: *\r\nX: ", 1)))
	f.Add([]byte(strings.Replace(wholeRegister, "Contact: ", "Authorization: Digest username=\"user\", realm=\"example.com\", nonce=\"x\", uri=\"sip:x\", response=\"0\"\r\nm: ", 1)))
	f.Add([]byte("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nCSeq: 1 NOTIFY\r\n\r\n"))
	store := &memoryStore{}
	s, err := New(Config{NonceKey: []byte("key"), Store: store, Guard: openGuard{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	parser := newParser()
	f.Fuzz(func(t *testing.T, data []byte) {
		if !isDatagram(data) {
			return
		}
		msg, err := parser.ParseSIP(data)
		if err != nil {
			return
		}
		req, ok := msg.(*sipmsg.Request)
		if !ok || req.Via() == nil {
			return
		}
		req.SetTransport("UDP")
		req.SetSource("127.0.0.1:5060")
		store.contacts = nil
		res := s.answer(t.Context(), req)
		s.finish(req, res)
		if lines := strings.Split(res.String(), "\r\n"); len(lines) != len(res.Headers())+3 {
			t.Fatalf("%d headers make %d lines:\n%s", len(res.Headers()), len(lines)-3, res)
		}
		if len(store.contacts) > maxBindings {
			t.Fatalf("%d contacts are kept", len(store.contacts))
		}
	})
}

// leakCount is how many requests the leak test sends: TORTURE=1 makes it a
// hundred thousand.
func leakCount() int {
	if os.Getenv("TORTURE") != "" {
		return 100_000
	}
	return 20_000
}

// After very many requests that are malformed or left half-open, the server holds
// neither goroutines nor memory for them, and works as before.
func TestNothingLeaks(t *testing.T) {
	s, phone := startServer(t, &memoryStore{}, slog.New(slog.DiscardHandler), func(s *Server) {
		s.sockets.connections.messageTime, s.sockets.connections.idleTime = 200*time.Millisecond, 200*time.Millisecond
	})
	torment(t, s, phone, 1000) // so that every part has what it keeps
	goroutines, heap := runtime.NumGoroutine(), heapInUse()
	count := leakCount()
	torment(t, s, phone, count)
	open := func() int {
		s.sockets.connections.mu.Lock()
		defer s.sockets.connections.mu.Unlock()
		return len(s.sockets.connections.open)
	}
	settled := func() bool { return runtime.NumGoroutine() <= goroutines+10 && open() == 0 }
	for deadline := time.Now().Add(10 * time.Second); !settled() && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	if now := runtime.NumGoroutine(); now > goroutines+10 {
		t.Errorf("%d goroutines before, %d after %d requests", goroutines, now, count)
	}
	if now := heapInUse(); now > heap+8<<20 {
		t.Errorf("%d KiB in use before, %d KiB after %d requests", heap>>10, now>>10, count)
	}
	if n := open(); n > 0 {
		t.Errorf("%d connections are remembered, want none", n)
	}
	other := newPhone(t, s)
	if res := ask(t, other, options(other)); !strings.HasPrefix(res, "SIP/2.0 200 ") {
		t.Errorf("afterwards: got %s, want 200", res)
	}
}

func heapInUse() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// torment sends requests that end in all the wrong ways, a twentieth of them over
// connections of their own.
func torment(t *testing.T, s *Server, phone *net.UDPConn, count int) {
	t.Helper()
	for i := range count {
		text := strings.NewReplacer("z9hG4bK1", fmt.Sprintf("z9hG4bK%d", i), "c1@x", fmt.Sprintf("c%d@x", i)).Replace(wholeRegister)
		switch i % 8 {
		case 0: // cut off
			text = text[:i%len(text)]
		case 1: // damaged
			text = text[:i%len(text)] + "\x00<\"" + text[i%len(text):]
		case 2: // challenged, and never heard of again
			text = strings.ReplaceAll(text, "user@", fmt.Sprintf("nobody%d@", i))
		case 3: // a dialog that nobody acknowledges
			text = strings.ReplaceAll(text, "REGISTER", "INVITE")
		case 4:
			text = strings.ReplaceAll(text, "REGISTER", "CANCEL")
		case 5: // without what a transaction needs
			text = strings.Replace(text, "CSeq", "NoSeq", 1)
		case 6: // an answer to nothing
			text = "SIP/2.0 200 OK\r\n" + strings.SplitN(text, "\r\n", 2)[1]
		}
		if i%20 == 7 {
			abandon(t, s, text, i)
			continue
		}
		if _, err := phone.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if i%100 == 99 {
			catchUp(t, phone)
		}
	}
	catchUp(t, phone)
}

// abandon opens a connection, says something, and goes, or waits to be closed.
func abandon(t *testing.T, s *Server, text string, i int) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addrs().TCP.String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = conn.Write([]byte(strings.ReplaceAll(text, "/UDP", "/TCP"))) // it may be closed already
	if i%40 == 7 {
		_ = conn.(*net.TCPConn).SetLinger(0) // gone without a word
		_ = conn.Close()
		return
	}
	time.AfterFunc(time.Second, func() { _ = conn.Close() })
}

// catchUp waits until the server has read everything.
func catchUp(t *testing.T, phone *net.UDPConn) {
	t.Helper()
	mark := options(phone)
	_, branch, _ := strings.Cut(mark, "branch=")
	branch, _, _ = strings.Cut(branch, "\r\n")
	for res := ask(t, phone, mark); !strings.Contains(res, branch); {
		res = hear(t, phone)
	}
}

// slowStore lets no request go on before its gate is open.
type slowStore struct {
	memoryStore
	waiting sync.WaitGroup
	gate    chan struct{}
}

func (s *slowStore) PhoneByIP(context.Context, netip.Addr) (*models.Phone, error) {
	s.waiting.Done()
	<-s.gate
	return nil, models.ErrNotFound
}

// There are only so many requests in hand; one more is told to come back.
func TestRequestsInHand(t *testing.T) {
	store := &slowStore{gate: make(chan struct{})}
	_, phone := startServer(t, store, slog.New(slog.DiscardHandler), func(*Server) {})
	register := func() string { return strings.ReplaceAll(options(phone), "OPTIONS", "REGISTER") }
	store.waiting.Add(maxRequests)
	for range maxRequests {
		if _, err := phone.Write([]byte(register())); err != nil {
			t.Fatal(err)
		}
	}
	store.waiting.Wait()
	if res := ask(t, phone, register()); !strings.HasPrefix(res, "SIP/2.0 503 ") || !strings.Contains(res, "Retry-After: ") {
		t.Errorf("one more: got %s, want 503 with Retry-After", res)
	}
	close(store.gate)
	if res := hear(t, phone); !strings.HasPrefix(res, "SIP/2.0 401 ") {
		t.Errorf("the others: got %s, want 401", res)
	}
}
