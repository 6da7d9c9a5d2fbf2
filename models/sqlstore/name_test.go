package sqlstore_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dialtone/models"
	"dialtone/models/sqlstore"
)

// nested is an object of so many levels.
func nested(levels int) string {
	return strings.Repeat(`{"a":`, levels) + "1" + strings.Repeat("}", levels)
}

// However deep a document is, its account can change its realm.
func TestRealmChangeOfDeepDocuments(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := newAccount(t, s, "acme.example.com")
		createDevice(t, s, a.ID, `{"name":"a","sip":{"username":"ann"},"custom":`+nested(90)+`}`)
		createDevice(t, s, a.ID, `{"name":"b","sip":{"username":"bob","realm":"own.example.com"},"custom":`+nested(90)+`}`)
		if _, err := updateAccount(t.Context(), s, a.ID, setMember("realm", "new.example.com")); err != nil {
			t.Fatal(err)
		}
		for username, realm := range map[string]string{"ann": "new.example.com", "bob": "own.example.com"} {
			if _, err := s.PhoneByAOR(t.Context(), username, realm); err != nil {
				t.Errorf("%s@%s: %v", username, realm, err)
			}
		}
	})
}

// A device that is known by its address has a username, too, though others may
// have the same.
func TestUsernamesOfTrunks(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		a := newAccount(t, s, "acme.example.com")
		first := createDevice(t, s, a.ID, `{"name":"a","sip":{"username":"Trunk1","method":"ip","ip":"192.0.2.1"}}`)
		second := createDevice(t, s, a.ID, `{"name":"b","sip":{"username":"trunk1","method":"ip","ip":"192.0.2.2"}}`)
		named := func() []string {
			t.Helper()
			found, err := s.ListDevices(ctx, a.ID, models.Listing{Limit: 9, Where: []models.Match{{Path: "sip.username", Text: "trunk1"}}})
			if err != nil {
				t.Fatal(err)
			}
			ids := []string{}
			for _, d := range found {
				ids = append(ids, d.ID)
			}
			return ids
		}
		want := []string{first.ID, second.ID}
		slices.Sort(want)
		if got := named(); !slices.Equal(got, want) {
			t.Errorf("by username: got %v, want %v", got, want)
		}
		if p, err := s.PhoneByUsername(ctx, a.ID, "TRUNK1"); err != nil || p.Device.ID != want[0] {
			t.Errorf("phone: got %v, %v", p, err)
		}
		phone := createDevice(t, s, a.ID, `{"name":"c","sip":{"username":"trunk1","password":"s3cret"}}`)
		if p, err := s.PhoneByUsername(ctx, a.ID, "trunk1"); err != nil || p.Device.ID != phone.ID {
			t.Errorf("the one that registers comes first: got %v, %v", p, err)
		}
		if p, err := s.PhoneByAOR(ctx, "trunk1", a.Realm); err != nil || p.Device.ID != phone.ID {
			t.Errorf("phone by AOR: got %v, %v", p, err)
		}
	})
}

// Blanks at the end of a name count.
func TestNamesAreComparedExactly(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		a := newAccount(t, s, "acme.example.com")
		plain := createDevice(t, s, a.ID, `{"name":"a","sip":{"username":"ann"}}`)
		blank := createDevice(t, s, a.ID, `{"name":"b","sip":{"username":"ann "}}`)
		user := createUser(t, s, a.ID, `{"first_name":"x","username":"ann","hotdesk":{"id":"1"}}`)
		createUser(t, s, a.ID, `{"first_name":"y","username":"ann ","hotdesk":{"id":"1 "}}`)
		for username, want := range map[string]string{"ann": plain.ID, "ann ": blank.ID, "ann  ": ""} {
			for how, find := range map[string]func() (*models.Phone, error){
				"AOR":      func() (*models.Phone, error) { return s.PhoneByAOR(ctx, username, a.Realm) },
				"username": func() (*models.Phone, error) { return s.PhoneByUsername(ctx, a.ID, username) },
			} {
				p, err := find()
				if want == "" && !errors.Is(err, models.ErrNotFound) || want != "" && (err != nil || p.Device.ID != want) {
					t.Errorf("phone by %s %q: got %v, %v", how, username, p, err)
				}
			}
		}
		if _, err := s.PhoneByAOR(ctx, "ann", a.Realm+" "); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("realm with a blank: %v", err)
		}
		for realm, want := range map[string]int{a.Realm: 1, a.Realm + " ": 0} {
			users, err := s.UsersByUsername(ctx, models.Credentials{Realm: realm}, "ann")
			if err != nil || len(users) != want || want == 1 && users[0].ID != user.ID {
				t.Errorf("users of %q: got %v, %v", realm, users, err)
			}
		}
		saveUpload(t, s, plain.ID, "a.log", "x")
		saveUpload(t, s, plain.ID, "a.log ", "y")
		if got := uploadNames(t, s, plain.ID); len(got) != 2 {
			t.Errorf("uploads: %q", got)
		}
	})
}

// Documents from before there was a limit keep their hotdesks.
func TestManyHotdesks(t *testing.T) {
	const users = 12_000
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := newAccount(t, s, "acme.example.com")
		desks := map[string]any{}
		for n := range users {
			desks[fmt.Sprintf("%032x", n)] = map[string]any{}
		}
		d := &models.Device{AccountID: a.ID}
		if err := d.SetDocument(models.Document{"name": "x", "hotdesk": map[string]any{"users": desks}}); err != nil {
			t.Fatal(err)
		}
		if err := s.CreateDevice(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Hotdesks(t.Context(), a.ID, users+1); err != nil || len(got) != users {
			t.Errorf("got %d, %v", len(got), err)
		}
	})
}

// The key of the login index is made behind other writers, however long they
// take.
func TestLoginKeyWaitsItsTurn(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := newAccount(t, s, "acme.example.com")
		created := make(chan error, 1)
		err := s.Hold(t.Context(), func() {
			go func() {
				created <- s.CreateUser(t.Context(), &models.User{AccountID: a.ID, Document: models.Document{"first_name": "Ann"}, MD5Auth: "m"})
			}()
			time.Sleep(2500 * time.Millisecond) // longer than SQLite itself waits for a lock
		})
		if err := errors.Join(err, <-created); err != nil {
			t.Error(err)
		}
	})
}
