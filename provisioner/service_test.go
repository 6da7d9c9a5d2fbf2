package provisioner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dialtone/models"
)

// fakeStore holds users, fetches and uploads; err makes every call fail.
type fakeStore struct {
	users   []*models.User
	fetches []models.Fetch
	uploads []models.Upload
	err     error
	calls   int
}

func (s *fakeStore) UsersByID(_ context.Context, _ string, ids []string) ([]*models.User, error) {
	s.calls++
	var found []*models.User
	for _, u := range s.users {
		if slices.Contains(ids, u.ID) {
			found = append(found, u)
		}
	}
	return found, s.err
}

func (s *fakeStore) Users(_ context.Context, _, after string, limit int) ([]*models.User, error) {
	var found []*models.User
	for _, u := range s.users {
		if u.ID > after && len(found) < limit {
			found = append(found, u)
		}
	}
	s.calls++
	return found, s.err
}

func (s *fakeStore) LastFetches(context.Context, string) ([]models.Fetch, error) {
	return s.fetches, s.err
}

func (s *fakeStore) Uploads(context.Context, string) ([]models.Upload, error) {
	return s.uploads, s.err
}

func acmePhone(t testing.TB) *models.Phone {
	t.Helper()
	return newPhone(t, `{"name": "Acme", "realm": "acme.example.com"}`, "",
		`{"name": "Desk", "mac_address": "001122334455", "sip": {"username": "ann", "password": "secret"},
		  "provision": {"endpoint_brand": "acme", "endpoint_family": "t1x", "endpoint_model": "t11"}}`)
}

func TestDeviceFile(t *testing.T) {
	s := NewService(&fakeStore{}, loadAcme(t, nil), Options{BaseURL: "http://host:8080/"})
	phone := acmePhone(t)
	f, err := s.DeviceFile(t.Context(), phone, "001122334455.txt")
	if err != nil {
		t.Fatal(err)
	}
	if f.Name != "001122334455.txt" || f.Role != "settings" || f.ContentType != "text/plain" || !f.Settings || string(f.Body) != "name = Desk\n" {
		t.Errorf("got %+v, body %q", f, f.Body)
	}
	if len(f.ETag) != 32 || strings.Trim(f.ETag, "0123456789abcdef") != "" {
		t.Errorf("ETag %q, want 32 hex digits", f.ETag)
	}
	other := acmePhone(t)
	other.Device.Provision.Brand = "other"
	tests := []struct {
		name  string
		phone *models.Phone
		file  string
	}{
		{"unknown file", phone, "001122334455.nope"},
		{"another phone's file", phone, "001122334456.txt"},
		{"another brand", other, "001122334455.txt"},
		{"traversal", phone, "../001122334455.txt"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := s.DeviceFile(t.Context(), tt.phone, tt.file); !errors.Is(err, models.ErrNotFound) {
				t.Errorf("got %v, want not found", err)
			}
		})
	}
}

// A file is written for the firmware that the phone has.
func TestFirmware(t *testing.T) {
	catalog := loadAcme(t, map[string]string{
		"acme/settings.tpl": "firmware = {{ phone.firmware }}\ngeneration = {{ phone.generation }}\n",
		"acme/common.tpl":   "generation = {{ phone.generation }}\n",
	})
	store := &fakeStore{}
	s := NewService(store, catalog, Options{})
	tests := []struct{ firmware, generation string }{
		{"", "0"},
		{"86.1", "86"},
		{"85.7.2", "85"},
		{"beta", "0"},
		{"99999999999999999999.1", "65535"},
	}
	for _, tt := range tests {
		phone := acmePhone(t)
		phone.Firmware = tt.firmware
		f, err := s.DeviceFile(t.Context(), phone, "001122334455.txt")
		if want := "firmware = " + tt.firmware + "\ngeneration = " + tt.generation + "\n"; err != nil || string(f.Body) != want {
			t.Errorf("%q: got %q, %v; want %q", tt.firmware, f.Body, err, want)
		}
		if f, err := s.DeviceFile(t.Context(), phone, "m11.txt"); err != nil || string(f.Body) != "generation = "+tt.generation+"\n" {
			t.Errorf("%q: common file %q, %v", tt.firmware, f.Body, err)
		}
		if f, err := s.CommonFile(t.Context(), phone.Account, UserAgent{Firmware: tt.firmware}, "m11.txt"); err != nil || string(f.Body) != "generation = "+tt.generation+"\n" {
			t.Errorf("%q: common file %q, %v", tt.firmware, f.Body, err)
		}
	}
	phone := acmePhone(t)
	phone.Firmware = "86.1"
	f, err := s.DeviceFile(t.Context(), phone, "001122334455.txt")
	if err != nil {
		t.Fatal(err)
	}
	store.fetches = []models.Fetch{{File: f.Name, Method: "GET", Status: 200, ETag: f.ETag, At: time.Unix(100, 0)}}
	for firmware, want := range map[string]string{"86.1": StateInSync, "86.2": StateBehind} {
		phone.Firmware = firmware
		if r, err := s.Report(t.Context(), phone); err != nil || r.State != want {
			t.Errorf("%s recorded: state %q, %v; want %q", firmware, r.State, err, want)
		}
	}
}

