package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"dialtone/models"
)

// maxFilters bounds the conditions of one request.
const maxFilters = 50

// A record is a stored document as filters see it: with its defaults and
// private members, without its secrets.
type record struct {
	kind      string // pvt_type
	accountID string
	meta      models.Meta
	doc       models.Document        // as it is stored
	completed func() models.Document // with its defaults, which most filters never need
}

// The private members that filters reach. No other top-level member that
// starts with "_" or "pvt_" can be asked about: such members hold hashes and
// tokens.
var privateMembers = []string{
	"_id", "_rev", "pvt_account_id", "pvt_created", "pvt_deleted", "pvt_modified", "pvt_type",
}

// reachable reports whether a filter may ask about a path. An answer that
// depends on a secret would let whoever may list guess it piece by piece.
func reachable(path string) bool {
	if strings.HasPrefix(path, "_") || strings.HasPrefix(path, "pvt_") {
		return slices.Contains(privateMembers, path)
	}
	return !models.IsSecretPath(path)
}

// lookup finds the value at a reachable path.
func (r record) lookup(path string) (any, bool) {
	switch path {
	case "id", "_id":
		return r.meta.ID, true
	case "_rev":
		return r.meta.Revision, true
	case "pvt_type":
		return r.kind, true
	case "pvt_account_id":
		return r.accountID, true
	case "pvt_created":
		return json.Number(strconv.FormatInt(gregorian(r.meta.Created), 10)), true
	case "pvt_modified":
		return json.Number(strconv.FormatInt(gregorian(r.meta.Modified), 10)), true
	case "pvt_deleted":
		return nil, false // what is deleted is in no list
	}
	if v, present := r.doc.Lookup(path); present {
		return v, true
	}
	return r.completed().Lookup(path)
}

// Filters are conditions that must all hold.
type filters []condition

// A condition is one filter parameter.
type condition struct {
	holds func(record) bool
	match *models.Match // what it wants, when that is one text at one path
}

func (f filters) keep(r record) bool {
	for _, c := range f {
		if !c.holds(r) {
			return false
		}
	}
	return true
}

// matches are what a store may narrow the list by.
func (f filters) matches() []models.Match {
	var out []models.Match
	for _, c := range f {
		if c.match != nil {
			out = append(out, *c.match)
		}
	}
	return out
}

// parseFilters reads the filter parameters of a query string; others are
// none of its business. One that cannot be evaluated lets nothing through.
func parseFilters(query url.Values) (filters, error) {
	var out filters
	for name, values := range query {
		for _, value := range values {
			if c, isFilter := newCondition(name, value); isFilter {
				out = append(out, c)
			}
		}
	}
	if len(out) > maxFilters {
		return nil, invalid("filter", "maxItems", "too many filters", detail{"target": maxFilters, "value": len(out)})
	}
	return out, nil
}

func newCondition(name, value string) (condition, bool) {
	if path, isFilter := strings.CutPrefix(name, "filter_not_"); isFilter {
		c := equals(path, value)
		return at(path, func(r record) bool { return !c.holds(r) }), true
	}
	if path, isFilter := strings.CutPrefix(name, "filter_"); isFilter {
		return equals(path, value), true
	}
	switch name {
	case "has_key":
		return at(value, func(r record) bool { return hasKey(r, value) }), true
	case "key_missing":
		return at(value, func(r record) bool { return !hasKey(r, value) }), true
	case "has_value":
		return at(value, func(r record) bool { return hasValue(r, value) }), true
	case "value_missing", "missing_value":
		return at(value, func(r record) bool { return !hasValue(r, value) }), true
	case "created_from", "created_to", "modified_from", "modified_to":
		return within(name, value), true
	}
	return condition{}, false
}

// at is a condition about what stands at a path; it never holds where filters
// may not look.
func at(path string, holds func(record) bool) condition {
	if !reachable(path) {
		return condition{holds: func(record) bool { return false }}
	}
	return condition{holds: holds}
}

// equals wants the text at path to be the given one, or one of a JSON list.
func equals(path, value string) condition {
	wanted := map[string]bool{}
	for _, text := range wantedTexts(value) {
		if clean := models.CleanMAC(text); path == "mac_address" && clean != "" {
			text = clean // any spelling will do
		}
		wanted[text] = true
	}
	c := at(path, func(r record) bool {
		v, _ := r.lookup(path)
		text, isText := textOf(v)
		return isText && wanted[text]
	})
	if len(wanted) == 1 && !wanted[""] && reachable(path) {
		for text := range wanted {
			c.match = &models.Match{Path: path, Text: text}
		}
	}
	return c
}

// wantedTexts are the members of a JSON list, or the value itself.
func wantedTexts(value string) []string {
	dec := json.NewDecoder(bytes.NewReader([]byte(value)))
	dec.UseNumber()
	var members []any
	if !strings.HasPrefix(value, "[") || dec.Decode(&members) != nil || dec.More() {
		return []string{value}
	}
	texts := []string{}
	for _, member := range members {
		if text, isText := textOf(member); isText {
			texts = append(texts, text)
		}
	}
	return texts
}

// textOf is how filters compare a value; lists and objects compare with
// nothing, and what is absent or null counts as "".
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

func hasKey(r record, path string) bool {
	_, present := r.lookup(path)
	return present
}

func hasValue(r record, path string) bool {
	v, present := r.lookup(path)
	return present && !isEmpty(v)
}

// isEmpty is Kazoo's notion of a value that is none; false is one.
func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == "" || v == "0" || v == "NULL" || v == "undefined"
	case json.Number:
		mantissa, _, _ := strings.Cut(strings.ToLower(v.String()), "e")
		return strings.Trim(mantissa, "-0.") == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// within bounds a time that the server keeps, in Gregorian seconds, inclusive.
func within(name, value string) condition {
	bound, err := strconv.ParseInt(value, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // out of range: the nearest number serves
		return condition{holds: func(record) bool { return false }}
	}
	of, end, _ := strings.Cut(name, "_")
	return condition{holds: func(r record) bool {
		when := r.meta.Created
		if of == "modified" {
			when = r.meta.Modified
		}
		seconds := gregorian(when)
		return end == "from" && seconds >= bound || end == "to" && seconds <= bound
	}}
}
