package provisioner

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"dialtone/models"
)

// A Store is what rendering needs beside the phone itself.
type Store interface {
	// UsersByID returns those of the users that exist.
	UsersByID(ctx context.Context, accountID string, ids []string) ([]*models.User, error)
	// Users lists users of an account by ascending id from the one that follows after.
	Users(ctx context.Context, accountID, after string, limit int) ([]*models.User, error)
	// LastFetches returns the newest GET of each file of a device, under the
	// names that Match gives.
	LastFetches(ctx context.Context, deviceID string) ([]models.Fetch, error)
	// Uploads are the files that a device stored, without their bodies.
	Uploads(ctx context.Context, deviceID string) ([]models.Upload, error)
}

// Options are what a server's files have in common.
type Options struct {
	BaseURL   string           // what phones reach us by: "http://host:8080", no trailing slash; "" = not known
	Registrar string           // host[:port] phones register with when no document names a sip.proxy
	Now       func() time.Time // which day's offset and which year's clock changes count, and how old kept files are; nil = time.Now

	Rendered func(brand string, took time.Duration, err error) // of each file that was not in memory, for figures; nil: nobody is told

	CacheBytes int64 // of rendered files that are kept in memory; 0 = DefaultCacheBytes
}

// A Service renders phones' files. It is safe for concurrent use.
type Service struct {
	store   Store
	opts    Options
	catalog atomic.Pointer[Catalog]
	cache   *fileCache // nil: nothing is kept
	render  renderer   // nil: Catalog.renderFile
}

// A renderer makes a file of what was read for it.
type renderer func(c *Catalog, name string, rule *FileRule, in viewInput) (File, error)

func (s *Service) renderer() renderer {
	if s.render == nil {
		return (*Catalog).renderFile
	}
	return s.render
}

// With is the service with another catalog. It keeps nothing that it renders.
func (s *Service) With(c *Catalog) *Service {
	other := &Service{store: s.store, opts: s.opts}
	other.Swap(c)
	return other
}

// NewService makes a service that renders with the given catalog.
func NewService(store Store, catalog *Catalog, opts Options) *Service {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Service{store: store, opts: opts, cache: newFileCache(cmp.Or(opts.CacheBytes, DefaultCacheBytes))}
	s.catalog.Store(catalog)
	return s
}

// Swap replaces the catalog for all requests from now on.
func (s *Service) Swap(c *Catalog) { s.catalog.Store(c) }

// Catalog is the one in use.
func (s *Service) Catalog() *Catalog { return s.catalog.Load() }

// Match tells whose file a name is: the path without the token, in any case.
// False when no brand has such a file.
func (s *Service) Match(name string) (Request, bool) {
	return s.Catalog().match(name)
}

// DeviceFile is RequestedFile under a name.
func (s *Service) DeviceFile(ctx context.Context, phone *models.Phone, name string) (File, error) {
	req, ok := s.Match(name)
	if !ok {
		return File{}, fmt.Errorf("device %s, file %q: %w", phone.Device.ID, name, models.ErrNotFound)
	}
	return s.RequestedFile(ctx, phone, req)
}

// RequestedFile renders a file for a phone. It is ErrNotFound when the phone's
// brand has no such file or only takes it from phones, or it is another
// phone's. Any other error is a failure of the store or of a template, named
// with its line.
func (s *Service) RequestedFile(ctx context.Context, phone *models.Phone, req Request) (File, error) {
	file, ok := req.fileFor(phone)
	if !ok {
		return File{}, fmt.Errorf("device %s, file %q: %w", phone.Device.ID, req.Name, models.ErrNotFound)
	}
	if !req.HasMAC {
		return s.commonFile(ctx, req.catalog, phone.Account, phone.Firmware, file, modelOf(phone))
	}
	return s.deviceFile(ctx, req.catalog, phone, fillMAC(file.path, req.MAC), file.rule)
}

// fileFor is what of the phone's brand has the name. False when there is nothing
// to render, or it is another phone's.
func (r Request) fileFor(phone *models.Phone) (brandFile, bool) {
	file, ok := r.ruleFor(phone.Device)
	if !ok || !file.rule.rendered() {
		return brandFile{}, false
	}
	mac, hasMAC := phone.Device.MAC()
	return file, !r.HasMAC || hasMAC && mac == r.MAC
}

// CommonFile is RequestedCommonFile under a name.
func (s *Service) CommonFile(ctx context.Context, account *models.Account, agent UserAgent, name string) (File, error) {
	req, ok := s.Match(name)
	if !ok {
		return File{}, fmt.Errorf("file %q: %w", name, models.ErrNotFound)
	}
	return s.RequestedCommonFile(ctx, account, agent, req)
}