// The phonebook is in the files that say so, follows every change of a user,
// and is not read again without one.
func TestPhonebook(t *testing.T) {
	manifest := strings.Replace(acmeManifest, "files:\n", `files:
  - {role: book, path: "{mac}-book.txt", template: book.tpl, format: ini, content_type: text/plain, phonebook: true}
  - {role: everybody, path: "m{number}-book.txt", template: book.tpl, format: ini, content_type: text/plain, phonebook: true}
  - {role: all, path: "all-book.txt", template: book.tpl, format: ini, content_type: text/plain, phonebook: true}
`, 1)
	manifest = strings.Replace(manifest, "t12: {", "t12: {phonebook_entries: 3, ", 1)
	catalog := loadAcme(t, map[string]string{"acme/manifest.yaml": manifest, "acme/settings.tpl": "entries = {{ phonebook.entries|length }} {{ phonebook.url }}\n",
		"acme/book.tpl": "name = {{ phonebook.name }}\n{% for e in phonebook.entries %}e{{ forloop.Counter }} = {{ e.number }} {{ e.name }}/{{ e.first_name }}/{{ e.last_name }}\n{% endfor %}"})
	user := func(n int, text string) *models.User { return newUser(t, fmt.Sprintf("%032d", n), text) }
	store := &fakeStore{users: []*models.User{
		user(1, `{"first_name": "zoe", "last_name": "Ray", "presence_id": "1003@acme.example.com"}`),
		user(2, `{"first_name": "Ann", "presence_id": "1001"}`),
		user(3, `{"first_name": "Hidden", "presence_id": "1004", "contact_list": {"exclude": true}}`),
		user(4, `{"first_name": "No extension"}`),
		user(5, `{"presence_id": "1005"}`),
		user(6, `{"first_name": "Gone", "presence_id": "1006", "enabled": false}`),
		user(7, `{"first_name": "Zed second", "presence_id": "1001"}`),
	}}
	changes := int64(0)
	s := NewService(store, catalog, Options{BaseURL: "http://host"})
	get := func(name string) string {
		t.Helper()
		phone := acmePhone(t)
		phone.Account.UserChanges = changes
		f, err := s.DeviceFile(t.Context(), phone, name)
		if err != nil {
			t.Fatal(err)
		}
		return string(f.Body)
	}
	want := "name = Acme\ne1 = 1001 Ann/Ann/\ne2 = 1003 zoe Ray/zoe/Ray\n"
	for _, name := range []string{"001122334455-book.txt", "m11-book.txt"} {
		if got := get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := get("001122334455.txt"); got != "entries = 0 http://host/p/token/001122334455-book.txt\n" {
		t.Errorf("a file without the phonebook: %q", got)
	}
	calls := store.calls
	if got := get("m11-book.txt"); got != want || store.calls != calls {
		t.Errorf("again: %q after %d reads of users, want none", got, store.calls-calls)
	}
	changes++
	if err := store.users[1].SetDocument(document(t, `{"first_name": "Eve", "presence_id": "1001"}`)); err != nil {
		t.Fatal(err)
	}
	if got := get("m11-book.txt"); !strings.Contains(got, "e1 = 1001 Eve/") {
		t.Errorf("after a change: %q", got)
	}
	store.users = nil
	changes++
	for n := range 1200 {
		store.users = append(store.users, user(n, fmt.Sprintf(`{"first_name": "U%05d", "presence_id": "%d"}`, 2000-n, n)))
	}
	if got := get("m11-book.txt"); strings.Count(got, "\n") != 1001 || !strings.Contains(got, "e1 = 1199 U00801/") || !strings.Contains(got, "e1000 = 200 U01800/") {
		t.Errorf("of 1200 users: %d lines", strings.Count(got, "\n"))
	}
	if got := get("m12-book.txt"); strings.Count(got, "\n") != 4 {
		t.Errorf("of 1200 users for a model with room for 3: %q", got)
	}
	// Of a file for all models, the one that asks decides.
	account := *acmePhone(t).Account
	account.UserChanges = changes
	for model, want := range map[string]int{"T12": 3, "T11": 1000, "": 1000} {
		f, err := s.CommonFile(t.Context(), &account, UserAgent{Brand: "acme", Model: model}, "all-book.txt")
		if err != nil || strings.Count(string(f.Body), "\n") != want+1 {
			t.Errorf("for all, %q: %d lines, %v, want %d entries", model, strings.Count(string(f.Body), "\n"), err, want)
		}
	}
	phone := acmePhone(t)
	phone.Account = &account
	phone.Device.Provision.Model = "t12"
	if f, err := s.DeviceFile(t.Context(), phone, "all-book.txt"); err != nil || strings.Count(string(f.Body), "\n") != 4 {
		t.Errorf("for all, of a device with room for 3: %q, %v", f.Body, err)
	}
	store.err = models.ErrUnavailable
	account.UserChanges = changes + 1
	if _, err := s.CommonFile(t.Context(), &account, UserAgent{}, "m11-book.txt"); !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("store down: got %v", err)
	}
}

