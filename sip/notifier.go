package sip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"

	"dialtone/models"
)

const (
	notifyQueue    = 10_000          // requests waiting for a worker
	overflowQueue  = 1_000           // refused requests waiting to be recorded as such
	notifyWorkers  = 512             // devices notified at once; each may wait for a dead phone
	recordOverhang = time.Second / 2 // to record what was given up at stop
)

// A NotifyRequest asks for one NOTIFY to every contact of a phone.
type NotifyRequest struct {
	Phone       *models.Phone
	Event       string // the Event header, verbatim: "check-sync;reboot=true"
	ContentType string // "" = no Content-Type
	Body        []byte
	// Bindings are the contacts to reach, for a phone whose registration is
	// taken away meanwhile. Nil = those that it has when the NOTIFY is sent;
	// empty = none. With a proxy they do not matter.
	Bindings []models.Binding
}

// notifier works off a queue of NotifyRequests and records what became of them.
type notifier struct {
	store   Store
	log     *slog.Logger
	now     func() time.Time
	timeout time.Duration
	replica string
	proxy   uri // zero = to the phones' own bindings
	sender  *sender

	mu       sync.RWMutex
	stopped  bool
	queue    chan NotifyRequest
	overflow chan NotifyRequest
}

func newNotifier(cfg Config, proxy uri, sender *sender) *notifier {
	return &notifier{
		store:    cfg.Store,
		log:      cfg.Log,
		now:      cfg.Now,
		timeout:  cfg.NotifyTimeout,
		replica:  cfg.Replica,
		proxy:    proxy,
		sender:   sender,
		queue:    make(chan NotifyRequest, notifyQueue),
		overflow: make(chan NotifyRequest, overflowQueue),
	}
}

// enqueue never waits: what the queue cannot take is recorded as unreachable.
func (n *notifier) enqueue(r NotifyRequest) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.stopped {
		n.log.Warn("NOTIFY refused: the server is stopping", "device", r.Phone.Device.ID)
		return
	}
	select {
	case n.queue <- r:
		return
	default:
		n.log.Warn("NOTIFY refused: the queue is full", "device", r.Phone.Device.ID, "account", r.Phone.Account.ID)
	}
	select {
	case n.overflow <- r:
	default: // too many even to record; the log has it
	}
}

func (n *notifier) awaitRoom(ctx context.Context) {
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for len(n.queue) >= notifyQueue/2 {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// run works until ctx ends, then sends what is queued for drainTimeout more
// and records the rest as given up.
func (n *notifier) run(ctx context.Context) {
	recording, stopRecording := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRecording()
	sending, stopSending := context.WithCancel(recording)
	defer stopSending()

	var workers sync.WaitGroup
	for range notifyWorkers {
		workers.Go(func() {
			for r := range n.queue {
				n.notify(recording, sending, r)
			}
		})
	}
	workers.Go(func() {
		for r := range n.overflow {
			n.giveUp(recording, r, "the queue is full")
		}
	})
	<-ctx.Done()
	n.stop()
	defer time.AfterFunc(drainTimeout, stopSending).Stop()
	defer time.AfterFunc(drainTimeout+recordOverhang, stopRecording).Stop()
	workers.Wait()
}

func (n *notifier) stop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stopped = true
	close(n.queue)
	close(n.overflow)
}

// notify sends one request to all of the phone's contacts at once. Storage is
// used with ctx, the network with sending, which ends earlier at stop.
func (n *notifier) notify(ctx, sending context.Context, r NotifyRequest) {
	defer n.recovered(ctx, r)
	reason := r.invalid()
	if sending.Err() != nil {
		reason = "the server stopped before it was sent"
	}
	if reason != "" {
		n.giveUp(ctx, r, reason)
		return
	}
	targets, err := n.targets(ctx, r)
	switch {
	case errors.Is(err, models.ErrNotFound):
		n.log.InfoContext(ctx, "NOTIFY dropped: the device is gone", "device", r.Phone.Device.ID, "account", r.Phone.Account.ID)
		return
	case err != nil:
		n.log.ErrorContext(ctx, "bindings not read", "device", r.Phone.Device.ID, "account", r.Phone.Account.ID, "err", err)
		n.giveUp(ctx, r, "storage did not answer")
		return
	case len(targets) == 0 && r.Bindings != nil:
		return // nobody was to be reached
	case len(targets) == 0:
		n.giveUp(ctx, r, "not registered")
		return
	}
	var contacts sync.WaitGroup
	for _, t := range targets {
		contacts.Go(func() {
			defer n.recovered(ctx, r)
			n.deliver(ctx, sending, r, t)
		})
	}
	contacts.Wait()
}

// invalid says why a request cannot be sent at all, "" when it can.
func (r NotifyRequest) invalid() string {
	switch {
	case r.Phone.Device.SIP.Username == "":
		return "the device has no SIP username"
	case r.Event == "" || !isClean(r.Event):
		return "the event is not a header value"
	case !isClean(r.ContentType):
		return "the content type is not a header value"
	}
	return ""
}

// targets are the places a phone's NOTIFYs go to.
func (n *notifier) targets(ctx context.Context, r NotifyRequest) ([]target, error) {
	if n.proxy.host != "" {
		return []target{proxyTarget(r.Phone, n.proxy)}, nil
	}
	bindings := r.Bindings
	if bindings == nil {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		var err error
		if bindings, err = n.store.Bindings(ctx, r.Phone.Device.ID); err != nil {
			return nil, err
		}
	}
	now := n.now()
	var targets []target
	for _, b := range bindings {
		if b.Live(now) {
			targets = append(targets, bindingTarget(b, n.replica))
		}
	}
	return targets, nil
}

// deliver sends to one contact and records its story.
func (n *notifier) deliver(ctx, sending context.Context, r NotifyRequest, t target) {
	note := n.newNotification(r)
	note.Contact = t.contact
	note.State = models.NotifyQueued
	n.save(ctx, note)

	sending, cancel := context.WithTimeout(sending, n.timeout)
	defer cancel()
	res, err := n.sender.send(sending, r, t)
	note.State, note.Code, note.Reason = outcome(res, err)
	note.Finished = n.now()
	n.save(ctx, note)
	n.logOutcome(ctx, note)
}

// outcome turns an answer, or the lack of one, into a notification's state.
func outcome(res *sipmsg.Response, err error) (state string, code int, reason string) {
	switch {
	case err == nil && res.IsSuccess():
		return models.NotifyAccepted, res.StatusCode, res.Reason
	case err == nil:
		return models.NotifyRefused, res.StatusCode, res.Reason
	case errors.Is(err, context.Canceled):
		return models.NotifyTimeout, 0, "the server stopped before an answer came"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, sipmsg.ErrTransactionTimeout):
		return models.NotifyTimeout, 0, "no answer"
	case errors.Is(err, errNoConnection), errors.Is(err, sipmsg.ErrTransactionTransport):
		return models.NotifyUnreachable, 0, errNoConnection.Error()
	default:
		return models.NotifyUnreachable, 0, err.Error()
	}
}

