package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"

	"dialtone/internal/digestauth"
	"dialtone/internal/limit"
	"dialtone/models"
)

// Bounds on what is registered. Times are seconds.
const (
	minExpires       = 60
	maxExpires       = 7200
	defaultExpires   = 300  // of a device that does not say
	malformedExpires = 3600 // RFC 3261, section 20.10

	maxBindings  = 10 // contacts of one AOR; another one is refused with 403
	maxPath      = 8  // Path values of one REGISTER
	maxURI       = 512
	maxName      = 255  // Call-ID, User-Agent, instance
	maxPathBytes = 2048 // all Path values of one REGISTER
)

// Failures of storage that are logged in a row, and one more in this time.
// Anybody can send a REGISTER.
const (
	failuresTold = 10
	failureEvery = time.Second
)

// registrar keeps the location of phones (RFC 3261, section 10).
type registrar struct {
	store      Store
	guard      Guard
	log        *slog.Logger
	now        func() time.Time
	replica    string
	digest     *digestauth.Authority
	uses       *digestauth.Uses
	offers     *offers
	noPassword models.Secret // random: what nobody knows
	failures   *limit.Pace   // of storage, that are logged

	// keep is told of the connection that a phone is registered over, and until when.
	keep func(transport string, peer netip.AddrPort, until time.Time)
}

func newRegistrar(cfg Config) *registrar {
	return &registrar{
		store:      cfg.Store,
		guard:      cfg.Guard,
		log:        cfg.Log,
		now:        cfg.Now,
		replica:    cfg.Replica,
		digest:     digestauth.New(cfg.NonceKey, cfg.Now),
		uses:       digestauth.NewUses(repeatTime, cfg.Now),
		offers:     newOffers(cfg.Store),
		noPassword: models.NewToken(),
		failures:   limit.NewPace(failuresTold, failureEvery, cfg.Now),
		keep:       func(string, netip.AddrPort, time.Time) {},
	}
}

// answer handles a REGISTER.
func (r *registrar) answer(ctx context.Context, req *sipmsg.Request) *sipmsg.Response {
	reg, live, err := r.register(ctx, req)
	if err != nil {
		return refusal(req, err)
	}
	res := reply(req, sipmsg.StatusOK, "OK")
	for _, b := range live {
		res.AppendHeader(sipmsg.NewHeader("Contact", contactValue(b, r.now())))
	}
	for _, path := range reg.path {
		res.AppendHeader(sipmsg.NewHeader("Path", path))
	}
	res.AppendHeader(sipmsg.NewHeader("Supported", strings.Join(supportedExtensions, ", ")))
	if reg.outbound {
		res.AppendHeader(sipmsg.NewHeader("Require", extensionOutbound))
	}
	if reg.outbound && reg.transport != transportUDP && len(reg.path) == 0 {
		res.AppendHeader(sipmsg.NewHeader("Flow-Timer", strconv.Itoa(flowTimer)))
	}
	return res
}

// register carries a REGISTER out and returns the AOR's bindings after it. The
// error is a refusalError, or one of storage.
func (r *registrar) register(ctx context.Context, req *sipmsg.Request) (*registration, []models.Binding, error) {
	reg, err := parseRegistration(req)
	if err != nil {
		return nil, nil, err
	}
	if !r.guard.Allowed(reg.received.Addr()) {
		return nil, nil, errLocked
	}
	caller, err := r.authenticate(ctx, reg, req)
	if err != nil {
		return nil, nil, r.explain(ctx, reg, err)
	}
	live, err := r.update(ctx, caller, reg)
	if errors.Is(err, models.ErrNotFound) { // deleted just now
		return nil, nil, r.deleted(ctx, reg)
	}
	if err != nil {
		if caller.creds != nil && !caller.repeated && !isRefusal(err) {
			r.uses.Return(caller.creds)
		}
		return nil, nil, r.explain(ctx, reg, err)
	}
	return reg, live, nil
}

// deleted answers for a phone that went while it was answered: it is unknown.
func (r *registrar) deleted(ctx context.Context, reg *registration) error {
	offered, err := r.offers.of(ctx, reg.realm)
	if err != nil {
		return r.explain(ctx, reg, err)
	}
	return r.challenge(reg, offered, false)
}

func isRefusal(err error) bool {
	var why *refusalError
	return errors.As(err, &why)
}

