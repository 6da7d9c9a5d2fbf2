package phonehttp_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dialtone/internal/limit"
	"dialtone/models"
	"dialtone/models/sqlstore"
	"dialtone/models/sqlstore/sqlstoretest"
	"dialtone/provisioner"
	"dialtone/provisioner/phonehttp"
)

// newReplica is another handler with a store of its own, as another server has.
func newReplica(t *testing.T, store *sqlstore.Store) *phonehttp.Handler {
	t.Helper()
	return phonehttp.New(phonehttp.Config{
		Files: provisioner.NewService(store, builtin(t), provisioner.Options{BaseURL: "http://phones.example.com", Registrar: "192.0.2.1"}),
		Store: store, Guard: limit.NewLockout(nil, time.Now), NonceKey: []byte("key"), StaleFor: time.Hour,
		Record: func(models.Fetch) {}, Refused: func(models.Refusal) {}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
}

var changeNumber = regexp.MustCompile(`Change (\d+)`)

// Whatever is written and fetched at the same time: a fetch that begins after a
// change was acknowledged has it, at any server.
func TestFreshWhileWritten(t *testing.T) {
	for name, url := range map[string]string{"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "d.db"), "mysql": sqlstoretest.MySQLDatabase(t)} {
		t.Run(name, func(t *testing.T) {
			one, other := sqlstoretest.Replicas(t, url)
			stores := []*sqlstore.Store{one, other}
			replicas := []*phonehttp.Handler{newReplica(t, one), newReplica(t, other)}
			s := &site{store: one}
			account := s.createAccount(t, "acme.example.com")
			const phones, changes, fetchers = 3, 30, 12
			var acknowledged [phones]atomic.Int64
			document := func(phone, change int) string {
				return fmt.Sprintf(`{"name":"Change %d","mac_address":"001565aabb%02x","sip":{"username":"u%d","password":"s"},
					"provision":{"endpoint_brand":"yealink","endpoint_family":"t4x","endpoint_model":"t46u"}}`, change, phone, phone)
			}
			var writers, readers sync.WaitGroup
			var done atomic.Bool
			for phone := range phones {
				device := s.createDevice(t, account, document(phone, 0))
				writers.Go(func() {
					for change := 1; change <= changes; change++ {
						next := *device
						if err := setDocument(&next, document(phone, change)); err != nil {
							t.Error(err)
							return
						}
						if err := stores[change%2].SaveDevice(t.Context(), device, &next); err != nil {
							t.Error(err)
							return
						}
						device = &next
						acknowledged[phone].Store(int64(change))
					}
				})
			}
			for n := range fetchers {
				readers.Go(func() {
					for i := n; !done.Load(); i++ {
						phone := i % phones
						least := acknowledged[phone].Load()
						w := httptest.NewRecorder()
						path := fmt.Sprintf("/p/%s/001565aabb%02x.cfg", account.PathToken.Reveal(), phone)
						replicas[i/phones%2].ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
						found := changeNumber.FindStringSubmatch(w.Body.String())
						if w.Code != http.StatusOK || found == nil {
							t.Errorf("got %d %.100s", w.Code, w.Body)
							return
						}
						if got, _ := strconv.ParseInt(found[1], 10, 64); got < least {
							t.Errorf("phone %d: got change %d after %d was acknowledged", phone, got, least)
						}
					}
				})
			}
			writers.Wait()
			done.Store(true)
			readers.Wait()
		})
	}
}

func setDocument(d *models.Device, raw string) error {
	doc, err := models.ParseDocument([]byte(raw))
	if err != nil {
		return err
	}
	return d.SetDocument(doc)
}

// fetchCount is how many requests the test of leaks makes.
func fetchCount() int {
	if os.Getenv("TORTURE") != "" {
		return 200_000
	}
	return 20_000
}

// After very many requests, good and refused ones, a server holds neither
// goroutines nor memory for them.
func TestFetchesLeaveNothing(t *testing.T) {
	s := newSite(t, func(c *phonehttp.Config) {
		c.Log, c.Record, c.Refused = slog.New(slog.DiscardHandler), func(models.Fetch) {}, func(models.Refusal) {}
	})
	var paths []string
	for n := range 50 {
		s.createDevice(t, s.account, fmt.Sprintf(`{"name":"x","mac_address":"001565aa00%02x",
			"provision":{"endpoint_brand":"yealink","endpoint_family":"t4x","endpoint_model":"t46u"}}`, n))
		paths = append(paths, s.token(fmt.Sprintf("001565aa00%02x.cfg", n)), s.token(fmt.Sprintf("001565aa00%02x-local.cfg", n)))
	}
	paths = append(paths, "/001565aa0001.cfg", "/p/wrong/001565aa0001.cfg")
	var served atomic.Int64
	ask := func(count int) {
		var clients sync.WaitGroup
		for client := range 16 {
			clients.Go(func() {
				for i := range count / 16 {
					resp, err := s.Client().Get(s.URL + paths[(i*16+client)%len(paths)])
					if err != nil {
						t.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					if resp.StatusCode == http.StatusOK {
						served.Add(1)
					}
				}
			})
		}
		clients.Wait()
		s.Client().CloseIdleConnections()
	}
	ask(2000) // so that every part has what it keeps
	goroutines, heap := settled(0), heapInUse()
	ask(fetchCount())
	if n := served.Load(); n < int64(fetchCount()/3) {
		t.Errorf("%d of %d requests were served: the others say little", n, fetchCount())
	}
	if now := settled(goroutines + 10); now > goroutines+10 {
		t.Errorf("%d goroutines before, %d after %d requests", goroutines, now, fetchCount())
	}
	if now := heapInUse(); now > heap+8<<20 {
		t.Errorf("%d KiB in use before, %d KiB after %d requests", heap>>10, now>>10, fetchCount())
	}
}

// settled waits a moment for goroutines to come down to a number, and tells how
// many there are.
func settled(want int) int {
	for deadline := time.Now().Add(3 * time.Second); runtime.NumGoroutine() > want && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	return runtime.NumGoroutine()
}

func heapInUse() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
