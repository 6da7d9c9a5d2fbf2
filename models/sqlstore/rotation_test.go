package sqlstore_test

import (
	"errors"
	"testing"
	"time"

	"dialtone/models"
	"dialtone/models/sqlstore"
)

// The old path token finds its account until every phone that fetches has come
// with the new one.
func TestRotatePathToken(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		a := newAccount(t, s, "acme.example.com")
		one := createDevice(t, s, a.ID, `{"name":"x","mac_address":"001565aabb01"}`)
		two := createDevice(t, s, a.ID, `{"name":"x","mac_address":"001565aabb02"}`)
		createDevice(t, s, a.ID, `{"name":"never fetched","mac_address":"001565aabb03"}`)
		createDevice(t, s, a.ID, `{"name":"no phone"}`)
		came := func(d *models.Device, token string) {
			t.Helper()
			f := models.Fetch{AccountID: a.ID, DeviceID: d.ID, MAC: d.MACAddress, File: "x.cfg", Method: "GET", Status: 200, At: time.Now(), WithToken: token}
			if err := s.RecordFetches(ctx, []models.Fetch{f}); err != nil {
				t.Fatal(err)
			}
		}
		check := func(when string, token models.Secret, behind int64, known bool) {
			t.Helper()
			found, err := s.AccountByPathToken(ctx, token)
			if known && (err != nil || found.ID != a.ID) || !known && !errors.Is(err, models.ErrNotFound) {
				t.Errorf("%s: got %v", when, err)
			}
			if got, err := s.PhonesBehind(ctx, a.ID); err != nil || got != behind {
				t.Errorf("%s: %d phones behind, %v, want %d", when, got, err, behind)
			}
		}
		came(one, "")
		came(two, "")
		stale, err := s.Account(ctx, a.ID)
		if err != nil {
			t.Fatal(err)
		}
		rotated, err := s.RotatePathToken(ctx, stale, time.Now().Add(time.Hour))
		if err != nil || rotated.PathToken == a.PathToken || rotated.Revision == stale.Revision {
			t.Fatalf("rotated: got %+v, %v", rotated, err)
		}
		if _, err := s.RotatePathToken(ctx, stale, time.Now().Add(time.Hour)); !errors.Is(err, models.ErrConflict) {
			t.Errorf("of an account that has changed: got %v, want a conflict", err)
		}
		if _, err := s.RotatePathToken(ctx, rotated, time.Now().Add(time.Hour)); !errors.Is(err, models.ErrStillNeeded) {
			t.Errorf("a second time while phones have the first token alone: got %v", err)
		}
		check("at first", a.PathToken, 2, true)
		check("the new one", rotated.PathToken, 2, true)
		came(one, rotated.PathToken.Hash())
		came(one, rotated.PathToken.Hash())
		check("when one has it", a.PathToken, 1, true)
		next := *rotated
		if err := s.SaveAccount(ctx, rotated, &next); err != nil {
			t.Fatal(err)
		}
		check("after the account is changed", a.PathToken, 1, true)
		came(two, rotated.PathToken.Hash())
		check("when all have it", a.PathToken, 0, false)
		check("the new one", rotated.PathToken, 0, true)
		again, err := s.RotatePathToken(ctx, &next, time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.RotatePathToken(ctx, again, time.Now()); err != nil {
			t.Errorf("without overlap, whoever has what: got %v", err)
		}
		check("without overlap", again.PathToken, 0, false)
	})
}

// The old HTTP password of a device is forgotten when it comes with the new one,
// which changes nothing else.
func TestRotateHTTPPassword(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		a := newAccount(t, s, "acme.example.com")
		d := createDevice(t, s, a.ID, `{"name":"x","mac_address":"001565aabb01"}`)
		rotated, err := s.RotateHTTPPassword(ctx, d, time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.RotateHTTPPassword(ctx, d, time.Now().Add(time.Hour)); !errors.Is(err, models.ErrConflict) {
			t.Errorf("of a device that has changed: got %v, want a conflict", err)
		}
		read := func() *models.Device {
			t.Helper()
			got, err := s.Device(ctx, a.ID, d.ID)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if got := read(); got.HTTPPassword != rotated.HTTPPassword || got.OldHTTPPassword != d.HTTPPassword || !got.OldPasswordUntil.Equal(rotated.OldPasswordUntil) {
			t.Errorf("got another password, or another old one, good until %v", got.OldPasswordUntil)
		}
		if _, err := s.RotateHTTPPassword(ctx, rotated, time.Now().Add(time.Hour)); !errors.Is(err, models.ErrStillNeeded) {
			t.Errorf("a second time while the phone has the first password alone: got %v", err)
		}
		came := func(with models.Secret) {
			t.Helper()
			f := models.Fetch{AccountID: a.ID, DeviceID: d.ID, File: "x.cfg", Method: "GET", Status: 200, At: time.Now(), WithPassword: with.Hash()}
			if err := s.RecordFetches(ctx, []models.Fetch{f}); err != nil {
				t.Fatal(err)
			}
		}
		came(rotated.HTTPPassword)
		if got := read(); got.HTTPPassword != rotated.HTTPPassword || got.OldHTTPPassword != "" || got.Revision != rotated.Revision {
			t.Error("the old password is still there, or more has changed")
		}
		again, err := s.RotateHTTPPassword(ctx, read(), time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		came(rotated.HTTPPassword) // before it was rotated again, and written down late
		if got := read(); got.OldHTTPPassword != rotated.HTTPPassword {
			t.Error("the password that the phone has was forgotten before it came with the new one")
		}
		if _, err := s.RotateHTTPPassword(ctx, again, time.Now()); err != nil {
			t.Errorf("without overlap, whatever the phone has: got %v", err)
		}
	})
}

// First contact is for one, whatever else happens to the device.
func TestFirstContact(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		a := newAccount(t, s, "acme.example.com")
		d := createDevice(t, s, a.ID, `{"name":"x","mac_address":"001565aabb01"}`)
		use := func(want bool) {
			t.Helper()
			if got, err := s.UseFirstContact(ctx, d.ID); err != nil || got != want {
				t.Errorf("used: got %v, %v, want %v", got, err, want)
			}
		}
		use(false)
		until := time.Now().Add(time.Minute).Truncate(time.Millisecond)
		if err := s.OpenFirstContact(ctx, d, until); err != nil {
			t.Fatal(err)
		}
		next := *d
		if err := s.SaveDevice(ctx, d, &next); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Device(ctx, a.ID, d.ID); err != nil || !got.FirstContact.Equal(until) {
			t.Errorf("open until %v, %v, want %v", got.FirstContact, err, until)
		}
		use(true)
		use(false)
		for _, over := range []time.Time{time.Now().Add(-time.Second), {}} {
			if err := s.OpenFirstContact(ctx, d, over); err != nil {
				t.Fatal(err)
			}
			use(false)
		}
		gone := *d
		gone.ID = models.NewID()
		if err := s.OpenFirstContact(ctx, &gone, until); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("of no device: got %v, want ErrNotFound", err)
		}
	})
}