// explain logs an error that the phone cannot be blamed for, unless many were.
func (r *registrar) explain(ctx context.Context, reg *registration, err error) error {
	if !isRefusal(err) && r.failures.Allow("") {
		r.log.ErrorContext(ctx, "registration failed", "aor", reg.aor(), "remote", reg.received.String(), "err", err)
	}
	return err
}

// update changes the phone's bindings as reg says. Without contacts it only reads
// them, and so it does when the request is one that was carried out before.
func (r *registrar) update(ctx context.Context, caller *caller, reg *registration) ([]models.Binding, error) {
	now := r.now().Truncate(time.Millisecond) // what every database keeps
	isLive := func(b models.Binding) bool { return b.Live(now) }
	phone := caller.phone
	if caller.repeated || !reg.all && len(reg.contacts) == 0 {
		bindings, err := r.store.Bindings(ctx, phone.Device.ID)
		bindings = filter(bindings, isLive)
		if err == nil && caller.repeated {
			_, err = reg.apply(bindings, r.newBinding(phone, reg, now), deviceExpires(phone.Device))
		}
		return bindings, err
	}
	var remaining []models.Binding
	err := r.store.UpdateBindings(ctx, phone.Device.ID, func(bindings []models.Binding) (_ []models.Binding, err error) {
		remaining, err = reg.apply(filter(bindings, isLive), r.newBinding(phone, reg, now), deviceExpires(phone.Device))
		return remaining, err
	})
	if err != nil {
		return nil, err
	}
	for _, b := range remaining {
		if b.Transport == reg.transport && b.Received == reg.received {
			r.keep(b.Transport, b.Received, b.Expires)
		}
	}
	r.log.InfoContext(ctx, "registered", "aor", phone.AOR(), "device", phone.Device.ID, "account", phone.Account.ID,
		"remote", reg.received.String(), "transport", reg.transport, "contacts", len(remaining))
	return remaining, nil
}

func filter(bindings []models.Binding, keep func(models.Binding) bool) []models.Binding {
	return slices.DeleteFunc(slices.Clone(bindings), func(b models.Binding) bool { return !keep(b) })
}

// newBinding is a binding with everything but its contact and expiry.
func (r *registrar) newBinding(phone *models.Phone, reg *registration, now time.Time) models.Binding {
	return models.Binding{
		AccountID: phone.Account.ID,
		DeviceID:  phone.Device.ID,
		AOR:       phone.AOR(),
		Path:      reg.path,
		Received:  reg.received,
		Transport: reg.transport,
		Replica:   r.replica,
		CallID:    reg.callID,
		CSeq:      reg.cseq,
		UserAgent: reg.userAgent,
		Modified:  now,
	}
}

// deviceExpires is the lifetime of bindings of a phone that asks for none.
func deviceExpires(d *models.Device) int {
	if d.SIP.ExpireSeconds <= 0 {
		return defaultExpires
	}
	return min(max(d.SIP.ExpireSeconds, minExpires), maxExpires)
}

// A registration is what a REGISTER asks for.
type registration struct {
	user, realm string // of the AOR; the realm lower-case
	all         bool   // Contact: *
	contacts    []contact
	path        []string
	callID      string
	cseq        uint32
	userAgent   string
	received    netip.AddrPort // where it came from
	transport   string
	outbound    bool // its flow is kept as RFC 5626 says
}

// A contact is one element of a REGISTER's Contact headers.
type contact struct {
	uri      string
	instance string
	regID    int
	expires  int // seconds; -1 = not given
}

func (reg *registration) aor() string { return "sip:" + reg.user + "@" + reg.realm }

// source is the address it came from, without the port.
func (reg *registration) source() string { return reg.received.Addr().String() }

