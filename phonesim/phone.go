// Package phonesim is a software phone. It knows no brand: it plays the phone
// section of a brand's manifest as that brand's firmware would, reads its SIP
// account out of the files it is given, registers, and obeys check-sync by
// booting again. It prints one line per request.
package phonesim

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"dialtone/models"
	"dialtone/provisioner"
)

// The pauses between tries of a phone that has no configuration or could not
// register: they double from the first to the last.
const (
	firstPause = 5 * time.Second
	lastPause  = time.Minute
)

// farewell is how long a phone that is switched off waits for the answer to
// its last REGISTER.
const farewell = 2 * time.Second

// Options say which phone to be and whom to ask.
type Options struct {
	Catalog      *provisioner.Catalog
	Brand        string // as in the catalog
	Model        string // name or alias, in any of the brand's families
	MAC          models.MAC
	URL          string        // the provisioning URL, a folder; its userinfo are HTTP credentials
	HTTPUser     string        // for digest challenges; "" = the MAC
	HTTPPassword models.Secret // "" and no HTTPUser: challenges are not answered
	SIPListen    string        // host:port to receive SIP on; "" = any port of the address that reaches the SIP server
	Once         bool          // Run returns after the first boot and registration
	Out          io.Writer
}

// An OptionError says what is wrong with one of the Options.
type OptionError struct {
	Option string // as a flag spells it: "brand", "sip-listen"
	Err    error
}

func (e *OptionError) Error() string { return e.Option + ": " + e.Err.Error() }
func (e *OptionError) Unwrap() error { return e.Err }

func badOption(option, format string, args ...any) error {
	return &OptionError{option, fmt.Errorf(format, args...)}
}

// A Phone is one software phone.
type Phone struct {
	mac    models.MAC
	base   *url.URL
	script provisioner.PhoneScript
	rules  provisioner.ParameterRules
	listen string
	once   bool
	out    *printer
	fetch  *fetcher
	booths chan struct{} // bounds how many phones of a fleet boot at a time; nil = no bound
	syncs  chan struct{} // a check-sync waits in it

	config     settings // nil before the first boot that succeeded
	line       line     // what was last registered, or tried
	station    *station // nil while there is no line
	registered bool
	due        time.Time // when to try or refresh next; zero = never
	pause      time.Duration
}

// New makes a phone. It fails with an *OptionError when the catalog does not
// know the model, or when the URL or the listening address is none.
func New(o Options) (*Phone, error) {
	script, rules, err := scriptOf(o)
	if err != nil {
		return nil, err
	}
	return newPhone(script, rules, o)
}

// newPhone makes a phone from a script without placeholders.
func newPhone(script provisioner.PhoneScript, rules provisioner.ParameterRules, o Options) (*Phone, error) {
	base, err := parseBase(o.URL)
	if err != nil {
		return nil, badOption("url", "%w", err)
	}
	if err := checkListen(o.SIPListen); err != nil {
		return nil, badOption("sip-listen", "%w", err)
	}
	user := o.HTTPUser
	if user == "" && o.HTTPPassword != "" {
		user = o.MAC.String()
	}
	out := newPrinter(o.Out)
	return &Phone{
		mac: o.MAC, base: base, script: script, rules: rules,
		listen: cmp.Or(o.SIPListen, ":0"),
		once:   o.Once,
		out:    out,
		fetch:  newFetcher(user, o.HTTPPassword, out),
		syncs:  make(chan struct{}, 1),
		pause:  firstPause,
	}, nil
}

// scriptOf is the brand's phone script, filled in for the model and the MAC,
// and where the brand's files have their parameters.
func scriptOf(o Options) (provisioner.PhoneScript, provisioner.ParameterRules, error) {
	manifest, ok := o.Catalog.Manifest(o.Brand)
	if !ok {
		return provisioner.PhoneScript{}, provisioner.ParameterRules{}, badOption("brand", "unknown brand %q; there are: %s",
			o.Brand, strings.Join(o.Catalog.Brands(), ", "))
	}
	model := o.Catalog.Model(o.Brand, "", o.Model)
	if model.Family == "" {
		return provisioner.PhoneScript{}, provisioner.ParameterRules{}, badOption("model", "unknown model %q of brand %q; there are: %s",
			o.Model, o.Brand, strings.Join(modelsOf(manifest), ", "))
	}
	vars := map[string]string{
		"mac": o.MAC.String(), "MAC": strings.ToUpper(o.MAC.String()), "mac_colons": o.MAC.Colons(),
		"label": model.Label, "firmware": manifest.Phone.Firmware,
	}
	for name, value := range model.Attributes {
		vars[name] = value
	}
	script, err := expand(manifest.Phone, vars)
	return script, manifest.Parameters, err
}

