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

// A name that does not exist counts once for a source in an hour.
func TestMisses(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	locks := NewLockout([]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, func() time.Time { return now })
	phone, scanner, exempt := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2"), netip.MustParseAddr("192.0.2.1")
	for i := range 20 {
		if counted := locks.Miss(phone, "same"); counted != (i == 0) {
			t.Errorf("miss %d of the same name: counted %v", i, counted)
		}
		name := string(rune('a' + i))
		if !locks.Miss(scanner, name) || locks.Miss(exempt, name) {
			t.Errorf("miss %d of another name: not counted, or of an exempt source", i)
		}
	}
	if !locks.Allowed(phone) || locks.Allowed(scanner) || !locks.Allowed(exempt) {
		t.Errorf("allowed: a phone %v, a scanner %v, an exempt source %v", locks.Allowed(phone), locks.Allowed(scanner), locks.Allowed(exempt))
	}
	now = now.Add(time.Hour)
	if !locks.Miss(phone, "same") {
		t.Error("after an hour the same name does not count")
	}
}

func TestBan(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	locks := NewLockout([]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, func() time.Time { return now })
	source, exempt := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("192.0.2.1")
	locks.Ban(source)
	locks.Ban(exempt)
	now = now.Add(59 * time.Minute)
	if locks.Allowed(source) || locks.Allowed(netip.MustParseAddr("2001:db8::2")) || !locks.Allowed(exempt) {
		t.Error("within the hour: want the source and its network locked, and the exempt one not")
	}
	now = now.Add(time.Minute)
	if !locks.Allowed(source) {
		t.Error("after an hour: still locked")
	}
}

// Wrong passwords of one name lock the source out of that name alone.
func TestGuesses(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	locks := NewLockout([]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, func() time.Time { return now })
	source, other, exempt := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("192.0.2.1")
	for i := range 20 {
		if !locks.MayGuess(source, "a") {
			t.Errorf("locked out after %d", i)
		}
		locks.Guess(source, "a")
		locks.Guess(exempt, "a")
	}
	if locks.MayGuess(netip.MustParseAddr("2001:db8::2"), "a") || !locks.MayGuess(source, "b") || !locks.Allowed(source) || !locks.MayGuess(other, "a") || !locks.MayGuess(exempt, "a") {
		t.Error("after 20: want its network locked out of that name, and nothing else")
	}
	now = now.Add(3 * time.Second)
	if !locks.MayGuess(source, "a") {
		t.Error("none is forgiven")
	}
}
