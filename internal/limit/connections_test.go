package limit_test

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"dialtone/internal/limit"
)

// A visitor has a connection to a server from an address of its own.
type visitor struct {
	net.Conn
	in    *bufio.Reader
	idles <-chan bool // the server's, each time that a connection is idle
}

func visit(t *testing.T, from, to string, idles <-chan bool) *visitor {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.DialContext(t.Context(), "tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &visitor{conn, bufio.NewReader(conn), idles}
}

// ask sends a request for a path; answered reads the answer, false when the
// connection is closed.
func (v *visitor) ask(path string) {
	_, _ = io.WriteString(v, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
}

func (v *visitor) answered() bool {
	resp, err := http.ReadResponse(v.in, nil)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// served sends a request and waits until the server has done with it.
func (v *visitor) served() bool {
	v.ask("/")
	return v.answered() && <-v.idles
}

// At the bound the connection that has been idle for longest makes room, a busy
// one never; a source has its own bound, unless it is exempt.
func TestConnections(t *testing.T) {
	const one, two, exempt = "127.0.0.2", "127.0.0.3", "127.0.1.1"
	began, release := make(chan bool), make(chan bool)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/busy" {
			began <- true
			<-release
		}
	}))
	bound := limit.NewConnections(4, 2, []netip.Prefix{netip.MustParsePrefix("127.0.1.0/24")}, slog.New(slog.DiscardHandler))
	server.Listener = bound.Listener(server.Listener)
	server.Config.Handler, server.Config.ConnContext = bound.Handler(server.Config.Handler), bound.Context
	idles := make(chan bool, 100)
	server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		bound.State(conn, state)
		if state == http.StateIdle {
			idles <- true
		}
	}
	server.Start()
	defer server.Close()
	addr := server.Listener.Addr().String()

	busy := visit(t, one, addr, idles)
	busy.ask("/busy")
	<-began
	idle := visit(t, one, addr, idles)
	if !idle.served() || !visit(t, one, addr, idles).served() {
		t.Error("a source at its bound: its idle connection does not make room")
	}
	if idle.served() {
		t.Error("a source at its bound: the idle connection was not closed")
	}
	third := visit(t, one, addr, idles)
	third.ask("/busy")
	<-began
	if visit(t, one, addr, idles).served() {
		t.Error("a source whose connections are all busy gets another one")
	}
	silent := visit(t, two, addr, idles)
	if !visit(t, two, addr, idles).served() {
		t.Error("another source is not served")
	}
	for range 3 {
		if !visit(t, exempt, addr, idles).served() {
			t.Error("at the bound of all, no idle connection makes room")
		}
	}
	if silent.served() {
		t.Error("a silent connection was kept at the bound of all")
	}
	release <- true
	release <- true
	if !busy.answered() || !third.answered() {
		t.Error("a busy connection was closed")
	}
}

// Whoever announces a body and does not send it is not busy once the request is
// answered: neither one in the same office nor many elsewhere keep phones out by that.
func TestMissingBodiesMakeRoom(t *testing.T) {
	handled := make(chan bool, 10)
	bound := limit.NewConnections(4, 2, nil, slog.New(slog.DiscardHandler))
	bounded := bound.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bounded.ServeHTTP(w, r)
		handled <- true
	}))
	server.Listener = bound.Listener(server.Listener)
	server.Config.ConnContext, server.Config.ConnState = bound.Context, bound.State
	server.Start()
	t.Cleanup(server.Close) // after the visitors have gone
	for _, from := range []string{"127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.3"} {
		v := visit(t, from, server.Listener.Addr().String(), nil)
		_, _ = io.WriteString(v, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
		<-handled
	}
	for _, from := range []string{"127.0.0.2", "127.0.0.4"} {
		phone := visit(t, from, server.Listener.Addr().String(), nil)
		phone.ask("/")
		if !phone.answered() {
			t.Errorf("a phone at %s is refused", from)
		}
	}
}
