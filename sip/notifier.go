package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"dialtone/models"
)

const (
	notifyQueue    = 10_000           // requests waiting for a worker
	overflowQueue  = 1_000            // refused requests waiting to be recorded as such
	notifyWorkers  = 512              // devices notified at once; each may wait for a dead phone
	maxRetrying    = 20_000           // NOTIFYs waiting for their next attempt
	recordOverhang = time.Second / 2  // to record what was given up at stop
	settleEvery    = time.Minute      // see settle
	maxNotifyLife  = 15 * time.Minute // longer than all attempts of a NOTIFY take
)

// Why a NOTIFY has no outcome of its own.
const (
	reasonStopped = "the server stopped before it was sent again"
	reasonLost    = "the server ended before an answer came"
)

// A NotifyRequest asks for one NOTIFY to every contact of a phone.
type NotifyRequest struct {
	Phone       *models.Phone
	Event       string // the Event header, verbatim: "check-sync;reboot=true"
	ContentType string // "" = no Content-Type
	Body        []byte
	// Bindings are the contacts to reach, for one that is meant alone or a phone
	// whose registration is taken away meanwhile. Nil = those that it has when the
	// NOTIFY is sent; empty = none. With a proxy they do not matter.
	Bindings []models.Binding
	// Watch is how long to look for what the phone does afterwards: its next fetch
	// and registration; 0 = not at all.
	Watch time.Duration

	// ID makes two requests the same NOTIFY: sent again after a crash, it is a
	// retransmission for a phone that has heard it. "" = one of its own.
	ID    string
	JobID string // the bulk job that it is part of
	// Done is called once, with the best outcome among the contacts (one of the
	// states of models.Notification), unless the server stops before; nil = nobody
	// wants to know. It must not block.
	Done func(state string)
}

// notifier works off a queue of NotifyRequests and records what became of them.
type notifier struct {
	store   Store
	log     *slog.Logger
	now     func() time.Time
	timeout time.Duration
	pauses  []time.Duration // before each repetition
	replica string
	told    func(outcome string) // Config.Told
	proxy   uri                  // zero = to the phones' own bindings
	sender  *sender

	mu       sync.RWMutex
	stopped  bool
	queue    chan task
	overflow chan NotifyRequest
	retrying int // deliveries whose timer runs
}

// A task is a request, or the repetition of one that had no success.
type task struct {
	request NotifyRequest
	again   *delivery
}

func newNotifier(cfg Config, proxy uri, sender *sender) *notifier {
	n := &notifier{
		store:    cfg.Store,
		log:      cfg.Log,
		now:      cfg.Now,
		timeout:  cfg.NotifyTimeout,
		pauses:   cfg.NotifyPauses,
		replica:  cfg.Replica,
		told:     cfg.Told,
		proxy:    proxy,
		sender:   sender,
		queue:    make(chan task, notifyQueue),
		overflow: make(chan NotifyRequest, overflowQueue),
	}
	if n.pauses == nil {
		n.pauses = defaultPauses
	}
	return n
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
	case n.queue <- task{request: r}:
		return
	default:
		n.log.Warn("NOTIFY refused: the queue is full", "device", r.Phone.Device.ID, "account", r.Phone.Account.ID)
	}
	select {
	case n.overflow <- r:
	default: // too many even to record; the log has it
		newOrder(r, 1).finish(models.NotifyUnreachable)
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
	started := n.now()
	recording, stopRecording := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRecording()
	sending, stopSending := context.WithCancel(recording)
	defer stopSending()

	var workers sync.WaitGroup
	for range notifyWorkers {
		workers.Go(func() {
			for t := range n.queue {
				n.work(recording, sending, t)
			}
		})
	}
	workers.Go(func() {
		for r := range n.overflow {
			n.giveUp(recording, r, "the queue is full")
		}
	})
	n.settleUntil(ctx, started)
	n.stop()
	defer time.AfterFunc(drainTimeout, stopSending).Stop()
	defer time.AfterFunc(drainTimeout+recordOverhang, stopRecording).Stop()
	workers.Wait()
	n.settle(recording, n.now(), reasonStopped)
}

// settleUntil gives the notifications an outcome that this server has left
// without one when it was killed before it started again, and now and then
// those of others that never came back, until ctx ends.
func (n *notifier) settleUntil(ctx context.Context, started time.Time) {
	every := time.NewTicker(settleEvery)
	defer every.Stop()
	for {
		n.settle(ctx, started, reasonLost)
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
	}
}

