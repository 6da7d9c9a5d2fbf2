// Package sip is Dialtone's SIP server: a registrar for phones (RFC 3261,
// section 10) and a notifier that tells registered phones to fetch their
// configuration again. The types of the SIP stack stay inside.
package sip

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo"
	sipmsg "github.com/emiago/sipgo/sip"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"dialtone/models"
)

const (
	maxRequests    = 2048             // handled at once; more are told to come back
	requestTimeout = 5 * time.Second  // for everything storage does for one request
	drainTimeout   = 2 * time.Second  // for queued NOTIFYs when Run is told to stop
	finishTimeout  = 1 * time.Second  // after that, for requests being handled
	defaultTimeout = 10 * time.Second // Config.NotifyTimeout
)

// Store is what SIP needs from storage. Errors are models.ErrNotFound for what
// does not exist; anything else means that storage cannot answer now.
type Store interface {
	// PhoneByAOR finds the device that registers as username in realm,
	// compared without case.
	PhoneByAOR(ctx context.Context, username, realm string) (*models.Phone, error)
	// PhoneByIP finds the device that is known by this source address.
	PhoneByIP(ctx context.Context, source netip.Addr) (*models.Phone, error)
	// RealmAccount finds the account whose realm this is, or whose devices name it.
	RealmAccount(ctx context.Context, realm string) (*models.Account, error)
	// Bindings lists a device's live bindings, newest first.
	Bindings(ctx context.Context, deviceID string) ([]models.Binding, error)
	// ReplicaBindings lists, in a steady order, at most limit live bindings of a
	// transport that a server took, from the one that follows after.
	ReplicaBindings(ctx context.Context, replica, transport string, after models.Binding, limit int) ([]models.Binding, error)
	// UpdateBindings lets change decide what remains of a device's live
	// bindings, atomically. An error of change is passed through and writes nothing.
	UpdateBindings(ctx context.Context, deviceID string, change func(live []models.Binding) ([]models.Binding, error)) error
	// CreateQuickCall stores a call that begins and fills its ID.
	CreateQuickCall(ctx context.Context, c *models.QuickCall) error
	// SaveQuickCall stores how far a call has come.
	SaveQuickCall(ctx context.Context, c *models.QuickCall) error
	// InterruptQuickCalls ends the stored calls that replica began before a time and
	// did not end, and any that began before old.
	InterruptQuickCalls(ctx context.Context, replica string, before, old time.Time) error
	// SaveNotification inserts n, or updates the one with its ID; it fills an empty ID.
	SaveNotification(ctx context.Context, n *models.Notification) error
	// BeginNotification is SaveNotification of one with an ID that is saved again
	// soon. It does not wait; failures are told then.
	BeginNotification(ctx context.Context, n *models.Notification)
	// SettleNotifications ends those without outcome that replica made before a
	// time, and any that were made before old.
	SettleNotifications(ctx context.Context, replica string, before, old time.Time, reason string) error
	// FetchedSince reports whether a device has fetched a file since then.
	FetchedSince(ctx context.Context, deviceID string, since time.Time) (bool, error)
}

// Guard locks out sources that keep presenting wrong credentials.
type Guard interface {
	Allowed(source netip.Addr) bool
	Fail(source netip.Addr)
}

// Config is what a Server needs.
type Config struct {
	Addr          string          // host:port for UDP and TCP, the same port for both; "" = off
	TLSAddr       string          // host:port for TLS; "" = off
	TLS           *tls.Config     // needed with TLSAddr
	Proxy         string          // host[:port][;transport=udp|tcp|tls]: where every NOTIFY goes; "" = to the phones' own bindings
	Sender        Credentials     // what Proxy's challenge (407) to a NOTIFY is answered with; no username = the device's own
	Replica       string          // this server's name, kept with bindings whose connection it holds
	NotifyTimeout time.Duration   // for one NOTIFY, or REFER, and its answer; 0 = 10 s
	NotifyPauses  []time.Duration // before each repetition of one without success; nil = 5 s and 30 s, empty = none

	ReferPatience time.Duration // for a phone to tell what became of a quick call; 0 = 3 min

	PingEvery      time.Duration  // between two OPTIONS to each UDP contact that registered here; 0 = none
	MaxConnections int            // TCP and TLS together; 0 = 20,000
	Exempt         []netip.Prefix // networks that may have more than their share of these

	// Profile tells where a phone's configuration is, for phones that ask (plug and
	// play); models.ErrNotFound for those that may not know. nil = off. Needs Addr.
	Profile          func(context.Context, ProfileRequest) (Profile, error)
	ProfileNetworks  []netip.Prefix // of phones that may ask
	ProfileGroup     string         // multicast address and port where they do; "" = they ask the server itself
	ProfileInterface string         // network interface for that; "" = the system's choice

	Answered func(method string, status int) // of each request, for figures; must not block; nil: nobody is told
	Told     func(outcome string)            // of each NOTIFY to a contact: models.NotifyAccepted and so on; nil likewise

	NonceKey []byte // secret; servers with the same one accept each other's challenges
	Store    Store
	Guard    Guard
	Log      *slog.Logger
	Now      func() time.Time // nil = time.Now
}