// A phone that hangs up does not take the phonebook from those that wait for
// the same.
func TestFirstCallerHangsUp(t *testing.T) {
	manifest := strings.Replace(acmeManifest, "files:\n", `files:
  - {role: book, path: "book.txt", template: book.tpl, format: ini, content_type: text/plain, phonebook: true}
`, 1)
	catalog := loadAcme(t, map[string]string{"acme/manifest.yaml": manifest, "acme/book.tpl": "entries = {{ phonebook.entries|length }}\n"})
	ctx, hangUp := context.WithCancel(t.Context())
	store := hangingStore{&fakeStore{users: []*models.User{newUser(t, annID, `{"first_name": "Ann", "presence_id": "1001"}`)}}, hangUp}
	s := NewService(store, catalog, Options{})
	if _, err := s.CommonFile(ctx, acmePhone(t).Account, UserAgent{}, "book.txt"); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("who hung up: got %v", err)
	}
	f, err := s.CommonFile(t.Context(), acmePhone(t).Account, UserAgent{}, "book.txt")
	if err != nil || string(f.Body) != "entries = 1\n" || store.calls != 1 {
		t.Errorf("got %q after %d reads of users, %v; want one read", f.Body, store.calls, err)
	}
}

// In a hangingStore the caller hangs up while users are read.
type hangingStore struct {
	*fakeStore
	hangUp func()
}

func (s hangingStore) Users(ctx context.Context, account, after string, limit int) ([]*models.User, error) {
	s.hangUp()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.fakeStore.Users(ctx, account, after, limit)
}

