package sqlstore_test

import (
	"net/netip"
	"testing"
	"time"

	"dialtone/models"
	"dialtone/models/sqlstore"
)

// What a phone does after a NOTIFY is found: the first fetch that brought
// something, and a registration after that.
func TestFollowNotifications(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		a := newAccount(t, s, "acme.example.com")
		told := time.Now().UTC().Truncate(time.Millisecond).Add(-time.Minute)
		notes := map[string]*models.Notification{}
		for name, until := range map[string]time.Time{
			"back": told.Add(time.Hour), "fetched": told.Add(time.Hour), "asked": told.Add(time.Hour),
			"silent": told.Add(time.Hour), "late": told.Add(time.Second), "ignored": {},
		} {
			d := createDevice(t, s, a.ID, `{"name":"`+name+`","sip":{"username":"`+name+`"}}`)
			n := &models.Notification{AccountID: a.ID, DeviceID: d.ID, State: models.NotifyAccepted, Created: told, Finished: told, WatchUntil: until}
			if err := s.SaveNotification(ctx, n); err != nil {
				t.Fatal(err)
			}
			notes[name] = n
		}
		fetch := func(name, method string, status int, after time.Duration) {
			t.Helper()
			f := models.Fetch{AccountID: a.ID, DeviceID: notes[name].DeviceID, File: "f", Method: method, Status: status, At: told.Add(after)}
			if err := s.RecordFetches(ctx, []models.Fetch{f}); err != nil {
				t.Fatal(err)
			}
		}
		register := func(name string, after time.Duration) {
			t.Helper()
			err := s.UpdateBindings(ctx, notes[name].DeviceID, func([]models.Binding) ([]models.Binding, error) {
				return []models.Binding{{
					AccountID: a.ID, DeviceID: notes[name].DeviceID, Contact: "sip:a@10.0.0.1", Received: netip.MustParseAddrPort("10.0.0.1:5060"),
					Transport: "udp", Expires: told.Add(time.Hour), Modified: told.Add(after),
				}}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"back", "fetched", "late", "ignored"} {
			fetch(name, "GET", 200, -time.Second) // before it was told
			fetch(name, "GET", 304, 2*time.Second)
			fetch(name, "GET", 200, 3*time.Second)
		}
		fetch("asked", "HEAD", 200, time.Second)
		fetch("asked", "PUT", 200, time.Second)
		fetch("asked", "GET", 404, time.Second)
		fetch("asked", "GET", 503, time.Second)
		register("fetched", time.Second) // not since it fetched
		register("asked", time.Second)
		for _, want := range []int{4, 4} {
			if got, err := s.FollowNotifications(ctx); err != nil || got != want {
				t.Errorf("got %d, %v, want %d watched", got, err, want)
			}
		}
		register("back", 5*time.Second)
		for _, want := range []int{4, 3} { // who is back is watched no longer
			if got, err := s.FollowNotifications(ctx); err != nil || got != want {
				t.Errorf("got %d, %v, want %d watched", got, err, want)
			}
		}
		for name, want := range map[string][2]time.Duration{
			"back": {2 * time.Second, 5 * time.Second}, "fetched": {2 * time.Second, 0}, "asked": {}, "silent": {}, "late": {}, "ignored": {},
		} {
			got, err := s.Notifications(ctx, notes[name].DeviceID, 9)
			if err != nil || len(got) != 1 {
				t.Fatal(got, err)
			}
			for i, at := range []time.Time{got[0].Fetched, got[0].Registered} {
				if want[i] == 0 && !at.IsZero() || want[i] != 0 && !at.Equal(told.Add(want[i])) {
					t.Errorf("%s: got %v and %v, want %v after %v", name, got[0].Fetched, got[0].Registered, want, told)
				}
			}
		}
		// A repetition of the NOTIFY forgets nothing.
		again := *notes["back"]
		again.State = models.NotifyQueued
		if err := s.SaveNotification(ctx, &again); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Notifications(ctx, again.DeviceID, 9); err != nil || len(got) != 1 || got[0].State != models.NotifyQueued || got[0].Fetched.IsZero() {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

// What was left without outcome is settled on either database.
func TestSettleNotifications(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		a := newAccount(t, s, "acme.example.com")
		d := createDevice(t, s, a.ID, `{"name":"x"}`)
		now := time.Now().UTC().Truncate(time.Millisecond)
		for _, n := range []models.Notification{
			{Replica: "r1", State: models.NotifyQueued, Event: "own", Created: now.Add(-time.Second)},
			{Replica: "r1", State: models.NotifyRetrying, Event: "own too", Created: now.Add(-time.Second), Next: now},
			{Replica: "r1", State: models.NotifyQueued, Event: "new", Created: now.Add(time.Second)},
			{Replica: "r2", State: models.NotifyQueued, Event: "other", Created: now.Add(-time.Second)},
			{Replica: "r2", State: models.NotifyQueued, Event: "old", Created: now.Add(-time.Hour)},
		} {
			n.AccountID, n.DeviceID = a.ID, d.ID
			if err := s.SaveNotification(ctx, &n); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.SettleNotifications(ctx, "r1", now, now.Add(-time.Minute), "lost"); err != nil {
			t.Fatal(err)
		}
		got, err := s.Notifications(ctx, d.ID, 9)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range got {
			settled := n.Event == "own" || n.Event == "own too" || n.Event == "old"
			if settled && (n.State != models.NotifyTimeout || n.Reason != "lost" || n.Finished.IsZero() || !n.Next.IsZero()) || !settled && !n.Open() {
				t.Errorf("got %+v", n)
			}
		}
	})
}
