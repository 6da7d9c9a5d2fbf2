package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// lenient marks a request that the server accepts although it is not what
// api/openapi.yaml asks for, such as a number sent as text. The header ends at
// the contract, which also makes sure that the mark is deserved.
const lenient = "X-Test-Lenient: true"

// hugeBody is more than is read of a request that was refused.
const hugeBody = 1 << 20

// A contract holds a handler to api/openapi.yaml: every request that succeeds
// and every answer must be what the document says. kin-openapi judges paths,
// parameters, statuses and headers. Bodies are judged by the library that it
// would hand them to as well, but with each schema compiled once and not for
// every body.
type contract struct {
	testing.TB
	next http.Handler
}

// A document is api/openapi.yaml, ready to judge with.
type document struct {
	*openapi3.T
	router routers.Router
	tree   map[string]any

	mu       sync.Mutex
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema // by JSON pointer
}

// documented reads the document once.
var documented = sync.OnceValues(readDocument)

func readDocument() (*document, error) {
	loader := openapi3.NewLoader()
	loader.IsExternalRefsAllowed = true
	spec, err := loader.LoadFromFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	d := &document{T: spec, compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	if d.router, err = gorillamux.NewRouter(spec); err != nil {
		return nil, err
	}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	raw, err := os.ReadFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	if raw, err = yaml.YAMLToJSON(raw); err != nil {
		return nil, err
	}
	if d.tree, err = d.add("openapi.yaml", raw); err != nil {
		return nil, err
	}
	names, err := filepath.Glob("schemas/*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if raw, err = os.ReadFile(name); err != nil {
			return nil, err
		}
		if _, err := d.add(name, raw); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// add makes a file known under the address that references to it have.
func (d *document) add(name string, raw []byte) (map[string]any, error) {
	content, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	tree := content.(map[string]any)
	if components, isDocument := tree["components"].(map[string]any); isDocument {
		closeObjects(components["schemas"].(map[string]any), tree)
	}
	return tree, d.compiler.AddResource("file:///"+name, tree)
}

// closeObjects lets no object have other members than those described, where
// a schema stands for a whole value and includes no schema file. So a member
// that is answered and not documented is found.
func closeObjects(components map[string]any, node any) {
	switch node := node.(type) {
	case []any:
		for _, v := range node {
			closeObjects(components, v)
		}
	case map[string]any:
		for name, v := range node {
			closeObjects(components, v)
			member, _ := v.(map[string]any)
			switch name {
			case "schema", "items":
				node[name] = closed(components, v)
			case "properties":
				for name, v := range member {
					member[name] = closed(components, v)
				}
			}
		}
	}
}

func closed(components map[string]any, schema any) any {
	if members, open := describes(components, schema); !members || open {
		return schema
	}
	return map[string]any{"allOf": []any{schema}, "unevaluatedProperties": false}
}

// describes reports whether a schema names members of an object, and whether
// it leaves room for others: schema files always do.
func describes(components map[string]any, v any) (members, open bool) {
	schema, _ := v.(map[string]any)
	if ref, isRef := schema["$ref"].(string); isRef {
		name, isComponent := strings.CutPrefix(ref, "#/components/schemas/")
		if !isComponent {
			return true, true
		}
		return describes(components, components[name])
	}
	_, members = schema["properties"]
	_, open = schema["additionalProperties"]
	for _, group := range []string{"allOf", "anyOf"} {
		parts, _ := schema[group].([]any)
		for _, part := range parts {
			hasMembers, isOpen := describes(components, part)
			members, open = members || hasMembers, open || isOpen
		}
	}
	return members, open
}

// schema compiles what stands at a path of the document, whose references are
// followed: "paths", "/v2/api_auth", "put", "requestBody", ...; nil when
// nothing stands there.
func (d *document) schema(path ...string) (*jsonschema.Schema, error) {
	var pointer strings.Builder
	var at any = d.tree
	for _, name := range path {
		object, _ := at.(map[string]any)
		if ref, isRef := object["$ref"].(string); isRef {
			pointer.Reset()
			pointer.WriteString(strings.TrimPrefix(ref, "#"))
			at = d.tree
			for _, name := range strings.Split(ref, "/")[1:] {
				at = at.(map[string]any)[name]
			}
			object = at.(map[string]any)
		}
		if at = object[name]; at == nil {
			return nil, nil //nolint:nilnil // the document says nothing there
		}
		pointer.WriteString("/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(name)))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if schema := d.schemas[pointer.String()]; schema != nil {
		return schema, nil
	}
	schema, err := d.compiler.Compile("file:///openapi.yaml#" + pointer.String())
	d.schemas[pointer.String()] = schema
	return schema, err
}

func (c *contract) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var sentBody bytes.Buffer
	sentBody.Grow(int(max(req.ContentLength, 0)) + bytes.MinRead) // tests measure memory
	if _, err := sentBody.ReadFrom(req.Body); err != nil {
		c.Error(err)
	}
	body := sentBody.Bytes()
	req.Body = io.NopCloser(bytes.NewReader(body))
	name, _, _ := strings.Cut(lenient, ":")
	marked := req.Header.Get(name) != ""
	req.Header.Del(name)
	sent := req.Clone(req.Context())

	recorder := httptest.NewRecorder()
	c.next.ServeHTTP(recorder, req)
	res, answer := recorder.Result(), recorder.Body.Bytes()
	if err := c.check(sent, body, res, answer, marked); err != nil {
		c.Errorf("%s %.300s: not as api/openapi.yaml says: %v\nrequest: %.1000s\nanswer: %d %.2000s",
			req.Method, req.URL, err, body, res.StatusCode, answer)
	}
	for name, values := range res.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(res.StatusCode)
	_, _ = w.Write(answer)
}

func (c *contract) check(req *http.Request, body []byte, res *http.Response, answer []byte, marked bool) error {
	doc, err := documented()
	if err != nil {
		return err
	}
	req.URL.Path, req.URL.RawPath = strings.TrimRight(req.URL.Path, "/"), ""
	if rest, isAlias := strings.CutPrefix(req.URL.Path+"/", "/v2/account/"); isAlias {
		req.URL.Path = strings.TrimRight("/v2/accounts/"+strings.Repeat("0", 32)+"/"+rest, "/") // the token's
	}
	if len(body) < hugeBody || res.StatusCode < http.StatusBadRequest {
		body = plainRequest(req, body)
	}
	res, answer = plainAnswer(req, res, answer)
	if req.Method == http.MethodOptions {
		return doc.checkOptions(req, res)
	}
	isHead := req.Method == http.MethodHead
	if isHead {
		req.Method = http.MethodGet
	}
	route, params, err := doc.router.FindRoute(req)
	if err != nil { // no such path, or no such method
		return checkNoRoute(res, answer)
	}
	input := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route, Options: &openapi3filter.Options{
		AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
		ExcludeRequestBody:    true,
		ExcludeResponseBody:   true,
		IncludeResponseStatus: true,
		SkipSettingDefaults:   true,
	}}
	if res.StatusCode < http.StatusBadRequest {
		err := openapi3filter.ValidateRequest(req.Context(), input)
		if err == nil {
			err = doc.checkRequestBody(route, req.Header.Get("Content-Type"), body)
		}
		if marked && err == nil {
			return errors.New("the request is marked as lenient and needs no leniency")
		}
		if !marked && err != nil {
			return err
		}
	}
	err = openapi3filter.ValidateResponse(req.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: res.StatusCode, Header: res.Header, Options: input.Options,
	})
	if err != nil || isHead {
		return err
	}
	return doc.checkAnswerBody(route, res, answer)
}

