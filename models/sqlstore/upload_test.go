package sqlstore_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
	"dialtone/models/sqlstore"
)

var roomy = models.UploadQuota{Files: 10, Bytes: 1 << 20}

func newUpload(device, name, body string) *models.Upload {
	return &models.Upload{DeviceID: device, Name: name, ContentType: "text/plain", ETag: fmt.Sprintf("%x", body), Bytes: int64(len(body)), Body: []byte(body)}
}

func saveUpload(t *testing.T, s *sqlstore.Store, device, name, body string) {
	t.Helper()
	if _, err := s.SaveUpload(t.Context(), newUpload(device, name, body), roomy); err != nil {
		t.Fatal(err)
	}
}

func uploadNames(t *testing.T, s *sqlstore.Store, device string) []string {
	t.Helper()
	list, err := s.Uploads(t.Context(), device)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, u := range list {
		if u.Body != nil {
			t.Errorf("the list holds the body of %s", u.Name)
		}
		names = append(names, u.Name)
	}
	return names
}

// However many ask at once, it is the same question: SQLite keeps it prepared, and
// must not keep one for each number of askers.
func TestUploadsOfManyPhones(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := newAccount(t, s, "acme.example.com")
		d, other := createDevice(t, s, a.ID, `{"name":"x"}`), createDevice(t, s, a.ID, `{"name":"y"}`)
		saveUpload(t, s, d.ID, "a.cfg", "stored")
		if _, err := s.Upload(t.Context(), d.ID, "a.cfg"); err != nil {
			t.Fatal(err)
		}
		before := s.Compiled()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if u, err := s.Upload(t.Context(), d.ID, "a.cfg"); err != nil || string(u.Body) != "stored" {
					t.Errorf("got %+v, %v", u, err)
				}
				for _, u := range []struct{ device, name string }{{d.ID, "b.cfg"}, {other.ID, "a.cfg"}} {
					if _, err := s.Upload(t.Context(), u.device, u.name); !errors.Is(err, models.ErrNotFound) {
						t.Errorf("%s of a phone that stored none: %v", u.name, err)
					}
				}
			})
		}
		all.Wait()
		if now := s.Compiled(); now != before {
			t.Errorf("%d statements are kept, %d before", now, before)
		}
	})
}

