package api

import (
	"context"
	"errors"

	"dialtone/models"
	"dialtone/provisioner"
)

// A CheckSync asks for a phone to be told to fetch its files again.
type CheckSync struct {
	Phone *models.Phone // its Owner may be left out
	Mode  provisioner.SyncMode
	// Bindings are where to; nil = those that the phone has when the NOTIFY is
	// sent, empty = none that this server knows of.
	Bindings []models.Binding
}

// syncMode is the request parameter "reboot": true, false or not given.
func (r *request) syncMode() provisioner.SyncMode {
	switch r.parameter("reboot") {
	case "true":
		return provisioner.SyncReboot
	case "false":
		return provisioner.SyncReload
	}
	return provisioner.SyncPlain
}

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
