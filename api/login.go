package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"dialtone/models"
)

const maxRestrictions = 16_000 // bytes of JSON: they are read at every request

// The shortest and the longest life of a token, for settings and accounts.
const (
	MinTokenLife = time.Minute
	MaxTokenLife = 720 * time.Hour
)

// apiAuth serves PUT /v2/api_auth: an API key buys a token.
func (s *server) apiAuth(ctx context.Context, r *request) (*answer, error) {
	doc, options, err := s.loginRequest(r, "api_auth")
	if err != nil {
		return nil, err
	}
	var a *answer
	err = s.untilWritten(ctx, func(ctx context.Context) error {
		a, err = s.apiAuthOnce(ctx, r, doc.Text("api_key"), options)
		return err
	})
	return a, err
}

func (s *server) apiAuthOnce(ctx context.Context, r *request, key string, options models.Document) (*answer, error) {
	account, err := s.Store.AccountByAPIKey(ctx, models.Secret(key))
	if errors.Is(err, models.ErrNotFound) {
		s.Guard.Fail(r.source)
		return nil, &faultError{name: "bad identifier", data: []string{key}}
	}
	if err != nil {
		return nil, err
	}
	who := &identity{account: account}
	if err := s.standing(account); err != nil {
		return nil, s.refused(ctx, who, models.LoginByAPIKey, err)
	}
	return s.login(ctx, who, models.LoginByAPIKey, options)
}

// userAuth serves PUT /v2/user_auth: a hash over username and password buys a
// token. Which of account, user and password is wrong is not told.
func (s *server) userAuth(ctx context.Context, r *request) (*answer, error) {
	doc, options, err := s.loginRequest(r, "user_auth")
	if err != nil {
		return nil, err
	}
	credentials := models.Credentials{
		Realm:       cmp.Or(doc.Text("account_realm"), doc.Text("realm")),
		AccountName: doc.Text("account_name"),
		SHA1:        doc.Text("method") == "sha",
		Hash:        models.Secret(doc.Text("credentials")),
	}
	var a *answer
	err = s.untilWritten(ctx, func(ctx context.Context) error {
		a, err = s.userAuthOnce(ctx, r, credentials, options)
		return err
	})
	return a, err
}

// userAuthOnce logs in the first of the users found that may. Only who knows
// the password learns that an account is disabled or expired.
func (s *server) userAuthOnce(ctx context.Context, r *request, credentials models.Credentials, options models.Document) (*answer, error) {
	users, err := s.Store.UsersByCredentials(ctx, credentials)
	if err != nil {
		return nil, err
	}
	var refused error
	for _, u := range users {
		if !u.Enabled.On() {
			continue
		}
		account, err := s.Store.Account(ctx, u.AccountID)
		if err != nil {
			return nil, noLogin(err)
		}
		who := &identity{account: account, user: u}
		if refused = s.standing(account); refused == nil {
			return s.login(ctx, who, models.LoginByUser, options)
		}
		refused = s.refused(ctx, who, models.LoginByUser, refused)
	}
	if refused == nil {
		s.Guard.Fail(r.source)
		refused = noCredentials()
		// The time to the answer tells nothing about who there is.
		s.Background(ctx, func(ctx context.Context) { s.auditWrongCredentials(ctx, credentials, users) })
	}
	return nil, refused
}

// refused writes down why somebody who is known was not let in. What is no
// fault of theirs is not.
func (s *server) refused(ctx context.Context, who *identity, method string, cause error) error {
	var named *faultError
	var rejected *validationError
	reason := ""
	switch {
	case errors.As(cause, &named):
		reason = named.name
	case errors.As(cause, &rejected):
		reason = rejected.problems.summary()
	default:
		return cause
	}
	entry := models.LoginEntry(models.ActionLoginRefused, who.account.ID, who.ownerID(), method+": "+reason)
	return cmp.Or(s.Store.Audit(ctx, entry), cause)
}

