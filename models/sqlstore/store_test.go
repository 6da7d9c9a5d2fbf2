package sqlstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
	"dialtone/models/keyset"
	"dialtone/models/sqlstore"
	"dialtone/models/sqlstore/sqlstoretest"
)

// eachDatabase runs a test on SQLite and on the MySQL server that
// TEST_MYSQL names, which `make test` starts.
func eachDatabase(t *testing.T, test func(t *testing.T, s *sqlstore.Store)) {
	t.Run("sqlite", func(t *testing.T) { test(t, sqlstoretest.New(t)) })
	t.Run("mysql", func(t *testing.T) { test(t, sqlstoretest.NewMySQL(t)) })
}

func document(t *testing.T, raw string) models.Document {
	t.Helper()
	doc, err := models.ParseDocument([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func newAccount(t *testing.T, s *sqlstore.Store, realm string) *models.Account {
	t.Helper()
	a := &models.Account{}
	if master, err := s.MasterAccount(t.Context()); err == nil {
		a.Ancestors = []string{master.ID}
	}
	if err := a.SetDocument(document(t, fmt.Sprintf(`{"name":"Acme","realm":%q,"timezone":"Europe/Berlin"}`, realm))); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateAccount(t.Context(), a, models.NewAPIKey()); err != nil {
		t.Fatal(err)
	}
	return a
}

func newDevice(t *testing.T, account, raw string) *models.Device {
	t.Helper()
	d := &models.Device{AccountID: account}
	if err := d.SetDocument(document(t, raw)); err != nil {
		t.Fatal(err)
	}
	return d
}

func phoneOf(t *testing.T, s *sqlstore.Store, d *models.Device) *models.Phone {
	t.Helper()
	a, err := s.Account(t.Context(), d.AccountID)
	if err != nil {
		t.Fatal(err)
	}
	return &models.Phone{Device: d, Account: a}
}

func createDevice(t *testing.T, s *sqlstore.Store, account, raw string) *models.Device {
	t.Helper()
	d := newDevice(t, account, raw)
	if err := s.CreateDevice(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	return d
}

func createUser(t *testing.T, s *sqlstore.Store, account, raw string) *models.User {
	t.Helper()
	u := &models.User{AccountID: account}
	if err := u.SetDocument(document(t, raw)); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestAccounts(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		if _, err := s.MasterAccount(ctx); !errors.Is(err, models.ErrNotFound) {
			t.Fatalf("master account of an empty database: got %v, want ErrNotFound", err)
		}
		master := newAccount(t, s, "Master.example.com")
		second := &models.Account{Document: models.Document{"name": "Second"}}
		var taken *models.TakenError
		if err := s.CreateAccount(ctx, second, models.NewAPIKey()); !errors.As(err, &taken) || taken.Field != "master" {
			t.Errorf("second master account: got %v, want master taken", err)
		}

		child := &models.Account{Ancestors: []string{master.ID}}
		if err := child.SetDocument(document(t, `{"name":"Child","realm":"child.example.com","limit":12345678901234567890}`)); err != nil {
			t.Fatal(err)
		}
		key := models.NewAPIKey()
		if err := s.CreateAccount(ctx, child, key); err != nil {
			t.Fatal(err)
		}
		for what, read := range map[string]func() (*models.Account, error){
			"by id":         func() (*models.Account, error) { return s.Account(ctx, child.ID) },
			"by API key":    func() (*models.Account, error) { return s.AccountByAPIKey(ctx, key) },
			"by path token": func() (*models.Account, error) { return s.AccountByPathToken(ctx, child.PathToken) },
		} {
			got, err := read()
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if diff := cmp.Diff(child, got, timesToMillis, cmp.AllowUnexported(models.Switch{})); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		if !child.Within(master.ID) || master.Within(child.ID) || !master.IsMaster() || child.ParentID() != master.ID {
			t.Error("the account tree is not what was stored")
		}
		again := &models.Account{Ancestors: []string{master.ID}}
		if err := again.SetDocument(document(t, `{"name":"X","realm":"CHILD.example.com"}`)); err != nil {
			t.Fatal(err)
		}
		if err := s.CreateAccount(ctx, again, models.NewAPIKey()); !errors.As(err, &taken) || taken.Field != "realm" {
			t.Errorf("realm in other case: got %v, want realm taken", err)
		}
		list, err := s.ListAccounts(ctx, "", models.Listing{Limit: 10})
		if err != nil || len(list) != 2 || list[0].ID > list[1].ID {
			t.Errorf("accounts: got %d, %v, want 2 by id", len(list), err)
		}
		rest, err := s.ListAccounts(ctx, "", models.Listing{After: list[0].ID, Limit: 10})
		if err != nil || len(rest) != 1 || rest[0].ID != list[1].ID {
			t.Errorf("accounts after the first: got %v, %v", rest, err)
		}
	})
}

// Stored times have milliseconds.
var timesToMillis = cmp.Transformer("millis", func(t time.Time) int64 { return t.UnixMilli() })

func TestDeviceRoundTrip(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := newAccount(t, s, "acme.example.com")
		raw := `{"name":"Desk ☎","mac_address":"001565aabbcc","enabled":false,"custom":{"n":12345678901234567890,"list":[1.50,null,{}]},
			"sip":{"username":"Ann","password":"s3cret","expire_seconds":120},
			"provision":{"endpoint_brand":"yealink","combo_keys":{"0":{"type":"line"},"x":5}}}`
		d := createDevice(t, s, a.ID, raw)
		got, err := s.Device(t.Context(), a.ID, d.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(d, got, timesToMillis, cmp.AllowUnexported(models.Switch{})); diff != "" {
			t.Errorf("device (-created +read):\n%s", diff)
		}
		if got.Enabled.On() || got.SIP.Password.Reveal() != "s3cret" || !strings.HasPrefix(got.Revision, "1-") {
			t.Errorf("typed view: got enabled %v, revision %s", got.Enabled.On(), got.Revision)
		}
		for name := range got.Document {
			if strings.HasPrefix(name, "pvt_") {
				t.Errorf("private member %s shows in the document", name)
			}
		}
		if _, err := s.Device(t.Context(), models.NewID(), d.ID); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("device of another account: got %v, want ErrNotFound", err)
		}
	})
}

func TestLinesOfAPhone(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a, other := newAccount(t, s, "acme.example.com"), newAccount(t, s, "other.example.com")
		u := &models.User{AccountID: a.ID, Document: models.Document{"first_name": "Ann"}}
		if err := s.CreateUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		owned := createDevice(t, s, a.ID, `{"name":"owned","owner_id":"`+u.ID+`","sip":{"username":"ann","password":"s3cret-1"}}`)
		bare := createDevice(t, s, a.ID, `{"name":"bare","provision":{"lines":{"2":"`+owned.ID+`"}}}`)
		foreign := createDevice(t, s, other.ID, `{"name":"foreign","sip":{"username":"eve","password":"s3cret-2"}}`)
		self := models.NewID()
		d := newDevice(t, a.ID, `{"name":"desk","mac_address":"001565aabbcc","sip":{"username":"desk"},"provision":{"lines":{
			"12":"`+owned.ID+`","3":"`+bare.ID+`","4":"`+foreign.ID+`","5":"`+models.NewID()+`","02":"`+owned.ID+`","1":"`+owned.ID+`","301":"`+owned.ID+`","6":7,"7":"`+self+`"}}}`)
		d.ID = self
		if err := s.CreateDevice(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		mac, _ := d.MAC()
		for how, take := range map[string]func() (*models.Phone, error){
			"MAC": func() (*models.Phone, error) { return s.PhoneByMAC(t.Context(), mac) },
			"id":  func() (*models.Phone, error) { return s.PhoneByID(t.Context(), a.ID, d.ID) },
		} {
			phone, err := take()
			if err != nil || len(phone.Lines) != 2 {
				t.Fatalf("by %s: got %+v, %v; want two lines", how, phone, err)
			}
			third, twelfth := phone.Lines[0], phone.Lines[1]
			if third.Number != 3 || third.Phone.Device.ID != bare.ID || third.Phone.Owner != nil || len(third.Phone.Lines) != 0 {
				t.Errorf("by %s: line %+v, want number 3 of the bare device", how, third)
			}
			if twelfth.Number != 12 || twelfth.Phone.Device.SIP.Password.Reveal() != "s3cret-1" || twelfth.Phone.Owner == nil ||
				twelfth.Phone.Owner.ID != u.ID || twelfth.Phone.Account.ID != a.ID {
				t.Errorf("by %s: line %+v, want number 12 with owner and password", how, twelfth)
			}
		}
		if phone, err := s.PhoneByAOR(t.Context(), "desk", "acme.example.com"); err != nil || len(phone.Lines) != 0 {
			t.Errorf("by AOR: %+v, %v; want no lines", phone, err)
		}
	})
}

// Whatever happens to an account's users can be told from the account, also by
// who reads it with a phone.
func TestUserChanges(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a, other := newAccount(t, s, "acme.example.com"), newAccount(t, s, "other.example.com")
		d := &models.Device{AccountID: a.ID}
		if err := d.SetDocument(models.Document{"name": "Desk", "mac_address": "001565aabbcc"}); err != nil {
			t.Fatal(err)
		}
		if err := s.CreateDevice(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		u, changed := &models.User{AccountID: a.ID, Document: models.Document{"first_name": "Ann"}}, &models.User{Document: models.Document{"first_name": "Eve"}}
		for i, step := range []func() error{
			func() error { return nil },
			func() error { return s.CreateUser(t.Context(), u) },
			func() error { return s.SaveUser(t.Context(), u, changed) },
			func() error { return s.DeleteUser(t.Context(), changed) },
		} {
			if err := step(); err != nil {
				t.Fatal(err)
			}
			account, err := s.Account(t.Context(), a.ID)
			if err != nil {
				t.Fatal(err)
			}
			saved := *account
			if err := s.SaveAccount(t.Context(), account, &saved); err != nil { // changes nothing of it
				t.Fatal(err)
			}
			phone, err := s.PhoneByID(t.Context(), a.ID, d.ID)
			if err != nil || account.UserChanges != int64(i) || phone.Account.UserChanges != int64(i) {
				t.Errorf("step %d: got %d and %d, %v", i, account.UserChanges, phone.Account.UserChanges, err)
			}
		}
		if got, err := s.Account(t.Context(), other.ID); err != nil || got.UserChanges != 0 {
			t.Errorf("another account: got %d, %v", got.UserChanges, err)
		}
	})
}

