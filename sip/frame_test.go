package sip

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestFrameLength(t *testing.T) {
	const head = "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP a\r\n"
	many := strings.Repeat("X: y\r\n", maxHeaders)
	tests := []struct {
		name, text string
		want       int // from the end of the text; 1 = more is to come
		fails      bool
	}{
		{"whole", head + "Content-Length: 0\r\n\r\n", 0, false},
		{"with a body", head + "Content-Length: 3\r\n\r\nabc", 0, false},
		{"and more", head + "l: 0\r\n\r\nOPTIONS", -7, false},
		{"compact, blanks, other case", head + "L \t:  3 \r\n\r\nabc", 0, false},
		{"folded", head + "Content-Length:\r\n 3\r\n\r\nabc", 0, false},
		{"body to come", head + "Content-Length: 4\r\n\r\nabc", 1, false},
		{"headers to come", head, 1, false},
		{"no length", head + "\r\n", 0, true},
		{"two lengths", head + "l: 0\r\nContent-Length: 0\r\n\r\n", 0, true},
		{"negative", head + "Content-Length: -1\r\n\r\n", 0, true},
		{"no number", head + "Content-Length: many\r\n\r\n", 0, true},
		{"too long a body", head + "Content-Length: 8192\r\n\r\n", 0, true},
		{"number without end", head + "Content-Length: 99999999999999999999\r\n\r\n", 0, true},
		{"too many headers", head + many + "Content-Length: 0\r\n\r\n", 0, true},
		{"too many headers, no end yet", head + many, 0, true},
		{"too long a line", head + "X: " + strings.Repeat("y", maxLine) + "\r\nContent-Length: 0\r\n\r\n", 0, true},
		{"too long a line, no end yet", head + strings.Repeat("y", maxLine+1), 0, true},
		{"too long a head", head + strings.Repeat(strings.Repeat("y", 200)+"\r\n", 41), 0, true},
	}
	for _, tt := range tests {
		got, err := frameLength([]byte(tt.text))
		want := len(tt.text) + tt.want
		if tt.want == 1 || tt.fails {
			want = 0
		}
		if got != want || (err != nil) != tt.fails {
			t.Errorf("%s: got %d, %v, want %d", tt.name, got, err, want)
		}
	}
}

// However a stream is cut into pieces, the same messages come out of it.
func FuzzStream(f *testing.F) {
	message := "OPTIONS sip:x SIP/2.0\r\nContent-Length: 3\r\n\r\nabc"
	f.Add([]byte(message+"\r\n\r\n"+message), 7)
	f.Add([]byte("\r\n\r\n\r\n"+message+"\r\n"+message+"REG"), 1)
	f.Add([]byte(message+"\r\r\nBOOGIE\r\n\r\n"), 5)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		if size < 1 || size > len(data) || len(data) > 4*maxMessage {
			return
		}
		whole, wholeErr := messages(data, len(data))
		pieces, piecesErr := messages(data, size)
		if !bytes.Equal(whole, pieces) && wholeErr == nil && piecesErr == nil {
			t.Fatalf("at once: %q\nin pieces of %d: %q", whole, size, pieces)
		}
		for rest := pieces; len(rest) > 0; {
			n, err := frameLength(rest)
			if err != nil || n == 0 {
				t.Fatalf("not whole: %q: %d, %v", rest, n, err)
			}
			rest = rest[n:]
		}
	})
}

