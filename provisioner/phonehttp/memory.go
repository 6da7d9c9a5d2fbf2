package phonehttp

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/maypok86/otter/v2"

	"dialtone/models"
)

// How many of each are remembered, at about a kilobyte each.
const (
	maxKnownPhones   = 100_000
	maxKnownAccounts = 10_000
)

// ordinaryPatience is how long the database may take before what it said last
// counts: longer than a Galera cluster stands still when it loses a node, and
// phones wait longer still. It is the same for what is known and for what is
// not, which strangers could tell apart otherwise.
const ordinaryPatience = 6 * time.Second

// A memory is what the database said last of phones and of accounts, by their
// path tokens. Whatever it said is disabled or gone is not in it.
type memory struct {
	now      func() time.Time
	phones   *otter.Cache[models.MAC, known[*models.Phone]]
	tokens   *otter.Cache[[sha256.Size]byte, known[tokenHolder]]
	accounts *otter.Cache[string, *models.Account] // by id, so that phones share them
}

// A known value is one that the database gave, and when.
type known[V any] struct {
	value V
	at    time.Time
}

// A tokenHolder is the account of a path token.
type tokenHolder struct {
	token   models.Secret
	account *models.Account
}

// isGood reports whether the token is the account's, or the one before in its time.
func (h tokenHolder) isGood(now time.Time) bool {
	return hashOf(h.token) == hashOf(h.account.PathToken) || now.Before(h.account.OldTokenUntil)
}

func newMemory(now func() time.Time) *memory {
	return &memory{
		now:      now,
		phones:   otter.Must(&otter.Options[models.MAC, known[*models.Phone]]{MaximumSize: maxKnownPhones, Logger: &otter.NoopLogger{}}),
		tokens:   otter.Must(&otter.Options[[sha256.Size]byte, known[tokenHolder]]{MaximumSize: maxKnownAccounts, Logger: &otter.NoopLogger{}}),
		accounts: otter.Must(&otter.Options[string, *models.Account]{MaximumSize: maxKnownAccounts, Logger: &otter.NoopLogger{}}),
	}
}

// learnPhone takes what the database just said of the phone with a MAC.
func (m *memory) learnPhone(mac models.MAC, phone *models.Phone, err error) {
	switch {
	case errors.Is(err, models.ErrNotFound), err == nil && !phone.Enabled():
		m.phones.Invalidate(mac)
	case err == nil:
		m.phones.Set(mac, known[*models.Phone]{m.outline(phone), m.now()})
	}
}

// learnToken takes what the database just said of a path token.
func (m *memory) learnToken(token models.Secret, account *models.Account, err error) {
	switch {
	case errors.Is(err, models.ErrNotFound), err == nil && !account.Enabled.On():
		m.tokens.Invalidate(hashOf(token))
	case err == nil:
		m.tokens.Set(hashOf(token), known[tokenHolder]{tokenHolder{token, m.shared(account)}, m.now()})
	}
}

func hashOf(token models.Secret) [sha256.Size]byte { return sha256.Sum256([]byte(token.Reveal())) }

// outline is a phone with what decides who it is and what it may have. What only
// its files are made of, SIP secrets among it, is left out.
func (m *memory) outline(p *models.Phone) *models.Phone {
	d := &models.Device{Meta: p.Device.Meta, AccountID: p.Device.AccountID, HTTPPassword: p.Device.HTTPPassword}
	d.OldHTTPPassword, d.OldPasswordUntil = p.Device.OldHTTPPassword, p.Device.OldPasswordUntil
	d.MACAddress = p.Device.MACAddress
	d.Provision.Brand, d.Provision.Family, d.Provision.Model = p.Device.Provision.Brand, p.Device.Provision.Family, p.Device.Provision.Model
	outline := &models.Phone{Device: d, Account: m.shared(p.Account), Firmware: p.Firmware}
	if p.Owner != nil {
		outline.Owner = &models.User{Meta: p.Owner.Meta}
	}
	return outline
}

// shared is the outline of an account, the one that is remembered already when
// that is the same.
func (m *memory) shared(a *models.Account) *models.Account {
	if same, ok := m.accounts.GetIfPresent(a.ID); ok && same.Revision == a.Revision {
		return same
	}
	outline := &models.Account{Meta: a.Meta, PathToken: a.PathToken, OldTokenUntil: a.OldTokenUntil, Access: a.Access}
	outline.Enabled = a.Enabled
	m.accounts.Set(a.ID, outline)
	return outline
}

// A recall is the store of one visit. Once the database does not answer, or not
// in time, it is not asked any more: what it said since a given time counts.
type recall struct {
	Store
	memory   *memory
	patience time.Duration // how long the database may take for one answer
	since    time.Time
	failed   error // why the database is not asked any more
}

// PhoneByMAC gives the phone with this MAC, or what is remembered of it.
func (r *recall) PhoneByMAC(ctx context.Context, mac models.MAC) (*models.Phone, error) {
	phone, err := ask(ctx, r, func(ctx context.Context) (*models.Phone, error) { return r.Store.PhoneByMAC(ctx, mac) })
	r.memory.learnPhone(mac, phone, err)
	if r.failed == nil {
		return phone, err
	}
	if last, ok := r.memory.phones.GetIfPresent(mac); ok && last.at.After(r.since) {
		outline := *last.value // callers may write to it
		return &outline, nil
	}
	return nil, r.failed
}

// AccountByPathToken gives the account of a provisioning URL, or what is
// remembered of it.
func (r *recall) AccountByPathToken(ctx context.Context, token models.Secret) (*models.Account, error) {
	account, err := ask(ctx, r, func(ctx context.Context) (*models.Account, error) { return r.Store.AccountByPathToken(ctx, token) })
	r.memory.learnToken(token, account, err)
	if r.failed == nil {
		return account, err
	}
	if last, ok := r.memory.tokens.GetIfPresent(hashOf(token)); ok && last.at.After(r.since) && last.value.isGood(r.memory.now()) {
		return last.value.account, nil
	}
	return nil, r.failed
}

// Upload gives a file that the device stored. Nothing is remembered of these:
// the phone has a copy.
func (r *recall) Upload(ctx context.Context, deviceID, name string) (*models.Upload, error) {
	return ask(ctx, r, func(ctx context.Context) (*models.Upload, error) { return r.Store.Upload(ctx, deviceID, name) })
}

// ask asks the database, unless it has failed this visit before.
func ask[V any](ctx context.Context, r *recall, question func(context.Context) (V, error)) (V, error) {
	var nothing V
	if r.failed != nil {
		return nothing, r.failed
	}
	ctx, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	answer, err := question(ctx)
	if isFailure(err) {
		r.failed = err
		return nothing, err
	}
	return answer, err
}

// isFailure tells a database that does not answer from one that says no, and
// from a phone that hung up.
func isFailure(err error) bool {
	return errors.Is(err, models.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)
}
