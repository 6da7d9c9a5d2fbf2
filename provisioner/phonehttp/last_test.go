package phonehttp_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"dialtone/models"
	"dialtone/models/sqlstore"
	"dialtone/provisioner"
	"dialtone/provisioner/phonehttp"
	"dialtone/templates"
)

// An outage is a site whose database and clock can be played with.
type outage struct {
	*site
	handler *phonehttp.Handler
	files   *provisioner.Service
	follow  func(context.Context) error // what other servers changed

	mu   sync.Mutex
	down error         // of the database, nil = it works
	hang bool          // it answers nobody
	jump time.Duration // of the clock
}

var errDown = fmt.Errorf("read: %w: dial tcp: refused", models.ErrUnavailable)

const (
	staleFor = 24 * time.Hour
	yealink  = "Yealink SIP-T46U 108.86.0.20 00:15:65:aa:bb:cc"
)

func newOutage(t *testing.T) *outage {
	t.Helper()
	o := &outage{}
	o.site = newSite(t, func(c *phonehttp.Config) {
		o.files = provisioner.NewService(&brokenStore{c.Store.(*flakyStore).Store, o}, builtin(t), provisioner.Options{BaseURL: "http://phones.example.com", Now: o.now})
		c.Store, c.Files, c.StaleFor, c.Now = &brokenStore{c.Store.(*flakyStore).Store, o}, o.files, staleFor, o.now
		o.handler = phonehttp.New(*c)
	})
	o.Config.Handler = o.handler
	o.follow = o.handler.Follower(o.store)
	return o
}

func (o *outage) now() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return time.Now().Add(o.jump)
}

