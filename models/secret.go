package models

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
)

const redacted = "REDACTED"

// A Secret is a password or token. Printing or logging it shows "REDACTED";
// only Reveal gives the value.
type Secret string

func (Secret) String() string       { return redacted }
func (Secret) GoString() string     { return redacted }
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON keeps a secret out of any JSON made from typed values. Documents
// carry their secrets as plain strings and are answered only to authenticated
// administrators.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Reveal is the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Hash is the hex SHA-256 under which keys and tokens of full entropy are
// stored and looked up.
func (s Secret) Hash() string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// A KeyID is the number of a key that seals secrets at rest, as the keyset file
// has it; 0 is none.
type KeyID uint32

// NewID makes an id: 32 random lower-case hex digits.
func NewID() string { return randomHex(16) }

// NewAPIKey makes an account's API key: 64 random hex digits, as Kazoo's.
func NewAPIKey() Secret { return Secret(randomHex(32)) }

// NewToken makes a token of 128 random bits for a URL path or a phone's HTTP
// password: 32 hex digits, so that no phone's parser trips over it.
func NewToken() Secret { return Secret(randomHex(16)) }

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // crypto/rand.Read never fails (it ends the program)
	return hex.EncodeToString(b)
}

// ValidID reports whether s has the form of an id.
func ValidID(s string) bool {
	if len(s) != 32 {
		return false
	}
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
