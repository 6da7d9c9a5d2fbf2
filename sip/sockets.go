package sip

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"golang.org/x/sync/errgroup"

	"dialtone/models"
)

// The transports, as models.Binding names them.
const (
	transportUDP = "udp"
	transportTCP = "tcp"
	transportTLS = "tls"
)

const (
	portAttempts  = 20      // at finding a free port for UDP and TCP alike
	udpBuffer     = 4 << 20 // bytes of datagrams the kernel keeps for us while we are busy
	maxUDPSources = 1 << 18 // changes of sender between two prunings, see datagrams
)

// sockets are the bound listeners; those that are off are nil.
type sockets struct {
	log         *slog.Logger
	connections *connections
	udp         *datagrams
	multicast   *multicast
	tcp         net.Listener
	tls         net.Listener
}

type listener struct {
	service string
	addr    netip.AddrPort
}

func (s *sockets) open(ctx context.Context, cfg Config) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if cfg.Addr != "" {
		if err := s.openPair(ctx, cfg.Addr); err != nil {
			return err
		}
	}
	if cfg.Profile != nil && cfg.ProfileGroup != "" {
		if err := s.openMulticast(ctx, cfg); err != nil {
			return err
		}
	}
	if cfg.TLSAddr != "" {
		return s.openTLS(ctx, cfg)
	}
	return nil
}

// openPair binds UDP and TCP to one port, also when any port will do.
func (s *sockets) openPair(ctx context.Context, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%w sip address: %w", models.ErrInvalid, err)
	}
	attempts := 1
	if port == "0" || port == "" {
		attempts = portAttempts
	}
	for range attempts {
		if err = s.tryPair(ctx, host, port); err == nil {
			return nil
		}
	}
	return err
}

func (s *sockets) tryPair(ctx context.Context, host, port string) error {
	addr := net.JoinHostPort(host, port)
	var config net.ListenConfig
	packets, err := config.ListenPacket(ctx, "udp", addr)
	if err != nil {
		return bindError("sip-udp", addr, err)
	}
	udp := packets.(*net.UDPConn)
	bound := udp.LocalAddr().(*net.UDPAddr)
	addr = net.JoinHostPort(host, fmt.Sprint(bound.Port))
	tcp, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return errors.Join(bindError("sip-tcp", addr, err), udp.Close())
	}
	if err := udp.SetReadBuffer(udpBuffer); err != nil {
		s.log.WarnContext(ctx, "UDP buffer not enlarged", "err", err)
	}
	s.udp, s.tcp = &datagrams{UDPConn: udp, limit: maxUDPSources}, s.streams(tcp, transportTCP, nil)
	return nil
}

func (s *sockets) openTLS(ctx context.Context, cfg Config) error {
	var config net.ListenConfig
	tcp, err := config.Listen(ctx, "tcp", cfg.TLSAddr)
	if err != nil {
		return bindError("sip-tls", cfg.TLSAddr, err)
	}
	s.tls = s.streams(tcp, transportTLS, cfg.TLS)
	return nil
}

func (s *sockets) streams(l net.Listener, transport string, config *tls.Config) *streams {
	return &streams{Listener: l, transport: transport, tls: config, all: s.connections, log: s.log}
}

// bindError names service and address once; the system's error repeats the address.
func bindError(service, addr string, err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return fmt.Errorf("%s cannot listen on %s: %w", service, addr, err)
}

// serve starts reading every socket. A socket that fails before ctx ends is an
// error of the group.
func (s *sockets) serve(ctx context.Context, group *errgroup.Group, stack *sipmsg.TransportLayer, registers *registers) {
	read := reader(ctx, group)
	if s.udp != nil {
		s.udp.stack, s.udp.registers = stack, registers
		s.udp.announce()
		read("sip-udp", s.udp.serve)
	}
	if s.tcp != nil {
		read("sip-tcp", func() error { return stack.ServeTCP(s.tcp) })
	}
	if s.tls != nil {
		read("sip-tls", func() error { return stack.ServeTLS(s.tls) })
	}
}

