package sip

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds on connections.
const (
	defaultConnections = 20_000           // TCP and TLS together
	maxPerSource       = 1_000            // of one IPv4 address or IPv6 /64, unless exempt
	messageTime        = 10 * time.Second // in which a message that has begun must have come, and a TLS handshake
	idleTime           = 60 * time.Second // of a connection over which no phone is registered
	registeredGrace    = 10 * time.Minute // after the last binding over it has expired
	writeTimeout       = 5 * time.Second  // a phone that stops reading its connection
)

// connections are the TCP and TLS connections that phones have opened. There are
// only so many; a phone that is registered keeps its own.
type connections struct {
	limit       int
	perSource   int
	exempt      []netip.Prefix // networks that may fill all of it
	messageTime time.Duration
	idleTime    time.Duration
	now         func() time.Time

	turns atomic.Uint64 // numbers what is heard, over all of them

	mu      sync.Mutex
	open    map[connectionID]*stream
	sources map[netip.Prefix]int // how many each has open
}

type connectionID struct {
	transport string
	peer      netip.AddrPort
}

func newConnections(cfg Config) *connections {
	return &connections{
		limit:       cmp.Or(cfg.MaxConnections, defaultConnections),
		perSource:   maxPerSource,
		exempt:      cfg.Exempt,
		messageTime: messageTime,
		idleTime:    idleTime,
		now:         cfg.Now,
		open:        map[connectionID]*stream{},
		sources:     map[netip.Prefix]int{},
	}
}

// admit takes a new connection in. When there are too many, of its source or in
// all, it closes the idlest one over which no phone is registered; false when
// there is none.
func (c *connections) admit(s *stream) bool {
	source := s.source()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sources[source] >= c.perSource && !slices.ContainsFunc(c.exempt, func(p netip.Prefix) bool { return p.Overlaps(source) }) {
		if !c.closeIdlest(func(other *stream) bool { return other.source() == source }) {
			return false
		}
	}
	if len(c.open) >= c.limit && !c.closeIdlest(func(*stream) bool { return true }) {
		return false
	}
	c.open[s.id] = s
	c.sources[source]++
	return true
}

func (c *connections) closeIdlest(among func(*stream) bool) bool {
	var idlest *stream
	now := c.now()
	for _, s := range c.open {
		if among(s) && !s.registered(now) && (idlest == nil || s.heard.Load() < idlest.heard.Load()) {
			idlest = s
		}
	}
	if idlest == nil {
		return false
	}
	c.remove(idlest)
	_ = idlest.socket.Close() // its reader finds out and ends
	return true
}

func (c *connections) remove(s *stream) {
	if c.open[s.id] != s {
		return
	}
	delete(c.open, s.id)
	source := s.source()
	if c.sources[source]--; c.sources[source] <= 0 {
		delete(c.sources, source)
	}
}

func (c *connections) forget(s *stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(s)
}

// keep says that a phone is registered over a connection, until then.
func (c *connections) keep(transport string, peer netip.AddrPort, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.open[connectionID{transport, peer}]; s != nil {
		s.until.Store(max(s.until.Load(), until.UnixMilli()))
	}
}

// has reports whether the connection is open over which a phone registered at
// the given time. Another one may have the same address since.
func (c *connections) has(transport string, peer netip.AddrPort, at time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.open[connectionID{transport, peer}]
	return s != nil && !s.since.After(at)
}

// streams is a TCP or TLS listener which survives passing failures, such as too
// many open files.
type streams struct {
	net.Listener
	transport string
	tls       *tls.Config // nil: plain TCP
	all       *connections
	log       *slog.Logger
}

// Accept waits for the next connection that there is room for.
func (l *streams) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		if err != nil {
			l.log.Error("connection not accepted", "addr", l.Addr().String(), "err", err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		s := l.stream(conn)
		if l.all.admit(s) {
			return s, nil
		}
		l.log.Warn("connection refused: too many are open", "remote", s.id.peer.String(), "transport", l.transport)
		_ = conn.Close() // nothing was said over it
	}
}

func (l *streams) stream(conn net.Conn) *stream {
	peer, _ := netip.ParseAddrPort(conn.RemoteAddr().String())
	s := &stream{
		Conn:   conn,
		socket: conn,
		all:    l.all,
		id:     connectionID{l.transport, netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())},
		since:  l.all.now().Truncate(time.Millisecond),
		spoke:  time.Now(),
	}
	s.heard.Store(l.all.turns.Add(1))
	if l.tls != nil {
		s.secure = tls.Server(conn, l.tls)
		s.Conn = s.secure
	}
	return s
}