func (o *outage) set(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

func (o *outage) state(ctx context.Context) error {
	o.mu.Lock()
	down, hang := o.down, o.hang
	o.mu.Unlock()
	if hang {
		<-ctx.Done()
		return fmt.Errorf("read: %w", ctx.Err())
	}
	return down
}

// A brokenStore fails as its outage says.
type brokenStore struct {
	*sqlstore.Store
	outage *outage
}

func (b *brokenStore) PhoneByMAC(ctx context.Context, mac models.MAC) (*models.Phone, error) {
	if err := b.outage.state(ctx); err != nil {
		return nil, err
	}
	return b.Store.PhoneByMAC(ctx, mac)
}

func (b *brokenStore) AccountByPathToken(ctx context.Context, token models.Secret) (*models.Account, error) {
	if err := b.outage.state(ctx); err != nil {
		return nil, err
	}
	return b.Store.AccountByPathToken(ctx, token)
}

func (b *brokenStore) Upload(ctx context.Context, deviceID, name string) (*models.Upload, error) {
	if err := b.outage.state(ctx); err != nil {
		return nil, err
	}
	return b.Store.Upload(ctx, deviceID, name)
}

// get asks as the Yealink phone does.
func (o *outage) get(t *testing.T, file string) answer {
	t.Helper()
	return o.do(t, "GET", o.token(file), "User-Agent", yealink)
}

// wants compares an answer with a good one, or with "come back later".
func (a answer) wants(t *testing.T, name string, good *answer) {
	t.Helper()
	if good == nil {
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || strings.Contains(a.body, "dial") {
			t.Errorf("%s: got %d, Retry-After %q, %d bytes; want 503 without details", name, a.status, a.header.Get("Retry-After"), len(a.body))
		}
		return
	}
	if a.status != http.StatusOK || a.body != good.body || a.header.Get("ETag") != good.header.Get("ETag") || a.header.Get("Content-Type") != good.header.Get("Content-Type") {
		t.Errorf("%s: got %d, ETag %s, %d bytes; want 200, %s, %d bytes", name, a.status, a.header.Get("ETag"), len(a.body), good.header.Get("ETag"), len(good.body))
	}
}

// Without the database a phone gets the file that it got last, by token and by
// digest; what nobody fetched, and whoever is not known, is told to come back.
func TestLastGoodFile(t *testing.T) {
	for name, fail := range map[string]func(*outage){
		"refused": func(o *outage) { o.down = errDown },
		"hanging": func(o *outage) { o.hang = true; o.handler.SetPatience(50 * time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOutage(t)
			files := []string{"001565aabbcc.boot", "001565aabbcc.cfg", "y000000000108.cfg"}
			good := map[string]answer{}
			for _, file := range files {
				good[file] = o.get(t, file)
			}
			byDigest := o.digest(t, "GET", "/001565aabbcc.cfg", "001565aabbcc", o.yealink.HTTPPassword)
			byDigest.wants(t, "by digest", new(good["001565aabbcc.cfg"]))
			o.set(func() { fail(o) })
			for _, file := range files {
				o.get(t, file).wants(t, file, new(good[file]))
			}
			o.digest(t, "GET", "/001565aabbcc.cfg", "001565aabbcc", o.yealink.HTTPPassword).wants(t, "by digest, database away", &byDigest)
			if got := o.do(t, "GET", o.token("001565aabbcc.cfg"), "If-None-Match", byDigest.header.Get("ETag")); got.status != http.StatusNotModified {
				t.Errorf("If-None-Match: got %d, want 304", got.status)
			}
			o.do(t, "GET", o.token("0004f2aabbcc.cfg")).wants(t, "never fetched", nil)
			o.do(t, "GET", o.token("001565000000.cfg")).wants(t, "unknown MAC", nil)
			o.do(t, "GET", o.token("001565aabbcc-local.cfg")).wants(t, "what the phone stores", nil)
			o.do(t, "PUT", o.token("001565aabbcc-local.cfg")).wants(t, "storing", nil)
			o.digest(t, "GET", "/001565aabbcc.cfg", "001565aabbcc", "guess").wants(t, "wrong password", nil)
			o.digest(t, "GET", "/0004f2aabbcc.cfg", "0004f2aabbcc", "guess").wants(t, "wrong password of who is not known", nil)
			o.do(t, "GET", "/p/wrong/001565aabbcc.cfg").wants(t, "wrong token", nil)
			o.digest(t, "GET", "/0004f2aabbcc.cfg", "001565aabbcc", o.yealink.HTTPPassword).wants(t, "another phone's file", nil)
			if log := o.log.String(); !strings.Contains(log, `msg="last good file served" file=001565aabbcc.cfg`) {
				t.Errorf("it is not logged:\n%s", log)
			}
		})
	}
}

// The last good file is not served for longer than phones.stale_for after it
// was right, wherever the clock jumps; and it is the newest that was right.
func TestLastGoodFileEnds(t *testing.T) {
	o := newOutage(t)
	first := o.get(t, "001565aabbcc.cfg")
	o.set(func() { o.jump = 5 * time.Minute })
	o.edit(t, o.yealink, models.Document{"name": "Anne"})
	second := o.get(t, "001565aabbcc.cfg")
	if first.body == second.body {
		t.Fatal("the change made no other file")
	}
	for _, tt := range []struct {
		jump time.Duration
		down bool
		want *answer
	}{
		{staleFor - time.Hour, false, &second}, // right at that time, too
		{2*staleFor - 2*time.Hour, true, &second},
		{2*staleFor + time.Hour, true, nil},
		{10 * 365 * staleFor, true, nil},
		{-10 * 365 * staleFor, true, &second},
		{-10 * 365 * staleFor, false, &second},
		{10 * 365 * staleFor, false, &second},
	} {
		o.set(func() {
			o.jump, o.down = tt.jump, nil
			if tt.down {
				o.down = errDown
			}
		})
		o.get(t, "001565aabbcc.cfg").wants(t, fmt.Sprintf("clock at %v, down %v", tt.jump, tt.down), tt.want)
	}
}

// edit changes members of a device.
func (o *outage) edit(t *testing.T, d *models.Device, members models.Document) {
	t.Helper()
	phone, err := o.store.PhoneByID(t.Context(), d.AccountID, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	doc := phone.Device.Document.Clone()
	maps.Copy(doc, members)
	changed := *phone.Device
	if err := errors.Join(changed.SetDocument(doc), o.store.SaveDevice(t.Context(), phone.Device, &changed)); err != nil {
		t.Fatal(err)
	}
}

// Who is known to be disabled, deleted or shut out gets nothing from memory,
// whichever server learnt it and whoever asked last.
func TestLastGoodFileIsNotForAll(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, o *outage) error{
		"device disabled": func(t *testing.T, o *outage) error {
			o.edit(t, o.yealink, models.Document{"enabled": false})
			return nil
		},
		"device deleted": func(t *testing.T, o *outage) error { return o.store.DeleteDevice(t.Context(), o.yealink) },
		"device has another MAC": func(t *testing.T, o *outage) error {
			o.edit(t, o.yealink, models.Document{"mac_address": "001565aabbcd"})
			return nil
		},
		"account disabled": func(t *testing.T, o *outage) error {
			a := *o.account
			return errors.Join(a.SetDocument(models.Document{"name": "Acme", "realm": "acme.example.com", "enabled": false}), o.store.SaveAccount(t.Context(), o.account, &a))
		},
		"owner disabled": func(t *testing.T, o *outage) error {
			owner := &models.User{AccountID: o.account.ID}
			err := errors.Join(owner.SetDocument(models.Document{"first_name": "Ann", "last_name": "Lee"}), o.store.CreateUser(t.Context(), owner))
			o.edit(t, o.yealink, models.Document{"owner_id": owner.ID})
			o.get(t, "001565aabbcc.cfg")
			u := *owner
			return errors.Join(err, u.SetDocument(models.Document{"first_name": "Ann", "last_name": "Lee", "enabled": false}), o.store.SaveUser(t.Context(), owner, &u))
		},
	} {
		for how, learn := range map[string]func(t *testing.T, o *outage) error{
			"by a fetch":  func(t *testing.T, o *outage) error { t.Helper(); o.get(t, "001565aabbcc.cfg"); return nil },
			"by no fetch": func(t *testing.T, o *outage) error { t.Helper(); return o.follow(t.Context()) },
		} {
			t.Run(name+", learnt "+how, func(t *testing.T) {
				o := newOutage(t)
				o.get(t, "001565aabbcc.cfg")
				if err := errors.Join(change(t, o), learn(t, o)); err != nil {
					t.Fatal(err)
				}
				o.set(func() { o.down = errDown })
				o.get(t, "001565aabbcc.cfg").wants(t, "by token", nil)
				o.digest(t, "GET", "/001565aabbcc.cfg", "001565aabbcc", o.yealink.HTTPPassword).wants(t, "by digest", nil)
			})
		}
	}
}

// What is remembered of a phone and its account is small, however large their
// documents are.
func TestNoDocumentsAreRemembered(t *testing.T) {
	o := newOutage(t)
	good := o.get(t, "001565aabbcc.cfg")
	o.setAccess(t, `{"decoys":[]}`)
	if err := o.follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	if o.handler.RemembersDocuments() {
		t.Error("a document is remembered")
	}
	o.set(func() { o.down = errDown })
	o.get(t, "001565aabbcc.cfg").wants(t, "database away", &good)
}

// An old path token is no good after its time without the database, either.
func TestOldTokenEndsWithoutDatabase(t *testing.T) {
	o := newOutage(t)
	old := o.token("001565aabbcc.cfg")
	rotated, err := o.store.RotatePathToken(t.Context(), o.account, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	good := o.do(t, "GET", "/p/"+rotated.PathToken.Reveal()+"/001565aabbcc.cfg", "User-Agent", yealink)
	o.do(t, "GET", old).wants(t, "the old token", &good)
	o.set(func() { o.down = errDown })
	o.do(t, "GET", old).wants(t, "the old token, database away", &good)
	o.set(func() { o.jump = 2 * time.Hour })
	o.do(t, "GET", old).wants(t, "the old token after its time", nil)
	o.do(t, "GET", "/p/"+rotated.PathToken.Reveal()+"/001565aabbcc.cfg").wants(t, "the new token", &good)
}

// A change that another server wrote a minute ago by its clock, or in a
// transaction that took as long, is learnt all the same.
func TestLateChangeIsLearnt(t *testing.T) {
	o := newOutage(t)
	o.get(t, "001565aabbcc.cfg")
	o.set(func() { o.jump = time.Minute })
	if err := o.follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(o.store.DeleteDevice(t.Context(), o.yealink), o.follow(t.Context())); err != nil {
		t.Fatal(err)
	}
	o.set(func() { o.down = errDown })
	o.get(t, "001565aabbcc.cfg").wants(t, "a deleted phone", nil)
}

// A phone whose account left memory, where there are very many, is shut out with
// its account all the same.
func TestLastGoodFileOfForgottenAccount(t *testing.T) {
	o := newOutage(t)
	o.digest(t, "GET", "/001565aabbcc.cfg", "001565aabbcc", o.yealink.HTTPPassword)
	o.handler.ForgetAccounts()
	a := *o.account
	err := errors.Join(a.SetDocument(models.Document{"name": "Acme", "realm": "acme.example.com", "enabled": false}), o.store.SaveAccount(t.Context(), o.account, &a))
	if err = errors.Join(err, o.follow(t.Context())); err != nil {
		t.Fatal(err)
	}
	o.set(func() { o.down = errDown })
	o.digest(t, "GET", "/001565aabbcc.cfg", "001565aabbcc", o.yealink.HTTPPassword).wants(t, "by digest", nil)
}

// A source that is locked out stays so without the database, and whoever is not
// known then is not counted as a guesser.
func TestLockoutWithoutDatabase(t *testing.T) {
	o := newOutage(t)
	good := o.get(t, "001565aabbcc.cfg")
	o.set(func() { o.down = errDown })
	for i := range 25 {
		o.do(t, "GET", fmt.Sprintf("/p/wrong%d/001565aabbcc.cfg", i)).wants(t, "wrong token", nil)
	}
	if strings.Contains(o.log.String(), "level=ERROR") {
		t.Error("strangers fill the log")
	}
	o.get(t, "001565aabbcc.cfg").wants(t, "not locked out", &good)
	o.get(t, "0004f2aabbcc.cfg").wants(t, "never fetched", nil)
	if !strings.Contains(o.log.String(), "level=ERROR") {
		t.Error("a phone that gets no file is not in the log")
	}
	o.set(func() { o.down = nil })
	for i := range 20 {
		o.do(t, "GET", fmt.Sprintf("/p/wrong%d/001565aabbcc.cfg", i))
	}
	o.set(func() { o.down = errDown })
	o.get(t, "001565aabbcc.cfg").wants(t, "locked out before", nil)
}

// A template that an edit made fail, by a panic, by running without end, or by
// what it prints, leaves each phone its last good file. A phone that never had
// one is told to come back.
func TestBrokenTemplate(t *testing.T) {
	for name, text := range map[string]string{
		"a panic":        "{{ 1/0 }}",
		"without end":    strings.Repeat("{% for a in '0123456789'|make_list %}", 6) + "x" + strings.Repeat("{% endfor %}", 6),
		"a broken file":  "<APPLICATION",
		"too much of it": "{% for a in '0123456789'|make_list %}" + strings.Repeat("{% for a in '0123456789'|make_list %}", 3) + strings.Repeat("x", 4000) + strings.Repeat("{% endfor %}", 4),
	} {
		t.Run(name, func(t *testing.T) {
			o := newOutage(t)
			good := o.do(t, "GET", o.token("0004f2aabbcc.cfg"))
			other := o.createDevice(t, o.account, `{"name":"New","mac_address":"0004f2aabbcd","provision":{"endpoint_brand":"polycom","endpoint_family":"vvx","endpoint_model":"vvx450"}}`)
			catalog, err := provisioner.Parse(provisioner.Overlay(templates.FS, fstest.MapFS{"polycom/master.tpl": {Data: []byte(text)}}))
			if err != nil {
				t.Fatal(err)
			}
			o.files.Swap(catalog)
			o.do(t, "GET", o.token("0004f2aabbcc.cfg")).wants(t, "the last good", &good)
			o.do(t, "GET", o.token("0004f2aabbcd.cfg")).wants(t, "never fetched", nil)
			o.edit(t, other, models.Document{"enabled": false})
			if got := o.do(t, "GET", o.token("0004f2aabbcd.cfg")); got.status != http.StatusNotFound {
				t.Errorf("disabled: got %d, want 404", got.status)
			}
			o.set(func() { o.jump = staleFor + time.Hour })
			o.do(t, "GET", o.token("0004f2aabbcc.cfg")).wants(t, "too old", nil)
			o.files.Swap(builtin(t))
			o.do(t, "GET", o.token("0004f2aabbcc.cfg")).wants(t, "mended", &good)
		})
	}
}