// Versions of firmware that a phone makes up do not fill the cache: templates
// that read the generation alone are rendered once for each, and of others the
// phone's last file is kept.
func TestInventedFirmware(t *testing.T) {
	for template, want := range map[string]int{
		"name = x\n": 2, "generation = {{ phone.generation }}\n": 2, "firmware = {{ phone.firmware }}\n": 6,
		"{% with p=phone %}firmware = {{ p.firmware }}\n{% endwith %}": 6,
	} {
		s := NewService(&fakeStore{}, loadAcme(t, map[string]string{"acme/settings.tpl": template}), Options{})
		rendered := 0
		s.render = func(c *Catalog, name string, rule *FileRule, in viewInput) (File, error) {
			rendered++
			return c.renderFile(name, rule, in)
		}
		for _, firmware := range []string{"86.1", "86.2", "86.1", "86.3-invented", "85.1", "85.2"} {
			phone := acmePhone(t)
			phone.Firmware = firmware
			if _, err := s.DeviceFile(t.Context(), phone, "001122334455.txt"); err != nil {
				t.Fatal(err)
			}
		}
		if rendered != want {
			t.Errorf("%q: rendered %d times, want %d", template, rendered, want)
		}
	}
}

// lineOf is a further line of a phone.
func lineOf(t *testing.T, phone *models.Phone, number int, owner, device string) models.Line {
	t.Helper()
	line := newPhone(t, `{}`, owner, device)
	line.Account, line.Device.ID = phone.Account, fmt.Sprintf("%032d", number)
	return models.Line{Number: number, Phone: line}
}

// A further line is what its own device, its owner and the account say. Those
// without a username, and those that the model has not, are left out.
func TestLines(t *testing.T) {
	catalog := loadAcme(t, map[string]string{"acme/settings.tpl": `{% for line in lines %}
line.{{ line.number }} = {{ line.device_id }} {{ line.username }} {{ line.password }} {{ line.label }} {{ line.expires }} {{ line.dtmf }} {{ line.codecs.on.0.code }}
{% endfor %}
`})
	phone := acmePhone(t)
	phone.Device.Document.Set("provision.endpoint_model", "t12")
	phone.Device.Document.Set("provision.dtmf", "info")
	phone.Device.Document.Set("media.audio.codecs", []any{"PCMU"})
	if err := phone.Device.SetDocument(phone.Device.Document); err != nil {
		t.Fatal(err)
	}
	phone.Lines = []models.Line{
		lineOf(t, phone, 2, `{"first_name": "Bob", "provision": {"dtmf": "inband"}}`, `{"name": "Hotline", "sip": {"username": "hot", "password": "hot-secret", "expire_seconds": 60}}`),
		lineOf(t, phone, 3, "", `{"sip": {"username": "beyond"}}`),
	}
	store := &fakeStore{}
	s := NewService(store, catalog, Options{})
	render := func() File {
		t.Helper()
		f, err := s.DeviceFile(t.Context(), phone, "001122334455.txt")
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	const first = "line.1 = " + deviceID + " ann secret Desk 300 info mu\n"
	f := render()
	if want := first + "line.2 = 00000000000000000000000000000002 hot hot-secret Bob 60 inband a\n"; squeeze(f.Body) != want {
		t.Errorf("got %q, want %q", f.Body, want)
	}

	// What changes of the line's device shows, and the phone has something older.
	store.fetches = []models.Fetch{{File: f.Name, Method: "GET", Status: 200, ETag: f.ETag, At: time.Unix(100, 0)}}
	state := func() string {
		t.Helper()
		r, err := s.Report(t.Context(), phone)
		if err != nil {
			t.Fatal(err)
		}
		return r.State
	}
	if got := state(); got != StateInSync {
		t.Errorf("state %q, want in_sync", got)
	}
	hot := phone.Lines[0].Phone
	hot.Device.Document.Set("enabled", false)
	hot.Device.Revision = "2-d"
	if err := hot.Device.SetDocument(hot.Device.Document); err != nil {
		t.Fatal(err)
	}
	if want := first + "line.2 = 00000000000000000000000000000002 hot  Bob 60 inband a\n"; squeeze(render().Body) != want {
		t.Errorf("disabled: got %q, want %q", render().Body, want)
	}
	if got := state(); got != StateBehind {
		t.Errorf("after a change of the line: state %q, want behind", got)
	}
	masked, err := s.Preview(t.Context(), phone, "001122334455.txt", false)
	if err != nil || strings.Contains(string(masked.Body), "secret") || !strings.Contains(string(masked.Body), " hot ") {
		t.Errorf("preview %q, %v", masked.Body, err)
	}
	hot.Owner.Document.Set("first_name", "Eve")
	hot.Owner.Revision = "2-u"
	if err := hot.Owner.SetDocument(hot.Owner.Document); err != nil || !strings.Contains(string(render().Body), " Eve ") {
		t.Errorf("after a change of the line's owner: %q, %v", render().Body, err)
	}
	phone.Lines = phone.Lines[1:]
	if got := squeeze(render().Body); got != first {
		t.Errorf("without the line: got %q", got)
	}
}

// squeeze drops empty lines.
func squeeze(body []byte) string {
	return strings.TrimLeft(strings.ReplaceAll(string(body), "\n\n", "\n"), "\n")
}

func TestCommonFile(t *testing.T) {
	s := NewService(&fakeStore{}, loadAcme(t, nil), Options{})
	phone := acmePhone(t)
	common, err := s.CommonFile(t.Context(), phone.Account, UserAgent{}, "m12.txt")
	if err != nil || string(common.Body) != "realm = acme.example.com\n" {
		t.Fatalf("got %q, %v", common.Body, err)
	}
	same, err := s.DeviceFile(t.Context(), phone, "m12.txt")
	if err != nil || same.ETag != common.ETag {
		t.Errorf("asked by a phone: ETag %q, %v; want %q", same.ETag, err, common.ETag)
	}
	for _, name := range []string{"001122334455.txt", "m99.txt", ""} {
		if _, err := s.CommonFile(t.Context(), phone.Account, UserAgent{}, name); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("%q: got %v, want not found", name, err)
		}
	}
}

