package sqlstore_test

import (
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // opened by hand below

	"dialtone/migrations"
	"dialtone/models"
	"dialtone/models/sqlstore"
	"dialtone/models/sqlstore/sqlstoretest"
)

// setMember changes one member of an account's document.
func setMember(path string, v any) func(*models.Account) error {
	return func(a *models.Account) error {
		doc := a.Document.Clone()
		doc.Set(path, v)
		return a.SetDocument(doc)
	}
}

func TestUpdateAccount(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		master := newAccount(t, s, "master.example.com")
		a := &models.Account{Ancestors: []string{master.ID}}
		if err := a.SetDocument(document(t, `{"name":"Acme","realm":"acme.example.com","custom":1}`)); err != nil {
			t.Fatal(err)
		}
		key := models.NewAPIKey()
		if err := s.CreateAccount(ctx, a, key); err != nil {
			t.Fatal(err)
		}
		saved, err := updateAccount(ctx, s, a.ID, setMember("name", "Acme Ltd."))
		if err != nil || !strings.HasPrefix(saved.Revision, "2-") {
			t.Fatalf("update: %v, %v", saved, err)
		}
		got, err := s.AccountByAPIKey(ctx, key) // the key has survived
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(saved, got, timesToMillis, cmp.AllowUnexported(models.Switch{})); diff != "" {
			t.Errorf("account (-saved +read):\n%s", diff)
		}
		if got.Name != "Acme Ltd." || got.PathToken != a.PathToken || got.ParentID() != master.ID {
			t.Errorf("account: got %+v", got)
		}
		if m, err := s.MasterAccount(ctx); err != nil || m.ID != master.ID {
			t.Errorf("master: got %v, %v", m, err)
		}
		if _, err := updateAccount(ctx, s, master.ID, setMember("name", "M")); err != nil {
			t.Error(err)
		}
		if m, err := s.MasterAccount(ctx); err != nil || m.Name != "M" {
			t.Errorf("master: got %v, %v", m, err)
		}

		if err := s.SaveAccount(ctx, a, a); !errors.Is(err, models.ErrConflict) {
			t.Errorf("change of what is no longer there: got %v", err)
		}
		var taken *models.TakenError
		if _, err := updateAccount(ctx, s, a.ID, setMember("realm", "MASTER.example.com")); !errors.As(err, &taken) || taken.Field != "realm" {
			t.Errorf("realm in use: got %v", err)
		}
	})
}

func TestRealmChange(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		a, other := newAccount(t, s, "acme.example.com"), newAccount(t, s, "other.example.com")
		ann := createDevice(t, s, a.ID, `{"name":"a","sip":{"username":"ann"}}`)
		own := createDevice(t, s, a.ID, `{"name":"b","sip":{"username":"bob","realm":"NEW.example.com"}}`)
		createDevice(t, s, a.ID, `{"name":"c","sip":{"method":"ip","ip":"192.0.2.1"}}`)
		bystander := createDevice(t, s, other.ID, `{"name":"d","sip":{"username":"ann"}}`)
		find := func(username, realm, want string) {
			t.Helper()
			p, err := s.PhoneByAOR(ctx, username, realm)
			got := ""
			if err == nil {
				got = p.Device.ID
			}
			if got != want {
				t.Errorf("%s@%s: got device %q, want %q", username, realm, got, want)
			}
		}
		move := func(realm string) {
			t.Helper()
			if _, err := updateAccount(ctx, s, a.ID, setMember("realm", realm)); err != nil {
				t.Fatal(err)
			}
		}
		move("New.Example.com")
		find("ann", "new.example.com", ann.ID)
		find("ann", "acme.example.com", "")
		find("bob", "new.example.com", own.ID)
		move("third.example.com") // bob's own realm is spelled like the account's, and stays
		find("ann", "third.example.com", ann.ID)
		find("bob", "new.example.com", own.ID)
		find("bob", "third.example.com", "")
		find("ann", "other.example.com", bystander.ID)

		squatter := newAccount(t, s, "fourth.example.com")
		createDevice(t, s, squatter.ID, `{"name":"e","sip":{"username":"ANN","realm":"busy.example.com"}}`)
		candidate := &models.Account{Meta: models.Meta{ID: a.ID}, AccountSettings: models.AccountSettings{Realm: "Busy.example.com"}}
		found, err := s.AccountTaken(ctx, candidate)
		if err != nil || len(found) != 1 || found[0].Field != "realm" {
			t.Errorf("AccountTaken: got %v, %v", found, err)
		}
		if _, err := updateAccount(ctx, s, a.ID, setMember("realm", "busy.example.com")); !isTaken(err, "realm") {
			t.Errorf("another account's device in the new realm: got %v", err)
		}
		find("ann", "third.example.com", ann.ID) // nothing has changed
		if got, err := s.Account(ctx, a.ID); err != nil || got.Realm != "third.example.com" {
			t.Errorf("account: got %v, %v", got, err)
		}
	})
}

