package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"dialtone/api"
	"dialtone/internal/certs"
	"dialtone/internal/limit"
	"dialtone/internal/mail"
	"dialtone/models"
	"dialtone/models/sqlstore"
	"dialtone/provisioner"
	"dialtone/provisioner/phonehttp"
	"dialtone/sip"
	"dialtone/syncjob"
	"dialtone/templates"
)

const (
	// When told to stop, requests in flight may work on for the first time and
	// must have been answered after the second.
	workTimeout  = 2500 * time.Millisecond
	drainTimeout = 3500 * time.Millisecond

	pruneEvery    = time.Hour
	keepHistory   = 30 * 24 * time.Hour // of fetches and notifications
	maxAPIHeader  = 64 << 10
	maxFileHeader = 16 << 10
	maxUploads    = 50 // files of one device

	maxAPIConnections    = 5000
	connectionsPerSource = 1000
)

func newServeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the server", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd, os.Environ())
			if err != nil {
				return err
			}
			return serve(cmd.Context(), c, c.logger(cmd.ErrOrStderr()))
		},
	}
	addSettings(cmd, "")
	return cmd
}

// serve runs every listener until ctx ends or one of them fails, then stops
// them all: requests in flight are finished, and what phones did is recorded.
func serve(ctx context.Context, c Config, log *slog.Logger) error {
	catalog, err := loadTemplates(c.Templates.Dir)
	if err != nil {
		return fmt.Errorf("templates.dir: %w", err)
	}
	mails, err := c.mails(log)
	if err != nil {
		return err
	}
	assets, err := openAssets(c.Assets.Dir)
	if err != nil {
		return fmt.Errorf("assets.dir: %w", err)
	}
	defer func() { _ = assets.Close() }()
	phoneCerts, acme, err := loadPhoneCertificates(c, log)
	if err != nil {
		return err
	}
	apiCerts, err := loadCertificates("api", c.API.TLSCert, c.API.TLSKey, log)
	if err != nil {
		return err
	}
	clientCAs, err := loadClientCAs(c.Phones.ClientCADir, catalog)
	if err != nil {
		return fmt.Errorf("phones.client_ca_dir: %w", err)
	}
	store, keys, err := openStore(ctx, c, log)
	if ctx.Err() != nil {
		return nil // told to stop before it began
	}
	if err != nil {
		return err
	}
	nonceKey, err := store.ServerSecret(ctx, "digest_nonces")
	if err != nil {
		return errors.Join(err, store.Close())
	}
	tickets, err := newTickets(ctx, store, keys)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	following, err := followKeys(ctx, store, keys, replicaName(c), log)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	recorder := phonehttp.NewRecorder(store, log)
	later := newJobs(log)
	outlive := []*background{inBackground(ctx, later.run), inBackground(ctx, recorder.Run), inBackground(ctx, following.run)} // the listeners
	if mails != nil {
		outlive = append(outlive, inBackground(ctx, mails.Run))
	}
	s := &server{
		Config: c, log: log, store: store, nonceKey: []byte(nonceKey.Reveal()), catalog: catalog, assets: assets, recorder: recorder, later: later, mails: mails,
		metrics: newMetrics(), phoneCerts: phoneCerts, acme: acme, apiCerts: apiCerts, clientCAs: clientCAs, tickets: tickets,
	}
	err = s.run(ctx)
	for _, b := range outlive {
		b.stop()
	}
	log.InfoContext(ctx, "stopped")
	return errors.Join(err, store.Close())
}

// A server is the program's parts and what joins them.
type server struct {
	Config
	log      *slog.Logger
	store    *sqlstore.Store
	nonceKey []byte
	catalog  *provisioner.Catalog
	assets   *phonehttp.Assets // nil = none

	phoneCerts certificates         // of HTTPS and SIP; nil = none
	acme       *certs.Managed       // phoneCerts, when an authority issues them; else nil
	apiCerts   certificates         // nil = none
	clientCAs  *phonehttp.ClientCAs // nil = none
	tickets    *certs.Tickets
	tls        secured

	recorder *phonehttp.Recorder
	later    *jobs
	mails    *mail.Queue // nil: off
	metrics  *metrics

	exemptNetworks []netip.Prefix // of limits.exempt

	guard  *limit.Lockout // of the API and SIP: phones that look for their files count apart
	meter  api.Meter
	web    *web
	sip    *sip.Server
	files  *provisioner.Service
	admin  http.Handler
	phones *phonehttp.Handler
}

