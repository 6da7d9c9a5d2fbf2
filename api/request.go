package api

import (
	"cmp"
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"dialtone/models"
)

// A request is one HTTP request as the API sees it: Kazoo's envelope opened,
// and who asks for which account once that is known.
type request struct {
	id       string
	started  time.Time
	path     string // without a trailing slash
	source   netip.Addr
	header   http.Header
	query    url.Values
	envelope map[string]json.RawMessage // keys in lower case
	members  map[string]json.RawMessage // of "data", see dataMembers
	body     bodyKind
	file     []byte // a CSV body
	unread   bool   // the body is too big to be read without a valid token
	err      error  // what is wrong with the body
	jsonp    string // the function that an answer is wrapped in, or ""
	params   gin.Params
	verb     string // the method, or the one that a POST carries
	token    models.Secret
	login    *models.Token   // the token's; set by readToken
	loginErr error           // why there is none
	actor    *models.Account // the token's
	account  *models.Account // the path's
}

type requestKey struct{}

// requestOf is the request that receive opened.
func requestOf(c *gin.Context) *request {
	r := c.Request.Context().Value(requestKey{}).(*request)
	r.params = c.Params
	return r
}

// receive opens the envelope before the request is routed, because a POST may
// carry another verb inside.
func (s *server) receive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		r := &request{
			id:      requestID(hr.Header.Get("X-Request-ID")),
			started: s.Now(),
			path:    cmp.Or(strings.TrimRight(hr.URL.Path, "/"), "/"),
			header:  hr.Header,
			query:   hr.URL.Query(),
		}
		if source, err := netip.ParseAddrPort(hr.RemoteAddr); err == nil {
			r.source = source.Addr()
		}
		w.Header().Set("X-Request-ID", r.id)
		allowOrigin(w.Header(), r)
		r.token = r.presentedToken()
		if strings.HasPrefix(r.path, "/v2") {
			done := s.readBody(hr.Context(), r, http.MaxBytesReader(w, hr.Body, maxBody), hr.ContentLength)
			defer done()
		}
		r.token = cmp.Or(r.token, models.Secret(scalar(r.envelope["auth_token"])))
		r.readJSONP()
		r.verb = r.method(hr.Method)
		s.resolveOwnAccount(hr.Context(), r)

		hr = hr.WithContext(context.WithValue(hr.Context(), requestKey{}, r))
		location := *hr.URL
		location.Path, location.RawPath = r.path, ""
		hr.URL, hr.Method = &location, r.verb
		next.ServeHTTP(w, hr)
	})
}

// requestID is the client's own when it is fit to be logged, else a new one.
func requestID(sent string) string {
	plain := func(c rune) bool { return c > ' ' && c <= '~' }
	if sent == "" || len(sent) > 128 || strings.ContainsFunc(sent, func(c rune) bool { return !plain(c) }) {
		return models.NewID()
	}
	return sent
}

// jsonpName is what may be called: plain names joined by dots.
var jsonpName = regexp.MustCompile(`^[A-Za-z_$][\w$]{0,63}(\.[A-Za-z_$][\w$]{0,63}){0,3}$`)

// readJSONP takes the name of the function that wants the answer.
func (r *request) readJSONP() {
	name := r.query.Get("jsonp")
	if name == "" || jsonpName.MatchString(name) {
		r.jsonp = name
		return
	}
	r.err = cmp.Or(r.err, invalid("jsonp", "pattern", "not the name of a function", detail{"target": jsonpName.String(), "value": name}))
}

// presentedToken looks where clients put tokens outside of the envelope;
// headers win.
func (r *request) presentedToken() models.Secret {
	bearer, isBearer := strings.CutPrefix(r.header.Get("Authorization"), "Bearer ")
	if !isBearer {
		bearer = ""
	}
	return models.Secret(cmp.Or(
		r.header.Get("X-Auth-Token"), strings.TrimSpace(bearer), r.query.Get("auth_token")))
}