// Devices that are created while their account changes its realm end up in the
// new one.
func TestRealmChangeWhileDevicesCome(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := newAccount(t, s, "acme.example.com")
		var group sync.WaitGroup
		for i := range 4 {
			group.Go(func() {
				for j := range 10 {
					d := newDevice(t, a.ID, fmt.Sprintf(`{"name":"x","sip":{"username":"u%d-%d"}}`, i, j))
					if err := s.CreateDevice(t.Context(), d); err != nil {
						t.Errorf("create: %v", err)
					}
				}
			})
		}
		group.Go(func() {
			for i := range 5 {
				if _, err := updateAccount(t.Context(), s, a.ID, setMember("realm", fmt.Sprintf("r%d.example.com", i))); err != nil {
					t.Errorf("change realm: %v", err)
				}
			}
		})
		group.Wait()
		for i := range 4 {
			for j := range 10 {
				if _, err := s.PhoneByAOR(t.Context(), fmt.Sprintf("u%d-%d", i, j), "r4.example.com"); err != nil {
					t.Errorf("device %d-%d: %v", i, j, err)
				}
			}
		}
	})
}

func TestDeleteAccount(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		master, a := newAccount(t, s, "master.example.com"), newAccount(t, s, "acme.example.com")
		child := &models.Account{Ancestors: []string{master.ID, a.ID}, Document: models.Document{}}
		child.Realm = "child.example.com"
		if err := s.CreateAccount(ctx, child, models.NewAPIKey()); err != nil {
			t.Fatal(err)
		}
		list, err := s.ListAccounts(ctx, master.ID, models.Listing{Limit: 10})
		if err != nil || len(list) != 1 || list[0].ID != a.ID {
			t.Errorf("children: got %v, %v", list, err)
		}
		if list, err := s.ListAccounts(ctx, master.ID, models.Listing{After: a.ID, Limit: 10}); err != nil || len(list) != 0 {
			t.Errorf("children after the last: got %v, %v", list, err)
		}
		u := createUser(t, s, a.ID, `{"first_name":"Ann"}`)
		d := createDevice(t, s, a.ID, `{"name":"x","mac_address":"001565aabbcc"}`)
		kept := createDevice(t, s, master.ID, `{"name":"y"}`)
		for _, device := range []*models.Device{d, kept} {
			binding := models.Binding{AccountID: device.AccountID, DeviceID: device.ID, Contact: "sip:x@192.0.2.1", Transport: "udp",
				Received: netip.MustParseAddrPort("192.0.2.1:5060"), Expires: time.Now().Add(time.Hour), Modified: time.Now()}
			if err := s.UpdateBindings(ctx, device.ID, func([]models.Binding) ([]models.Binding, error) { return []models.Binding{binding}, nil }); err != nil {
				t.Fatal(err)
			}
			note := &models.Notification{AccountID: device.AccountID, DeviceID: device.ID, Created: time.Now()}
			if err := s.SaveNotification(ctx, note); err != nil {
				t.Fatal(err)
			}
			fetch := models.Fetch{AccountID: device.AccountID, DeviceID: device.ID, File: "a.cfg", Method: "GET", Source: "192.0.2.1", At: time.Now()}
			ofNone := models.Fetch{AccountID: device.AccountID, File: "common.cfg", Method: "GET", At: time.Now()}
			if err := s.RecordFetches(ctx, []models.Fetch{fetch, ofNone}); err != nil {
				t.Fatal(err)
			}
			saveUpload(t, s, device.ID, "app.log", "x")
		}
		logIn(t, s, "a", &models.Token{AccountID: a.ID, LoginAccountID: a.ID})
		logIn(t, s, "master", &models.Token{AccountID: master.ID, LoginAccountID: master.ID})

		if err := s.DeleteAccount(ctx, a); !errors.Is(err, models.ErrDescendants) {
			t.Fatalf("account with a child: got %v", err)
		}
		if _, err := s.Device(ctx, a.ID, d.ID); err != nil {
			t.Errorf("device after the refusal: %v", err)
		}
		stale := *child
		stale.Revision = "0-x"
		if err := s.DeleteAccount(ctx, &stale); !errors.Is(err, models.ErrConflict) {
			t.Errorf("account that has changed: got %v", err)
		}
		for _, account := range []*models.Account{child, a} {
			if err := s.DeleteAccount(ctx, account); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Account(ctx, a.ID); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("deleted account: got %v", err)
		}
		if _, err := s.User(ctx, a.ID, u.ID); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("its user: got %v", err)
		}
		if got := remains(t, s, d.ID); got != "0 bindings, 0 notifications, 0 fetches, 0 uploads" {
			t.Errorf("its device has %s", got)
		}
		if got := remains(t, s, kept.ID); got != "1 bindings, 1 notifications, 1 fetches, 1 uploads" {
			t.Errorf("another account's device has %s", got)
		}
		for account, want := range map[string]int{a.ID: 0, master.ID: 2} {
			if n, err := s.Count(ctx, "fetches WHERE account_id = ?", account); err != nil || n != want {
				t.Errorf("account %s: got %d fetches, %v, want %d", account, n, err, want)
			}
			if known, err := s.SourceKnown(ctx, account, "192.0.2.1"); err != nil || known != (want > 0) {
				t.Errorf("account %s: a source of its phones: got %t, %v", account, known, err)
			}
		}
		wantLogins(t, s, map[string]bool{"a": false, "master": true})
		createDevice(t, s, master.ID, `{"name":"x","mac_address":"001565aabbcc"}`) // the MAC is free again
		if err := s.CreateDevice(ctx, newDevice(t, a.ID, `{"name":"late"}`)); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("device of a deleted account: got %v", err)
		}
		late := &models.Account{Ancestors: []string{master.ID, a.ID}, Document: models.Document{}}
		if err := s.CreateAccount(ctx, late, models.NewAPIKey()); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("account below a deleted one: got %v", err)
		}
	})
}

