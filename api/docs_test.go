package api_test

import (
	"crypto/sha256"
	"encoding/hex"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"dialtone/api"
)

// The document is valid, and so are its examples and all schemas of bodies.
func TestDocumentIsValid(t *testing.T) {
	doc, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	// A schema file may hold definitions; as part of the document they are none.
	if err := doc.Validate(t.Context(), openapi3.AllowExtraSiblingFields("definitions")); err != nil {
		t.Error(err)
	}
	compile := func(path ...string) {
		if _, err := doc.schema(append(path, "content", "application/json", "schema")...); err != nil {
			t.Errorf("%v: %v", path, err)
		}
	}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			method = strings.ToLower(method)
			if operation.RequestBody != nil {
				compile("paths", path, method, "requestBody")
			}
			for status := range operation.Responses.Map() {
				compile("paths", path, method, "responses", status)
			}
		}
	}
}

// Every route is in the document, and the document has no others.
func TestDocumentHasEveryRoute(t *testing.T) {
	doc, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for path, item := range doc.Paths.Map() {
		want = append(want, "OPTIONS "+path)
		for method := range item.Operations() {
			want = append(want, method+" "+path)
			if method == http.MethodGet {
				want = append(want, "HEAD "+path)
			}
		}
	}
	var got []string
	for _, route := range api.Routes() {
		got = append(got, parameter.ReplaceAllString(route, "{$1}"))
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("documented (-), routes (+):\n%s", diff)
	}
}

// benchmarks reports whether a function measures: *testing.B is its first
// parameter. What is measured is the API without the contract.
func benchmarks(function *ast.FuncDecl) bool {
	if len(function.Type.Params.List) == 0 {
		return false
	}
	pointer, _ := function.Type.Params.List[0].Type.(*ast.StarExpr)
	if pointer == nil {
		return false
	}
	selector, _ := pointer.X.(*ast.SelectorExpr)
	return selector != nil && selector.Sel.Name == "B"
}

// No test reaches the API but through the contract.
func TestContractIsNotBypassed(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]int{"serve": 1, "TestIncompleteConfiguration": 1}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			function, isFunction := decl.(*ast.FuncDecl)
			if !isFunction || benchmarks(function) {
				continue
			}
			ast.Inspect(function, func(n ast.Node) bool {
				selector, isSelector := n.(*ast.SelectorExpr)
				if !isSelector || selector.Sel.Name != "New" {
					return true
				}
				if pkg, isName := selector.X.(*ast.Ident); isName && pkg.Name == "api" {
					if allowed[function.Name.Name]--; allowed[function.Name.Name] < 0 {
						t.Errorf("%s: %s makes an API of its own; use bench.serve", name, function.Name.Name)
					}
				}
				return true
			})
		}
	}
}

// The contract itself finds what it is there for.
func TestContractIsKept(t *testing.T) {
	const id = "9f2f43c6adde4b1faa35e4a4de4a3e9c"
	const around = `,"status":"success","request_id":"x","timestamp":"2026-11-23T12:00:00Z"}`
	fault := func(status, message, data string) string {
		return `{"data":` + data + `,"status":"error","error":"` + status + `","message":"` + message + `","request_id":"x","timestamp":"2026-11-23T12:00:00Z"}`
	}
	account := "/v2/accounts/" + id
	device := `{"data":{"id":"` + id + `","name":"a"},"revision":"1-0"` + around
	tests := []struct {
		name, method, path, body string
		status                   int
		answer                   string
		lenient, kept            bool
	}{
		{"document", "GET", account + "/devices/" + id, "", 200, device, false, true},
		{"document without id", "GET", account + "/devices/" + id, "", 200, `{"data":{"name":"a"},"revision":"1-0"` + around, false, false},
		{"document against its schema", "GET", account + "/devices/" + id, "", 200,
			`{"data":{"id":"` + id + `","name":"a","provision":{"combo_keys":{"1":{"type":"parking","value":11}}}},"revision":"1-0"` + around, false, false},
		{"custom member", "GET", account + "/devices/" + id, "", 200, `{"data":{"id":"` + id + `","name":"a","custom":[1]},"revision":"1-0"` + around, false, true},
		{"no revision", "GET", account + "/devices/" + id, "", 200, `{"data":{"id":"` + id + `","name":"a"}` + around, false, false},
		{"more in the envelope", "GET", account + "/devices/" + id, "", 200, `{"extra":1,` + device[1:], false, false},
		{"more in a summary", "GET", account + "/devices", "", 200,
			`{"data":[{"id":"` + id + `","name":"a","enabled":true,"mac_address":"","device_type":"x","flags":[],"password":"x"}]` + around, false, false},
		{"password of a user", "GET", account + "/users/" + id, "", 200,
			`{"data":{"id":"` + id + `","first_name":"a","last_name":"b","password":"x"},"revision":"1-0"` + around, false, false},
		{"status", "GET", "/healthz", "", 202, `{"data":"alive"` + around, false, false},
		{"no content", "GET", "/healthz", "", 200, "", false, false},
		{"error", "GET", account, "", 403, fault("403", "forbidden", `{"message":"x"}`), false, true},
		{"error of another status", "GET", account, "", 403, fault("404", "forbidden", `{"message":"x"}`), false, false},
		{"error of another name", "GET", account, "", 403, fault("403", "never", `{"message":"x"}`), false, false},
		{"problems", "PUT", account + "/users", "{}", 400, fault("400", "validation error", `{"a":{"type":{"message":"x"}}}`), false, true},
		{"problems without a message", "PUT", account + "/users", "{}", 400, fault("400", "validation error", `{"a":{"type":{}}}`), false, false},
		{"problems of no known code", "PUT", account + "/users", "{}", 400, fault("400", "validation error", `{"a":{"b":{"message":"x"}}}`), false, false},
		{"good request", "POST", account + "/devices/" + id, `{"DATA":{"name":"a"}}`, 200, device, false, true},
		{"bad request taken", "POST", account + "/devices/" + id, `{"data":{"name":5}}`, 200, device, false, false},
		{"tunnelled", "POST", account + "/devices/" + id, `{"verb":"patch","data":{"name":null}}`, 200, device, false, true},
		{"lenient", "POST", account + "/devices/" + id, `{"data":{"name":"a","enabled":"true"}}`, 200, device, true, true},
		{"lenient without need", "POST", account + "/devices/" + id, `{"data":{"name":"a"}}`, 200, device, true, false},
		{"bad parameter taken", "GET", account + "/devices?page_size=0", "", 200, `{"data":[]` + around, false, false},
		{"unknown path", "GET", "/v2/never", "", 404, fault("404", "not_found", `{}`), false, true},
		{"unknown path that works", "GET", "/v2/never", "", 200, device, false, false},
		{"unknown verb that works", "BREW", account, "", 200, device, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &contract{TB: t}
			res := &http.Response{StatusCode: tt.status, Header: http.Header{
				"Content-Type": {"application/json"}, "X-Request-Id": {"x"}, "Etag": {`"x"`},
			}}
			req := httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, nil)
			if err := c.check(req, []byte(tt.body), res, []byte(tt.answer), tt.lenient); (err == nil) != tt.kept {
				t.Errorf("kept %v, want %v: %v", err == nil, tt.kept, err)
			}
		})
	}
}