// giveUp records a request for which nothing was sent.
func (n *notifier) giveUp(ctx context.Context, r NotifyRequest, reason string) {
	note := n.newNotification(r)
	note.State, note.Reason, note.Finished = models.NotifyUnreachable, reason, note.Created
	n.save(ctx, note)
	n.logOutcome(ctx, note)
}

func (n *notifier) newNotification(r NotifyRequest) *models.Notification {
	return &models.Notification{
		AccountID: r.Phone.Account.ID,
		DeviceID:  r.Phone.Device.ID,
		AOR:       r.Phone.AOR(),
		Event:     r.Event,
		Created:   n.now(),
	}
}

func (n *notifier) save(ctx context.Context, note *models.Notification) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	err := n.store.SaveNotification(ctx, note)
	if errors.Is(err, models.ErrNotFound) {
		return // the device was deleted, and its history with it
	}
	if err != nil {
		n.log.ErrorContext(ctx, "notification not recorded", "device", note.DeviceID, "state", note.State, "err", err)
	}
}

func (n *notifier) logOutcome(ctx context.Context, note *models.Notification) {
	n.log.InfoContext(ctx, "NOTIFY finished", "state", note.State, "aor", note.AOR, "device", note.DeviceID, "account", note.AccountID,
		"contact", note.Contact, "event", note.Event, "code", note.Code, "reason", note.Reason)
}

func (n *notifier) recovered(ctx context.Context, r NotifyRequest) {
	if cause := recover(); cause != nil {
		n.log.ErrorContext(ctx, "panic while notifying", "device", r.Phone.Device.ID,
			"err", fmt.Sprint(cause), "stack", string(debug.Stack()))
	}
}

// A target is one place a NOTIFY goes to.
type target struct {
	contact   string   // as recorded
	uri       string   // Request-URI
	routes    []string // Route header values
	addr      string   // host:port of the next hop
	transport string
	dial      bool  // a connection may be opened; else TCP and TLS use the one that exists
	err       error // why there is no way, found before sending
}

// bindingTarget follows the binding's Path when it has one; otherwise the
// request goes where the REGISTER came from.
func bindingTarget(b models.Binding, replica string) target {
	t := target{contact: b.Contact, uri: withoutHeaders(b.Contact), addr: b.Received.String(), transport: b.Transport}
	if len(b.Path) > 0 {
		hop, err := parseHop(b.Path[0])
		t.routes, t.addr, t.transport, t.dial, t.err = b.Path, hop.hostPort(), hop.transport(), true, err
		return t
	}
	if b.Transport != transportUDP && b.Replica != replica {
		t.err = fmt.Errorf("the phone's connection is held by %s", cmp.Or(b.Replica, "another server"))
	}
	return t
}

func proxyTarget(phone *models.Phone, proxy uri) target {
	aor := aorURI(phone)
	return target{contact: aor, uri: aor, addr: proxy.hostPort(), transport: proxy.transport(), dial: true}
}

// parseHop is the URI of a Route header value.
func parseHop(route string) (uri, error) {
	a, err := parseAddress(route)
	if err != nil {
		return uri{}, err
	}
	return parseURI(a.uri)
}

// parseProxy reads Config.Proxy, host[:port][;transport=tcp]; "" is none and
// gives the zero uri.
func parseProxy(s string) (uri, error) {
	if s == "" {
		return uri{}, nil
	}
	proxy, err := parseURI("sip:" + s)
	if err == nil && !slices.Contains([]string{"", transportUDP, transportTCP, transportTLS}, strings.ToLower(proxy.params["transport"])) {
		err = fmt.Errorf("%w transport: want udp, tcp or tls", models.ErrInvalid)
	}
	if err != nil {
		return uri{}, fmt.Errorf("sip proxy %q: %w", s, err)
	}
	return proxy, nil
}