func remains(t *testing.T, s *sqlstore.Store, device string) string {
	t.Helper()
	bindings, err1 := s.Bindings(t.Context(), device)
	notes, err2 := s.Notifications(t.Context(), device, 10)
	fetches, err3 := s.LastFetches(t.Context(), device)
	uploads, err4 := s.Uploads(t.Context(), device)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d bindings, %d notifications, %d fetches, %d uploads", len(bindings), len(notes), len(fetches), len(uploads))
}

func logIn(t *testing.T, s *sqlstore.Store, token models.Secret, login *models.Token) {
	t.Helper()
	login.Created, login.Expires = time.Now(), time.Now().Add(time.Hour)
	if err := s.CreateToken(t.Context(), token, login, models.Grounds{}); err != nil {
		t.Fatal(err)
	}
}

// wantLogins checks which tokens still work.
func wantLogins(t *testing.T, s *sqlstore.Store, want map[string]bool) {
	t.Helper()
	got := map[string]bool{}
	for token := range want {
		_, err := s.Token(t.Context(), models.Secret(token))
		got[token] = err == nil
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("logins (-want +got):\n%s", diff)
	}
}

func TestLoginsEnd(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		a := newAccount(t, s, "acme.example.com")
		child := newAccount(t, s, "child.example.com")
		var ann, bob, latest *models.User
		logInAll := func() {
			for _, token := range []models.Secret{"key", "key-as", "ann", "ann-as", "bob", "child"} {
				if err := s.DeleteToken(ctx, token); err != nil {
					t.Fatal(err)
				}
			}
			logIn(t, s, "key", &models.Token{AccountID: a.ID, LoginAccountID: a.ID, Method: models.LoginByAPIKey})
			logIn(t, s, "key-as", &models.Token{AccountID: child.ID, LoginAccountID: a.ID, Method: models.LoginByAPIKey,
				Restrictions: map[string][]string{"get": {"#"}}})
			logIn(t, s, "child", &models.Token{AccountID: child.ID, LoginAccountID: child.ID, Method: models.LoginByAPIKey})
			for name, u := range map[models.Secret]*models.User{"ann": ann, "bob": bob} {
				logIn(t, s, name, &models.Token{AccountID: a.ID, OwnerID: u.ID, LoginAccountID: a.ID, LoginOwnerID: u.ID, Method: models.LoginByUser})
			}
			logIn(t, s, "ann-as", &models.Token{AccountID: child.ID, LoginAccountID: a.ID, LoginOwnerID: ann.ID, Method: models.LoginByUser})
		}
		update := func(change func(*models.User)) {
			t.Helper()
			var err error
			if latest, err = updateUser(ctx, s, a.ID, ann.ID, func(u *models.User) error { change(u); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		ann = createUser(t, s, a.ID, `{"first_name":"Ann"}`)
		bob = createUser(t, s, a.ID, `{"first_name":"Bob"}`)
		without := func(gone ...string) map[string]bool {
			out := map[string]bool{}
			for _, token := range []string{"key", "key-as", "ann", "ann-as", "bob", "child"} {
				out[token] = !slices.Contains(gone, token)
			}
			return out
		}
		logInAll()
		wantLogins(t, s, without())
		if got, err := s.Token(ctx, "key-as"); err != nil || !cmp.Equal(got.Restrictions, map[string][]string{"get": {"#"}}) {
			t.Errorf("restrictions: got %v, %v", got, err)
		}
		update(func(*models.User) {})
		wantLogins(t, s, without())
		update(func(u *models.User) { u.MD5Auth, u.SHA1Auth = "m", "s" })
		wantLogins(t, s, without("ann", "ann-as"))

		logInAll()
		update(func(u *models.User) {
			if err := u.SetDocument(models.Document{"enabled": false}); err != nil {
				t.Error(err)
			}
		})
		wantLogins(t, s, without("ann", "ann-as"))

		logInAll()
		if err := s.DeleteUser(ctx, latest); err != nil {
			t.Fatal(err)
		}
		wantLogins(t, s, without("ann", "ann-as"))

		ann = createUser(t, s, a.ID, `{"first_name":"Ann"}`)
		logInAll()
		key := models.NewAPIKey()
		if err := s.SetAPIKey(ctx, a.ID, key); err != nil {
			t.Fatal(err)
		}
		wantLogins(t, s, without("key", "key-as"))
		if got, err := s.AccountByAPIKey(ctx, key); err != nil || got.ID != a.ID || !strings.HasPrefix(got.Revision, "2-") {
			t.Errorf("account by the new key: got %v, %v", got, err)
		}

		logInAll()
		if _, err := updateAccount(ctx, s, a.ID, setMember("enabled", false)); err != nil {
			t.Fatal(err)
		}
		wantLogins(t, s, without("key", "key-as", "ann", "ann-as", "bob"))

		if err := s.SetAPIKey(ctx, models.NewID(), key); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("key of an unknown account: got %v", err)
		}
	})
}

