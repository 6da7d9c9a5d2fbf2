package phonehttp_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	"dialtone/internal/limit"
	"dialtone/models"
	"dialtone/provisioner"
	"dialtone/provisioner/phonehttp"
	"dialtone/templates"
)

// BenchmarkCachedFetch is a GET of a phone's own file with the path token, of
// which nothing changed since the last: all that the handler does, without the
// database and the connection.
func BenchmarkCachedFetch(b *testing.B) {
	trials, err := builtin(b).Trials(templates.FS, "yealink")
	if err != nil {
		b.Fatal(err)
	}
	trial := trials[slices.IndexFunc(trials, func(t provisioner.Trial) bool { return t.Sample == "typical" })]
	phone := trial.Phone
	phone.Account.Access.Token, phone.Device.Revision, phone.Account.Revision = true, "1-a", "1-b"
	store := onePhone{phone: phone}
	handler := phonehttp.New(phonehttp.Config{
		Files: provisioner.NewService(store, builtin(b), provisioner.Options{BaseURL: "http://host"}), Store: store,
		Guard: limit.NewLockout(nil, time.Now), NonceKey: []byte("key"),
		Record: func(models.Fetch) {}, Refused: func(r models.Refusal) { b.Error(r.Rule) },
		Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "/p/"+phone.Account.PathToken.Reveal()+"/"+trial.Service.FilesOf(phone)[1].Name, http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr("192.0.2.7"), 40000).String()
	r.Header.Set("User-Agent", "Yealink SIP-T46U 108.86.0.20 00:15:65:aa:bb:cc")
	b.ReportAllocs()
	w := &discard{header: http.Header{}}
	for b.Loop() {
		clear(w.header)
		handler.ServeHTTP(w, r)
		if w.status != http.StatusOK {
			b.Fatal(w.status)
		}
	}
}

// discard is an answer that nobody reads.
type discard struct {
	header http.Header
	status int
}

func (w *discard) Header() http.Header         { return w.header }
func (w *discard) WriteHeader(status int)      { w.status = status }
func (w *discard) Write(p []byte) (int, error) { return len(p), nil }

// ReadFrom copies with buffers that are there, as the server's does.
func (w *discard) ReadFrom(r io.Reader) (int64, error) { return io.Copy(io.Discard, r) }

type (
	handlerStore interface{ phonehttp.Store }
	filesStore   interface{ provisioner.Store }
)

// onePhone is a store that holds one phone in memory.
type onePhone struct {
	handlerStore
	filesStore
	phone *models.Phone
}

func (s onePhone) Once(ctx context.Context) context.Context { return ctx }

func (s onePhone) PhoneByMAC(context.Context, models.MAC) (*models.Phone, error) {
	return s.phone, nil
}

func (s onePhone) AccountByPathToken(context.Context, models.Secret) (*models.Account, error) {
	return s.phone.Account, nil
}

func (s onePhone) UsersByID(context.Context, string, []string) ([]*models.User, error) {
	return nil, nil
}
