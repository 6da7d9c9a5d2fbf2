package sqlstore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"dialtone/models"
	"dialtone/models/sqlstore"
)

// fillAccounts gives three accounts so many phones each, with what they leave in
// every table.
func fillAccounts(t *testing.T, s *sqlstore.Store, phones int) *models.Account {
	t.Helper()
	var account *models.Account
	for n := range 3 {
		account = newAccount(t, s, fmt.Sprintf("a%d.example.com", n))
		devices := make([]*models.Device, phones)
		for i := range devices {
			devices[i] = newDevice(t, account.ID, fmt.Sprintf(`{"name":"x","mac_address":"02%02x%08x","sip":{"username":"u%d"}}`, n, i, i))
		}
		if err := s.ImportDevices(t.Context(), devices, func(map[int]*models.TakenError) bool { return true }); err != nil {
			t.Fatal(err)
		}
	}
	now, later := time.Now().UnixMilli(), time.Now().Add(time.Hour).UnixMilli()
	const unused = "'0123456789abcdef0123456789abcdef'"
	for _, statement := range []string{
		fmt.Sprintf(`INSERT INTO registrations (device_id, binding_key, account_id, aor, contact, instance, reg_id, path, received, transport, replica, call_id, cseq, user_agent, expires, modified)
			SELECT id, %s, account_id, 'a', 'c', '', 0, '', '192.0.2.1:5060', 'udp', '', '', 1, '', %d, %d FROM devices`, unused, later, now),
		fmt.Sprintf(`INSERT INTO fetches (account_id, device_id, mac, file, method, status, etag, bytes, source, user_agent, firmware, duration, fetched)
			SELECT account_id, id, mac, 'f', 'GET', 200, 'e', 1, '192.0.2.1', '', '', 1, %d FROM devices`, now),
		fmt.Sprintf(`INSERT INTO account_sources (account_id, source, seen) SELECT account_id, id, %d FROM devices`, now),
		fmt.Sprintf(`INSERT INTO unknown_devices (account_id, mac, file, source, user_agent, requests, first_seen, last_seen)
			SELECT account_id, substr(id, 1, 12), 'f', '', '', 1, %d, %d FROM devices`, now, now),
		fmt.Sprintf(`INSERT INTO refusals (account_id, id, rule, mac, file, source, method, status, user_agent, requests, first_seen, last_seen)
			SELECT account_id, id, 'r', '', 'f', '', 'GET', 401, '', 1, %d, %d FROM devices`, now, now),
		fmt.Sprintf(`INSERT INTO sync_jobs (id, account_id, filter, event, mode, rate, canary, stop_above, patience, come_back, state, reason, prepared, prepared_to, canary_done, base_done, base_missing, settled, runner, lease_until, created, modified, finished)
			SELECT id, account_id, '{}', '', '', 1, 0, NULL, 1, '', 'finished', '', 1, '', 0, 0, 0, 1, '', 0, %d, %d, 0 FROM devices`, now, now),
	} {
		if err := s.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return account
}

// What lists and counts does not walk past the rows of others, nor sort its own.
func TestListsByIndex(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := fillAccounts(t, s, 1500)
		if _, err := s.RotatePathToken(t.Context(), a, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := s.Analyze(t.Context()); err != nil {
			t.Fatal(err)
		}
		owner := strings.Repeat("b", 32)
		tests := []struct {
			name  string
			index string // that the last statement goes by, if it matters which
			ask   func(ctx context.Context) error
		}{
			{"devices", "", func(ctx context.Context) error {
				_, err := s.ListDevices(ctx, a.ID, models.Listing{Limit: 50})
				return err
			}},
			{"devices of an owner", "", func(ctx context.Context) error {
				_, err := s.ListDevices(ctx, a.ID, models.Listing{Limit: 50, Where: []models.Match{{Path: "owner_id", Text: owner}}})
				return err
			}},
			{"devices with a MAC", "", func(ctx context.Context) error {
				_, err := s.ListDevices(ctx, a.ID, models.Listing{Limit: 50, Where: []models.Match{{Path: "mac_address", Text: "020000000001"}}})
				return err
			}},
			{"registered devices", "", func(ctx context.Context) error { _, err := s.RegisteredDevices(ctx, a.ID, "", 1000); return err }},
			{"registrations", "", func(ctx context.Context) error { _, err := s.Registrations(ctx, a.ID, owner, 50); return err }},
			{"registrations of an account", "", func(ctx context.Context) error { _, err := s.CountRegistrations(ctx, a.ID); return err }},
			{"registrations of all", "", func(ctx context.Context) error { _, err := s.CountRegistrations(ctx, ""); return err }},
			{"phones behind", "devices_path_token", func(ctx context.Context) error { _, err := s.PhonesBehind(ctx, a.ID); return err }},
			{"refusals", "", func(ctx context.Context) error { _, err := s.Refusals(ctx, a.ID, 50); return err }},
			{"unknown devices", "", func(ctx context.Context) error { _, err := s.UnknownDevices(ctx, a.ID, "02", 50); return err }},
			{"audit", "", func(ctx context.Context) error { _, err := s.AuditEntries(ctx, a.ID, "", nil, 50); return err }},
			{"audit of a device", "", func(ctx context.Context) error { _, err := s.AuditEntries(ctx, a.ID, owner, nil, 50); return err }},
			{"changes", "audit_changes", func(ctx context.Context) error {
				_, err := s.ChangesSince(ctx, time.Now().Add(-time.Minute))
				return err
			}},
			{"source known", "", func(ctx context.Context) error { _, err := s.SourceKnown(ctx, a.ID, "192.0.2.1"); return err }},
			{"fetched since", "fetches_firmware", func(ctx context.Context) error {
				_, err := s.FetchedSince(ctx, owner, time.Now().Add(-time.Minute))
				return err
			}},
			{"sync jobs", "", func(ctx context.Context) error { _, err := s.SyncJobs(ctx, a.ID, nil, 50); return err }},
			{"prune", "", func(ctx context.Context) error {
				return s.Prune(ctx, sqlstore.Retention{History: time.Hour, Audit: time.Hour})
			}},
		}
		for _, tt := range tests {
			plans, err := s.Plans(t.Context(), func() error { return tt.ask(t.Context()) })
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			for _, plan := range plans {
				if plan.Strays && !strings.Contains(plan.Text, "realm_claims") { // those of an hour
					t.Errorf("%s: %s", tt.name, plan.Text)
				}
			}
			if last := plans[len(plans)-1]; !strings.Contains(last.Text, tt.index) {
				t.Errorf("%s: without %s: %s", tt.name, tt.index, last.Text)
			}
		}
	})
}
