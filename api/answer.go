package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"dialtone/models"
)

// An answer is what a handler has to say.
type answer struct {
	status   int // 200 when zero
	data     any
	revision string // of a single document, or a hash of a list that is not empty
	etag     string // without quotes
	location string // path of what was created
	page     *page
	token    models.Secret  // a new login
	file     *models.Upload // its bytes instead of an envelope
}

// ok answers with data that has no revision.
func ok(data any) *answer { return &answer{data: data} }

// one answers with a single document.
func one(meta models.Meta, data any) *answer {
	return &answer{data: data, revision: meta.Revision, etag: meta.Revision}
}

// created answers with a new document that lives at path.
func created(meta models.Meta, path string, data any) *answer {
	a := one(meta, data)
	a.status, a.location = http.StatusCreated, path
	return a
}

// An envelope wraps every answer and error, in Kazoo's shape.
type envelope struct {
	Data         any    `json:"data"`
	Status       string `json:"status"`
	Message      string `json:"message,omitempty"`
	Error        string `json:"error,omitempty"`
	AuthToken    string `json:"auth_token,omitempty"`
	RequestID    string `json:"request_id"`
	Revision     string `json:"revision,omitempty"`
	PageSize     *int   `json:"page_size,omitempty"`
	StartKey     string `json:"start_key,omitempty"`
	NextStartKey string `json:"next_start_key,omitempty"`
	Version      string `json:"version,omitempty"`
	Timestamp    string `json:"timestamp"`
}

func (s *server) writeAnswer(c *gin.Context, r *request, a *answer) {
	if a.etag != "" {
		c.Header("ETag", strconv.Quote(a.etag))
		if c.Request.Method == http.MethodGet || c.Request.Method == http.MethodHead {
			if err := r.ifMatch(a.etag); err != nil {
				s.writeError(c, r, err)
				return
			}
			if listsETag(r.header.Get("If-None-Match"), a.etag) {
				c.Status(http.StatusNotModified)
				return
			}
		}
	}
	if a.file != nil {
		writeUpload(c, a.file)
		return
	}
	if a.location != "" {
		c.Header("Location", a.location)
	}
	e := envelope{Data: a.data, Status: "success", Revision: a.revision, AuthToken: a.token.Reveal()}
	if a.page != nil {
		e.PageSize, e.StartKey, e.NextStartKey = &a.page.count, a.page.start, a.page.next
	}
	status := http.StatusOK
	if a.status != 0 {
		status = a.status
	}
	s.write(c, r, status, e)
}

func (s *server) write(c *gin.Context, r *request, status int, e envelope) {
	e.RequestID, e.Version = r.id, s.Version
	e.Timestamp = s.Now().UTC().Format(time.RFC3339)
	if e.AuthToken == "" && r.actor != nil {
		e.AuthToken = r.token.Reveal()
	}
	indent := ""
	if r.query.Get("pretty_print") == "true" || r.header.Get("X-Pretty-Print") == "true" {
		indent = "  "
	}
	c.Header("Cache-Control", "no-store, private")
	if r.jsonp != "" {
		c.Header("X-Content-Type-Options", "nosniff")
		c.Data(status, "application/javascript", fmt.Appendf(nil, "%s(%s);\n", r.jsonp, bytes.TrimSpace(encode(e, indent))))
		return
	}
	c.Data(status, "application/json", encode(e, indent))
}

// encode renders plain values of this package, which JSON can always hold.
func encode(v any, indent string) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		panic(err) // becomes a 500
	}
	return out.Bytes()
}

// hash names a rendered value.
func hash(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:16])
}

// gregorian is Kazoo's time: seconds since the year 0.
func gregorian(t time.Time) int64 { return t.Unix() + 62167219200 }

// isoTime is ISO 8601 in UTC, nil for no time.
func isoTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}
