// Package api serves Dialtone's REST API, which is Kazoo's /v2 as far as
// accounts, users and devices go. It is the only package that knows gin.
//
// A request passes receive (body, envelope, request id), gin's router, the
// checks of its route in Kazoo's order, and one handler, which returns an
// answer or an error; writeAnswer and writeError turn those into the envelope.
package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"dialtone/internal/limit"
	"dialtone/internal/mail"
	"dialtone/models"
	"dialtone/provisioner"
)

// A Store keeps the documents. Errors are the kinds of models: ErrNotFound,
// ErrConflict (what is saved or deleted is no longer what is stored), ErrTaken
// (a *models.TakenError, for values that must be unique) and ErrUnavailable.
type Store interface {
	CreateAccount(ctx context.Context, a *models.Account, apiKey models.Secret) error
	Account(ctx context.Context, id string) (*models.Account, error)
	AccountByAPIKey(ctx context.Context, key models.Secret) (*models.Account, error)
	ListAccounts(ctx context.Context, parentID string, l models.Listing) ([]*models.Account, error)
	SaveAccount(ctx context.Context, old, a *models.Account) error
	DeleteAccount(ctx context.Context, a *models.Account) error
	AccountTaken(ctx context.Context, a *models.Account) ([]*models.TakenError, error)
	SetAPIKey(ctx context.Context, id string, key models.Secret) error

	CreateUser(ctx context.Context, u *models.User) error
	User(ctx context.Context, accountID, id string) (*models.User, error)
	ListUsers(ctx context.Context, accountID string, l models.Listing) ([]*models.User, error)
	SaveUser(ctx context.Context, old, u *models.User) error
	DeleteUser(ctx context.Context, u *models.User) error
	UserTaken(ctx context.Context, u *models.User) ([]*models.TakenError, error)
	UsersByCredentials(ctx context.Context, c models.Credentials) ([]*models.User, error)
	CredentialAccounts(ctx context.Context, c models.Credentials) ([]string, error)
	UsersByUsername(ctx context.Context, c models.Credentials, username string) ([]*models.User, error)

	CreateDevice(ctx context.Context, d *models.Device) error
	Device(ctx context.Context, accountID, id string) (*models.Device, error)
	ListDevices(ctx context.Context, accountID string, l models.Listing) ([]*models.Device, error)
	SaveDevice(ctx context.Context, old, d *models.Device) error
	DeleteDevice(ctx context.Context, d *models.Device) error
	ImportDevices(ctx context.Context, devices []*models.Device, keep func(taken map[int]*models.TakenError) bool) error
	Import(ctx context.Context, accountID, fileHash string) (models.Import, error)
	ImportPart(ctx context.Context, from models.Import, to *models.Import, devices []*models.Device, keep func(taken map[int]*models.TakenError) bool) error
	DeviceTaken(ctx context.Context, p *models.Phone) ([]*models.TakenError, error)
	DevicesTaken(ctx context.Context, phones []*models.Phone) ([][]*models.TakenError, error)
	DevicesThere(ctx context.Context, accountID string, ids []string) (map[string]bool, error)
	PhoneByID(ctx context.Context, accountID, deviceID string) (*models.Phone, error)
	RegisteredDevices(ctx context.Context, accountID, after string, limit int) ([]string, error)
	Bindings(ctx context.Context, deviceID string) ([]models.Binding, error)
	DropBindings(ctx context.Context, bindings []models.Binding) error
	Registrations(ctx context.Context, accountID, after string, limit int) ([]models.Registration, error)
	CountRegistrations(ctx context.Context, accountID string) (int64, error)
	ListUserDevices(ctx context.Context, accountID, userID string, l models.Listing) ([]*models.Device, error)
	Hotdesks(ctx context.Context, accountID string, limit int) ([]models.Hotdesk, error)
	PhoneByUsername(ctx context.Context, accountID, username string) (*models.Phone, error)
	Notifications(ctx context.Context, deviceID string, limit int) ([]models.Notification, error)
	DeviceQuickCalls(ctx context.Context, deviceID string, limit int) ([]models.QuickCall, error)
	UserQuickCalls(ctx context.Context, userID string, limit int) ([]models.QuickCall, error)
	Uploads(ctx context.Context, deviceID string) ([]models.Upload, error)
	Upload(ctx context.Context, deviceID, name string) (*models.Upload, error)
	DeleteUploads(ctx context.Context, d *models.Device, which func(models.Upload) bool) ([]models.Upload, error)

	CreateSyncJob(ctx context.Context, j *models.SyncJob) error
	SyncJob(ctx context.Context, accountID, id string) (*models.SyncJob, error)
	SyncJobs(ctx context.Context, accountID string, before *models.SyncJob, limit int) ([]*models.SyncJob, error)
	ChangeSyncJob(ctx context.Context, accountID, id string, change func(*models.SyncJob, models.SyncCounts) error) (*models.SyncJob, error)
	SyncCounts(ctx context.Context, jobID string) (models.SyncCounts, error)
	SyncItems(ctx context.Context, jobID, state, after string, limit int) ([]models.SyncItem, error)

	AuditEntries(ctx context.Context, accountID, objectID string, before *models.AuditEntry, limit int) ([]models.AuditEntry, error)
	Audit(ctx context.Context, e models.AuditEntry) error
	UnknownDevices(ctx context.Context, accountID, after string, limit int) ([]models.UnknownDevice, error)
	Refusals(ctx context.Context, accountID string, limit int) ([]models.Refusal, error)
	RotatePathToken(ctx context.Context, old *models.Account, until time.Time) (*models.Account, error)
	PhonesBehind(ctx context.Context, accountID string) (int64, error)
	RotateHTTPPassword(ctx context.Context, old *models.Device, until time.Time) (*models.Device, error)
	OpenFirstContact(ctx context.Context, d *models.Device, until time.Time) error

	CreateToken(ctx context.Context, token models.Secret, t *models.Token, grounds models.Grounds) error
	Token(ctx context.Context, token models.Secret) (*models.Token, error)
	DeleteToken(ctx context.Context, token models.Secret) error

	Ping(ctx context.Context) error
}

