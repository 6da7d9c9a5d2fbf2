package sip

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/emiago/sipgo"
	sipmsg "github.com/emiago/sipgo/sip"
	"golang.org/x/time/rate"

	"dialtone/models"
)

const (
	pingRate = 1000 // OPTIONS a second at most
	pingPage = 500  // bindings read at once
)

// pinger sends OPTIONS to the UDP contacts that registered here, so that the NATs
// before them do not forget the way back. The packet is all that counts: answers
// are not waited for, and nothing is repeated.
type pinger struct {
	store   Store
	log     *slog.Logger
	every   time.Duration // 0 = never
	replica string
	sender  *sender
	stack   *sipgo.Server
}

// run pings every binding once in each interval until ctx ends. With more of them
// than pingRate allows, it takes longer.
func (p *pinger) run(ctx context.Context) {
	if p.every <= 0 || p.sender.sockets.udp == nil {
		return
	}
	pace := rate.NewLimiter(pingRate, 1)
	round := time.NewTicker(p.every)
	defer round.Stop()
	for {
		select {
		case <-round.C:
		case <-ctx.Done():
			return
		}
		if err := p.sweep(ctx, pace); err != nil && ctx.Err() == nil {
			p.log.ErrorContext(ctx, "phones not pinged", "err", err)
		}
	}
}

func (p *pinger) sweep(ctx context.Context, pace *rate.Limiter) error {
	var last models.Binding
	for {
		page, err := p.page(ctx, last)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, b := range page {
			if len(b.Path) > 0 {
				continue // the edge before it sees to that
			}
			if err := pace.Wait(ctx); err != nil {
				return err
			}
			if err := p.ping(ctx, b); err != nil {
				p.log.DebugContext(ctx, "phone not pinged", "device", b.DeviceID, "remote", b.Received.String(), "err", err)
			}
		}
		last = page[len(page)-1]
	}
}

func (p *pinger) page(ctx context.Context, after models.Binding) ([]models.Binding, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return p.store.ReplicaBindings(ctx, p.replica, transportUDP, after, pingPage)
}

func (p *pinger) ping(ctx context.Context, b models.Binding) error {
	t := bindingTarget(b, p.replica)
	local, err := p.sender.local(ctx, t)
	if err != nil {
		return err
	}
	req := sipmsg.NewRequest(sipmsg.OPTIONS, stackURI(t.uri))
	via := &sipmsg.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: "UDP", Host: local.Addr().String(), Port: int(local.Port())}
	via.Params.Add("branch", sipmsg.GenerateBranchN(24))
	via.Params.Add("rport", "")
	req.AppendHeader(via)
	maxForwards := sipmsg.MaxForwardsHeader(70)
	req.AppendHeader(&maxForwards)
	from := &sipmsg.FromHeader{Address: stackURI(fmt.Sprintf("sip:ping@%s", local))}
	from.Params.Add("tag", models.NewID()[:16])
	req.AppendHeader(from)
	req.AppendHeader(&sipmsg.ToHeader{Address: stackURI(t.uri)})
	callID := sipmsg.CallIDHeader(models.NewID())
	req.AppendHeader(&callID)
	req.AppendHeader(&sipmsg.CSeqHeader{SeqNo: 1, MethodName: sipmsg.OPTIONS})
	req.AppendHeader(sipmsg.NewHeader("Accept", "application/sdp"))
	req.SetBody(nil)
	req.SetTransport(strings.ToUpper(transportUDP))
	req.SetDestination(t.addr)
	bound := p.sender.sockets.port(transportUDP)
	req.Laddr = sipmsg.Addr{IP: net.IP(bound.Addr().AsSlice()), Port: int(bound.Port())}
	return p.stack.TransportLayer().WriteMsg(req)
}
