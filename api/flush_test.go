package api_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dialtone/api"
	"dialtone/models"
)

const registeredDevice = `{"name":"a","owner_id":"11111111111111111111111111111111","custom":1,"sip":{"username":"ann","password":"s3cret-ann"}}`

// told shows check-syncs as "AOR mode contacts"; "registered" stands for
// those that the phone has when it is sent.
func (b *bench) told() []string {
	var out []string
	for _, c := range b.checkSyncs() {
		where := "registered"
		if c.Bindings != nil {
			contacts := []string{}
			for _, binding := range c.Bindings {
				contacts = append(contacts, binding.Contact)
			}
			where = fmt.Sprint(contacts)
		}
		out = append(out, fmt.Sprintf("%s %s %s", c.Phone.AOR(), c.Mode, where))
	}
	return out
}

func (b *bench) isRegistered(devicePath string) bool {
	b.Helper()
	bindings, err := b.store.Bindings(b.Context(), devicePath[len(devicePath)-32:])
	if err != nil {
		b.Fatal(err)
	}
	return len(bindings) > 0
}

// What a save or delete does to a registered phone: the check-syncs, and
// whether it is still registered.
func TestFlush(t *testing.T) {
	const (
		before  = "sip:ann@master.example.com"
		contact = "[sip:x@192.0.2.9]"
	)
	tests := []struct {
		name, method, data string
		want               []string
		stays              bool
	}{
		{"something else", "PATCH", `{"custom":2}`, nil, true},
		{"something else with sync", "PATCH", `{"custom":2,"sync":true}`, []string{before + "  registered"}, true},
		{"sync by a reboot", "PATCH", `{"sync":true,"reboot":true}`, []string{before + " reboot registered"}, true},
		{"password", "PATCH", `{"sip":{"password":"s3cret-new"}}`, []string{before + "  " + contact}, false},
		{"password with sync", "PATCH", `{"sync":true,"sip":{"password":"s3cret-new"}}`, []string{before + "  " + contact}, false},
		{"password with reload", "PATCH", `{"reboot":"false","sip":{"password":"s3cret-new"}}`, []string{before + " reload " + contact}, false},
		{"username", "PATCH", `{"sip":{"username":"eve"}}`, []string{before + "  " + contact, "sip:eve@master.example.com  []"}, false},
		{"no username", "PATCH", `{"sip":{"username":null}}`, []string{before + "  " + contact}, false},
		{"realm", "PATCH", `{"sip":{"realm":"other.example.com"}}`, []string{before + "  " + contact, "sip:ann@other.example.com  []"}, false},
		{"authentication", "PATCH", `{"sip":{"method":"ip","ip":"192.0.2.1"}}`, []string{before + "  " + contact}, false},
		{"owner", "PATCH", `{"owner_id":"22222222222222222222222222222222"}`, []string{before + "  " + contact}, false},
		{"no owner", "PATCH", `{"owner_id":null}`, []string{before + "  " + contact}, false},
		{"disabled", "PATCH", `{"enabled":false}`, []string{before + "  " + contact}, false},
		{"replaced by the same", "POST", registeredDevice, nil, true},
		{"replaced", "POST", `{"name":"b"}`, []string{before + "  " + contact}, false},
		{"invalid", "PATCH", `{"name":"","sip":{"password":"s3cret-new"}}`, nil, true},
		{"deleted", "DELETE", `{}`, []string{before + "  " + contact}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			path := b.device(registeredDevice)
			b.register(path)
			b.checkSyncs()
			var headers []string
			if strings.Contains(tt.data, `"false"`) {
				headers = append(headers, lenient)
			}
			b.do(tt.method, path, `{"data":`+tt.data+`}`, headers...)
			if diff := cmp.Diff(tt.want, b.told()); diff != "" {
				t.Errorf("check-syncs (-want +got):\n%s", diff)
			}
			if got := b.isRegistered(path); got != tt.stays {
				t.Errorf("registered: %t, want %t", got, tt.stays)
			}
		})
	}
}

// A phone that nobody has heard of yet is told through a proxy, if at all.
func TestFlushOfNewDevices(t *testing.T) {
	b := newBench(t)
	for _, tt := range []struct {
		data string
		want []string
	}{
		{`{"name":"x"}`, nil},
		{`{"name":"x","sip":{"username":"ann"}}`, []string{"sip:ann@master.example.com  []"}},
		{`{"name":"x","sip":{"password":"s3cret-new"}}`, nil},
		{`{"name":"x","sync":true,"sip":{"username":"bob"}}`, []string{"sip:bob@master.example.com  registered"}},
		{`{"name":"x","sync":true}`, []string{"  registered"}},
	} {
		b.device(tt.data)
		if diff := cmp.Diff(tt.want, b.told()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.data, diff)
		}
	}
	// A refused deletion tells nobody.
	path := b.device(`{"name":"x","sip":{"username":"eve"}}`)
	b.register(path)
	b.checkSyncs()
	b.do("DELETE", path, "", `If-Match: "1-x"`).want(http.StatusPreconditionFailed)
	if got := b.told(); got != nil || !b.isRegistered(path) {
		t.Errorf("after a refused deletion: %v, registered %t", got, b.isRegistered(path))
	}
}

