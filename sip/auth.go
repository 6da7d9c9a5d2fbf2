package sip

import (
	"context"
	"errors"
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"

	"dialtone/internal/digestauth"
	"dialtone/models"
)

// challenge asks for credentials. The nonce is good for the source alone: a
// forged source never sees it, so nobody can have somebody else locked out.
func (r *registrar) challenge(reg *registration, stale bool) *refusalError {
	return refuse(sipmsg.StatusUnauthorized, "Unauthorized",
		sipmsg.NewHeader("WWW-Authenticate", r.digest.Challenge(reg.realm, reg.source(), stale)))
}

// authenticate finds the phone whose credentials a request carries. An unknown
// user, a wrong password and a device that is known by its address alone get
// the same challenge after the same work. Credentials can be used again while
// their nonce lives; a replayed REGISTER fails on its CSeq as long as the binding
// is there.
func (r *registrar) authenticate(ctx context.Context, reg *registration, authorization []string) (*models.Phone, error) {
	creds := findCredentials(authorization, reg.realm)
	if creds == nil {
		return nil, r.challenge(reg, false)
	}
	phone, err := r.store.PhoneByAOR(ctx, reg.user, reg.realm)
	if err != nil && !errors.Is(err, models.ErrNotFound) {
		return nil, err
	}
	password, known := r.password(phone)
	verdict := r.digest.Check(creds, reg.realm, reg.source(), string(sipmsg.REGISTER), password)
	switch {
	case verdict == digestauth.Stale:
		return nil, r.challenge(reg, true)
	case !known || verdict == digestauth.Wrong || !strings.EqualFold(creds.Username, reg.user):
		r.guard.Fail(reg.received.Addr())
		r.log.InfoContext(ctx, "registration refused", "aor", reg.aor(), "remote", reg.received.String(), "err", "wrong credentials")
		return nil, r.challenge(reg, false)
	case !phone.Enabled():
		r.log.InfoContext(ctx, "registration refused", "aor", phone.AOR(), "device", phone.Device.ID, "account", phone.Account.ID,
			"remote", reg.received.String(), "err", "disabled")
		return nil, errDisabled
	}
	return phone, nil
}

// password is what the phone must prove to know; false with one that nobody
// knows when nothing would do.
func (r *registrar) password(phone *models.Phone) (models.Secret, bool) {
	if phone == nil || phone.Device.SIP.AuthByIP() || phone.Device.SIP.Password == "" {
		return r.noPassword, false
	}
	return phone.Device.SIP.Password, true
}

// findCredentials picks the digest credentials for realm out of Authorization
// headers; nil when there are none that can be read.
func findCredentials(headers []string, realm string) *digest.Credentials {
	for _, header := range headers {
		if creds, err := digest.ParseCredentials(header); err == nil && creds.Realm == realm {
			return creds
		}
	}
	return nil
}