// plainRequest undoes what the document says of every request: the names
// beside "data" may have capitals, JSON may be sent in parts, as a form or
// without a type, and a POST may be another verb.
func plainRequest(req *http.Request, body []byte) []byte {
	verb := req.URL.Query().Get("verb")
	if strings.HasPrefix(mime(req.Header), "multipart/") {
		if joined := joinParts(req.Header.Get("Content-Type"), body); joined != nil {
			body = joined
			req.Header.Set("Content-Type", "application/json")
		}
	}
	var sent map[string]json.RawMessage
	if json.Unmarshal(body, &sent) == nil {
		envelope := map[string]json.RawMessage{}
		for name, v := range sent {
			envelope[strings.ToLower(name)] = v
		}
		var inside string
		if json.Unmarshal(envelope["verb"], &inside) == nil {
			verb = inside
		}
		body, _ = json.Marshal(envelope)
		switch mime(req.Header) {
		case "", "application/x-json", "application/x-www-form-urlencoded":
			req.Header.Set("Content-Type", "application/json")
		}
	}
	if req.Method == http.MethodPost && verb != "" {
		req.Method = strings.ToUpper(verb)
	}
	return body
}

// joinParts is the envelope that a multipart body stands for, nil when it is
// none.
func joinParts(contentType string, body []byte) []byte {
	_, boundary, _ := strings.Cut(contentType, "boundary=")
	members := map[string]json.RawMessage{}
	for parts := multipart.NewReader(bytes.NewReader(body), boundary); ; {
		part, err := parts.NextPart()
		if err != nil {
			break
		}
		content, err := io.ReadAll(part)
		if err != nil {
			break
		}
		switch {
		case part.FormName() == "" && mime(http.Header(part.Header)) == "application/json":
			return content
		case part.FormName() == "data" && json.Valid(content):
			members["data"] = content
		case part.FormName() != "":
			members[part.FormName()], _ = json.Marshal(string(content))
		}
	}
	joined, _ := json.Marshal(members)
	if len(members) == 0 {
		return nil
	}
	return joined
}

