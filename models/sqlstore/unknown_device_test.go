package sqlstore_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"dialtone/models"
	"dialtone/models/sqlstore"
)

func TestUnknownDevices(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		a := newAccount(t, s, "acme.example.com")
		d := createDevice(t, s, a.ID, `{"name":"x","mac_address":"001565aabb01"}`)
		now := time.Now().UTC().Truncate(time.Millisecond)
		asked := func(mac, device, userAgent string, at time.Time) models.Fetch {
			return models.Fetch{AccountID: a.ID, DeviceID: device, MAC: mac, File: mac + ".cfg", Method: "GET", Status: 404, UserAgent: userAgent, At: at}
		}
		err := s.RecordFetches(ctx, []models.Fetch{
			asked("001565aabb02", "", "old", now.Add(-time.Hour)), asked("001565aabb02", "", "new", now), asked("001565aabb03", "", "other", now),
			asked("001565aabb01", "", "before", now.Add(-time.Hour)), asked("001565aabb01", d.ID, "known", now), asked("", "", "common", now),
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.UnknownDevices(ctx, a.ID, "", 10)
		if err != nil || len(got) != 2 || got[0].MAC != "001565aabb02" || got[0].UserAgent != "new" || got[0].Requests != 2 ||
			!got[0].First.Equal(now.Add(-time.Hour)) || !got[0].Last.Equal(now) {
			t.Errorf("got %+v, %v", got, err)
		}
		if got, err := s.UnknownDevices(ctx, a.ID, "001565aabb02", 10); err != nil || len(got) != 1 || got[0].MAC != "001565aabb03" {
			t.Errorf("after the first: got %+v, %v", got, err)
		}
		if got, err := s.UnknownDevices(ctx, models.NewID(), "", 10); err != nil || len(got) != 0 {
			t.Errorf("of another account: got %+v, %v", got, err)
		}
	})
}

// An unknown device is forgotten when it is made one, and when it has not asked
// for as long as fetches are kept.
func TestUnknownDevicesLeave(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		a, other := newAccount(t, s, "acme.example.com"), newAccount(t, s, "other.example.com")
		now := time.Now().UTC().Truncate(time.Millisecond)
		ask := func(account, mac string, at time.Time) {
			t.Helper()
			f := models.Fetch{AccountID: account, MAC: mac, File: mac + ".cfg", Method: "GET", Status: 404, At: at}
			if err := s.RecordFetches(ctx, []models.Fetch{f}); err != nil {
				t.Fatal(err)
			}
		}
		want := func(account string, macs ...string) {
			t.Helper()
			found, err := s.UnknownDevices(ctx, account, "", 10)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, u := range found {
				got = append(got, fmt.Sprint(u.MAC, " ", u.Requests))
			}
			if !slices.Equal(got, macs) {
				t.Errorf("got %q, want %q", got, macs)
			}
		}
		for _, mac := range []string{"001565aabb01", "001565aabb02", "001565aabb03", "001565aabb04"} {
			ask(a.ID, mac, now)
			ask(a.ID, mac, now)
		}
		ask(a.ID, "001565aabb09", now.Add(-48*time.Hour))
		ask(other.ID, "001565aabb01", now)
		want(a.ID, "001565aabb01 2", "001565aabb02 2", "001565aabb03 2", "001565aabb04 2", "001565aabb09 1")

		d := createDevice(t, s, a.ID, `{"name":"x","mac_address":"001565aabb01"}`)
		batch := []*models.Device{newDevice(t, a.ID, `{"name":"y","mac_address":"001565aabb02"}`)}
		if err := s.ImportDevices(ctx, batch, func(map[int]*models.TakenError) bool { return true }); err != nil {
			t.Fatal(err)
		}
		want(a.ID, "001565aabb03 2", "001565aabb04 2", "001565aabb09 1")
		want(other.ID, "001565aabb01 1")
		d, err := updateDevice(ctx, s, a.ID, d.ID, func(d *models.Device) error {
			return d.SetDocument(models.Document{"name": "x", "mac_address": "001565aabb03"})
		})
		if err != nil {
			t.Fatal(err)
		}
		want(a.ID, "001565aabb04 2", "001565aabb09 1") // nor is the phone unknown that it was
		if err := s.DeleteDevice(ctx, d); err != nil {
			t.Fatal(err)
		}
		ask(a.ID, "001565aabb03", now)
		want(a.ID, "001565aabb03 1", "001565aabb04 2", "001565aabb09 1")

		if err := s.Prune(ctx, sqlstore.Retention{History: 24 * time.Hour}); err != nil {
			t.Fatal(err)
		}
		want(a.ID, "001565aabb03 1", "001565aabb04 2")
		if err := s.DeleteAccount(ctx, other); err != nil {
			t.Fatal(err)
		}
		want(other.ID)
	})
}

// Whoever makes up MACs does not fill the database.
func TestUnknownDevicesAreBounded(t *testing.T) {
	const most, more = 5000, 120
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := newAccount(t, s, "acme.example.com")
		start := time.Now().UTC().Truncate(time.Millisecond)
		var fetches []models.Fetch
		for n := range most + more {
			mac := fmt.Sprintf("02%010x", n)
			fetches = append(fetches, models.Fetch{AccountID: a.ID, MAC: mac, File: mac, Method: "GET", Status: 404, At: start.Add(time.Duration(n) * time.Millisecond)})
		}
		if err := s.RecordFetches(t.Context(), fetches); err != nil {
			t.Fatal(err)
		}
		got, err := s.UnknownDevices(t.Context(), a.ID, "", most+more)
		if err != nil || len(got) != most || got[0].MAC != fmt.Sprintf("02%010x", more) {
			t.Errorf("got %d, %v", len(got), err)
		}
	})
}

// Devices are found by many MACs at once, in whatever account.
func TestDevicesByMAC(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		one, other := newAccount(t, s, "one.example.com"), newAccount(t, s, "other.example.com")
		a := createDevice(t, s, one.ID, `{"name":"x","mac_address":"00:15:65:AA:BB:01"}`)
		b := createDevice(t, s, other.ID, `{"name":"x","mac_address":"001565aabb02"}`)
		createDevice(t, s, one.ID, `{"name":"x","mac_address":"001565aabb03"}`)
		macs := []string{"001565aabb01", "001565aabb02", "001565aabb01"}
		for i := range 600 { // more than one statement takes
			macs = append(macs, fmt.Sprintf("00156600%04x", i))
		}
		got, err := s.DevicesByMAC(t.Context(), macs)
		want := map[string]models.DeviceRef{"001565aabb01": {ID: a.ID, AccountID: one.ID}, "001565aabb02": {ID: b.ID, AccountID: other.ID}}
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
		if got, err := s.DevicesByMAC(t.Context(), nil); err != nil || len(got) != 0 {
			t.Errorf("of no MACs: got %v, %v", got, err)
		}
	})
}
