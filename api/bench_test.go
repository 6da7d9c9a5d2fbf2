package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"dialtone/api"
	"dialtone/internal/limit"
	"dialtone/models"
	"dialtone/models/sqlstore"
	"dialtone/models/sqlstore/sqlstoretest"
	"dialtone/provisioner"
)

// BenchmarkDevices measures calls of the whole handler while an account grows:
// 1 thousand devices, 100 thousand, and 1 million when BENCH_LARGE is set. What
// a call costs must not grow with them. `make bench` runs it on SQLite and on
// a MariaDB server of its own.
func BenchmarkDevices(b *testing.B) {
	databases := []struct {
		name string
		open func(testing.TB) *sqlstore.Store
	}{{"sqlite", sqlstoretest.New}, {"mysql", sqlstoretest.NewMySQL}}
	sizes := []int{1_000, 100_000}
	if os.Getenv("BENCH_LARGE") != "" {
		sizes = append(sizes, 1_000_000)
	}
	for _, database := range databases {
		b.Run(database.name, func(b *testing.B) {
			f := newFleet(b, database.open(b))
			for _, size := range sizes {
				b.Run(fmt.Sprintf("devices=%d", size), func(b *testing.B) {
					f.grow(b, size)
					f.login(b)
					f.measure(b)
				})
			}
		})
	}
}

func (f *fleet) measure(b *testing.B) {
	calls := []struct {
		name string
		call func(b *testing.B)
	}{
		{"read", func(b *testing.B) { f.call(b, "GET", f.path+"/"+f.any(), "", http.StatusOK) }},
		{"first-page", func(b *testing.B) { f.call(b, "GET", f.path, "", http.StatusOK) }},
		{"page", func(b *testing.B) { f.call(b, "GET", f.path+"?start_key="+key(f.any()), "", http.StatusOK) }},
		{"page-down", func(b *testing.B) {
			f.call(b, "GET", f.path+"?descending=true&start_key="+key(f.any()), "", http.StatusOK)
		}},
		{"by-mac", func(b *testing.B) {
			f.call(b, "GET", f.path+fmt.Sprintf("?filter_mac_address=02%010x", rand.IntN(len(f.ids))), "", http.StatusOK)
		}},
		{"by-brand", func(b *testing.B) {
			f.call(b, "GET", f.path+"?filter_provision.endpoint_brand=rare", "", http.StatusOK)
		}},
		{"patch", func(b *testing.B) {
			f.call(b, "PATCH", f.path+"/"+f.any(), fmt.Sprintf(`{"data":{"custom":%d}}`, rand.Int()), http.StatusOK)
		}},
		{"create", func(b *testing.B) {
			f.created++
			f.call(b, "PUT", f.path, fmt.Sprintf(`{"data":{"name":"new","mac_address":"06%010x","sip":{"username":"new%d","password":"s3cret"}}}`,
				f.created, f.created), http.StatusCreated)
		}},
	}
	for _, c := range calls {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.call(b)
			}
		})
	}
}

// A fleet is an API whose one account has ever more devices.
type fleet struct {
	handler http.Handler
	store   *sqlstore.Store
	account string
	path    string
	key     models.Secret
	token   string
	ids     []string
	created int
}

func newFleet(b *testing.B, store *sqlstore.Store) *fleet {
	b.Helper()
	handler, err := api.New(api.Config{
		Store:           store,
		CheckSync:       func(api.CheckSync) {},
		AwaitRoom:       func(context.Context) {},
		Notify:          func(api.Notice) {},
		ProvisioningURL: func(*models.Account) string { return "" },
		Provision:       func(context.Context, *models.Phone) (provisioner.Report, error) { return provisioner.Report{}, nil },
		QuickCall: func(context.Context, api.QuickCall) (func(context.Context) models.QuickCall, error) {
			return nil, models.ErrBusy
		},
		Preview: func(context.Context, *models.Phone, string, bool) (provisioner.File, error) {
			return provisioner.File{}, nil
		},
		Explain: func(context.Context, *models.Phone, string, bool) (provisioner.Explanation, error) {
			return provisioner.Explanation{}, nil
		},
		Catalog:    func() *provisioner.Catalog { return nil },
		Background: func(ctx context.Context, work func(context.Context)) { work(ctx) },
		Guard:      limit.NewLockout(nil, time.Now),
		Log:        slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	a := &models.Account{}
	if err := a.SetDocument(models.Document{"name": "Fleet", "realm": "fleet.example.com"}); err != nil {
		b.Fatal(err)
	}
	key := models.NewAPIKey()
	if err := store.CreateAccount(b.Context(), a, key); err != nil {
		b.Fatal(err)
	}
	return &fleet{handler: handler, store: store, account: a.ID, path: "/v2/accounts/" + a.ID + "/devices", key: key}
}

func (f *fleet) login(b *testing.B) {
	b.Helper()
	var envelope struct {
		Token string `json:"auth_token"`
	}
	answer := f.call(b, "PUT", "/v2/api_auth", `{"data":{"api_key":"`+f.key.Reveal()+`"}}`, http.StatusCreated)
	if err := json.Unmarshal(answer, &envelope); err != nil {
		b.Fatal(err)
	}
	f.token = envelope.Token
}

// grow makes the account have n devices, one in ten of a rare brand.
func (f *fleet) grow(b *testing.B, n int) {
	b.Helper()
	for len(f.ids) < n {
		batch := make([]*models.Device, min(1000, n-len(f.ids)))
		for i := range batch {
			number, brand := len(f.ids)+i, "common"
			if number%10 == 0 {
				brand = "rare"
			}
			doc, err := models.ParseDocument(fmt.Appendf(nil, `{"name":"Phone %[1]d","mac_address":"02%010[1]x",
				"sip":{"username":"user%[1]d","password":"s3cret%[1]d"},"media":{"audio":{"codecs":["PCMA","PCMU"]}},
				"provision":{"endpoint_brand":%q,"endpoint_model":"x1","combo_keys":{"0":{"type":"line"},"1":{"type":"speed_dial","value":"100"}}}}`,
				number, brand))
			if err != nil {
				b.Fatal(err)
			}
			batch[i] = &models.Device{AccountID: f.account}
			if err := batch[i].SetDocument(doc); err != nil {
				b.Fatal(err)
			}
		}
		if err := f.store.ImportDevices(b.Context(), batch, allGood); err != nil {
			b.Fatal(err)
		}
		for _, d := range batch {
			f.ids = append(f.ids, d.ID)
		}
	}
}

func (f *fleet) any() string { return f.ids[rand.IntN(len(f.ids))] }

func (f *fleet) call(b *testing.B, method, path, body string, want int) []byte {
	b.Helper()
	r := httptest.NewRequestWithContext(b.Context(), method, path, strings.NewReader(body))
	r.Header.Set("X-Auth-Token", f.token)
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	if w.Code != want {
		b.Fatalf("%s: %d %s", method, w.Code, w.Body)
	}
	return w.Body.Bytes()
}
