package certs

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"time"
)

// Tickets are the keys of TLS session tickets. They are derived from a secret
// that several servers share, so that a client which comes back resumes its
// session at any of them, and change every day.
type Tickets struct {
	derive  func(purpose string) (key []byte, err error)
	now     func() time.Time
	configs map[*tls.Config]string // with the service that each is for
}

// NewTickets makes keys of 32 bytes with derive, which gives all servers that
// share its secret the same key for a purpose.
func NewTickets(derive func(purpose string) ([]byte, error), now func() time.Time) *Tickets {
	return &Tickets{derive, now, map[*tls.Config]string{}}
}

// Keep gives a service's configuration its keys, which Run changes from then on.
// It is not to be called once Run is.
func (t *Tickets) Keep(config *tls.Config, service string) error {
	t.configs[config] = service
	return t.set(config, service)
}

// Run changes the keys every day, until ctx ends.
func (t *Tickets) Run(ctx context.Context, log *slog.Logger) error {
	ticker := time.NewTicker(10 * time.Minute)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			for config, service := range t.configs {
				if err := t.set(config, service); err != nil {
					log.ErrorContext(ctx, "keys of session tickets not changed", "err", err)
				}
			}
		}
	}
}

// set makes tickets of today, and accepts those of yesterday and, since other
// servers' clocks may be ahead, of tomorrow.
func (t *Tickets) set(config *tls.Config, service string) error {
	today := t.now().Unix() / int64((24 * time.Hour).Seconds())
	var keys [][32]byte
	for _, day := range []int64{today, today - 1, today + 1} {
		key, err := t.derive(fmt.Sprintf("TLS session tickets of %s, day %d", service, day))
		if err != nil {
			return err
		}
		keys = append(keys, [32]byte(key))
	}
	config.SetSessionTicketKeys(keys)
	return nil
}