// plainAnswer takes JSON out of the call that "jsonp" wraps it in.
func plainAnswer(req *http.Request, res *http.Response, answer []byte) (*http.Response, []byte) {
	call := []byte(req.URL.Query().Get("jsonp") + "(")
	if mime(res.Header) != "application/javascript" || !bytes.HasPrefix(answer, call) {
		return res, answer
	}
	plain := &http.Response{StatusCode: res.StatusCode, Header: res.Header.Clone()}
	plain.Header.Set("Content-Type", "application/json")
	return plain, bytes.TrimSuffix(bytes.TrimSpace(answer[len(call):]), []byte(");"))
}

func mime(h http.Header) string {
	t, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return t
}

func (d *document) checkRequestBody(route *routers.Route, contentType string, body []byte) error {
	ref := route.Operation.RequestBody
	switch {
	case ref == nil:
		return nil
	case len(bytes.TrimSpace(body)) == 0 && ref.Value.Required:
		return errors.New("a body is required")
	case len(bytes.TrimSpace(body)) == 0:
		return nil
	}
	return d.checkBody(ref.Value.Content, contentType, body, "paths", route.Path, strings.ToLower(route.Method), "requestBody")
}

func (d *document) checkAnswerBody(route *routers.Route, res *http.Response, body []byte) error {
	status := fmt.Sprint(res.StatusCode)
	ref := route.Operation.Responses.Value(status)
	if ref == nil {
		return fmt.Errorf("status %s is not documented", status)
	}
	if len(ref.Value.Content) == 0 {
		if len(body) > 0 {
			return errors.New("an undocumented body")
		}
		return nil
	}
	return d.checkBody(ref.Value.Content, mime(res.Header), body, "paths", route.Path, strings.ToLower(route.Method), "responses", status)
}

// checkBody compares JSON with its schema; of other bodies it knows the type.
func (d *document) checkBody(content openapi3.Content, contentType string, body []byte, path ...string) error {
	if content.Get(contentType) == nil {
		return fmt.Errorf("content type %q is not documented", contentType)
	}
	schema, err := d.schema(append(path, "content", contentType, "schema")...)
	if err != nil {
		return err
	}
	if schema == nil || !strings.HasSuffix(contentType, "json") {
		return nil
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// checkNoRoute wants the errors for what is not in the document.
func checkNoRoute(res *http.Response, answer []byte) error {
	switch res.StatusCode {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
	case http.StatusBadRequest, http.StatusTooManyRequests: // what is wrong with a body, or with its number, comes first
	default:
		return fmt.Errorf("an undocumented route answers %d", res.StatusCode)
	}
	var e struct {
		Status, Error, Message string
		Data                   any
		RequestID              string `json:"request_id"`
	}
	if err := json.Unmarshal(answer, &e); err != nil {
		return err
	}
	if e.Status != "error" || e.Error != fmt.Sprint(res.StatusCode) || e.Message == "" || e.Data == nil || e.RequestID == "" {
		return errors.New("not the shape of an error")
	}
	return nil
}

// checkOptions wants exactly the documented verbs in Allow.
func (d *document) checkOptions(req *http.Request, res *http.Response) error {
	if res.StatusCode != http.StatusOK {
		return nil
	}
	allowed := map[string]bool{}
	for method := range strings.SplitSeq(res.Header.Get("Allow"), ", ") {
		allowed[method] = true
	}
	for _, method := range []string{"GET", "PUT", "POST", "PATCH", "DELETE"} {
		asked := req.Clone(req.Context())
		asked.Method = method
		if _, _, err := d.router.FindRoute(asked); (err == nil) != allowed[method] {
			return fmt.Errorf("Allow %q: %s is documented: %v", res.Header.Get("Allow"), method, err == nil)
		}
	}
	return nil
}

var parameter = regexp.MustCompile(`[:*](\w+)`)
