package api

import (
	"context"
	"time"
)

const pingTimeout = 2 * time.Second

// healthz serves GET /healthz: the program is alive.
func (s *server) healthz(context.Context, *request) (*answer, error) { return ok("alive"), nil }

// readyz serves GET /readyz: the program can do its work, which it cannot
// without its database.
func (s *server) readyz(ctx context.Context, _ *request) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := s.Store.Ping(ctx); err != nil {
		return nil, err
	}
	return ok("ready"), nil
}
