package phonehttp

import (
	"context"
	"time"

	"dialtone/models"
)

const (
	followEvery   = 2 * time.Second
	followOverlap = 2 * time.Minute // clocks of servers may differ by that, and what is written last that long
	followTimeout = time.Minute
)

// A FollowStore knows what was changed.
type FollowStore interface {
	// ChangesSince lists which accounts, users and devices were changed or
	// deleted at that time or later.
	ChangesSince(ctx context.Context, since time.Time) ([]models.ObjectChange, error)
	// These give what is there now, or an ErrNotFound.
	PhoneByMAC(ctx context.Context, mac models.MAC) (*models.Phone, error)
	AccountByPathToken(ctx context.Context, token models.Secret) (*models.Account, error)
	Account(ctx context.Context, id string) (*models.Account, error)
}

// Follow keeps what is remembered in step with what any server changes, until
// ctx ends: should the database go away, a phone that was deleted or disabled
// some seconds before gets nothing from memory, and credentials that were
// replaced are no good.
func (h *Handler) Follow(ctx context.Context, store FollowStore) error {
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	f := h.newFollower(store)
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		if err := f.once(ctx); err != nil && ctx.Err() == nil {
			h.Log.WarnContext(ctx, "changes of phones not followed", "err", err)
		}
	}
}

// A follower knows which changes it has seen.
type follower struct {
	*Handler
	store FollowStore
	from  time.Time
	seen  map[int64]int // how often, by id of a change
}

func (h *Handler) newFollower(store FollowStore) *follower {
	return &follower{Handler: h, store: store, from: h.Now(), seen: map[int64]int{}}
}

// seenEnough is how often a change counts: a visit that began before it may
// remember what was before.
const seenEnough = 2

func (f *follower) once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, followTimeout)
	defer cancel()
	started := f.Now()
	changes, err := f.store.ChangesSince(ctx, f.from.Add(-followOverlap))
	if err != nil {
		return err
	}
	seen := map[int64]int{}
	touched := map[string]bool{}
	for _, c := range changes {
		seen[c.ID] = f.seen[c.ID] + 1
		if seen[c.ID] <= seenEnough {
			touched[c.ObjectID] = true
		}
	}
	if err := f.memory.refresh(ctx, f.store, touched); err != nil {
		return err // and again next time
	}
	f.from, f.seen = started, seen
	return nil
}

// refresh reads again whatever is remembered of the given accounts, users and
// devices.
func (m *memory) refresh(ctx context.Context, store FollowStore, touched map[string]bool) error {
	if len(touched) == 0 {
		return nil
	}
	for _, last := range m.tokens.All() {
		if !touched[last.value.account.ID] {
			continue
		}
		account, err := store.AccountByPathToken(ctx, last.value.token)
		if isFailure(err) {
			return err
		}
		m.learnToken(last.value.token, account, err)
	}
	accounts, err := m.reread(ctx, store, touched)
	if err != nil {
		return err
	}
	for mac, last := range m.phones.All() {
		p := last.value
		if touched[p.Account.ID] {
			m.moveTo(accounts[p.Account.ID], mac, last)
		}
		if touched[p.Device.ID] || p.Owner != nil && touched[p.Owner.ID] {
			phone, err := store.PhoneByMAC(ctx, mac)
			if isFailure(err) {
				return err
			}
			m.learnPhone(mac, phone, err)
		}
	}
	return nil
}

// reread reads those of the objects that are remembered accounts and there and
// enabled still.
func (m *memory) reread(ctx context.Context, store FollowStore, touched map[string]bool) (map[string]*models.Account, error) {
	fresh := map[string]*models.Account{}
	for id := range touched {
		if _, ok := m.accounts.GetIfPresent(id); !ok {
			continue
		}
		account, err := store.Account(ctx, id)
		if isFailure(err) {
			return nil, err
		}
		if err == nil && account.Enabled.On() {
			fresh[id] = m.shared(account)
		}
	}
	return fresh, nil
}

// moveTo gives a remembered phone its account as it is now. Nil, it has none or
// that is not known any more: the phone is forgotten.
func (m *memory) moveTo(account *models.Account, mac models.MAC, last known[*models.Phone]) {
	if account == nil {
		m.phones.Invalidate(mac)
		return
	}
	p := *last.value
	p.Account = account
	m.phones.Set(mac, known[*models.Phone]{&p, last.at})
}