// run binds every listener, joins the parts, and runs them until ctx ends.
func (s *server) run(ctx context.Context) error {
	if err := s.listen(ctx); err != nil {
		return err
	}
	defer s.web.close()
	if err := s.join(); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx) // the first failure stops the others
	g.Go(func() error { return s.sip.Run(ctx) })
	g.Go(func() error { return serveHTTP(ctx, s.web.api, s.web.apiConnections, s.admin, maxAPIHeader, s.log) })
	g.Go(func() error {
		return serveHTTP(ctx, s.web.phones, s.web.phoneConnections, s.withACME(s.phones), maxFileHeader, s.log)
	})
	g.Go(func() error {
		return serveHTTP(ctx, s.web.phonesTLS, s.web.phoneConnections, s.phones, maxFileHeader, s.log)
	})
	g.Go(func() error { return s.phones.Follow(ctx, s.store) })
	g.Go(func() error { return s.syncJobs().Run(ctx) })
	g.Go(func() error { return syncjob.Follow(ctx, s.store, s.log) })
	g.Go(func() error { return prune(ctx, s.store, s.retention(), s.log) })
	g.Go(func() error {
		return serveHTTP(ctx, s.web.phonesTLSOld, s.web.phoneConnections, s.phones, maxFileHeader, s.log)
	})
	g.Go(func() error { return s.tickets.Run(ctx, s.log) })
	for _, c := range []certificates{s.phoneCerts, s.apiCerts} {
		if c != nil {
			g.Go(func() error { return c.Run(ctx) })
		}
	}
	if s.clientCAs != nil {
		g.Go(func() error { return s.clientCAs.Run(ctx, s.log) })
	}
	if dir := s.Templates.Dir; dir != "" {
		g.Go(func() error { return provisioner.NewWatcher(s.files, templates.FS, dir, s.log).Run(ctx) })
	}
	return g.Wait()
}

// listen binds every listener: their ports are needed to join the parts.
func (s *server) listen(ctx context.Context) error {
	exempt, err := s.exempt()
	if err != nil {
		return err
	}
	s.exemptNetworks = exempt
	s.guard = limit.NewLockout(exempt, time.Now)
	perSecond, burst, err := s.apiLimits()
	if err != nil {
		return err
	}
	if perSecond > 0 {
		s.meter = limit.NewMeter(perSecond, burst, exempt, time.Now)
	}
	ping, connections, err := s.sipLimits()
	if err != nil {
		return err
	}
	asking, err := networks("sip.pnp_networks", s.SIP.PnPNetworks)
	if err != nil {
		return err
	}
	if err := s.secure(); err != nil {
		return err
	}
	s.sip, err = sip.New(sip.Config{
		Addr: s.SIP.Addr, TLSAddr: s.SIP.TLSAddr, TLS: s.tls.sip, Proxy: s.SIP.Proxy,
		Sender:   sip.Credentials{Username: s.SIP.SenderUsername, Password: models.Secret(s.SIP.SenderPassword)},
		Answered: s.metrics.sip, Told: s.metrics.told,
		Replica: replicaName(s.Config), NonceKey: s.nonceKey, Store: s.store, Guard: s.guard, Log: s.log,
		PingEvery: ping, MaxConnections: connections, Exempt: exempt,
		Profile: s.profile(), ProfileNetworks: asking, ProfileGroup: s.SIP.PnPAddr, ProfileInterface: s.SIP.PnPInterface,
	})
	if err != nil {
		return err
	}
	if s.web, err = s.listenWeb(ctx); err != nil {
		return err
	}
	if err := s.sip.Listen(ctx); err != nil {
		s.web.close()
		return err
	}
	return nil
}