// RequestedCommonFile renders a file that names no MAC, from nothing but the
// account and what the request told of its phone. Of several brands with such a
// file the first by name answers. It is ErrNotFound for unknown files and for
// those of one device.
func (s *Service) RequestedCommonFile(ctx context.Context, account *models.Account, agent UserAgent, req Request) (File, error) {
	file, asking, ok := req.commonFor(agent)
	if !ok {
		return File{}, fmt.Errorf("file %q: %w", req.Name, models.ErrNotFound)
	}
	return s.commonFile(ctx, req.catalog, account, agent.Firmware, file, asking)
}

// commonFor is the common file of a name, and which model asks for it as far as
// it tells.
func (r Request) commonFor(agent UserAgent) (brandFile, modelKey, bool) {
	if len(r.files) == 0 || r.HasMAC {
		return brandFile{}, modelKey{}, false
	}
	asking := modelKey{}
	if agent.Brand == r.files[0].brand {
		asking.model = agent.Model
	}
	return r.files[0], asking, true
}

// usersNamed reads the users that the phone's keys and hotdesks name, in one query.
func (s *Service) usersNamed(ctx context.Context, phone *models.Phone, ids []string) ([]*models.User, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	users, err := s.store.UsersByID(ctx, phone.Account.ID, ids)
	if err != nil {
		return nil, fmt.Errorf("device %s, users that it names: %w", phone.Device.ID, err)
	}
	return users, nil
}

func (s *Service) deviceFile(ctx context.Context, c *Catalog, phone *models.Phone, name string, rule *FileRule) (File, error) {
	b := c.brands[phone.Device.Provision.Brand]
	k := s.newKey(c, b.Brand, rule.Role, name, c.firmwareKey(b, phone.Firmware))
	k.document("account", phone.Account.Meta)
	k.phone(phone)
	for _, l := range phone.Lines {
		k.add("line", strconv.Itoa(l.Number))
		k.phone(l.Phone)
	}
	users := namedUserIDs(phone)
	if len(users) > 0 {
		k.add("users", strconv.FormatInt(phone.Account.UserChanges, 10))
	}
	k.phonebook(phone.Account, rule, 0)
	f, err := s.cached(ctx, deviceSlot(phone, name), k, func(ctx context.Context) (File, error) {
		named, err := s.usersNamed(ctx, phone, users)
		if err != nil {
			return File{}, err
		}
		in := b.deviceInput(phone, named, s.opts.Registrar)
		mac, _ := phone.Device.MAC()
		in.server = server{Username: mac.String(), Password: phone.Device.HTTPPassword}
		return s.renderFor(ctx, c, name, rule, in)
	})
	if err != nil {
		return File{}, fmt.Errorf("device %s, role %s: %w", phone.Device.ID, rule.Role, err)
	}
	return f, nil
}

func modelOf(phone *models.Phone) modelKey {
	p := phone.Device.Provision
	return modelKey{p.Family, string(p.Model)}
}

// commonFile renders a common file. Of the model that asks only the room in its
// phonebook counts, unless the file is one model's: what else depends on a
// model is not in common files.
func (s *Service) commonFile(ctx context.Context, c *Catalog, account *models.Account, firmware string, file brandFile, asking modelKey) (File, error) {
	b := c.brands[file.brand]
	room := b.room(file, asking)
	k := s.newKey(c, b.Brand, file.rule.Role, file.path, c.firmwareKey(b, firmware))
	k.document("account", account.Meta)
	k.phonebook(account, file.rule, room)
	f, err := s.cached(ctx, c.commonSlot(account, firmware, file, asking), k, func(ctx context.Context) (File, error) {
		in := b.commonInput(account, file.model)
		in.firmware, in.model.PhonebookEntries = firmware, room
		return s.renderFor(ctx, c, file.path, file.rule, in)
	})
	if err != nil {
		return File{}, fmt.Errorf("account %s, role %s: %w", account.ID, file.rule.Role, err)
	}
	return f, nil
}

// room is how many entries a common file's phonebook has room for: those of the
// model whose file it is, or else of the one that asks.
func (b *brand) room(file brandFile, asking modelKey) int {
	if file.model != (modelKey{}) {
		asking = file.model
	}
	return b.model(asking.family, asking.model).PhonebookEntries
}

// renderFor renders with what is the same for every file of an account.
func (s *Service) renderFor(ctx context.Context, c *Catalog, name string, rule *FileRule, in viewInput) (File, error) {
	var err error
	if in.phonebook, err = s.phonebook(ctx, in.account.ID, rule, in.model); err != nil {
		return File{}, err
	}
	in.now = s.today()
	in.server.URL = s.URL(in.account)
	began := time.Now()
	file, err := s.renderer()(c, name, rule, in)
	if s.opts.Rendered != nil {
		s.opts.Rendered(in.brand.Brand, time.Since(began), err)
	}
	return file, err
}

