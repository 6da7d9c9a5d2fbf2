package limit

import (
	"net/netip"
	"time"

	"golang.org/x/time/rate"
)

// A Meter charges requests to accounts, and those that come from no account to
// the address they come from. Each account and each address has a bucket of its
// own, so strangers at an address take nothing from the accounts there.
type Meter struct {
	now       func() time.Time
	exempt    []netip.Prefix
	accounts  *buckets[string]
	addresses *buckets[netip.Addr]
}

// NewMeter makes a Meter whose buckets hold burst tokens and gain perSecond;
// networks in exempt pay nothing.
func NewMeter(perSecond, burst int, exempt []netip.Prefix, now func() time.Time) *Meter {
	return &Meter{
		now:       now,
		exempt:    exempt,
		accounts:  newBuckets[string](rate.Limit(perSecond), burst),
		addresses: newBuckets[netip.Addr](rate.Limit(perSecond), burst),
	}
}

// Charge takes cost tokens of the account, or of the source when account is "".
// When there are fewer it takes none, and tells how long it is until there are
// enough.
func (m *Meter) Charge(account string, source netip.Addr, cost int) (wait time.Duration, ok bool) {
	switch {
	case contains(m.exempt, source):
		return 0, true
	case account != "":
		return m.accounts.take(account, cost, m.now())
	}
	return m.addresses.take(network(source), cost, m.now())
}