// Run boots the phone, registers it and keeps it registered, obeying
// check-sync, until ctx ends; then it de-registers and returns nil. With Once
// it returns after the first registration, with what went wrong.
func (p *Phone) Run(ctx context.Context) error {
	defer p.switchOff(ctx)
	err := p.start(ctx)
	if p.once {
		return err
	}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-p.syncs:
			_ = p.start(ctx) // printed; the next try is due
		case <-p.alarm():
			_ = p.resume(ctx)
		}
	}
	return nil
}

// alarm fires when the phone has something to do by itself.
func (p *Phone) alarm() <-chan time.Time {
	if p.due.IsZero() {
		return nil
	}
	return time.After(time.Until(p.due))
}

// resume does what is due: a boot while there is no configuration, then
// registrations.
func (p *Phone) resume(ctx context.Context) error {
	if p.config == nil {
		return p.start(ctx)
	}
	return p.register(ctx)
}

// start boots and applies what the boot brought. A phone that has a
// configuration keeps it when the boot fails.
func (p *Phone) start(ctx context.Context) error {
	if err := p.enter(ctx); err != nil {
		return err
	}
	defer p.leave()
	config, err := p.boot(ctx)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && p.config == nil:
		p.postpone()
		p.out.printf("boot failed: %v", err)
		return fmt.Errorf("boot: %w", err)
	case err != nil:
		p.out.printf("boot failed: %v; the old configuration stays", err)
		return fmt.Errorf("boot: %w", err)
	}
	p.printChanges(config)
	p.config = config
	return p.apply(ctx)
}

// enter waits for a place among the phones that boot.
func (p *Phone) enter(ctx context.Context) error {
	if p.booths == nil {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case p.booths <- struct{}{}:
		return nil
	}
}

func (p *Phone) leave() {
	if p.booths != nil {
		<-p.booths
	}
}

// apply brings the SIP side in line with the configuration: it registers when
// the line is new or has changed.
func (p *Phone) apply(ctx context.Context) error {
	next, err := newLine(&p.script, p.config)
	if err == nil && next == p.line && p.registered {
		return nil
	}
	if p.station != nil && (err != nil || !sameBinding(p.line, next)) {
		p.unregister(ctx)
	}
	if err != nil {
		p.line, p.due = line{}, time.Time{}
		p.out.printf("not registering: %v", err)
		return nil
	}
	p.line = next
	if p.station != nil {
		p.station.line = next
	}
	p.pause = firstPause
	return p.register(ctx)
}

// sameBinding reports whether a line can go on with the other's socket and
// binding.
func sameBinding(a, b line) bool {
	return a.aor() == b.aor() && a.server == b.server && a.transport == b.transport
}

// register registers the line, opening its socket first if need be, and sets
// the time of the next REGISTER: half of what was granted, or later tries.
func (p *Phone) register(ctx context.Context) error {
	if p.station == nil {
		s, err := openStation(ctx, p.line, p.listen, p.script.SIPUserAgent, p.out, p.checkSync)
		if err != nil {
			p.postpone()
			p.out.printf("not registering: %v", err)
			return err
		}
		p.station = s
	}
	granted, err := p.station.register(ctx, p.line.expires)
	if err != nil {
		p.registered = ctx.Err() != nil // an answer nobody waited for may be a 200
		p.postpone()
		return err
	}
	p.registered, p.pause = true, firstPause
	p.due = time.Now().Add(max(granted/2, time.Second))
	return nil
}

// postpone sets the time of another try.
func (p *Phone) postpone() {
	p.due = time.Now().Add(p.pause)
	p.pause = min(2*p.pause, lastPause)
}

// checkSync notes that the phone was told to fetch again; it is called by the
// station, on another goroutine. Several before the next boot are one.
func (p *Phone) checkSync() {
	select {
	case p.syncs <- struct{}{}:
	default:
	}
}

// unregister takes the phone's binding away and closes its socket.
func (p *Phone) unregister(ctx context.Context) {
	if p.station == nil {
		return
	}
	if p.registered {
		ctx, cancel := context.WithTimeout(ctx, farewell)
		defer cancel()
		_, _ = p.station.register(ctx, 0) // printed; the binding expires anyhow
	}
	p.station.close()
	p.station, p.registered = nil, false
}

// switchOff is the end of the phone: ctx has ended already, usually.
func (p *Phone) switchOff(ctx context.Context) {
	p.unregister(context.WithoutCancel(ctx))
	p.fetch.http.CloseIdleConnections()
}

// checkListen checks the form of an address to listen on; "" is fine.
func checkListen(addr string) error {
	if addr == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("port %q: want 0 to 65535", port)
	}
	return nil
}

// modelsOf lists the models of a brand.
func modelsOf(m *provisioner.Manifest) []string {
	var names []string
	for _, family := range m.Families {
		names = slices.AppendSeq(names, maps.Keys(family.Models))
	}
	return slices.Sorted(slices.Values(names))
}