func TestSecretsAreSealed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d.db")
	s := sqlstoretest.Open(t, "sqlite:"+path)
	a := newAccount(t, s, "acme.example.com")
	d := createDevice(t, s, a.ID, `{"name":"x","sip":{"username":"ann","password":"s3cr3t-sip"},"provision":{"admin_password":"s3cr3t-admin","user_password":"s3cr3t-user"}}`)
	u := &models.User{AccountID: a.ID, MD5Auth: "s3cr3t-md5", SHA1Auth: "s3cr3t-sha1",
		Document: models.Document{"first_name": "Ann", "provision": map[string]any{"admin_password": "s3cr3t-admin"}, "hotdesk": map[string]any{"id": "1", "pin": "s3cr3t-pin"}}}
	if err := s.CreateUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	key := models.Secret("s3cr3t-api-key")
	other := &models.Account{Ancestors: []string{a.ID}, Document: models.Document{}}
	if err := s.CreateAccount(t.Context(), other, key); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateToken(t.Context(), "s3cr3t-token", &models.Token{AccountID: a.ID, Created: time.Now(), Expires: time.Now()}, models.Grounds{}); err != nil {
		t.Fatal(err)
	}
	saveUpload(t, s, d.ID, "0004f2aabbcc-web.cfg", `reg.1.auth.password="s3cr3t-override"`)
	secrets := []string{"s3cr3t", a.PathToken.Reveal(), d.HTTPPassword.Reveal(), other.PathToken.Reveal()}
	for _, file := range []string{path, path + "-wal"} {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range secrets {
			if strings.Contains(string(raw), secret) {
				t.Errorf("%s holds the plaintext of a secret", filepath.Base(file))
			}
		}
	}

	otherKeys, err := keyset.Create(filepath.Join(t.TempDir(), "other"))
	if err != nil {
		t.Fatal(err)
	}
	s.Use(otherKeys)
	if _, err := s.Device(t.Context(), a.ID, d.ID); !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("reading with another keyset: got %v, want ErrUnavailable", err)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("Ping with another keyset: got %v, want ErrUnavailable", err)
	}
}

func TestPhoneByIP(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		one := newAccount(t, s, "one.example.com")
		if _, err := s.PhoneByIP(t.Context(), netip.MustParseAddr("192.0.2.1")); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("without devices: got %v, want ErrNotFound", err)
		}
		door := createDevice(t, s, one.ID, `{"name":"door","sip":{"username":"door","method":"ip","ip":"192.0.2.1"}}`)
		createDevice(t, s, one.ID, `{"name":"a","sip":{"username":"ann","ip":"192.0.2.2"}}`)
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			if _, err := s.PhoneByIP(t.Context(), netip.MustParseAddr("192.0.2.1")); err == nil {
				break // the first device with an address is not found at once
			}
		}
		for _, source := range []string{"192.0.2.1", "::ffff:192.0.2.1"} {
			p, err := s.PhoneByIP(t.Context(), netip.MustParseAddr(source))
			if err != nil || p.Device.ID != door.ID || p.Account.ID != one.ID {
				t.Errorf("%s: got %+v, %v, want the door", source, p, err)
			}
		}
		for _, source := range []string{"192.0.2.2", "192.0.2.3", "2001:db8::1"} {
			if _, err := s.PhoneByIP(t.Context(), netip.MustParseAddr(source)); !errors.Is(err, models.ErrNotFound) {
				t.Errorf("%s: got %v, want ErrNotFound", source, err)
			}
		}
	})
}

func TestRealmAccount(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		one, two := newAccount(t, s, "one.example.com"), newAccount(t, s, "two.example.com")
		createDevice(t, s, two.ID, `{"name":"a","sip":{"username":"a","realm":"Own.example.com"}}`)
		createDevice(t, s, one.ID, `{"name":"b","sip":{"username":"b","realm":"own.example.com"}}`)
		for realm, want := range map[string]string{"ONE.example.com": one.ID, "two.example.com": two.ID, "own.EXAMPLE.com": two.ID} {
			if a, err := s.RealmAccount(t.Context(), realm); err != nil || a.ID != want {
				t.Errorf("%s: got %v, %v, want account %s", realm, a, err, want)
			}
		}
		if _, err := s.RealmAccount(t.Context(), "none.example.com"); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("unknown realm: got %v, want ErrNotFound", err)
		}
	})
}