// join makes the parts that answer HTTP, and tells the API how to reach phones
// and their files: it knows neither SIP nor templates.
func (s *server) join() error {
	baseURL, err := phonesURL(s.Config, addrOf(s.web.phones), addrOf(s.web.phonesTLS))
	if err != nil {
		return err
	}
	s.files = provisioner.NewService(s.store, s.catalog, provisioner.Options{
		BaseURL: baseURL, Registrar: registrar(s.Config, baseURL, s.sip.Addrs().UDP.Port()), CacheBytes: s.Phones.CacheBytes,
		Rendered: s.metrics.rendered,
	})
	staleFor, err := s.staleFor()
	if err != nil {
		return err
	}
	decoys, err := s.decoys()
	if err != nil {
		return err
	}
	proxies, err := s.proxies()
	if err != nil {
		return err
	}
	sources, accounts, err := s.phoneMeters(s.exemptNetworks)
	if err != nil {
		return err
	}
	s.phones = phonehttp.New(phonehttp.Config{
		Files: s.files, NonceKey: s.nonceKey, Store: s.store, Guard: limit.NewLockout(s.exemptNetworks, time.Now), Log: s.log, Now: time.Now,
		Record: s.recorder.Record, Refused: s.recorder.Refused, Sources: sources, Accounts: accounts, Decoys: decoys, ClientCAs: s.clientCAs, Proxies: proxies,
		Quota: models.UploadQuota{Files: maxUploads, Bytes: s.Uploads.MaxBytes}, Assets: s.assets,
		StaleFor: staleFor, Observe: s.metrics.phone,
	})
	apiTokenLife, userTokenLife, err := s.tokenLives()
	if err != nil {
		return err
	}
	admin := api.Config{
		Store: s.store,
		CheckSync: func(c api.CheckSync) {
			s.sip.Notify(sip.NotifyRequest{
				Phone: c.Phone, Event: s.files.SyncEvent(c.Phone, c.Mode), Bindings: c.Bindings, Watch: syncjob.Watch,
			})
		},
		AwaitRoom: s.sip.AwaitRoom,
		Notify: func(n api.Notice) {
			s.sip.Notify(sip.NotifyRequest{
				Phone: n.Phone, Event: n.Event, ContentType: n.ContentType, Body: n.Body, Bindings: n.Bindings,
				Watch: syncjob.WatchOf(n.Event),
			})
		},
		QuickCall:  s.quickCall,
		Background: s.later.add,
		Provision:  s.files.Report,
		Preview:    s.files.Preview,

		ProvisioningURL: s.files.URL,
		Explain:         s.files.Explain,
		Catalog:         s.files.Catalog,
		Guard:           s.guard,
		Meter:           s.meter,

		APITokenLife:  apiTokenLife,
		UserTokenLife: userTokenLife,
		Metrics:       s.metrics.handler(),
		Observe:       s.metrics.api,
		Version:       version,
		Log:           s.log,
	}
	if s.mails != nil {
		admin.Mail = s.mails.Post
		admin.Portals = s.portals()
	}
	if s.admin, err = api.New(admin); err != nil {
		return err
	}
	return s.metrics.watch(s)
}

// quickCall has the SIP server place a call, with the headers of the phone's brand.
func (s *server) quickCall(ctx context.Context, c api.QuickCall) (func(context.Context) models.QuickCall, error) {
	r := sip.CallRequest{
		AccountID: c.Account.ID, UserID: c.UserID, Phones: c.Phones, Number: c.Number,
		CallerName: c.CallerName, CallerNumber: c.CallerNumber, RingFor: c.RingFor,
	}
	if c.AutoAnswer {
		for _, line := range s.files.AutoAnswer(c.Phones[0]) {
			name, value, _ := strings.Cut(line, ": ")
			r.Headers = append(r.Headers, sip.Header{Name: name, Value: value})
		}
	}
	call, err := s.sip.Call(ctx, r)
	if err != nil {
		return nil, err
	}
	return call.Outcome, nil
}

// web holds the HTTP listeners; those that are off are nil.
type web struct {
	api, phones, phonesTLS, phonesTLSOld net.Listener

	apiConnections, phoneConnections *limit.Connections
}

// listenWeb binds the HTTP listeners. An address in use is one clear error.
func (s *server) listenWeb(ctx context.Context) (*web, error) {
	w, err := s.newWeb()
	if err != nil {
		return nil, err
	}
	listeners := []struct {
		key, service, addr string
		secure             *tls.Config // nil: without TLS
		bound              *limit.Connections
		into               *net.Listener
	}{
		{"api.addr", "api", s.API.Addr, s.tls.api, w.apiConnections, &w.api},
		{"phones.addr", "phones", s.Phones.Addr, nil, w.phoneConnections, &w.phones},
		{"phones.tls_addr", "phones-tls", s.Phones.TLSAddr, s.tls.phones, w.phoneConnections, &w.phonesTLS},
		{"phones.tls_old_addr", "phones-tls-old", s.Phones.TLSOldAddr, s.tls.phonesOld, w.phoneConnections, &w.phonesTLSOld},
	}
	for _, l := range listeners {
		if l.addr == "" {
			continue
		}
		var err error
		if *l.into, err = (&net.ListenConfig{}).Listen(ctx, "tcp", l.addr); err != nil {
			w.close()
			return nil, fmt.Errorf("%s: %w", l.key, err)
		}
		s.log.InfoContext(ctx, "listening", "service", l.service, "addr", (*l.into).Addr().String())
		*l.into = l.bound.Listener(*l.into)
		if l.secure != nil {
			*l.into = tls.NewListener(*l.into, l.secure)
		}
	}
	if w.phonesTLSOld != nil {
		s.log.WarnContext(ctx, "phones.tls_old_addr accepts TLS 1.0 and weak ciphers: keep it for phones that know nothing better")
	}
	return w, nil
}