// messages reads what a peer sends in pieces.
func messages(data []byte, size int) ([]byte, error) {
	s := &stream{Conn: &script{data: data, size: size}, all: newConnections(Config{Now: time.Now}), spoke: time.Now()}
	var all []byte
	b := make([]byte, maxMessage)
	for {
		n, err := s.Read(b)
		all = append(all, b[:n]...)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

// script is a connection whose peer has sent everything already.
type script struct {
	net.Conn
	data []byte
	size int
}

func (c *script) Read(b []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b, c.data[:min(c.size, len(c.data))])
	c.data = c.data[n:]
	return n, nil
}

func (c *script) Write(b []byte) (int, error)      { return len(b), nil }
func (c *script) SetReadDeadline(time.Time) error  { return nil }
func (c *script) SetWriteDeadline(time.Time) error { return nil }

// dialStream opens a connection and closes it after the test.
func dialStream(t *testing.T, s *Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addrs().TCP.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// closedByServer waits for the end of a connection, and returns what came before.
func closedByServer(t *testing.T, conn net.Conn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Fatalf("not closed: %v", err)
	}
	return string(text)
}

// Who does not finish a message, or says nothing but keep-alives, does not keep
// a connection.
func TestSlowConnections(t *testing.T) {
	s, _ := startServer(t, &scriptedStore{}, slog.New(slog.DiscardHandler), func(s *Server) {
		s.sockets.connections.messageTime, s.sockets.connections.idleTime = 300*time.Millisecond, 300*time.Millisecond
	})
	for name, text := range map[string]string{
		"one byte":                       "R",
		"half a keep-alive":              "\r",
		"half a message":                 "OPTIONS sip:x SIP/2.0\r\nVia: ",
		"a message without its body":     "OPTIONS sip:x SIP/2.0\r\nContent-Length: 10\r\n\r\n",
		"a message and half another one": strings.Replace(streamOptions(1), "\r\n\r\n", "\r\n\r\nOPT", 1),
		"nothing":                        "",
		"keep-alives":                    "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dialStream(t, s)
			go func() {
				_, _ = conn.Write([]byte(text)) // the end is awaited below
				for range 1000 {
					time.Sleep(20 * time.Millisecond)
					more := "x"
					if name == "nothing" || name == "half a keep-alive" {
						continue
					}
					if name == "keep-alives" {
						more = "\r\n"
					}
					if _, err := conn.Write([]byte(more)); err != nil {
						return
					}
				}
			}()
			closedByServer(t, conn)
		})
	}
}

func streamOptions(n int) string {
	return fmt.Sprintf("OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK%d\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:a@x>\r\nCall-ID: c\r\nCSeq: %d OPTIONS\r\nContent-Length: 0\r\n\r\n", n, n)
}

// At the limit of a source, the connection goes over which nothing was heard for
// the longest time, however many come within one tick of the clock, and never one
// with a phone.
func TestConnectionsOfOneSource(t *testing.T) {
	now := time.Now()
	c := newConnections(Config{Now: func() time.Time { return now }, Exempt: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	c.perSource = 3
	admit := func(peer string) (*fakeSocket, bool) {
		socket := &fakeSocket{}
		s := &stream{socket: socket, all: c, id: connectionID{transportTCP, netip.MustParseAddrPort(peer)}}
		s.heard.Store(c.turns.Add(1))
		return socket, c.admit(s)
	}
	phone, _ := admit("[2001:db8::1]:1")
	c.keep(transportTCP, netip.MustParseAddrPort("[2001:db8::1]:1"), now.Add(time.Hour))
	idle, _ := admit("[2001:db8::2]:1")
	busy, _ := admit("[2001:db8::3]:1")
	if _, ok := admit("[2001:db8::4]:1"); !ok || !idle.closed || busy.closed || phone.closed {
		t.Error("the fourth of a source did not take the place of the idlest one")
	}
	if _, ok := admit("[2001:db8:0:1::1]:1"); !ok || busy.closed {
		t.Error("another source had to wait")
	}
	for id := range c.open {
		c.keep(id.transport, id.peer, now.Add(time.Hour))
	}
	if _, ok := admit("[2001:db8::5]:1"); ok {
		t.Error("one more was let in beside three phones")
	}
	now = now.Add(2 * time.Hour)
	if _, ok := admit("[2001:db8::5]:1"); !ok {
		t.Error("nobody was let in after the phones' registrations had ended")
	}
	for i := range 10 {
		if _, ok := admit(fmt.Sprintf("192.0.2.1:%d", i+1)); !ok {
			t.Error("an exempt network was held to the limit")
		}
	}
	for _, s := range c.open {
		c.forget(s)
	}
	if len(c.open) != 0 || len(c.sources) != 0 {
		t.Errorf("after all have gone: got %v and %v, want nothing", c.open, c.sources)
	}
}

type fakeSocket struct {
	net.Conn
	closed bool
}

func (s *fakeSocket) Close() error {
	s.closed = true
	return nil
}