// parseRegistration reads a REGISTER whose From, To, Call-ID and CSeq exist.
// Errors are refusals.
func parseRegistration(req *sipmsg.Request) (*registration, error) {
	received, err := netip.ParseAddrPort(req.Source())
	if err != nil {
		return nil, badRequest("Unknown Source")
	}
	reg := &registration{
		user:      unescape(req.To().Address.User),
		realm:     strings.ToLower(strings.Trim(req.To().Address.Host, "[]")),
		callID:    clip(req.CallID().Value()),
		cseq:      req.CSeq().SeqNo,
		userAgent: clip(strings.Map(dropControl, strings.Join(headerValues(req, "user-agent"), " "))),
		received:  netip.AddrPortFrom(received.Addr().Unmap(), received.Port()),
		transport: sipmsg.NetworkToLower(req.Transport()),
	}
	if reg.user == "" || len(reg.user) > maxName || !isClean(reg.user) || !isHost(reg.realm) || !isClean(reg.callID) {
		return nil, badRequest("Bad To or Call-ID")
	}
	expires := headerExpires(headerValues(req, "expires"))
	if reg.contacts, reg.all, err = parseContacts(headerValues(req, "contact", "m"), expires); err != nil {
		return nil, badRequest("Bad Contact")
	}
	if len(reg.contacts) > maxBindings {
		return nil, errTooMany
	}
	if reg.path, err = parsePath(headerValues(req, "path")); err != nil {
		return nil, badRequest("Bad Path")
	}
	required := optionTags(headerValues(req, "require"))
	if asked := append(optionTags(headerValues(req, "supported", "k")), required...); slices.Contains(asked, extensionOutbound) {
		reg.outbound = reg.isFlow(countHeaders(req, "via"))
	}
	if !reg.outbound && slices.Contains(required, extensionOutbound) {
		return nil, errFirstHop
	}
	return reg, nil
}

// requestDigest is a hash of what a request asks for and of what makes it one
// and the same request: it tells it from others, as far as they can do harm.
func requestDigest(req *sipmsg.Request) [16]byte {
	sum := headerSum(req, nil, "via", "to", "call-id", "cseq", "contact", "m", "expires", "path", "authorization")
	return [16]byte(sum[:16])
}

// optionTags splits headers that list extensions.
func optionTags(values []string) []string {
	var tags []string
	for _, value := range values {
		for tag := range strings.SplitSeq(value, ",") {
			if tag = strings.ToLower(strings.TrimSpace(tag)); tag != "" {
				tags = append(tags, tag)
			}
		}
	}
	return tags
}

func isSupported(tag string) bool { return slices.Contains(supportedExtensions, tag) }

// isFlow reports whether a phone that asks for it can have its flow kept: it
// names itself and the flow, and is our neighbour or that of a proxy which keeps
// flows, too (RFC 5626, section 6).
func (reg *registration) isFlow(vias int) bool {
	if !slices.ContainsFunc(reg.contacts, func(c contact) bool { return c.regID > 0 && c.expires != 0 }) {
		return false
	}
	if len(reg.path) == 0 {
		return vias == 1
	}
	firstHop, err := parseHop(reg.path[len(reg.path)-1])
	_, keepsFlows := firstHop.params["ob"]
	return err == nil && keepsFlows
}

func dropControl(r rune) rune {
	if isControl(r) {
		return -1
	}
	return r
}

// clip bounds a text to maxName bytes of valid UTF-8.
func clip(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), maxName)], "")
}

// headerExpires is the Expires header in seconds, -1 when there is none.
func headerExpires(values []string) int {
	if len(values) == 0 {
		return -1
	}
	return parseExpires(values[0])
}

// parseExpires reads seconds; what is too large counts as a very long time.
func parseExpires(s string) int {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 31)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return malformedExpires
	}
	return int(n)
}

// parseContacts reads the values of Contact headers; those without an expires
// parameter get the given one. A contact named twice counts as the last says.
// all is "*", which must stand alone and with expires 0.
func parseContacts(values []string, expires int) (contacts []contact, all bool, err error) {
	elements, err := splitList(values)
	if err != nil {
		return nil, false, err
	}
	for _, element := range elements {
		if element == "*" {
			if len(elements) > 1 || expires != 0 {
				return nil, false, fmt.Errorf("%w contact: * with others or without Expires: 0", models.ErrInvalid)
			}
			return nil, true, nil
		}
		c, err := parseContact(element, expires)
		if err != nil {
			return nil, false, err
		}
		contacts = slices.DeleteFunc(contacts, func(earlier contact) bool { return earlier.sameAs(c) })
		contacts = append(contacts, c)
	}
	return contacts, false, nil
}

