package sip

import (
	"bytes"
	"io"
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"

	"dialtone/models"
)

// Credentials are what a digest challenge is answered with.
type Credentials struct {
	Username string
	Password models.Secret
}

// keys answer the challenges that one request meets on its way: that of a proxy
// (407) and that of the phone (401), each once, or once more when it calls its
// own nonce stale.
type keys struct {
	phone, proxy Credentials
	offers       [2]offer // of the proxy, of the phone
}

// An offer is a challenge that is being answered.
type offer struct {
	*digest.Challenge     // nil = none yet
	uses              int // of its nonce
}

// The header that asks for credentials, and the one that brings them.
var challenges = [2]struct {
	code            int
	asked, answered string
}{
	{sipmsg.StatusProxyAuthRequired, "Proxy-Authenticate", "Proxy-Authorization"},
	{sipmsg.StatusUnauthorized, "WWW-Authenticate", "Authorization"},
}

// newKeys are the device's own credentials, for the phone and for a proxy that
// takes the request for one of the phone's; sender, when it has a name, is whom the
// proxy wants instead.
func newKeys(phone *models.Phone, sender Credentials) *keys {
	own := Credentials{phone.Device.SIP.Username, phone.Device.SIP.Password}
	k := &keys{phone: own, proxy: own}
	if sender.Username != "" {
		k.proxy = sender
	}
	return k
}

func (k *keys) of(i int) Credentials {
	if challenges[i].code == sipmsg.StatusProxyAuthRequired {
		return k.proxy
	}
	return k.phone
}

// take reads an answer; true when it is a challenge that the next request meets.
func (k *keys) take(res *sipmsg.Response) bool {
	for i, c := range challenges {
		if res.StatusCode != c.code || k.of(i).Password == "" {
			continue
		}
		for _, value := range headerValues(res, c.asked) {
			challenge, err := digest.ParseChallenge(value)
			if err != nil || !canAnswer(challenge) {
				continue
			}
			known := k.offers[i].Challenge
			if known != nil && (!challenge.Stale || known.Stale) {
				return false
			}
			k.offers[i] = offer{Challenge: challenge}
			return true
		}
	}
	return false
}

func canAnswer(challenge *digest.Challenge) bool {
	for i, qop := range challenge.QOP {
		challenge.QOP[i] = strings.TrimSpace(qop)
	}
	return digest.CanDigest(challenge)
}

// headers are the credentials for the next request. The digest's uri is the
// whole Request-URI: strict phones compare it with its parameters.
func (k *keys) headers(method sipmsg.RequestMethod, requestURI string, body []byte) []sipmsg.Header {
	var headers []sipmsg.Header
	for i := range k.offers {
		o := &k.offers[i]
		if o.Challenge == nil {
			continue
		}
		o.uses++
		account := k.of(i)
		creds, err := digest.Digest(o.Challenge, digest.Options{
			Method:   string(method),
			URI:      requestURI,
			GetBody:  func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
			Count:    o.uses,
			Username: account.Username,
			Password: account.Password.Reveal(),
		})
		if err == nil { // take has seen that it can be
			headers = append(headers, sipmsg.NewHeader(challenges[i].answered, creds.String()))
		}
	}
	return headers
}