// auditWrongCredentials writes down a failed login: of the users whose password
// was right, who are disabled, or of the account that was named, if it is one.
// Which of its users was meant, a wrong hash does not say.
func (s *server) auditWrongCredentials(ctx context.Context, c models.Credentials, disabled []*models.User) {
	var entries []models.AuditEntry
	for _, u := range disabled {
		entries = append(entries, models.LoginEntry(models.ActionLoginRefused, u.AccountID, u.ID, models.LoginByUser+": user: disabled"))
	}
	accounts, err := s.Store.CredentialAccounts(ctx, c)
	if len(entries) == 0 && len(accounts) == 1 {
		entries = append(entries, models.LoginEntry(models.ActionLoginRefused, accounts[0], "", models.LoginByUser+": invalid_credentials"))
	}
	for _, e := range entries {
		err = errors.Join(err, s.Store.Audit(ctx, e))
	}
	if err != nil {
		s.Log.ErrorContext(ctx, "refused login not audited", "err", err)
	}
}

// loginRequest reads and checks the data of a login, and what it asks for
// besides: "as" and "restrictions", in data or in the envelope.
func (s *server) loginRequest(r *request, kind string) (doc, options models.Document, err error) {
	if !s.Guard.Allowed(r.source) {
		return nil, nil, fault("too_many_requests", "too many failed logins")
	}
	if doc, err = r.document(); err != nil {
		return nil, nil, err
	}
	wrong := s.schemas[kind].settle(doc)
	options = models.Document{}
	for _, name := range []string{"as", "restrictions"} {
		if v, sent := doc[name]; sent {
			options[name] = v
			continue
		}
		raw, sent := r.envelope[name]
		if !sent {
			continue
		}
		if options[name], err = envelopeMember(raw); err != nil {
			return nil, nil, err
		}
	}
	wrong.merge(s.schemas["login_options"].settle(options))
	if size := len(encode(options["restrictions"], "")); size > maxRestrictions {
		wrong.add("restrictions", "maxSize", "the restrictions are too long", detail{"target": maxRestrictions})
	}
	return doc, options, wrong.err()
}

// envelopeMember decodes a member beside "data" within the same limits.
func envelopeMember(raw []byte) (any, error) {
	doc, err := parseData([]byte(`{"":` + string(raw) + `}`))
	return doc[""], err
}

// An identity is an account, or a user of it.
type identity struct {
	account *models.Account
	user    *models.User  // nil: the account itself
	reset   models.Secret // the reset id that proves it, used up by the login
}

func (i *identity) ownerID() string {
	if i.user == nil {
		return ""
	}
	return i.user.ID
}

// login makes a token for who has shown to be somebody.
func (s *server) login(ctx context.Context, who *identity, method string, options models.Document) (*answer, error) {
	acts, err := s.actsAs(ctx, who, options)
	if err != nil {
		return nil, s.refused(ctx, who, method, err)
	}
	token, now := newToken(), s.Now().UTC()
	grounds := models.Grounds{Spends: who.reset}
	for _, i := range []*identity{who, acts} {
		grounds.Accounts = append(grounds.Accounts, i.account)
		if i.user != nil {
			grounds.Users = append(grounds.Users, i.user)
		}
	}
	login := &models.Token{
		AccountID:      acts.account.ID,
		OwnerID:        acts.ownerID(),
		LoginAccountID: who.account.ID,
		LoginOwnerID:   who.ownerID(),
		Method:         method,
		Restrictions:   restrictionsOf(options),
		Created:        now,
		Expires:        now.Add(s.tokenLife(who.account, method)),
	}
	if err := s.Store.CreateToken(ctx, token, login, grounds); err != nil {
		return nil, err
	}
	return &answer{status: http.StatusCreated, data: loginData(acts.account, login.OwnerID), token: token}, nil
}

