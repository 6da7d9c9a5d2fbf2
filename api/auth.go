package api

import (
	"context"
	"errors"
	"strings"

	"dialtone/models"
)

// findAccount reads the account of the path. Kazoo does it before it asks for
// a token, so 404 comes before 401.
func (s *server) findAccount(ctx context.Context, r *request) error {
	id := r.params.ByName("account")
	if !models.ValidID(id) {
		return &faultError{name: "bad identifier", data: detail{"message": "invalid account id", "cause": id}}
	}
	account, err := s.Store.Account(ctx, id)
	if err != nil {
		return notFound(err, id)
	}
	r.account = account
	return nil
}

// resolveOwnAccount replaces /v2/account, which names the account of the
// token, before the request is routed.
func (s *server) resolveOwnAccount(ctx context.Context, r *request) {
	rest, isAlias := strings.CutPrefix(r.path+"/", "/v2/account/")
	if !isAlias {
		return
	}
	id := strings.Repeat("0", 32) // whose OPTIONS are the same
	if err := s.readToken(ctx, r); err == nil {
		id = r.login.AccountID
	} else if r.err == nil {
		r.err = err
	}
	r.path = strings.TrimRight("/v2/accounts/"+id+"/"+rest, "/")
}

// readToken finds the login of the request's token, or why there is none, once.
func (s *server) readToken(ctx context.Context, r *request) error {
	if r.login == nil && r.loginErr == nil {
		r.login, r.loginErr = s.findLogin(ctx, r.token)
	}
	return r.loginErr
}

func (s *server) findLogin(ctx context.Context, token models.Secret) (*models.Token, error) {
	if token == "" {
		return nil, noCredentials()
	}
	login, err := s.Store.Token(ctx, token)
	if err != nil {
		return nil, noLogin(err)
	}
	if login.Method == models.ResetID {
		return nil, noCredentials() // good for nothing but a login
	}
	if !login.Expires.After(s.Now()) {
		return nil, &faultError{name: "invalid credentials", data: detail{}}
	}
	return login, nil
}

// authenticate finds out for which account the request's token acts. Changes
// that end logins delete their tokens; a trial just runs out.
func (s *server) authenticate(ctx context.Context, r *request) error {
	if err := s.readToken(ctx, r); err != nil {
		return err
	}
	actor := r.account
	if actor == nil || actor.ID != r.login.AccountID {
		var err error
		if actor, err = s.Store.Account(ctx, r.login.AccountID); err != nil {
			return noLogin(err)
		}
	}
	if s.standing(actor) != nil {
		return noCredentials()
	}
	r.actor = actor
	if r.login.Restrictions != nil && !permitted(r.login.Restrictions, r.verb, r.path) {
		return fault("forbidden", "the token's restrictions do not allow this")
	}
	return nil
}

func noCredentials() error { return fault("invalid_credentials", "invalid credentials") }

// noLogin is a 401 when err says that the token, or its account, is unknown.
func noLogin(err error) error {
	if errors.Is(err, models.ErrNotFound) {
		return noCredentials()
	}
	return err
}

// standing says what keeps an account from logging in, nil when nothing does.
func (s *server) standing(a *models.Account) error {
	switch {
	case !a.Enabled.On():
		return invalid("account", "disabled", "the account is disabled", detail{"cause": a.ID})
	case expired(a, s.Now()):
		return invalid("account", "expired", "the account has expired", detail{"cause": a.ID})
	}
	return nil
}

// authorize lets an account act on itself and on its descendants, and the
// master account on all.
func (s *server) authorize(_ context.Context, r *request) error {
	if r.actor.IsMaster() || r.account.Within(r.actor.ID) {
		return nil
	}
	return fault("forbidden", "forbidden")
}

// permitted reports whether a token with restrictions may be used for this. A
// pattern is a path below /v2; "*" stands for one segment, "#" for any number.
func permitted(restrictions map[string][]string, verb, path string) bool {
	verb = strings.ToLower(verb)
	if verb == "head" {
		verb = "get"
	}
	segments := strings.Split(strings.TrimPrefix(path, "/v2/"), "/")
	for _, pattern := range restrictions[verb] {
		pattern = strings.TrimPrefix(strings.Trim(pattern, "/"), "v2/")
		if matchSegments(strings.Split(pattern, "/"), segments) {
			return true
		}
	}
	return false
}

// matchSegments remembers only the last "#": a later one can take over all
// that an earlier one might, so the time is bounded by the product of lengths.
func matchSegments(pattern, path []string) bool {
	p, hash, mark := 0, -1, 0
	for i := 0; i < len(path); {
		switch {
		case p < len(pattern) && pattern[p] == "#":
			hash, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == "*" || pattern[p] == path[i]):
			p++
			i++
		case hash >= 0:
			mark++
			p, i = hash+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == "#" {
		p++
	}
	return p == len(pattern)
}
