package models_test

import (
	"encoding/json"
	"testing"

	"dialtone/models"
)

func TestPick(t *testing.T) {
	doc := mustDocument(t, `{"a": {"b": {"c": 1}, "d": [{"e": 2}]}, "f": "text", "g": null}`)
	tests := []struct {
		paths []string
		want  string
	}{
		{nil, `{}`},
		{[]string{""}, `{"a":{"b":{"c":1},"d":[{"e":2}]},"f":"text","g":null}`},
		{[]string{"a.b.c", "g"}, `{"a":{"b":{"c":1}},"g":null}`},
		{[]string{"a.b", "a.b.c"}, `{"a":{"b":{"c":1}}}`},
		{[]string{"a.d.0.e", "f.x", "a.x.y", "x"}, `{"a":{"d":[{"e":2}]},"f":"text"}`},
	}
	for _, tt := range tests {
		got, err := json.Marshal(doc.Pick(tt.paths))
		if err != nil || string(got) != tt.want {
			t.Errorf("%q: got %s (%v), want %s", tt.paths, got, err, tt.want)
		}
	}
	doc.Pick([]string{"a.d"})["a"].(map[string]any)["d"].([]any)[0].(map[string]any)["e"] = 3
	if got, _ := json.Marshal(doc.Pick([]string{"a.d"})); string(got) != `{"a":{"d":[{"e":2}]}}` {
		t.Errorf("a change of a copy shows: %s", got)
	}
}

func mustDocument(t *testing.T, text string) models.Document {
	t.Helper()
	doc, err := models.ParseDocument([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}
