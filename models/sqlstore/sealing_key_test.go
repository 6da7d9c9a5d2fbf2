package sqlstore_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dialtone/models"
	"dialtone/models/keyset"
	"dialtone/models/sqlstore"
	"dialtone/models/sqlstore/sqlstoretest"
)

// ownKeys gives stores a keyset of the test's own.
func ownKeys(t *testing.T, stores ...*sqlstore.Store) *keyset.Keyset {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keyset")
	keys, err := keyset.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stores {
		own, err := keyset.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		s.Use(own)
	}
	return keys
}

// beginChange has all servers of the database seal with a new key.
func beginChange(t *testing.T, s *sqlstore.Store, keys *keyset.Keyset) models.KeyID {
	t.Helper()
	key, err := keys.Add()
	if err != nil {
		t.Fatal(err)
	}
	if next, err := s.AnnounceKey(t.Context(), key, false); err != nil || next != key {
		t.Fatalf("AnnounceKey: got %d, %v", next, err)
	}
	if without, err := s.SwitchKey(t.Context(), key); err != nil || len(without) > 0 {
		t.Fatalf("SwitchKey: got %v, %v", without, err)
	}
	return key
}

// Everything that is sealed is sealed anew, and read without the old key.
func TestReseal(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		keys := ownKeys(t, s)
		a := newAccount(t, s, "acme.example.com")
		u := createUser(t, s, a.ID, `{"first_name":"Ann","hotdesk":{"id":"1001","pin":"471147"},"provision":{"admin_password":"s3cr3t-admin","user_password":"s3cr3t-user"}}`)
		u.MD5Auth, u.SHA1Auth = "md5-of-it", "sha1-of-it"
		changed := *u
		if err := s.SaveUser(ctx, u, &changed); err != nil {
			t.Fatal(err)
		}
		d := createDevice(t, s, a.ID, `{"name":"x","mac_address":"001565aabb01","sip":{"username":"ann","password":"s3cr3t-sip"},"provision":{"admin_password":"s3cr3t-own"}}`)
		rotated, err := s.RotateHTTPPassword(ctx, d, time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		saveUpload(t, s, d.ID, "001565aabb01-local.cfg", "")
		long := newUpload(d.ID, "001565aabb01.log", strings.Repeat("s3cr3t-log ", 10_000))
		long.ETag = "etag"
		if _, err := s.SaveUpload(ctx, long, models.UploadQuota{Files: 9, Bytes: 1 << 20}); err != nil {
			t.Fatal(err)
		}
		secret, err := s.ServerSecret(ctx, "a secret")
		if err != nil {
			t.Fatal(err)
		}
		before, err := s.Sealed(ctx)
		if err != nil || len(before) != 1 || before[keys.Keys()[0]] < 13 {
			t.Fatalf("sealed: got %v, %v, want all by one key", before, err)
		}

		key := beginChange(t, s, keys)
		if rows, err := s.Reseal(ctx); err != nil || rows != 7 { // account, user, device, uploads, the login index and the secret
			t.Errorf("Reseal: got %d rows, %v, want 7", rows, err)
		}
		if rows, err := s.Reseal(ctx); err != nil || rows != 0 {
			t.Errorf("Reseal again: got %d rows, %v, want none", rows, err)
		}
		if after, err := s.Sealed(ctx); err != nil || len(after) != 1 || after[key] != before[keys.Keys()[0]] {
			t.Errorf("sealed: got %v, %v, want %v by key %d", after, err, before, key)
		}
		if _, err := keys.Retain(key); err != nil {
			t.Fatal(err)
		}
		s.Use(keys)
		if err := s.CheckKeys(ctx); err != nil {
			t.Errorf("CheckKeys without the old key: %v", err)
		}
		if got, err := s.Account(ctx, a.ID); err != nil || got.PathToken != a.PathToken {
			t.Errorf("account: got another path token, %v", err)
		}
		user, err := s.User(ctx, a.ID, u.ID)
		if err != nil || user.MD5Auth != "md5-of-it" || user.SHA1Auth != "sha1-of-it" || user.Document.Text("hotdesk.pin") != "471147" ||
			user.Document.Text("provision.admin_password") != "s3cr3t-admin" || user.Document.Text("provision.user_password") != "s3cr3t-user" || user.Revision != changed.Revision {
			t.Errorf("user: got %v, %v", user, err)
		}
		device, err := s.Device(ctx, a.ID, d.ID)
		if err != nil || device.HTTPPassword != rotated.HTTPPassword || device.OldHTTPPassword != d.HTTPPassword || device.OldHTTPPassword == "" ||
			device.Document.Text("sip.password") != "s3cr3t-sip" || device.Document.Text("provision.admin_password") != "s3cr3t-own" || device.Revision != rotated.Revision {
			t.Errorf("device: got %v, %v", device, err)
		}
		if got, err := s.Upload(ctx, d.ID, "001565aabb01.log"); err != nil || len(got.Body) != 110_000 {
			t.Errorf("upload: got %v, %v", got, err)
		}
		if got, err := s.Upload(ctx, d.ID, "001565aabb01-local.cfg"); err != nil || len(got.Body) != 0 {
			t.Errorf("empty upload: got %v, %v", got, err)
		}
		if got, err := s.ServerSecret(ctx, "a secret"); err != nil || got != secret {
			t.Errorf("server's secret: got another one, %v", err)
		}
	})
}

