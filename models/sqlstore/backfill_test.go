package sqlstore_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
	"dialtone/models/sqlstore"
	"dialtone/models/sqlstore/sqlstoretest"
)

// Documents that are older than a column are found by it all the same.
func TestMigrateOlderDocuments(t *testing.T) {
	databases := map[string]func(*testing.T) string{
		"sqlite": func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "old.db") },
		"mysql":  func(t *testing.T) string { return sqlstoretest.MySQLDatabase(t) },
	}
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			address := url(t)
			old := olderDatabase(t, address)
			s := sqlstoretest.Open(t, address)
			old.check(t, s)
			steps, err := s.Migrate(t.Context())
			if err != nil || len(steps) != 0 {
				t.Errorf("migrated again: %v, %v", steps, err)
			}
		})
	}
}

const (
	oldAccount = "a0000000000000000000000000000000"
	oldUsers   = 1200 // more than one batch
)

type older struct{ ann, bob, desk, mobile, phone, trunk, deep string }

// olderDatabase has documents from before the columns that are derived from
// them: users with hotdesk ids, the first two with the same, and devices.
func olderDatabase(t *testing.T, url string) older {
	t.Helper()
	s, err := sqlstore.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := s.MigrateTo(t.Context(), 24); err != nil {
		t.Fatal(err)
	}
	exec := func(statement string, args ...any) {
		t.Helper()
		if err := s.Exec(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(`INSERT INTO accounts (id, master, name, realm, enabled, api_key_hash, path_token_hash, document, revision, created, modified)
		VALUES (?, 1, 'Old', 'old.example.com', 1, 'k', 'p', '{"name":"Old","realm":"old.example.com"}', '1-x', 0, 0)`, oldAccount)
	user := func(n int, document string) string {
		id := fmt.Sprintf("b%031d", n)
		exec(`INSERT INTO users (id, account_id, enabled, document, revision, created, modified) VALUES (?, ?, 1, ?, '1-x', 0, 0)`, id, oldAccount, document)
		return id
	}
	device := func(n int, document string) string {
		id := fmt.Sprintf("c%031d", n)
		exec(`INSERT INTO devices (id, account_id, name, realm, brand, family, model, enabled, document, revision, created, modified)
			VALUES (?, ?, 'x', 'old.example.com', '', '', '', 1, ?, '1-x', 0, 0)`, id, oldAccount, document)
		return id
	}
	registering := func(n int, username, document string) string {
		id := device(n, document)
		exec("UPDATE devices SET sip_username = ? WHERE id = ?", username, id)
		return id
	}
	o := older{ann: user(1, `{"hotdesk":{"id":"1001"}}`), bob: user(2, `{"hotdesk":{"id":"1001"}}`)}
	for n := range oldUsers {
		user(n+3, fmt.Sprintf(`{"hotdesk":{"id":"n%d"}}`, n))
	}
	user(oldUsers+3, `{"first_name":"none"}`)
	o.desk = device(1, fmt.Sprintf(`{"name":"desk","hotdesk":{"users":{%q:{},%q:{},"custom":1}}}`, o.ann, o.bob))
	o.mobile = device(2, `{"name":"mobile","device_type":"mobile","mobile":{"mdn":"4155550100"}}`)
	device(3, `{"name":"again","device_type":"mobile","mobile":{"mdn":"+14155550100"}}`)
	device(4, `{"name":"none","mobile":{"mdn":"4155550199"}}`)
	o.phone = registering(5, "ann", `{"name":"phone","sip":{"username":"Ann"}}`)
	registering(6, "bob", `{"name":"own","sip":{"username":"bob","realm":"old.example.com"}}`)
	o.trunk = device(7, `{"name":"trunk","sip":{"username":"Trunk1","method":"ip","ip":"192.0.2.1"}}`)
	for at, mac := range []string{"001565aabb01", "001565aabb02", "001565aabb02", ""} {
		exec(`INSERT INTO fetches (account_id, mac, file, method, status, etag, bytes, source, user_agent, firmware, duration, fetched)
			VALUES (?, ?, 'f', 'GET', 404, '', 0, '', ?, '', 0, ?)`, oldAccount, mac, fmt.Sprint("at ", at), at)
	}
	exec("UPDATE devices SET mac = '001565aabb01' WHERE id = ?", o.phone)
	for id, status := range map[string]int{o.desk: 200, o.trunk: 404} {
		exec(`INSERT INTO fetches (account_id, device_id, mac, file, method, status, etag, bytes, source, user_agent, firmware, duration, fetched)
			VALUES (?, ?, '', 'f', 'GET', ?, '', 0, ?, '', '', 0, 0)`, oldAccount, id, status, fmt.Sprint("192.0.2.", status))
	}
	o.deep = device(8, fmt.Sprintf(`{"name":"deep","custom":%s,"device_type":"mobile","mobile":{"mdn":"+14155550777"}}`, nested(50)))
	return o
}

func (o older) check(t *testing.T, s *sqlstore.Store) {
	t.Helper()
	desks, err := s.Hotdesks(t.Context(), oldAccount, 10)
	want := []models.Hotdesk{{UserID: o.ann, DeviceID: o.desk, DeviceName: "x"}, {UserID: o.bob, DeviceID: o.desk, DeviceName: "x"}}
	if diff := cmp.Diff(want, desks); diff != "" || err != nil {
		t.Errorf("hotdesks: %v, %s", err, diff)
	}
	theirs, err := s.ListUserDevices(t.Context(), oldAccount, o.bob, models.Listing{Limit: 10})
	if err != nil || len(theirs) != 1 || theirs[0].ID != o.desk {
		t.Errorf("devices of a user: %v, %v", theirs, err)
	}
	for _, id := range []string{"1001", "n0", fmt.Sprintf("n%d", oldUsers-1)} {
		u := &models.User{AccountID: oldAccount, Document: document(t, `{"hotdesk":{"id":"`+id+`"}}`)}
		taken, err := s.UserTaken(t.Context(), u)
		if err != nil || len(taken) != 1 || taken[0].Field != "hotdesk.id" {
			t.Errorf("hotdesk id %s: taken %v, %v", id, taken, err)
		}
	}
	unknown, err := s.UnknownDevices(t.Context(), oldAccount, "", 10)
	if err != nil || len(unknown) != 1 || unknown[0].MAC != "001565aabb02" || unknown[0].Requests != 2 || unknown[0].UserAgent != "at 2" {
		t.Errorf("unknown devices: %+v, %v", unknown, err)
	}
	for username, want := range map[string]string{"ann": o.phone, "trunk1": o.trunk} {
		if p, err := s.PhoneByUsername(t.Context(), oldAccount, username); err != nil || p.Device.ID != want {
			t.Errorf("phone %s: %v, %v", username, p, err)
		}
	}
	for id, want := range map[string]bool{o.desk: true, o.trunk: false, o.mobile: false} {
		if d, err := s.Device(t.Context(), oldAccount, id); err != nil || d.CameBefore != want {
			t.Errorf("device %s: %+v, %v, want it to have come before: %t", id, d, err, want)
		}
	}
	for source, want := range map[string]bool{"192.0.2.200": true, "192.0.2.404": false} {
		if known, err := s.SourceKnown(t.Context(), oldAccount, source); err != nil || known != want {
			t.Errorf("source %s: got %t, %v, want it known: %t", source, known, err, want)
		}
	}
	if _, err := updateAccount(t.Context(), s, oldAccount, setMember("realm", "new.example.com")); err != nil {
		t.Fatal(err)
	}
	for username, realm := range map[string]string{"ann": "new.example.com", "bob": "old.example.com"} {
		if _, err := s.PhoneByAOR(t.Context(), username, realm); err != nil {
			t.Errorf("%s@%s: %v", username, realm, err)
		}
	}
	for mdn, want := range map[string][]string{"+14155550100": {"mobile.mdn"}, "+14155550777": {"mobile.mdn"}, "+14155550199": nil} {
		d := newDevice(t, oldAccount, `{"name":"x","device_type":"mobile","mobile":{"mdn":"`+mdn+`"}}`)
		taken, err := s.DeviceTaken(t.Context(), phoneOf(t, s, d))
		var fields []string
		for _, one := range taken {
			fields = append(fields, one.Field)
		}
		if err != nil || !slices.Equal(fields, want) {
			t.Errorf("number %s: taken %v, %v, want %v", mdn, fields, err, want)
		}
	}
}
