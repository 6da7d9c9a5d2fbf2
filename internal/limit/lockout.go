package limit

import (
	"net/netip"
	"time"

	"golang.org/x/time/rate"
)

const (
	wrongBurst  = 20              // wrong credentials in a row before the lock
	wrongRefill = 3 * time.Second // one more try is earned in this time
)

// A Lockout refuses a source address that keeps presenting wrong credentials.
type Lockout struct {
	now     func() time.Time
	exempt  []netip.Prefix
	sources *buckets[netip.Addr]
}

// NewLockout makes a Lockout; networks in exempt are never locked.
func NewLockout(exempt []netip.Prefix, now func() time.Time) *Lockout {
	return &Lockout{now: now, exempt: exempt, sources: newBuckets[netip.Addr](rate.Every(wrongRefill), wrongBurst)}
}

// Allowed reports whether the source may present credentials now.
func (l *Lockout) Allowed(source netip.Addr) bool {
	return l.sources.hold(network(source), 1, l.now())
}

// Fail counts one wrong credential of the source.
func (l *Lockout) Fail(source netip.Addr) {
	if !contains(l.exempt, source) {
		l.sources.take(network(source), 1, l.now())
	}
}
