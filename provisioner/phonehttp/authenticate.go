package phonehttp

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"github.com/icholy/digest"

	"dialtone/internal/digestauth"
	"dialtone/models"
)

// realm names what a phone's HTTP password is for.
const realm = "Dialtone"

// anyClient: a phone may send the answer to a challenge from another address
// than the one that asked for it, when its network has several ways out.
const anyClient = ""

// nobody's password is computed for unknown user names, so that their answers
// take as long as those of known ones.
var nobody = models.NewToken()

// authenticate finds out who asks: by the secret path token, or by the phone's
// own credentials in HTTP digest or, over TLS, basic. What is wrong gets the
// same answer whether or not the MAC exists, and counts towards a lock-out.
func (v *visit) authenticate(token models.Secret) error {
	authorization := v.r.Header.Get("Authorization")
	if token == "" && authorization == "" {
		return challengeError{}
	}
	if !v.Guard.Allowed(v.source) {
		return errLocked
	}
	if token != "" {
		return v.byToken(token)
	}
	return v.byPassword(authorization)
}

func (v *visit) byToken(token models.Secret) error {
	account, err := v.Store.AccountByPathToken(v.r.Context(), token)
	if errors.Is(err, models.ErrNotFound) {
		v.Guard.Fail(v.source)
	}
	v.account = account
	return err
}

func (v *visit) byPassword(authorization string) error {
	username, check := v.presented(authorization)
	if check == nil {
		v.Guard.Fail(v.source)
		return challengeError{}
	}
	phone, err := v.phoneNamed(username)
	if err != nil {
		return err
	}
	password := nobody
	if phone != nil {
		password = phone.Device.HTTPPassword
	}
	switch verdict := check(password); {
	case verdict == digestauth.Stale:
		return challengeError{stale: true}
	case verdict == digestauth.Right && phone != nil:
	case v.Store.failed != nil:
		return fmt.Errorf("not known well enough without the database: %w", v.Store.failed) // whether it is known or not
	default:
		v.Guard.Fail(v.source)
		return challengeError{}
	}
	v.phone, v.account = phone, phone.Account
	return nil
}

// presented reads the Authorization header: the user name, and how to check a
// password against it. The check is nil for a header that cannot be right.
func (v *visit) presented(authorization string) (username string, check func(models.Secret) digestauth.Verdict) {
	if digest.IsDigest(authorization) {
		creds, err := digest.ParseCredentials(authorization)
		if err != nil || !strings.HasSuffix(creds.URI, v.r.RequestURI) {
			return "", nil
		}
		return creds.Username, func(password models.Secret) digestauth.Verdict {
			return v.digest.Check(creds, realm, anyClient, v.r.Method, password, digestauth.MD5)
		}
	}
	username, given, ok := v.r.BasicAuth()
	if !ok || v.r.TLS == nil {
		return "", nil // a password in the clear proves nothing but carelessness
	}
	return username, func(password models.Secret) digestauth.Verdict {
		if subtle.ConstantTimeCompare([]byte(given), []byte(password.Reveal())) != 1 {
			return digestauth.Wrong
		}
		return digestauth.Right
	}
}

// phoneNamed finds the phone of an HTTP user name, which is its MAC; nil when
// there is none.
func (v *visit) phoneNamed(username string) (*models.Phone, error) {
	mac, err := models.ParseMAC(username)
	if err != nil {
		return nil, nil //nolint:nilnil // absence is the ordinary case here, and answered like a wrong password
	}
	phone, err := v.Store.PhoneByMAC(v.r.Context(), mac)
	if errors.Is(err, models.ErrNotFound) || err != nil && v.Store.failed != nil {
		return nil, nil //nolint:nilnil // as above
	}
	return phone, err
}
