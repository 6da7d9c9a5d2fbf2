package sip

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"

	"dialtone/models"
)

// defaultPauses are those before the second and the third attempt.
var defaultPauses = []time.Duration{5 * time.Second, 30 * time.Second}

// recordAfter is how long a NOTIFY is under way before that is recorded.
const recordAfter = time.Second / 10

// maxRetryAfter is how long a phone may put a NOTIFY off.
const maxRetryAfter = 5 * time.Minute

// errNotRegistered means that the phone's binding ended between two attempts.
var errNotRegistered = errors.New("not registered any more")

// An order is a NotifyRequest while it goes to the phone's contacts.
type order struct {
	NotifyRequest

	mu       sync.Mutex
	contacts []string // that a delivery goes to, see takes
	open     int      // deliveries without outcome
	best     string   // outcome so far
}

func newOrder(r NotifyRequest, deliveries int) *order {
	return &order{NotifyRequest: r, open: deliveries}
}

// takes notes that a contact is told by one of the deliveries; false when it is
// already.
func (o *order) takes(contact string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if slices.Contains(o.contacts, contact) {
		return false
	}
	o.contacts = append(o.contacts, contact)
	return true
}

// The outcomes, the best first.
var outcomes = []string{models.NotifyAccepted, models.NotifyRefused, models.NotifyTimeout, models.NotifyUnreachable}

// finish takes the outcome of one delivery; that of the last one ends the order.
func (o *order) finish(state string) {
	o.mu.Lock()
	o.open--
	if o.best == "" || slices.Index(outcomes, state) < slices.Index(outcomes, o.best) {
		o.best = state
	}
	last := o.open == 0
	o.mu.Unlock()
	if last && o.Done != nil {
		o.Done(o.best)
	}
}

// A delivery is a NOTIFY to one contact, with all its attempts.
type delivery struct {
	order  *order
	note   *models.Notification
	target target
	call   call
}

func (n *notifier) newDelivery(o *order, t target) *delivery {
	note := n.newNotification(o.NotifyRequest)
	note.Contact = t.contact
	id := o.ID
	if id == "" {
		id = models.NewID()
	}
	note.ID = together(o.NotifyRequest, note.Created) + derived(id, t.contact, "notification")[:16]
	return &delivery{order: o, note: note, target: t, call: newCall(derived(id, t.contact, "call"))}
}

// together is the beginning of a notification's id, the same each time a request is
// made: the database's index has those of one job beside each other, and others in
// the order of time.
func together(r NotifyRequest, created time.Time) string {
	if same := cmp.Or(r.JobID, r.ID); same != "" {
		return derived(same)[:16]
	}
	return fmt.Sprintf("%016x", created.UnixMilli())
}

// derived is an id that is made of others.
func derived(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:16])
}

// attempt sends a delivery's NOTIFY once, and settles it or has it sent again
// later. Most answers come at once; what has none after recordAfter is recorded as
// under way: a crash may leave no trace of what was sent in the moments before.
func (n *notifier) attempt(ctx, sending context.Context, d *delivery) {
	d.note.State, d.note.Next = models.NotifyQueued, time.Time{}
	end := n.begin(ctx, *d.note)
	sending, cancel := context.WithTimeout(sending, n.timeout)
	defer cancel()
	res, err := n.sender.send(sending, d.order.NotifyRequest, d.target, &d.call)
	end()
	d.note.Attempts++
	d.note.State, d.note.Code, d.note.Reason = outcome(res, err)
	if pause, again := n.pause(d.note.Attempts, res, err); again && n.later(ctx, d, pause) {
		return
	}
	n.finish(ctx, d, !errors.Is(err, context.Canceled))
}

// begin records a notification in recordAfter, unless what it returns is called
// before; once that has been called, nothing is recorded any more.
func (n *notifier) begin(ctx context.Context, note models.Notification) (end func()) {
	done := make(chan struct{})
	later := time.AfterFunc(recordAfter, func() {
		defer close(done)
		n.store.BeginNotification(ctx, &note)
	})
	return func() {
		if !later.Stop() {
			<-done
		}
	}
}

