package models

import (
	"slices"
	"strings"
	"time"
)

// A Meta is what the server keeps about every stored document.
type Meta struct {
	ID       string
	Revision string // "N-hash" as CouchDB writes it; N grows with every write
	Created  time.Time
	Modified time.Time
}

// An Account is one tenant: a SIP realm with its users and devices. Accounts
// form a tree; the root is the master account.
type Account struct {
	Meta
	Ancestors []string // account ids from the master account down to the parent
	Document  Document
	PathToken Secret // the secret in the account's provisioning URL, /p/{token}/

	OldTokenUntil time.Time // how long the token before that is good, zero = there is none

	Access Access // provision.access of the document

	UserChanges int64 // rises with every change of its users, including those that come and go

	AccountSettings
}

// AccountSettings is the typed view of an account's document.
type AccountSettings struct {
	Name     string
	Realm    string
	Enabled  Switch
	Timezone string
	Language string
}

// SetDocument replaces the document and reads the typed view from it.
func (a *Account) SetDocument(doc Document) error {
	v := &viewer{}
	settings := v.account(doc)
	if v.err != nil {
		return v.err
	}
	a.Document, a.AccountSettings, a.Access = doc, settings, accessOf(doc)
	return nil
}

// SIPDigest names the digest algorithms that the account's phones are offered:
// "md5" (also when empty), "sha256" or "both".
func (a *Account) SIPDigest() string { return a.Document.Text("sip_digest") }

// IsMaster reports whether this is the root of the account tree.
func (a *Account) IsMaster() bool { return len(a.Ancestors) == 0 }

// ParentID is the account above, "" for the master account.
func (a *Account) ParentID() string {
	if a.IsMaster() {
		return ""
	}
	return a.Ancestors[len(a.Ancestors)-1]
}

// Within reports whether the account is id itself or a descendant of it.
func (a *Account) Within(id string) bool {
	return a.ID == id || slices.Contains(a.Ancestors, id)
}

// LookupName is how a login finds an account by name: lower-case, everything
// but letters a-z and digits dropped. "" for a name that has none of these.
func LookupName(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'A' && c <= 'Z':
			return c - 'A' + 'a'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			return c
		}
		return -1
	}, name)
}

// A Switch is a flag that counts as on until a document says false.
type Switch struct{ off bool }

// On reports the flag.
func (s Switch) On() bool { return !s.off }

func switchOf(v any) Switch { return Switch{off: v == false} }
