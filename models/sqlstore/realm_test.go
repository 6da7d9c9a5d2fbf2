package sqlstore_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"dialtone/models"
	"dialtone/models/sqlstore"
)

// atOnce runs all calls together and gives their errors.
func atOnce(calls ...func() error) []error {
	errs := make([]error, len(calls))
	start := make(chan struct{})
	var group sync.WaitGroup
	for i, call := range calls {
		group.Go(func() {
			<-start
			errs[i] = call()
		})
	}
	close(start)
	group.Wait()
	return errs
}

func below(t *testing.T, master *models.Account, realm string) *models.Account {
	t.Helper()
	a := &models.Account{Ancestors: []string{master.ID}}
	if err := a.SetDocument(models.Document{"name": "A", "realm": realm}); err != nil {
		t.Fatal(err)
	}
	return a
}

func isTaken(err error, field string) bool {
	var taken *models.TakenError
	return errors.As(err, &taken) && taken.Field == field
}

// A device stands in the realm of no account but its own, also where the write
// alone can tell.
func TestRealmsOfOthers(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		master, a := newAccount(t, s, "master.example.com"), newAccount(t, s, "a.example.com")
		if err := s.CreateDevice(ctx, newDevice(t, a.ID, `{"name":"x","sip":{"realm":"MASTER.example.com"}}`)); !isTaken(err, "sip.realm") {
			t.Errorf("device in another account's realm: %v", err)
		}
		own := createDevice(t, s, a.ID, `{"name":"x","sip":{"realm":"Own.example.com"}}`)
		for realm, want := range map[string]bool{"master.example.com": false, "A.example.com": true, "other.example.com": true} {
			_, err := updateDevice(ctx, s, a.ID, own.ID, func(d *models.Device) error {
				doc := d.Document.Clone()
				doc.Set("sip.realm", realm)
				return d.SetDocument(doc)
			})
			if want && err != nil || !want && !isTaken(err, "sip.realm") {
				t.Errorf("device moved to %s: %v", realm, err)
			}
		}
		second := createDevice(t, s, a.ID, `{"name":"y","sip":{"realm":"own.example.com"}}`)
		if err := s.CreateAccount(ctx, below(t, master, "OWN.example.com"), models.NewAPIKey()); !isTaken(err, "realm") {
			t.Errorf("account in the realm of another one's device: %v", err)
		}
		if _, err := updateAccount(ctx, s, master.ID, setMember("realm", "OWN.example.com")); !isTaken(err, "realm") {
			t.Errorf("account moved to the realm of another one's device: %v", err)
		}
		if _, err := updateAccount(ctx, s, a.ID, setMember("realm", "OWN.example.com")); err != nil {
			t.Errorf("account moved to the realm of its own device: %v", err)
		}
		var refused map[int]*models.TakenError
		batch := []*models.Device{newDevice(t, a.ID, `{"name":"x"}`), newDevice(t, a.ID, `{"name":"x","sip":{"realm":"master.example.com"}}`)}
		err := s.ImportDevices(ctx, batch, func(taken map[int]*models.TakenError) bool { refused = taken; return false })
		if err != nil || len(refused) != 1 || refused[1] == nil || refused[1].Field != "sip.realm" {
			t.Errorf("import into another account's realm: %v, %v", refused, err)
		}
		if _, err := s.Device(ctx, a.ID, second.ID); err != nil {
			t.Error(err)
		}
	})
}

// Of an account and another one's device that want the same realm at the same
// time one gets it.
func TestRealmWantedTogether(t *testing.T) {
	const rounds = 15
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		master, a := newAccount(t, s, "master.example.com"), newAccount(t, s, "a.example.com")
		mover := newAccount(t, s, "mover.example.com")
		own := createDevice(t, s, a.ID, `{"name":"x"}`)
		for round := range rounds {
			realm := fmt.Sprintf("r%d.example.com", round)
			device := func() error {
				return s.CreateDevice(ctx, newDevice(t, a.ID, `{"name":"x","sip":{"realm":"`+realm+`"}}`))
			}
			moved := func() error {
				_, err := updateDevice(ctx, s, a.ID, own.ID, func(d *models.Device) error {
					return d.SetDocument(models.Document{"name": "x", "sip": map[string]any{"realm": realm}})
				})
				return err
			}
			account := func() error { return s.CreateAccount(ctx, below(t, master, realm), models.NewAPIKey()) }
			renamed := func() error {
				_, err := updateAccount(ctx, s, mover.ID, setMember("realm", realm))
				return err
			}
			pair := [][2]func() error{{device, account}, {device, renamed}, {moved, account}, {moved, renamed}}[round%4]
			errs := atOnce(pair[0], pair[1])
			if (errs[0] == nil) == (errs[1] == nil) || errs[0] != nil && !isTaken(errs[0], "sip.realm") || errs[1] != nil && !isTaken(errs[1], "realm") {
				t.Errorf("round %d: device %v, account %v", round, errs[0], errs[1])
			}
		}
	})
}

// Who comes into an account while it is deleted goes with it, or is refused.
func TestUsersOfADeletedAccount(t *testing.T) {
	const rounds = 15
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		master := newAccount(t, s, "master.example.com")
		person := func(account string) *models.User {
			return &models.User{AccountID: account, Document: models.Document{"first_name": "Ann"}, MD5Auth: "m"}
		}
		if err := s.CreateUser(ctx, person(models.NewID())); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("user of an account that never was: %v", err)
		}
		for round := range rounds {
			a := below(t, master, fmt.Sprintf("r%d.example.com", round))
			if err := s.CreateAccount(ctx, a, models.NewAPIKey()); err != nil {
				t.Fatal(err)
			}
			errs := atOnce(func() error { return s.DeleteAccount(ctx, a) }, func() error { return s.CreateUser(ctx, person(a.ID)) })
			if errs[0] != nil || errs[1] != nil && !errors.Is(errs[1], models.ErrNotFound) {
				t.Errorf("delete: %v, create: %v", errs[0], errs[1])
			}
			left, err := s.ListUsers(ctx, a.ID, models.Listing{Limit: 1})
			if err != nil || len(left) > 0 {
				t.Errorf("round %d: %d users without an account, %v", round, len(left), err)
			}
		}
	})
}
