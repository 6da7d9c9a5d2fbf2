// Package phonehttp serves phones their files over HTTP. It translates a
// request into a question to the provisioner and its answer into bytes, and
// decides who may ask.
package phonehttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"dialtone/internal/digestauth"
	"dialtone/models"
	"dialtone/provisioner"
)

// Store finds who is asking.
type Store interface {
	// PhoneByMAC gives the phone with this MAC, or an ErrNotFound.
	PhoneByMAC(ctx context.Context, mac models.MAC) (*models.Phone, error)
	// AccountByPathToken gives the account of a provisioning URL, or an ErrNotFound.
	AccountByPathToken(ctx context.Context, token models.Secret) (*models.Account, error)
}

// A Guard counts wrong credentials per source address.
type Guard interface {
	Allowed(source netip.Addr) bool
	Fail(source netip.Addr)
}

// Config is what a Handler works with.
type Config struct {
	Files    *provisioner.Service
	NonceKey []byte // secret; servers with the same one accept each other's challenges
	Store    Store
	Guard    Guard
	Record   func(models.Fetch) // must not block
	Log      *slog.Logger
	Now      func() time.Time
}

// A Handler answers phones. It is safe for concurrent use.
type Handler struct {
	Config
	digest *digestauth.Authority
}

// New makes a Handler.
func New(c Config) *Handler { return &Handler{c, digestauth.New(c.NonceKey, c.Now)} }

// retryAfter tells a phone, in seconds, when to come back after a failure of
// ours; until then it keeps the configuration it has.
const retryAfter = "30"

// requestTimeout bounds the database's part in one request.
const requestTimeout = 10 * time.Second

// ServeHTTP serves GET and HEAD of [/p/{token}]/{file}.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	visit := &visit{Handler: h, r: r.WithContext(ctx), w: &responseWriter{ResponseWriter: w}, started: h.Now(), source: sourceOf(r)}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	file, err := visit.file()
	if err != nil {
		visit.refuse(err)
	} else {
		visit.deliver(file)
	}
	visit.log(err)
	visit.record(file)
}

// A visit is one request of a phone on its way through the handler.
type visit struct {
	*Handler
	r       *http.Request
	w       *responseWriter
	started time.Time
	source  netip.Addr
	want    provisioner.Request
	account *models.Account // who asks, once authenticated
	phone   *models.Phone   // whose file it is; nil for a common file
}

// A challengeError asks for credentials.
type challengeError struct{ stale bool }

func (challengeError) Error() string { return "credentials wanted" }

var (
	errMethod  = errors.New("method not allowed")
	errLocked  = errors.New("too many wrong credentials from this source")
	errRefused = fmt.Errorf("device, owner or account is disabled: %w", models.ErrNotFound)
	errForeign = fmt.Errorf("a phone of another account, or another phone: %w", models.ErrNotFound)
)

// file is the whole decision: what is asked for, by whom, and its bytes.
func (v *visit) file() (provisioner.File, error) {
	if v.r.Method != http.MethodGet && v.r.Method != http.MethodHead {
		return provisioner.File{}, errMethod
	}
	token, name, ok := splitPath(v.r.URL.EscapedPath())
	if !ok {
		return provisioner.File{}, models.ErrNotFound
	}
	if v.want, ok = v.Files.Match(name); !ok {
		return provisioner.File{}, models.ErrNotFound
	}
	if err := v.authenticate(token); err != nil {
		return provisioner.File{}, err
	}
	if !v.want.HasMAC {
		if !v.account.Enabled.On() {
			return provisioner.File{}, errRefused
		}
		return v.Files.CommonFile(v.r.Context(), v.account, name)
	}
	if err := v.findPhone(); err != nil {
		return provisioner.File{}, err
	}
	return v.Files.DeviceFile(v.r.Context(), v.phone, name)
}

// findPhone reads the phone of the requested MAC, which must be one of the
// authenticated account, and enabled.
func (v *visit) findPhone() error {
	if v.phone == nil {
		phone, err := v.Store.PhoneByMAC(v.r.Context(), v.want.MAC)
		if err != nil {
			return err
		}
		if phone.Account.ID != v.account.ID {
			return errForeign
		}
		v.phone = phone
	}
	if mac, _ := v.phone.Device.MAC(); mac != v.want.MAC {
		return errForeign
	}
	if !v.phone.Enabled() {
		return errRefused
	}
	return nil
}

// deliver writes the file; ServeContent sees to HEAD, ranges and If-None-Match.
func (v *visit) deliver(f provisioner.File) {
	v.w.Header().Set("Content-Type", f.ContentType)
	v.w.Header().Set("ETag", `"`+f.ETag+`"`)
	http.ServeContent(v.w, v.r, "", time.Time{}, bytes.NewReader(f.Body))
}

