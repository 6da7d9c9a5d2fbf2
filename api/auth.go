package api

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"dialtone/models"
)

const tokenLife = time.Hour

// findAccount reads the account of the path. Kazoo does it before it asks for
// a token, so 404 comes before 401.
func (s *server) findAccount(ctx context.Context, r *request) error {
	id := r.params.ByName("account")
	if !models.ValidID(id) {
		return &faultError{"bad identifier", detail{"message": "invalid account id", "cause": id}}
	}
	account, err := s.Store.Account(ctx, id)
	if err != nil {
		return notFound(err, id)
	}
	r.account = account
	return nil
}

// authenticate finds out for which account the request's token acts.
func (s *server) authenticate(ctx context.Context, r *request) error {
	if r.token == "" {
		return fault("invalid_credentials", "invalid credentials")
	}
	token, err := s.Store.Token(ctx, r.token)
	if err != nil {
		return noLogin(err)
	}
	if !token.Expires.After(s.Now()) {
		return &faultError{"invalid credentials", detail{}}
	}
	r.login = token
	if r.account != nil && r.account.ID == token.AccountID {
		r.actor = r.account
		return nil
	}
	actor, err := s.Store.Account(ctx, token.AccountID)
	if err != nil {
		return noLogin(err)
	}
	r.actor = actor
	return nil
}

// noLogin is a 401 when err says that the token, or its account, is unknown.
func noLogin(err error) error {
	if errors.Is(err, models.ErrNotFound) {
		return fault("invalid_credentials", "invalid credentials")
	}
	return err
}

// authorize lets an account act on itself and on its descendants, and the
// master account on all.
func (s *server) authorize(_ context.Context, r *request) error {
	if r.actor.IsMaster() || r.account.Within(r.actor.ID) {
		return nil
	}
	return fault("forbidden", "forbidden")
}

// apiAuth serves PUT /v2/api_auth: an API key buys a token.
func (s *server) apiAuth(ctx context.Context, r *request) (*answer, error) {
	if !s.Guard.Allowed(r.source) {
		return nil, fault("too_many_requests", "too many failed logins")
	}
	doc, err := r.document()
	if err != nil {
		return nil, err
	}
	if err := s.schemas["api_auth"].settle(doc).err(); err != nil {
		return nil, err
	}
	key := doc.Text("api_key")
	account, err := s.Store.AccountByAPIKey(ctx, models.Secret(key))
	if errors.Is(err, models.ErrNotFound) {
		s.Guard.Fail(r.source)
		return nil, &faultError{"bad identifier", []string{key}}
	}
	if err != nil {
		return nil, err
	}
	if !account.Enabled.On() {
		return nil, invalid("account", "disabled", "the account is disabled", detail{"cause": account.ID})
	}
	token, err := s.login(ctx, account)
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusCreated, data: loginData(account), token: token}, nil
}

// login makes a token that acts for the account.
func (s *server) login(ctx context.Context, account *models.Account) (models.Secret, error) {
	token, now := newToken(), s.Now().UTC()
	return token, s.Store.CreateToken(ctx, token, &models.Token{
		AccountID: account.ID,
		Method:    "cb_api_auth",
		Created:   now,
		Expires:   now.Add(tokenLife),
	})
}

// newToken is opaque: 256 random bits, with a prefix that lets people and
// secret scanners tell what it is.
func newToken() models.Secret {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // crypto/rand.Read never fails
	return models.Secret("dt_" + base64.RawURLEncoding.EncodeToString(raw))
}

func loginData(a *models.Account) map[string]any {
	return map[string]any{
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
}