// A Server is the SIP side of Dialtone: New, Listen, Run.
type Server struct {
	cfg       Config
	log       *slog.Logger
	stack     *sipgo.Server
	sockets   *sockets
	registrar *registrar
	notifier  *notifier
	pinger    *pinger
	profiles  *profiles
	calls     *quickCalls
	slots     *semaphore.Weighted // one for each request being handled
	tagKey    []byte
}

// check refuses what does not go together.
func (cfg *Config) check() error {
	if cfg.TLSAddr != "" && cfg.TLS == nil {
		return fmt.Errorf("%w sip configuration: TLS on %s needs a certificate", models.ErrInvalid, cfg.TLSAddr)
	}
	if len(cfg.NonceKey) == 0 {
		return fmt.Errorf("%w sip configuration: no nonce key", models.ErrInvalid)
	}
	if cfg.Profile != nil && cfg.Addr == "" {
		return fmt.Errorf("%w sip configuration: plug and play needs a UDP listener", models.ErrInvalid)
	}
	if (cfg.Sender.Username == "") != (cfg.Sender.Password == "") {
		return fmt.Errorf("%w sip configuration: a sender's username and password go together", models.ErrInvalid)
	}
	if cfg.Sender.Username != "" && cfg.Proxy == "" { // any phone could ask for them
		return fmt.Errorf("%w sip configuration: a sender's credentials are for a proxy, and there is none", models.ErrInvalid)
	}
	return nil
}

// New checks the configuration; it binds nothing.
func New(cfg Config) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	proxy, err := parseProxy(cfg.Proxy)
	if err != nil {
		return nil, err
	}
	if cfg.NotifyTimeout == 0 {
		cfg.NotifyTimeout = defaultTimeout
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	agent, err := newAgent(cfg.Log)
	if err != nil {
		return nil, err
	}
	stack, err := sipgo.NewServer(agent, sipgo.WithServerLogger(stackLogger(cfg.Log)))
	if err != nil {
		return nil, fmt.Errorf("sip server: %w", err)
	}
	client, err := sipgo.NewClient(agent, sipgo.WithClientLogger(stackLogger(cfg.Log)))
	if err != nil {
		return nil, fmt.Errorf("sip client: %w", err)
	}
	s := &Server{
		cfg:       cfg,
		log:       cfg.Log,
		stack:     stack,
		sockets:   &sockets{log: cfg.Log, connections: newConnections(cfg)},
		registrar: newRegistrar(cfg),
		slots:     semaphore.NewWeighted(maxRequests),
		tagKey:    randomKey(),
	}
	s.registrar.keep = s.sockets.connections.keep
	send := &sender{client: client, sockets: s.sockets, credentials: cfg.Sender}
	s.notifier = newNotifier(cfg, proxy, send)
	s.pinger = &pinger{store: cfg.Store, log: cfg.Log, every: cfg.PingEvery, replica: cfg.Replica, sender: send, stack: stack}
	s.calls = newQuickCalls(cfg, s.notifier, send)
	s.profiles = newProfiles(cfg, send)
	return s, nil
}

// Listen binds every listener. An address that is in use is an error which
// names it.
func (s *Server) Listen(ctx context.Context) error {
	if err := s.sockets.open(ctx, s.cfg); err != nil {
		return err
	}
	for _, l := range s.sockets.listening() {
		s.log.InfoContext(ctx, "listening", "service", l.service, "addr", l.addr.String())
	}
	return nil
}

// Addrs are the addresses a server is bound to; the zero value is off.
type Addrs struct{ UDP, TCP, TLS netip.AddrPort }