// A Guard slows down who guesses API keys and passwords.
type Guard interface {
	Allowed(source netip.Addr) bool
	Fail(source netip.Addr)
}

// A Meter limits how many requests there may be in a time.
type Meter interface {
	// Charge takes what a request costs from its account, or from its source
	// when account is "". When that is more than is left it takes nothing, and
	// wait is the time until there is enough.
	Charge(account string, source netip.Addr, cost int) (wait time.Duration, ok bool)
}

// Config is what the API works with. Everything but Meter, Mail, the lives of
// tokens, Version and Now is required.
type Config struct {
	Store Store
	// CheckSync tells a phone to fetch its files again; it returns at once.
	CheckSync func(CheckSync)
	// AwaitRoom waits while very many check-syncs are on their way, until ctx ends.
	AwaitRoom func(ctx context.Context)
	// Notify sends any other NOTIFY; it returns at once.
	Notify func(Notice)
	// QuickCall begins a call; outcome waits until it is known whether the phone
	// calls the number, or ctx ends. It is models.ErrBusy when too many calls are
	// under way, or one of the phones is being called.
	QuickCall func(ctx context.Context, c QuickCall) (outcome func(ctx context.Context) models.QuickCall, err error)
	// Provision reports which files a phone is given and which it has.
	Provision func(context.Context, *models.Phone) (provisioner.Report, error)
	// ProvisioningURL is where an account's phones fetch their files.
	ProvisioningURL func(*models.Account) string
	// Preview renders one of a phone's files, with secrets masked or not.
	Preview func(ctx context.Context, p *models.Phone, name string, reveal bool) (provisioner.File, error)
	// Explain is Preview that tells where each line comes from.
	Explain func(ctx context.Context, p *models.Phone, name string, reveal bool) (provisioner.Explanation, error)
	// Catalog is what is known about brands now; it may be another one later.
	Catalog func() *provisioner.Catalog
	// Background does what a request leaves to be done after its answer, with
	// the values of ctx and a later end; it returns at once.
	Background func(ctx context.Context, work func(context.Context))
	Guard      Guard
	Meter      Meter // nil: requests are not limited
	// Mail has mails composed and sent; it returns at once. nil: there is no mail.
	Mail func(context.Context, mail.Compose)
	// Portals are the hosts, with a port where it is not the usual one, that
	// links in mails may lead to.
	Portals []string
	// How long tokens of api_auth and of user_auth are good where an account says
	// nothing else; an hour when zero.
	APITokenLife, UserTokenLife time.Duration

	Metrics http.Handler // what GET /metrics answers; nil: there are none
	// Observe is told of each request, for figures; route is "" when there is no
	// such path. nil: nobody is told.
	Observe func(method, route string, status int, took time.Duration)

	Version string // named in every envelope, when not empty
	Log     *slog.Logger
	Now     func() time.Time // time.Now when nil
}