func TestCommonFileOfFirstBrand(t *testing.T) {
	s := NewService(&fakeStore{}, builtinCatalog(t), Options{})
	account := newPhone(t, `{"timezone": "Europe/Berlin"}`, "", `{}`).Account
	for _, name := range []string{"000000000000.cfg", "site.cfg", "y000000000108.cfg"} {
		if f, err := s.CommonFile(t.Context(), account, UserAgent{}, name); err != nil || len(f.Body) == 0 || f.Settings {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}

// What changes a file, and what does not.
func TestDeviceFileFreshness(t *testing.T) {
	text := "user = {{ keys.combo.0.value }}\nurl = {{ server.url }}\npassword = {{ server.password }}\nowner = {{ owner.label }}\nrealm = {{ lines.0.realm }}\nproxy = {{ lines.0.proxy }}\n"
	store := &fakeStore{users: []*models.User{newUser(t, bobID, `{"first_name": "Bob", "presence_id": "1002"}`)}}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := NewService(store, loadAcme(t, map[string]string{"acme/settings.tpl": text}), Options{BaseURL: "http://host", Registrar: "r", Now: func() time.Time { return now }})
	phone := newPhone(t, `{"realm": "acme.example.com"}`, `{"first_name": "Ann"}`, `{"mac_address": "001122334455", "sip": {"username": "ann"},
		"provision": {"endpoint_brand": "acme", "combo_keys": {"1": {"type": "presence", "value": "`+bobID+`"}}}}`)
	render := func() string {
		t.Helper()
		f, err := s.DeviceFile(t.Context(), phone, "001122334455.txt")
		if err != nil {
			t.Fatal(err)
		}
		return string(f.Body)
	}
	last := render()
	steps := []struct {
		name   string
		change func()
		want   string
	}{
		{"nothing", func() {}, ""},
		{"the day", func() { now = now.AddDate(0, 0, 1) }, ""},
		{"a key's user", func() {
			store.users[0] = newUser(t, bobID, `{"first_name": "Bob", "presence_id": "1009"}`)
			phone.Account.UserChanges++
		}, "user = 1009"},
		{"a key's user gone", func() { store.users, phone.Account.UserChanges = nil, 2 }, "user = \n"},
		{"the owner", func() {
			phone.Owner = newUser(t, annID, `{"first_name": "Anna"}`)
			phone.Owner.Revision = "2-u"
		}, "owner = Anna"},
		{"no owner", func() { phone.Owner = nil }, "owner = \n"},
		{"the account", func() {
			phone.Account.Revision = "2-a"
			if err := phone.Account.SetDocument(document(t, `{"realm": "new.example.com"}`)); err != nil {
				t.Fatal(err)
			}
		}, "realm = new.example.com"},
		{"the path token", func() { phone.Account.Revision, phone.Account.PathToken = "3-a", "rotated" }, "/p/rotated/"},
		{"the phone's password", func() { phone.Device.Revision, phone.Device.HTTPPassword = "2-d", "rotated" }, "password = rotated"},
		{"the device", func() {
			phone.Device.Revision = "3-d"
			phone.Device.Document.Set("sip.proxy", "p.example.com")
		}, "proxy = p.example.com"},
		{"the templates", func() { s.Swap(loadAcme(t, nil)) }, "name = "},
	}
	for _, step := range steps {
		step.change()
		got := render()
		if step.want == "" && got != last {
			t.Errorf("%s changed the file:\n%s", step.name, got)
		}
		if !strings.Contains(got, step.want) {
			t.Errorf("%s: want %q in:\n%s", step.name, step.want, got)
		}
		last = got
	}
}

func TestUsersReadOnce(t *testing.T) {
	store := &fakeStore{}
	s := NewService(store, loadAcme(t, nil), Options{})
	phone := acmePhone(t)
	if _, err := s.DeviceFile(t.Context(), phone, "001122334455.txt"); err != nil || store.calls != 0 {
		t.Errorf("no keys: %d queries, %v; want none", store.calls, err)
	}
	phone.Device.Document.Set("provision.feature_keys", map[string]any{
		"0": map[string]any{"type": "presence", "value": annID}, "1": map[string]any{"type": "presence", "value": bobID}})
	if err := phone.Device.SetDocument(phone.Device.Document); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DeviceFile(t.Context(), phone, "001122334455.txt"); err != nil || store.calls != 1 {
		t.Errorf("two users: %d queries, %v; want one", store.calls, err)
	}
	if _, err := s.DeviceFile(t.Context(), phone, "001122334455.txt"); err != nil || store.calls != 1 {
		t.Errorf("the same again: %d queries, %v; want none more", store.calls, err)
	}
	phone.Account.UserChanges++
	store.err = models.ErrUnavailable
	if _, err := s.DeviceFile(t.Context(), phone, "001122334455.txt"); !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("store down: got %v", err)
	}
}

// A template that fails only for some device is an ordinary error that names
// device, role, template and line; it is not kept.
func TestRenderFailure(t *testing.T) {
	s := NewService(&fakeStore{}, loadAcme(t, map[string]string{
		"acme/settings.tpl": "a = 1\n{% if device.name == \"boom\" %}a = 2{% endif %}\n",
		"acme/page.tpl":     "<a\nb=\"{{ device.name|upper }}\"/>\n",
	}), Options{})
	phone := acmePhone(t)
	phone.Device.Name = "boom"
	phone.Device.Document.Set("name", "boom")
	_, err := s.DeviceFile(t.Context(), phone, "001122334455.txt")
	if err == nil || errors.Is(err, models.ErrNotFound) {
		t.Fatalf("got %v, want an ordinary error", err)
	}
	for _, part := range []string{deviceID, "settings", "acme/settings.tpl", "line 2"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not name %q", err, part)
		}
	}
	phone.Device.Document.Set("name", "A & B") // upper makes &AMP; of it
	if _, err := s.DeviceFile(t.Context(), phone, "001122334455.xml"); err == nil {
		t.Error("a broken XML file was served")
	}
}