// newWeb makes the bounds on connections. Trusted proxies carry many phones.
func (s *server) newWeb() (*web, error) {
	most, err := s.maxConnections()
	if err != nil {
		return nil, err
	}
	proxies, err := s.proxies()
	if err != nil {
		return nil, err
	}
	return &web{
		apiConnections:   limit.NewConnections(maxAPIConnections, connectionsPerSource, s.exemptNetworks, s.log),
		phoneConnections: limit.NewConnections(most, connectionsPerSource, slices.Concat(s.exemptNetworks, proxies.Networks), s.log),
	}, nil
}

// addrOf is the address of a listener, "" when it is off.
func addrOf(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}

// close ends listeners that no server has taken over; for the others it does
// nothing.
func (w *web) close() {
	for _, l := range []net.Listener{w.api, w.phones, w.phonesTLS, w.phonesTLSOld} {
		if l != nil {
			_ = l.Close()
		}
	}
}

// serveHTTP serves until ctx ends, then finishes the requests in flight: those
// that still wait for the database after workTimeout are told to come back. A
// nil listener is off.
func serveHTTP(ctx context.Context, l net.Listener, connections *limit.Connections, handler http.Handler, maxHeader int, log *slog.Logger) error {
	if l == nil {
		return nil
	}
	work, cancelWork := lingering(ctx, workTimeout)
	defer cancelWork()
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true) // where the listener offers it
	server := &http.Server{
		Protocols:         &protocols,
		HTTP2:             &http2Bounds,
		ConnState:         connections.State,
		ConnContext:       connections.Context,
		BaseContext:       func(net.Listener) context.Context { return work },
		Handler:           connections.Handler(handler),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	drained := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		if err := server.Shutdown(deadline); err != nil {
			drained <- errors.Join(fmt.Errorf("requests still in flight were cut off: %w", err), server.Close())
			return
		}
		drained <- nil
	})
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-drained // Serve returns when Shutdown starts; this is its end
}

// http2Bounds keep a connection of HTTP/2 from costing much more than one of
// HTTP/1.1 does: in requests at once, in bytes of bodies that nobody has read, and
// in answers that the client does not take.
var http2Bounds = http.HTTP2Config{
	MaxConcurrentStreams:          32,
	MaxReceiveBufferPerConnection: 64 << 10,
	MaxReceiveBufferPerStream:     64 << 10,
	WriteByteTimeout:              30 * time.Second,
}

// replicaName tells this server from others on the same database; it stays the
// same over a restart.
func replicaName(c Config) string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return host + " " + c.SIP.Addr
}

// lingering is a context that outlives its parent's end by a while.
func lingering(parent context.Context, while time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	stop := context.AfterFunc(parent, func() { time.AfterFunc(while, cancel) })
	return ctx, func() {
		stop()
		cancel()
	}
}

// prune removes old records at start and then every hour.
func prune(ctx context.Context, store *sqlstore.Store, keep sqlstore.Retention, log *slog.Logger) error {
	ticker := time.NewTicker(pruneEvery)
	defer ticker.Stop()
	for {
		if err := store.Prune(ctx, keep); err != nil && ctx.Err() == nil {
			log.ErrorContext(ctx, "old records not removed", "err", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// A background is a goroutine with a stop that waits for its end.
type background struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// inBackground runs work with a context that ends only when stop is called.
func inBackground(ctx context.Context, work func(context.Context)) *background {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b := &background{cancel, make(chan struct{})}
	go func() {
		defer close(b.done)
		work(ctx)
	}()
	return b
}

func (b *background) stop() {
	b.cancel()
	<-b.done
}

// loadTemplates reads the built-in templates, with those of the overlay folder
// over them when there is one.
func loadTemplates(dir string) (*provisioner.Catalog, error) {
	if dir == "" {
		return provisioner.Parse(templates.FS)
	}
	return provisioner.LoadOverlay(templates.FS, dir)
}

// loadClientCAs reads the authorities of phones' certificates; nil when there
// are none.
func loadClientCAs(folder string, catalog *provisioner.Catalog) (*phonehttp.ClientCAs, error) {
	if folder == "" {
		return nil, nil //nolint:nilnil // phonehttp takes nil for none
	}
	return phonehttp.LoadClientCAs(folder, catalog.Brands())
}

// openAssets opens the folder of the operator's files; nil when there is none.
func openAssets(folder string) (*phonehttp.Assets, error) {
	if folder == "" {
		return nil, nil //nolint:nilnil // phonehttp takes nil for none
	}
	return phonehttp.OpenAssets(folder)
}