func (c *Config) check() error {
	if c.Store == nil || c.CheckSync == nil || c.AwaitRoom == nil || c.Notify == nil || c.QuickCall == nil || c.Provision == nil || c.ProvisioningURL == nil || c.Preview == nil || c.Explain == nil ||
		c.Catalog == nil || c.Background == nil || c.Guard == nil || c.Log == nil {
		return errors.New("api: incomplete configuration")
	}
	c.APITokenLife = cmp.Or(c.APITokenLife, time.Hour)
	c.UserTokenLife = cmp.Or(c.UserTokenLife, time.Hour)
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}

type server struct {
	Config
	rules
	docs        map[string]docFile
	patience    time.Duration // see savePatience
	largeBodies chan struct{} // has room for as many as may be worked on at once
	resets      *limit.Pace   // mails to each user who has forgotten a password
}

// New makes the API's handler.
func New(cfg Config) (http.Handler, error) {
	s, err := newServer(cfg)
	if err != nil {
		return nil, err
	}
	return s.handler()
}

func newServer(cfg Config) (*server, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	rules, err := newRules(cfg.Store)
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	docs, err := loadDocs()
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	return &server{
		Config: cfg, rules: rules, docs: docs, patience: savePatience, largeBodies: make(chan struct{}, maxLarge),
		resets: limit.NewPace(resetBurst, resetEvery, cfg.Now),
	}, nil
}

func (s *server) handler() (http.Handler, error) {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	if err := engine.SetTrustedProxies(nil); err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash = false // receive drops the slash
	engine.Use(s.logRequest, s.recoverPanic, s.charge)
	engine.NoRoute(s.handle(noRoute))
	engine.NoMethod(s.handle(noMethod))
	s.addRoutes(engine)
	return s.receive(engine), nil
}

