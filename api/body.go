package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math/big"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"dialtone/models"
)

// Bounds of a body.
const (
	maxBody     = 8_000_000 // bytes
	maxOpenBody = 64 << 10  // bytes, of who has not shown a valid token
	maxLarge    = 8         // bodies of more than maxOpenBody that are worked on at once
	maxMembers  = 50        // members of the envelope
	maxDepth    = 100       // levels of objects and arrays
	maxValues   = 50_000    // values: a body of commas must not fill the memory
	maxNumber   = 1000      // characters of a number, and its largest exponent
)

// What a body is.
type bodyKind int

const (
	noBody bodyKind = iota
	jsonBody
	csvBody
	otherBody
)

// readBody reads the body and opens its envelope; what is wrong with it is
// r.err. More than maxOpenBody bytes are read only of who has shown a valid
// token outside of the body, and of few at once: done ends that.
func (s *server) readBody(ctx context.Context, r *request, body io.Reader, size int64) (done func()) {
	done = func() {}
	var raw bytes.Buffer
	if _, err := raw.ReadFrom(io.LimitReader(body, maxOpenBody+1)); err != nil {
		r.err = unreadable(err)
		return done
	}
	if raw.Len() > maxOpenBody {
		if s.readToken(ctx, r) != nil {
			r.unread = true // who needs a token is told of that
			return done
		}
		select {
		case s.largeBodies <- struct{}{}:
			done = func() { <-s.largeBodies }
		default:
			r.err = fault("too_many_requests", "too many large bodies at once: try again")
			return done
		}
		raw.Grow(int(min(max(size, 0), maxBody)) + bytes.MinRead)
		if _, err := raw.ReadFrom(body); err != nil {
			r.err = unreadable(err)
			return done
		}
	}
	r.open(raw.Bytes())
	return done
}

func unreadable(err error) error {
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		return tooLarge(maxBody)
	}
	return fault("parse_error", "the body could not be read")
}

func tooLarge(limit int) error {
	return invalid("file", "maxSize", "the body is too big", detail{"target": limit})
}

// open takes a body apart as its Content-Type says. One that is empty is none,
// whatever the type.
func (r *request) open(raw []byte) {
	trimmed := bytes.TrimSpace(raw)
	r.envelope = map[string]json.RawMessage{}
	if len(trimmed) == 0 {
		return
	}
	r.body = jsonBody
	switch contentType(r.header) {
	case "", "application/json", "application/x-json":
		r.envelope, r.err = openEnvelope(trimmed)
	case "application/x-www-form-urlencoded":
		r.envelope, r.err = openForm(trimmed)
	case "multipart/form-data", "multipart/mixed":
		r.envelope, r.err = openMultipart(trimmed, r.header.Get("Content-Type"))
	case "text/csv", "application/csv":
		r.body, r.file = csvBody, raw
	default:
		r.body = otherBody
	}
}

func contentType(h http.Header) string {
	t, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	return t
}

// openEnvelope reads {"data": ...} and its neighbours. The members stay
// undecoded until the request is known to be allowed.
func openEnvelope(raw []byte) (map[string]json.RawMessage, error) {
	shape := shapeOf(raw)
	if !shape.reasonable() {
		return nil, excessive()
	}
	if shape.members > maxMembers {
		return nil, invalid("json", "invalid", "too many members beside data", detail{"target": "body"})
	}
	var members map[string]json.RawMessage
	err := json.Unmarshal(raw, &members)
	var notObject *json.UnmarshalTypeError
	if !utf8.Valid(raw) || err != nil && !errors.As(err, &notObject) {
		return nil, notJSON()
	}
	if err == nil && shape.members > len(members) {
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
	case !beginsJSON(data):
		return nil, notAnObject()
	}
	return envelope, nil
}

// openForm reads a form, or JSON that was sent as one, as curl does by default.
func openForm(raw []byte) (map[string]json.RawMessage, error) {
	if beginsJSON(raw) {
		return openEnvelope(raw)
	}
	wrong := invalid("json", "invalid", "the body is neither JSON nor a form", detail{"target": "body"})
	if bytes.Count(raw, []byte("&")) >= maxMembers {
		return nil, wrong
	}
	fields, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, wrong
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

// beginsJSON reports whether an object or a list begins here.
func beginsJSON(raw []byte) bool { return len(raw) > 0 && (raw[0] == '{' || raw[0] == '[') }

// openMultipart reads a part of JSON without a name as the envelope, or else
// the named parts as its members: text, or the JSON of "data".
func openMultipart(raw []byte, contentType string) (map[string]json.RawMessage, error) {
	wrong := invalid("json", "invalid", "the body is not what its Content-Type says", detail{"target": "body"})
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, wrong
	}
	members := map[string]any{}
	parts := multipart.NewReader(bytes.NewReader(raw), params["boundary"])
	for count := 1; ; count++ {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || count > maxMembers {
			return nil, wrong
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, wrong
		}
		content = bytes.TrimSpace(content)
		name := part.FormName()
		isData := name == "data" && beginsJSON(content)
		partType, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		switch {
		case name == "" && partType == "application/json":
			return openEnvelope(content)
		case members[name] != nil:
			return nil, repeatedName()
		case isData && json.Valid(content):
			members[name] = json.RawMessage(content)
		case isData:
			return nil, wrong
		case name != "":
			members[name] = string(content)
		}
	}
	raw, err = json.Marshal(members)
	if err != nil {
		return nil, wrong
	}
	return openEnvelope(raw)
}

// parseData decodes an object of a client's within the bounds, private members
// left out.
func parseData(raw []byte) (models.Document, error) {
	if len(raw) > 0 && raw[0] == '[' {
		return nil, notAnObject()
	}
	if !shapeOf(raw).reasonable() {
		return nil, excessive()
	}
	doc, err := models.ParseDocument(raw)
	if err != nil {
		return nil, notJSON()
	}
	names := json.NewDecoder(bytes.NewReader(raw))
	names.UseNumber()
	if !hasUniqueNames(names) {
		return nil, repeatedName()
	}
	if !reasonableNumbers(map[string]any(doc)) {
		return nil, invalid("json", "invalid", "a number is too long", detail{"target": "body"})
	}
	dropPrivate(doc)
	return doc, nil
}

func notJSON() error {
	return invalid("json", "invalid", "the body is not JSON", detail{"target": "body"})
}

func excessive() error {
	return invalid("json", "invalid", "too many values, or nested too deeply", detail{"target": "body"})
}

func repeatedName() error {
	return invalid("json", "invalid", "an object has two members of one name", detail{"target": "body"})
}

func notAnObject() error {
	return invalid("data", "type", "data is not an object", detail{"target": "object"})
}

// A shape is how large JSON is, told without decoding it. Of what is not JSON
// it says nothing.
type shape struct {
	depth   int // levels of objects and arrays
	values  int
	members int // of the outermost object, those of one name too
}

func (s shape) reasonable() bool { return s.depth <= maxDepth && s.values <= maxValues }

func shapeOf(raw []byte) shape {
	var s shape
	depth, inString := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
			s.depth = max(s.depth, depth)
			s.values++
		case c == '}' || c == ']':
			depth--
		case c == ',':
			s.values++
		case c == ':' && depth == 1:
			s.members++
		}
	}
	return s
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
	if i, err := strconv.ParseInt(n.String(), 10, 64); err == nil && strconv.FormatInt(i, 10) == n.String() {
		return n, true // as most are
	}
	rat, ok := new(big.Rat).SetString(n.String())
	if !ok || !rat.IsInt() {
		return "", false
	}
	return json.Number(rat.Num().String()), true
}