// method is the verb that a POST carries inside, or the one sent.
func (r *request) method(sent string) string {
	if sent != http.MethodPost {
		return sent
	}
	return strings.ToUpper(cmp.Or(scalar(r.envelope["verb"]), r.query.Get("verb"), sent))
}

// parameter looks a request parameter up in data, query and envelope.
func (r *request) parameter(name string) string {
	return cmp.Or(scalar(r.dataMembers()[name]), r.query.Get(name), scalar(r.envelope[name]))
}

// dataMembers are the members of "data", undecoded.
func (r *request) dataMembers() map[string]json.RawMessage {
	if raw := r.envelope["data"]; r.members == nil && len(raw) > 0 && raw[0] == '{' {
		_ = json.Unmarshal(raw, &r.members) // well-formed: openEnvelope has read it
	}
	return r.members
}

// scalar is the text of a JSON string, number or boolean, else "".
func scalar(raw json.RawMessage) string {
	var s string
	switch {
	case len(raw) == 0 || raw[0] == '{' || raw[0] == '[' || string(raw) == "null":
		return ""
	case raw[0] != '"':
		return string(raw)
	case json.Unmarshal(raw, &s) != nil:
		return ""
	}
	return s
}

// document decodes "data", private members left out; {} without a body.
func (r *request) document() (models.Document, error) {
	raw := r.envelope["data"]
	if raw == nil {
		return models.Document{}, nil
	}
	return parseData(raw)
}

// negotiate refuses what cannot be answered, and what only a valid token would
// have had read.
func negotiate(_ context.Context, r *request) error {
	if !r.acceptsJSON() {
		return fault("not_acceptable", "only JSON is served")
	}
	if r.unread {
		return tooLarge(maxOpenBody)
	}
	return nil
}

// reads refuses a body of another kind than the route takes; to a GET it means
// nothing. There is nothing in it that could be checked, but what the path names
// is looked for first.
func (s *server) reads(kind bodyKind) check {
	return func(ctx context.Context, r *request) error {
		if r.body == noBody || r.body == kind || r.verb == http.MethodGet || r.verb == http.MethodHead {
			return nil
		}
		if err := s.findNamed(ctx, r); err != nil {
			return err
		}
		if kind == csvBody {
			return fault("unsupported_media_type", "only CSV is read here")
		}
		return fault("unsupported_media_type", "only JSON is read here")
	}
}

// findNamed reads the user and the device of the path, if it names any.
func (s *server) findNamed(ctx context.Context, r *request) error {
	for _, p := range r.params {
		var err error
		switch p.Key {
		case "user":
			_, err = s.user(ctx, r)
		case "device":
			_, err = s.device(ctx, r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *request) acceptsJSON() bool {
	accept := cmp.Or(r.query.Get("accept"), scalar(r.envelope["accept"]), strings.Join(r.header.Values("Accept"), ","))
	if accept == "" {
		return true
	}
	for item := range strings.SplitSeq(accept, ",") {
		t, params, _ := mime.ParseMediaType(strings.TrimSpace(item))
		quality, err := strconv.ParseFloat(cmp.Or(params["q"], "1"), 64)
		if slices.Contains([]string{"*/*", "application/*", "application/json", "application/x-json"}, t) && (err != nil || quality > 0) {
			return true
		}
	}
	return false
}

// ifMatch refuses a change of another revision than the client has seen.
func (r *request) ifMatch(revision string) error {
	if want := r.header.Get("If-Match"); want != "" && !listsETag(want, revision) {
		return fault("precondition_failed", "the document has another revision")
	}
	return nil
}

// listsETag reports whether an If-Match or If-None-Match header names the tag.
func listsETag(header, tag string) bool {
	for item := range strings.SplitSeq(header, ",") {
		item = strings.TrimSpace(item)
		if item == "*" || strings.TrimPrefix(item, "W/") == strconv.Quote(tag) {
			return true
		}
	}
	return false
}

// pathID is the named id of the path; what cannot be an id names nothing.
func (r *request) pathID(name string) (string, error) {
	id := r.params.ByName(name)
	if !models.ValidID(id) {
		return "", notFound(models.ErrNotFound, id)
	}
	return id, nil
}
