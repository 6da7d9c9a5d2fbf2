package api_test

import (
	"context"
	"fmt"
	"net/http"
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