func TestLoginRestsOnUnchangedDocuments(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		a := newAccount(t, s, "acme.example.com")
		u := createUser(t, s, a.ID, `{"first_name":"Ann"}`)
		token := &models.Token{AccountID: a.ID, Created: time.Now(), Expires: time.Now().Add(time.Hour)}
		grounds := models.Grounds{Accounts: []*models.Account{a}, Users: []*models.User{u}}
		if err := s.CreateToken(ctx, "fresh", token, grounds); err != nil {
			t.Fatal(err)
		}
		if _, err := updateUser(ctx, s, a.ID, u.ID, func(u *models.User) error { return u.SetDocument(u.Document.Clone()) }); err != nil {
			t.Fatal(err)
		}
		if err := s.CreateToken(ctx, "stale", token, grounds); !errors.Is(err, models.ErrConflict) {
			t.Errorf("user changed: got %v", err)
		}
		if err := s.SetAPIKey(ctx, a.ID, models.NewAPIKey()); err != nil {
			t.Fatal(err)
		}
		if err := s.CreateToken(ctx, "stale", token, models.Grounds{Accounts: grounds.Accounts}); !errors.Is(err, models.ErrConflict) {
			t.Errorf("key changed: got %v", err)
		}
		wantLogins(t, s, map[string]bool{"fresh": true, "stale": false})
	})
}

