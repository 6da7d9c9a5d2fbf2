package sip

import (
	"context"
	"errors"
	"strings"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
	"github.com/maypok86/otter/v2"

	"dialtone/internal/digestauth"
	"dialtone/models"
)

const (
	repeatTime   = 32 * time.Second // in which a phone repeats a datagram that nobody answered (RFC 3261, timer F)
	offerLife    = 10 * time.Second // how long an account's change of its algorithms goes unnoticed
	maxOffers    = 10_000           // realms whose algorithms are remembered
	digestSHA256 = "sha256"         // an account's sip_digest, which is MD5 otherwise
	digestBoth   = "both"
)

// A caller is the phone that proved to have sent a request.
type caller struct {
	phone    *models.Phone
	creds    *digest.Credentials // nil: known by its address
	repeated bool                // the request was carried out before
}

// offers are the digest algorithms of each realm, which must not depend on the
// user: known and unknown ones get the same challenge.
type offers struct {
	store Store
	cache *otter.Cache[string, []digestauth.Algorithm]
}

func newOffers(store Store) *offers {
	return &offers{store, otter.Must(&otter.Options[string, []digestauth.Algorithm]{
		MaximumSize:      maxOffers,
		ExpiryCalculator: otter.ExpiryWriting[string, []digestauth.Algorithm](offerLife),
		Logger:           &otter.NoopLogger{},
	})}
}

// of are the algorithms for a realm, the best first (RFC 8760).
func (o *offers) of(ctx context.Context, realm string) ([]digestauth.Algorithm, error) {
	return o.cache.Get(ctx, realm, otter.LoaderFunc[string, []digestauth.Algorithm](o.load))
}

func (o *offers) load(ctx context.Context, realm string) ([]digestauth.Algorithm, error) {
	account, err := o.store.RealmAccount(ctx, realm)
	if err != nil && !errors.Is(err, models.ErrNotFound) {
		return nil, err
	}
	switch {
	case err == nil && account.SIPDigest() == digestSHA256:
		return []digestauth.Algorithm{digestauth.SHA256}, nil
	case err == nil && account.SIPDigest() == digestBoth:
		return []digestauth.Algorithm{digestauth.SHA256, digestauth.MD5}, nil
	}
	return []digestauth.Algorithm{digestauth.MD5}, nil
}

// challenge asks for credentials. The nonce is good for the source alone: a
// forged source never sees it, so nobody can have somebody else locked out.
func (r *registrar) challenge(reg *registration, offered []digestauth.Algorithm, stale bool) *refusalError {
	var headers []sipmsg.Header
	for _, algorithm := range offered {
		headers = append(headers, sipmsg.NewHeader("WWW-Authenticate", r.digest.Challenge(reg.realm, reg.source(), algorithm, stale)))
	}
	return refuse(sipmsg.StatusUnauthorized, "Unauthorized", headers...)
}

// authenticate finds the phone that sent a request, by its credentials or by its
// address. An unknown user, a wrong password, and a device that is known by
// another address get the same challenge after the same work, and so do
// credentials that were used before.
func (r *registrar) authenticate(ctx context.Context, reg *registration, req *sipmsg.Request) (*caller, error) {
	offered, err := r.offers.of(ctx, reg.realm)
	if err != nil {
		return nil, err
	}
	creds := findCredentials(headerValues(req, "authorization"), reg.realm)
	if creds == nil {
		if phone, err := r.byAddress(ctx, reg); phone != nil || err != nil {
			return r.admit(ctx, reg, &caller{phone: phone}, err)
		}
		return nil, r.challenge(reg, offered, false)
	}
	phone, err := r.store.PhoneByAOR(ctx, reg.user, reg.realm)
	if err != nil && !errors.Is(err, models.ErrNotFound) {
		return nil, err
	}
	password, known := r.password(phone)
	verdict := r.digest.Check(creds, reg.realm, reg.source(), string(sipmsg.REGISTER), password, offered...)
	switch {
	case verdict == digestauth.Stale:
		return nil, r.challenge(reg, offered, true)
	case !known || verdict == digestauth.Wrong || !strings.EqualFold(creds.Username, reg.user):
		if phone, err := r.byAddress(ctx, reg); phone != nil || err != nil {
			return r.admit(ctx, reg, &caller{phone: phone}, err)
		}
		r.guard.Fail(reg.received.Addr())
		r.refused(ctx, reg, "wrong credentials")
		return nil, r.challenge(reg, offered, false)
	}
	use := r.uses.Take(creds, requestDigest(req))
	if use == digestauth.Replayed {
		r.refused(ctx, reg, "credentials used before")
		return nil, r.challenge(reg, offered, true)
	}
	return r.admit(ctx, reg, &caller{phone: phone, creds: creds, repeated: use == digestauth.Again}, nil)
}

// byAddress finds the device that is known by the address a request came from,
// when it is the one that the request is for; nil when it is not.
func (r *registrar) byAddress(ctx context.Context, reg *registration) (*models.Phone, error) {
	phone, err := r.store.PhoneByIP(ctx, reg.received.Addr())
	if errors.Is(err, models.ErrNotFound) || err == nil && (!strings.EqualFold(phone.Device.SIP.Username, reg.user) || phone.Realm() != reg.realm) {
		return nil, nil //nolint:nilnil // nobody is known by it
	}
	return phone, err
}

// admit lets a phone in that may register at all.
func (r *registrar) admit(ctx context.Context, reg *registration, c *caller, err error) (*caller, error) {
	if err != nil {
		return nil, err
	}
	if !c.phone.Enabled() {
		r.refused(ctx, reg, "disabled")
		return nil, errDisabled
	}
	return c, nil
}

func (r *registrar) refused(ctx context.Context, reg *registration, why string) {
	r.log.InfoContext(ctx, "registration refused", "aor", reg.aor(), "remote", reg.received.String(), "err", why)
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
		if creds, err := digestauth.ParseCredentials(header); err == nil && creds.Realm == realm {
			return creds
		}
	}
	return nil
}
