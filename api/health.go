package api

import (
	"context"
	"time"

	"github.com/gin-gonic/gin"
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

// metrics serves GET /metrics in the text format of Prometheus. There is neither
// a secret nor an account or phone in it.
func (s *server) metrics(c *gin.Context) {
	if s.Metrics == nil {
		s.writeError(c, requestOf(c), fault("not_found", "no such path"))
		return
	}
	s.Metrics.ServeHTTP(c.Writer, c.Request)
}
