package sqlstore_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
	"dialtone/models/sqlstore"
)

// brief is an audit entry in a line: "update device r2 name:x>y".
func brief(e models.AuditEntry) string {
	parts := []string{e.Action, e.Kind}
	if number, _, _ := strings.Cut(e.Revision, "-"); number != "" {
		parts = append(parts, "r"+number)
	}
	for _, c := range e.Changes {
		parts = append(parts, c.Path)
	}
	return strings.Join(parts, " ")
}

func auditOf(t *testing.T, s *sqlstore.Store, account, object string) []models.AuditEntry {
	t.Helper()
	entries, err := s.AuditEntries(t.Context(), account, object, nil, 100)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func briefs(entries []models.AuditEntry) []string {
	var out []string
	for _, e := range entries {
		out = append(out, brief(e))
	}
	return out
}

func TestAudit(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		actor := models.Actor{AccountID: models.NewID(), UserID: models.NewID(), Via: models.ViaAPI, Source: "192.0.2.1", RequestID: "r-1"}
		actor.AsAccountID, actor.AsUserID = models.NewID(), models.NewID()
		ctx := models.WithActor(t.Context(), actor)
		a := newAccount(t, s, "acme.example.com")
		u := &models.User{AccountID: a.ID, MD5Auth: "canary-1", Document: models.Document{"first_name": "Ann"}}
		if err := s.CreateUser(ctx, u); err != nil {
			t.Fatal(err)
		}
		if _, err := updateUser(ctx, s, a.ID, u.ID, func(u *models.User) error { u.MD5Auth = "canary-2"; return nil }); err != nil {
			t.Fatal(err)
		}
		d := newDevice(t, a.ID, `{"name":"x","n":1.50,"sip":{"username":"ann","password":"canary-3"}}`)
		if err := s.CreateDevice(ctx, d); err != nil {
			t.Fatal(err)
		}
		d, err := updateDevice(ctx, s, a.ID, d.ID, func(d *models.Device) error {
			doc := d.Document.Clone()
			doc.Set("sip.password", "canary-4")
			doc.Set("name", "y ☎")
			return d.SetDocument(doc)
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteDevice(ctx, d); err != nil {
			t.Fatal(err)
		}
		if err := s.Audit(ctx, models.AuditEntry{AccountID: a.ID, Kind: models.KindDevice, ObjectID: d.ID, Action: models.ActionReveal, Detail: "x.cfg"}); err != nil {
			t.Fatal(err)
		}

		all := auditOf(t, s, a.ID, "")
		want := []string{
			"reveal device", "delete device r2", "update device r2 name sip.password", "create device r1 n name sip.password sip.username",
			"update user r2 password", "create user r1 first_name password", "create account r1 name realm timezone",
		}
		if diff := cmp.Diff(want, briefs(all)); diff != "" {
			t.Fatalf("entries (-want +got):\n%s", diff)
		}
		if all[0].Detail != "x.cfg" || all[6].Actor != (models.Actor{}) {
			t.Errorf("got %+v, %+v", all[0], all[6])
		}
		changed := all[2]
		changes := []models.Change{{Path: "name", From: "x", To: "y ☎"}, {Path: "sip.password", From: "REDACTED", To: "REDACTED"}}
		if diff := cmp.Diff(changes, changed.Changes); diff != "" || changed.Actor != actor || changed.ObjectID != d.ID || changed.At.IsZero() || changed.Document != nil {
			t.Errorf("update: got %+v (-want +got):\n%s", changed, diff)
		}
		last := document(t, `{"name":"y ☎","n":1.50,"sip":{"username":"ann","password":"REDACTED"}}`)
		if diff := cmp.Diff(map[string]any(last), map[string]any(all[1].Document)); diff != "" {
			t.Errorf("last state (-want +got):\n%s", diff)
		}
		if got := auditOf(t, s, a.ID, d.ID); len(got) != 4 {
			t.Errorf("entries of the device: got %d, want 4", len(got))
		}
		if got := auditOf(t, s, models.NewID(), d.ID); len(got) != 0 {
			t.Errorf("entries of another account: got %v", briefs(got))
		}

		var walked []models.AuditEntry
		var before *models.AuditEntry
		for {
			page, err := s.AuditEntries(t.Context(), a.ID, "", before, 2)
			if err != nil {
				t.Fatal(err)
			}
			if walked = append(walked, page...); len(page) < 2 {
				break
			}
			before = &page[1]
		}
		if diff := cmp.Diff(briefs(all), briefs(walked)); diff != "" {
			t.Errorf("walked by pages (-want +got):\n%s", diff)
		}
	})
}

// A write that fails leaves no entry, and a write that is there has one: also
// when writers get in each other's way.
func TestAuditIsPartOfTheWrite(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := newAccount(t, s, "acme.example.com")
		d := createDevice(t, s, a.ID, `{"name":"x","mac_address":"001565aabbcc"}`)
		if err := s.CreateDevice(t.Context(), newDevice(t, a.ID, `{"name":"y","mac_address":"001565aabbcc"}`)); !errors.Is(err, models.ErrTaken) {
			t.Fatalf("second device with the MAC: got %v", err)
		}
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() {
				_, err := updateDevice(t.Context(), s, a.ID, d.ID, func(d *models.Device) error {
					doc := d.Document.Clone()
					doc["name"] = models.NewID()
					return d.SetDocument(doc)
				})
				if err != nil && !errors.Is(err, models.ErrConflict) {
					t.Errorf("update: %v", err)
				}
			})
		}
		group.Wait()
		got, err := s.Device(t.Context(), a.ID, d.ID)
		if err != nil {
			t.Fatal(err)
		}
		entries := auditOf(t, s, a.ID, d.ID)
		number, _, _ := strings.Cut(entries[0].Revision, "-")
		if want, _, _ := strings.Cut(got.Revision, "-"); number != want || entries[0].Changes[0].To != got.Name {
			t.Errorf("the newest entry is of revision %s, the device has %s", number, want)
		}
		revisions := map[string]bool{}
		for _, e := range entries {
			revisions[e.Revision] = true
		}
		if len(revisions) != len(entries) || !revisions[d.Revision] || !revisions[got.Revision] {
			t.Errorf("%d entries for %d revisions up to %s", len(entries), len(revisions), got.Revision)
		}
		if all := auditOf(t, s, a.ID, ""); len(all) != len(entries)+1 {
			t.Errorf("%d entries of the account, want those of the device and its own", len(all))
		}
	})
}

