package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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

// A contract holds a handler to api/openapi.yaml: every request that succeeds
// and every answer must be what the document says.
type contract struct {
	testing.TB
	next http.Handler
}

// documented is the contract's document, and its routes. References to the
// schema files are turned into components, because the validator follows no
// others, and the objects that the document describes are closed, so that a
// member which is answered but not documented is found.
var documented = sync.OnceValues(func() (routers.Router, error) {
	doc, err := readDocument(true)
	if err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(doc)
})

func readDocument(closed bool) (*openapi3.T, error) {
	raw, err := os.ReadFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := yaml.Unmarshal(raw, &tree); err != nil {
		return nil, err
	}
	components := tree["components"].(map[string]any)["schemas"].(map[string]any)
	if closed {
		for _, part := range []string{"paths", "components"} {
			closeObjects(components, tree[part])
		}
	}
	localRefs(tree, "")
	names, err := filepath.Glob("schemas/*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var schema map[string]any
		if err := json.Unmarshal(raw, &schema); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		name = filepath.Base(name)
		localRefs(schema, name)
		definitions, _ := schema["definitions"].(map[string]any)
		for part, definition := range definitions {
			components[name+"_"+part] = definition
		}
		delete(schema, "definitions")
		delete(schema, "$schema")
		components[name] = schema
	}
	if raw, err = json.Marshal(tree); err != nil {
		return nil, err
	}
	return openapi3.NewLoader().LoadFromData(raw)
}

// localRefs points references to schema files, seen from the named one, to
// components: "calling.json#/definitions/flags" is "calling.json_flags".
func localRefs(node any, from string) {
	switch node := node.(type) {
	case map[string]any:
		for name, v := range node {
			ref, isRef := v.(string)
			if name == "$ref" && isRef && (from != "" || !strings.HasPrefix(ref, "#")) {
				file, part, _ := strings.Cut(ref, "#/definitions/")
				if file = filepath.Base(file); file == "." {
					file = from
				}
				if part != "" {
					file += "_" + part
				}
				node[name] = "#/components/schemas/" + file
				continue
			}
			localRefs(v, from)
		}
	case []any:
		for _, v := range node {
			localRefs(v, from)
		}
	}
}

// closeObjects lets no object have other members than those described, where
// a schema stands for a whole value and includes no schema file.
func closeObjects(components map[string]any, node any) {
	object, isObject := node.(map[string]any)
	if !isObject {
		if list, isList := node.([]any); isList {
			for _, v := range list {
				closeObjects(components, v)
			}
		}
		return
	}
	for name, v := range object {
		closeObjects(components, v)
		member, isSchema := v.(map[string]any)
		if !isSchema {
			continue
		}
		switch name {
		case "schema", "items":
			object[name] = closedSchema(components, member)
		case "properties":
			for name, v := range member {
				if schema, isSchema := v.(map[string]any); isSchema {
					member[name] = closedSchema(components, schema)
				}
			}
		}
	}
}

func closedSchema(components map[string]any, schema map[string]any) map[string]any {
	if !describesMembers(components, schema) {
		return schema
	}
	return map[string]any{"allOf": []any{schema}, "unevaluatedProperties": false}
}

// describesMembers reports whether a schema says all about an object.
func describesMembers(components map[string]any, schema map[string]any) bool {
	if ref, isRef := schema["$ref"].(string); isRef {
		name, isComponent := strings.CutPrefix(ref, "#/components/schemas/")
		return isComponent && describesMembers(components, components[name].(map[string]any))
	}
	_, found := schema["properties"]
	for _, group := range []string{"allOf", "anyOf"} {
		parts, _ := schema[group].([]any)
		for _, part := range parts {
			part := part.(map[string]any)
			if ref, isRef := part["$ref"].(string); isRef && !strings.HasPrefix(ref, "#") {
				return false
			}
			found = found || describesMembers(components, part)
		}
	}
	return found && schema["additionalProperties"] == nil
}

