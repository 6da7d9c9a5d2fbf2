package api

import (
	"cmp"
	"context"
	"errors"
	"net"
	"strconv"
	"strings"

	"dialtone/models"
)

// listRegistrations serves GET .../registrations: every contact that is
// registered now.
func (s *server) listRegistrations(ctx context.Context, r *request) (*answer, error) {
	entries := []any{}
	err := s.eachRegistration(ctx, r.account.ID, func(batch []models.Registration) error {
		for _, registration := range batch {
			for _, b := range registration.Bindings {
				entries = append(entries, publicBinding(b, registration.Device, r.account))
			}
		}
		if len(entries) > maxUnpaged {
			return fault("range not satisfiable", "the list is too long to be answered at once")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return listed(entries, nil), nil
}

// eachRegistration visits an account's registered devices in batches.
func (s *server) eachRegistration(ctx context.Context, accountID string, visit func([]models.Registration) error) error {
	for after := ""; ; {
		batch, err := s.Store.Registrations(ctx, accountID, after, maxBatch)
		if err != nil || len(batch) == 0 {
			return err
		}
		if err := visit(batch); err != nil {
			return err
		}
		after = batch[len(batch)-1].Device.ID
	}
}

// publicBinding is a registration in Kazoo's terms: "contact" is where
// requests go, "original_contact" what the phone calls itself.
func publicBinding(b models.Binding, d *models.Device, a *models.Account) map[string]any {
	username, realm := splitAOR(b.AOR)
	host, port := contactHost(b.Contact, b.Transport)
	out := map[string]any{
		"username":                   username,
		"realm":                      realm,
		"from_user":                  username,
		"from_host":                  realm,
		"to_user":                    username,
		"to_host":                    realm,
		"contact":                    "sip:" + contactUser(b.Contact, username) + "@" + b.Received.String() + ";transport=" + b.Transport,
		"original_contact":           b.Contact,
		"contact_ip":                 host,
		"contact_port":               port,
		"network_ip":                 b.Received.Addr().String(),
		"network_port":               int(b.Received.Port()),
		"user_agent":                 b.UserAgent,
		"call_id":                    b.CallID,
		"expires":                    int(b.Expires.Sub(b.Modified).Seconds()),
		"event_timestamp":            gregorian(b.Modified),
		"authorizing_id":             d.ID,
		"authorizing_type":           "device",
		"account_name":               a.Name,
		"account_realm":              a.Realm,
		"suppress_unregister_notify": d.Document["suppress_unregister_notifications"] == true,
	}
	if d.OwnerID != "" {
		out["owner_id"] = d.OwnerID
	}
	if len(b.Path) > 0 {
		_, route, _ := strings.Cut(b.Path[0], "<")
		out["proxy_ip"], out["proxy_port"] = contactHost(strings.TrimSuffix(route, ">"), "")
	}
	return out
}

// splitAOR takes "sip:ann@acme.example.com" apart.
func splitAOR(aor string) (user, host string) {
	aor = strings.TrimPrefix(aor, "sip:")
	i := strings.LastIndexByte(aor, '@')
	return aor[:max(i, 0)], aor[i+1:]
}

// contactUser is the user of a SIP URI as written, or the one given.
func contactUser(uri, otherwise string) string {
	user, _, hasUser := strings.Cut(withoutScheme(uri), "@")
	if !hasUser {
		return otherwise
	}
	user, _, _ = strings.Cut(user, ":") // a password
	return cmp.Or(user, otherwise)
}

// contactHost is the host of a SIP URI, without the brackets of IPv6, and its
// port, or the usual one of the transport.
func contactHost(uri, transport string) (host string, port int) {
	port = 5060
	if transport == "tls" || strings.HasPrefix(strings.ToLower(uri), "sips:") {
		port = 5061
	}
	hostPort := withoutScheme(uri)
	hostPort = hostPort[strings.IndexByte(hostPort, '@')+1:]
	if end := strings.IndexAny(hostPort, ";?>"); end >= 0 {
		hostPort = hostPort[:end]
	}
	if host, digits, err := net.SplitHostPort(hostPort); err == nil {
		if given, err := strconv.ParseUint(digits, 10, 16); err == nil {
			port = int(given)
		}
		return host, port
	}
	return strings.Trim(hostPort, "[]"), port
}

func withoutScheme(uri string) string {
	for _, scheme := range []string{"sip:", "sips:"} {
		if len(uri) >= len(scheme) && strings.EqualFold(uri[:len(scheme)], scheme) {
			return uri[len(scheme):]
		}
	}
	return uri
}

// countRegistrations serves GET .../registrations/count.
func (s *server) countRegistrations(ctx context.Context, r *request) (*answer, error) {
	return s.registrationCount(ctx, r.account.ID)
}

// countAllRegistrations serves GET /v2/registrations/count, for the master
// account alone.
func (s *server) countAllRegistrations(ctx context.Context, r *request) (*answer, error) {
	if !r.actor.IsMaster() {
		return nil, fault("forbidden", "forbidden")
	}
	return s.registrationCount(ctx, "")
}

func (s *server) registrationCount(ctx context.Context, accountID string) (*answer, error) {
	n, err := s.Store.CountRegistrations(ctx, accountID)
	if err != nil {
		return nil, err
	}
	return ok(map[string]any{"count": n}), nil
}

// flushRegistrations serves DELETE .../registrations: every registered phone
// of the account is told to fetch its files, and has to register anew.
func (s *server) flushRegistrations(ctx context.Context, r *request) (*answer, error) {
	if err := s.auditFlush(ctx, models.KindAccount, r.account.ID, r.account.Meta); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx) // half a flush helps nobody
	err := s.eachRegistration(ctx, r.account.ID, func(batch []models.Registration) error {
		return s.flushBatch(ctx, r.account, r.syncMode(), batch)
	})
	if err != nil {
		return nil, err
	}
	return ok("ok"), nil
}

// flushRegistration serves DELETE .../registrations/{username}.
func (s *server) flushRegistration(ctx context.Context, r *request) (*answer, error) {
	username := r.params.ByName("username")
	phone, err := s.Store.PhoneByUsername(ctx, r.account.ID, username)
	if errors.Is(err, models.ErrNotFound) {
		return nil, &faultError{name: "bad identifier", data: []string{username}}
	}
	if err != nil {
		return nil, err
	}
	bindings, err := s.Store.Bindings(ctx, phone.Device.ID)
	if err != nil {
		return nil, err
	}
	if err := s.auditFlush(ctx, models.KindDevice, r.account.ID, phone.Device.Meta); err != nil {
		return nil, err
	}
	if err := s.flush(context.WithoutCancel(ctx), phone, r.syncMode(), append([]models.Binding{}, bindings...)); err != nil {
		return nil, err
	}
	return ok("ok"), nil
}

// auditFlush writes down who takes away registrations, before they are.
func (s *server) auditFlush(ctx context.Context, kind, accountID string, of models.Meta) error {
	return s.Store.Audit(ctx, models.AuditEntry{
		AccountID: accountID, Kind: kind, ObjectID: of.ID, Action: models.ActionFlush, Revision: of.Revision,
	})
}