func TestUniqueValues(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		one, two := newAccount(t, s, "one.example.com"), newAccount(t, s, "two.example.com")
		createDevice(t, s, one.ID, `{"name":"a","mac_address":"001565aabbcc","sip":{"username":"ann"}}`)
		createDevice(t, s, one.ID, `{"name":"b","sip":{"method":"ip","ip":"192.0.2.1"}}`)
		createDevice(t, s, one.ID, `{"name":"c"}`)
		createDevice(t, s, one.ID, `{"name":"d"}`) // absent values do not collide
		createDevice(t, s, one.ID, `{"name":"e","mac_address":":-:"}`)
		createDevice(t, s, one.ID, `{"name":"f","mac_address":":-:"}`) // nor do those without a digit

		tests := []struct{ name, account, doc, field string }{
			{"MAC in another account", two.ID, `{"mac_address":"001565aabbcc"}`, "mac_address"},
			{"username in the account", one.ID, `{"sip":{"username":"ANN"}}`, "sip.username"},
			{"username in the account, other realm", one.ID, `{"sip":{"username":"ann","realm":"x.example.com"}}`, "sip.username"},
			{"username in the realm, other account", two.ID, `{"sip":{"username":"ann","realm":"ONE.example.com"}}`, "sip.username sip.realm"},
			{"realm that nobody has", two.ID, `{"sip":{"username":"eve","realm":"free.example.com"}}`, ""},
			{"username elsewhere", two.ID, `{"sip":{"username":"ann"}}`, ""},
			{"source address", two.ID, `{"sip":{"method":"ip","ip":"192.0.2.1"}}`, "sip.ip"},
			{"address without the method", two.ID, `{"sip":{"ip":"192.0.2.1"}}`, ""},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				d := newDevice(t, tt.account, tt.doc)
				taken, err := s.DeviceTaken(t.Context(), phoneOf(t, s, d))
				if err != nil {
					t.Fatal(err)
				}
				var fields []string
				for _, one := range taken {
					fields = append(fields, one.Field)
				}
				if got := strings.Join(fields, " "); got != tt.field {
					t.Errorf("DeviceTaken: got %q, want %q", got, tt.field)
				}
				err = s.CreateDevice(t.Context(), d)
				if tt.field == "" {
					if err != nil {
						t.Errorf("create: %v", err)
					}
					return
				}
				var conflict *models.TakenError
				if !errors.As(err, &conflict) || !slices.Contains(fields, conflict.Field) {
					t.Errorf("create: got %v, want %s taken", err, tt.field)
				}
			})
		}
		again := newDevice(t, one.ID, `{"name":"again"}`)
		again.ID = createDevice(t, s, one.ID, `{"name":"first"}`).ID
		var taken *models.TakenError
		if err := s.CreateDevice(t.Context(), again); !errors.As(err, &taken) || taken.Field != "id" {
			t.Errorf("id in use: got %v, want id taken", err)
		}
	})
}

// updateDevice reads a device, changes it and saves it.
func updateDevice(ctx context.Context, s *sqlstore.Store, accountID, id string, change func(*models.Device) error) (*models.Device, error) {
	old, err := s.Device(ctx, accountID, id)
	if err != nil {
		return nil, err
	}
	d := *old
	if err := change(&d); err != nil {
		return nil, err
	}
	return &d, s.SaveDevice(ctx, old, &d)
}

// updateUser does the same with a user.
func updateUser(ctx context.Context, s *sqlstore.Store, accountID, id string, change func(*models.User) error) (*models.User, error) {
	old, err := s.User(ctx, accountID, id)
	if err != nil {
		return nil, err
	}
	u := *old
	if err := change(&u); err != nil {
		return nil, err
	}
	return &u, s.SaveUser(ctx, old, &u)
}

// updateAccount does the same with an account.
func updateAccount(ctx context.Context, s *sqlstore.Store, id string, change func(*models.Account) error) (*models.Account, error) {
	old, err := s.Account(ctx, id)
	if err != nil {
		return nil, err
	}
	a := *old
	if err := change(&a); err != nil {
		return nil, err
	}
	return &a, s.SaveAccount(ctx, old, &a)
}

func TestConcurrentUpdatesLoseNothing(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := newAccount(t, s, "acme.example.com")
		d := createDevice(t, s, a.ID, `{"name":"x","count":[]}`)
		const writers = 20
		var wrote int
		var mu sync.Mutex
		var group sync.WaitGroup
		for range writers {
			group.Go(func() {
				_, err := updateDevice(t.Context(), s, a.ID, d.ID, func(d *models.Device) error {
					doc := d.Document.Clone()
					doc["count"] = append(doc["count"].([]any), json.Number("1"))
					return d.SetDocument(doc)
				})
				if err != nil && !errors.Is(err, models.ErrConflict) {
					t.Errorf("update: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					wrote++
				}
			})
		}
		group.Wait()
		got, err := s.Device(t.Context(), a.ID, d.ID)
		if err != nil {
			t.Fatal(err)
		}
		if list := got.Document["count"].([]any); len(list) != wrote || wrote == 0 {
			t.Errorf("%d writers were acknowledged, %d writes are there", wrote, len(list))
		}
		if want := fmt.Sprintf("%d-", wrote+1); !strings.HasPrefix(got.Revision, want) {
			t.Errorf("revision: got %s, want %s...", got.Revision, want)
		}
	})
}

// What somebody else has changed or deleted is neither overwritten nor deleted.
func TestStaleWrites(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := newAccount(t, s, "acme.example.com")
		d, u := createDevice(t, s, a.ID, `{"name":"x"}`), createUser(t, s, a.ID, `{"first_name":"x"}`)
		rename := models.Document{"name": "y", "first_name": "y"}
		changed, err := updateDevice(t.Context(), s, a.ID, d.ID, func(d *models.Device) error { return d.SetDocument(rename) })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := updateUser(t.Context(), s, a.ID, u.ID, func(u *models.User) error { return u.SetDocument(rename) }); err != nil {
			t.Fatal(err)
		}
		device, user := *d, *u
		for name, err := range map[string]error{
			"save device":   s.SaveDevice(t.Context(), d, &device),
			"delete device": s.DeleteDevice(t.Context(), d),
			"save user":     s.SaveUser(t.Context(), u, &user),
			"delete user":   s.DeleteUser(t.Context(), u),
		} {
			if !errors.Is(err, models.ErrConflict) {
				t.Errorf("%s: got %v, want a conflict", name, err)
			}
		}
		if got, err := s.Device(t.Context(), a.ID, d.ID); err != nil || got.Revision != changed.Revision || got.Name != "y" {
			t.Errorf("device: got %v, %v", got, err)
		}
		if err := s.DeleteDevice(t.Context(), changed); err != nil {
			t.Fatal(err)
		}
		if err := s.SaveDevice(t.Context(), changed, &device); !errors.Is(err, models.ErrConflict) {
			t.Errorf("save of a deleted device: got %v, want a conflict", err)
		}
	})
}

func TestUsers(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := newAccount(t, s, "acme.example.com")
		ann := createUser(t, s, a.ID, `{"first_name":"Ann","last_name":"Lee","username":"ann"}`)
		bob := createUser(t, s, a.ID, `{"first_name":"Bob"}`)
		var taken *models.TakenError
		dup := &models.User{AccountID: a.ID, Document: models.Document{}, UserSettings: models.UserSettings{Username: "ANN"}}
		if err := s.CreateUser(t.Context(), dup); !errors.As(err, &taken) || taken.Field != "username" {
			t.Errorf("username in use: got %v", err)
		}
		updated, err := updateUser(t.Context(), s, a.ID, ann.ID, func(u *models.User) error {
			u.MD5Auth = "hash"
			return u.SetDocument(models.Document{"first_name": "Anna", "username": "ann"})
		})
		if err != nil || !strings.HasPrefix(updated.Revision, "2-") {
			t.Fatalf("update: got %v, %v", updated, err)
		}
		got, err := s.User(t.Context(), a.ID, ann.ID)
		if err != nil || got.FirstName != "Anna" || got.MD5Auth != "hash" || got.LastName != "" {
			t.Errorf("after the update: got %+v, %v", got, err)
		}
		users, err := s.UsersByID(t.Context(), a.ID, []string{bob.ID, models.NewID(), ann.ID})
		if err != nil || len(users) != 2 || users[0].ID > users[1].ID {
			t.Errorf("UsersByID: got %v, %v, want two by id", users, err)
		}
		list, err := s.ListUsers(t.Context(), a.ID, models.Listing{Limit: 1})
		if err != nil || len(list) != 1 {
			t.Errorf("Users: got %v, %v, want one", list, err)
		}
	})
}

