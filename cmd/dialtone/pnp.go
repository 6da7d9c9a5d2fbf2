package main

import (
	"context"
	"errors"
	"fmt"

	"dialtone/models"
	"dialtone/sip"
)

// profile tells phones that ask where their files are, nil when none are told.
func (s *server) profile() func(context.Context, sip.ProfileRequest) (sip.Profile, error) {
	if s.SIP.PnP == pnpOff {
		return nil
	}
	return func(ctx context.Context, r sip.ProfileRequest) (sip.Profile, error) {
		account, brand, err := s.accountOf(ctx, r)
		if err != nil {
			return sip.Profile{}, err
		}
		contentType, body, ok := s.files.PnP(account, brand, r.Vendor, r.MAC)
		if !ok {
			return sip.Profile{}, fmt.Errorf("%w: no brand says what to tell it", models.ErrNotFound)
		}
		return sip.Profile{ContentType: contentType, Body: body}, nil
	}
}

// accountOf is whose files a phone is to fetch, and its brand as far as its
// device says. An unknown phone gets those of the account in sip.pnp, when that
// account allows it.
func (s *server) accountOf(ctx context.Context, r sip.ProfileRequest) (*models.Account, string, error) {
	phone, err := s.store.PhoneByMAC(ctx, r.MAC)
	switch {
	case err == nil && phone.Enabled():
		return phone.Account, phone.Device.Provision.Brand, nil
	case err == nil:
		return nil, "", fmt.Errorf("%w: the device is disabled", models.ErrNotFound)
	case !errors.Is(err, models.ErrNotFound) || s.SIP.PnP == pnpKnown:
		return nil, "", err
	}
	account, err := s.store.Account(ctx, s.SIP.PnP)
	if err != nil {
		return nil, "", fmt.Errorf("account of sip.pnp: %w", err)
	}
	if !account.Enabled.On() || !account.Document.Flag("pnp", false) {
		return nil, "", fmt.Errorf("%w: the account of sip.pnp does not allow unknown phones", models.ErrNotFound)
	}
	return account, "", nil
}