// serveMulticast starts reading the socket that only hears multicast, if there
// is one.
func (s *sockets) serveMulticast(ctx context.Context, group *errgroup.Group, handle func(*sipmsg.Request)) {
	if s.multicast != nil && s.multicast.conn != nil {
		reader(ctx, group)("sip-pnp", func() error { return s.multicast.serve(handle) })
	}
}

// reader starts readers in a group. One that ends before ctx does is an error.
func reader(ctx context.Context, group *errgroup.Group) func(service string, serve func() error) {
	return func(service string, serve func() error) {
		group.Go(func() error {
			err := serve()
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("%s stopped reading: %w", service, errors.Join(err, net.ErrClosed))
		})
	}
}

func (s *sockets) close() error {
	err := s.multicast.close()
	if s.udp != nil {
		err = errors.Join(err, s.udp.Close())
	}
	for _, l := range []net.Listener{s.tcp, s.tls} {
		if l != nil {
			err = errors.Join(err, l.Close())
		}
	}
	return err
}

func (s *sockets) listening() []listener {
	var all []listener
	for _, transport := range []string{transportUDP, transportTCP, transportTLS} {
		if addr := s.port(transport); addr.IsValid() {
			all = append(all, listener{"sip-" + transport, addr})
		}
	}
	return all
}

// port is the address a transport is bound to, the zero value when it is off.
func (s *sockets) port(transport string) netip.AddrPort {
	var bound netip.AddrPort
	switch {
	case transport == transportUDP && s.udp != nil:
		bound = s.udp.LocalAddr().(*net.UDPAddr).AddrPort()
	case transport == transportTCP && s.tcp != nil:
		bound = s.tcp.Addr().(*net.TCPAddr).AddrPort()
	case transport == transportTLS && s.tls != nil:
		bound = s.tls.Addr().(*net.TCPAddr).AddrPort()
	}
	return netip.AddrPortFrom(bound.Addr().Unmap(), bound.Port())
}

// reaches reports whether there is a way to a target: over a socket or a new
// connection always, and otherwise as long as the phone's own connection stands.
func (s *sockets) reaches(t target) bool {
	if t.dial || t.transport == transportUDP {
		return true
	}
	peer, err := netip.ParseAddrPort(t.addr)
	return err == nil && s.connections.has(t.transport, peer, t.since)
}

// datagrams is the UDP socket as the stack reads it. The stack remembers every
// sender as long as it reads a socket, so that spoofed senders could fill the
// memory; datagrams therefore drops what cannot be SIP, and ends the stack's
// reading now and then, which makes it forget, and starts it again.
type datagrams struct {
	*net.UDPConn
	limit     int // changes of sender in one round of reading
	stack     *sipmsg.TransportLayer
	registers *registers // which the stack does not see
	last      netip.AddrPort
	sources   int
	pruning   bool
}

// serve reads until the socket is closed.
func (d *datagrams) serve() error {
	for {
		d.sources, d.pruning = 0, false
		if err := d.stack.ServeUDP(d); err != nil || !d.pruning {
			return err
		}
	}
}

// ReadFrom reads the next datagram that may be a SIP message for the stack.
func (d *datagrams) ReadFrom(b []byte) (int, net.Addr, error) {
	if d.sources >= d.limit {
		d.prune()
		return 0, nil, net.ErrClosed
	}
	for {
		n, source, err := d.ReadFromUDPAddrPort(b)
		if err != nil {
			return 0, nil, err
		}
		source = netip.AddrPortFrom(source.Addr().Unmap(), source.Port())
		if !isDatagram(b[:n]) || d.registers.take(b[:n], source) {
			continue
		}
		if source != d.last {
			d.sources++
			d.last = source
		}
		return n, net.UDPAddrFromAddrPort(source), nil
	}
}

// prune prepares for the end of this round of reading: requests just read get
// a moment to find their way back, and NOTIFYs keep finding the socket.
func (d *datagrams) prune() {
	d.pruning = true
	time.Sleep(20 * time.Millisecond)
	d.announce()
}

// announce has the stack send over the socket also while it does not read it.
func (d *datagrams) announce() {
	name := d.LocalAddr().String()
	d.stack.Pool(transportUDP).Add(name, &sipmsg.UDPConnection{PacketConn: d, PacketAddr: name, Listener: true})
}
