// Package phonehttp serves phones their files over HTTP. It translates a
// request into a question to the provisioner and its answer into bytes, and
// decides who may ask.
package phonehttp

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"dialtone/internal/digestauth"
	"dialtone/internal/limit"
	"dialtone/models"
	"dialtone/provisioner"
)

// Store finds who is asking, and keeps what phones upload.
type Store interface {
	// Once gives a context for one request: whether anything has changed since it
	// was last found out is asked once under it.
	Once(ctx context.Context) context.Context
	// PhoneByMAC gives the phone with this MAC, or an ErrNotFound.
	PhoneByMAC(ctx context.Context, mac models.MAC) (*models.Phone, error)
	// AccountByPathToken gives the account of a provisioning URL, or an ErrNotFound.
	AccountByPathToken(ctx context.Context, token models.Secret) (*models.Account, error)
	// Upload gives a file that the device stored, or an ErrNotFound.
	Upload(ctx context.Context, deviceID, name string) (*models.Upload, error)
	// SourceKnown reports whether a phone of the account has fetched a file from
	// the source.
	SourceKnown(ctx context.Context, accountID, source string) (bool, error)
	// UseFirstContact takes the one fetch that a phone without credentials may
	// make, if that is still there.
	UseFirstContact(ctx context.Context, deviceID string) (bool, error)
	// SaveUpload stores a device's file; what is over the quota is ErrQuota.
	SaveUpload(ctx context.Context, u *models.Upload, quota models.UploadQuota) (created bool, err error)
}

// A Guard locks out source addresses.
type Guard interface {
	// Allowed reports whether the source is not locked out.
	Allowed(source netip.Addr) bool
	// Fail counts credentials that can never be right.
	Fail(source netip.Addr)
	// Miss counts a search for what does not exist, a MAC or a token; for the same
	// one it counts once, which it reports.
	Miss(source netip.Addr, name string) (counted bool)
	// Guess counts a wrong password of a name, which locks the source out of that
	// name alone: MayGuess says whether one counts.
	Guess(source netip.Addr, name string)
	MayGuess(source netip.Addr, name string) bool
	// Ban locks the source out at once.
	Ban(source netip.Addr)
}

// A Meter limits how many requests there may be in a time.
type Meter interface {
	// Charge takes what a request costs from its account, or from its source
	// when account is "". It is not ok when that is more than is left.
	Charge(account string, source netip.Addr, cost int) (wait time.Duration, ok bool)
}

// Config is what a Handler works with.
type Config struct {
	Files     *provisioner.Service
	NonceKey  []byte // secret; servers with the same one accept each other's challenges
	Store     Store
	Guard     Guard
	ClientCAs *ClientCAs           // nil: no certificates of phones
	Proxies   Proxies              // that are believed when they tell who asks
	Sources   Meter                // of all requests; nil: they are not limited
	Accounts  Meter                // of those that are let in; nil: they are not limited
	Decoys    []models.MAC         // of phones that do not exist: who asks for one is a scanner
	Record    func(models.Fetch)   // must not block
	Refused   func(models.Refusal) // must not block; without an AccountID it is only to be counted
	Observe   func(Observation)    // of each request, for figures; must not block; nil: nobody does
	Quota     models.UploadQuota   // of one device; no bytes = nothing is taken
	Assets    *Assets              // nil = there are none
	StaleFor  time.Duration        // how old the last good file may be when there is no other; 0 = there is none
	Log       *slog.Logger
	Now       func() time.Time
}

// A Handler answers phones. It is safe for concurrent use.
type Handler struct {
	Config
	digest   *digestauth.Authority
	memory   *memory
	patience time.Duration
	pace     pace
	uploads  *shares     // being received
	bodies   *shares     // bytes of uploads in memory
	assets   *shares     // being sent
	weak     *limit.Pace // by account: warnings of weak TLS
	misses   *limit.Pace // by account: MACs that no phone has, asked for with its token
}

// New makes a Handler.
func New(c Config) *Handler {
	return &Handler{
		c, digestauth.New(c.NonceKey, c.Now), newMemory(c.Now), ordinaryPatience, ordinaryPace, newShares(), newShares(), newShares(),
		limit.NewPace(1, 24*time.Hour, c.Now), limit.NewPace(accountMisses, missRefill, c.Now),
	}
}

// retryAfter tells a phone, in seconds, when to come back after a failure of
// ours; until then it keeps the configuration it has.
const retryAfter = "30"

