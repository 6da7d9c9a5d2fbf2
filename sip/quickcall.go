package sip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"

	"dialtone/models"
)

// Bounds on quick calls under way.
const (
	maxCalls        = 500 // of the server
	maxAccountCalls = 20  // of one account
	maxLegs         = 32  // contacts of one call; of more the rest do not ring

	maxRing       = 2 * time.Minute
	byeTimeout    = 5 * time.Second
	referPatience = 3 * time.Minute  // Config.ReferPatience
	byePatience   = 32 * time.Second // after a phone that was told to call has hung up
	maxCallLife   = 15 * time.Minute // longer than all of it takes
)

// dialable is a number, or a name, that a phone can be told to call: nothing
// that has a meaning in a URI.
var dialable = regexp.MustCompile(`^[A-Za-z0-9*#+._-]{1,64}$`)

// Dialable reports whether phones can be told to call this number.
func Dialable(number string) bool { return dialable.MatchString(number) }

// A Header is one header of a message, as in "Call-Info", "answer-after=0".
type Header struct{ Name, Value string }

// A CallRequest asks for a quick call: phones ring, and the first that is
// answered is told to call a number.
type CallRequest struct {
	AccountID    string
	UserID       string // when all phones of a user ring
	Phones       []*models.Phone
	Number       string // see Dialable
	CallerName   string // shown by the phones that ring
	CallerNumber string // likewise, see Dialable
	Headers      []Header
	RingFor      time.Duration // 2 min at most
}

func (r *CallRequest) check() error {
	switch {
	case len(r.Phones) == 0:
		return fmt.Errorf("%w call: no phones", models.ErrInvalid)
	case !Dialable(r.Number), !Dialable(r.CallerNumber):
		return fmt.Errorf("%w call: number", models.ErrInvalid)
	case slices.ContainsFunc(r.Headers, func(h Header) bool { return !isToken(h.Name) || h.Value == "" || !isClean(h.Value) }):
		return fmt.Errorf("%w call: header", models.ErrInvalid)
	}
	r.RingFor = min(r.RingFor, maxRing)
	return nil
}

// A QuickCall is a call that was asked for.
type QuickCall struct {
	request CallRequest
	begun   chan struct{} // closed when it is known whether the phone calls the number

	mu     sync.Mutex
	record models.QuickCall
	told   bool
}

// Outcome waits until it is known whether the phone calls the number, or ctx
// ends, and returns the story so far.
func (q *QuickCall) Outcome(ctx context.Context) models.QuickCall {
	select {
	case <-q.begun:
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.record
}

// quickCalls places calls and has the phones' part of them answered.
type quickCalls struct {
	store    Store
	log      *slog.Logger
	now      func() time.Time
	replica  string
	timeout  time.Duration // for an answer to REFER
	patience time.Duration // for the phone to tell what became of its call
	notifier *notifier     // knows where phones are
	sender   *sender
	queue    chan *QuickCall // never full: it takes as many as may be under way

	mu        sync.Mutex
	stopped   bool
	underWay  int
	byAccount map[string]int
	byDevice  map[string]bool
	legs      map[string]*leg // by Call-ID
}

func newQuickCalls(cfg Config, n *notifier, sender *sender) *quickCalls {
	return &quickCalls{
		store: cfg.Store, log: cfg.Log, now: cfg.Now, replica: cfg.Replica, notifier: n, sender: sender,
		timeout: cfg.NotifyTimeout, patience: cmp.Or(cfg.ReferPatience, referPatience),
		queue: make(chan *QuickCall, maxCalls), byAccount: map[string]int{}, byDevice: map[string]bool{}, legs: map[string]*leg{},
	}
}

// start records a call and has it placed. It is models.ErrBusy when too many
// are under way, or one of the phones is being called.
func (c *quickCalls) start(ctx context.Context, r CallRequest) (*QuickCall, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	q := &QuickCall{request: r, begun: make(chan struct{}), record: models.QuickCall{
		AccountID: r.AccountID, UserID: r.UserID, Number: r.Number, State: models.CallRinging, Replica: c.replica, Created: c.now(),
	}}
	if len(r.Phones) == 1 {
		q.record.DeviceID = r.Phones[0].Device.ID
	}
	if err := c.admit(&q.request); err != nil {
		return nil, err
	}
	if err := c.store.CreateQuickCall(ctx, &q.record); err != nil {
		c.release(&q.request)
		return nil, err
	}
	c.queue <- q
	return q, nil
}

func (c *quickCalls) admit(r *CallRequest) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := slices.ContainsFunc(r.Phones, func(p *models.Phone) bool { return c.byDevice[p.Device.ID] })
	if c.stopped || taken || c.underWay >= maxCalls || c.byAccount[r.AccountID] >= maxAccountCalls {
		return fmt.Errorf("quick call: %w", models.ErrBusy)
	}
	c.underWay++
	c.byAccount[r.AccountID]++
	for _, p := range r.Phones {
		c.byDevice[p.Device.ID] = true
	}
	return nil
}

