package phonehttp

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"

	"dialtone/models"
)

// A claim is something that a request presents to be let in, and what was found
// out about it. The zero claim is none.
type claim struct {
	wrong   models.RefusalRule // why it proves nothing, "" = it is right
	phone   *models.Phone      // whose credentials they are; nil of what all phones of an account may present
	account *models.Account    // whose it is, nil = nobody's
	byToken bool               // it is the path token, and right
	tried   string             // whose password it is: a MAC; or the hash of a path token that is wrong
}

// admit is the whole decision who may fetch: of what the request presents, one
// thing has to be right, the file has to be of the phone or account that it
// belongs to, these must not be disabled, and the source must not be locked
// out. Everything is looked up before anything is decided, so that all requests
// of one form cost the same.
func (v *visit) admit(token models.Secret) error {
	wanted, claims, err := v.lookUp(token)
	if err != nil {
		return err
	}
	locked := !v.Guard.Allowed(v.peer.source)
	if claims, err = v.withoutStolen(claims); err != nil {
		return err
	}
	rule := v.judge(wanted, claims, locked)
	switch {
	case rule == "":
		v.countGuesses(claims, true)
		return nil
	case v.Store.failed != nil:
		return v.unsure(claims)
	case v.mayBegin(wanted, claims, locked):
		v.phone, v.account, v.bootstrap = wanted, wanted.Account, true
		return nil
	}
	refused := refusal{
		rule:      rule,
		challenge: token == "" || wrongBy(claims, models.RefusedTokenOff),
		stale:     wrongBy(claims, models.RefusedStale),
	}
	refused.phone, refused.account = whose(wanted, claims)
	v.count(&refused, wanted, claims, locked)
	return refused
}

// judge finds a claim that lets the request in, or the rule by which none does.
// Who asks is known from then on, if one claim is right.
func (v *visit) judge(wanted *models.Phone, claims []claim, locked bool) models.RefusalRule {
	refused := models.RefusedNothing
	v.account = nil
	for i, c := range claims {
		rule := c.wrong
		if c.wrong == "" {
			rule = v.objection(c, wanted, locked)
			v.phone, v.account = c.asking(wanted), c.account
		}
		if rule == "" {
			return ""
		}
		if i == 0 || c.wrong == "" {
			refused = rule
		}
	}
	if locked {
		v.phone, v.account = nil, nil
	}
	return refused
}

// wrongBy reports whether one of the claims is wrong by a rule, or for "" right.
func wrongBy(claims []claim, rule models.RefusalRule) bool {
	return slices.ContainsFunc(claims, func(c claim) bool { return c.wrong == rule })
}

// unsure is the answer to who would not be let in, while the database does not
// answer: nobody is told so then. What a phone has to do first is to prove who
// it is.
func (v *visit) unsure(claims []claim) error {
	stale := wrongBy(claims, models.RefusedStale)
	if stale || onlyCertificates(claims) {
		return refusal{rule: models.RefusedNothing, challenge: true, stale: stale}
	}
	return fmt.Errorf("not known well enough without the database: %w", v.Store.failed)
}

// onlyCertificates reports whether nothing is presented, but perhaps a
// certificate that counts for nothing.
func onlyCertificates(claims []claim) bool {
	return !slices.ContainsFunc(claims, func(c claim) bool { return !slices.Contains(certificateRules, c.wrong) })
}

// mayBegin reports whether the phone that is asked for may have its bootstrap
// file although nothing is presented.
func (v *visit) mayBegin(wanted *models.Phone, claims []claim, locked bool) bool {
	return onlyCertificates(claims) && v.want.HasMAC && wanted != nil && v.started.Before(wanted.Device.FirstContact) && wanted.Enabled() && !locked
}

// asking is the phone that makes a claim: of what all phones of an account may
// present, the one whose file is asked for. Nil: not known.
func (c claim) asking(wanted *models.Phone) *models.Phone {
	if c.phone == nil && wanted != nil && wanted.Account.ID == c.account.ID {
		return wanted
	}
	return c.phone
}

// wanted is the phone whose file is asked for; of a common file the one that
// the User-Agent tells, unless the token says whose file it is. Nil: there is
// none.
func (v *visit) wanted(byToken claim) (*models.Phone, error) {
	tokenIsRight := byToken.wrong == "" && byToken.account != nil
	switch {
	case v.want.HasMAC:
		return v.phoneOf(v.want.MAC)
	case !tokenIsRight && v.agent.MAC != models.MAC{}:
		return v.phoneOf(v.agent.MAC)
	}
	return nil, nil //nolint:nilnil // nobody's, which is the ordinary case
}

