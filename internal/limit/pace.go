package limit

import (
	"time"

	"golang.org/x/time/rate"
)

// A Pace lets something happen to everybody a few times in a row, and from then
// on once in a while.
type Pace struct {
	now  func() time.Time
	keys *buckets[string]
}

// NewPace makes a Pace of a number in a row and one more every so often.
func NewPace(inARow int, every time.Duration, now func() time.Time) *Pace {
	return &Pace{now: now, keys: newBuckets[string](rate.Every(every), inARow)}
}

// Allow reports whether it may happen to a key now, and counts that it does.
func (p *Pace) Allow(key string) bool {
	_, ok := p.keys.take(key, 1, p.now())
	return ok
}

// Spent reports whether it may not happen to a key now; it counts nothing.
func (p *Pace) Spent(key string) bool { return !p.keys.hold(key, 1, p.now()) }
