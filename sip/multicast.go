package sip

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	sipmsg "github.com/emiago/sipgo/sip"
	"golang.org/x/net/ipv4"

	"dialtone/models"
)

// multicast hears phones that do not know the server yet. It only listens:
// answers leave from the UDP listener.
type multicast struct {
	conn   *net.UDPConn // nil: the UDP listener hears the group itself
	parser *sipmsg.Parser
}

// openMulticast joins the group of Config.ProfileGroup. Where the UDP listener
// takes any address at the group's port, no other socket can have that port, and
// the listener joins.
func (s *sockets) openMulticast(ctx context.Context, cfg Config) error {
	group, err := netip.ParseAddrPort(cfg.ProfileGroup)
	if err != nil || !group.Addr().Is4() || !group.Addr().IsMulticast() {
		return fmt.Errorf("%w sip configuration: plug and play on %q: want a multicast address and port", models.ErrInvalid, cfg.ProfileGroup)
	}
	var device *net.Interface
	if cfg.ProfileInterface != "" {
		if device, err = net.InterfaceByName(cfg.ProfileInterface); err != nil {
			return fmt.Errorf("sip-pnp: interface %s: %w", cfg.ProfileInterface, err)
		}
	}
	s.multicast = &multicast{parser: newParser()}
	address := net.UDPAddrFromAddrPort(group)
	bound := s.port(transportUDP)
	if bound.Addr().IsUnspecified() && bound.Port() == group.Port() {
		err = ipv4.NewPacketConn(s.udp.UDPConn).JoinGroup(device, &net.UDPAddr{IP: address.IP})
	} else {
		s.multicast.conn, err = net.ListenMulticastUDP("udp4", device, address)
	}
	if err != nil {
		return bindError("sip-pnp", cfg.ProfileGroup, err)
	}
	s.log.InfoContext(ctx, "listening", "service", "sip-pnp", "addr", cfg.ProfileGroup)
	return nil
}

// serve hands every request that comes over the group to handle, until the
// socket is closed.
func (m *multicast) serve(handle func(*sipmsg.Request)) error {
	buffer := make([]byte, maxMessage)
	for {
		n, source, err := m.conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return err
		}
		if !isDatagram(buffer[:n]) {
			continue
		}
		message, err := m.parser.ParseSIP(append([]byte{}, buffer[:n]...))
		req, ok := message.(*sipmsg.Request)
		if err != nil || !ok {
			continue
		}
		req.SetTransport("UDP")
		req.SetSource(source.String())
		handle(req)
	}
}

func (m *multicast) close() error {
	if m == nil || m.conn == nil {
		return nil
	}
	return m.conn.Close()
}