func (c *contract) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		c.Error(err)
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	name, _, _ := strings.Cut(lenient, ":")
	marked := req.Header.Get(name) != ""
	req.Header.Del(name)
	sent := req.Clone(req.Context())

	recorder := httptest.NewRecorder()
	c.next.ServeHTTP(recorder, req)
	res := recorder.Result()
	answer := recorder.Body.Bytes()

	if err := c.check(sent, body, res, answer, marked); err != nil {
		c.Errorf("%s %s: not as api/openapi.yaml says: %v\nrequest: %.1000s\nanswer: %d %.2000s",
			req.Method, req.URL, shortened(err), body, res.StatusCode, answer)
	}
	for name, values := range res.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(res.StatusCode)
	_, _ = w.Write(answer)
}

func (c *contract) check(req *http.Request, body []byte, res *http.Response, answer []byte, marked bool) error {
	router, err := documented()
	if err != nil {
		return err
	}
	req.URL.Path, req.URL.RawPath = strings.TrimRight(req.URL.Path, "/"), ""
	body = normalBody(req, body)
	if req.Method == http.MethodOptions {
		return c.checkOptions(router, req, res)
	}
	isHead := req.Method == http.MethodHead
	if isHead {
		req.Method = http.MethodGet
	}
	route, params, err := router.FindRoute(req)
	if err != nil { // no such path, or no such method
		return c.checkNoRoute(req, res, answer)
	}
	options := &openapi3filter.Options{
		IncludeResponseStatus: true,
		SkipSettingDefaults:   true,
		ExcludeResponseBody:   isHead,
		AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	input := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route, Options: options}
	if res.StatusCode < http.StatusBadRequest {
		err := openapi3filter.ValidateRequest(req.Context(), input)
		if marked && err == nil {
			return errors.New("the request is marked as lenient and needs no leniency")
		}
		if !marked && err != nil {
			return err
		}
	}
	return openapi3filter.ValidateResponse(req.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 res.StatusCode,
		Header:                 res.Header,
		Body:                   io.NopCloser(bytes.NewReader(answer)),
		Options:                options,
	})
}

// normalBody undoes what the document says of every request: the names beside
// "data" may have capitals, JSON may be sent as a form or without a type, and a
// POST may be another verb.
func normalBody(req *http.Request, body []byte) []byte {
	verb := req.URL.Query().Get("verb")
	var envelope map[string]json.RawMessage
	if json.Unmarshal(body, &envelope) == nil {
		for name, v := range envelope {
			delete(envelope, name)
			envelope[strings.ToLower(name)] = v
		}
		var inside string
		if json.Unmarshal(envelope["verb"], &inside) == nil {
			verb = inside
		}
		body, _ = json.Marshal(envelope)
		switch t, _, _ := strings.Cut(req.Header.Get("Content-Type"), ";"); t {
		case "", "application/x-json", "application/x-www-form-urlencoded":
			req.Header.Set("Content-Type", "application/json")
		}
	}
	if req.Method == http.MethodPost && verb != "" {
		req.Method = strings.ToUpper(verb)
	}
	return body
}

// checkNoRoute wants the errors for what is not in the document.
func (c *contract) checkNoRoute(req *http.Request, res *http.Response, answer []byte) error {
	switch res.StatusCode {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
	case http.StatusBadRequest: // what is wrong with a body comes first
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
		return fmt.Errorf("%s %s: not the shape of an error", req.Method, req.URL.Path)
	}
	return nil
}

// checkOptions wants exactly the documented verbs in Allow.
func (c *contract) checkOptions(router routers.Router, req *http.Request, res *http.Response) error {
	if res.StatusCode != http.StatusOK {
		return nil
	}
	allowed := map[string]bool{}
	for _, method := range strings.Split(res.Header.Get("Allow"), ", ") {
		allowed[method] = true
	}
	for _, method := range []string{"GET", "PUT", "POST", "PATCH", "DELETE"} {
		asked := req.Clone(req.Context())
		asked.Method = method
		if _, _, err := router.FindRoute(asked); (err == nil) != allowed[method] {
			return fmt.Errorf("Allow %q: %s is documented: %v", res.Header.Get("Allow"), method, err == nil)
		}
	}
	return nil
}

// shortened is the part of a validator's error that people can read.
func shortened(err error) error {
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		return invalid
	}
	return err
}

var parameter = regexp.MustCompile(`:(\w+)`)