// The audit is kept as long as is said, and for ever when nothing is said.
func TestAuditRetention(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
		s.SetClock(func() time.Time { return now })
		a := newAccount(t, s, "acme.example.com")
		batch := make([]*models.Device, 1100) // more than one step removes
		for i := range batch {
			batch[i] = newDevice(t, a.ID, `{"name":"x"}`)
		}
		if err := s.ImportDevices(t.Context(), batch, func(map[int]*models.TakenError) bool { return true }); err != nil {
			t.Fatal(err)
		}
		now = now.Add(24 * time.Hour)
		d := createDevice(t, s, a.ID, `{"name":"y"}`)
		for _, tt := range []struct {
			keep time.Duration
			want int
		}{{0, 1102}, {48 * time.Hour, 1102}, {24 * time.Hour, 1102}, {24*time.Hour - time.Millisecond, 1}, {time.Hour, 1}} {
			if err := s.Prune(t.Context(), sqlstore.Retention{Audit: tt.keep}); err != nil {
				t.Fatal(err)
			}
			left, err := s.AuditEntries(t.Context(), a.ID, "", nil, 2000)
			if err != nil || len(left) != tt.want || left[0].ObjectID != d.ID {
				t.Errorf("kept for %s: got %d entries, %v, want %d", tt.keep, len(left), err, tt.want)
			}
		}
	})
}