// Addrs reports the bound addresses, after Listen.
func (s *Server) Addrs() Addrs {
	return Addrs{
		UDP: s.sockets.port(transportUDP),
		TCP: s.sockets.port(transportTCP),
		TLS: s.sockets.port(transportTLS),
	}
}

// Connections is how many phones are connected over TCP and TLS.
func (s *Server) Connections() int {
	c := s.sockets.connections
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

// Notify queues a NOTIFY to every contact of the phone and returns at once.
// The phone must not be changed afterwards. What became of it is stored as
// models.Notification.
func (s *Server) Notify(r NotifyRequest) { s.notifier.enqueue(r) }

// Call begins a quick call. It is models.ErrBusy when too many are under way, or
// one of the phones is being called; anything else but models.ErrInvalid means
// that storage cannot answer. What becomes of it is stored as models.QuickCall.
func (s *Server) Call(ctx context.Context, r CallRequest) (*QuickCall, error) {
	return s.calls.start(ctx, r)
}

// AwaitRoom waits while half of what can be queued is, or until ctx ends. Who
// has very many NOTIFYs leaves the other half to those with few.
func (s *Server) AwaitRoom(ctx context.Context) { s.notifier.awaitRoom(ctx) }

// Run serves until ctx ends, then finishes what is queued and in flight within
// a few seconds and returns nil. A listener that fails ends it with an error.
func (s *Server) Run(ctx context.Context) error {
	work := context.WithoutCancel(ctx) // requests in hand are finished after ctx has ended
	s.stack.OnNoRoute(func(req *sipmsg.Request, tx sipmsg.ServerTransaction) {
		// The stack would keep a UDP transaction for 32 s to repeat its answer. A
		// repeated request is answered again instead, which costs no memory: every
		// method here is idempotent.
		defer tx.Terminate()
		if !req.IsAck() { // which ends an INVITE that was refused
			s.serve(work, req, tx.Respond)
		}
	})
	registers := newRegisters(func(req *sipmsg.Request, answering func()) {
		s.serve(work, req, func(res *sipmsg.Response) error {
			answering()
			return s.sockets.answerDatagram(req, res)
		})
	})
	group, ctx := errgroup.WithContext(ctx)
	registers.serve(ctx, group)
	s.sockets.serve(ctx, group, s.stack.TransportLayer(), registers)
	s.sockets.serveMulticast(ctx, group, func(req *sipmsg.Request) { s.overhear(work, req) })
	group.Go(func() error {
		s.pinger.run(ctx)
		return nil
	})
	group.Go(func() error {
		var senders sync.WaitGroup
		senders.Go(func() { s.calls.run(ctx) })
		s.notifier.run(ctx) // until ctx ends and the queue is drained
		senders.Wait()
		s.finishRequests(work)
		s.profiles.close()
		return s.close()
	})
	return group.Wait()
}

// finishRequests waits for the requests being handled; later ones get 503.
func (s *Server) finishRequests(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, finishTimeout)
	defer cancel()
	if err := s.slots.Acquire(ctx, maxRequests); err != nil {
		s.log.WarnContext(ctx, "requests given up at stop", "err", err)
	}
}

func (s *Server) close() error {
	s.stack.TransactionLayer().Close()
	err := errors.Join(s.sockets.close(), s.stack.TransportLayer().Close())
	if errors.Is(err, net.ErrClosed) {
		return nil // the phone was quicker
	}
	return err
}

// serve handles one request of any method but ACK.
func (s *Server) serve(ctx context.Context, req *sipmsg.Request, send func(*sipmsg.Response) error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	defer s.recovered(ctx, req)
	if !s.slots.TryAcquire(1) {
		s.respond(ctx, req, send, refusal(req, errBusy))
		return
	}
	defer s.slots.Release(1)
	if s.profiles.concern(req) {
		s.subscribe(ctx, req, func(res *sipmsg.Response) { s.respond(ctx, req, send, res) })
		return
	}
	s.respond(ctx, req, send, s.answer(ctx, req))
}

// overhear handles a request that came over multicast, if it is one for plug and
// play: everything else is to be sent to the server itself.
func (s *Server) overhear(ctx context.Context, req *sipmsg.Request) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	defer s.recovered(ctx, req)
	if !s.profiles.concern(req) {
		return
	}
	s.subscribe(ctx, req, func(res *sipmsg.Response) {
		s.finish(req, res)
		if err := s.sockets.answerDatagram(req, res); err != nil {
			s.log.DebugContext(ctx, "answer not sent", "method", req.Method.String(), "remote", req.Source(), "err", err)
		}
	})
}

