package phonehttp

import (
	"context"
	"net/http"
	"net/netip"
	"time"
)

// SetPace makes handlers made from now on as patient as said, until restore.
func SetPace(stall time.Duration, rate int64) (restore func()) {
	old := ordinaryPace
	ordinaryPace = pace{stall, rate}
	return func() { ordinaryPace = old }
}

// SetPatience is how long the handler waits for its database from now on.
func (h *Handler) SetPatience(d time.Duration) { h.patience = d }

// Follower is one round of Follow each time it is called.
func (h *Handler) Follower(store FollowStore) func(context.Context) error {
	return h.newFollower(store).once
}

// ForgetAccounts drops the accounts that are remembered, as others would that came
// after them.
func (h *Handler) ForgetAccounts() { h.memory.accounts.InvalidateAll() }

// SetRefusalBeat is what the time of refusals is rounded up to, until restore.
func SetRefusalBeat(d time.Duration) (restore func()) {
	old := refusalBeat
	refusalBeat = d
	return func() { refusalBeat = old }
}

// Peer is who a request comes from, whether by TLS alone, and with how many
// certificates.
func Peer(r *http.Request, proxies Proxies) (source netip.Addr, secure bool, certificates int, err error) {
	p, err := peerOf(r, proxies)
	return p.source, p.secure, len(p.certificates), err
}

// RemembersDocuments reports whether documents are among what is remembered for
// when the database is away.
func (h *Handler) RemembersDocuments() bool {
	for _, phone := range h.memory.phones.All() {
		if p := phone.value; p.Device.Document != nil || p.Account.Document != nil {
			return true
		}
	}
	for _, token := range h.memory.tokens.All() {
		if token.value.account.Document != nil {
			return true
		}
	}
	return false
}
