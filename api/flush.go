package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"dialtone/models"
	"dialtone/provisioner"
)

// tellPhones does what a saved device asks for: nothing, a check-sync when
// sync is set, or a flush when the phone has to register anew. old is nil for
// a new device. The save has happened: failures are logged and never answered,
// and a client that hangs up stops nothing.
func (s *server) tellPhones(ctx context.Context, r *request, old, saved *models.Device, sync bool) {
	now := &models.Phone{Device: saved, Account: r.account}
	before := now
	if old != nil {
		before = &models.Phone{Device: old, Account: r.account}
	}
	if !registersAnew(old, saved, r.account) {
		if sync {
			s.CheckSync(CheckSync{Phone: now, Mode: r.syncMode()})
		}
		return
	}
	ctx = context.WithoutCancel(ctx)
	bindings := s.bindings(ctx, r, saved.ID)
	if sync && len(bindings) == 0 {
		bindings = nil // it was asked for: let it be known that nobody was there
	}
	// The phone still has the old credentials, and may challenge the NOTIFY.
	err := s.flush(ctx, before, r.syncMode(), bindings)
	if before.AOR() != now.AOR() {
		err = errors.Join(err, s.flush(ctx, now, r.syncMode(), []models.Binding{}))
	}
	if err != nil {
		s.Log.ErrorContext(ctx, "registration not flushed", "account", r.account.ID, "device", saved.ID, "err", err)
	}
}

// registersAnew reports whether a registration of the old device says nothing
// about the saved one: Kazoo's rule, and the other ways in which it may become
// another address of record.
func registersAnew(old, saved *models.Device, account *models.Account) bool {
	if old == nil {
		return saved.SIP.Username != "" || saved.SIP.Password != ""
	}
	before, now := models.Phone{Device: old, Account: account}, models.Phone{Device: saved, Account: account}
	return old.SIP.Password != saved.SIP.Password || before.AOR() != now.AOR() || old.SIP.AuthByIP() != saved.SIP.AuthByIP() ||
		old.OwnerID != saved.OwnerID || old.Enabled != saved.Enabled
}

// bindings are a device's live ones, none when storage does not answer.
func (s *server) bindings(ctx context.Context, r *request, deviceID string) []models.Binding {
	bindings, err := s.Store.Bindings(ctx, deviceID)
	if err != nil {
		s.Log.ErrorContext(ctx, "registration not flushed", "account", r.account.ID, "device", deviceID, "err", err)
	}
	return append([]models.Binding{}, bindings...)
}

// flush sends a check-sync to these bindings of a phone and drops them. One
// that the phone renews meanwhile stays.
func (s *server) flush(ctx context.Context, phone *models.Phone, mode provisioner.SyncMode, bindings []models.Binding) error {
	if bindings == nil || phone.AOR() != "" {
		s.CheckSync(CheckSync{Phone: phone, Mode: mode, Bindings: bindings})
	}
	if len(bindings) == 0 {
		return nil
	}
	return s.Store.DropBindings(ctx, bindings)
}

// flushBatch is flush for many phones of an account.
func (s *server) flushBatch(ctx context.Context, a *models.Account, mode provisioner.SyncMode, batch []models.Registration) error {
	var dropped []models.Binding
	for _, registration := range batch {
		phone := &models.Phone{Device: registration.Device, Account: a}
		s.CheckSync(CheckSync{Phone: phone, Mode: mode, Bindings: registration.Bindings})
		dropped = append(dropped, registration.Bindings...)
	}
	return s.Store.DropBindings(ctx, dropped)
}

// tellAccountPhones does what a saved account asks for: its phones must register
// anew when they may not any more, or in another realm.
func (s *server) tellAccountPhones(ctx context.Context, r *request, old, saved *models.Account) {
	disabled, moved := old.Enabled.On() && !saved.Enabled.On(), old.Realm != saved.Realm
	if !disabled && !moved {
		return
	}
	mode := r.syncMode()
	s.inBatches(ctx, saved.ID, func(ctx context.Context, batch []models.Registration) error {
		if !disabled {
			batch = elsewhere(batch, saved)
		}
		// The phones still have the old realm, and may challenge the NOTIFY.
		return s.flushBatch(ctx, old, mode, batch)
	})
}

