package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"dialtone/models"
	"dialtone/models/sqlstore"
	"dialtone/models/sqlstore/sqlstoretest"
)

// eachReplicas runs a test with two stores on one database, of each kind.
func eachReplicas(t *testing.T, test func(t *testing.T, s, other *sqlstore.Store)) {
	t.Helper()
	urls := map[string]string{
		"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "d.db"),
		"mysql":  sqlstoretest.MySQLDatabase(t),
	}
	for name, url := range urls {
		t.Run(name, func(t *testing.T) {
			s, other := sqlstoretest.Replicas(t, url)
			test(t, s, other)
		})
	}
}

// A change is made by another server than the one that remembers.
type change struct {
	name string
	make func() error
	want string
}

// check makes changes one after the other. After each what is looked up has to be
// as it is now, both when it is read and when it is remembered.
func check(t *testing.T, changes []change, look func() (string, error)) {
	t.Helper()
	for _, c := range changes {
		if err := c.make(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for range 2 {
			got, err := look()
			if errors.Is(err, models.ErrNotFound) {
				got, err = "none", nil
			}
			if got != c.want || err != nil {
				t.Errorf("%s: got %s, %v, want %s", c.name, got, err, c.want)
			}
		}
	}
}

// What one server remembers of a phone by its MAC is worth nothing after another
// has changed what the phone is read from.
func TestPhoneByMACIsFresh(t *testing.T) {
	eachReplicas(t, func(t *testing.T, s, other *sqlstore.Store) {
		ctx := t.Context()
		mac, _ := models.ParseMAC("001565aabbcc")
		a := newAccount(t, s, "acme.example.com")
		ann := createUser(t, s, a.ID, `{"first_name":"Ann"}`)
		const lineID = "0123456789abcdef0123456789abcdef"
		document := func(name, mac string) string {
			return fmt.Sprintf(`{"name":%q,"mac_address":%q,"owner_id":%q,"provision":{"lines":{"2":%q}}}`, name, mac, ann.ID, lineID)
		}
		d := createDevice(t, s, a.ID, document("first", "001565aabbcc"))
		first := d.HTTPPassword
		var line *models.Device
		save := func(old **models.Device, raw string) error {
			next := newDevice(t, a.ID, raw)
			next.Meta, next.HTTPPassword = (*old).Meta, (*old).HTTPPassword
			err := other.SaveDevice(ctx, *old, next)
			*old = next
			return err
		}
		saveOwner := func(raw string) error {
			next := *ann
			setDocument(t, &next, raw)
			err := other.SaveUser(ctx, ann, &next)
			ann = &next
			return err
		}
		saveAccount := func(raw string) error {
			next := *a
			setDocument(t, &next, raw)
			err := other.SaveAccount(ctx, a, &next)
			a = &next
			return err
		}
		upload := func(name string) error {
			quota := models.UploadQuota{Files: 5, Bytes: 1000}
			_, err := other.SaveUpload(ctx, &models.Upload{DeviceID: d.ID, MAC: mac, Name: name, Bytes: 1, Body: []byte("x")}, quota)
			return err
		}
		clock := time.Now()
		told := func(firmware string) error {
			clock = clock.Add(time.Second)
			return other.RecordFetches(ctx, []models.Fetch{{AccountID: a.ID, DeviceID: d.ID, Firmware: firmware, Status: 200, At: clock}})
		}
		look := func() (string, error) {
			p, err := s.PhoneByMAC(s.Once(ctx), mac)
			if err != nil {
				return "", err
			}
			text := fmt.Sprintf("%s of %s", p.Device.Name, p.Account.Name)
			if p.Firmware != "" {
				text += ", firmware " + p.Firmware
			}
			p.Firmware = "of one request" // who asks may write to this
			for _, name := range p.Uploads {
				text += ", stored " + name
			}
			if !p.Enabled() {
				text += ", disabled"
			}
			if p.Owner != nil {
				text += ", " + p.Owner.FirstName
			}
			for _, l := range p.Lines {
				text += fmt.Sprintf(", line %d %s", l.Number, l.Phone.Device.Name)
			}
			if p.Device.HTTPPassword != first {
				text += ", password"
			}
			if p.Device.OldHTTPPassword != "" {
				text += ", old password"
			}
			if !p.Device.FirstContact.IsZero() {
				text += ", first contact"
			}
			if p.Device.CameBefore {
				text += ", came before"
			}
			return text, nil
		}
		check(t, []change{
			{"as it was made", func() error { return nil }, "first of Acme, Ann"},
			{"changed", func() error { return save(&d, document("second", "001565aabbcc")) }, "second of Acme, Ann"},
			{"a line more", func() error {
				line = newDevice(t, a.ID, `{"name":"other"}`)
				line.ID = lineID
				return other.CreateDevice(ctx, line)
			}, "second of Acme, Ann, line 2 other"},
			{"line changed", func() error { return save(&line, `{"name":"changed"}`) }, "second of Acme, Ann, line 2 changed"},
			{"line deleted", func() error { return other.DeleteDevice(ctx, line) }, "second of Acme, Ann"},
			{"owner changed", func() error { return saveOwner(`{"first_name":"Anna"}`) }, "second of Acme, Anna"},
			{"owner disabled", func() error { return saveOwner(`{"first_name":"Anna","enabled":false}`) }, "second of Acme, disabled, Anna"},
			{"owner deleted", func() error { return other.DeleteUser(ctx, ann) }, "second of Acme"},
			{"account changed", func() error { return saveAccount(`{"name":"Moved","realm":"acme.example.com"}`) }, "second of Moved"},
			{"first contact", func() error { return other.OpenFirstContact(ctx, d, time.Now().Add(time.Hour)) }, "second of Moved, first contact"},
			{"first contact used", func() error { _, err := other.UseFirstContact(ctx, d.ID); return err }, "second of Moved"},
			{"seen for the first time", func() error {
				return other.RecordFetches(ctx, []models.Fetch{{AccountID: a.ID, DeviceID: d.ID, Method: "GET", Status: 200, At: time.Now()}})
			}, "second of Moved, came before"},
			{"another password", func() (err error) {
				d, err = other.RotateHTTPPassword(ctx, d, time.Now().Add(time.Hour))
				return err
			}, "second of Moved, password, old password, came before"},
			{"seen with it", func() error {
				return other.RecordFetches(ctx, []models.Fetch{{AccountID: a.ID, DeviceID: d.ID, WithPassword: d.HTTPPassword.Hash(), Status: 200}})
			}, "second of Moved, password, came before"},
			{"a file stored", func() error { return upload("001565aabbcc-local.cfg") }, "second of Moved, stored 001565aabbcc-local.cfg, password, came before"},
			{"another", func() error { return upload("001565aabbcc-calls.xml") },
				"second of Moved, stored 001565aabbcc-calls.xml, stored 001565aabbcc-local.cfg, password, came before"},
			{"all deleted", func() error {
				_, err := other.DeleteUploads(ctx, d, func(models.Upload) bool { return true })
				return err
			}, "second of Moved, password, came before"},
			{"a firmware told", func() error { return told("86.1") }, "second of Moved, firmware 86.1, password, came before"},
			{"another firmware told", func() error { return told("86.2") }, "second of Moved, firmware 86.2, password, came before"},
			{"another MAC", func() error { return save(&d, document("second", "001565aabbcd")) }, "none"},
			{"the MAC back", func() error { return save(&d, document("third", "001565aabbcc")) }, "third of Moved, firmware 86.2, password, came before"},
			{"deleted", func() error { return other.DeleteDevice(ctx, d) }, "none"},
			{"made again", func() error {
				createDevice(t, other, a.ID, `{"name":"fourth","mac_address":"001565aabbcc"}`)
				return nil
			}, "fourth of Moved, password"},
		}, look)
	})
}

// The same for accounts by their path tokens: the one before is good for its time.
func TestAccountByPathTokenIsFresh(t *testing.T) {
	eachReplicas(t, func(t *testing.T, s, other *sqlstore.Store) {
		ctx := t.Context()
		now := time.Now()
		s.SetClock(func() time.Time { return now })
		a := newAccount(t, s, "acme.example.com")
		d := createDevice(t, s, a.ID, `{"name":"x","mac_address":"001565aabbcc"}`)
		fetched := models.Fetch{AccountID: a.ID, DeviceID: d.ID, Method: "GET", Status: 200, At: now}
		if err := s.RecordFetches(ctx, []models.Fetch{fetched}); err != nil {
			t.Fatal(err)
		}
		token := a.PathToken
		rotate := func(overlap time.Duration) (err error) {
			a, err = other.RotatePathToken(ctx, a, now.Add(overlap))
			return err
		}
		save := func(raw string) error {
			next := *a
			setDocument(t, &next, raw)
			err := other.SaveAccount(ctx, a, &next)
			a = &next
			return err
		}
		look := func() (string, error) {
			found, err := s.AccountByPathToken(ctx, token)
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%s enabled=%t old=%t users=%d", found.Name, found.Enabled.On(), !found.OldTokenUntil.IsZero(), found.UserChanges), nil
		}
		check(t, []change{
			{"as it was made", func() error { return nil }, "Acme enabled=true old=false users=0"},
			{"renamed", func() error { return save(`{"name":"Other","realm":"acme.example.com"}`) }, "Other enabled=true old=false users=0"},
			{"disabled", func() error { return save(`{"name":"Other","enabled":false}`) }, "Other enabled=false old=false users=0"},
			{"enabled", func() error { return save(`{"name":"Other"}`) }, "Other enabled=true old=false users=0"},
			{"a user more", func() error { createUser(t, other, a.ID, `{"first_name":"Ann"}`); return nil }, "Other enabled=true old=false users=1"},
			{"another token", func() error { return rotate(time.Hour) }, "Other enabled=true old=true users=1"},
			{"its time over", func() error { now = now.Add(time.Hour); return nil }, "none"},
			{"and not", func() error { now = now.Add(-time.Hour); return nil }, "Other enabled=true old=true users=1"},
			{"the phone seen with the new one", func() error {
				fetched.WithToken = a.PathToken.Hash()
				return other.RecordFetches(ctx, []models.Fetch{fetched})
			}, "none"},
			{"the new one", func() error { token = a.PathToken; return nil }, "Other enabled=true old=false users=1"},
			{"replaced at once", func() error { return rotate(0) }, "none"},
			{"the next", func() error { token = a.PathToken; return nil }, "Other enabled=true old=false users=1"},
			{"account deleted", func() error {
				if err := other.DeleteDevice(ctx, d); err != nil {
					return err
				}
				current, err := other.Account(ctx, a.ID)
				if err != nil {
					return err
				}
				return other.DeleteAccount(ctx, current)
			}, "none"},
		}, look)
	})
}

// Under one context it is asked once whether anything has changed; a request that
// begins after a change asks by itself.
func TestOnceIsForOneRequest(t *testing.T) {
	s := sqlstoretest.New(t)
	a := newAccount(t, s, "acme.example.com")
	name := func(ctx context.Context) string {
		t.Helper()
		found, err := s.AccountByPathToken(ctx, a.PathToken)
		if err != nil {
			t.Fatal(err)
		}
		return found.Name
	}
	one := s.Once(t.Context())
	if got := name(one); got != "Acme" {
		t.Fatal(got)
	}
	next := *a
	setDocument(t, &next, `{"name":"Other","realm":"acme.example.com"}`)
	if err := s.SaveAccount(t.Context(), a, &next); err != nil {
		t.Fatal(err)
	}
	if got := name(one); got != "Acme" {
		t.Errorf("the request that began before: got %q", got)
	}
	if got := name(s.Once(t.Context())); got != "Other" {
		t.Errorf("one that began after: got %q", got)
	}
	if got := name(t.Context()); got != "Other" {
		t.Errorf("a question of its own: got %q", got)
	}
}