// addRoutes is the whole API. Every GET is also a HEAD, every path answers
// OPTIONS.
func (s *server) addRoutes(engine *gin.Engine) {
	routes := []struct {
		method, path string
		handler      gin.HandlerFunc
	}{
		{"GET", "/healthz", s.handle(s.healthz)},
		{"GET", "/readyz", s.handle(s.readyz)},
		{"GET", "/metrics", s.metrics},
		{"GET", "/openapi.yaml", s.doc},
		{"GET", "/schemas/:file", s.doc},
		{"GET", "/docs", s.doc},
		{"GET", "/docs/:file", s.doc},

		{"PUT", "/v2/api_auth", s.open(s.apiAuth)},
		{"PUT", "/v2/user_auth", s.open(s.userAuth)},
		{"PUT", "/v2/user_auth/recovery", s.open(s.recoverPassword)},
		{"POST", "/v2/user_auth/recovery", s.open(s.recoverPassword)},
		{"GET", "/v2/user_auth/:token", s.authenticated(s.showLogin)},
		{"GET", "/v2/token_auth", s.authenticated(s.showLogin)},
		{"DELETE", "/v2/token_auth", s.authenticated(s.endLogin)},

		{"GET", "/v2/accounts", s.authenticated(s.listAccounts)},
		{"PUT", "/v2/accounts", s.authenticated(s.createAccount)},
		{"GET", "/v2/accounts/:account", s.inAccount(s.showAccount)},
		{"PUT", "/v2/accounts/:account", s.inAccount(s.createAccount)},
		{"GET", "/v2/accounts/:account/audit", s.inAccount(s.accountAudit)},
		{"POST", "/v2/accounts/:account", s.inAccount(s.replaceAccount)},
		{"PATCH", "/v2/accounts/:account", s.inAccount(s.patchAccount)},
		{"DELETE", "/v2/accounts/:account", s.inAccount(s.deleteAccount)},
		{"GET", "/v2/accounts/:account/children", s.inAccount(s.listChildren)},
		{"GET", "/v2/accounts/:account/api_key", s.inAccount(s.showAPIKey)},
		{"PUT", "/v2/accounts/:account/api_key", s.inAccount(s.renewAPIKey)},

		{"GET", "/v2/accounts/:account/unknown_devices", s.inAccount(s.listUnknownDevices)},
		{"GET", "/v2/accounts/:account/refusals", s.inAccount(s.listRefusals)},
		{"GET", "/v2/accounts/:account/path_token", s.inAccount(s.showPathToken)},
		{"PUT", "/v2/accounts/:account/path_token", s.inAccount(s.rotatePathToken)},
		{"PUT", "/v2/accounts/:account/devices/:device/http_password", s.inAccount(s.rotateHTTPPassword)},
		{"GET", "/v2/accounts/:account/devices/:device/first_contact", s.inAccount(s.showFirstContact)},
		{"PUT", "/v2/accounts/:account/devices/:device/first_contact", s.inAccount(s.openFirstContact)},
		{"DELETE", "/v2/accounts/:account/devices/:device/first_contact", s.inAccount(s.closeFirstContact)},

		{"GET", "/v2/provisioner/brands", s.authenticated(s.listBrands)},
		{"GET", "/v2/provisioner/brands/:brand", s.authenticated(s.showBrand)},
		{"GET", "/v2/provisioner/brands/:brand/:family", s.authenticated(s.showFamily)},

		{"GET", "/v2/accounts/:account/users", s.inAccount(s.listUsers)},
		{"PUT", "/v2/accounts/:account/users", s.inAccount(s.createUser)},
		{"GET", "/v2/accounts/:account/users/:user", s.inAccount(s.showUser)},
		{"POST", "/v2/accounts/:account/users/:user", s.inAccount(s.replaceUser)},
		{"PATCH", "/v2/accounts/:account/users/:user", s.inAccount(s.patchUser)},
		{"DELETE", "/v2/accounts/:account/users/:user", s.inAccount(s.deleteUser)},

		{"GET", "/v2/accounts/:account/devices", s.inAccount(s.listDevices)},
		{"PUT", "/v2/accounts/:account/devices", s.inAccount(s.createDevice)},
		{"GET", "/v2/accounts/:account/devices/status", s.inAccount(s.deviceStatus)},
		{"POST", "/v2/accounts/:account/devices/import", s.handle(s.importDevices, s.findAccount, s.authenticate, s.authorize, negotiate, s.reads(csvBody))},
		{"GET", "/v2/accounts/:account/devices/:device", s.inAccount(s.showDevice)},
		{"POST", "/v2/accounts/:account/devices/:device", s.inAccount(s.replaceDevice)},
		{"PATCH", "/v2/accounts/:account/devices/:device", s.inAccount(s.patchDevice)},
		{"PUT", "/v2/accounts/:account/devices/:device", s.inAccount(s.deviceAction)},
		{"DELETE", "/v2/accounts/:account/devices/:device", s.inAccount(s.deleteDevice)},
		{"POST", "/v2/accounts/:account/devices/:device/sync", s.inAccount(s.syncDevice)},
		{"POST", "/v2/accounts/:account/devices/:device/notify", s.inAccount(s.notifyDevice)},
		{"GET", "/v2/accounts/:account/devices/:device/notifications", s.inAccount(s.listNotifications)},
		{"GET", "/v2/accounts/:account/devices/:device/provision", s.inAccount(s.showProvision)},
		{"GET", "/v2/accounts/:account/devices/:device/provision/files/*name", s.inAccount(s.previewFile)},
		{"GET", "/v2/accounts/:account/devices/:device/uploads", s.inAccount(s.listUploads)},
		{"DELETE", "/v2/accounts/:account/devices/:device/uploads", s.inAccount(s.clearUploads)},
		{"GET", "/v2/accounts/:account/devices/:device/uploads/*name", s.handle(s.downloadUpload, s.findAccount, s.authenticate, s.authorize)},
		{"DELETE", "/v2/accounts/:account/devices/:device/uploads/*name", s.inAccount(s.clearUpload)},
		{"GET", "/v2/accounts/:account/devices/:device/audit", s.inAccount(s.deviceAudit)},

		{"GET", "/v2/accounts/:account/devices/:device/quickcall/:number", s.inOpenAccount(s.quickcallDevice)},
		{"POST", "/v2/accounts/:account/devices/:device/quickcall/:number", s.inAccount(s.quickcallDevice)},
		{"GET", "/v2/accounts/:account/devices/:device/quickcalls", s.inAccount(s.listDeviceCalls)},

		{"GET", "/v2/accounts/:account/users/:user/devices", s.inUser(s.listUserDevices)},
		{"GET", "/v2/accounts/:account/users/:user/devices/:device", s.inUser(s.showDevice)},
		{"POST", "/v2/accounts/:account/users/:user/devices/:device", s.inUser(s.replaceDevice)},
		{"PATCH", "/v2/accounts/:account/users/:user/devices/:device", s.inUser(s.patchDevice)},
		{"PUT", "/v2/accounts/:account/users/:user/devices/:device", s.inUser(s.deviceAction)},
		{"DELETE", "/v2/accounts/:account/users/:user/devices/:device", s.inUser(s.deleteDevice)},
		{"POST", "/v2/accounts/:account/users/:user/devices/:device/sync", s.inUser(s.syncDevice)},
		{"POST", "/v2/accounts/:account/users/:user/devices/:device/notify", s.inUser(s.notifyDevice)},
		{"GET", "/v2/accounts/:account/users/:user/quickcall/:number", s.inOpenAccount(s.quickcallUser)},
		{"POST", "/v2/accounts/:account/users/:user/quickcall/:number", s.inAccount(s.quickcallUser)},
		{"GET", "/v2/accounts/:account/users/:user/quickcalls", s.inAccount(s.listUserCalls)},
		{"GET", "/v2/accounts/:account/hotdesks", s.inAccount(s.listHotdesks)},

		{"GET", "/v2/accounts/:account/syncs", s.inAccount(s.listSyncs)},
		{"PUT", "/v2/accounts/:account/syncs", s.inAccount(s.createSync)},
		{"GET", "/v2/accounts/:account/syncs/:sync", s.inAccount(s.showSync)},
		{"PATCH", "/v2/accounts/:account/syncs/:sync", s.inAccount(s.changeSync)},
		{"GET", "/v2/accounts/:account/syncs/:sync/items", s.inAccount(s.listSyncItems)},

		{"GET", "/v2/registrations/count", s.authenticated(s.countAllRegistrations)},
		{"GET", "/v2/accounts/:account/registrations", s.inAccount(s.listRegistrations)},
		{"DELETE", "/v2/accounts/:account/registrations", s.inAccount(s.flushRegistrations)},
		{"GET", "/v2/accounts/:account/registrations/count", s.inAccount(s.countRegistrations)},
		{"DELETE", "/v2/accounts/:account/registrations/:username", s.inAccount(s.flushRegistration)},
	}
	allowed := map[string][]string{}
	for _, route := range routes {
		engine.Handle(route.method, route.path, route.handler)
		allowed[route.path] = append(allowed[route.path], route.method)
		if route.method == http.MethodGet {
			engine.HEAD(route.path, route.handler)
			allowed[route.path] = append(allowed[route.path], http.MethodHead)
		}
	}
	for path, methods := range allowed {
		engine.OPTIONS(path, options(strings.Join(append(methods, http.MethodOptions), ", ")))
	}
}