func (c *quickCalls) release(r *CallRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.underWay--
	if c.byAccount[r.AccountID]--; c.byAccount[r.AccountID] == 0 {
		delete(c.byAccount, r.AccountID)
	}
	for _, p := range r.Phones {
		delete(c.byDevice, p.Device.ID)
	}
}

// run places calls until ctx ends, then hangs them all up.
func (c *quickCalls) run(ctx context.Context) {
	network, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	started := c.now()
	c.interruptLost(network, started)
	every := time.NewTicker(settleEvery)
	defer every.Stop()
	var calls sync.WaitGroup
	begin := func(q *QuickCall) { calls.Go(func() { c.place(network, ctx, q) }) }
	for ctx.Err() == nil {
		select {
		case q := <-c.queue:
			begin(q)
		case <-every.C:
			calls.Go(func() { c.interruptLost(network, started) })
		case <-ctx.Done():
		}
	}
	c.mu.Lock()
	c.stopped = true
	c.mu.Unlock()
	defer time.AfterFunc(drainTimeout, stop).Stop()
	for len(c.queue) > 0 {
		begin(<-c.queue)
	}
	calls.Wait()
}

// interruptLost ends the calls that this server left when it was killed before it
// started again, and those of others that never came back.
func (c *quickCalls) interruptLost(ctx context.Context, started time.Time) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := c.store.InterruptQuickCalls(ctx, c.replica, started, c.now().Add(-maxCallLife)); err != nil {
		c.log.ErrorContext(ctx, "lost quick calls not recorded", "err", err)
	}
}

// place carries one call out. The call goes on while active does; what it takes
// to end it may use the network until ctx ends.
func (c *quickCalls) place(ctx, active context.Context, q *QuickCall) {
	defer c.release(&q.request)
	defer c.recovered(ctx, q)
	legs, err := c.reach(ctx, q)
	defer c.leave(legs)
	var ringing sync.WaitGroup
	defer ringing.Wait()
	if err != nil {
		c.finish(ctx, q, failure(nil, err))
		return
	}
	answered, why := c.ring(ctx, active, q, legs, &ringing)
	if answered == nil {
		c.finish(ctx, q, why)
		return
	}
	c.update(ctx, q, func(r *models.QuickCall) {
		r.State, r.DeviceID, r.Contact, r.Answered = models.CallAnswered, answered.phone.Device.ID, answered.contact, c.now()
	})
	c.finish(ctx, q, c.transfer(ctx, active, q, answered))
	if !answered.hungUp {
		_ = hangUp(ctx, answered.dialog)
	}
}