func TestPhones(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a, other := newAccount(t, s, "acme.example.com"), newAccount(t, s, "other.example.com")
		ann := createUser(t, s, a.ID, `{"first_name":"Ann","enabled":false}`)
		stranger := createUser(t, s, other.ID, `{"first_name":"Eve"}`)
		d := createDevice(t, s, a.ID, `{"name":"x","owner_id":"`+ann.ID+`","mac_address":"001565aabbcc","sip":{"username":"Ann","password":"s3cret"}}`)
		loose := createDevice(t, s, a.ID, `{"name":"y","owner_id":"`+stranger.ID+`","mac_address":"001565aabbcd"}`)
		none := createDevice(t, s, a.ID, `{"name":"z"}`)

		mac, _ := models.ParseMAC("001565aabbcc")
		byMAC, err := s.PhoneByMAC(t.Context(), mac)
		if err != nil {
			t.Fatal(err)
		}
		byAOR, err := s.PhoneByAOR(t.Context(), "aNN", "ACME.example.com")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []*models.Phone{byMAC, byAOR} {
			if p.Device.ID != d.ID || p.Account.ID != a.ID || p.Owner == nil || p.Owner.ID != ann.ID ||
				p.Enabled() || p.AOR() != "sip:Ann@acme.example.com" || p.Device.SIP.Password.Reveal() != "s3cret" ||
				p.Account.PathToken != a.PathToken || p.Device.HTTPPassword != d.HTTPPassword {
				t.Errorf("phone: got %+v", p)
			}
		}
		for _, id := range []string{loose.ID, none.ID} {
			if p, err := s.PhoneByID(t.Context(), a.ID, id); err != nil || p.Owner != nil || !p.Enabled() {
				t.Errorf("phone without an owner of its account: got %+v, %v", p, err)
			}
		}
		if _, err := s.PhoneByMAC(t.Context(), mac.Next().Next()); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("unknown MAC: got %v", err)
		}
	})
}

func TestReplicaBindings(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := newAccount(t, s, "acme.example.com")
		var want []string
		for i := range 7 {
			d := createDevice(t, s, a.ID, fmt.Sprintf(`{"name":"x","sip":{"username":"u%d"}}`, i))
			var bindings []models.Binding
			for _, kind := range []string{"r1 udp 60", "r1 udp 61", "r1 tcp 60", "r2 udp 60", "r1 udp -60"} {
				var replica, transport string
				var seconds int
				if _, err := fmt.Sscan(kind, &replica, &transport, &seconds); err != nil {
					t.Fatal(err)
				}
				bindings = append(bindings, models.Binding{
					AccountID: a.ID, DeviceID: d.ID, Contact: fmt.Sprintf("sip:u%d@%s.%s.%d", i, replica, transport, seconds),
					Received: netip.MustParseAddrPort("192.0.2.1:5060"), Transport: transport, Replica: replica,
					Expires: time.Now().Add(time.Duration(seconds) * time.Second), Modified: time.Now(),
				})
			}
			if err := s.UpdateBindings(t.Context(), d.ID, func([]models.Binding) ([]models.Binding, error) { return bindings, nil }); err != nil {
				t.Fatal(err)
			}
			want = append(want, bindings[0].Contact, bindings[1].Contact)
		}
		var got []string
		var last models.Binding
		for {
			page, err := s.ReplicaBindings(t.Context(), "r1", "udp", last, 3)
			if err != nil || len(page) > 3 {
				t.Fatalf("got %d bindings, %v", len(page), err)
			}
			if len(page) == 0 {
				break
			}
			for _, b := range page {
				got = append(got, b.Contact)
			}
			last = page[len(page)-1]
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("of r1 over UDP (-want +got):\n%s", diff)
		}
	})
}

func TestBindings(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		a := newAccount(t, s, "acme.example.com")
		d := createDevice(t, s, a.ID, `{"name":"x","sip":{"username":"ann"}}`)
		now := time.Now().UTC().Truncate(time.Millisecond)
		bind := func(contact string, expires time.Duration) models.Binding {
			return models.Binding{
				AccountID: a.ID, DeviceID: d.ID, AOR: "sip:ann@acme.example.com", Contact: contact,
				Path: []string{"<sip:edge.example.com;lr>", `"x" <sip:b;lr>`}, Received: netip.MustParseAddrPort("[2001:db8::1]:5060"),
				Transport: "udp", CallID: "c1", CSeq: 4294967295, UserAgent: "Phone/1", Expires: now.Add(expires), Modified: now,
			}
		}
		set := func(bindings ...models.Binding) {
			t.Helper()
			if err := s.UpdateBindings(ctx, d.ID, func([]models.Binding) ([]models.Binding, error) { return bindings, nil }); err != nil {
				t.Fatal(err)
			}
		}
		set(bind("sip:ann@10.0.0.1:5060", time.Minute), bind("sip:ann@10.0.0.2", -time.Second))
		got, err := s.Bindings(ctx, d.ID)
		if err != nil {
			t.Fatal(err)
		}
		want := []models.Binding{bind("sip:ann@10.0.0.1:5060", time.Minute)}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Errorf("live bindings (-want +got):\n%s", diff)
		}
		ids, err := s.RegisteredDevices(ctx, a.ID, "", 1000)
		if err != nil || !slices.Equal(ids, []string{d.ID}) {
			t.Errorf("registered devices: got %v, %v", ids, err)
		}

		registered, err := s.Registrations(ctx, a.ID, "", 10)
		if err != nil || len(registered) != 1 || registered[0].Device.ID != d.ID || len(registered[0].Bindings) != 1 {
			t.Errorf("registrations: got %+v, %v", registered, err)
		}
		if rest, err := s.Registrations(ctx, a.ID, d.ID, 10); err != nil || len(rest) != 0 {
			t.Errorf("registrations after the last: got %+v, %v", rest, err)
		}
		for account, want := range map[string]int64{a.ID: 1, "": 1, models.NewID(): 0} {
			if n, err := s.CountRegistrations(ctx, account); err != nil || n != want {
				t.Errorf("count of account %q: got %d, %v, want %d", account, n, err, want)
			}
		}

		// What was renewed since it was read is not dropped.
		renewed := bind("sip:ann@10.0.0.2", time.Minute)
		set(bind("sip:ann@10.0.0.1", time.Minute), renewed)
		read, err := s.Bindings(ctx, d.ID)
		if err != nil || len(read) != 2 {
			t.Fatalf("bindings: got %v, %v", read, err)
		}
		renewed.CallID = "c2"
		set(bind("sip:ann@10.0.0.1", time.Minute), renewed)
		gone := bind("sip:ann@10.0.0.1", time.Minute)
		gone.DeviceID = models.NewID()
		if err := s.DropBindings(ctx, append(read, gone)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Bindings(ctx, d.ID); err != nil || len(got) != 1 || got[0].Contact != renewed.Contact {
			t.Errorf("after a drop: got %+v, %v, want the renewed one", got, err)
		}

		// Concurrent updates each see what the one before them left.
		set()
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				err := s.UpdateBindings(ctx, d.ID, func(live []models.Binding) ([]models.Binding, error) {
					return append(live, bind(fmt.Sprintf("sip:ann@10.0.0.%d", i), time.Minute)), nil
				})
				if err != nil {
					t.Errorf("update: %v", err)
				}
			})
		}
		group.Wait()
		if got, _ := s.Bindings(ctx, d.ID); len(got) != 8 {
			t.Errorf("after 8 concurrent registrations: got %d bindings", len(got))
		}

		if err := s.RecordFetches(ctx, []models.Fetch{{DeviceID: d.ID, File: "a.cfg", Method: "GET", Status: 200, At: now}}); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteDevice(ctx, d); err != nil {
			t.Fatal(err)
		}
		if last, err := s.LastFetches(ctx, d.ID); err != nil || len(last) != 0 {
			t.Errorf("fetches of a deleted device: got %v, %v", last, err)
		}
		if ids, _ := s.RegisteredDevices(ctx, a.ID, "", 1000); len(ids) != 0 {
			t.Errorf("bindings of a deleted device: got %v", ids)
		}
		err = s.UpdateBindings(ctx, d.ID, func(live []models.Binding) ([]models.Binding, error) { return live, nil })
		if !errors.Is(err, models.ErrNotFound) {
			t.Errorf("binding a deleted device: got %v, want ErrNotFound", err)
		}
	})
}

