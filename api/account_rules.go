package api

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"strings"

	"dialtone/models"
)

// Members that the server computes; sent back by a client, they are ignored.
var accountComputed = []string{
	"id", "created", "is_reseller", "reseller_id", "superduper_admin", "billing_mode", "wnm_allow_additions",
}

// CheckAccount applies the rules of PUT /v2/accounts to the document of a new
// account that comes another way. The error names every wrong field in a line
// of its own and is ErrInvalid, unless the store failed.
func CheckAccount(ctx context.Context, store Store, doc models.Document) error {
	rules, err := newRules(store)
	if err != nil {
		return err
	}
	wrong, err := rules.settleAccount(ctx, nil, doc, nil)
	if err != nil {
		return err
	}
	return wrong.readable()
}

// settleAccount makes doc what is stored: without computed members and
// defaults, and checked. old is the account as it is, nil for a new one, for
// which it does not matter who acts.
func (rs rules) settleAccount(ctx context.Context, actor *models.Account, doc models.Document, old *models.Account) (problems, error) {
	for _, name := range accountComputed {
		delete(doc, name)
	}
	if realm, isText := doc["realm"].(string); isText {
		doc["realm"] = strings.ToLower(realm)
	}
	wrong := rs.settle(rs.schemas["accounts"], doc)
	checkStanding(doc, old, actor, wrong)
	checkNetworks(doc, wrong)
	candidate := &models.Account{}
	candidate.Realm = doc.Text("realm")
	if old != nil {
		if candidate.Realm == strings.ToLower(old.Realm) {
			return wrong, nil
		}
		candidate.ID = old.ID
	}
	taken, err := rs.store.AccountTaken(ctx, candidate)
	wrong.addTaken(taken, doc)
	return wrong, err
}

// checkStanding keeps the master account in order, without which nobody could
// log in to mend anything, and an account from extending its own trial.
func checkStanding(doc models.Document, old, actor *models.Account, wrong problems) {
	if old == nil {
		return
	}
	if old.IsMaster() && doc["enabled"] == false {
		wrong.add("enabled", "invalid", "the master account cannot be disabled", detail{"cause": false})
	}
	if (old.IsMaster() || old.ID == actor.ID) && !reflect.DeepEqual(doc[trialExpires], old.Document[trialExpires]) {
		wrong.add(trialExpires, "invalid", "only an account above can change this", detail{"cause": doc[trialExpires]})
	}
}

// checkNetworks refuses what is no network from which phones may fetch without
// credentials. Everywhere is none.
func checkNetworks(doc models.Document, wrong problems) {
	for i, text := range doc.Texts("provision.access.networks") {
		if network, err := netip.ParsePrefix(text); err != nil || network.Bits() == 0 {
			wrong.add(fmt.Sprintf("provision.access.networks.%d", i), "wrong_format", "not a network like 192.0.2.0/24 or 2001:db8::/32", detail{"cause": text})
		}
	}
}

// maxRealm is how long a realm may be.
const maxRealm = 253

// newRealm names a realm beside the parent's: "1f0a9c3b57.sip.example.com". Of a
// parent's realm that is too long for it the first labels are left out.
func newRealm(parent string) string {
	base := parent
	if _, after, isGenerated := strings.Cut(parent, ".sip."); isGenerated {
		base = after
	}
	begin := models.NewID()[:10] + ".sip"
	for len(begin)+1+len(base) > maxRealm {
		_, base, _ = strings.Cut(base, ".")
	}
	return strings.TrimSuffix(begin+"."+base, ".")
}
