package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"dialtone/models"
)

// A faultError is one of Kazoo's named errors.
type faultError struct {
	name     string // the envelope's "message"
	data     any    // the envelope's "data"
	expected bool   // it is no failure of the server, whatever its status says
}

func (e *faultError) Error() string { return e.name }

// fault makes a named error with a text for people.
func fault(name, text string) error {
	return &faultError{name: name, data: map[string]any{"message": text}}
}

// An emptyError refuses a request whose account or address has used up what it
// may.
type emptyError struct {
	wait time.Duration // until there is enough for it
}

func (e *emptyError) Error() string { return "too many requests" }

// notFound names the id when err says that nothing has it.
func notFound(err error, id string) error {
	if errors.Is(err, models.ErrNotFound) {
		return &faultError{name: "bad_identifier", data: map[string]any{"message": "bad identifier", "cause": id}}
	}
	return err
}

// Problems are what is wrong with a document: field path -> code -> detail.
// Paths are dotted, with array indexes as numbers and "%2E" for a literal dot.
type problems map[string]map[string]detail

// A detail always has a "message" and, depending on the code, "target",
// "value" and "cause".
type detail map[string]any

func (p problems) add(path, code, message string, d detail) {
	if d == nil {
		d = detail{}
	}
	d["message"] = message
	if p[path] == nil {
		p[path] = map[string]detail{}
	}
	p[path][code] = d
}

// addTaken reports the values of doc that belong to other documents.
func (p problems) addTaken(list []*models.TakenError, doc models.Document) {
	for _, t := range list {
		p.add(t.Field, "unique", "already in use", detail{"cause": doc.Text(t.Field)})
	}
}

// summary names the fields and codes: "account: disabled".
func (p problems) summary() string {
	var list []string
	for _, field := range slices.Sorted(maps.Keys(p)) {
		for _, code := range slices.Sorted(maps.Keys(p[field])) {
			list = append(list, field+": "+code)
		}
	}
	return strings.Join(list, ", ")
}

// err is nil without problems.
func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return &validationError{problems: p}
}

// readable tells all problems to people, a line each; nil without problems.
func (p problems) readable() error {
	var list []error
	for _, field := range slices.Sorted(maps.Keys(p)) {
		for _, code := range slices.Sorted(maps.Keys(p[field])) {
			list = append(list, fmt.Errorf("%w %s (%s): %v", models.ErrInvalid, field, code, p[field][code]["message"]))
		}
	}
	return errors.Join(list...)
}

// A validationError reports all problems of a document at once.
type validationError struct{ problems problems }

func (e *validationError) Error() string { return fmt.Sprintf("%d invalid fields", len(e.problems)) }

// invalid is a validationError of one field.
func invalid(path, code, message string, d detail) error {
	p := problems{}
	p.add(path, code, message, d)
	return p.err()
}

// nameTaken says which value of doc belongs to another document, when a write
// failed for that. A taken id, and all other conflicts, stay what they are.
func nameTaken(err error, doc models.Document) error {
	var t *models.TakenError
	if !errors.As(err, &t) {
		return err
	}
	value, ok := doc.Lookup(t.Field)
	if !ok || t.Field == "id" {
		return err
	}
	return invalid(t.Field, "unique", "already in use", detail{"cause": value})
}

// statuses are the HTTP statuses of Kazoo's named errors, and of the few that
// HTTP itself asks for.
var statuses = map[string]int{
	"validation error":        http.StatusBadRequest,
	"parse_error":             http.StatusBadRequest,
	"action required":         http.StatusBadRequest,
	"invalid action":          http.StatusBadRequest,
	"invalid_credentials":     http.StatusUnauthorized,
	"invalid credentials":     http.StatusUnauthorized, // an expired token
	"forbidden":               http.StatusForbidden,
	"bad_identifier":          http.StatusNotFound,
	"bad identifier":          http.StatusNotFound, // malformed account id, unknown API key
	"not_found":               http.StatusNotFound,
	"faulty_request":          http.StatusNotFound,
	"invalid_method":          http.StatusMethodNotAllowed,
	"not_acceptable":          http.StatusNotAcceptable,
	"datastore_conflict":      http.StatusConflict,
	"account_has_descendants": http.StatusConflict,
	"gone":                    http.StatusGone,
	"precondition_failed":     http.StatusPreconditionFailed,
	"unsupported_media_type":  http.StatusUnsupportedMediaType,
	"range not satisfiable":   http.StatusRequestedRangeNotSatisfiable,
	"too_many_requests":       http.StatusTooManyRequests,
	"datastore_unreachable":   http.StatusServiceUnavailable,
	"unspecified_fault":       http.StatusInternalServerError,
	"not_implemented":         http.StatusNotImplemented,
	"template_error":          http.StatusInternalServerError, // in the operator's templates
	"import_failed":           http.StatusBadRequest,
}

// faultOf turns any error into a named one. Details stay in the log.
func faultOf(err error) *faultError {
	var named *faultError
	var rejected *validationError
	var empty *emptyError
	switch {
	case errors.As(err, &named):
		return named
	case errors.As(err, &rejected):
		return &faultError{name: "validation error", data: rejected.problems}
	case errors.As(err, &empty):
		return &faultError{name: "too_many_requests", data: detail{"message": "too many requests"}}
	case errors.Is(err, models.ErrBusy):
		return &faultError{name: "too_many_requests", data: detail{"message": "too much is under way"}}
	case errors.Is(err, models.ErrNotFound):
		return &faultError{name: "bad_identifier", data: detail{"message": "bad identifier"}}
	case errors.Is(err, models.ErrInvalid):
		return &faultError{name: "parse_error", data: detail{"message": "the document cannot be read"}}
	case errors.Is(err, models.ErrDescendants):
		return &faultError{name: "account_has_descendants", data: detail{"message": "the account has accounts below it: delete those first"}}
	case errors.Is(err, models.ErrStillNeeded):
		return &faultError{name: "datastore_conflict", data: detail{"message": "phones still need the secret before this one: wait for them, or shut them out with overlap_hours 0"}}
	case errors.Is(err, models.ErrConflict), errors.Is(err, models.ErrTaken):
		return &faultError{name: "datastore_conflict", data: detail{"message": "conflicting documents"}}
	case errors.Is(err, models.ErrUnavailable), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &faultError{name: "datastore_unreachable", data: detail{"message": "the datastore is not reachable"}}
	}
	return &faultError{name: "unspecified_fault", data: detail{"message": "internal error"}}
}

// retryAfter is in how many seconds a refused request may be worth another try.
func retryAfter(err error) int {
	var empty *emptyError
	if errors.As(err, &empty) {
		return int(math.Ceil(empty.wait.Seconds()))
	}
	return 5
}

// writeError is the one place where errors become HTTP.
func (s *server) writeError(c *gin.Context, r *request, err error) {
	f := faultOf(err)
	status := cmp.Or(statuses[f.name], http.StatusInternalServerError)
	switch status {
	case http.StatusUnauthorized:
		c.Header("WWW-Authenticate", "Bearer")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		c.Header("Retry-After", fmt.Sprint(retryAfter(err)))
	}
	if status >= http.StatusInternalServerError && status != http.StatusNotImplemented && !f.expected && !errors.Is(err, context.Canceled) {
		s.Log.ErrorContext(c.Request.Context(), "request failed", "request_id", r.id, "route", c.FullPath(), "err", err)
	}
	s.write(c, r, status, envelope{Data: f.data, Status: "error", Message: f.name, Error: fmt.Sprint(status)})
}