// phoneOf is the phone with a MAC, nil when there is none. Each is read once.
func (v *visit) phoneOf(mac models.MAC) (*models.Phone, error) {
	if phone, read := v.phones[mac]; read {
		return phone, nil
	}
	phone, err := v.Store.PhoneByMAC(v.r.Context(), mac)
	if err != nil && !errors.Is(err, models.ErrNotFound) && v.Store.failed == nil {
		return nil, err
	}
	v.phones[mac] = phone
	return phone, nil
}

// lookUp reads all that the decision rests on: the phone whose file is asked
// for, and what the request presents, what proves most first.
func (v *visit) lookUp(token models.Secret) (wanted *models.Phone, claims []claim, err error) {
	byToken, err := v.tokenClaim(token)
	if err != nil {
		return nil, nil, err
	}
	v.account = byToken.account // for the record, should the rest fail
	if wanted, err = v.wanted(byToken); err != nil {
		return nil, nil, err
	}
	byPassword, err := v.passwordClaim()
	if err != nil {
		return nil, nil, err
	}
	byCertificate, err := v.certificateClaim()
	if err != nil {
		return nil, nil, err
	}
	for _, c := range []claim{byPassword, byToken, v.networkClaim(wanted), byCertificate} {
		if c != (claim{}) {
			claims = append(claims, c)
		}
	}
	return wanted, claims, nil
}

// tokenClaim is the token of the provisioning URL.
func (v *visit) tokenClaim(token models.Secret) (claim, error) {
	if token == "" {
		return claim{}, nil
	}
	account, err := v.Store.AccountByPathToken(v.r.Context(), token)
	switch {
	case errors.Is(err, models.ErrNotFound), err != nil && v.Store.failed != nil:
		return claim{wrong: models.RefusedToken, tried: token.Hash()}, nil
	case err != nil:
		return claim{}, err
	case !account.Access.Token:
		return claim{wrong: models.RefusedTokenOff, account: account}, nil
	}
	v.withToken = !account.OldTokenUntil.IsZero() && subtle.ConstantTimeCompare([]byte(token), []byte(account.PathToken)) == 1
	return claim{account: account, byToken: true}, nil
}

// networkClaim is the address that the request comes from, where the account of
// the phone that is asked for lets that be enough.
func (v *visit) networkClaim(wanted *models.Phone) claim {
	if wanted == nil || !wanted.Account.Access.From(v.peer.source) {
		return claim{}
	}
	return claim{account: wanted.Account}
}

// How many MACs that no phone has may be asked for with the token of an account,
// from wherever, before the token alone lets in no more sources.
const (
	accountMisses = 300             // in a row
	missRefill    = 3 * time.Second // one more in this time
)

// withoutStolen are claims of which the token of an account that is used to look
// for phones counts for nothing, unless phones of the account have come from the
// same source before.
func (v *visit) withoutStolen(claims []claim) ([]claim, error) {
	for i, c := range claims {
		if !c.byToken || v.Store.failed != nil || !v.misses.Spent(c.account.ID) {
			continue
		}
		known, err := v.Store.SourceKnown(v.r.Context(), c.account.ID, v.peer.source.String())
		if err != nil {
			return nil, err
		}
		if !known {
			claims[i].wrong = models.RefusedStrange
		}
	}
	return claims, nil
}

// objection is what stands against a claim that is right, "" = nothing.
func (v *visit) objection(c claim, wanted *models.Phone, locked bool) models.RefusalRule {
	asks := c.asking(wanted)
	switch {
	case v.want.HasMAC && c.phone == nil && wanted == nil:
		return models.RefusedUnknown
	case v.want.HasMAC && (asks == nil || wanted == nil || asks.Device.ID != wanted.Device.ID):
		return models.RefusedForeign
	case !c.account.Enabled.On(), asks != nil && !asks.Enabled():
		return models.RefusedDisabled
	case locked:
		return models.RefusedLocked
	}
	return ""
}

// whose refusal it is: that of the phone that is asked for, else of the account
// whose credentials were presented; nil = of nobody who is known.
func whose(wanted *models.Phone, claims []claim) (*models.Phone, *models.Account) {
	for _, c := range claims {
		if c.account != nil && (wanted == nil || wanted.Account.ID != c.account.ID) {
			return c.phone, c.account
		}
	}
	if wanted != nil {
		return wanted, wanted.Account
	}
	return nil, nil
}

// A refusal is a request that is not let in. Outside all of them look alike;
// inside each has a rule.
type refusal struct {
	rule      models.RefusalRule
	phone     *models.Phone   // whose file was asked for, or whose credentials were presented; nil = not known
	account   *models.Account // to whose administrators it matters; nil = nobody's
	challenge bool            // 401: credentials may be presented. Else 404
	stale     bool            // those that were presented answer an old challenge
}

func (r refusal) Error() string { return "refused: " + string(r.rule) }