func TestRebootParameter(t *testing.T) {
	b := newBench(t)
	path := b.device(`{"name":"a","sip":{"username":"ann"}}`)
	user := b.users() + "/" + b.do("PUT", b.users(), `{"data":{"first_name":"A","last_name":"B"}}`).id()
	b.register(path)
	b.checkSyncs()
	for _, tt := range []struct{ method, path, body, want string }{
		{"POST", path + "/sync", "", ""},
		{"POST", path + "/sync?reboot=true", "", "reboot"},
		{"POST", path + "/sync?reboot=false", "", "reload"},
		{"POST", path + "/sync?reboot=maybe", "", ""},
		{"POST", path + "/sync", `{"data":{"reboot":true}}`, "reboot"},
		{"POST", path + "/sync", `{"data":{},"reboot":"false"}`, "reload"},
		{"PATCH", path + "?reboot=true", `{"data":{"sync":true}}`, "reboot"},
		{"PATCH", path, `{"reboot":true,"data":{"sync":true}}`, "reboot"},
		{"PATCH", path, `{"data":{"sync":true,"reboot":false}}`, "reload"},
		{"PATCH", user, `{"data":{"sync":true,"reboot":true}}`, "reboot"},
		{"PATCH", user + "?reboot=false", `{"data":{"sync":true}}`, "reload"},
		{"PATCH", user, `{"data":{"sync":true}}`, ""},
	} {
		var headers []string
		if strings.Contains(tt.path, "maybe") {
			headers = append(headers, lenient)
		}
		r := b.do(tt.method, tt.path, tt.body, headers...).want(http.StatusOK)
		if diff := cmp.Diff([]string{"sip:ann@master.example.com " + tt.want + " registered"}, b.told()); diff != "" {
			t.Errorf("%s %s %s (-want +got):\n%s", tt.method, tt.path, tt.body, diff)
		}
		if strings.Contains(r.body, "reboot") {
			t.Errorf("%s %s: the parameter was answered: %s", tt.method, tt.path, r.body)
		}
	}
}

// A forgetful store cannot tell where phones are.
type forgetfulStore struct{ api.Store }

func (forgetfulStore) Bindings(context.Context, string) ([]models.Binding, error) {
	return nil, models.ErrUnavailable
}

func TestFlushFailureIsNotAnswered(t *testing.T) {
	b := newBench(t)
	path := b.device(registeredDevice)
	cfg := b.config
	cfg.Store = forgetfulStore{b.store}
	b.handler = b.serve(cfg)
	b.do("PATCH", path, `{"data":{"enabled":false}}`).want(http.StatusOK)
	if !strings.Contains(b.log.String(), "registration not flushed") {
		t.Error("the failure was not logged")
	}
	b.do("DELETE", path, "").want(http.StatusOK)
}

