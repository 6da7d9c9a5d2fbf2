package digestauth

import (
	"testing"
	"time"

	"github.com/icholy/digest"
)

func TestUses(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := func() time.Time { return now }
	authority := New([]byte("key"), clock)
	one, other := [16]byte{1}, [16]byte{2}
	creds := func(nonce string, count int) *digest.Credentials { return &digest.Credentials{Nonce: nonce, Nc: count} }
	before := authority.nonce("")
	now = now.Add(time.Second)
	uses := NewUses(32*time.Second, clock)
	take := func(what string, c *digest.Credentials, request [16]byte, want Use) {
		t.Helper()
		if got := uses.Take(c, request); got != want {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}

	take("made before this server started", creds(before, 1), one, Replayed)
	take("no nonce at all", creds("x", 1), one, Replayed)
	nonce := authority.nonce("")
	take("first", creds(nonce, 1), one, First)
	take("the same again", creds(nonce, 1), one, Again)
	take("another request", creds(nonce, 1), other, Replayed)
	take("counted on", creds(nonce, 2), other, First)
	take("counted back", creds(nonce, 1), one, Replayed)
	take("counts may be left out", creds(nonce, 7), one, First)
	uses.Return(creds(nonce, 7))
	take("not carried out, so it comes again", creds(nonce, 7), one, First)
	now = now.Add(32 * time.Second)
	take("the same much later", creds(nonce, 7), one, Replayed)

	uncounted := authority.nonce("")
	take("without a count", creds(uncounted, 0), one, First)
	take("without a count, again", creds(uncounted, 0), one, Again)
	take("without a count, another request", creds(uncounted, 0), other, Replayed)
}

// However many nonces are used, memory stays bounded, and none that was used
// can be used again.
func TestUsesAreBounded(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := func() time.Time { return now }
	authority := New([]byte("key"), clock)
	uses := NewUses(time.Second, clock)
	uses.limit = 10
	var used []*digest.Credentials
	for range 100 {
		c := &digest.Credentials{Nonce: authority.nonce(""), Nc: 1}
		if got := uses.Take(c, [16]byte{1}); got != First {
			t.Fatalf("a new nonce: got %v, want First", got)
		}
		used = append(used, c)
		now = now.Add(10 * time.Millisecond)
	}
	if n := len(uses.young) + len(uses.old); n > 20 {
		t.Errorf("%d nonces are remembered, want 20 at most", n)
	}
	for i, c := range used {
		if got := uses.Take(c, [16]byte{2}); got != Replayed {
			t.Errorf("nonce %d again: got %v, want Replayed", i, got)
		}
	}
	now = now.Add(nonceLife)
	uses.Take(&digest.Credentials{Nonce: authority.nonce(""), Nc: 1}, [16]byte{3})
	now = now.Add(nonceLife)
	uses.Take(&digest.Credentials{Nonce: authority.nonce(""), Nc: 1}, [16]byte{3})
	if n := len(uses.young) + len(uses.old); n > 2 {
		t.Errorf("%d nonces are remembered after all others have expired, want 2", n)
	}
}
