// Package limit slows down who asks too much: whoever guesses credentials, over
// HTTP and SIP alike (Lockout), and whoever sends more requests than the API has
// to serve (Meter). Both count with token buckets.
package limit

import (
	"net/netip"
	"slices"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"
)

const maxBuckets = 100_000 // remembered at once; the least used are forgotten

// buckets are token buckets by key. A bucket that nobody has used for as long as
// it takes to fill up is forgotten: a new one is full, too.
type buckets[K comparable] struct {
	rate  rate.Limit // tokens per second
	burst int        // tokens in a full bucket
	byKey *otter.Cache[K, *rate.Limiter]
}

func newBuckets[K comparable](perSecond rate.Limit, burst int) *buckets[K] {
	return &buckets[K]{
		rate:  perSecond,
		burst: burst,
		byKey: otter.Must(&otter.Options[K, *rate.Limiter]{
			MaximumSize:      maxBuckets,
			ExpiryCalculator: otter.ExpiryAccessing[K, *rate.Limiter](seconds(float64(burst) / float64(perSecond))),
		}),
	}
}

// hold reports whether a key has n tokens.
func (b *buckets[K]) hold(key K, n int, now time.Time) bool {
	bucket, known := b.byKey.GetIfPresent(key)
	return !known || bucket.TokensAt(now) >= float64(n)
}

// take takes n tokens, or none when there are fewer: then it tells how long it
// is until there are enough.
func (b *buckets[K]) take(key K, n int, now time.Time) (wait time.Duration, ok bool) {
	bucket, _ := b.byKey.ComputeIfAbsent(key, func() (*rate.Limiter, bool) { return rate.NewLimiter(b.rate, b.burst), false })
	if bucket.AllowN(now, n) {
		return 0, true
	}
	return seconds((float64(n) - bucket.TokensAt(now)) / float64(b.rate)), false
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// contains reports whether a source is in one of the networks.
func contains(networks []netip.Prefix, source netip.Addr) bool {
	source = source.Unmap().WithZone("")
	return slices.ContainsFunc(networks, func(network netip.Prefix) bool { return network.Contains(source) })
}

// network counts a whole IPv6 /64 as one source: a single host owns all of it.
func network(source netip.Addr) netip.Addr {
	source = source.Unmap().WithZone("")
	if source.Is6() {
		prefix, _ := source.Prefix(64)
		return prefix.Addr()
	}
	return source
}
