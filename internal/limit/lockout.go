package limit

import (
	"net/netip"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"
)

const (
	wrongBurst  = 20              // wrong credentials in a row before the lock
	wrongRefill = 3 * time.Second // one more try is earned in this time
	banFor      = time.Hour
	missFor     = time.Hour // a source's further misses of the same name count for nothing
)

// A Lockout refuses a source address that keeps presenting wrong credentials,
// or looks for what does not exist.
type Lockout struct {
	now     func() time.Time
	exempt  []netip.Prefix
	sources *buckets[netip.Addr]
	guesses *buckets[miss]                      // at the password of one name
	banned  *otter.Cache[netip.Addr, time.Time] // until when
	missed  *otter.Cache[miss, time.Time]       // until when
}

// A miss is a source's search for a name that does not exist, or a password of it.
type miss struct {
	source netip.Addr
	name   string
}

// NewLockout makes a Lockout; networks in exempt are never locked.
func NewLockout(exempt []netip.Prefix, now func() time.Time) *Lockout {
	return &Lockout{
		now:     now,
		exempt:  exempt,
		sources: newBuckets[netip.Addr](rate.Every(wrongRefill), wrongBurst),
		guesses: newBuckets[miss](rate.Every(wrongRefill), wrongBurst),
		banned:  newMemory[netip.Addr](banFor),
		missed:  newMemory[miss](missFor),
	}
}

// newMemory remembers times for as long as they may count.
func newMemory[K comparable](life time.Duration) *otter.Cache[K, time.Time] {
	return otter.Must(&otter.Options[K, time.Time]{MaximumSize: maxBuckets, ExpiryCalculator: otter.ExpiryWriting[K, time.Time](life)})
}

// Allowed reports whether the source may present credentials now.
func (l *Lockout) Allowed(source netip.Addr) bool {
	until, banned := l.banned.GetIfPresent(network(source))
	return l.sources.hold(network(source), 1, l.now()) && (!banned || !l.now().Before(until))
}

// Fail counts one wrong credential of the source.
func (l *Lockout) Fail(source netip.Addr) {
	if !contains(l.exempt, source) {
		l.sources.take(network(source), 1, l.now())
	}
}

// Miss counts like Fail that the source looked for a name which does not exist,
// but the same one only once in an hour, and reports whether it did: whoever
// knows one wrong name asks for it again and again, whoever guesses asks for
// others.
func (l *Lockout) Miss(source netip.Addr, name string) (counted bool) {
	if contains(l.exempt, source) {
		return false
	}
	now := l.now()
	l.missed.Compute(miss{network(source), name}, func(until time.Time, found bool) (time.Time, otter.ComputeOp) {
		if counted = !found || !now.Before(until); counted {
			return now.Add(missFor), otter.WriteOp
		}
		return until, otter.CancelOp
	})
	if counted {
		l.Fail(source)
	}
	return counted
}

// Guess counts a wrong password that the source presented for a name. It locks the
// source out of nothing but that name.
func (l *Lockout) Guess(source netip.Addr, name string) {
	if !contains(l.exempt, source) {
		l.guesses.take(miss{network(source), name}, 1, l.now())
	}
}

// MayGuess reports whether a password counts that the source presents for a name.
func (l *Lockout) MayGuess(source netip.Addr, name string) bool {
	return l.guesses.hold(miss{network(source), name}, 1, l.now())
}

// Ban locks the source for an hour.
func (l *Lockout) Ban(source netip.Addr) {
	if !contains(l.exempt, source) {
		l.banned.Set(network(source), l.now().Add(banFor))
	}
}