func TestDocumentation(t *testing.T) {
	b := newBench(t)
	types := map[string]string{
		"/openapi.yaml":                          "application/yaml",
		"/docs":                                  "text/html; charset=utf-8",
		"/docs/index.html":                       "text/html; charset=utf-8",
		"/docs/docs.js":                          "text/javascript; charset=utf-8",
		"/docs/docs.css":                         "text/css; charset=utf-8",
		"/docs/swagger-ui-bundle.js":             "text/javascript; charset=utf-8",
		"/docs/swagger-ui.css":                   "text/css; charset=utf-8",
		"/docs/favicon-32x32.png":                "image/png",
		"/docs/swagger-ui-bundle.js.LICENSE.txt": "text/plain; charset=utf-8",
		"/docs/LICENSE":                          "text/plain; charset=utf-8",
	}
	schemas, err := filepath.Glob("schemas/*.json")
	if err != nil || len(schemas) == 0 {
		t.Fatal(schemas, err)
	}
	for _, name := range schemas {
		types["/"+name] = "application/schema+json"
	}
	for path, want := range types {
		get := func(method, etag string) *http.Response {
			req := httptest.NewRequestWithContext(t.Context(), method, path, nil)
			if etag != "" {
				req.Header.Set("If-None-Match", etag)
			}
			w := httptest.NewRecorder()
			b.handler.ServeHTTP(w, req)
			return w.Result()
		}
		res := get("GET", "")
		etag := res.Header.Get("ETag")
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != want || len(etag) < 20 {
			t.Errorf("%s: %d %q ETag %s", path, res.StatusCode, res.Header.Get("Content-Type"), etag)
		}
		name := strings.TrimPrefix(path, "/")
		if name == "docs" {
			name = "docs/index.html"
		}
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(res.Body); err != nil || string(body) != string(file) {
			t.Errorf("%s: not the file: %v", path, err)
		}
		policy := res.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", path, res.Header)
		}
		if res := get("GET", etag); res.StatusCode != http.StatusNotModified {
			t.Errorf("%s: %d for its own ETag", path, res.StatusCode)
		}
		if res := get("HEAD", ""); res.StatusCode != http.StatusOK || res.Header.Get("ETag") != etag {
			t.Errorf("HEAD %s: %d", path, res.StatusCode)
		}
	}
	for _, path := range []string{"/docs/nothing.js", "/schemas/nothing.json", "/schemas", "/docs/..%2fopenapi.yaml", "/docs/%2e%2e/api.go"} {
		b.as("", "GET", path, "").fails(http.StatusNotFound, "not_found")
	}
	b.as("", "PUT", "/openapi.yaml", "").fails(http.StatusMethodNotAllowed, "invalid_method")
}

// The page asks no other server for anything and has no script in its HTML,
// which its policy would not run.
func TestDocsPageIsSelfContained(t *testing.T) {
	page, err := os.ReadFile("docs/index.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(string(page), -1) {
		name := strings.TrimPrefix(link[1], "/")
		if _, err := os.Stat(name); err != nil || name == link[1] {
			t.Errorf("the page refers to %q: %v", link[1], err)
		}
	}
	if inline := regexp.MustCompile(`<script>|<style|style=|\son\w+=`).FindString(string(page)); inline != "" {
		t.Errorf("the page has %q inline", inline)
	}
}

// What was copied is what docs/README.md says.
func TestVendoredFiles(t *testing.T) {
	readme, err := os.ReadFile("docs/README.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{"README.md": true, "index.html": true, "docs.js": true, "docs.css": true}
	for _, row := range regexp.MustCompile("\\| `([^`]+)` \\| `([0-9a-f]{64})` \\|").FindAllStringSubmatch(string(readme), -1) {
		raw, err := os.ReadFile(filepath.Join("docs", row[1]))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(raw)
		if got := hex.EncodeToString(sum[:]); got != row[2] {
			t.Errorf("%s: SHA-256 %s, the README says %s", row[1], got, row[2])
		}
		listed[row[1]] = true
	}
	files, err := os.ReadDir("docs")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !listed[file.Name()] {
			t.Errorf("docs/%s is not in the README", file.Name())
		}
	}
}
