package api

import (
	"context"

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

// syncDevice serves POST .../devices/{D}/sync. The answer says nothing about
// the phone: see .../notifications for what became of it.
func (s *server) syncDevice(ctx context.Context, r *request) (*answer, error) {
	phone, err := s.phone(ctx, r)
	if err != nil {
		return nil, err
	}
	bindings, err := s.contact(ctx, phone, r.parameter("contact"))
	if err != nil {
		return nil, err
	}
	s.CheckSync(CheckSync{Phone: phone, Mode: r.syncMode(), Bindings: bindings})
	return ok("sync request sent"), nil
}

// syncAccount tells every registered phone of the account to fetch its files:
// a user's name may be on the keys of all of them.
func (s *server) syncAccount(ctx context.Context, r *request) {
	account, mode := r.account, r.syncMode()
	s.inBatches(ctx, account.ID, func(_ context.Context, batch []models.Registration) error {
		for _, registration := range batch {
			s.CheckSync(CheckSync{Phone: &models.Phone{Device: registration.Device, Account: account}, Mode: mode})
		}
		return nil
	})
}