// reach makes a leg for every contact of the phones.
func (c *quickCalls) reach(ctx context.Context, q *QuickCall) ([]*leg, error) {
	var legs []*leg
	for _, phone := range q.request.Phones {
		targets, err := c.notifier.targets(ctx, NotifyRequest{Phone: phone})
		if err != nil && !errors.Is(err, models.ErrNotFound) {
			c.log.ErrorContext(ctx, "bindings not read", "device", phone.Device.ID, "account", q.request.AccountID, "err", err)
			return nil, errors.New("storage did not answer")
		}
		for _, t := range targets {
			local, err := c.sender.local(ctx, t)
			if err == nil && !local.IsValid() {
				err = fmt.Errorf("there is no listener for %s", t.transport)
			}
			if err == nil && !c.sender.sockets.reaches(t) {
				err = errNoConnection
			}
			t.err = cmp.Or(t.err, err)
			legs = append(legs, newLeg(c.sender, phone, t, local, fmt.Sprintf("%s-%d-quickcall", q.record.ID, len(legs)), &q.request))
		}
	}
	if len(legs) == 0 {
		return nil, errors.New("not registered")
	}
	legs = legs[:min(len(legs), maxLegs)]
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range legs {
		c.legs[l.callID] = l
	}
	return legs, nil
}

