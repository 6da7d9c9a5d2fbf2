package limit

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Connections bounds how many HTTP connections are open at once, in all and from
// one source. When there are too many, the one that has had nothing to do for
// longest makes room; when all are busy, the new one is closed.
type Connections struct {
	most, perSource int
	exempt          []netip.Prefix // networks that may have as many as there are
	log             *slog.Logger
	told            *Pace

	mu      sync.Mutex
	turn    uint64 // of the last change
	open    map[*connection]bool
	sources map[netip.Addr]int // how many each has open
}

// NewConnections makes a bound for the listeners that are given to Listener.
func NewConnections(most, perSource int, exempt []netip.Prefix, log *slog.Logger) *Connections {
	return &Connections{
		most: most, perSource: perSource, exempt: exempt, log: log, told: NewPace(1, time.Minute, time.Now),
		open: map[*connection]bool{}, sources: map[netip.Addr]int{},
	}
}

// A connection is one of a client. It is a *net.TCPConn, so that files are sent
// without being copied.
type connection struct {
	*net.TCPConn
	all    *Connections
	source netip.Addr
	busy   bool   // a request is being read or answered
	turn   uint64 // since when it is or is not
}

// Listener is a TCP listener within the bound. Its server has to call State and Context,
// and its requests have to come through Handler.
func (c *Connections) Listener(l net.Listener) net.Listener { return &boundListener{l, c} }

type boundListener struct {
	net.Listener
	all *Connections
}

// Accept waits for the next connection that there is room for.
func (l *boundListener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		conn, isTCP := accepted.(*net.TCPConn)
		if !isTCP {
			return accepted, nil
		}
		peer, _ := netip.ParseAddrPort(conn.RemoteAddr().String())
		if c := (&connection{TCPConn: conn, all: l.all, source: network(peer.Addr())}); l.all.admit(c, peer.Addr()) {
			return c, nil
		}
		_ = conn.Close()
	}
}

func (c *Connections) admit(conn *connection, peer netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.sources[conn.source] >= c.perSource && !contains(c.exempt, peer):
		if !c.makeRoom(func(other *connection) bool { return other.source == conn.source }) {
			c.refused(conn.source)
			return false
		}
	case len(c.open) >= c.most:
		if !c.makeRoom(func(*connection) bool { return true }) {
			c.refused(conn.source)
			return false
		}
	}
	c.turn++
	conn.turn = c.turn
	c.open[conn] = true
	c.sources[conn.source]++
	return true
}

// refused tells of a connection that was closed, once a minute.
func (c *Connections) refused(source netip.Addr) {
	if c.told.Allow("") {
		c.log.WarnContext(context.Background(), "connections are refused: too many are open", "remote", source, "open", len(c.open))
	}
}

// makeRoom closes the connection that has had nothing to do for longest; false
// when there is none.
func (c *Connections) makeRoom(among func(*connection) bool) bool {
	var idlest *connection
	for conn := range c.open {
		if !conn.busy && among(conn) && (idlest == nil || conn.turn < idlest.turn) {
			idlest = conn
		}
	}
	if idlest == nil {
		return false
	}
	c.remove(idlest)
	_ = idlest.TCPConn.Close() // its server finds out
	return true
}

func (c *Connections) remove(conn *connection) {
	if !c.open[conn] {
		return
	}
	delete(c.open, conn)
	if c.sources[conn.source]--; c.sources[conn.source] == 0 {
		delete(c.sources, conn.source)
	}
}

// Close gives the connection's place to another one.
func (conn *connection) Close() error {
	conn.all.mu.Lock()
	conn.all.remove(conn)
	conn.all.mu.Unlock()
	return conn.TCPConn.Close()
}

// connectionKey is where the context of a request has its connection.
type connectionKey struct{}

// Context is a http.Server's ConnContext: it lets Handler find the connection.
func (c *Connections) Context(ctx context.Context, conn net.Conn) context.Context {
	if own := bounded(conn); own != nil {
		return context.WithValue(ctx, connectionKey{}, own)
	}
	return ctx
}

// Handler tells of connections of HTTP/1 whose request is answered: the server waits
// for what is missing of its body, but others need not.
func (c *Connections) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if own, is := r.Context().Value(connectionKey{}).(*connection); is && r.ContentLength != 0 && r.ProtoMajor == 1 {
			defer c.set(own, false)
		}
		next.ServeHTTP(w, r)
	})
}

// State is a http.Server's ConnState: it tells which connections are busy.
func (c *Connections) State(conn net.Conn, state http.ConnState) {
	if own := bounded(conn); own != nil {
		c.set(own, state == http.StateActive)
	}
}

// bounded is a listener's connection, perhaps within TLS; nil for another one.
func bounded(conn net.Conn) *connection {
	if secure, is := conn.(interface{ NetConn() net.Conn }); is {
		conn = secure.NetConn()
	}
	own, _ := conn.(*connection)
	return own
}

func (c *Connections) set(conn *connection, busy bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	conn.busy, conn.turn = busy, c.turn
}