// subscribe answers a phone that asks where its configuration is, and tells it.
func (s *Server) subscribe(ctx context.Context, req *sipmsg.Request, respond func(*sipmsg.Response)) {
	if s.malformed(req) != nil {
		return
	}
	sub, repeated := s.profiles.hear(ctx, req)
	if sub == nil {
		return
	}
	local, err := s.profiles.sender.local(ctx, sub.target())
	if err != nil {
		s.log.ErrorContext(ctx, "no way to a phone", "mac", sub.MAC.String(), "remote", req.Source(), "err", err)
		return
	}
	respond(s.profiles.accept(sub, local))
	if !repeated {
		s.profiles.tell(ctx, sub, local, s.tag(req))
	}
}

func (s *Server) recovered(ctx context.Context, req *sipmsg.Request) {
	if cause := recover(); cause != nil {
		s.log.ErrorContext(ctx, "panic while handling a request", "method", req.Method.String(), "remote", req.Source(),
			"err", fmt.Sprint(cause), "stack", string(debug.Stack()))
	}
}

// answer is the response to a request; the only place that gives SIP status
// codes to methods.
func (s *Server) answer(ctx context.Context, req *sipmsg.Request) *sipmsg.Response {
	if why := s.malformed(req); why != nil {
		return refusal(req, why)
	}
	switch req.Method {
	case sipmsg.REGISTER:
		return s.registrar.answer(ctx, req)
	case sipmsg.OPTIONS:
		res := reply(req, sipmsg.StatusOK, "OK")
		res.AppendHeader(sipmsg.NewHeader("Allow", allowedMethods))
		res.AppendHeader(sipmsg.NewHeader("Supported", strings.Join(supportedExtensions, ", ")))
		return res
	case sipmsg.CANCEL:
		return refusal(req, errNoTransaction)
	}
	if toTag(req) != "" {
		return s.calls.answer(req)
	}
	return refusal(req, errMethod)
}

// malformed says what is wrong with a request of any method, nil when nothing is.
func (s *Server) malformed(req *sipmsg.Request) *refusalError {
	switch {
	case req.SipVersion != sipVersion:
		return errVersion
	case req.From() == nil || req.To() == nil || req.CallID() == nil || req.CSeq() == nil:
		return badRequest("Missing Header")
	case repeatsHeader(req):
		return badRequest("Repeated Header")
	case req.CSeq().MethodName != req.Method:
		return badRequest("CSeq Method Mismatch")
	case !strings.EqualFold(req.Recipient.Scheme, "sip") && !strings.EqualFold(req.Recipient.Scheme, "sips"):
		return errScheme
	}
	if unsupported := slices.DeleteFunc(optionTags(headerValues(req, "require")), isSupported); len(unsupported) > 0 {
		return refuse(sipmsg.StatusBadExtension, "Bad Extension", sipmsg.NewHeader("Unsupported", strings.Join(unsupported, ", ")))
	}
	return nil
}

// repeatsHeader reports whether a request says twice what can only be said once.
func repeatsHeader(req *sipmsg.Request) bool {
	return slices.ContainsFunc([]string{"from", "to", "call-id", "cseq", "max-forwards", "content-length"}, func(name string) bool {
		return countHeaders(req, name) > 1
	})
}

func (s *Server) respond(ctx context.Context, req *sipmsg.Request, send func(*sipmsg.Response) error, res *sipmsg.Response) {
	s.finish(req, res)
	if s.cfg.Answered != nil {
		s.cfg.Answered(known(req.Method), res.StatusCode)
	}
	if err := send(res); err != nil {
		s.log.DebugContext(ctx, "answer not sent", "method", req.Method.String(), "remote", req.Source(), "err", err)
	}
}

// known is the name of a method that the server has, "other" for all else: a
// stranger can make up any number of them.
func known(method sipmsg.RequestMethod) string {
	switch method {
	case sipmsg.REGISTER, sipmsg.OPTIONS, sipmsg.SUBSCRIBE, sipmsg.NOTIFY, sipmsg.INVITE, sipmsg.BYE, sipmsg.CANCEL:
		return string(method)
	}
	return "other"
}

// randomKey is a secret of this process.
func randomKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // crypto/rand.Read never fails (it ends the program)
	return key
}
