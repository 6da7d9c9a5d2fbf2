package api

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"dialtone/models"
)

// listAccounts serves GET /v2/accounts: all accounts, for the master account.
func (s *server) listAccounts(ctx context.Context, r *request) (*answer, error) {
	if !r.actor.IsMaster() {
		return nil, fault("forbidden", "only the master account lists all accounts")
	}
	return s.accountList(ctx, r, "")
}

// listChildren serves GET /v2/accounts/{A}/children: the accounts directly
// below.
func (s *server) listChildren(ctx context.Context, r *request) (*answer, error) {
	return s.accountList(ctx, r, r.account.ID)
}

// accountList lists the accounts below parentID, or all when it is empty.
func (s *server) accountList(ctx context.Context, r *request, parentID string) (*answer, error) {
	return list(r, collection[*models.Account]{
		fetch: func(l models.Listing) ([]*models.Account, error) { return s.Store.ListAccounts(ctx, parentID, l) },
		id:    func(a *models.Account) string { return a.ID },
		record: func(a *models.Account) record {
			return record{
				kind: "account", accountID: a.ID, meta: a.Meta, doc: a.Document, completed: s.schemas["accounts"].completing(a.Document),
			}
		},
		summary: accountSummary,
	})
}

func accountSummary(a *models.Account) map[string]any {
	out := map[string]any{"id": a.ID, "name": a.Name, "realm": a.Realm, "enabled": a.Enabled.On(), "flags": []any{}}
	copyMembers(out, a.Document, "flags", "timezone")
	return out
}

