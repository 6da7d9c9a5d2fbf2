package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math/big"
	"mime"
	"mime/multipart"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"dialtone/models"
)

const (
	maxBody   = 8_000_000 // bytes
	maxDepth  = 100       // levels of objects and arrays in "data"
	maxValues = 50_000    // values in "data": a body of commas must not fill the memory
	maxNumber = 1000      // characters of a number, and its largest exponent
)

// A request is one HTTP request as the API sees it: Kazoo's envelope opened,
// and who asks for which account once that is known.
type request struct {
	id          string
	started     time.Time
	path        string // without a trailing slash
	source      netip.Addr
	header      http.Header
	query       url.Values
	envelope    map[string]json.RawMessage // keys in lower case; nil without a body
	file        []byte                     // a CSV body
	unsupported bool                       // the body is of a type that is not read
	err         error                      // what is wrong with the body
	jsonp       string                     // the function that an answer is wrapped in, or ""
	params      gin.Params
	verb        string // the method, or the one that a POST carries
	token       models.Secret
	login       *models.Token   // the token's; set by readToken
	loginErr    error           // why there is none
	actor       *models.Account // the token's
	account     *models.Account // the path's
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
		if strings.HasPrefix(r.path, "/v2") {
			r.readBody(http.MaxBytesReader(w, hr.Body, maxBody))
		}
		r.token = r.presentedToken()
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

func (r *request) readBody(body io.Reader) {
	raw, err := io.ReadAll(body)
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		r.err = invalid("file", "maxSize", "the body is too big", detail{"target": maxBody})
		return
	case err != nil:
		r.err = fault("parse_error", "the body could not be read")
		return
	}
	file := raw
	raw = bytes.TrimSpace(raw)
	switch contentType(r.header) {
	case "", "application/json", "application/x-json":
		r.envelope, r.err = openEnvelope(raw)
	case "application/x-www-form-urlencoded":
		r.envelope, r.err = openForm(raw)
	case "multipart/form-data", "multipart/mixed":
		r.envelope, r.err = openMultipart(raw, r.header.Get("Content-Type"))
	case "text/csv", "application/csv":
		r.file, r.unsupported = file, true // but where files are taken
	default:
		r.unsupported = len(raw) > 0
	}
}

func contentType(h http.Header) string {
	t, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	return t
}

// openEnvelope reads {"data": ...} and its neighbours; nothing for an empty body.
// The members stay undecoded until the request is known to be allowed.
func openEnvelope(raw []byte) (map[string]json.RawMessage, error) {
	if len(raw) == 0 {
		return map[string]json.RawMessage{}, nil
	}
	var members map[string]json.RawMessage
	err := json.Unmarshal(raw, &members)
	var notObject *json.UnmarshalTypeError
	if !utf8.Valid(raw) || err != nil && !errors.As(err, &notObject) {
		return nil, invalid("json", "invalid", "the body is not JSON", detail{"target": "body"})
	}
	if err == nil && countMembers(raw) > len(members) {
		return nil, repeatedName()
	}
	envelope := map[string]json.RawMessage{}
	for _, name := range slices.Sorted(maps.Keys(members)) { // "data" after "Data": it wins
		envelope[strings.ToLower(name)] = members[name]
	}
	data := envelope["data"]
	switch {
	case len(data) == 0 || string(data) == "null":
		return nil, invalid("data", "required", "the body has no data", detail{"value": "data"})
	case data[0] != '{' && data[0] != '[':
		return nil, notAnObject()
	}
	return envelope, nil
}

// countMembers counts the members of a JSON object, those of one name too.
func countMembers(raw []byte) int {
	dec := json.NewDecoder(bytes.NewReader(raw))
	count := 0
	if _, err := dec.Token(); err != nil {
		return 0
	}
	for dec.More() {
		var value json.RawMessage
		if _, err := dec.Token(); err != nil || dec.Decode(&value) != nil {
			break
		}
		count++
	}
	return count
}

// hasUniqueNames reports whether no object of the next JSON value names a
// member twice. Readers disagree about which one counts.
func hasUniqueNames(dec *json.Decoder) bool {
	token, err := dec.Token()
	if err != nil {
		return false
	}
	open, isOpen := token.(json.Delim)
	if !isOpen {
		return true
	}
	seen := map[json.Token]bool{}
	for dec.More() {
		if open == '{' {
			name, err := dec.Token()
			if err != nil || seen[name] {
				return false
			}
			seen[name] = true
		}
		if !hasUniqueNames(dec) {
			return false
		}
	}
	_, err = dec.Token()
	return err == nil
}

func repeatedName() error {
	return invalid("json", "invalid", "an object has two members of one name", detail{"target": "body"})
}

func notAnObject() error {
	return invalid("data", "type", "data is not an object", detail{"target": "object"})
}