func TestUsersByCredentials(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		create := func(account *models.Account, md5, sha1 models.Secret) *models.User {
			t.Helper()
			u := &models.User{AccountID: account.ID, MD5Auth: md5, SHA1Auth: sha1, Document: models.Document{}}
			if err := s.CreateUser(ctx, u); err != nil {
				t.Fatal(err)
			}
			return u
		}
		a, b := newAccount(t, s, "a.example.com"), newAccount(t, s, "b.example.com") // both are "Acme"
		first, second := create(a, "m", "s"), create(b, "m", "other")
		create(a, "", "")
		tests := []struct {
			name string
			c    models.Credentials
			want []*models.User
		}{
			{"MD5 by realm", models.Credentials{Realm: "A.Example.com", Hash: "m"}, []*models.User{first}},
			{"SHA-1 by realm", models.Credentials{Realm: "a.example.com", SHA1: true, Hash: "s"}, []*models.User{first}},
			{"by name, several accounts", models.Credentials{AccountName: "A-c M.e", Hash: "m"}, []*models.User{first, second}},
			{"by name, one account has it", models.Credentials{AccountName: "acme", SHA1: true, Hash: "s"}, []*models.User{first}},
			{"realm before name", models.Credentials{Realm: "b.example.com", AccountName: "acme", Hash: "m"}, []*models.User{second}},
			{"unknown realm, then name", models.Credentials{Realm: "x.example.com", AccountName: "acme", SHA1: true, Hash: "s"}, []*models.User{first}},
			{"the other kind of hash", models.Credentials{AccountName: "acme", SHA1: true, Hash: "m"}, nil},
			{"unknown name", models.Credentials{AccountName: "nobody", Hash: "m"}, nil},
			{"name without a letter", models.Credentials{AccountName: "...", Hash: "m"}, nil},
			{"no account", models.Credentials{Hash: "m"}, nil},
			{"no hash", models.Credentials{AccountName: "acme"}, nil},
		}
		check := func(t *testing.T, c models.Credentials, want []*models.User) {
			t.Helper()
			found, err := s.UsersByCredentials(ctx, c)
			if err != nil {
				t.Fatal(err)
			}
			ids := func(list []*models.User) []string {
				out := []string{}
				for _, u := range list {
					out = append(out, u.ID)
				}
				slices.Sort(out)
				return out
			}
			if diff := cmp.Diff(ids(want), ids(found)); diff != "" {
				t.Errorf("users (-want +got):\n%s", diff)
			}
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) { check(t, tt.c, tt.want) })
		}
		if _, err := updateAccount(ctx, s, b.ID, setMember("name", "Renamed 2")); err != nil {
			t.Fatal(err)
		}
		check(t, models.Credentials{AccountName: "renamed2", Hash: "m"}, []*models.User{second})
		check(t, models.Credentials{AccountName: "acme", Hash: "m"}, []*models.User{first})
		if _, err := updateUser(ctx, s, a.ID, first.ID, func(u *models.User) error { u.MD5Auth = "m2"; return nil }); err != nil {
			t.Fatal(err)
		}
		check(t, models.Credentials{AccountName: "acme", Hash: "m"}, nil)
		check(t, models.Credentials{AccountName: "acme", Hash: "m2"}, []*models.User{first})
	})
}