// createAccount serves PUT /v2/accounts and PUT /v2/accounts/{A}: a child of
// the token's account, or of {A}. The child's API key is random and only its
// hash is kept; nobody can log in with it before PUT .../api_key makes another,
// but tokens of the accounts above act on the child. Nobody chooses its id: under
// that of an account that is gone there are entries of the audit.
func (s *server) createAccount(ctx context.Context, r *request) (*answer, error) {
	parent := cmp.Or(r.account, r.actor)
	doc, err := r.document()
	if err != nil {
		return nil, err
	}
	chosen := doc["id"]
	if doc["realm"] == nil {
		doc["realm"] = newRealm(parent.Realm)
	}
	wrong, err := s.settleAccount(ctx, r.actor, doc, nil)
	if err != nil {
		return nil, err
	}
	if chosen != nil {
		wrong.add("id", "invalid", "accounts get their ids here", detail{"cause": chosen})
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	a := &models.Account{Ancestors: append(parent.Ancestors[:len(parent.Ancestors):len(parent.Ancestors)], parent.ID)}
	if err := a.SetDocument(doc); err != nil {
		return nil, err
	}
	if err := s.Store.CreateAccount(ctx, a, models.NewAPIKey()); err != nil {
		return nil, notFound(nameTaken(err, doc), parent.ID)
	}
	return created(a.Meta, "/v2/accounts/"+a.ID, s.publicAccount(a)), nil
}

// showAccount serves GET /v2/accounts/{A}.
func (s *server) showAccount(_ context.Context, r *request) (*answer, error) {
	return one(r.account.Meta, s.publicAccount(r.account)), nil
}

// replaceAccount serves POST /v2/accounts/{A}: what is not sent is dropped,
// but for the realm, which an account always has.
func (s *server) replaceAccount(ctx context.Context, r *request) (*answer, error) {
	return s.updateAccount(ctx, r, func(_, sent models.Document) models.Document { return sent.Clone() })
}

// patchAccount serves PATCH /v2/accounts/{A}: what is not sent stays.
func (s *server) patchAccount(ctx context.Context, r *request) (*answer, error) {
	return s.updateAccount(ctx, r, merge)
}

// updateAccount saves what edit makes of the stored document and the one sent.
func (s *server) updateAccount(ctx context.Context, r *request, edit func(stored, sent models.Document) models.Document) (*answer, error) {
	sent, err := r.document()
	if err != nil {
		return nil, err
	}
	delete(sent, "id")
	var old, saved *models.Account
	err = s.untilWritten(ctx, func(ctx context.Context) error {
		old, saved, err = s.updateAccountOnce(ctx, r, func(stored models.Document) models.Document { return edit(stored, sent) })
		return err
	})
	if err != nil {
		return nil, err
	}
	s.tellAccountPhones(ctx, r, old, saved)
	return one(saved.Meta, s.publicAccount(saved)), nil
}

// updateAccountOnce computes the new document and writes it, unless the stored
// one changed in between: ErrConflict.
func (s *server) updateAccountOnce(ctx context.Context, r *request, edit func(models.Document) models.Document) (old, saved *models.Account, err error) {
	old, err = s.Store.Account(ctx, r.account.ID)
	if err != nil {
		return nil, nil, notFound(err, r.account.ID)
	}
	doc := edit(old.Document)
	if doc["realm"] == nil {
		doc["realm"] = old.Realm
	}
	wrong, err := s.settleAccount(ctx, r.actor, doc, old)
	if err != nil {
		return nil, nil, err
	}
	if err := cmp.Or(wrong.err(), r.ifMatch(old.Revision)); err != nil {
		return nil, nil, err
	}
	next := *old
	if err := next.SetDocument(doc); err != nil {
		return nil, nil, err
	}
	return old, &next, nameTaken(s.Store.SaveAccount(ctx, old, &next), doc)
}

// deleteAccount serves DELETE /v2/accounts/{A} and answers what it was. Users,
// devices and logins go with it. An account with others below it stays, and so
// does the master account.
func (s *server) deleteAccount(ctx context.Context, r *request) (*answer, error) {
	if r.account.IsMaster() {
		return nil, fault("forbidden", "the master account cannot be deleted")
	}
	var a *models.Account
	var phones []models.Registration
	err := s.untilWritten(ctx, func(ctx context.Context) (err error) {
		if a, err = s.Store.Account(ctx, r.account.ID); err != nil {
			return notFound(err, r.account.ID)
		}
		if err := r.ifMatch(a.Revision); err != nil {
			return err
		}
		phones = s.farewells(ctx, a)
		return s.Store.DeleteAccount(ctx, a)
	})
	if err != nil {
		return nil, err
	}
	s.sayFarewell(ctx, r, a, phones)
	return one(a.Meta, s.publicAccount(a)), nil
}

// showAPIKey serves GET /v2/accounts/{A}/api_key. Only a hash of the key is
// kept, so all that can be said is how to get another.
func (s *server) showAPIKey(context.Context, *request) (*answer, error) {
	return ok(map[string]any{
		"api_key": nil,
		"message": "only a hash of the API key is kept: PUT makes a new one, shows it once, and ends the old one",
	}), nil
}

// renewAPIKey serves PUT /v2/accounts/{A}/api_key: a new key, which this
// answer alone shows. The old one, and the logins made with it, end here; that
// may include the token of this request.
func (s *server) renewAPIKey(ctx context.Context, r *request) (*answer, error) {
	key := models.NewAPIKey()
	if err := s.Store.SetAPIKey(ctx, r.account.ID, key); err != nil {
		return nil, notFound(err, r.account.ID)
	}
	return &answer{status: http.StatusCreated, data: map[string]any{"api_key": key.Reveal()}}, nil
}

func (s *server) publicAccount(a *models.Account) map[string]any {
	out := publicDocument(s.schemas["accounts"].completed(a.Document), a.ID)
	out["created"] = gregorian(a.Created)
	out["enabled"] = a.Enabled.On()
	out["realm"] = a.Realm
	out["is_reseller"] = a.IsMaster()
	out["reseller_id"] = resellerID(a)
	out["superduper_admin"] = a.IsMaster()
	out["billing_mode"] = "manual"
	out["wnm_allow_additions"] = false
	return out
}

// resellerID is the account that sells to this one: the master account.
func resellerID(a *models.Account) string {
	if a.IsMaster() {
		return a.ID
	}
	return a.Ancestors[0]
}

func languageOf(a *models.Account) string { return cmp.Or(a.Language, "en-us") }

// trialExpires is the member that ends an account: Gregorian seconds.
const trialExpires = "trial_expires"

// expired reports whether the account's trial is over.
func expired(a *models.Account, now time.Time) bool {
	at, isSet := wholeNumber(a.Document, trialExpires)
	return isSet && at <= gregorian(now)
}

// wholeNumber is the number that a member holds, if it holds one.
func wholeNumber(doc models.Document, name string) (int64, bool) {
	n, isNumber := doc[name].(json.Number)
	if !isNumber {
		return 0, false
	}
	i, err := n.Int64()
	return i, err == nil
}