// Refreshes of one binding that come together are all counted; a binding that
// has expired can be had again.
func TestRefreshesTogether(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := newAccount(t, s, "acme.example.com")
		d := newDevice(t, a.ID, `{"name": "Desk", "sip": {"username": "ann"}}`)
		if err := s.CreateDevice(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		refresh := func() error {
			return s.UpdateBindings(t.Context(), d.ID, func(live []models.Binding) ([]models.Binding, error) {
				now := time.Now()
				b := models.Binding{
					AccountID: a.ID, DeviceID: d.ID, Contact: "sip:ann@10.0.0.1", Received: netip.MustParseAddrPort("192.0.2.1:5060"),
					Transport: "udp", CallID: "c", Modified: now, Expires: now.Add(time.Hour),
				}
				if len(live) > 0 {
					b.CSeq = live[0].CSeq + 1
				}
				return []models.Binding{b}, nil
			})
		}
		const refreshes = 20
		var group sync.WaitGroup
		for range refreshes {
			group.Go(func() {
				if err := refresh(); err != nil {
					t.Errorf("refresh: %v", err)
				}
			})
		}
		group.Wait()
		got, err := s.Bindings(t.Context(), d.ID)
		if err != nil || len(got) != 1 || got[0].CSeq != refreshes-1 {
			t.Errorf("got %+v, %v, want one binding with CSeq %d", got, err, refreshes-1)
		}
		s.SetClock(func() time.Time { return time.Now().Add(2 * time.Hour) })
		if err := refresh(); err != nil {
			t.Errorf("after it has expired: %v", err)
		}
		s.SetClock(time.Now)
		if got, err := s.Bindings(t.Context(), d.ID); err != nil || len(got) != 1 || got[0].CSeq != 0 {
			t.Errorf("after it has expired: got %+v, %v", got, err)
		}
	})
}

// Phones that register for the first time at the same moment, as after a power
// cut, do not get into each other's way.
func TestFirstBindingsTogether(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := newAccount(t, s, "acme.example.com")
		const phones = 150
		var devices []*models.Device
		for i := range phones {
			devices = append(devices, createDevice(t, s, a.ID, fmt.Sprintf(`{"name":"x","sip":{"username":"u%d"}}`, i)))
		}
		var group sync.WaitGroup
		for _, d := range devices {
			group.Go(func() {
				err := s.UpdateBindings(t.Context(), d.ID, func([]models.Binding) ([]models.Binding, error) {
					return []models.Binding{{
						AccountID: a.ID, DeviceID: d.ID, Contact: "sip:" + d.ID, Received: netip.MustParseAddrPort("192.0.2.1:5060"),
						Expires: time.Now().Add(time.Hour), Modified: time.Now(),
					}}, nil
				})
				if err != nil {
					t.Errorf("register: %v", err)
				}
			})
		}
		group.Wait()
		if ids, err := s.RegisteredDevices(t.Context(), a.ID, "", 1000); err != nil || len(ids) != phones {
			t.Errorf("got %d registered devices, %v, want %d", len(ids), err, phones)
		}
	})
}

// Changes of bindings that share a commit do not share their fate.
func TestBindingChangesTogether(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := newAccount(t, s, "acme.example.com")
		refused := errors.New("refused")
		const phones = 60
		var group sync.WaitGroup
		oversized := createDevice(t, s, a.ID, `{"name":"y"}`)
		group.Go(func() {
			_ = s.UpdateBindings(t.Context(), oversized.ID, func([]models.Binding) ([]models.Binding, error) { // a column of MySQL is too small
				return []models.Binding{{DeviceID: oversized.ID, Contact: "sip:" + strings.Repeat("x", 2000), Received: netip.MustParseAddrPort("192.0.2.1:5060")}}, nil
			})
		})
		for i := range phones {
			d := createDevice(t, s, a.ID, fmt.Sprintf(`{"name":"x","sip":{"username":"u%d"}}`, i))
			if i%3 == 2 {
				if err := s.DeleteDevice(t.Context(), d); err != nil {
					t.Fatal(err)
				}
			}
			group.Go(func() {
				err := s.UpdateBindings(t.Context(), d.ID, func([]models.Binding) ([]models.Binding, error) {
					switch i % 6 {
					case 1:
						return nil, refused
					case 4:
						panic("a bug")
					}
					return []models.Binding{{
						AccountID: a.ID, DeviceID: d.ID, Contact: "sip:" + d.ID, Received: netip.MustParseAddrPort("192.0.2.1:5060"),
						Expires: time.Now().Add(time.Hour), Modified: time.Now(),
					}}, nil
				})
				switch {
				case i%3 == 0 && err != nil, i%6 == 1 && !errors.Is(err, refused), i%6 == 4 && err == nil, i%3 == 2 && !errors.Is(err, models.ErrNotFound):
					t.Errorf("phone %d: got %v", i, err)
				}
			})
		}
		group.Wait()
		if ids, err := s.RegisteredDevices(t.Context(), a.ID, "", 1000); err != nil || len(ids) != phones/3 {
			t.Errorf("got %d registered devices, %v, want %d", len(ids), err, phones/3)
		}
	})
}

// Where the database locks single devices, a phone whose device is being written
// keeps no other waiting.
func TestBindingOfHeldDevice(t *testing.T) {
	s := sqlstoretest.NewMySQL(t)
	a := newAccount(t, s, "acme.example.com")
	held, free := createDevice(t, s, a.ID, `{"name":"x"}`), createDevice(t, s, a.ID, `{"name":"y"}`)
	register := func(d *models.Device) error {
		return s.UpdateBindings(t.Context(), d.ID, func([]models.Binding) ([]models.Binding, error) {
			return []models.Binding{{
				AccountID: a.ID, DeviceID: d.ID, Contact: "sip:" + d.ID, Received: netip.MustParseAddrPort("192.0.2.1:5060"),
				Expires: time.Now().Add(time.Hour), Modified: time.Now(),
			}}, nil
		})
	}
	waited := make(chan error, 1)
	err := s.HoldDevice(t.Context(), held.ID, func() {
		go func() { waited <- register(held) }()
		for range 20 {
			if err := register(free); err != nil {
				t.Errorf("free device: %v", err)
			}
		}
		select {
		case err := <-waited:
			t.Errorf("held device: got %v, want it to wait", err)
		default:
		}
	})
	if err := errors.Join(err, <-waited); err != nil {
		t.Error(err)
	}
	if ids, err := s.RegisteredDevices(t.Context(), a.ID, "", 1000); err != nil || len(ids) != 2 {
		t.Errorf("got registered devices %v, %v, want both", ids, err)
	}
}

// A statement that is needed for the first time waits for SQLite's only writer, and
// keeps no transaction waiting that has the writer and needs statements itself.
func TestFirstStatementWaits(t *testing.T) {
	s := sqlstoretest.New(t)
	a := newAccount(t, s, "acme.example.com")
	d := createDevice(t, s, a.ID, `{"name":"x"}`)
	pools, err := s.Pools()
	if err != nil {
		t.Fatal(err)
	}
	saved := make(chan error, 1)
	calls := 0
	err = s.UpdateBindings(t.Context(), d.ID, func([]models.Binding) ([]models.Binding, error) {
		if calls++; calls == 1 {
			before := pools["writer"].Stats().WaitCount
			go func() {
				saved <- s.SaveNotification(t.Context(), &models.Notification{AccountID: a.ID, DeviceID: d.ID, State: models.NotifyQueued, Created: time.Now()})
			}()
			for pools["writer"].Stats().WaitCount == before {
				time.Sleep(time.Millisecond)
			}
		}
		return []models.Binding{{
			AccountID: a.ID, DeviceID: d.ID, Contact: "sip:x", Received: netip.MustParseAddrPort("192.0.2.1:5060"),
			Expires: time.Now().Add(time.Hour), Modified: time.Now(),
		}}, nil
	})
	if err := errors.Join(err, <-saved); err != nil || calls != 1 {
		t.Errorf("registered at attempt %d: %v", calls, err)
	}
}