func TestUserTaken(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a, b := newAccount(t, s, "a.example.com"), newAccount(t, s, "b.example.com")
		ann := createUser(t, s, a.ID, `{"username":"ann"}`)
		for name, tt := range map[string]struct {
			account, id, username string
			want                  int
		}{
			"taken":           {a.ID, "", "ANN", 1},
			"its own":         {a.ID, ann.ID, "ann", 0},
			"another account": {b.ID, "", "ann", 0},
			"free":            {a.ID, "", "bob", 0},
			"none":            {a.ID, "", "", 0},
		} {
			u := &models.User{AccountID: tt.account, Meta: models.Meta{ID: tt.id}, UserSettings: models.UserSettings{Username: tt.username}}
			if got, err := s.UserTaken(t.Context(), u); err != nil || len(got) != tt.want {
				t.Errorf("%s: got %v, %v", name, got, err)
			}
		}
		if err := s.DeleteUser(t.Context(), ann); err != nil {
			t.Errorf("delete: %v", err)
		}
		if err := s.DeleteUser(t.Context(), ann); !errors.Is(err, models.ErrConflict) {
			t.Errorf("delete again: got %v", err)
		}
		createUser(t, s, a.ID, `{"username":"ann"}`)
	})
}

// A database from before logins by account name gets the new columns filled.
func TestLoginColumnsAreFilled(t *testing.T) {
	for _, dialect := range []string{"sqlite", "mysql"} {
		t.Run(dialect, func(t *testing.T) {
			url, pool := emptyDatabase(t, dialect)
			migrateTo(t, pool, dialect, 20)
			master := models.NewID()
			_, err := pool.ExecContext(t.Context(), `INSERT INTO accounts (id, name, realm, enabled, api_key_hash, path_token_hash, document, revision, created, modified)
				VALUES (?, 'x', 'old.example.com', 1, 'k', 't', '{"name":"Old & Sons","realm":"old.example.com"}', '1-x', 1, 1)`, master)
			if err != nil {
				t.Fatal(err)
			}
			s := sqlstoretest.Open(t, url)
			u := &models.User{AccountID: master, MD5Auth: "m", Document: models.Document{}}
			if err := s.CreateUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			for _, statement := range []string{"UPDATE users SET login_md5 = NULL", "DELETE FROM server_secrets"} {
				if _, err := pool.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			var group sync.WaitGroup
			for range 3 {
				group.Go(func() {
					found, err := s.UsersByCredentials(t.Context(), models.Credentials{AccountName: "old sons", Hash: "m"})
					if err != nil || len(found) != 1 || found[0].ID != u.ID {
						t.Errorf("got %v, %v", found, err)
					}
				})
			}
			group.Wait()
		})
	}
}

func emptyDatabase(t *testing.T, dialect string) (string, *sql.DB) {
	t.Helper()
	driver, dsn := "sqlite", filepath.Join(t.TempDir(), "old.db")
	url := "sqlite:" + dsn
	if dialect == "mysql" {
		url = sqlstoretest.MySQLDatabase(t)
		credentials, rest, _ := strings.Cut(strings.TrimPrefix(url, "mysql://"), "@")
		server, name, _ := strings.Cut(rest, "/")
		driver, dsn = "mysql", credentials+"@tcp("+server+")/"+name
	}
	pool, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	return url, pool
}

func migrateTo(t *testing.T, pool *sql.DB, dialect string, version int64) {
	t.Helper()
	gooseDialect, other := goose.DialectSQLite3, "*.mysql.sql"
	if dialect == "mysql" {
		gooseDialect, other = goose.DialectMySQL, "*.sqlite.sql"
	}
	files, err := filepath.Glob("../../migrations/" + other)
	if err != nil {
		t.Fatal(err)
	}
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	provider, err := goose.NewProvider(gooseDialect, pool, migrations.FS, goose.WithExcludeNames(files), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
}
