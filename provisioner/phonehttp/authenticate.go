package phonehttp

import (
	"crypto/subtle"
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

// passwordClaim is the device's own credentials, in HTTP digest or, over TLS,
// basic.
func (v *visit) passwordClaim() (claim, error) {
	authorization := v.r.Header.Get("Authorization")
	if authorization == "" {
		return claim{}, nil
	}
	username, check := v.presented(authorization)
	mac, err := models.ParseMAC(username)
	if check == nil || err != nil {
		return claim{wrong: models.RefusedHeader}, nil
	}
	phone, err := v.phoneOf(mac)
	if err != nil {
		return claim{}, err
	}
	c := claim{phone: phone, tried: mac.String()}
	password, before := nobody, nobody
	if phone != nil {
		c.account, password = phone.Account, phone.Device.HTTPPassword
		if v.started.Before(phone.Device.OldPasswordUntil) {
			before = phone.Device.OldHTTPPassword
		}
	}
	verdict, verdictBefore := check(password), check(before) // both, so that it takes the same time
	switch {
	case verdict == digestauth.Stale:
		c.wrong = models.RefusedStale
	case !v.Guard.MayGuess(v.peer.source, c.tried):
		c.wrong = models.RefusedLocked
	case phone == nil || verdict != digestauth.Right && verdictBefore != digestauth.Right:
		c.wrong = models.RefusedPassword
	case !phone.Account.Access.Password:
		c.wrong = models.RefusedPasswordOff
	default:
		if verdict == digestauth.Right && phone.Device.OldHTTPPassword != "" {
			v.withPassword = password.Hash()
		}
	}
	return c, nil
}

// presented reads the Authorization header: the user name, and how to check a
// password against it. The check is nil for a header that cannot be right.
func (v *visit) presented(authorization string) (username string, check func(models.Secret) digestauth.Verdict) {
	if digest.IsDigest(authorization) {
		creds, err := digestauth.ParseCredentials(authorization)
		if err != nil || !strings.HasSuffix(creds.URI, v.r.RequestURI) {
			return "", nil
		}
		return creds.Username, func(password models.Secret) digestauth.Verdict {
			return v.digest.Check(creds, realm, anyClient, v.r.Method, password, digestauth.MD5)
		}
	}
	username, given, ok := v.r.BasicAuth()
	if !ok || !v.peer.secure {
		return "", nil // a password in the clear proves nothing but carelessness
	}
	return username, func(password models.Secret) digestauth.Verdict {
		if subtle.ConstantTimeCompare([]byte(given), []byte(password.Reveal())) != 1 {
			return digestauth.Wrong
		}
		return digestauth.Right
	}
}