// requestTimeout bounds the database's part in one request.
const requestTimeout = 10 * time.Second

// Headers of every answer.
var noStore, noSniff = []string{"no-store"}, []string{"nosniff"}

// ServeHTTP serves GET and HEAD of [/p/{token}]/{file}, and PUT and POST of
// those that phones store.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(h.Store.Once(r.Context()), requestTimeout)
	defer cancel()
	visit := &visit{
		Handler: h, r: r.WithContext(ctx), untimed: r, w: &responseWriter{ResponseWriter: w},
		started: h.Now(), begun: time.Now(), phones: map[models.MAC]*models.Phone{},
	}
	visit.Store = &recall{Store: h.Store, memory: h.memory, patience: h.patience, since: visit.started.Add(-h.StaleFor)}
	w.Header()["Cache-Control"] = noStore
	w.Header()["X-Content-Type-Options"] = noSniff
	var err error
	if visit.peer, err = peerOf(r, h.Proxies); err == nil {
		err = visit.answerWhole()
	}
	if err != nil {
		visit.refuse(err)
	}
	if refused, is := asRefusal(err); is {
		visit.report(refused)
	}
	visit.log(err)
	visit.warnOfWeak()
	visit.record()
	visit.observe(err)
}

// A visit is one request of a phone on its way through the handler.
type visit struct {
	*Handler
	Store   *recall // in place of the Handler's
	r       *http.Request
	w       *responseWriter
	started time.Time // by the handler's clock
	begun   time.Time // by the machine's
	peer    peer
	want    provisioner.Request
	agent   provisioner.UserAgent        // what it tells of itself
	phones  map[models.MAC]*models.Phone // that were looked for, nil = there is none
	account *models.Account              // who asks, once that is known
	phone   *models.Phone                // who asks, or whose file it is; nil for a common file by the path token
	untimed *http.Request                // r without the time limit, for what a slow line may take longer for
	asset   bool                         // it is one of the operator's files

	bootstrap    bool   // it may have no more than a bootstrap file
	withToken    bool   // it came with the account's path token, and an older one is good, too
	withPassword string // hash of the device's password, with which it came, and an older one is good, too

	lastGood bool   // the file is one that was rendered before, since rendering failed
	exposed  bool   // secrets went out in the clear
	etag     string // of what was delivered or stored
	received int64  // bytes of an upload
}

// A methodError is a method that the file has not.
type methodError struct{ allowed []string }

func (methodError) Error() string { return "method not allowed" }

