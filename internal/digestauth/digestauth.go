// Package digestauth is the server's side of digest authentication (RFC 7616,
// and RFC 3261 section 22 for SIP): challenges that need no memory, and the
// checking of what comes back.
package digestauth

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/icholy/digest"

	"dialtone/models"
)

// nonceLife is how long a challenge can be answered.
const nonceLife = 5 * time.Minute

// A Verdict is what became of presented credentials.
type Verdict int

const (
	Wrong Verdict = iota // password, realm or algorithm do not fit
	Stale                // the nonce is too old or was not made for this client: challenge again with stale=true
	Right
)

// An Algorithm is a digest algorithm, as challenges name it (RFC 7616, 8760).
type Algorithm string

// The algorithms. Every phone speaks MD5; see docs/adr/0002-phone-authentication.md.
const (
	MD5    Algorithm = "MD5"
	SHA256 Algorithm = "SHA-256"
)

// An Authority makes and knows its own nonces: a time stamp signed with a key.
// Servers with the same key know each other's.
type Authority struct {
	now     func() time.Time
	signers sync.Pool // of hash.Hash, with the key
}

// New makes an Authority with a secret key, which must not be empty.
func New(key []byte, now func() time.Time) *Authority {
	if len(key) == 0 {
		panic("digestauth: no key: anybody could sign nonces")
	}
	return &Authority{now: now, signers: sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
}

// Challenge is the value of a WWW-Authenticate header. Its nonce counts only
// when the same client presents it again; "" lets any client do so. Over UDP,
// where anybody can write any source address, the client should be that address:
// who forges it never sees the nonce.
func (a *Authority) Challenge(realm, client string, algorithm Algorithm, stale bool) string {
	hint := ""
	if stale {
		hint = ", stale=true"
	}
	return "Digest realm=" + strconv.Quote(realm) + `, nonce="` + a.nonce(client) + `"` + hint + ", algorithm=" + string(algorithm) + `, qop="auth"`
}

// Check verifies credentials, with or without qop, that a client presents with
// a request of the given method, by one of the algorithms that it was offered. Under a nonce that is not good the password is
// not looked at, so that nothing can be learnt by guessing there. The uri in the
// credentials is not compared with the request's: SIP clients differ in what they
// write there. A caller that knows better compares it itself.
func (a *Authority) Check(creds *digest.Credentials, realm, client, method string, password models.Secret, offered ...Algorithm) Verdict {
	if !a.fresh(creds.Nonce, client) {
		return Stale
	}
	algorithm := Algorithm(cmp.Or(strings.ToUpper(creds.Algorithm), string(MD5)))
	if creds.Realm != realm || !slices.Contains(offered, algorithm) {
		return Wrong
	}
	challenge := digest.Challenge{Realm: realm, Nonce: creds.Nonce, Algorithm: string(algorithm)}
	if creds.QOP != "" {
		challenge.QOP = []string{creds.QOP}
	}
	want, err := digest.Digest(&challenge, digest.Options{
		Method: method, URI: creds.URI, Count: creds.Nc, Cnonce: creds.Cnonce,
		Username: creds.Username, Password: password.Reveal(),
	})
	if err != nil || subtle.ConstantTimeCompare([]byte(want.Response), []byte(strings.ToLower(creds.Response))) != 1 {
		return Wrong
	}
	return Right
}

// nonce is 8 bytes of time, 8 random ones, and their signature.
func (a *Authority) nonce(client string) string {
	raw := binary.BigEndian.AppendUint64(nil, uint64(a.now().UnixMilli()))
	raw = append(raw, make([]byte, 8)...)
	_, _ = rand.Read(raw[8:]) // crypto/rand.Read never fails (it ends the program)
	return base64.RawURLEncoding.EncodeToString(append(raw, a.sign(raw, client)...))
}

// fresh reports whether this Authority made the nonce for the client, not too
// long ago.
func (a *Authority) fresh(nonce, client string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(raw) != nonceSize || !hmac.Equal(raw[16:], a.sign(raw[:16], client)) {
		return false
	}
	return a.now().Sub(issued(raw)) < nonceLife
}

const nonceSize = 32

// issued is when a nonce was made, of its bytes.
func issued(raw []byte) time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(raw))) //nolint:gosec // signed by ourselves
}

func (a *Authority) sign(raw []byte, client string) []byte {
	mac := a.signers.Get().(hash.Hash)
	defer a.signers.Put(mac)
	mac.Reset()
	mac.Write(raw)
	mac.Write([]byte(client))
	return mac.Sum(nil)[:16]
}