// What the phone renews between the check-sync and the drop is its own.
func TestFlushSparesRenewal(t *testing.T) {
	b := newBench(t)
	path := b.device(registeredDevice)
	b.register(path)
	cfg := b.config
	cfg.CheckSync = func(c api.CheckSync) {
		renewed := c.Bindings[0]
		renewed.CSeq++
		renewed.Modified = renewed.Modified.Add(time.Second)
		err := b.store.UpdateBindings(t.Context(), c.Phone.Device.ID, func([]models.Binding) ([]models.Binding, error) {
			return []models.Binding{renewed}, nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	b.handler = b.serve(cfg)
	b.do("PATCH", path, `{"data":{"owner_id":null}}`).want(http.StatusOK)
	if !b.isRegistered(path) {
		t.Error("the renewed registration was dropped")
	}
}

// An office is an account with phones: ann's and bob's are registered, bob's in
// a realm of its own, and eve's is not. Ann owns two of them.
type office struct {
	*bench
	account, path, owner string
	ann, bob, eve        string // paths
}

func (b *bench) office() *office {
	acme, _ := b.account("Acme", "acme.example.com", b.master)
	o := &office{bench: b, account: acme.ID, path: "/v2/accounts/" + acme.ID}
	o.owner = o.path + "/users/" + b.do("PUT", o.path+"/users", `{"data":{"first_name":"Ann","last_name":"Lee"}}`).want(http.StatusCreated).id()
	device := func(data string) string {
		return o.path + "/devices/" + b.do("PUT", o.path+"/devices", `{"data":{"name":"x",`+data+`}}`).want(http.StatusCreated).id()
	}
	owner := `"owner_id":"` + o.owner[len(o.owner)-32:] + `",`
	o.ann = device(owner + `"id":"` + strings.Repeat("1", 32) + `","sip":{"username":"ann","password":"s3cret-a"}`)
	o.bob = device(`"id":"` + strings.Repeat("2", 32) + `","sip":{"username":"bob","password":"s3cret-b","realm":"own.example.com"}`)
	o.eve = device(owner + `"id":"` + strings.Repeat("3", 32) + `","sip":{"username":"eve","password":"s3cret-e"}`)
	b.register(o.ann)
	b.register(o.bob)
	b.checkSyncs()
	return o
}

// What a change of an account or owner does to its phones.
func TestFlushOfMany(t *testing.T) {
	const ann, bob = "sip:ann@acme.example.com  [sip:x@192.0.2.9]", "sip:bob@own.example.com  [sip:x@192.0.2.9]"
	tests := []struct {
		name       string
		change     func(o *office)
		told       []string
		registered string
	}{
		{"account renamed", func(o *office) { o.do("PATCH", o.path, `{"data":{"name":"New"}}`).want(http.StatusOK) }, nil, "ann bob"},
		{"account moved", func(o *office) { o.do("PATCH", o.path, `{"data":{"realm":"new.example.com"}}`).want(http.StatusOK) }, []string{ann}, "bob"},
		{"account disabled", func(o *office) { o.do("PATCH", o.path, `{"data":{"enabled":false}}`).want(http.StatusOK) }, []string{ann, bob}, ""},
		{"account refused", func(o *office) {
			o.do("PATCH", o.path, `{"data":{"enabled":false,"name":""}}`).rejects("name: minLength")
		}, nil, "ann bob"},
		{"account deleted", func(o *office) { o.do("DELETE", o.path, "").want(http.StatusOK) }, []string{ann, bob}, ""},
		{"deletion refused", func(o *office) {
			o.do("DELETE", o.path, "", `If-Match: "1-x"`).want(http.StatusPreconditionFailed)
		}, nil, "ann bob"},
		{"owner renamed", func(o *office) { o.do("PATCH", o.owner, `{"data":{"first_name":"Anna"}}`).want(http.StatusOK) }, nil, "ann bob"},
		{"owner disabled", func(o *office) { o.do("PATCH", o.owner, `{"data":{"enabled":false}}`).want(http.StatusOK) },
			[]string{ann, "sip:eve@acme.example.com  []"}, "bob"},
		{"owner replaced", func(o *office) {
			o.do("POST", o.owner, `{"data":{"first_name":"A","last_name":"L"}}`).want(http.StatusOK)
		}, nil, "ann bob"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, b *bench) {
				o := b.office()
				var later []func()
				cfg := b.config
				cfg.Background = func(ctx context.Context, work func(context.Context)) {
					later = append(later, func() { work(context.WithoutCancel(ctx)) })
				}
				b.handler = b.serve(cfg)
				tt.change(o)
				if got := b.told(); got != nil {
					t.Errorf("told before the answer: %v", got)
				}
				for _, work := range later {
					work()
				}
				if diff := cmp.Diff(tt.told, b.told()); diff != "" {
					t.Errorf("told (-want +got):\n%s", diff)
				}
				var registered []string
				for name, path := range map[string]string{"ann": o.ann, "bob": o.bob} {
					if b.isRegistered(path) {
						registered = append(registered, name)
					}
				}
				slices.Sort(registered)
				if got := strings.Join(registered, " "); got != tt.registered {
					t.Errorf("registered: %q, want %q", got, tt.registered)
				}
			})
		})
	}
}

// A large account is worked off in parts, each when there is room for it.
func TestFlushOfLargeAccount(t *testing.T) {
	b := newBench(t)
	const phones = 1100
	acme, _ := b.account("Acme", "acme.example.com", b.master)
	batch := make([]*models.Device, phones)
	for i := range batch {
		batch[i] = &models.Device{AccountID: acme.ID}
		if err := batch[i].SetDocument(models.Document{"name": "x", "sip": map[string]any{"username": fmt.Sprint("u", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.store.ImportDevices(t.Context(), batch, allGood); err != nil {
		t.Fatal(err)
	}
	for _, d := range batch {
		b.register("/v2/accounts/" + acme.ID + "/devices/" + d.ID)
	}
	var waits []int
	cfg := b.config
	cfg.AwaitRoom = func(ctx context.Context) {
		if _, bounded := ctx.Deadline(); !bounded {
			t.Error("waits for ever")
		}
		waits = append(waits, len(b.checkSyncs()))
	}
	b.handler = b.serve(cfg)
	b.do("PATCH", "/v2/accounts/"+acme.ID, `{"data":{"enabled":false}}`).want(http.StatusOK)
	if got := append(waits[1:], len(b.checkSyncs())); !slices.Equal(got, []int{500, 500, 100}) {
		t.Errorf("told in parts of %v", got)
	}
	if n, err := b.store.CountRegistrations(t.Context(), acme.ID); err != nil || n != 0 {
		t.Errorf("%d registrations left, %v", n, err)
	}
}
