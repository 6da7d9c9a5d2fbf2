// Package lockout slows down whoever guesses credentials: a source address
// that keeps presenting wrong ones is refused for a while, over HTTP and SIP
// alike.
package lockout

import (
	"net/netip"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"
)

const (
	burst      = 20              // wrong credentials in a row before the lock
	refill     = 3 * time.Second // one more try is earned in this time
	maxSources = 100_000         // remembered at once; the least used are forgotten
)

// A Lockout counts failures per source address.
type Lockout struct {
	now     func() time.Time
	exempt  []netip.Prefix
	sources *otter.Cache[netip.Addr, *rate.Limiter]
}

// New makes a Lockout; networks in exempt are never locked.
func New(exempt []netip.Prefix, now func() time.Time) *Lockout {
	return &Lockout{
		now:    now,
		exempt: exempt,
		sources: otter.Must(&otter.Options[netip.Addr, *rate.Limiter]{
			MaximumSize:      maxSources,
			ExpiryCalculator: otter.ExpiryAccessing[netip.Addr, *rate.Limiter](burst * refill),
		}),
	}
}

// Allowed reports whether the source may present credentials now.
func (l *Lockout) Allowed(source netip.Addr) bool {
	limiter, known := l.sources.GetIfPresent(key(source))
	return !known || limiter.TokensAt(l.now()) >= 1
}

// Fail counts one wrong credential of the source.
func (l *Lockout) Fail(source netip.Addr) {
	if l.isExempt(source) {
		return
	}
	limiter, _ := l.sources.ComputeIfAbsent(key(source), func() (*rate.Limiter, bool) {
		return rate.NewLimiter(rate.Every(refill), burst), false
	})
	limiter.AllowN(l.now(), 1)
}

func (l *Lockout) isExempt(source netip.Addr) bool {
	for _, network := range l.exempt {
		if network.Contains(source.Unmap()) {
			return true
		}
	}
	return false
}

// key counts a whole IPv6 /64 as one source: a single host owns all of it.
func key(source netip.Addr) netip.Addr {
	source = source.Unmap().WithZone("")
	if source.Is6() {
		network, _ := source.Prefix(64)
		return network.Addr()
	}
	return source
}