// stream is one connection of a phone, as the stack reads it: in whole messages
// within the limits, without the keep-alives between them.
type stream struct {
	net.Conn
	socket net.Conn // below TLS
	all    *connections
	id     connectionID
	since  time.Time
	until  atomic.Int64  // milliseconds; the last of the bindings over it
	heard  atomic.Uint64 // turn of the last bytes, see connections
	closed sync.Once

	secure  *tls.Conn // nil: plain TCP, or its handshake is done
	pending []byte    // what has come
	whole   int       // bytes of it that are whole messages
	begun   time.Time // when the rest of it began to come
	spoke   time.Time // when the last whole message had come
	crlf    bool      // before pending came one half of a keep-alive
}

func (s *stream) registered(now time.Time) bool { return s.until.Load() > now.UnixMilli() }

// source is what counts as one: a single host owns a whole IPv6 /64.
func (s *stream) source() netip.Prefix {
	bits := 32
	if s.id.peer.Addr().Is6() {
		bits = 64
	}
	prefix, _ := s.id.peer.Addr().WithZone("").Prefix(bits)
	return prefix
}

// Read waits for the next message.
func (s *stream) Read(b []byte) (int, error) {
	if s.secure != nil {
		if err := s.handshake(); err != nil {
			return 0, err
		}
	}
	for s.whole == 0 {
		if err := s.sort(); err != nil {
			return 0, err
		}
		if s.whole > 0 {
			s.spoke = time.Now()
		} else if err := s.receive(b); err != nil {
			return 0, err
		}
	}
	n := copy(b, s.pending[:s.whole])
	s.whole -= n
	s.drop(n)
	s.begun = s.spoke
	return n, nil
}

// receive waits for more bytes, for which it uses the reader's buffer b.
func (s *stream) receive(b []byte) error {
	if err := s.SetReadDeadline(s.deadline()); err != nil {
		return err
	}
	n, err := s.Conn.Read(b)
	if n > 0 {
		s.heard.Store(s.all.turns.Add(1))
		if len(s.pending) == 0 {
			s.begun = time.Now()
		}
		s.pending = append(s.pending, b[:n]...)
		return nil
	}
	return err
}

func (s *stream) handshake() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.all.messageTime)
	defer cancel()
	err := s.secure.HandshakeContext(ctx)
	s.secure = nil
	return err
}

// deadline is until when the next bytes are waited for. Keep-alives do not put it
// off, unless a phone is registered.
func (s *stream) deadline() time.Time {
	if len(s.pending) > 0 {
		return s.begun.Add(s.all.messageTime)
	}
	if left := time.UnixMilli(s.until.Load()).Sub(s.all.now()); left > -registeredGrace {
		return time.Now().Add(left + registeredGrace)
	}
	return s.spoke.Add(s.all.idleTime)
}

// sort finds the whole messages at the beginning of what has come, and answers
// keep-alives before them (RFC 5626, section 4.4.1).
func (s *stream) sort() error {
	for bytes.HasPrefix(s.pending, []byte("\r\n")) {
		s.drop(2)
		if s.crlf = !s.crlf; s.crlf {
			continue
		}
		if _, err := s.Write([]byte("\r\n")); err != nil {
			return err
		}
	}
	for len(s.pending) > s.whole {
		rest := s.pending[s.whole:]
		if rest[0] == '\r' {
			return nil // a keep-alive, or the beginning of one: next time
		}
		length, err := frameLength(rest)
		if err != nil && s.whole > 0 {
			return nil // after what is before it
		}
		if err != nil || length == 0 {
			return err
		}
		s.crlf = false
		s.whole += length
	}
	return nil
}

// drop removes the first bytes of what has come. An idle connection holds no
// memory for it.
func (s *stream) drop(n int) {
	s.pending = s.pending[n:]
	if len(s.pending) == 0 {
		s.pending = nil
	}
}

func (s *stream) Write(b []byte) (int, error) {
	if err := s.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return s.Conn.Write(b)
}

// Close closes the connection; closing it again does nothing, because the
// stack does so.
func (s *stream) Close() error {
	var err error
	s.closed.Do(func() {
		s.all.forget(s)
		err = s.Conn.Close()
	})
	return err
}
