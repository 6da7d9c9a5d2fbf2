package main

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"time"

	"dialtone/internal/certs"
	"dialtone/models/keyset"
	"dialtone/models/sqlstore"
)

// newTickets makes the keys of session tickets, for all servers of a database. A
// ticket names the certificate that the phone has shown, so who makes one is any
// phone: neither the keyset nor the database is enough for that alone.
func newTickets(ctx context.Context, store *sqlstore.Store, keys *keyset.Keyset) (*certs.Tickets, error) {
	secret, err := store.ServerSecret(ctx, "session_tickets")
	if err != nil {
		return nil, err
	}
	derive := func(purpose string) ([]byte, error) {
		shared, err := keys.Derive(purpose)
		if err != nil {
			return nil, err
		}
		key, err := hkdf.Key(sha256.New, shared, []byte(secret.Reveal()), purpose, 32)
		if err != nil {
			return nil, fmt.Errorf("derive %s key: %w", purpose, err)
		}
		return key, nil
	}
	return certs.NewTickets(derive, time.Now), nil
}
