package limit

import (
	"net/netip"
	"testing"
	"time"
)

func TestLockout(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	locks := NewLockout([]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, func() time.Time { return now })
	fail := func(addr string, times int) {
		for range times {
			locks.Fail(netip.MustParseAddr(addr))
		}
	}
	check := func(what, addr string, want bool) {
		t.Helper()
		if got := locks.Allowed(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: Allowed(%s) = %v, want %v", what, addr, got, want)
		}
	}

	fail("198.51.100.1", 19)
	check("19 failures", "198.51.100.1", true)
	fail("198.51.100.1", 1)
	check("20 failures", "198.51.100.1", false)
	check("its IPv4-mapped form", "::ffff:198.51.100.1", false)
	check("a neighbour", "198.51.100.2", true)

	fail("2001:db8::1", 20)
	check("the same IPv6 network", "2001:db8::ffff:1", false)
	check("another IPv6 network", "2001:db8:0:1::1", true)

	fail("192.0.2.7", 100)
	check("an exempt network", "192.0.2.7", true)

	now = now.Add(3 * time.Second)
	check("one try earned", "198.51.100.1", true)
	fail("198.51.100.1", 1)
	check("and used", "198.51.100.1", false)
}
