package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
)

// NewImpatient is New for a test of writers that never come to an end.
func NewImpatient(cfg Config) (http.Handler, error) {
	s, err := newServer(cfg)
	if err != nil {
		return nil, err
	}
	s.patience = 20 * time.Millisecond
	return s.handler()
}

// Routes lists every route of the API as "METHOD /path/:parameter".
func Routes() []string {
	engine := gin.New()
	(&server{}).addRoutes(engine)
	var out []string
	for _, route := range engine.Routes() {
		out = append(out, route.Method+" "+route.Path)
	}
	return out
}

// SetImportPart sets how many rows of a large file are stored at once, until the
// test ends.
func SetImportPart(t *testing.T, rows int) {
	before := importPart
	importPart = rows
	t.Cleanup(func() { importPart = before })
}

// MaxLarge is how many large bodies are worked on at once.
const MaxLarge = maxLarge