// openForm reads a form, or JSON that was sent as one, as curl does by default.
func openForm(raw []byte) (map[string]json.RawMessage, error) {
	if len(raw) == 0 || raw[0] == '{' || raw[0] == '[' {
		return openEnvelope(raw)
	}
	fields, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, invalid("json", "invalid", "the body is neither JSON nor a form", detail{"target": "body"})
	}
	members := map[string]string{}
	for name := range fields {
		members[name] = fields.Get(name)
	}
	raw, err = json.Marshal(members)
	if err != nil {
		return nil, err
	}
	return openEnvelope(raw)
}

// openMultipart reads a part of JSON without a name as the envelope, or else
// the named parts as its members: text, or the JSON of "data".
func openMultipart(raw []byte, contentType string) (map[string]json.RawMessage, error) {
	if len(raw) == 0 {
		return openEnvelope(raw)
	}
	unreadable := invalid("json", "invalid", "the body is not what its Content-Type says", detail{"target": "body"})
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, unreadable
	}
	members := map[string]any{}
	for parts := multipart.NewReader(bytes.NewReader(raw), params["boundary"]); ; {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, unreadable
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, unreadable
		}
		content = bytes.TrimSpace(content)
		name := part.FormName()
		isData := name == "data" && len(content) > 0 && (content[0] == '{' || content[0] == '[')
		partType, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		switch {
		case name == "" && partType == "application/json":
			return openEnvelope(content)
		case members[name] != nil:
			return nil, repeatedName()
		case isData && json.Valid(content):
			members[name] = json.RawMessage(content)
		case isData:
			return nil, unreadable
		case name != "":
			members[name] = string(content)
		}
	}
	raw, err = json.Marshal(members)
	if err != nil {
		return nil, unreadable
	}
	return openEnvelope(raw)
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

// presentedToken looks where clients put tokens; headers win.
func (r *request) presentedToken() models.Secret {
	bearer, isBearer := strings.CutPrefix(r.header.Get("Authorization"), "Bearer ")
	if !isBearer {
		bearer = ""
	}
	return models.Secret(cmp.Or(
		r.header.Get("X-Auth-Token"), strings.TrimSpace(bearer), r.query.Get("auth_token"), scalar(r.envelope["auth_token"])))
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
	var data map[string]json.RawMessage
	if raw := r.envelope["data"]; len(raw) > 0 && raw[0] == '{' {
		_ = json.Unmarshal(raw, &data) // well-formed: openEnvelope has read it
	}
	return cmp.Or(scalar(data[name]), r.query.Get(name), scalar(r.envelope[name]))
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

func parseData(raw []byte) (models.Document, error) {
	if len(raw) > 0 && raw[0] == '[' {
		return nil, notAnObject()
	}
	if !reasonableSize(raw) {
		return nil, invalid("json", "invalid", "too many values, or nested too deeply", detail{"target": "body"})
	}
	doc, err := models.ParseDocument(raw)
	if err != nil {
		return nil, invalid("json", "invalid", "the body is not JSON", detail{"target": "body"})
	}
	if !hasUniqueNames(json.NewDecoder(bytes.NewReader(raw))) {
		return nil, repeatedName()
	}
	if !reasonableNumbers(map[string]any(doc)) {
		return nil, invalid("json", "invalid", "a number is too long", detail{"target": "body"})
	}
	dropPrivate(doc)
	return doc, nil
}

// reasonableSize counts the levels and values of JSON before it is decoded.
func reasonableSize(raw []byte) bool {
	depth, values, inString := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
			values++
		case c == '}' || c == ']':
			depth--
		case c == ',':
			values++
		}
		if depth > maxDepth || values > maxValues {
			return false
		}
	}
	return true
}

// reasonableNumbers reports whether all numbers in a JSON value can be
// computed with.
func reasonableNumbers(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, member := range v {
			if !reasonableNumbers(member) {
				return false
			}
		}
	case []any:
		for _, member := range v {
			if !reasonableNumbers(member) {
				return false
			}
		}
	case json.Number:
		return reasonableNumber(v.String())
	}
	return true
}

func reasonableNumber(s string) bool {
	if len(s) > maxNumber {
		return false
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		exponent, err := strconv.Atoi(s[i+1:])
		return err == nil && max(exponent, -exponent) <= maxNumber
	}
	return true
}

// integer is the plain spelling of a whole number: "300" for 300.0 and 3e2.
func integer(n json.Number) (json.Number, bool) {
	rat, ok := new(big.Rat).SetString(n.String())
	if !ok || !rat.IsInt() {
		return "", false
	}
	return json.Number(rat.Num().String()), true
}

// negotiate refuses what can be neither read nor answered.
func negotiate(_ context.Context, r *request) error {
	if !r.acceptsJSON() {
		return fault("not_acceptable", "only JSON is served")
	}
	if r.unsupported {
		return fault("unsupported_media_type", "only JSON is read")
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