// finish records the outcome of a delivery. One that the stop of the server
// cut off is none for who ordered it.
func (n *notifier) finish(ctx context.Context, d *delivery, tell bool) {
	d.note.Finished = n.now()
	if d.order.Watch > 0 && (d.note.State == models.NotifyAccepted || d.note.State == models.NotifyTimeout) {
		d.note.WatchUntil = d.note.Finished.Add(d.order.Watch)
	}
	n.save(ctx, d.note)
	n.logOutcome(ctx, d.note)
	if n.told != nil {
		n.told(d.note.State)
	}
	if tell {
		d.order.finish(d.note.State)
	}
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

// passing are the answers that another attempt may better. Any other refusal
// comes from the phone and stays.
var passing = []int{
	sipmsg.StatusRequestTimeout, sipmsg.StatusTemporarilyUnavailable, sipmsg.StatusInternalServerError,
	sipmsg.StatusServiceUnavailable, sipmsg.StatusGatewayTimeout,
}

// pause is the time until the next attempt; false when there is none.
func (n *notifier) pause(attempts int, res *sipmsg.Response, err error) (time.Duration, bool) {
	if attempts > len(n.pauses) || errors.Is(err, context.Canceled) || err == nil && !slices.Contains(passing, res.StatusCode) {
		return 0, false
	}
	pause := n.pauses[attempts-1]
	pause += time.Duration(rand.Float64() * float64(pause) / 4) //nolint:gosec // spreads load, keeps no secret
	if res != nil {
		pause = max(pause, retryAfterOf(res))
	}
	return pause, pause <= maxRetryAfter
}

// retryAfterOf is what a Retry-After header asks for (RFC 3261, section 20.33).
func retryAfterOf(res *sipmsg.Response) time.Duration {
	for _, value := range headerValues(res, "Retry-After") {
		digits := value[:len(value)-len(strings.TrimLeft(value, "0123456789"))]
		if seconds, err := strconv.ParseUint(digits, 10, 31); err == nil {
			return time.Duration(seconds) * time.Second
		}
	}
	return 0
}

// later has a delivery repeated after a pause, by a timer; false when too many
// wait already, or the server stops.
func (n *notifier) later(ctx context.Context, d *delivery, pause time.Duration) bool {
	n.mu.Lock()
	room := !n.stopped && n.retrying < maxRetrying
	if room {
		n.retrying++
	}
	n.mu.Unlock()
	if !room {
		return false
	}
	outcome := d.note.State
	d.note.State, d.note.Next = models.NotifyRetrying, n.now().Add(pause)
	n.save(ctx, d.note)
	n.log.InfoContext(ctx, "NOTIFY without success", "state", outcome, "aor", d.note.AOR, "device", d.note.DeviceID, "account", d.note.AccountID,
		"contact", d.note.Contact, "code", d.note.Code, "reason", d.note.Reason, "attempts", d.note.Attempts, "next", d.note.Next)
	time.AfterFunc(pause, func() { n.requeue(d) })
	return true
}

// requeue gives a delivery to the workers again. What a stop finds waiting is
// settled in storage.
func (n *notifier) requeue(d *delivery) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopped {
		return
	}
	select {
	case n.queue <- task{again: d}:
		n.retrying--
	default:
		time.AfterFunc(time.Second, func() { n.requeue(d) })
	}
}

// repeat is another attempt, to where the phone is now. A phone that was heard
// of meanwhile is left alone.
func (n *notifier) repeat(ctx, sending context.Context, d *delivery) {
	if d.order.Watch > 0 {
		came, err := n.cameBack(ctx, d)
		if err != nil {
			n.log.ErrorContext(ctx, "fetches not read", "device", d.note.DeviceID, "err", err)
		}
		if came {
			d.note.State, d.note.Next = models.NotifyTimeout, time.Time{}
			n.finish(ctx, d, true)
			return
		}
	}
	if n.proxy.host == "" {
		n.follow(ctx, d)
	}
	n.attempt(ctx, sending, d)
}

// cameBack reports whether the phone has fetched since it was told first.
func (n *notifier) cameBack(ctx context.Context, d *delivery) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return n.store.FetchedSince(ctx, d.note.DeviceID, d.note.Created)
}

// follow aims a delivery at the binding that its contact has now, or, where
// that is gone, at one that the phone has made since. Contacts that were named
// are kept to.
func (n *notifier) follow(ctx context.Context, d *delivery) {
	bindings, err := n.bindings(ctx, d.order.Phone)
	if err != nil {
		n.log.ErrorContext(ctx, "bindings not read", "device", d.note.DeviceID, "account", d.note.AccountID, "err", err)
		return
	}
	targets := n.aims(bindings)
	for _, t := range targets {
		if t.contact == d.target.contact || t.instance != "" && t.instance == d.target.instance {
			d.target, d.note.Contact = t, t.contact
			return
		}
	}
	if d.order.Bindings != nil {
		return
	}
	for _, t := range targets {
		if t.since.After(d.note.Created) && d.order.takes(t.contact) {
			d.target, d.note.Contact = t, t.contact
			return
		}
	}
	d.target.err = errNotRegistered
}