// Statements that are kept prepared go on when another program changes the schema.
func TestStatementsAfterMigration(t *testing.T) {
	s, other := sqlstoretest.Replicas(t, "sqlite:"+filepath.Join(t.TempDir(), "d.db"))
	a := newAccount(t, s, "acme.example.com")
	d := createDevice(t, s, a.ID, `{"name":"x","mac_address":"001565aabbcc"}`)
	mac, _ := d.MAC()
	use := func() error {
		_, readErr := s.PhoneByMAC(t.Context(), mac)
		_, knownErr := s.PhoneByMAC(t.Context(), mac)
		return errors.Join(readErr, knownErr, s.UpdateBindings(t.Context(), d.ID, func([]models.Binding) ([]models.Binding, error) {
			return []models.Binding{{
				AccountID: a.ID, DeviceID: d.ID, Contact: "sip:x", Received: netip.MustParseAddrPort("192.0.2.1:5060"),
				Expires: time.Now().Add(time.Hour), Modified: time.Now(),
			}}, nil
		}))
	}
	for _, change := range []string{
		"SELECT 1", "ALTER TABLE devices ADD COLUMN later TEXT", "ALTER TABLE registrations ADD COLUMN later TEXT", "DROP INDEX registrations_account", "ANALYZE",
	} {
		if err := errors.Join(other.Exec(t.Context(), change), use()); err != nil {
			t.Errorf("%s: %v", change, err)
		}
	}
}

// What one server remembers of a phone is worth nothing after another has changed
// what the phone is read from.
func TestPhoneByAORIsFresh(t *testing.T) {
	urls := map[string]string{
		"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "d.db"),
		"mysql":  sqlstoretest.MySQLDatabase(t),
	}
	for name, url := range urls {
		t.Run(name, func(t *testing.T) {
			s, other := sqlstoretest.Replicas(t, url)
			a := newAccount(t, s, "acme.example.com")
			ann := createUser(t, s, a.ID, `{"first_name":"Ann"}`)
			d := createDevice(t, s, a.ID, `{"name":"x","owner_id":"`+ann.ID+`","sip":{"username":"ann","password":"first"}}`)
			look := func(realm string) string {
				t.Helper()
				p, err := s.PhoneByAOR(t.Context(), "ann", realm)
				if errors.Is(err, models.ErrNotFound) {
					return "none"
				}
				if err != nil {
					t.Fatal(err)
				}
				return fmt.Sprintf("%s enabled=%t owner=%t", p.Device.SIP.Password.Reveal(), p.Enabled(), p.Owner != nil)
			}
			saveDevice := func(raw string) error {
				next := newDevice(t, a.ID, raw)
				next.Meta, next.HTTPPassword = d.Meta, d.HTTPPassword
				err := other.SaveDevice(t.Context(), d, next)
				d = next
				return err
			}
			saveAccount := func(raw string) error {
				next := *a
				setDocument(t, &next, raw)
				err := other.SaveAccount(t.Context(), a, &next)
				a = &next
				return err
			}
			saveOwner := func(raw string) error {
				next := *ann
				setDocument(t, &next, raw)
				err := other.SaveUser(t.Context(), ann, &next)
				ann = &next
				return err
			}
			const document = `{"name":"x","owner_id":"%s","enabled":%t,"sip":{"username":"ann","password":%q}}`
			steps := []struct {
				name   string
				change func() error
				want   string
			}{
				{"as it was made", func() error { return nil }, "first enabled=true owner=true"},
				{"another password", func() error { return saveDevice(fmt.Sprintf(document, ann.ID, true, "second")) }, "second enabled=true owner=true"},
				{"disabled", func() error { return saveDevice(fmt.Sprintf(document, ann.ID, false, "second")) }, "second enabled=false owner=true"},
				{"enabled", func() error { return saveDevice(fmt.Sprintf(document, ann.ID, true, "second")) }, "second enabled=true owner=true"},
				{"owner disabled", func() error { return saveOwner(`{"first_name":"Ann","enabled":false}`) }, "second enabled=false owner=true"},
				{"owner deleted", func() error { return other.DeleteUser(t.Context(), ann) }, "second enabled=true owner=false"},
				{"account disabled", func() error { return saveAccount(`{"name":"Acme","realm":"acme.example.com","enabled":false}`) }, "second enabled=false owner=false"},
				{"account in another realm", func() error { return saveAccount(`{"name":"Acme","realm":"moved.example.com"}`) }, "none"},
				{"account back", func() error { return saveAccount(`{"name":"Acme","realm":"acme.example.com"}`) }, "second enabled=true owner=false"},
				{"deleted", func() error { return other.DeleteDevice(t.Context(), d) }, "none"},
				{"made again", func() error {
					createDevice(t, other, a.ID, `{"name":"y","sip":{"username":"ann","password":"third"}}`)
					return nil
				}, "third enabled=true owner=false"},
			}
			for _, step := range steps {
				if err := step.change(); err != nil {
					t.Fatalf("%s: %v", step.name, err)
				}
				for range 2 { // read, and remembered
					if got := look("acme.example.com"); got != step.want {
						t.Errorf("%s: got %s, want %s", step.name, got, step.want)
					}
				}
			}
		})
	}
}

// A notification that begins is stored without waiting; what is saved after it
// counts.
func TestBeginNotification(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		device := models.NewID()
		for i := range 20 {
			n := &models.Notification{ID: models.NewID(), DeviceID: device, State: models.NotifyQueued, Created: time.Now().Add(-time.Duration(i) * time.Second)}
			s.BeginNotification(t.Context(), n)
			if i == 0 {
				continue // this one comes no further
			}
			n.State = models.NotifyAccepted
			if err := s.SaveNotification(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		list, err := s.Notifications(t.Context(), device, 100)
		if err != nil || len(list) != 20 {
			t.Fatalf("got %d notifications, %v, want 20", len(list), err)
		}
		for i, n := range list {
			if want := map[bool]string{true: models.NotifyQueued, false: models.NotifyAccepted}[i == 0]; n.State != want {
				t.Errorf("notification %d: got %s, want %s", i, n.State, want)
			}
		}
	})
}

func TestTokensFetchesNotifications(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		now := time.Now().UTC().Truncate(time.Millisecond)
		old := now.Add(-48 * time.Hour)

		token := &models.Token{AccountID: models.NewID(), Method: "cb_api_auth", Created: old, Expires: now.Add(-time.Second)}
		if err := s.CreateToken(ctx, "t1", token, models.Grounds{}); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Token(ctx, "t1"); err != nil || !cmp.Equal(got, token) {
			t.Errorf("token: got %+v, %v", got, err)
		}

		device := createDevice(t, s, newAccount(t, s, "acme.example.com").ID, `{"name":"x"}`).ID
		fetch := func(file string, status int, at time.Time) models.Fetch {
			return models.Fetch{DeviceID: device, File: file, Method: "GET", Status: status, ETag: "e", Bytes: 5, Source: "192.0.2.1",
				UserAgent: strings.Repeat("ü", 300), Duration: 1500 * time.Microsecond, At: at}
		}
		head := fetch("a.cfg", 200, now.Add(time.Second))
		head.Method, head.Firmware = "HEAD", "86.2"
		if phone, err := s.PhoneOfDevice(ctx, device); err != nil || phone.Firmware != "" {
			t.Errorf("a phone that never asked: %+v, %v", phone, err)
		}
		stranger := fetch("a.cfg", 404, old)
		stranger.DeviceID = ""
		err := s.RecordFetches(ctx, []models.Fetch{fetch("b.cfg", 200, old), fetch("a.cfg", 200, old), fetch("a.cfg", 304, now), head, stranger})
		if err != nil {
			t.Fatal(err)
		}
		checkLast := func() {
			t.Helper()
			last, err := s.LastFetches(ctx, device)
			if err != nil || len(last) != 2 || last[0].File != "a.cfg" || last[0].Status != 304 || last[1].File != "b.cfg" ||
				last[0].Duration != 1500*time.Microsecond || last[0].At != now {
				t.Errorf("last fetches: got %+v, %v", last, err)
			}
		}
		checkLast()
		later, older := fetch("b.cfg", 200, now.Add(time.Minute)), fetch("b.cfg", 200, old)
		older.Firmware = "86.1"
		if err := s.RecordFetches(ctx, []models.Fetch{later, older}); err != nil {
			t.Fatal(err)
		}
		if phone, err := s.PhoneOfDevice(ctx, device); err != nil || phone.Firmware != "86.2" {
			t.Errorf("got %+v, %v; want the newest firmware that was told", phone, err)
		}

		note := &models.Notification{DeviceID: device, AOR: "sip:a@b", Event: "check-sync", State: models.NotifyQueued, Created: old}
		if err := s.SaveNotification(ctx, note); err != nil {
			t.Fatal(err)
		}
		note.State, note.Code, note.Reason, note.Finished = models.NotifyAccepted, 200, "OK", now
		if err := s.SaveNotification(ctx, note); err != nil {
			t.Fatal(err)
		}
		newer := &models.Notification{DeviceID: device, State: models.NotifyTimeout, Created: now}
		if err := s.SaveNotification(ctx, newer); err != nil {
			t.Fatal(err)
		}
		notes, err := s.Notifications(ctx, device, 10)
		if err != nil || !cmp.Equal(notes, []models.Notification{*newer, *note}) {
			t.Errorf("notifications: got %+v, %v", notes, err)
		}

		if err := s.Prune(ctx, sqlstore.Retention{History: 24 * time.Hour}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Token(ctx, "t1"); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("expired token after pruning: got %v", err)
		}
		if notes, _ := s.Notifications(ctx, device, 10); len(notes) != 1 || notes[0].ID != newer.ID {
			t.Errorf("notifications after pruning: got %+v", notes)
		}
		checkLast() // the newest of each file stays, however old
	})
}

