package sip

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/emiago/sipgo"
	sipmsg "github.com/emiago/sipgo/sip"

	"dialtone/models"
)

const (
	inviteLinger = 32 * time.Second // for the end of an INVITE that is not wanted any more (RFC 3261, 64 times T1)
	maxForks     = 16               // answers to one INVITE
	maxNews      = 32               // of one phone that nobody has read
)

// A leg is one contact that is called.
type leg struct {
	*dialog // until the phone has answered
	client  *sipgo.Client
	headers []sipmsg.Header // of the INVITE
	news    chan news       // from the phone

	mu       sync.Mutex
	closed   bool
	txs      []sipmsg.ClientTransaction
	answered map[string]*dialog // by the phone's tag; several when a proxy rings several phones
	chosen   string             // tag of the one that is wanted
	cleanup  sync.WaitGroup     // of what answered and is not wanted
}

func newLeg(sender *sender, phone *models.Phone, t target, local netip.AddrPort, callID string, r *CallRequest) *leg {
	l := &leg{
		dialog: &dialog{
			target: t, sender: sender, phone: phone, local: local, callID: callID, from: fromHeader(r.CallerName, r.CallerNumber, phone),
		},
		client:   sender.client,
		news:     make(chan news, maxNews),
		answered: map[string]*dialog{},
	}
	for _, h := range r.Headers {
		l.headers = append(l.headers, sipmsg.NewHeader(h.Name, h.Value))
	}
	l.headers = append(l.headers, sipmsg.NewHeader("Allow", dialogMethods), sipmsg.NewHeader("Content-Type", sdpType))
	return l
}

// ring calls the contact until it answers, refuses, or ringing ends. The
// dialog is nil unless the phone answered and take wanted it; otherwise the
// response is the refusal, nil when there was none. Networking ends with ctx.
func (l *leg) ring(ctx, ringing context.Context, take func() bool) (*dialog, *sipmsg.Response, error) {
	if l.err != nil {
		return nil, nil, l.err
	}
	if l.dial {
		ctx = allowDial(ctx)
	}
	keys := newKeys(l.phone, l.sender.credentials)
	for {
		l.cseq++
		credentials := keys.headers(sipmsg.INVITE, l.uri, sdpOffer(l.local.Addr()))
		d, res, err := l.invite(ctx, ringing, credentials, take)
		if res == nil || ringing.Err() != nil || !keys.take(res) {
			return d, res, err
		}
	}
}

// invite sends one INVITE and sees it through.
func (l *leg) invite(ctx, ringing context.Context, credentials []sipmsg.Header, take func() bool) (*dialog, *sipmsg.Response, error) {
	req := l.request(sipmsg.INVITE, l.cseq, slices.Concat(l.headers, credentials)...)
	req.SetBody(sdpOffer(l.local.Addr()))
	tx, err := l.client.TransactionRequest(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	l.keep(ctx, tx, credentials)
	heard, unwanted := false, ringing.Done()
	var patience <-chan time.Time
	for {
		select {
		case res := <-tx.Responses():
			switch {
			case res.IsProvisional():
				if !heard && unwanted == nil {
					l.cancel(ctx, req) // only now: an INVITE that nobody has heard cannot be cancelled
				}
				heard = true
			case res.IsSuccess():
				return l.accept(ctx, res, credentials, take), nil, nil
			default:
				l.forget(tx)
				return nil, res, nil
			}
		case <-unwanted:
			unwanted = nil
			if heard {
				l.cancel(ctx, req)
			}
			timer := time.NewTimer(inviteLinger)
			defer timer.Stop()
			patience = timer.C
		case <-patience:
			return nil, nil, context.DeadlineExceeded
		case <-tx.Done():
			return nil, nil, cmp.Or(tx.Err(), errNoConnection)
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// keep has a transaction go on until the leg is closed, or the stack ends it:
// an answer may come again, or from another phone behind a proxy.
func (l *leg) keep(ctx context.Context, tx sipmsg.ClientTransaction, credentials []sipmsg.Header) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.txs = append(l.txs, tx)
	tx.OnRetransmission(func(res *sipmsg.Response) {
		l.accept(ctx, res, credentials, func() bool { return false })
	})
}

// forget leaves a transaction to the stack, which repeats the ACK of a refusal.
func (l *leg) forget(tx sipmsg.ClientTransaction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.txs = slices.DeleteFunc(l.txs, func(kept sipmsg.ClientTransaction) bool { return kept == tx })
}

// accept acknowledges an answer. It returns the dialog of a new one that take
// wants, and hangs up the others.
func (l *leg) accept(ctx context.Context, res *sipmsg.Response, credentials []sipmsg.Header, take func() bool) *dialog {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	tag := toTag(res)
	d, known := l.answered[tag]
	if !known {
		if len(l.answered) >= maxForks || res.CSeq() == nil {
			return nil
		}
		d = l.confirmed(res)
		l.answered[tag] = d
	}
	l.acknowledge(d, res.CSeq().SeqNo, credentials)
	if known {
		return nil
	}
	if take() {
		l.chosen = tag
		return d
	}
	l.cleanup.Go(func() { _ = hangUp(ctx, d) })
	return nil
}

// acknowledge confirms a 2xx. A lost ACK is sent again when the 2xx is.
func (l *leg) acknowledge(d *dialog, cseq uint32, credentials []sipmsg.Header) {
	_ = l.client.WriteRequest(d.request(sipmsg.ACK, cseq, credentials...))
}

// cancel tells a phone that has heard of the call to stop ringing.
func (l *leg) cancel(ctx context.Context, invite *sipmsg.Request) {
	req := sipmsg.NewRequest(sipmsg.CANCEL, invite.Recipient)
	req.AppendHeader(sipmsg.HeaderClone(invite.Via()))
	sipmsg.CopyHeaders("Route", invite, req)
	for _, name := range []string{"Max-Forwards", "From", "To", "Call-ID"} {
		sipmsg.CopyHeaders(name, invite, req)
	}
	req.AppendHeader(&sipmsg.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sipmsg.CANCEL})
	req.SetTransport(invite.Transport())
	req.SetDestination(invite.Destination())
	req.Laddr = invite.Laddr
	l.cleanup.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, byeTimeout)
		defer cancel()
		_, _ = l.sender.exchange(ctx, req)
	})
}

