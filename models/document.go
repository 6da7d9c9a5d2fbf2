package models

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A Document is a JSON object as the API takes and gives it, private members
// left out. Its values are what encoding/json makes, with numbers as
// json.Number, so that members nobody knows survive every round trip unchanged.
type Document map[string]any

// ParseDocument reads one JSON object; anything else is ErrInvalid.
func ParseDocument(raw []byte) (Document, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var doc Document
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("%w document: %w", ErrInvalid, err)
	}
	if doc == nil {
		return nil, fmt.Errorf("%w document: want an object, got null", ErrInvalid)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w document: text after the object", ErrInvalid)
	}
	return doc, nil
}

// Clone is a deep copy: changing one never shows in the other.
func (d Document) Clone() Document { return cloneValue(map[string]any(d)).(map[string]any) }

// Pick is a deep copy of what is at these dotted paths. "" is all of the
// document; a path that leads into anything but an object stands for that.
func (d Document) Pick(paths []string) Document {
	if slices.Contains(paths, "") {
		return d.Clone()
	}
	out := Document{}
	for _, path := range paths {
		pick(out, d, path)
	}
	return out
}

func pick(out, from map[string]any, path string) {
	name, rest, _ := strings.Cut(path, ".")
	v, ok := from[name]
	if !ok {
		return
	}
	object, isObject := v.(map[string]any)
	if rest == "" || !isObject {
		out[name] = cloneValue(v)
		return
	}
	inner, begun := out[name].(map[string]any)
	if !begun {
		inner = map[string]any{}
		out[name] = inner
	}
	pick(inner, object, rest)
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for k, member := range v {
			c[k] = cloneValue(member)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, member := range v {
			c[i] = cloneValue(member)
		}
		return c
	default:
		return v
	}
}

// Lookup finds the member at a dotted path: "sip.username".
func (d Document) Lookup(path string) (any, bool) {
	var v any = map[string]any(d)
	for name := range strings.SplitSeq(path, ".") {
		object, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = object[name]; !ok {
			return nil, false
		}
	}
	return v, true
}

// Text is the string at a dotted path, "" when there is none.
func (d Document) Text(path string) string {
	v, _ := d.Lookup(path)
	s, _ := v.(string)
	return s
}

// Flag is the boolean at a dotted path, otherwise when there is none.
func (d Document) Flag(path string, otherwise bool) bool {
	v, _ := d.Lookup(path)
	if flag, ok := v.(bool); ok {
		return flag
	}
	return otherwise
}

// Int is the whole number at a dotted path; false when there is none.
func (d Document) Int(path string) (int, bool) {
	v, _ := d.Lookup(path)
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	whole, err := strconv.Atoi(n.String())
	return whole, err == nil
}

// Texts are the strings of the list at a dotted path.
func (d Document) Texts(path string) []string {
	v, _ := d.Lookup(path)
	list, _ := v.([]any)
	var texts []string
	for _, item := range list {
		if s, ok := item.(string); ok {
			texts = append(texts, s)
		}
	}
	return texts
}

// Set puts v at a dotted path, making the objects on the way.
func (d Document) Set(path string, v any) {
	object := map[string]any(d)
	for {
		name, rest, more := strings.Cut(path, ".")
		if !more {
			object[name] = v
			return
		}
		next, ok := object[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			object[name] = next
		}
		object, path = next, rest
	}
}

// Delete removes the member at a dotted path, if there is one.
func (d Document) Delete(path string) {
	parent, name := map[string]any(d), path
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		v, _ := d.Lookup(path[:i])
		parent, name = nil, path[i+1:]
		if object, ok := v.(map[string]any); ok {
			parent = object
		}
	}
	delete(parent, name)
}

// String, GoString and LogValue keep documents, which hold SIP passwords, out
// of logs.
func (Document) String() string       { return redacted }
func (Document) GoString() string     { return redacted }
func (Document) LogValue() slog.Value { return slog.StringValue(redacted) }

// Overlay lays the tops over base, the last one uppermost, as Kazoo's
// provisioning does: objects merge, any other member of a top wins, an empty
// object of a top replaces the object below. No argument changes, and the
// result must not be changed: it shares members with them.
func Overlay(base Document, tops ...Document) Document {
	out := base
	for _, top := range tops {
		out = overlaid(out, top)
	}
	return out
}

func overlaid(base, top map[string]any) map[string]any {
	out := make(map[string]any, len(base)+len(top))
	maps.Copy(out, base)
	for name, v := range top {
		below, isObject := base[name].(map[string]any)
		above, aboveIsObject := v.(map[string]any)
		if isObject && aboveIsObject && len(above) > 0 {
			v = overlaid(below, above)
		}
		out[name] = v
	}
	return out
}