// A server that stops writes down at once what has piled up, however long each is.
func TestVeryManyFetches(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		account := newAccount(t, s, "acme.example.com").ID
		device := createDevice(t, s, account, `{"name":"x"}`).ID
		fetches := make([]models.Fetch, 10_500)
		for i := range fetches {
			long := strings.Repeat("\U0001f4de", 1000)
			fetches[i] = models.Fetch{AccountID: account, DeviceID: device, File: long, Method: "GET", Status: 200, Source: "192.0.2.1", UserAgent: long, At: time.Now()}
		}
		if err := s.RecordFetches(t.Context(), fetches); err != nil {
			t.Error(err)
		}
	})
}

// Old fetches go, but for the newest of each file, of which there may be more than
// are looked at together, and of one moment.
func TestPruneOfManyFetches(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		account := newAccount(t, s, "acme.example.com").ID
		device := createDevice(t, s, account, `{"name":"x"}`).ID
		const files = 1500
		var fetches []models.Fetch
		fetch := func(device, file string, before time.Duration) {
			fetches = append(fetches, models.Fetch{AccountID: account, DeviceID: device, File: file, Method: "GET", Status: 200, At: time.Now().Truncate(time.Hour).Add(-before)})
		}
		for i := range files {
			fetch(device, fmt.Sprint("once", i), 72*time.Hour)
			fetch(device, fmt.Sprint("again", i), 60*time.Hour)
			fetch(device, fmt.Sprint("again", i), 48*time.Hour)
			fetch("", "of no device", 72*time.Hour)
			fetch(device, "in the future", -72*time.Hour) // a clock was wrong
		}
		fetch(device, "again0", 48*time.Hour-time.Minute)
		fetch(device, "again0", time.Hour)
		fetch("", "of no device", time.Hour)
		if err := s.RecordFetches(t.Context(), fetches); err != nil {
			t.Fatal(err)
		}
		if err := s.Prune(t.Context(), sqlstore.Retention{History: 24 * time.Hour}); err != nil {
			t.Fatal(err)
		}
		if last, err := s.LastFetches(t.Context(), device); err != nil || len(last) != 2*files+1 {
			t.Errorf("got the last fetches of %d files, %v, want %d", len(last), err, 2*files+1)
		}
		want := files + files + files + 1 // once, again, in the future, of no device
		if n, err := s.Count(t.Context(), "fetches"); err != nil || n != want {
			t.Errorf("got %d fetches, %v, want %d", n, err, want)
		}
	})
}

// Where phones of an account have come from is known for a year, however long
// fetches are kept.
func TestSourceKnown(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := newAccount(t, s, "acme.example.com")
		other := newAccount(t, s, "other.example.com")
		device := createDevice(t, s, a.ID, `{"name":"x"}`).ID
		start := time.Now()
		fetch := func(f models.Fetch, after time.Duration) models.Fetch {
			f.AccountID, f.File, f.At = a.ID, "x.cfg", start.Add(after)
			return f
		}
		for _, after := range []time.Duration{0, time.Hour, 48 * time.Hour} {
			s.SetClock(func() time.Time { return start.Add(after) })
			err := s.RecordFetches(t.Context(), []models.Fetch{
				fetch(models.Fetch{DeviceID: device, Method: "GET", Status: 200, Source: "192.0.2.1"}, after),
				fetch(models.Fetch{DeviceID: device, Method: "GET", Status: 304, Source: "192.0.2.1"}, after),
				fetch(models.Fetch{DeviceID: device, Method: "GET", Status: 304, Source: "192.0.2.2"}, after),
				fetch(models.Fetch{DeviceID: device, Method: "HEAD", Status: 200, Source: "192.0.2.3"}, after),
				fetch(models.Fetch{DeviceID: device, Method: "GET", Status: 404, Source: "192.0.2.3"}, after),
				fetch(models.Fetch{Method: "GET", Status: 200, Source: "192.0.2.3"}, after),
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		check := func(when string, account string, want ...string) {
			t.Helper()
			for _, source := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"} {
				known, err := s.SourceKnown(t.Context(), account, source)
				if err != nil || known != slices.Contains(want, source) {
					t.Errorf("%s: %s: got %t, %v", when, source, known, err)
				}
			}
		}
		prune := func(after time.Duration) {
			t.Helper()
			s.SetClock(func() time.Time { return start.Add(after) })
			if err := s.Prune(t.Context(), sqlstore.Retention{History: time.Hour}); err != nil {
				t.Fatal(err)
			}
		}
		check("at once", a.ID, "192.0.2.1", "192.0.2.2")
		check("another account", other.ID)
		const year = 365 * 24 * time.Hour
		prune(year + 24*time.Hour)
		check("after a year", a.ID, "192.0.2.1", "192.0.2.2") // seen again two days after the first time
		prune(year + 72*time.Hour)
		check("after the next", a.ID)
	})
}

func TestImportDevices(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := newAccount(t, s, "acme.example.com")
		createDevice(t, s, a.ID, `{"name":"there","mac_address":"001565aabb01"}`)
		batch := func() []*models.Device {
			return []*models.Device{
				newDevice(t, a.ID, `{"name":"one","mac_address":"001565aabb02"}`),
				newDevice(t, a.ID, `{"name":"two","mac_address":"001565aabb01"}`),
				newDevice(t, a.ID, `{"name":"three","mac_address":"001565aabb03"}`),
			}
		}
		for _, keep := range []bool{false, true} {
			err := s.ImportDevices(t.Context(), batch(), func(taken map[int]*models.TakenError) bool {
				if len(taken) != 1 || taken[1] == nil || taken[1].Field != "mac_address" {
					t.Errorf("taken: got %v", taken)
				}
				return keep
			})
			if err != nil {
				t.Fatal(err)
			}
			want := map[bool]int{false: 2, true: 4}[keep] // the account and its devices
			if entries := auditOf(t, s, a.ID, ""); len(entries) != want {
				t.Errorf("keep %t: got %d audit entries, want %d", keep, len(entries), want)
			}
			for _, mac := range []string{"001565aabb02", "001565aabb03"} {
				parsed, _ := models.ParseMAC(mac)
				if _, err := s.PhoneByMAC(t.Context(), parsed); (err == nil) != keep {
					t.Errorf("keep %t: %s: %v", keep, mac, err)
				}
			}
		}
		err := s.ImportDevices(t.Context(), []*models.Device{newDevice(t, models.NewID(), `{"name":"x"}`)}, func(map[int]*models.TakenError) bool { return true })
		if !errors.Is(err, models.ErrNotFound) {
			t.Errorf("into an unknown account: got %v", err)
		}
	})
}