// tokenLife is how long a login is good: as long as the account that logs in
// says, or else the server's settings. An account below inherits nothing.
func (s *server) tokenLife(a *models.Account, method string) time.Duration {
	seconds, isSet := wholeNumber(a.Document, "token_life")
	life := time.Duration(seconds) * time.Second
	switch {
	case isSet && life >= MinTokenLife && life <= MaxTokenLife: // older documents may hold anything
		return life
	case method == models.LoginByAPIKey:
		return s.APITokenLife
	}
	return s.UserTokenLife
}

// actsAs is who the token acts as: who logs in, or the one that "as" names, in
// an account below. An account elsewhere is as forbidden as one that does not
// exist.
func (s *server) actsAs(ctx context.Context, who *identity, options models.Document) (*identity, error) {
	accountID := options.Text("as.account_id")
	if accountID == "" {
		return who, nil
	}
	account, err := s.Store.Account(ctx, accountID)
	if err != nil && !errors.Is(err, models.ErrNotFound) {
		return nil, err
	}
	if err != nil || !account.Within(who.account.ID) {
		return nil, fault("forbidden", "as.account_id is not an account below")
	}
	if err := s.standing(account); err != nil {
		return nil, err
	}
	acts := &identity{account: account}
	ownerID := options.Text("as.owner_id")
	if ownerID == "" {
		return acts, nil
	}
	acts.user, err = s.Store.User(ctx, accountID, ownerID)
	if errors.Is(err, models.ErrNotFound) || err == nil && !acts.user.Enabled.On() {
		return nil, invalid("as.owner_id", "not_found", "no such user who may log in", detail{"cause": ownerID})
	}
	return acts, err
}

// restrictionsOf reads the verbs, in lower case, with their patterns; nil when
// there is no restriction at all.
func restrictionsOf(options models.Document) map[string][]string {
	verbs, sent := options["restrictions"].(map[string]any)
	if !sent {
		return nil
	}
	out := map[string][]string{}
	for verb, patterns := range verbs {
		verb = strings.ToLower(verb)
		for _, pattern := range patterns.([]any) {
			out[verb] = append(out[verb], pattern.(string))
		}
	}
	return out
}

// newToken is opaque: 256 random bits, with a prefix that lets people and
// secret scanners tell what it is.
func newToken() models.Secret {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // crypto/rand.Read never fails
	return models.Secret("dt_" + base64.RawURLEncoding.EncodeToString(raw))
}

func loginData(a *models.Account, ownerID string) map[string]any {
	out := map[string]any{
		"account_id":        a.ID,
		"account_name":      a.Name,
		"language":          languageOf(a),
		"is_reseller":       a.IsMaster(),
		"reseller_id":       resellerID(a),
		"is_master_account": a.IsMaster(),
		"cluster_id":        "",
		"apps":              []any{},
		"capabilities":      map[string]any{},
		"ui_config":         map[string]any{},
	}
	if ownerID != "" {
		out["owner_id"] = ownerID
	}
	return out
}

// showLogin serves GET /v2/token_auth and GET /v2/user_auth/{token}, where the
// token must be the request's own.
func (s *server) showLogin(_ context.Context, r *request) (*answer, error) {
	named := r.params.ByName("token")
	if named != "" && subtle.ConstantTimeCompare([]byte(named), []byte(r.token.Reveal())) != 1 {
		return nil, notFound(models.ErrNotFound, named)
	}
	out := loginData(r.actor, r.login.OwnerID)
	out["method"] = r.login.Method
	out["created"] = gregorian(r.login.Created)
	out["expires"] = gregorian(r.login.Expires)
	if r.login.Restrictions != nil {
		out["restrictions"] = r.login.Restrictions
	}
	return ok(out), nil
}

// endLogin serves DELETE /v2/token_auth.
func (s *server) endLogin(ctx context.Context, r *request) (*answer, error) {
	if err := s.Store.DeleteToken(ctx, r.token); err != nil {
		return nil, err
	}
	r.token = "" // it is no use in the envelope any more
	return ok(map[string]any{}), nil
}