// answerWhole is answer, and a panic on the way is an error like any other
// unless something was sent already.
func (v *visit) answerWhole() (err error) {
	defer func() {
		if p := recover(); p != nil {
			if v.w.status != 0 {
				panic(http.ErrAbortHandler) // the phone sees that the rest is missing
			}
			v.Log.ErrorContext(v.r.Context(), "panic", "file", v.want.Name, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return v.answer()
}

// answer is the whole decision: what is asked for, by whom, and what to do.
func (v *visit) answer() error {
	token, name, ok := splitPath(v.r.URL.EscapedPath())
	if !ok {
		return models.ErrNotFound
	}
	var known bool
	v.want, known = v.Files.Match(name)
	if err := v.checkMethod(v.want.Upload); err != nil {
		return err
	}
	if !known && v.Assets == nil {
		return models.ErrNotFound
	}
	if !affordable(v.Sources, "", v.peer.source) {
		return errBusy
	}
	v.agent = v.Files.UserAgent(v.r.UserAgent())
	if err := v.admit(token); err != nil {
		return err
	}
	if !affordable(v.Accounts, v.account.ID, v.peer.source) {
		return errBusy
	}
	if !known {
		return v.serveAsset(name)
	}
	if v.isUpload() && !v.bootstrap {
		return v.receive()
	}
	file, err := v.file()
	if err != nil {
		return err
	}
	if err := v.mayBeSeen(file); err != nil {
		return err
	}
	v.deliver(file)
	return nil
}

// affordable charges one request.
func affordable(m Meter, account string, source netip.Addr) bool {
	if m == nil {
		return true
	}
	_, ok := m.Charge(account, source, 1)
	return ok
}

// checkMethod refuses methods other than those for reading and, of a file that
// phones store, for writing.
func (v *visit) checkMethod(stored bool) error {
	if v.r.Method == http.MethodGet {
		return nil
	}
	allowed := []string{http.MethodGet, http.MethodHead}
	if stored && v.Quota.Bytes > 0 {
		allowed = append(allowed, http.MethodPut, http.MethodPost)
	}
	if !slices.Contains(allowed, v.r.Method) {
		return methodError{allowed}
	}
	return nil
}

// file is what is served: what the phone stored, or else rendered.
func (v *visit) file() (provisioner.File, error) {
	switch {
	case v.bootstrap:
		return v.bootstrapFile()
	case v.phone == nil:
		return v.rendered(func(ctx context.Context) (provisioner.File, error) {
			return v.Files.RequestedCommonFile(ctx, v.account, v.agent, v.want)
		}, func() (provisioner.Kept, bool) { return v.Files.LastCommonFile(v.account, v.agent, v.want) })
	}
	if v.want.HasMAC {
		if file, found, err := v.stored(); found || err != nil {
			return file, err
		}
	}
	return v.deviceFile()
}

// deviceFile is a file for the phone that asks.
func (v *visit) deviceFile() (provisioner.File, error) {
	v.tellFirmware()
	return v.rendered(func(ctx context.Context) (provisioner.File, error) {
		return v.Files.RequestedFile(ctx, v.phone, v.want)
	}, func() (provisioner.Kept, bool) { return v.Files.LastFile(v.phone, v.want) })
}

// tellFirmware has what the phone tells with this request count, if it tells anything.
func (v *visit) tellFirmware() {
	v.phone.Firmware = cmp.Or(v.agent.Firmware, v.phone.Firmware)
}

// bootstrapFile is the one file of a phone without credentials, once. A HEAD
// takes nothing.
func (v *visit) bootstrapFile() (provisioner.File, error) {
	v.tellFirmware()
	f, err := v.Files.Bootstrap(v.r.Context(), v.phone, v.want)
	if err != nil || v.r.Method == http.MethodHead {
		return f, err
	}
	if err := v.mayBeSeen(f); err != nil {
		return provisioner.File{}, err
	}
	first, err := v.Store.UseFirstContact(v.r.Context(), v.phone.Device.ID)
	if err != nil {
		return provisioner.File{}, err
	}
	if !first {
		return provisioner.File{}, refusal{rule: models.RefusedNothing, phone: v.phone, account: v.account, challenge: true}
	}
	v.Log.WarnContext(v.r.Context(), "a phone without credentials was given its bootstrap file",
		"account", v.account.ID, "device", v.phone.Device.ID, "remote", v.peer.source)
	return f, nil
}

// mayBeSeen refuses to send secrets over a line that others may listen to, where
// the account says so; where it does not they are counted.
func (v *visit) mayBeSeen(f provisioner.File) error {
	if v.peer.secure || !f.Secret {
		return nil
	}
	if v.account.Access.RequireTLS {
		return refusal{rule: models.RefusedClear, phone: v.phone, account: v.account}
	}
	v.exposed = true
	return nil
}

// deliver writes the file; ServeContent sees to HEAD, ranges and If-None-Match.
func (v *visit) deliver(f provisioner.File) {
	v.etag = f.ETag
	v.w.Header().Set("Content-Type", f.ContentType)
	v.w.Header().Set("ETag", `"`+f.ETag+`"`)
	http.ServeContent(v.w, v.r, "", time.Time{}, bytes.NewReader(f.Body))
}

// refuse answers an error. A phone may take 404 as final, so a failure of ours
// is 503: then it keeps the configuration it has.
func (v *visit) refuse(err error) {
	var method methodError
	refused, isRefusal := asRefusal(err)
	switch {
	case isRefusal && refused.rule == models.RefusedClear:
		v.text(http.StatusForbidden)
	case isRefusal && refused.challenge:
		v.drain()
		v.awaitBeat()
		// Set would write Www-Authenticate, and small clients may be particular.
		v.w.Header()["WWW-Authenticate"] = []string{v.digest.Challenge(realm, anyClient, digestauth.MD5, refused.stale)}
		v.text(http.StatusUnauthorized)
	case isRefusal:
		v.awaitBeat()
		v.text(http.StatusNotFound)
	case errors.As(err, &method):
		v.w.Header().Set("Allow", strings.Join(method.allowed, ", "))
		v.text(http.StatusMethodNotAllowed)
	case errors.Is(err, errTooLarge), errors.Is(err, models.ErrQuota):
		v.text(http.StatusRequestEntityTooLarge)
	case errors.Is(err, errPartial), errors.Is(err, errCutOff), errors.Is(err, errForwarded):
		v.text(http.StatusBadRequest)
	case errors.Is(err, errEncoded):
		v.text(http.StatusUnsupportedMediaType)
	case errors.Is(err, models.ErrNotFound):
		v.text(http.StatusNotFound)
	case errors.Is(err, errBusy):
		v.w.Header().Set("Retry-After", retryAfter)
		v.text(http.StatusServiceUnavailable)
	default:
		switch {
		case errors.Is(err, context.Canceled):
			v.w.broken = true // the phone hung up, or we are about to
		case v.Store.failed != nil && v.account == nil:
			v.Log.DebugContext(v.r.Context(), "file failed", "remote", v.peer.source, "err", err) // that the database is away is told otherwise
		default:
			v.Log.ErrorContext(v.r.Context(), "file failed", "file", v.want.Name, "remote", v.peer.source, "err", err)
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
	level := slog.LevelDebug
	if v.account != nil {
		level = slog.LevelInfo
	}
	if !v.Log.Enabled(v.r.Context(), level) {
		return
	}
	attrs := []any{"method", v.r.Method, "file", v.want.Name, "status", v.w.status, "bytes", max(v.w.bytes, v.received), "remote", v.peer.source}
	if v.account != nil {
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

// warnOfWeak tells once a day of an account whose phones are served over weak TLS.
func (v *visit) warnOfWeak() {
	if v.peer.weak && v.account != nil && v.w.status < http.StatusBadRequest && v.weak.Allow(v.account.ID) {
		v.Log.WarnContext(v.r.Context(), "a phone knows only old TLS: others may find a way to read what it is sent",
			"account", v.account.ID, "file", v.want.Name, "remote", v.peer.source, "version", tls.VersionName(v.r.TLS.Version))
	}
}

// record remembers the request for the administrator when it came from
// somebody known: strangers could fill the database.
func (v *visit) record() {
	if v.account == nil {
		return
	}
	fetch := models.Fetch{
		AccountID: v.account.ID,
		File:      v.want.Name,
		Method:    v.r.Method,
		Status:    v.w.status,
		ETag:      v.etag,
		Bytes:     v.w.bytes,
		Source:    v.peer.source.String(),
		UserAgent: v.r.UserAgent(),
		Firmware:  v.agent.Firmware,
		Exposed:   v.exposed,
		Duration:  v.Now().Sub(v.started),
		At:        v.started.UTC(),
	}
	switch {
	case v.want.HasMAC:
		fetch.MAC = v.want.MAC.String()
	case v.agent.MAC != models.MAC{}:
		fetch.MAC = v.agent.MAC.String()
	}
	if v.phone != nil {
		fetch.DeviceID, fetch.CameBefore = v.phone.Device.ID, v.phone.Device.CameBefore
	}
	if v.want.HasMAC && v.w.status < http.StatusBadRequest {
		fetch.WithPassword = v.withPassword
		if v.withToken {
			fetch.WithToken = v.account.PathToken.Hash()
		}
	}
	if v.asset && fetch.MAC == "" && fetch.DeviceID == "" {
		return // a file that any phone may have, by one that is not known
	}
	if v.isUpload() {
		fetch.Bytes = v.received
	}
	if v.w.broken {
		fetch.Status, fetch.ETag = statusClientGone, ""
	}
	v.Record(fetch)
}

// statusClientGone records a file that did not reach the phone whole (the
// number nginx uses).
const statusClientGone = 499

// splitPath takes [/p/{token}]/{file} apart. It works on the escaped path, so
// that no escape (dots, slashes, NUL in disguise) can move a boundary. The file
// stays escaped: manifests know plain names only, assets look at it themselves.
func splitPath(path string) (token models.Secret, name string, ok bool) {
	if strings.Contains(path, "\\") {
		return "", "", false
	}
	name, ok = strings.CutPrefix(path, "/")
	if rest, found := strings.CutPrefix(path, "/p/"); found {
		var secret string
		secret, name, ok = strings.Cut(rest, "/")
		token = models.Secret(secret)
		ok = ok && token != "" && !strings.Contains(secret, "%")
	}
	return token, name, ok
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

// ReadFrom lets the server copy with buffers that it has.
func (w *responseWriter) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(w.ResponseWriter, r)
	w.bytes += n
	w.broken = w.broken || err != nil
	return n, err
}