func (c *quickCalls) leave(legs []*leg) {
	for _, l := range legs {
		l.close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range legs {
		delete(c.legs, l.callID)
	}
}

// An answered leg is one whose dialog is established.
type answeredLeg struct {
	*dialog
	news   <-chan news
	hungUp bool
}

// A result is how ringing a leg went.
type result struct {
	leg    *leg
	dialog *dialog // nil: it was not answered
	ending ending
}

// ring calls all legs at once and returns the first that answers, or why none
// did. The others are told to stop, which group waits for.
func (c *quickCalls) ring(ctx, active context.Context, q *QuickCall, legs []*leg, group *sync.WaitGroup) (*answeredLeg, ending) {
	ringing, stop := context.WithTimeout(active, q.request.RingFor)
	defer stop()
	var once sync.Once
	take := func() (first bool) { // by the leg that is answered first, or when it is too late
		once.Do(func() { first = true })
		return first
	}
	results := make(chan result, len(legs))
	for _, l := range legs {
		group.Go(func() {
			defer c.recovered(ctx, q)
			r := result{leg: l, ending: failure(nil, errors.New("internal error"))}
			defer func() { results <- r }()
			d, res, err := l.ring(ctx, ringing, take)
			r.dialog, r.ending = d, failure(res, err)
			r.ending.contact = l.contact
		})
	}
	var endings []ending
	for over := ringing.Done(); len(endings) < len(legs); {
		select {
		case r := <-results:
			if r.dialog != nil {
				return &answeredLeg{dialog: r.dialog, news: r.leg.news}, ending{}
			}
			endings = append(endings, r.ending)
		case <-over:
			over = nil
			if !take() {
				continue // a leg was answered at the last moment
			}
			if active.Err() != nil {
				return nil, stopped
			}
			return nil, unanswered
		}
	}
	return nil, mostTelling(endings)
}

// An ending is how a call ends.
type ending struct {
	state, reason, contact string
	code                   int
}

var (
	stopped    = ending{state: models.CallInterrupted, reason: "the server stopped"}
	unanswered = ending{state: models.CallUnanswered, reason: "nobody answered"}
	hungUp     = ending{state: models.CallHungUp, reason: "the phone hung up"}
)

// failure is the ending of a leg that was not answered.
func failure(res *sipmsg.Response, err error) ending {
	switch {
	case res != nil:
		return ending{state: models.CallRefused, code: res.StatusCode, reason: clip(res.Reason)}
	case err == nil: // another leg was quicker, or it was too late
		return unanswered
	}
	_, _, reason := outcome(nil, err)
	return ending{state: models.CallUnreachable, reason: reason}
}

// mostTelling prefers what a phone answered to no answer at all.
func mostTelling(endings []ending) ending {
	best := endings[0]
	for _, e := range endings[1:] {
		if best.code == 0 && e.code != 0 {
			best = e
		}
	}
	return best
}

// transfer tells the phone to call the number and hears what becomes of it.
func (c *quickCalls) transfer(ctx, active context.Context, q *QuickCall, a *answeredLeg) ending {
	if a.hasHungUp() {
		return hungUp
	}
	referring, cancel := context.WithTimeout(active, c.timeout)
	defer cancel()
	res, err := a.do(referring, sipmsg.REFER,
		sipmsg.NewHeader("Refer-To", "<"+userURI(q.request.Number, a.phone)+">"),
		sipmsg.NewHeader("Referred-By", "<"+aorURI(a.phone)+">"))
	switch {
	case active.Err() != nil:
		return stopped
	case err == nil && res.IsSuccess():
	case a.hasHungUp():
		return hungUp
	case err != nil:
		_, _, reason := outcome(nil, err)
		return ending{state: models.CallNotTransferred, reason: reason}
	default:
		return ending{state: models.CallNotTransferred, code: res.StatusCode, reason: clip(res.Reason)}
	}
	c.update(ctx, q, func(r *models.QuickCall) { r.State = models.CallDialing })
	return c.follow(active, a)
}

// hasHungUp reads the news up to now.
func (a *answeredLeg) hasHungUp() bool {
	for !a.hungUp {
		select {
		case n := <-a.news:
			a.hungUp = n.hungUp
		default:
			return false
		}
	}
	return true
}

// follow listens until the phone tells how its call to the number went, or no
// more is to be expected from it.
func (c *quickCalls) follow(active context.Context, a *answeredLeg) ending {
	untold := ending{state: models.CallTransferred, reason: "the phone did not tell whether the number answered"}
	patience := time.NewTimer(c.patience)
	defer patience.Stop()
	for {
		select {
		case n := <-a.news:
			switch {
			case n.hungUp:
				a.hungUp = true
				patience.Reset(min(c.patience, byePatience))
			case n.isFinal() && n.code < 300:
				return ending{state: models.CallConnected, code: n.code, reason: n.reason}
			case n.isFinal():
				return ending{state: models.CallNumberFailed, code: n.code, reason: n.reason}
			case n.last:
				return untold
			}
		case <-patience.C:
			return untold
		case <-active.Done():
			return stopped
		}
	}
}

// update records how far a call has come.
func (c *quickCalls) update(ctx context.Context, q *QuickCall, change func(*models.QuickCall)) {
	q.mu.Lock()
	change(&q.record)
	record := q.record
	if !q.told && (record.Started() || !record.Finished.IsZero()) {
		q.told = true
		close(q.begun)
	}
	q.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	err := c.store.SaveQuickCall(ctx, &record)
	if err != nil && !errors.Is(err, models.ErrNotFound) { // its device was deleted, and its history with it
		c.log.ErrorContext(ctx, "quick call not recorded", "call", record.ID, "state", record.State, "err", err)
	}
}

func (c *quickCalls) finish(ctx context.Context, q *QuickCall, e ending) {
	c.update(ctx, q, func(r *models.QuickCall) {
		r.State, r.Code, r.Reason, r.Finished = e.state, e.code, e.reason, c.now()
		r.Contact = cmp.Or(e.contact, r.Contact)
	})
	r := &q.record // written by nobody any more
	c.log.InfoContext(ctx, "quick call finished", "call", r.ID, "state", r.State, "device", r.DeviceID, "account", r.AccountID,
		"number", r.Number, "contact", r.Contact, "code", r.Code, "reason", r.Reason)
}

// answer is the response to a request inside a dialog.
func (c *quickCalls) answer(req *sipmsg.Request) *sipmsg.Response {
	c.mu.Lock()
	l := c.legs[req.CallID().Value()]
	c.mu.Unlock()
	if l == nil {
		return refusal(req, errNoTransaction)
	}
	return l.answer(req)
}

func (c *quickCalls) recovered(ctx context.Context, q *QuickCall) {
	if cause := recover(); cause != nil {
		c.log.ErrorContext(ctx, "panic while calling", "call", q.record.ID, "err", fmt.Sprint(cause), "stack", string(debug.Stack()))
	}
}

// isToken reports whether s can name a header.
func isToken(s string) bool {
	return s != "" && !slices.ContainsFunc([]byte(s), func(b byte) bool { return !isLetter(b) && b != '-' })
}
