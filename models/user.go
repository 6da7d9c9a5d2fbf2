package models

import "strings"

// A User is a person of an account; a device may name one as its owner.
type User struct {
	Meta
	AccountID string
	Document  Document
	MD5Auth   Secret // hex MD5 of "username:password", what a Kazoo login presents
	SHA1Auth  Secret // the same with SHA-1
	UserSettings
}

// UserSettings is the typed view of a user's document.
type UserSettings struct {
	FirstName  string
	LastName   string
	Name       string
	Username   string
	Email      string
	Enabled    Switch
	PresenceID string
	Timezone   string
	Language   string
}

// SetDocument replaces the document and reads the typed view from it.
func (u *User) SetDocument(doc Document) error {
	v := &viewer{}
	settings := v.user(doc)
	if v.err != nil {
		return v.err
	}
	u.Document, u.UserSettings = doc, settings
	return nil
}

// Label is how keys and displays name the user: first and last name, or the
// one that is present, or the name member, or "".
func (u *User) Label() string {
	if full := strings.TrimSpace(u.FirstName + " " + u.LastName); full != "" {
		return full
	}
	return u.Name
}