// A handler is one call of the API.
type handler func(context.Context, *request) (*answer, error)

// A check comes before a handler and may end the request.
type check func(context.Context, *request) error

func (s *server) open(h handler) gin.HandlerFunc { return s.handle(h, negotiate, s.reads(jsonBody)) }

func (s *server) authenticated(h handler) gin.HandlerFunc {
	return s.handle(h, s.authenticate, negotiate, s.reads(jsonBody))
}

func (s *server) inAccount(h handler) gin.HandlerFunc {
	return s.handle(h, s.findAccount, s.authenticate, s.authorize, negotiate, s.reads(jsonBody))
}

// inUser is inAccount for what stands behind a user in the path.
func (s *server) inUser(h handler) gin.HandlerFunc {
	return s.handle(h, s.findAccount, s.authenticate, s.authorize, negotiate, s.findUser, s.reads(jsonBody))
}

// inOpenAccount is for what anybody may do where the account allows it, which the
// handler finds out; a token that is presented must be good. No body is of any
// use there.
func (s *server) inOpenAccount(h handler) gin.HandlerFunc {
	authorized := func(ctx context.Context, r *request) error {
		if r.token == "" {
			return nil
		}
		if err := s.authenticate(ctx, r); err != nil {
			return err
		}
		return s.authorize(ctx, r)
	}
	return s.handle(h, s.findAccount, authorized, negotiate)
}

// handle adapts a handler to gin.
func (s *server) handle(h handler, checks ...check) gin.HandlerFunc {
	return func(c *gin.Context) {
		r := requestOf(c)
		answer, err := r.run(c.Request.Context(), h, checks)
		if err != nil {
			s.writeError(c, r, err)
			return
		}
		s.writeAnswer(c, r, answer)
	}
}

func (r *request) run(ctx context.Context, h handler, checks []check) (*answer, error) {
	if r.err != nil {
		return nil, r.err
	}
	for _, check := range checks {
		if err := check(ctx, r); err != nil {
			return nil, err
		}
	}
	return h(models.WithActor(ctx, r.actingAs()), r)
}

func noRoute(_ context.Context, r *request) (*answer, error) {
	if strings.HasPrefix(r.path+"/", "/v1/") {
		return nil, fault("gone", "this API version is no longer served")
	}
	return nil, fault("not_found", "no such path")
}

func noMethod(context.Context, *request) (*answer, error) {
	return nil, fault("invalid_method", "the method is not allowed here")
}