func parseContact(s string, expires int) (contact, error) {
	a, err := parseAddress(s)
	if err != nil {
		return contact{}, err
	}
	c := contact{uri: a.uri, instance: a.params["+sip.instance"], expires: expires}
	if len(c.uri) > maxURI || len(c.instance) > maxName || !isClean(c.instance) || strings.ContainsAny(c.instance, `"\`) {
		return contact{}, fmt.Errorf("%w contact: too long, or stray characters", models.ErrInvalid)
	}
	if given, ok := a.params["expires"]; ok {
		c.expires = parseExpires(given)
	}
	if given, ok := a.params["reg-id"]; ok && c.instance != "" {
		id, err := strconv.ParseUint(given, 10, 31)
		if err != nil || id == 0 {
			return contact{}, fmt.Errorf("%w contact: reg-id %q", models.ErrInvalid, given)
		}
		c.regID = int(id)
	}
	return c, nil
}

// parsePath reads the values of Path headers in order, each kept as written.
func parsePath(values []string) ([]string, error) {
	path, err := splitList(values)
	if err != nil {
		return nil, err
	}
	if len(path) > maxPath {
		return nil, fmt.Errorf("%w path: more than %d values", models.ErrInvalid, maxPath)
	}
	size := 0
	for _, value := range path {
		if _, err := parseAddress(value); err != nil {
			return nil, err
		}
		size += len(value)
		if size > maxPathBytes || !isClean(value) || unquotedIndex(value, '<') < 0 {
			return nil, fmt.Errorf("%w path value", models.ErrInvalid)
		}
	}
	return path, nil
}

// sameAs reports whether two contacts are one binding: by instance and reg-id
// where both have them (RFC 5626), by URI otherwise.
func (c contact) sameAs(d contact) bool {
	if c.regID > 0 && d.regID > 0 {
		return c.regID == d.regID && c.instance == d.instance
	}
	return sameURI(c.uri, d.uri)
}

func (c contact) binds(b models.Binding) bool {
	return c.sameAs(contact{uri: b.Contact, instance: b.Instance, regID: b.RegID})
}

// apply is RFC 3261, section 10.3, steps 6 and 7: what remains of the live
// bindings. fresh is a binding to complete for every contact, whose Modified
// is now; deflt is the lifetime in seconds when none is asked for. Nothing is
// changed when one contact cannot be.
func (reg *registration) apply(live []models.Binding, fresh models.Binding, deflt int) ([]models.Binding, error) {
	if reg.all {
		if slices.ContainsFunc(live, func(b models.Binding) bool { return b.CallID == reg.callID && reg.cseq <= b.CSeq }) {
			return nil, errOutOfOrder
		}
		return nil, nil
	}
	next := slices.Clone(live)
	for _, c := range reg.contacts {
		seconds, err := c.lifetime(deflt)
		if err != nil {
			return nil, err
		}
		b := fresh
		b.Contact, b.Instance, b.RegID = c.uri, c.instance, c.regID
		b.Expires = b.Modified.Add(time.Duration(seconds) * time.Second)
		i := slices.IndexFunc(next, c.binds)
		switch {
		case i < 0 && seconds > 0:
			next = append(next, b)
		case i < 0: // never was, or was removed by this request before
		case repeats(b, next[i]):
		case next[i].CallID == reg.callID && reg.cseq <= next[i].CSeq:
			return nil, errOutOfOrder
		case seconds > 0:
			next[i] = b
		default:
			next = slices.Delete(next, i, i+1)
		}
	}
	if len(next) > maxBindings && len(next) > len(live) {
		return nil, errTooMany
	}
	return next, nil
}

// repeats reports whether b is what a request said that was carried out
// before: the old binding then stays as it is.
func repeats(b, old models.Binding) bool {
	lifetime := func(b models.Binding) time.Duration { return b.Expires.Sub(b.Modified) }
	return b.CallID == old.CallID && b.CSeq == old.CSeq && b.Contact == old.Contact &&
		(lifetime(b)-lifetime(old)).Abs() < time.Second
}

// lifetime is what the contact is granted, in seconds; 0 removes it.
func (c contact) lifetime(deflt int) (int, error) {
	switch {
	case c.expires < 0:
		return deflt, nil
	case c.expires == 0:
		return 0, nil
	case c.expires < minExpires:
		return 0, errTooBrief
	default:
		return min(c.expires, maxExpires), nil
	}
}

// contactValue is a binding as a 200 lists it.
func contactValue(b models.Binding, now time.Time) string {
	left := (b.Expires.Sub(now) + time.Second - 1) / time.Second
	value := fmt.Sprintf("<%s>;expires=%d", b.Contact, max(left, 0))
	if b.Instance != "" {
		value += fmt.Sprintf(`;+sip.instance="%s"`, b.Instance)
	}
	if b.RegID > 0 {
		value += fmt.Sprintf(";reg-id=%d", b.RegID)
	}
	return value
}