// Another program that holds the database longer than a writer waits for does not
// end the change.
func TestResealBesideWriter(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "x.db")
	s, other := sqlstoretest.Open(t, url), sqlstoretest.Open(t, url)
	keys := ownKeys(t, s)
	newAccount(t, s, "acme.example.com")
	beginChange(t, s, keys)
	pools, err := other.Pools()
	if err != nil {
		t.Fatal(err)
	}
	held, err := pools["writer"].BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(3*time.Second, func() { _ = held.Rollback() })
	if rows, err := s.Reseal(t.Context()); err != nil || rows == 0 {
		t.Errorf("got %d rows, %v", rows, err)
	}
}

// What a server writes after the change is sealed with the new key, although
// nobody told it, and had it sealed before.
func TestOtherServersSealWithTheNewKey(t *testing.T) {
	for name, url := range map[string]func(*testing.T) string{
		"sqlite": func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "x.db") },
		"mysql":  func(t *testing.T) string { return sqlstoretest.MySQLDatabase(t) },
	} {
		t.Run(name, func(t *testing.T) {
			one, other := sqlstoretest.Replicas(t, url(t))
			keys := ownKeys(t, one, other)
			a := newAccount(t, other, "acme.example.com")
			key := beginChange(t, one, keys)
			if _, err := one.Reseal(t.Context()); err != nil {
				t.Fatal(err)
			}
			createDevice(t, other, a.ID, `{"name":"x","sip":{"username":"ann","password":"s3cr3t"}}`)
			if counts, err := one.Sealed(t.Context()); err != nil || len(counts) != 1 || counts[key] == 0 {
				t.Errorf("sealed: got %v, %v, want all by key %d", counts, err, key)
			}
		})
	}
}

// Nothing is sealed with a key that a running server has not, and no server
// starts without the key that seals.
func TestSwitchKeyWaitsForServers(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		keys := ownKeys(t, s)
		newAccount(t, s, "acme.example.com")
		old := keys.Keys()[0]
		now := time.Now()
		s.SetClock(func() time.Time { return now })
		report := func(id, name string) error { return s.ReportServer(ctx, id, name) }
		if err := errors.Join(report("one", "first"), report("two", "second"), report("three", "third")); err != nil {
			t.Fatal(err)
		}
		key, err := keys.Add()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.AnnounceKey(ctx, key, false); err != nil {
			t.Fatal(err)
		}
		if next, err := s.AnnounceKey(ctx, key+1, false); err != nil || next != key {
			t.Errorf("a second change: got key %d, %v, want the first's %d", next, err, key)
		}
		if _, err := s.SwitchKey(ctx, key+1); !errors.Is(err, models.ErrConflict) {
			t.Errorf("SwitchKey to another one: got %v, want ErrConflict", err)
		}
		waitsFor := func(when string, want ...string) {
			t.Helper()
			without, err := s.SwitchKey(ctx, key)
			var names []string
			for _, w := range without {
				names = append(names, w.Name)
			}
			if err != nil || strings.Join(names, " ") != strings.Join(want, " ") {
				t.Errorf("%s: waits for %q, %v, want %q", when, names, err, want)
			}
			if state, err := s.Sealing(ctx); err != nil || (state.Current == old) != (len(want) > 0) || state.Next != key {
				t.Errorf("%s: state %v, %v", when, state, err)
			}
		}
		waitsFor("at first", "first", "second", "third")
		s.Use(keys) // which holds the new key
		if err := errors.Join(report("one", "first"), s.ForgetServer(ctx, "two")); err != nil {
			t.Fatal(err)
		}
		waitsFor("when one has it and one is gone", "third")
		now = now.Add(2 * sqlstore.ServerLife)
		waitsFor("when the last is not heard of")
		stale, err := keyset.Create(filepath.Join(t.TempDir(), "stale"))
		if err != nil {
			t.Fatal(err)
		}
		s.Use(stale)
		if err := report("four", "stale"); !errors.Is(err, keyset.ErrNoKey) || !errors.Is(err, models.ErrUnavailable) {
			t.Errorf("a server without the key starts: got %v, want ErrNoKey", err)
		}
		if err := s.CheckKeys(ctx); !errors.Is(err, keyset.ErrNoKey) {
			t.Errorf("CheckKeys without the key: got %v, want ErrNoKey", err)
		}
	})
}

// A PIN that an older program stored as it is can be read, and is sealed by the
// next change of keys.
func TestPINFromBefore(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		keys := ownKeys(t, s)
		a := newAccount(t, s, "acme.example.com")
		u := createUser(t, s, a.ID, `{"first_name":"Ann","hotdesk":{"id":"1001"}}`)
		if err := s.Exec(ctx, `UPDATE users SET document = REPLACE(document, '"id":"1001"', '"id":"1001","pin":"471147"')`); err != nil {
			t.Fatal(err)
		}
		read := func(when string) {
			t.Helper()
			if got, err := s.User(ctx, a.ID, u.ID); err != nil || got.Document.Text("hotdesk.pin") != "471147" {
				t.Errorf("%s: got %v, %v", when, got, err)
			}
		}
		read("before")
		if counts, err := s.Sealed(ctx); err != nil || counts[0] != 1 {
			t.Errorf("in the clear: got %v, %v, want 1", counts, err)
		}
		beginChange(t, s, keys)
		if _, err := s.Reseal(ctx); err != nil {
			t.Fatal(err)
		}
		if counts, err := s.Sealed(ctx); err != nil || counts[0] != 0 {
			t.Errorf("in the clear afterwards: got %v, %v, want none", counts, err)
		}
		read("after")
	})
}