// Devices are stored many at a time; what is wrong with one is wrong with no other.
func TestImportManyDevices(t *testing.T) {
	const devices = 1100
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := newAccount(t, s, "acme.example.com")
		createDevice(t, s, a.ID, `{"name":"there","sip":{"username":"u700"}}`)
		batch := make([]*models.Device, devices)
		for n := range batch {
			mac := n
			if n == 900 {
				mac = 10
			}
			batch[n] = newDevice(t, a.ID, fmt.Sprintf(`{"name":"x","mac_address":"02%010x","sip":{"username":"u%d"},"hotdesk":{"users":{"%032x":{}}}}`, mac, n, n))
			if n > devices-4 { // too much for one statement
				batch[n].Document["custom"] = strings.Repeat("x", 700_000)
			}
		}
		err := s.ImportDevices(t.Context(), batch, func(taken map[int]*models.TakenError) bool {
			if len(taken) != 2 || !isTaken(taken[700], "sip.username") || !isTaken(taken[900], "mac_address") {
				t.Errorf("taken: %v", taken)
			}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		stored, err := s.ListDevices(t.Context(), a.ID, models.Listing{Limit: 2 * devices})
		if err != nil || len(stored) != devices-1 {
			t.Errorf("%d devices, %v", len(stored), err)
		}
		desks, err := s.Hotdesks(t.Context(), a.ID, 2*devices)
		entries, err2 := s.AuditEntries(t.Context(), a.ID, "", nil, 2*devices)
		if err := errors.Join(err, err2); err != nil || len(desks) != devices-2 || len(entries) != devices { // the account's, too
			t.Errorf("%d hotdesks, %d audit entries, %v", len(desks), len(entries), err)
		}
	})
}

func TestMigrateTogether(t *testing.T) {
	urls := map[string]string{
		"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "d.db"),
		"mysql":  sqlstoretest.MySQLDatabase(t),
	}
	for name, url := range urls {
		t.Run(name, func(t *testing.T) {
			var group sync.WaitGroup
			for range 3 {
				group.Go(func() {
					s, err := sqlstore.Open(url)
					if err != nil {
						t.Error(err)
						return
					}
					defer func() { _ = s.Close() }()
					if _, err := s.Migrate(t.Context()); err != nil {
						t.Errorf("migrate: %v", err)
					}
					steps, err := s.Migrations(t.Context())
					if err != nil || len(steps) == 0 || slices.ContainsFunc(steps, func(m sqlstore.Migration) bool { return !m.Applied }) {
						t.Errorf("status: got %+v, %v, want all applied", steps, err)
					}
					if err := s.Ping(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
		})
	}
}

// Whoever opens a new SQLite file first sets its journal mode; programs that
// open it at that instant wait.
func TestOpenTogether(t *testing.T) {
	for range 20 {
		url := "sqlite:" + filepath.Join(t.TempDir(), "d.db")
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				s, err := sqlstore.Open(url)
				if err != nil {
					t.Error(err)
					return
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
}

func TestUnavailable(t *testing.T) {
	tests := map[string]string{
		"no server": "mysql://u:s3cr3t@127.0.0.1:1/x",
		"no schema": "sqlite:" + filepath.Join(t.TempDir(), "empty.db"),
	}
	for name, url := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := sqlstore.Open(url)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := s.Ping(ctx); !errors.Is(err, models.ErrUnavailable) || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("ping: got %v, want ErrUnavailable without the password", err)
			}
		})
	}
}

func TestNoFolderForDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "d.db")
	_, err := sqlstore.Open("sqlite:" + path)
	if !errors.Is(err, models.ErrUnavailable) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want ErrUnavailable that names the file", err)
	}
}

func TestBadURLs(t *testing.T) {
	for _, url := range []string{"", "sqlite:", "postgres://x", "mysql://", "mysql://u:s3cr3t@host", "mysql://u:can%zzary@host/x", "mysql://u:s3cr3t@host/x?timeout=soon"} {
		_, err := sqlstore.Open(url)
		if !errors.Is(err, models.ErrInvalid) || !strings.Contains(err.Error(), "db.url") || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("Open(%q): got %v, want ErrInvalid that names db.url and no password", url, err)
		}
	}
}

func TestHotdesks(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		a, other := newAccount(t, s, "acme.example.com"), newAccount(t, s, "other.example.com")
		ann, bob := strings.Repeat("a", 32), strings.Repeat("b", 32)
		owned := createDevice(t, s, a.ID, `{"name":"owned","owner_id":"`+ann+`","hotdesk":{"users":{"`+ann+`":{}}}}`)
		desk := createDevice(t, s, a.ID, `{"name":"desk","hotdesk":{"users":{"`+ann+`":{},"`+bob+`":{},"custom":1}}}`)
		createDevice(t, s, other.ID, `{"name":"theirs","owner_id":"`+ann+`","hotdesk":{"users":{"`+ann+`":{}}}}`)
		devices := func(user string, l models.Listing) []string {
			t.Helper()
			found, err := s.ListUserDevices(ctx, a.ID, user, l)
			if err != nil {
				t.Fatal(err)
			}
			names := []string{}
			for _, d := range found {
				names = append(names, d.Name)
			}
			return names
		}
		all := models.Listing{Limit: 10}
		got := devices(ann, all)
		if slices.Sort(got); !slices.Equal(got, []string{"desk", "owned"}) {
			t.Errorf("devices of Ann: got %v", got)
		}
		if got := devices(bob, models.Listing{Limit: 10, Descending: true, Where: []models.Match{{Path: "enabled", Text: "true"}}}); !slices.Equal(got, []string{"desk"}) {
			t.Errorf("devices of Bob: got %v", got)
		}
		desks, err := s.Hotdesks(ctx, a.ID, 10)
		if err != nil || len(desks) != 3 || desks[2] != (models.Hotdesk{UserID: bob, DeviceID: desk.ID, DeviceName: "desk"}) {
			t.Errorf("hotdesks: got %+v, %v", desks, err)
		}
		desk, err = updateDevice(ctx, s, a.ID, desk.ID, func(d *models.Device) error {
			return d.SetDocument(document(t, `{"name":"desk","hotdesk":{"users":{"`+bob+`":{}}}}`))
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := devices(ann, all); !slices.Equal(got, []string{"owned"}) {
			t.Errorf("devices of Ann after a log-out: got %v", got)
		}
		for _, d := range []*models.Device{owned, desk} {
			if err := s.DeleteDevice(ctx, d); err != nil {
				t.Fatal(err)
			}
		}
		if desks, err := s.Hotdesks(ctx, a.ID, 10); err != nil || len(desks) != 0 {
			t.Errorf("hotdesks of deleted devices: got %+v, %v", desks, err)
		}
	})
}

func TestMobileNumbersAndHotdeskIDs(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a, other := newAccount(t, s, "acme.example.com"), newAccount(t, s, "other.example.com")
		createDevice(t, s, a.ID, `{"name":"x","device_type":"mobile","mobile":{"mdn":"+14155550100"}}`)
		createDevice(t, s, a.ID, `{"name":"x","mobile":{"mdn":"+14155550100"}}`)
		again := newDevice(t, other.ID, `{"name":"x","device_type":"mobile","mobile":{"mdn":"4155550100"}}`)
		found, err := s.DeviceTaken(t.Context(), phoneOf(t, s, again))
		if err != nil || len(found) != 1 || found[0].Field != "mobile.mdn" {
			t.Errorf("taken: got %v, %v, want mobile.mdn", found, err)
		}
		var taken *models.TakenError
		if err := s.CreateDevice(t.Context(), again); !errors.As(err, &taken) || taken.Field != "mobile.mdn" {
			t.Errorf("same number: got %v, want mobile.mdn taken", err)
		}
		createUser(t, s, a.ID, `{"hotdesk":{"id":"1001"}}`)
		createUser(t, s, other.ID, `{"hotdesk":{"id":"1001"}}`)
		u := &models.User{AccountID: a.ID, Document: models.Document{"hotdesk": map[string]any{"id": "1001"}}}
		if err := s.CreateUser(t.Context(), u); !errors.As(err, &taken) || taken.Field != "hotdesk.id" {
			t.Errorf("same hotdesk id: got %v, want hotdesk.id taken", err)
		}
	})
}

func setDocument(t *testing.T, d interface{ SetDocument(models.Document) error }, raw string) {
	t.Helper()
	if err := d.SetDocument(document(t, raw)); err != nil {
		t.Fatal(err)
	}
}
