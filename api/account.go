package api

import (
	"cmp"
	"context"
	"strings"

	"dialtone/models"
)

// Members that the server computes; sent back by a client, they are ignored.
var accountComputed = []string{
	"id", "created", "is_reseller", "reseller_id", "superduper_admin", "billing_mode", "wnm_allow_additions",
}

// createAccount serves PUT /v2/accounts and PUT /v2/accounts/{A}: a child of
// the token's account, or of {A}. The child's API key is random and only its
// hash is kept; nobody can log in with it before a later call sets a new one,
// but tokens of the accounts above act on the child.
func (s *server) createAccount(ctx context.Context, r *request) (*answer, error) {
	parent := cmp.Or(r.account, r.actor)
	doc, err := r.document()
	if err != nil {
		return nil, err
	}
	id, idErr := takeID(doc)
	for _, name := range accountComputed {
		delete(doc, name)
	}
	if doc["realm"] == nil {
		doc["realm"] = newRealm(parent.Realm)
	}
	if realm, isText := doc["realm"].(string); isText {
		doc["realm"] = strings.ToLower(realm)
	}
	problems := s.schemas["accounts"].settle(doc)
	problems.merge(idErr)
	if err := problems.err(); err != nil {
		return nil, err
	}
	a := &models.Account{Ancestors: append(parent.Ancestors[:len(parent.Ancestors):len(parent.Ancestors)], parent.ID)}
	a.ID = id
	if err := a.SetDocument(doc); err != nil {
		return nil, err
	}
	if err := s.Store.CreateAccount(ctx, a, models.NewAPIKey()); err != nil {
		return nil, taken(err, doc)
	}
	return created(a.Meta, "/v2/accounts/"+a.ID, s.publicAccount(a)), nil
}

// showAccount serves GET /v2/accounts/{A}.
func (s *server) showAccount(_ context.Context, r *request) (*answer, error) {
	return one(r.account.Meta, s.publicAccount(r.account)), nil
}

// newRealm names a realm beside the parent's: "1f0a9c3b57.sip.example.com".
func newRealm(parent string) string {
	base := parent
	if _, after, isGenerated := strings.Cut(parent, ".sip."); isGenerated {
		base = after
	}
	return models.NewID()[:10] + ".sip." + base
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
