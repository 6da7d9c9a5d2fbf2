package models

import "time"

// The ways to log in.
const (
	LoginByAPIKey = "cb_api_auth"
	LoginByUser   = "cb_user_auth"
)

// ResetID is the method of a token that is no login but buys one, once, for a
// user who has forgotten the password.
const ResetID = "recovery"

// A Token is a login: it acts for an account, and for a user when Owner is set.
type Token struct {
	AccountID string
	OwnerID   string
	// Who presented the key or password. The same as above, unless the token
	// was made to act as somebody of an account below.
	LoginAccountID string
	LoginOwnerID   string
	Method         string              // LoginByAPIKey, LoginByUser or ResetID
	Restrictions   map[string][]string // lower-case verb -> URI patterns; nil = none
	Created        time.Time
	Expires        time.Time
}

// Impersonates reports whether the token acts for somebody else than who logged
// in: also a user who acts for the whole account.
func (t *Token) Impersonates() bool {
	return t.AccountID != t.LoginAccountID || t.OwnerID != t.LoginOwnerID
}

// Grounds are the documents that a login rests on, as they were when it was
// found to be right.
type Grounds struct {
	Accounts []*Account
	Users    []*User
	Spends   Secret // a token that the login uses up; "" = none
}

// Credentials are what a user's login presents.
type Credentials struct {
	Realm       string // of the account; looked up before the name
	AccountName string // any spelling, see LookupName
	SHA1        bool   // Hash is a SHA-1, not an MD5
	Hash        Secret // lower-case hex over "username:password"
}
