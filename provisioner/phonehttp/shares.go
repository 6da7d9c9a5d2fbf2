package phonehttp

import (
	"errors"
	"net/http"
	"sync"
	"time"
)

// What the files that phones store, and the operator's assets, may take of the
// server at the same time. An account has a quarter of the whole, so that none
// can keep the phones of others waiting; who asks for more is told to come back.
const (
	uploadMemory  = 32 << 20 // bytes of uploads that arrived and are not stored yet
	uploadSlots   = 1024
	deviceUploads = 2
	maxAssets     = 256 // being sent
	deviceAssets  = 4
	accountPart   = 4 // the whole is divided by that for one account
)

var errBusy = errors.New("too much at the same time")

// Shares count what is in use, in all and by whom.
type shares struct {
	mu   sync.Mutex
	used map[string]int64
}

func newShares() *shares { return &shares{used: map[string]int64{}} }

// A bound is how much somebody may have in use.
type bound struct {
	who  string // "" = all together
	most int64
}

// bounds are those of the whole, of the account and, unless most is 0, of the
// device or address that asks.
func (v *visit) bounds(whole, most int64) []bound {
	list := []bound{{"", whole}, {"account " + v.account.ID, whole / accountPart}}
	if most == 0 {
		return list
	}
	return append(list, bound{v.asking(), most})
}

// asking names who asks as closely as it is known: many phones may share an address.
func (v *visit) asking() string {
	if v.phone != nil {
		return "device " + v.phone.Device.ID
	}
	return "source " + v.peer.source.String() + " " + v.agent.MAC.String()
}

// take adds to what is in use, unless that would be more than one of the bounds.
func (s *shares) take(n int64, bounds []bound) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range bounds {
		if s.used[b.who]+n > b.most {
			return errBusy
		}
	}
	for _, b := range bounds {
		s.used[b.who] += n
	}
	return nil
}

// give takes back what is no longer in use.
func (s *shares) give(n int64, bounds []bound) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range bounds {
		if s.used[b.who] -= n; s.used[b.who] == 0 {
			delete(s.used, b.who)
		}
	}
}

// A pace is how slow a phone may be. The whole of an asset or upload may take
// long, since firmware is large and lines are slow, but not for ever.
type pace struct {
	stall time.Duration // for one piece, and before the rate counts
	rate  int64         // bytes per second over the whole
}

var ordinaryPace = pace{stall: time.Minute, rate: 4 << 10}

// deadline of the next piece, after a number of bytes since the beginning.
func (p pace) deadline(begun time.Time, bytes int64) time.Time {
	next := time.Now().Add(p.stall)
	whole := begun.Add(p.stall + time.Duration(bytes/p.rate)*time.Second)
	if whole.Before(next) {
		return whole
	}
	return next
}

// A pacedReader is the body of a request that has to keep up the pace.
type pacedReader struct {
	visit *visit
	begun time.Time
	bytes int64
}

func (r *pacedReader) Read(p []byte) (int, error) {
	v := r.visit
	control := http.NewResponseController(v.w.ResponseWriter)
	_ = control.SetReadDeadline(v.pace.deadline(r.begun, r.bytes)) // a connection can; others have none
	if err := v.untimed.Context().Err(); err != nil {
		return 0, err
	}
	n, err := v.r.Body.Read(p)
	r.bytes += int64(n)
	return n, err
}
