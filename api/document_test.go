package api

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"dialtone/models"
)

func FuzzOpenEnvelope(f *testing.F) {
	for _, seed := range []string{
		`{"data":{}}`, `{"Data":{"a":null},"verb":"put"}`, `{"data":[]}`, `{"data":"x"}`, `null`, `[`, ``, "{\"data\":{\"\xff\":1}}",
		`{"data":{"a":1e999,"_id":"x","pvt_a":1}}`, `data=%7B%7D`, `{"data":{"a":[[[[1]]]]},"data":{}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, open := range []func([]byte) (map[string]json.RawMessage, error){openEnvelope, openForm} {
			envelope, err := open(raw)
			if err != nil || envelope == nil {
				continue
			}
			doc, err := parseData(envelope["data"])
			if err != nil {
				continue
			}
			for name := range doc {
				if strings.HasPrefix(name, "_") || strings.HasPrefix(name, "pvt_") {
					t.Errorf("private member %q", name)
				}
			}
			again, err := parseData(encode(map[string]any(doc), ""))
			if err != nil {
				t.Fatalf("what was decoded is refused when sent back: %v", err)
			}
			if diff := cmp.Diff(doc, again); diff != "" {
				t.Errorf("round trip: %s", diff)
			}
		}
	})
}

// deletesOnly reports whether a PATCH's member takes away and puts nothing there.
func deletesOnly(v any) bool {
	object, isObject := v.(map[string]any)
	for _, member := range object {
		if member != nil && !deletesOnly(member) {
			return false
		}
	}
	return isObject && len(object) > 0
}

func FuzzMerge(f *testing.F) {
	f.Add([]byte(`{"a":{"b":1,"c":[1]}}`), []byte(`{"a":{"b":null,"d":{}}}`))
	f.Add([]byte(`{"a":null}`), []byte(`{"a":{"b":{"c":null}}}`))
	f.Fuzz(func(t *testing.T, rawStored, rawPatch []byte) {
		stored, err := parseData(rawStored)
		if err != nil {
			return
		}
		patch, err := parseData(rawPatch)
		if err != nil {
			return
		}
		before, sent := stored.Clone(), patch.Clone()
		if diff := cmp.Diff(stored, merge(stored, models.Document{})); diff != "" {
			t.Errorf("{} changes: %s", diff)
		}
		once := merge(stored, patch)
		if diff := cmp.Diff(once, merge(once, patch)); diff != "" {
			t.Errorf("the second time changes more: %s", diff)
		}
		for name, v := range patch {
			if _, present := once[name]; present == (v == nil) && (present || !deletesOnly(v)) {
				t.Errorf("member %q: sent %v, present %t", name, v, present)
			}
		}
		for name := range stored {
			if _, touched := patch[name]; !touched && !cmp.Equal(once[name], stored[name]) {
				t.Errorf("member %q was not sent and changed", name)
			}
		}
		if !cmp.Equal(stored, before) || !cmp.Equal(patch, sent) {
			t.Error("an argument changed")
		}
	})
}

// Whatever is sent, settling it must not panic, and what was accepted must
// be accepted again unchanged.
func FuzzSettle(f *testing.F) {
	all, err := loadSchemas()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"name":"x","sip":{"expire_seconds":"3e2","custom_sip_headers":{"in":{}}},"metaflows":{"numbers":{"1":{"module":"x"}}}}`))
	f.Add([]byte(`{"name":"x","first_name":"y","last_name":"z","media":{"audio":{"codecs":[1e5,1e5]}},"call_recording":{"any":{"any":{"time_limit":6.0}}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, name := range []string{"devices", "users", "accounts", "notify", "api_auth"} {
			doc, err := parseData(raw)
			if err != nil {
				return
			}
			if all[name].settle(doc).err() != nil {
				continue
			}
			again := all[name].completed(doc)
			doc = again.Clone()
			if err := all[name].settle(again).err(); err != nil {
				t.Errorf("%s: accepted, then %v", name, err)
			}
			if diff := cmp.Diff(doc, again); diff != "" {
				t.Errorf("%s: settling twice changes more: %s", name, diff)
			}
		}
	})
}

// Our schemas must mean the same to readers of draft-04 and of 2020-12: no
// keyword that only one of them knows, and nothing beside a $ref.
func TestSchemasArePortable(t *testing.T) {
	keywords := strings.Fields(`$schema $ref description type required properties patternProperties additionalProperties items default enum
		minLength maxLength minimum maximum pattern format uniqueItems minItems maxItems minProperties maxProperties oneOf allOf not definitions`)
	names, err := schemaFiles.ReadDir("schemas")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range names {
		raw, err := schemaFiles.ReadFile("schemas/" + entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
		if err != nil {
			t.Fatalf("%s: %v", entry.Name(), err)
		}
		var walk func(at string, v any)
		walk = func(at string, v any) {
			object, isObject := v.(map[string]any)
			if !isObject {
				return
			}
			if object["$ref"] != nil && len(object) > 1 {
				t.Errorf("%s%s: members beside $ref", entry.Name(), at)
			}
			for keyword, value := range object {
				if !slices.Contains(keywords, keyword) {
					t.Errorf("%s%s: keyword %q", entry.Name(), at, keyword)
				}
				switch keyword {
				case "properties", "patternProperties", "definitions":
					for name, member := range value.(map[string]any) {
						walk(at+"/"+keyword+"/"+name, member)
					}
				case "items", "additionalProperties", "not":
					walk(at+"/"+keyword, value)
				case "oneOf", "allOf":
					for _, branch := range value.([]any) {
						walk(at+"/"+keyword, branch)
					}
				}
			}
		}
		walk("", doc)
	}
}

func TestConverted(t *testing.T) {
	tests := []struct {
		text string
		want []string
		out  any
	}{
		{"true", []string{"boolean"}, true},
		{"false", []string{"boolean"}, false},
		{"yes", []string{"boolean"}, nil},
		{"300", []string{"integer"}, json.Number("300")},
		{"3.0e2", []string{"integer"}, json.Number("300")},
		{"300.5", []string{"integer"}, nil},
		{"300.5", []string{"number"}, json.Number("300.5")},
		{" 300", []string{"integer"}, nil},
		{"0300", []string{"integer"}, nil},
		{"", []string{"integer"}, nil},
		{"1e999999", []string{"integer", "number"}, nil},
		{`"3"`, []string{"integer"}, nil},
		{"true", []string{"object", "string"}, nil},
	}
	for _, tt := range tests {
		if got := converted(tt.text, tt.want); got != tt.out {
			t.Errorf("converted(%q, %v) = %v, want %v", tt.text, tt.want, got, tt.out)
		}
	}
}
