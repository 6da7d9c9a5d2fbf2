package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"golang.org/x/time/rate"

	"dialtone/models"
)

// Bounds on plug and play.
const (
	profileRate   = 20     // phones told a second
	profileBurst  = 200    // at once, as after a power cut
	maxProfiles   = 256    // NOTIFYs under way
	maxAsked      = 10_000 // SUBSCRIBEs remembered, so that a repeated one is not told again
	maxEventValue = 64     // bytes of a parameter
)

// A ProfileRequest is a phone that asks where its configuration is: what it says
// of itself, which proves nothing.
type ProfileRequest struct {
	MAC     models.MAC
	Vendor  string // as the phone writes it; model and version likewise
	Model   string
	Version string
	Source  netip.Addr
}

// A Profile is what such a phone is told. It holds a secret.
type Profile struct {
	ContentType string
	Body        []byte
}

// profiles tells phones where their configuration is (SIP plug and play: RFC
// 6080, as vendors have it). Whoever may not be told gets no answer at all:
// another server may have one.
type profiles struct {
	lookup   func(context.Context, ProfileRequest) (Profile, error) // nil: off
	networks []netip.Prefix
	log      *slog.Logger
	now      func() time.Time
	timeout  time.Duration
	sender   *sender
	pace     *rate.Limiter
	slots    chan struct{} // one for each NOTIFY under way
	sending  context.Context
	stop     context.CancelFunc // of sending

	mu    sync.Mutex
	asked map[string]time.Time // by source and Call-ID
	work  sync.WaitGroup
}

func newProfiles(cfg Config, sender *sender) *profiles {
	p := &profiles{
		lookup: cfg.Profile, networks: cfg.ProfileNetworks, log: cfg.Log, now: cfg.Now, timeout: cfg.NotifyTimeout, sender: sender,
		pace: rate.NewLimiter(profileRate, profileBurst), slots: make(chan struct{}, maxProfiles), asked: map[string]time.Time{},
	}
	p.sending, p.stop = context.WithCancel(context.Background())
	return p
}

// close ends the NOTIFYs under way; none begins any more.
func (p *profiles) close() {
	p.mu.Lock()
	p.stop()
	p.mu.Unlock()
	p.work.Wait()
}

// concern reports whether a request is for plug and play.
func (p *profiles) concern(req *sipmsg.Request) bool {
	if p.lookup == nil || req.Method != sipmsg.SUBSCRIBE {
		return false
	}
	event, _, _ := strings.Cut(strings.Join(headerValues(req, "event", "o"), ","), ";")
	return strings.EqualFold(strings.TrimSpace(event), "ua-profile")
}

// A subscription is a SUBSCRIBE that can be answered.
type subscription struct {
	ProfileRequest
	request *sipmsg.Request
	event   string // the Event header, to be repeated
	source  netip.AddrPort
	contact string // Request-URI of the NOTIFY
	profile Profile
}

// hear finds what a phone is to be told; nil when nothing. Repeated is a
// SUBSCRIBE that was heard before.
func (p *profiles) hear(ctx context.Context, req *sipmsg.Request) (s *subscription, repeated bool) {
	s, err := parseSubscription(req)
	if err != nil || !p.serves(s.Source) || !p.pace.Allow() {
		p.log.DebugContext(ctx, "SUBSCRIBE for a profile ignored", "remote", req.Source(), "err", err)
		return nil, false
	}
	s.profile, err = p.lookup(ctx, s.ProfileRequest)
	switch {
	case errors.Is(err, models.ErrNotFound):
		p.log.InfoContext(ctx, "phone not told where its configuration is", "mac", s.MAC.String(), "vendor", s.Vendor, "model", s.Model,
			"remote", s.source.String(), "err", err)
		return nil, false
	case err != nil:
		p.log.ErrorContext(ctx, "phone not looked up", "mac", s.MAC.String(), "remote", s.source.String(), "err", err)
		return nil, false
	}
	return s, p.repeats(s.Source.String() + " " + req.CallID().Value())
}

func (p *profiles) serves(source netip.Addr) bool {
	return slices.ContainsFunc(p.networks, func(n netip.Prefix) bool { return n.Contains(source) })
}

// repeats notes a SUBSCRIBE; true when it was noted before, or there is no room.
func (p *profiles) repeats(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if len(p.asked) >= maxAsked {
		for k, at := range p.asked {
			if now.Sub(at) > repeatTime {
				delete(p.asked, k)
			}
		}
	}
	if at, known := p.asked[key]; known && now.Sub(at) <= repeatTime || len(p.asked) >= maxAsked {
		return true
	}
	p.asked[key] = now
	return false
}

// accept is the answer to a SUBSCRIBE.
func (p *profiles) accept(s *subscription, local netip.AddrPort) *sipmsg.Response {
	res := reply(s.request, sipmsg.StatusOK, "OK")
	res.AppendHeader(sipmsg.NewHeader("Contact", fmt.Sprintf("<sip:%s>", local)))
	res.AppendHeader(sipmsg.NewHeader("Expires", "0"))
	return res
}

// target is where the NOTIFY goes: never anywhere but to where the SUBSCRIBE
// came from.
func (s *subscription) target() target {
	return target{uri: s.contact, addr: s.source.String(), transport: sipmsg.NetworkToLower(s.request.Transport())}
}