// refuse answers an error. A phone may take 404 as final, so a failure of ours
// is 503: then it keeps the configuration it has.
func (v *visit) refuse(err error) {
	var challenge challengeError
	switch {
	case errors.As(err, &challenge):
		// Set would write Www-Authenticate, and small clients may be particular.
		v.w.Header()["WWW-Authenticate"] = []string{v.digest.Challenge(realm, anyClient, challenge.stale)}
		v.text(http.StatusUnauthorized)
	case errors.Is(err, errMethod):
		v.w.Header().Set("Allow", "GET, HEAD")
		v.text(http.StatusMethodNotAllowed)
	case errors.Is(err, errLocked):
		v.w.Header().Set("Retry-After", retryAfter)
		v.text(http.StatusTooManyRequests)
	case errors.Is(err, models.ErrNotFound):
		v.text(http.StatusNotFound)
	default:
		if errors.Is(err, context.Canceled) {
			v.w.broken = true // the phone hung up, or we are about to
		} else {
			v.Log.ErrorContext(v.r.Context(), "file failed", "file", v.want.Name, "remote", v.source, "err", err)
		}
		v.w.Header().Set("Retry-After", retryAfter)
		v.text(http.StatusServiceUnavailable)
	}
}

func (v *visit) text(status int) {
	v.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = fmt.Fprintln(v.w, http.StatusText(status))
}

// log tells of a request, and why it was refused. Strangers' requests are
// told only to who wants to know everything: they could fill the disk.
func (v *visit) log(refused error) {
	attrs := []any{"method", v.r.Method, "file", v.want.Name, "status", v.w.status, "bytes", v.w.bytes, "remote", v.source}
	level := slog.LevelDebug
	if v.account != nil {
		level = slog.LevelInfo
		attrs = append(attrs, "account", v.account.ID)
	}
	if v.phone != nil {
		attrs = append(attrs, "device", v.phone.Device.ID)
	}
	if refused != nil {
		attrs = append(attrs, "reason", refused.Error())
	}
	v.Log.Log(v.r.Context(), level, "phone request", attrs...)
}

// record remembers the request for the administrator when it came from
// somebody known: strangers could fill the database.
func (v *visit) record(f provisioner.File) {
	if v.account == nil {
		return
	}
	fetch := models.Fetch{
		AccountID: v.account.ID,
		File:      v.want.Name,
		Method:    v.r.Method,
		Status:    v.w.status,
		ETag:      f.ETag,
		Bytes:     v.w.bytes,
		Source:    v.source.String(),
		UserAgent: v.r.UserAgent(),
		Duration:  v.Now().Sub(v.started),
		At:        v.started.UTC(),
	}
	agent := v.Files.UserAgent(v.r.UserAgent())
	fetch.Firmware = agent.Firmware
	switch {
	case v.want.HasMAC:
		fetch.MAC = v.want.MAC.String()
	case agent.MAC != models.MAC{}:
		fetch.MAC = agent.MAC.String()
	}
	if v.phone != nil {
		fetch.DeviceID = v.phone.Device.ID
	}
	if v.w.broken {
		fetch.Status, fetch.ETag = statusClientGone, ""
	}
	v.Record(fetch)
}

// statusClientGone records a file that did not reach the phone whole (the
// number nginx uses).
const statusClientGone = 499

// splitPath takes [/p/{token}]/{file} apart. It works on the escaped path and
// refuses any escape: phones ask for plain names, so whatever needs one (dots,
// slashes, NUL in disguise) is not a phone.
func splitPath(path string) (token models.Secret, name string, ok bool) {
	if strings.ContainsAny(path, "%\\") {
		return "", "", false
	}
	name, ok = strings.CutPrefix(path, "/")
	if rest, found := strings.CutPrefix(path, "/p/"); found {
		var secret string
		secret, name, ok = strings.Cut(rest, "/")
		token = models.Secret(secret)
		ok = ok && token != ""
	}
	return token, name, ok
}

// sourceOf is the address the request came from. Forwarding headers are not
// believed: anybody can write them.
func sourceOf(r *http.Request) netip.Addr {
	remote, _ := netip.ParseAddrPort(r.RemoteAddr)
	return remote.Addr().Unmap()
}

// A responseWriter remembers what was answered.
type responseWriter struct {
	http.ResponseWriter
	status int
	bytes  int64
	broken bool // the client went away while the body was written
}

func (w *responseWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	w.broken = w.broken || err != nil
	return n, err
}
