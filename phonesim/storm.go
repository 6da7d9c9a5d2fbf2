package phonesim

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"dialtone/models"
)

// A Storm is many phones that all boot once, as after a power cut: each fetches
// its files over a new connection of its own and registers. It is switched off
// then, without a word: its registration stays until it expires.
type Storm struct {
	Options                  // of the first phone; SIPListen, Once and Out are not used
	Count   int              // phones, with consecutive MACs
	AtOnce  int              // that boot at a time
	Anyone  bool             // also servers that are not on this machine
	TLS     *tls.Config      // nil: the system's authorities
	Booted  func(phones int) // called after each phone, one at a time, with how many there were; nil: nobody is told
}

// A StormReport tells how a storm went.
type StormReport struct {
	Phones, Failed int
	Took           time.Duration
	Answers        map[int]int    // HTTP requests by their status
	Failures       map[string]int // phones by what went wrong
	Fetch          Spread         // of single HTTP requests
	Boot           Spread         // of all of a phone's files
	Register       Spread         // both REGISTERs, with the challenge between them
}

// A Spread is how long something took.
type Spread struct {
	Count                int
	Median, P99, Longest time.Duration
}

// ErrElsewhere is a server on another machine.
var ErrElsewhere = errors.New("not on this machine")

// Check tells what is wrong with the storm, as an *OptionError, before it begins.
func (s Storm) Check(ctx context.Context) error {
	if s.Count < 1 {
		return badOption("count", "%d phones: want 1 or more", s.Count)
	}
	if s.AtOnce < 1 {
		return badOption("at-once", "%d phones: want 1 or more", s.AtOnce)
	}
	first, err := New(s.Options)
	if err != nil || s.Anyone {
		return err
	}
	if err := allHere(ctx, first.base.Hostname()); err != nil {
		return badOption("url", "%w", err)
	}
	return nil
}

// Run boots all phones, until ctx ends. What phones failed by is in the report.
func (s Storm) Run(ctx context.Context) StormReport {
	s.TLS = asPhonesDo(s.TLS)
	t := &tally{booted: s.Booted, report: StormReport{Answers: map[int]int{}, Failures: map[string]int{}}}
	began := time.Now()
	s.bootAll(ctx, t)
	report := t.end()
	report.Took = time.Since(began)
	return report
}

// bootAll hands the MACs to as many workers as may boot at once.
func (s Storm) bootAll(ctx context.Context, t *tally) {
	macs := make(chan models.MAC)
	var workers sync.WaitGroup
	for range min(s.AtOnce, s.Count) {
		workers.Go(func() {
			for mac := range macs {
				t.phone(mac, s.boot(ctx, mac, t))
			}
		})
	}
	mac := s.MAC
	for n := 0; n < s.Count && ctx.Err() == nil; n++ {
		macs <- mac
		mac = mac.Next()
	}
	close(macs)
	workers.Wait()
}

// boot is the life of one phone.
func (s Storm) boot(ctx context.Context, mac models.MAC, t *tally) error {
	o := s.Options
	o.MAC, o.SIPListen, o.Out = mac, "", io.Discard
	phone, err := New(o)
	if err != nil {
		return err
	}
	phone.fetch.transport.TLSClientConfig = s.TLS
	phone.fetch.observe = t.fetch
	if !s.Anyone {
		phone.fetch.stayHere()
	}
	began := time.Now()
	config, err := phone.boot(ctx)
	if err != nil {
		return err
	}
	t.add(&t.boots, time.Since(began))
	return s.register(ctx, phone, config, t)
}

func (s Storm) register(ctx context.Context, phone *Phone, config settings, t *tally) error {
	line, err := newLine(&phone.script, config)
	if err != nil {
		return err
	}
	if !s.Anyone && !isHere(line.server) {
		return fmt.Errorf("SIP server: %w", ErrElsewhere)
	}
	station, err := openStation(ctx, line, phone.listen, phone.script.SIPUserAgent, phone.out, func() {})
	if err != nil {
		return err
	}
	defer station.close()
	began := time.Now()
	if _, err := station.register(ctx, line.expires); err != nil {
		return err
	}
	t.add(&t.registrations, time.Since(began))
	return nil
}

// asPhonesDo leaves the key exchanges that phones know: they have no post-quantum
// one, which takes several times as long.
func asPhonesDo(c *tls.Config) *tls.Config {
	if c == nil {
		c = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	c = c.Clone()
	c.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256}
	return c
}

// stayHere keeps the phone from connecting to other machines.
func (f *fetcher) stayHere() {
	dialer := &net.Dialer{Timeout: requestTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		if !isHere(address) {
			return ErrElsewhere
		}
		return nil
	}}
	f.transport.DialContext = dialer.DialContext
}

// allHere refuses a host that is, or may be, another machine.
func allHere(ctx context.Context, host string) error {
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return err
	}
	for _, ip := range addresses {
		if !ip.Unmap().IsLoopback() {
			return fmt.Errorf("%s: %w", ip.Unmap(), ErrElsewhere)
		}
	}
	return nil
}

// isHere reports whether an address, host:port, is on this machine.
func isHere(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// A tally collects what phones that boot at the same time do.
type tally struct {
	booted func(phones int) // Storm.Booted
	mu     sync.Mutex
	report StormReport

	fetches, boots, registrations []time.Duration
}

func (t *tally) fetch(status int, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.report.Answers[status]++
	t.fetches = append(t.fetches, took)
}

func (t *tally) add(to *[]time.Duration, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*to = append(*to, took)
}

// phone counts one that has booted, or failed to.
func (t *tally) phone(mac models.MAC, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.report.Phones++
	if err != nil {
		t.report.Failed++
		t.report.Failures[alike(mac, err)]++
	}
	if t.booted != nil {
		t.booted(t.report.Phones)
	}
}

// alike is an error as other phones have it, too: without the MAC, and the port
// that a connection came from.
func alike(mac models.MAC, err error) string {
	text := err.Error()
	if op, ok := errors.AsType[*net.OpError](err); ok {
		text = strings.ReplaceAll(text, op.Error(), op.Op+" "+op.Net+": "+op.Err.Error())
	}
	return strings.NewReplacer(mac.String(), "{mac}", strings.ToUpper(mac.String()), "{mac}").Replace(text)
}

func (t *tally) end() StormReport {
	t.report.Fetch, t.report.Boot, t.report.Register = spread(t.fetches), spread(t.boots), spread(t.registrations)
	return t.report
}

func spread(took []time.Duration) Spread {
	if len(took) == 0 {
		return Spread{}
	}
	slices.Sort(took)
	at := func(part float64) time.Duration { return took[int(part*float64(len(took)-1))] }
	return Spread{Count: len(took), Median: at(.5), P99: at(.99), Longest: at(1)}
}