// count tells the guard of what nobody asks by mistake for long: wrong
// credentials, and phones that do not exist.
func (v *visit) count(refused *refusal, wanted *models.Phone, claims []claim, locked bool) {
	v.countGuesses(claims, false)
	switch {
	case refused.rule == models.RefusedHeader:
		v.Guard.Fail(v.peer.source)
	case refused.rule == models.RefusedPassword: // counted
	case v.want.HasMAC && (wanted == nil || refused.rule == models.RefusedForeign):
		v.countMiss(claims, locked)
	}
	if v.want.HasMAC && wanted == nil && v.isDecoy(refused.account) {
		refused.rule = models.RefusedDecoy
		v.Guard.Ban(v.peer.source)
		if !locked {
			v.Log.WarnContext(v.r.Context(), "a decoy was asked for: the source is locked out", "remote", v.peer.source, "mac", v.want.MAC.String())
		}
	}
}

// countGuesses counts wrong credentials, which may stand beside what is right, or
// nearly: the answer would tell whether they are. A wrong token counts once, and so
// do wrong passwords of one phone, which lock the source out of that phone besides:
// phones with credentials that were right ask on and on, guesses differ. A phone
// that is let in may show whatever was right once.
func (v *visit) countGuesses(claims []claim, letIn bool) {
	if v.Store.failed != nil {
		return
	}
	besideRight := wrongBy(claims, "")
	for _, c := range claims {
		switch {
		case c.wrong == models.RefusedToken && !letIn:
			v.Guard.Miss(v.peer.source, "token "+c.tried)
		case c.wrong == models.RefusedPassword && (c.phone != nil || !besideRight):
			v.Guard.Guess(v.peer.source, c.tried)
			if !letIn || c.account.ID != v.account.ID {
				v.Guard.Miss(v.peer.source, "password of "+c.tried)
			}
		}
	}
}

// countMiss counts a MAC that no phone has, or another account's, once for a
// source, and against the account whose token was used to look for it, unless the
// source is locked out, and the token gives it nothing.
func (v *visit) countMiss(claims []claim, locked bool) {
	first := v.Guard.Miss(v.peer.source, v.want.MAC.String())
	i := slices.IndexFunc(claims, func(c claim) bool { return c.byToken })
	if !first || locked || i < 0 || v.misses.Spent(claims[i].account.ID) {
		return
	}
	account := claims[i].account.ID
	v.misses.Allow(account)
	if v.misses.Spent(account) {
		v.Log.WarnContext(v.r.Context(), "a path token is used to look for phones: sources that are new get nothing by it alone", "account", account)
	}
}

// isDecoy reports whether nobody but a scanner asks for this MAC.
func (v *visit) isDecoy(account *models.Account) bool {
	return slices.Contains(v.Decoys, v.want.MAC) || account != nil && slices.Contains(account.Access.Decoys, v.want.MAC)
}

// refusalBeat is what the time of refusals is rounded up to: what was found
// while looking, or not found, does not show in it.
var refusalBeat = 10 * time.Millisecond

// awaitBeat waits for the next beat since the request came.
func (v *visit) awaitBeat() {
	wait := refusalBeat - time.Since(v.begun)%refusalBeat
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-v.r.Context().Done():
	}
}

// report remembers a refusal for the administrators of the account. That phones
// present nothing before they are challenged is no refusal where they have
// credentials to answer with.
func (v *visit) report(refused refusal) {
	if refused.account == nil {
		v.Refused(models.Refusal{Rule: refused.rule})
		return
	}
	if refused.isChallenge() {
		return
	}
	r := models.Refusal{
		AccountID: refused.account.ID,
		Rule:      refused.rule,
		File:      v.want.Name,
		Source:    v.peer.source.String(),
		Method:    v.r.Method,
		Status:    v.w.status,
		UserAgent: v.r.UserAgent(),
		Requests:  1,
		First:     v.started.UTC(),
		Last:      v.started.UTC(),
	}
	if v.want.HasMAC {
		r.MAC = v.want.MAC.String()
	}
	if refused.phone != nil {
		r.DeviceID = refused.phone.Device.ID
	}
	v.Refused(r)
}

// isChallenge reports whether the request waits to be asked for credentials that
// the account accepts.
func (r refusal) isChallenge() bool {
	access := r.account.Access
	switch {
	case r.rule == models.RefusedStale:
		return true
	case slices.Contains(certificateRules, r.rule):
		return access.Password && !access.Certificate
	}
	return r.rule == models.RefusedNothing && access.Password
}

// asRefusal finds the refusal in an error.
func asRefusal(err error) (refusal, bool) {
	if err == nil {
		return refusal{}, false
	}
	var refused refusal
	return refused, errors.As(err, &refused)
}
