package digestauth

import (
	"encoding/base64"
	"sync"
	"time"

	"github.com/icholy/digest"
)

// maxUses is how many nonces half of a Uses' memory holds.
const maxUses = 1 << 16

// A Use is what a Uses knows about a request's nonce and count.
type Use int

const (
	First    Use = iota // never seen before: now taken
	Again               // seen a moment ago, with the very same request
	Replayed            // seen with another request, or long ago, or forgotten
)

// Uses remembers what nonces were used for, so that nobody uses credentials
// twice that he has seen on their way. It knows about the requests of its own
// server alone. Its memory is bounded; what has left it counts as replayed.
type Uses struct {
	now    func() time.Time
	repeat time.Duration // in which a request may come again
	limit  int

	mu          sync.Mutex
	young, old  map[nonceID]use
	since       time.Time // when young was begun
	rememberAll time.Time // nonces made before this that are not remembered may have been used
}

type nonceID [8 + 8]byte // what makes a nonce unique: its time and random bytes

// A use is the highest count that a nonce was used with.
type use struct {
	count   int
	request [16]byte // a hash that tells requests apart
	at      time.Time
}

// NewUses makes an empty memory. A client repeats a request that it got no answer
// to within the time repeat.
func NewUses(repeat time.Duration, now func() time.Time) *Uses {
	start := now()
	return &Uses{
		now: now, repeat: repeat, limit: maxUses,
		young: map[nonceID]use{}, old: map[nonceID]use{}, since: start, rememberAll: start.Truncate(time.Millisecond),
	}
}

// Take uses up the nonce and count of credentials that are Right for a request.
// Counts may only rise; credentials without one use a nonce once.
func (u *Uses) Take(creds *digest.Credentials, request [16]byte) Use {
	raw, err := base64.RawURLEncoding.DecodeString(creds.Nonce)
	if err != nil || len(raw) != nonceSize {
		return Replayed
	}
	id := nonceID(raw[:16])
	now := u.now()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.forget(now)
	last, known := u.last(id)
	switch {
	case !known && issued(raw).Before(u.rememberAll):
		return Replayed
	case known && last.request == request && last.count == creds.Nc && now.Sub(last.at) < u.repeat:
		return Again
	case known && creds.Nc <= last.count:
		return Replayed
	}
	u.young[id] = use{count: creds.Nc, request: request, at: now}
	return First
}

// Return gives a use back that Take called First: the request could not be
// carried out and will come again.
func (u *Uses) Return(creds *digest.Credentials) {
	raw, err := base64.RawURLEncoding.DecodeString(creds.Nonce)
	if err != nil || len(raw) != nonceSize {
		return
	}
	id := nonceID(raw[:16])
	u.mu.Lock()
	defer u.mu.Unlock()
	if last, known := u.last(id); known && last.count == creds.Nc {
		last.count, last.request = last.count-1, [16]byte{}
		u.young[id] = last
	}
}

func (u *Uses) last(id nonceID) (use, bool) {
	if last, known := u.young[id]; known {
		return last, true
	}
	last, known := u.old[id]
	return last, known
}

// forget drops the older half of the memory when the other is full or has seen
// every nonce that still lives.
func (u *Uses) forget(now time.Time) {
	if len(u.young) < u.limit && now.Sub(u.since) < nonceLife {
		return
	}
	u.rememberAll = u.since // what is dropped was used, so made, before
	u.old, u.young, u.since = u.young, map[nonceID]use{}, now
}