// elsewhere are the registrations that are not in the realm where the phone has
// to register now.
func elsewhere(batch []models.Registration, a *models.Account) []models.Registration {
	var out []models.Registration
	for _, registration := range batch {
		realm := (&models.Phone{Device: registration.Device, Account: a}).Realm()
		stale := slices.DeleteFunc(registration.Bindings, func(b models.Binding) bool {
			_, host := splitAOR(b.AOR)
			return host == realm
		})
		if len(stale) > 0 {
			out = append(out, models.Registration{Device: registration.Device, Bindings: stale})
		}
	}
	return out
}

// tellOwnedPhones does what a saved user asks for: the phones of a disabled
// owner may not be registered any more.
func (s *server) tellOwnedPhones(ctx context.Context, r *request, old, saved *models.User) {
	if !old.Enabled.On() || saved.Enabled.On() {
		return
	}
	account, mode := r.account, r.syncMode()
	s.Background(ctx, func(ctx context.Context) {
		err := s.eachOwned(ctx, saved, func(d *models.Device) error {
			bindings, err := s.Store.Bindings(ctx, d.ID)
			if err != nil {
				return err
			}
			return s.flush(ctx, &models.Phone{Device: d, Account: account}, mode, append([]models.Binding{}, bindings...))
		})
		if err != nil {
			s.Log.ErrorContext(ctx, "registrations not flushed", "account", account.ID, "user", saved.ID, "err", err)
		}
	})
}

// eachOwned visits the devices that a user owns.
func (s *server) eachOwned(ctx context.Context, u *models.User, visit func(*models.Device) error) error {
	part := models.Listing{Limit: maxBatch, Where: []models.Match{{Path: "owner_id", Text: u.ID}}}
	for {
		batch, err := s.Store.ListDevices(ctx, u.AccountID, part)
		if err != nil || len(batch) == 0 {
			return err
		}
		for _, d := range batch {
			if d.OwnerID != u.ID {
				continue
			}
			if err := visit(d); err != nil {
				return err
			}
		}
		part.After = batch[len(batch)-1].ID
	}
}

// roomPatience is how long a batch of check-syncs waits for earlier ones to
// leave: registrations must not stay because phones are slow to answer.
const roomPatience = 2 * time.Second

// inBatches visits an account's registered devices in the background. The
// change that is told to them has happened: failures are logged.
func (s *server) inBatches(ctx context.Context, accountID string, visit func(context.Context, []models.Registration) error) {
	s.Background(ctx, func(ctx context.Context) {
		err := s.eachRegistration(ctx, accountID, func(batch []models.Registration) error {
			s.awaitRoom(ctx)
			return visit(ctx, batch)
		})
		if err != nil {
			s.Log.ErrorContext(ctx, "not all phones were told", "account", accountID, "err", err)
		}
	})
}

func (s *server) awaitRoom(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, roomPatience)
	defer cancel()
	s.AwaitRoom(ctx)
}

// maxFarewells bounds the phones of a deleted account that are held in memory
// to be told, since the deletion takes everything about them along.
const maxFarewells = 10_000

// farewells are the registered phones of an account that is to be deleted. What
// cannot be read is logged: it must not keep the account.
func (s *server) farewells(ctx context.Context, a *models.Account) []models.Registration {
	var phones []models.Registration
	err := s.eachRegistration(ctx, a.ID, func(batch []models.Registration) error {
		if len(phones)+len(batch) > maxFarewells {
			return fmt.Errorf("there are more than %d", maxFarewells)
		}
		phones = append(phones, batch...)
		return nil
	})
	if err != nil {
		s.Log.WarnContext(ctx, "not all phones of a deleted account are told", "account", a.ID, "err", err)
	}
	return phones
}

// sayFarewell tells the phones of a deleted account to fetch their files.
func (s *server) sayFarewell(ctx context.Context, r *request, a *models.Account, phones []models.Registration) {
	mode := r.syncMode()
	s.Background(ctx, func(ctx context.Context) {
		for batch := range slices.Chunk(phones, maxBatch) {
			s.awaitRoom(ctx)
			for _, registration := range batch {
				s.CheckSync(CheckSync{Phone: &models.Phone{Device: registration.Device, Account: a}, Mode: mode, Bindings: registration.Bindings})
			}
		}
	})
}