// close ends what is left of the leg and waits for it.
func (l *leg) close() {
	l.mu.Lock()
	l.closed = true
	for _, tx := range l.txs {
		tx.Terminate()
	}
	l.mu.Unlock()
	l.cleanup.Wait()
}

// hangUp ends a dialog.
func hangUp(ctx context.Context, d *dialog) error {
	ctx, cancel := context.WithTimeout(ctx, byeTimeout)
	defer cancel()
	_, err := d.do(ctx, sipmsg.BYE)
	return err
}

// answer is the response to a request inside one of the leg's dialogs.
func (l *leg) answer(req *sipmsg.Request) *sipmsg.Response {
	ours, _ := l.from.Params.Get("tag")
	theirs := fromTag(req)
	l.mu.Lock()
	_, known := l.answered[theirs]
	wanted := theirs == l.chosen
	l.mu.Unlock()
	if !known || toTag(req) != ours {
		return refusal(req, errNoTransaction)
	}
	switch req.Method {
	case sipmsg.BYE:
		l.tell(wanted, news{hungUp: true})
	case sipmsg.NOTIFY:
		n, ok := parseReferNews(req)
		if !ok {
			return refusal(req, errEvent)
		}
		l.tell(wanted, n)
	case sipmsg.INVITE, sipmsg.UPDATE:
		return l.renegotiate(req)
	case sipmsg.INFO:
	default:
		return refusal(req, refuse(sipmsg.StatusMethodNotAllowed, "Method Not Allowed", sipmsg.NewHeader("Allow", dialogMethods)))
	}
	return reply(req, sipmsg.StatusOK, "OK")
}

// tell passes on the news of the phone that is wanted, as long as they are read.
func (l *leg) tell(wanted bool, n news) {
	if !wanted {
		return
	}
	select {
	case l.news <- n:
	default:
	}
}

// renegotiate answers a phone that wants to change the call's media, of which
// there is none either way.
func (l *leg) renegotiate(req *sipmsg.Request) *sipmsg.Response {
	body, ok := sdpOffer(l.local.Addr()), true
	if len(req.Body()) > 0 {
		body, ok = sdpAnswer(req.Body(), l.local.Addr())
	}
	if !ok {
		return refusal(req, errMedia)
	}
	res := reply(req, sipmsg.StatusOK, "OK")
	res.AppendHeader(sipmsg.NewHeader("Contact", l.contactHeader()))
	if req.IsInvite() || len(req.Body()) > 0 {
		res.AppendHeader(sipmsg.NewHeader("Content-Type", sdpType))
		res.SetBody(body)
	}
	return res
}