// A cacheKeyBuilder collects what names the content of a file.
type cacheKeyBuilder []string

// usualKeyParts are those of a phone with an owner and keys for a few users.
const usualKeyParts = 32

func (s *Service) newKey(c *Catalog, parts ...string) *cacheKeyBuilder {
	day := s.today().Format(time.DateOnly) // clock changes are those of the year
	k := make(cacheKeyBuilder, 0, usualKeyParts)
	k.add(c.Hash(), day, s.opts.BaseURL, s.opts.Registrar)
	k.add(parts...)
	return &k
}

// today is the beginning of the day in UTC: what is rendered on one day is the
// same on every server.
func (s *Service) today() time.Time { return s.opts.Now().UTC().Truncate(24 * time.Hour) }

func (k *cacheKeyBuilder) add(parts ...string) { *k = append(*k, parts...) }

// document adds a stored document: its revision names all of it, secrets too.
// What it is there for tells apart lists in which others are left out.
func (k *cacheKeyBuilder) document(as string, meta models.Meta) { k.add(as, meta.ID, meta.Revision) }

// phone adds a device and its owner.
func (k *cacheKeyBuilder) phone(p *models.Phone) {
	k.document("device", p.Device.Meta)
	if p.Owner != nil {
		k.document("owner", p.Owner.Meta)
	}
}

// phonebook adds, for a file with the phonebook in it, how often the account's
// users have changed, and how many entries there is room for.
func (k *cacheKeyBuilder) phonebook(account *models.Account, rule *FileRule, room int) {
	if rule.Phonebook {
		k.add("phonebook", strconv.FormatInt(account.UserChanges, 10), strconv.Itoa(room))
	}
}

func (k *cacheKeyBuilder) sum() cacheKey {
	return sha256.Sum256([]byte(strings.Join(*k, "\x00")))
}

// UserAgent is what a phone tells of itself in that header.
func (s *Service) UserAgent(header string) UserAgent { return s.Catalog().userAgent(header) }

// How a phone is told to fetch its files again.
const (
	SyncPlain  SyncMode = ""       // as the brand likes it: without a reboot where that is possible
	SyncReboot SyncMode = "reboot" // by a reboot
	SyncReload SyncMode = "reload" // expressly without one
)

// A SyncMode is one of the Sync constants.
type SyncMode string

// SyncEvent is the Event header that makes the phone fetch again; "check-sync"
// when the brand is unknown. A device may name its own in
// provision.check_sync_event, with what _reboot and _reload append to it, as
// Kazoo's do.
func (s *Service) SyncEvent(phone *models.Phone, mode SyncMode) string {
	own, suffix := ownSyncEvent(phone.Device.Document, mode)
	if suffix != "" {
		return cmp.Or(own, "check-sync") + ";" + suffix
	}
	if own != "" {
		return own
	}
	m, ok := s.Catalog().Manifest(phone.Device.Provision.Brand)
	switch {
	case !ok:
		return "check-sync"
	case mode == SyncReboot:
		return m.CheckSync.Reboot
	}
	return m.CheckSync.Resync
}

// ownSyncEvent is what a device document says of its check-sync.
func ownSyncEvent(doc models.Document, mode SyncMode) (event, suffix string) {
	if mode != SyncPlain {
		suffix = doc.Text("provision.check_sync_" + string(mode))
	}
	return doc.Text("provision.check_sync_event"), suffix
}

// usualAutoAnswer stands in for the headers of a brand that names none.
var usualAutoAnswer = []string{"Call-Info: <sip:{realm}>;answer-after=0"}

// AutoAnswer is the headers, each "Name: value", of an INVITE that a phone
// answers by itself.
func (s *Service) AutoAnswer(phone *models.Phone) []string {
	lines := usualAutoAnswer
	if m, ok := s.Catalog().Manifest(phone.Device.Provision.Brand); ok && len(m.AutoAnswer) > 0 {
		lines = m.AutoAnswer
	}
	headers := make([]string, len(lines))
	for i, line := range lines {
		headers[i] = strings.ReplaceAll(line, "{realm}", phone.Realm())
	}
	return headers
}

// URL is where the account's phones fetch their files, see AccountURL.
func (s *Service) URL(account *models.Account) string {
	return AccountURL(s.opts.BaseURL, account)
}

// AccountURL is where an account's phones fetch their files, below the base
// URL "http://host:8080": it ends in "/" and, where its path token lets phones
// in, is a secret. "" when the base URL is not known.
func AccountURL(baseURL string, account *models.Account) string {
	switch {
	case baseURL == "":
		return ""
	case !account.Access.Token:
		return baseURL + "/"
	}
	return baseURL + "/p/" + account.PathToken.Reveal() + "/"
}