func TestSyncEvent(t *testing.T) {
	s := NewService(&fakeStore{}, builtinCatalog(t), Options{})
	tests := []struct {
		name, provision string
		mode            SyncMode
		want            string
	}{
		{"resync", `{"endpoint_brand": "yealink"}`, SyncPlain, "check-sync;reboot=false"},
		{"reboot", `{"endpoint_brand": "yealink"}`, SyncReboot, "check-sync;reboot=true"},
		{"other brand", `{"endpoint_brand": "polycom"}`, SyncReboot, "check-sync"},
		{"unknown brand", `{"endpoint_brand": "acme"}`, SyncReboot, "check-sync"},
		{"own event", `{"endpoint_brand": "yealink", "check_sync_event": "resync"}`, SyncReboot, "resync"},
		{"own reboot", `{"check_sync_event": "resync", "check_sync_reboot": "reboot=now"}`, SyncReboot, "resync;reboot=now"},
		{"own reload", `{"check_sync_event": "resync", "check_sync_reload": "reboot=no"}`, SyncReload, "resync;reboot=no"},
		{"own plain", `{"check_sync_event": "resync", "check_sync_reload": "reboot=no"}`, SyncPlain, "resync"},
		{"own reboot of the usual event", `{"endpoint_brand": "yealink", "check_sync_reboot": "now"}`, SyncReboot, "check-sync;now"},
		{"reload", `{"endpoint_brand": "yealink"}`, SyncReload, "check-sync;reboot=false"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			phone := newPhone(t, `{}`, "", `{"provision": `+tt.provision+`}`)
			if got := s.SyncEvent(phone, tt.mode); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAutoAnswer(t *testing.T) {
	s := NewService(&fakeStore{}, builtinCatalog(t), Options{})
	for brand, want := range map[string][]string{
		"acme":    {"Call-Info: <sip:acme.example.com>;answer-after=0"},
		"yealink": {"Call-Info: <sip:acme.example.com>;answer-after=0", "Alert-Info: <sip:acme.example.com>;info=alert-autoanswer;delay=0"},
	} {
		phone := newPhone(t, `{"realm": "acme.example.com"}`, "", `{"provision": {"endpoint_brand": "`+brand+`"}}`)
		if got := s.AutoAnswer(phone); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", brand, got, want)
		}
	}
}

func TestPnP(t *testing.T) {
	s := NewService(nil, builtinCatalog(t), Options{BaseURL: "http://host:8080"})
	account := acmePhone(t).Account
	mac := models.MAC{0x00, 0x15, 0x65, 0xaa, 0xbb, 0xcc}
	tests := []struct{ brand, vendor, want string }{
		{"yealink", "OEM", "http://host:8080/p/token/"},
		{"", "YeaLink", "http://host:8080/p/token/"},
		{"", "snom", "http://host:8080/p/token/"},
		{"", "Fanvil", "http://host:8080/p/token/001565aabbcc.cfg"},
		{"", "OEM", ""},
		{"", "", ""},
		{"polycom", "yealink", ""}, // whose phones do not ask
		{"acme", "yealink", ""},
	}
	for _, tt := range tests {
		contentType, body, ok := s.PnP(account, tt.brand, tt.vendor, mac)
		if ok != (tt.want != "") || string(body) != tt.want || ok && contentType != "application/url" {
			t.Errorf("%s, %s: got %s %q, %v; want %q", tt.brand, tt.vendor, contentType, body, ok, tt.want)
		}
	}
	if _, _, ok := NewService(nil, builtinCatalog(t), Options{}).PnP(account, "yealink", "", mac); ok {
		t.Error("an URL that is not known was told")
	}
}

func TestURL(t *testing.T) {
	account := acmePhone(t).Account
	for base, want := range map[string]string{"http://host:8080": "http://host:8080/p/token/", "": ""} {
		if got := NewService(nil, nil, Options{BaseURL: base}).URL(account); got != want {
			t.Errorf("base %q: got %q, want %q", base, got, want)
		}
	}
}

// The same inputs give the same bytes, in a new service as well.
func TestByteStable(t *testing.T) {
	c := builtinCatalog(t)
	for _, brand := range c.Brands() {
		first := renderHostile(t, c, brand, "x")
		for range 5 {
			for file, body := range renderHostile(t, c, brand, "x") {
				if body != first[file] {
					t.Errorf("%s: %s differs between renderings", brand, file)
				}
			}
		}
	}
}
