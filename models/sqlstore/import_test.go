package sqlstore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
	"dialtone/models/sqlstore"
)

// How far a file has come is stored with its devices or not at all, and only by
// who knows how far it was.
func TestImportPart(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := newAccount(t, s, "acme.example.com")
		hash := strings.Repeat("f", 64)
		none, err := s.Import(t.Context(), a.ID, hash)
		if diff := cmp.Diff(models.Import{AccountID: a.ID, FileHash: hash}, none); diff != "" || err != nil {
			t.Fatalf("%s%v", diff, err)
		}
		devices := 0
		part := func(from models.Import, line int, keep bool) (models.Import, error) {
			devices++
			to := from
			d := newDevice(t, a.ID, fmt.Sprintf(`{"name":"x","mac_address":"02%010x"}`, devices))
			err := s.ImportPart(t.Context(), from, &to, []*models.Device{d}, func(map[int]*models.TakenError) bool {
				to.Line, to.Stored = line, from.Stored+1
				return keep
			})
			return to, err
		}
		if _, err := part(none, 3, false); err != nil {
			t.Fatal(err)
		}
		if at, _ := s.Import(t.Context(), a.ID, hash); at.Line != 0 {
			t.Errorf("what was taken back has come to line %d", at.Line)
		}
		first, err := part(none, 3, true)
		if err != nil {
			t.Fatal(err)
		}
		second, err := part(first, 5, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, stale := range []models.Import{none, first} {
			if _, err := part(stale, 9, true); !errors.Is(err, models.ErrConflict) {
				t.Errorf("from line %d: %v", stale.Line, err)
			}
		}
		at, err := s.Import(t.Context(), a.ID, hash)
		second.Modified = at.Modified
		if diff := cmp.Diff(second, at); diff != "" || err != nil || at.Stored != 2 || time.Since(at.Modified) > time.Hour {
			t.Errorf("%s%v %+v", diff, err, at)
		}
		if list, err := s.ListDevices(t.Context(), a.ID, models.Listing{Limit: 9}); err != nil || len(list) != 2 {
			t.Errorf("%d devices, %v", len(list), err)
		}
		s.SetClock(func() time.Time { return time.Now().Add(48 * time.Hour) })
		if err := s.Prune(t.Context(), sqlstore.Retention{History: 24 * time.Hour}); err != nil {
			t.Fatal(err)
		}
		if at, err := s.Import(t.Context(), a.ID, hash); err != nil || at.Line != 0 {
			t.Errorf("after its time: %+v, %v", at, err)
		}
	})
}

// Values are looked up for many devices at once, each by its own account and realm.
func TestDevicesTaken(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		one, two := newAccount(t, s, "one.example.com"), newAccount(t, s, "two.example.com")
		there := createDevice(t, s, one.ID, `{"mac_address":"001565aabb01","sip":{"username":"ann"}}`)
		createDevice(t, s, two.ID, `{"mac_address":"001565aabb02","sip":{"username":"bob","realm":"own.example.com"}}`)
		same := newDevice(t, one.ID, `{"mac_address":"001565aabb01","sip":{"username":"ann"}}`)
		same.ID = there.ID
		phones := []*models.Phone{
			phoneOf(t, s, newDevice(t, two.ID, `{"mac_address":"001565aabb01","sip":{"username":"ann"}}`)),
			phoneOf(t, s, newDevice(t, one.ID, `{"sip":{"username":"Ann"}}`)),
			phoneOf(t, s, same),
			phoneOf(t, s, newDevice(t, one.ID, `{"mac_address":"001565aabb02","sip":{"username":"bob","realm":"own.example.com"}}`)),
			phoneOf(t, s, newDevice(t, two.ID, `{"sip":{"username":"bob"}}`)),
			phoneOf(t, s, newDevice(t, two.ID, `{"sip":{"username":"eve","realm":"ONE.example.com"}}`)),
			phoneOf(t, s, newDevice(t, two.ID, `{"name":"x"}`)),
		}
		taken, err := s.DevicesTaken(t.Context(), phones)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, list := range taken {
			var fields []string
			for _, one := range list {
				fields = append(fields, one.Field)
			}
			got = append(got, strings.Join(fields, " "))
		}
		if diff := cmp.Diff([]string{"mac_address", "sip.username", "", "mac_address sip.username", "sip.username", "sip.realm", ""}, got); diff != "" {
			t.Error(diff)
		}
	})
}