func TestUploads(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		a := newAccount(t, s, "acme.example.com")
		d, other := createDevice(t, s, a.ID, `{"name":"x"}`), createDevice(t, s, a.ID, `{"name":"y"}`)

		body := "pass\x00wörd\xff\r\n"
		u := newUpload(d.ID, "b-phone.cfg", body)
		if created, err := s.SaveUpload(ctx, u, roomy); err != nil || !created {
			t.Fatalf("first: got %v, %v, want it created", created, err)
		}
		got, err := s.Upload(ctx, d.ID, u.Name)
		if err != nil || string(got.Body) != body || got.ETag != u.ETag || got.Bytes != int64(len(body)) || got.ContentType != "text/plain" ||
			!got.Modified.Equal(u.Modified.Truncate(time.Millisecond)) {
			t.Errorf("got %+v, %v, want %+v", got, err, u)
		}
		if created, err := s.SaveUpload(ctx, newUpload(d.ID, u.Name, ""), roomy); err != nil || created {
			t.Errorf("again: got %v, %v, want it replaced", created, err)
		}
		if got, err := s.Upload(ctx, d.ID, u.Name); err != nil || len(got.Body) != 0 || got.Bytes != 0 {
			t.Errorf("replaced by nothing: got %+v, %v", got, err)
		}
		saveUpload(t, s, d.ID, "a-app.log", "1")
		saveUpload(t, s, other.ID, "c-app.log", "2")
		if diff := cmp.Diff([]string{"a-app.log", "b-phone.cfg"}, uploadNames(t, s, d.ID)); diff != "" {
			t.Errorf("list:\n%s", diff)
		}
		for device, name := range map[string]string{d.ID: "c-app.log", other.ID: "a-app.log", models.NewID(): "a-app.log"} {
			if _, err := s.Upload(ctx, device, name); !errors.Is(err, models.ErrNotFound) {
				t.Errorf("another device's file: got %v", err)
			}
		}
		if _, err := s.SaveUpload(ctx, newUpload(models.NewID(), "x", "x"), roomy); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("of no device: got %v, want ErrNotFound", err)
		}

		phone := createDevice(t, s, a.ID, `{"name":"z","mac_address":"0004f2aabbcc"}`)
		sent := newUpload(phone.ID, "0004f2aabbcc-app.log", "x")
		for mac, want := range map[models.MAC]error{{0, 4, 0xf2, 0xaa, 0xbb, 0xcc}: nil, {0, 4, 0xf2, 0xaa, 0xbb, 0xcd}: models.ErrNotFound} {
			sent.MAC = mac
			if _, err := s.SaveUpload(ctx, sent, roomy); !errors.Is(err, want) {
				t.Errorf("by %s: got %v, want %v", mac, err, want)
			}
		}

		gone, err := s.DeleteUploads(ctx, d, func(u models.Upload) bool { return u.Name == "b-phone.cfg" })
		if err != nil || len(gone) != 1 || gone[0].Name != "b-phone.cfg" {
			t.Errorf("deleted: got %+v, %v", gone, err)
		}
		if diff := cmp.Diff([]string{"a-app.log"}, uploadNames(t, s, d.ID)); diff != "" {
			t.Errorf("after the deletion:\n%s", diff)
		}
		entries := auditOf(t, s, a.ID, d.ID)
		if e := entries[0]; e.Action != models.ActionClear || e.Detail != "b-phone.cfg" || e.Kind != models.KindDevice || e.Revision != d.Revision || len(e.Changes) != 0 {
			t.Errorf("audit: got %+v", e)
		}

		if err := s.DeleteDevice(ctx, d); err != nil {
			t.Fatal(err)
		}
		if left := uploadNames(t, s, d.ID); len(left) != 0 {
			t.Errorf("a deleted device keeps %v", left)
		}
		if left := uploadNames(t, s, other.ID); len(left) != 1 {
			t.Errorf("another device has %v", left)
		}
		if _, err := s.DeleteUploads(ctx, d, func(models.Upload) bool { return true }); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("clearing a deleted device: got %v", err)
		}
	})
}

func TestUploadQuota(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := newAccount(t, s, "acme.example.com")
		d, busy := createDevice(t, s, a.ID, `{"name":"x"}`), createDevice(t, s, a.ID, `{"name":"y"}`)
		quota := models.UploadQuota{Files: 2, Bytes: 10}
		save := func(name, body string) error {
			_, err := s.SaveUpload(t.Context(), newUpload(d.ID, name, body), quota)
			return err
		}
		for _, step := range []struct {
			name, body string
			fits       bool
		}{
			{"a", "123456", true}, {"b", "12345", false}, {"b", "1234", true}, {"c", "", false}, {"a", "1234567", false}, {"a", "1", true}, {"b", "123456789", true},
		} {
			if err := save(step.name, step.body); errors.Is(err, models.ErrQuota) == step.fits || (err == nil) != step.fits {
				t.Errorf("%s = %q: got %v, fits: %v", step.name, step.body, err, step.fits)
			}
		}

		// Several at once do not squeeze through together.
		var group sync.WaitGroup
		for i := range 6 {
			group.Go(func() {
				if _, err := s.SaveUpload(t.Context(), newUpload(busy.ID, fmt.Sprint("n", i), "12345"), quota); err != nil && !errors.Is(err, models.ErrQuota) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if names := uploadNames(t, s, busy.ID); len(names) != quota.Files {
			t.Errorf("kept %v, want %d", names, quota.Files)
		}
	})
}