// tell sends the NOTIFY without waiting for it. The tag is that of the answer.
func (p *profiles) tell(ctx context.Context, s *subscription, local netip.AddrPort, tag string) {
	select {
	case p.slots <- struct{}{}:
	default:
		p.log.WarnContext(ctx, "phone not told where its configuration is: too many at once", "mac", s.MAC.String(), "remote", s.source.String())
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sending.Err() != nil {
		return
	}
	p.work.Go(func() {
		defer func() { <-p.slots }()
		ctx, cancel := context.WithTimeout(p.sending, p.timeout)
		defer cancel()
		res, err := p.sender.exchange(ctx, p.notify(s, local, tag))
		_, code, reason := outcome(res, err)
		p.log.InfoContext(ctx, "phone told where its configuration is", "mac", s.MAC.String(), "vendor", s.Vendor, "model", s.Model,
			"version", s.Version, "remote", s.source.String(), "code", code, "reason", clip(reason))
	})
}

func (p *profiles) notify(s *subscription, local netip.AddrPort, tag string) *sipmsg.Request {
	t := s.target()
	req := sipmsg.NewRequest(sipmsg.NOTIFY, stackURI(t.uri))
	transport := strings.ToUpper(t.transport)
	via := &sipmsg.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: transport, Host: local.Addr().String(), Port: int(local.Port())}
	via.Params.Add("branch", sipmsg.GenerateBranchN(24))
	via.Params.Add("rport", "")
	req.AppendHeader(via)
	maxForwards := sipmsg.MaxForwardsHeader(70)
	req.AppendHeader(&maxForwards)
	from := &sipmsg.FromHeader{Address: s.request.To().Address}
	from.Params.Add("tag", tag)
	req.AppendHeader(from)
	req.AppendHeader(&sipmsg.ToHeader{Address: s.request.From().Address, Params: s.request.From().Params})
	callID := *s.request.CallID()
	req.AppendHeader(&callID)
	req.AppendHeader(&sipmsg.CSeqHeader{SeqNo: 1, MethodName: sipmsg.NOTIFY})
	req.AppendHeader(sipmsg.NewHeader("Contact", fmt.Sprintf("<sip:%s>", local)))
	req.AppendHeader(sipmsg.NewHeader("Event", s.event))
	req.AppendHeader(sipmsg.NewHeader("Subscription-State", "terminated;reason=timeout"))
	req.AppendHeader(sipmsg.NewHeader("Content-Type", s.profile.ContentType))
	req.SetBody(s.profile.Body)
	req.SetTransport(transport)
	req.SetDestination(t.addr)
	if udp := p.sender.sockets.port(transportUDP); t.transport == transportUDP && udp.IsValid() {
		req.Laddr = sipmsg.Addr{IP: net.IP(udp.Addr().AsSlice()), Port: int(udp.Port())}
	}
	return req
}

// parseSubscription reads a SUBSCRIBE whose From, To, Call-ID and CSeq exist.
func parseSubscription(req *sipmsg.Request) (*subscription, error) {
	source, err := netip.ParseAddrPort(req.Source())
	if err != nil {
		return nil, fmt.Errorf("%w source: %w", models.ErrInvalid, err)
	}
	s := &subscription{request: req, source: netip.AddrPortFrom(source.Addr().Unmap(), source.Port())}
	s.Source = s.source.Addr()
	s.event = strings.Join(headerValues(req, "event", "o"), ",")
	parts, err := splitUnquoted(s.event, ';')
	if err != nil || len(s.event) > maxURI || !isClean(s.event) || !isClean(req.CallID().Value()) || len(req.CallID().Value()) > maxName {
		return nil, fmt.Errorf("%w Event or Call-ID", models.ErrInvalid)
	}
	params := map[string]string{}
	for _, part := range parts[1:] {
		name, value, _ := strings.Cut(part, "=")
		if value = unquote(strings.TrimSpace(value)); len(value) > maxEventValue {
			return nil, fmt.Errorf("%w Event: a parameter is too long", models.ErrInvalid)
		}
		params[strings.ToLower(strings.TrimSpace(name))] = value
	}
	if kind := params["profile-type"]; kind != "" && !strings.EqualFold(kind, "device") {
		return nil, fmt.Errorf("%w profile type", models.ErrInvalid)
	}
	s.Vendor, s.Model, s.Version = params["vendor"], params["model"], params["version"]
	if s.MAC, err = subscriberMAC(req.From().Address, req.To().Address, req.Recipient); err != nil {
		return nil, err
	}
	s.contact = "sip:" + s.source.String()
	if uri, ok := contactURI(headerValues(req, "contact", "m")); ok {
		s.contact = uri
		// A phone may wait for the NOTIFY at another of its ports.
		contact, err := parseURI(uri)
		at, errAt := netip.ParseAddrPort(contact.hostPort())
		if err == nil && errAt == nil && at.Addr() == s.Source && strings.EqualFold(req.Transport(), transportUDP) {
			s.source = at
		}
	}
	return s, nil
}

// subscriberMAC is the address in the first URI that holds one before its host:
// "MAC%3a001565aabbcc", "MAC:...", whose second part counts as a password,
// "MAC=..." or "MAC...".
func subscriberMAC(uris ...sipmsg.Uri) (models.MAC, error) {
	for _, uri := range uris {
		user := unescape(uri.User + uri.Password)
		if len(user) < 3 || !strings.EqualFold(user[:3], "MAC") {
			continue
		}
		if mac, err := models.ParseMAC(strings.TrimLeft(user[3:], ":=")); err == nil {
			return mac, nil
		}
	}
	return models.MAC{}, fmt.Errorf("%w subscriber: no MAC", models.ErrInvalid)
}
