package phonehttp_test

import (
	"net/http"
	"testing"
	"time"

	"dialtone/models"
)

// settle writes down what was recorded so far, as the recorder does.
func (s *site) settle(t *testing.T, n int) {
	t.Helper()
	fetches := s.waitFetches(t, n)
	s.forget()
	if err := s.store.RecordFetches(t.Context(), fetches); err != nil {
		t.Fatal(err)
	}
}

func (s *site) status(t *testing.T, path string) int {
	t.Helper()
	return s.do(t, "GET", path).status
}

// The old path token lets phones in until each of them has come with the new
// one, and no longer.
func TestRotatePathToken(t *testing.T) {
	s := newSite(t)
	s.createDevice(t, s.account, `{"name":"in its box","mac_address":"001565aabb99","provision":{"endpoint_brand":"yealink"}}`)
	old := s.token("")
	for _, mac := range []string{"001565aabbcc", "0004f2aabbcc"} { // the phones that fetch
		if got := s.status(t, old+mac+".cfg"); got != http.StatusOK {
			t.Fatalf("before: got %d", got)
		}
	}
	s.settle(t, 2)
	rotated, err := s.store.RotatePathToken(t.Context(), s.account, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	now := "/p/" + rotated.PathToken.Reveal() + "/"
	check := func(when, path string, want int) {
		t.Helper()
		if got := s.status(t, path); got != want {
			t.Errorf("%s: got %d, want %d", when, got, want)
		}
	}
	behind := func(want int64) {
		t.Helper()
		if got, err := s.store.PhonesBehind(t.Context(), s.account.ID); err != nil || got != want {
			t.Errorf("phones behind: got %d, %v, want %d", got, err, want)
		}
	}
	behind(2)
	check("one phone with the new token", now+"001565aabbcc.cfg", 200)
	check("and again", now+"001565aabbcc.cfg", 200)
	check("the other with the old one", old+"0004f2aabbcc.cfg", 200)
	s.settle(t, 3)
	behind(1)
	check("the first with the old one, which is still good", old+"001565aabbcc.cfg", 200)
	check("the other with the new one", now+"0004f2aabbcc.cfg", 200)
	s.settle(t, 2)
	behind(0)
	check("the old token when all have the new one", old+"001565aabbcc.cfg", 404)
	check("the new token", now+"001565aabbcc.cfg", 200)
}

// Phones that have the old token alone, after a rotation without overlap, lock
// out nobody beside them, however often they ask.
func TestOldTokenOfAnOffice(t *testing.T) {
	s := newSite(t)
	rotated, err := s.store.RotatePathToken(t.Context(), s.account, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		for _, file := range []string{"001565aabbcc.boot", "001565aabbcc.cfg", "0004f2aabbcc.cfg", "y000000000108.cfg"} {
			if got := s.status(t, s.token(file)); got != http.StatusNotFound {
				t.Fatalf("%s with the old token: got %d, want 404", file, got)
			}
		}
	}
	if got := s.status(t, "/p/"+rotated.PathToken.Reveal()+"/001565aabbcc.cfg"); got != http.StatusOK {
		t.Errorf("with the new token: got %d, want 200", got)
	}
}

// The overlap ends when its time is over, and there is none when none is wanted.
func TestPathTokenOverlapEnds(t *testing.T) {
	for name, until := range map[string]time.Time{"over": time.Now().Add(-time.Second), "none": {}} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			if _, err := s.store.RotatePathToken(t.Context(), s.account, until); err != nil {
				t.Fatal(err)
			}
			if got := s.status(t, s.token("001565aabbcc.cfg")); got != http.StatusNotFound {
				t.Errorf("the old token: got %d, want 404", got)
			}
		})
	}
}

// The old password of a device lets it in until it has come with the new one.
func TestRotateHTTPPassword(t *testing.T) {
	s := newSite(t)
	rotated, err := s.store.RotateHTTPPassword(t.Context(), s.yealink, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string, password models.Secret, want int) {
		t.Helper()
		if got := s.digest(t, "GET", "/001565aabbcc.cfg", "001565aabbcc", password); got.status != want {
			t.Errorf("%s: got %d, want %d", when, got.status, want)
		}
	}
	check("the old one", s.yealink.HTTPPassword, 200)
	s.settle(t, 1)
	check("the old one again", s.yealink.HTTPPassword, 200)
	check("the new one", rotated.HTTPPassword, 200)
	s.settle(t, 2)
	check("the old one after the new one", s.yealink.HTTPPassword, 401)
	check("the new one again", rotated.HTTPPassword, 200)
	last, err := s.store.Device(t.Context(), s.account.ID, s.yealink.ID)
	if err != nil || last.Revision != rotated.Revision || last.OldHTTPPassword != "" {
		t.Errorf("the document afterwards: got revision %s, %v, want %s, and no old password", last.Revision, err, rotated.Revision)
	}

	again, err := s.store.RotateHTTPPassword(t.Context(), last, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	check("the old one without overlap", last.HTTPPassword, 401)
	check("the new one without overlap", again.HTTPPassword, 200)
}
