package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/emiago/sipgo"
	sipmsg "github.com/emiago/sipgo/sip"
)

// sender writes NOTIFYs and waits for their answers.
type sender struct {
	client      *sipgo.Client
	sockets     *sockets
	credentials Credentials // Config.Sender
}

// A call is what a NOTIFY and its repetitions share. One that got no answer is
// sent again as it was, so that a phone which has heard it before does not act
// twice; after an answer the next one is a new request.
type call struct {
	id, tag string
	cseq    uint32
}

func newCall(id string) call { return call{id: id, tag: derived(id, "tag")[:16], cseq: 1} }

// branch names the transaction.
func (c call) branch() string {
	return sipmsg.RFC3261BranchMagicCookie + derived(c.id, strconv.FormatUint(uint64(c.cseq), 10))[:24]
}

// send sends a NOTIFY and returns the final answer, after the challenges that can
// be answered. It ends with ctx.
func (s *sender) send(ctx context.Context, r NotifyRequest, t target, c *call) (*sipmsg.Response, error) {
	if t.err != nil {
		return nil, t.err
	}
	if !s.sockets.reaches(t) {
		return nil, errNoConnection
	}
	local, err := s.local(ctx, t)
	if err != nil {
		return nil, err
	}
	if t.dial {
		ctx = allowDial(ctx)
	}
	keys := newKeys(r.Phone, s.credentials)
	for {
		res, err := s.exchange(ctx, s.request(r, t, local, *c, keys.headers(sipmsg.NOTIFY, t.uri, r.Body)))
		if err != nil {
			return nil, err
		}
		c.cseq++
		if !keys.take(res) {
			return res, nil
		}
	}
}

func (s *sender) exchange(ctx context.Context, req *sipmsg.Request) (*sipmsg.Response, error) {
	res, err := s.client.Do(ctx, req)
	if err == nil && res == nil {
		return nil, errNoConnection // the transaction was ended by a closing connection
	}
	return res, err
}

// request builds a NOTIFY outside any dialog, with credentials when there are any.
func (s *sender) request(r NotifyRequest, t target, local netip.AddrPort, c call, credentials []sipmsg.Header) *sipmsg.Request {
	req := sipmsg.NewRequest(sipmsg.NOTIFY, stackURI(t.uri))
	via := &sipmsg.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: strings.ToUpper(t.transport)}
	via.Params.Add("branch", c.branch())
	via.Params.Add("rport", "")
	if local.IsValid() {
		via.Host, via.Port = local.Addr().String(), int(local.Port())
	}
	req.AppendHeader(via)
	for _, route := range t.routes {
		req.AppendHeader(sipmsg.NewHeader("Route", route))
	}
	maxForwards := sipmsg.MaxForwardsHeader(70)
	req.AppendHeader(&maxForwards)
	aor := stackURI(aorURI(r.Phone))
	from := &sipmsg.FromHeader{Address: aor}
	from.Params.Add("tag", c.tag)
	req.AppendHeader(from)
	req.AppendHeader(&sipmsg.ToHeader{Address: aor})
	callID := sipmsg.CallIDHeader(c.id)
	req.AppendHeader(&callID)
	req.AppendHeader(&sipmsg.CSeqHeader{SeqNo: c.cseq, MethodName: sipmsg.NOTIFY})
	if local.IsValid() {
		req.AppendHeader(sipmsg.NewHeader("Contact", fmt.Sprintf("<sip:%s;transport=%s>", local, t.transport)))
	}
	req.AppendHeader(sipmsg.NewHeader("Event", r.Event))
	req.AppendHeader(sipmsg.NewHeader("Subscription-State", "terminated"))
	if r.ContentType != "" {
		req.AppendHeader(sipmsg.NewHeader("Content-Type", r.ContentType))
	}
	for _, h := range credentials {
		req.AppendHeader(h)
	}
	req.SetBody(r.Body)
	req.SetTransport(strings.ToUpper(t.transport))
	req.SetDestination(t.addr)
	if udp := s.sockets.port(transportUDP); t.transport == transportUDP && udp.IsValid() {
		req.Laddr = sipmsg.Addr{IP: net.IP(udp.Addr().AsSlice()), Port: int(udp.Port())}
	}
	return req
}

// local is the address under which the next hop can reach this server: that of
// the transport's listener, and where the listener takes any address, the one
// from which packets to the hop leave. It is the zero value without a listener.
func (s *sender) local(ctx context.Context, t target) (netip.AddrPort, error) {
	bound := s.sockets.port(t.transport)
	switch {
	case !bound.IsValid() && !t.dial:
		return bound, fmt.Errorf("there is no listener for %s", t.transport)
	case !bound.IsValid(), !bound.Addr().IsUnspecified():
		return bound, nil
	}
	var dialer net.Dialer
	probe, err := dialer.DialContext(ctx, "udp", t.addr) // sends nothing
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("no route to %s: %w", t.addr, err)
	}
	from, err := netip.ParseAddrPort(probe.LocalAddr().String())
	return netip.AddrPortFrom(from.Addr(), bound.Port()), errors.Join(err, probe.Close())
}

// withoutHeaders is a contact as a Request-URI, which has no headers part.
func withoutHeaders(contact string) string {
	user := strings.IndexByte(contact, '@') + 1 // a username may hold question marks
	bare, _, _ := strings.Cut(contact[user:], "?")
	return contact[:user] + bare
}