func (n *notifier) settle(ctx context.Context, before time.Time, reason string) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	err := n.store.SettleNotifications(ctx, n.replica, before, n.now().Add(-maxNotifyLife), reason)
	if err != nil && ctx.Err() == nil {
		n.log.ErrorContext(ctx, "notifications without outcome not settled", "err", err)
	}
}

func (n *notifier) stop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stopped = true
	close(n.queue)
	close(n.overflow)
}

func (n *notifier) work(ctx, sending context.Context, t task) {
	if t.again == nil {
		n.notify(ctx, sending, t.request)
		return
	}
	defer n.recovered(ctx, t.again.order.NotifyRequest)
	n.repeat(ctx, sending, t.again)
}

// notify sends one request to all of the phone's contacts at once. Storage is
// used with ctx, the network with sending, which ends earlier at stop.
func (n *notifier) notify(ctx, sending context.Context, r NotifyRequest) {
	defer n.recovered(ctx, r)
	if sending.Err() != nil {
		r.Done = nil
		n.giveUp(ctx, r, "the server stopped before it was sent")
		return
	}
	if reason := r.invalid(); reason != "" {
		n.giveUp(ctx, r, reason)
		return
	}
	targets, err := n.targets(ctx, r)
	switch {
	case errors.Is(err, models.ErrNotFound):
		n.log.InfoContext(ctx, "NOTIFY dropped: the device is gone", "device", r.Phone.Device.ID, "account", r.Phone.Account.ID)
		newOrder(r, 1).finish(models.NotifyUnreachable)
		return
	case err != nil:
		n.log.ErrorContext(ctx, "bindings not read", "device", r.Phone.Device.ID, "account", r.Phone.Account.ID, "err", err)
		n.giveUp(ctx, r, "storage did not answer")
		return
	case len(targets) == 0 && r.Bindings != nil:
		newOrder(r, 1).finish(models.NotifyUnreachable)
		return // nobody was to be reached
	case len(targets) == 0:
		n.giveUp(ctx, r, "not registered")
		return
	}
	order := newOrder(r, len(targets))
	var contacts sync.WaitGroup
	for i, t := range targets {
		order.takes(t.contact)
		send := func() {
			defer n.recovered(ctx, r)
			n.attempt(ctx, sending, n.newDelivery(order, t))
		}
		if i == len(targets)-1 { // mostly the only one: it needs no goroutine of its own
			send()
			break
		}
		contacts.Go(send)
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
		var err error
		if bindings, err = n.bindings(ctx, r.Phone); err != nil {
			return nil, err
		}
	}
	return n.aims(bindings), nil
}

// aims are the ways to a phone's contacts. Of the flows of one instance (RFC
// 5626) one is enough: the newest that stands.
func (n *notifier) aims(bindings []models.Binding) []target {
	now := n.now()
	var targets []target
	for _, b := range bindings {
		if !b.Live(now) {
			continue
		}
		t := bindingTarget(b, n.replica)
		sameInstance := func(other target) bool { return t.flow && other.flow && other.instance == t.instance }
		switch i := slices.IndexFunc(targets, sameInstance); {
		case i < 0:
			targets = append(targets, t)
		case !n.sender.sockets.reaches(targets[i]) && n.sender.sockets.reaches(t):
			targets[i] = t
		}
	}
	return targets
}

func (n *notifier) bindings(ctx context.Context, phone *models.Phone) ([]models.Binding, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return n.store.Bindings(ctx, phone.Device.ID)
}

// giveUp records a request for which nothing was sent.
func (n *notifier) giveUp(ctx context.Context, r NotifyRequest, reason string) {
	note := n.newNotification(r)
	note.State, note.Reason, note.Finished = models.NotifyUnreachable, reason, note.Created
	n.save(ctx, note)
	n.logOutcome(ctx, note)
	newOrder(r, 1).finish(note.State)
}

func (n *notifier) newNotification(r NotifyRequest) *models.Notification {
	return &models.Notification{
		JobID:     r.JobID,
		AccountID: r.Phone.Account.ID,
		DeviceID:  r.Phone.Device.ID,
		AOR:       r.Phone.AOR(),
		Event:     r.Event,
		Replica:   n.replica,
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
		"contact", note.Contact, "event", note.Event, "code", note.Code, "reason", note.Reason, "attempts", note.Attempts)
}

func (n *notifier) recovered(ctx context.Context, r NotifyRequest) {
	if cause := recover(); cause != nil {
		n.log.ErrorContext(ctx, "panic while notifying", "device", r.Phone.Device.ID,
			"err", fmt.Sprint(cause), "stack", string(debug.Stack()))
	}
}
