package api

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"dialtone/models"
)

//go:embed schemas/*.json
var schemaFiles embed.FS

// schemaBase is where the schemas' relative references resolve; it is never
// dialled.
const schemaBase = "schema:///"

// Schemas by file name without ".json".
type schemas map[string]*schema

// A schema checks documents of one kind and fills in their defaults.
type schema struct{ root *jsonschema.Schema }

func loadSchemas() (schemas, error) {
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	names, err := fs.Glob(schemaFiles, "schemas/*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		raw, err := schemaFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := compiler.AddResource(schemaBase+path.Base(name), doc); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	out := schemas{}
	for _, name := range names {
		file := path.Base(name)
		root, err := compiler.Compile(schemaBase + file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[strings.TrimSuffix(file, ".json")] = &schema{root}
	}
	return out, nil
}

// completed is doc with the defaults of what it lacks, as answers show it. They
// are never stored: what nobody has said is left to the layers below, such as
// a phone's owner and account.
func (s *schema) completed(doc models.Document) models.Document {
	out := doc.Clone()
	eachObject(s.root, map[string]any(out), func(declaring *jsonschema.Schema, object map[string]any) {
		for name, member := range declaring.Properties {
			if _, present := object[name]; !present && member.Default != nil {
				object[name] = cloneJSON(*member.Default)
			}
		}
	})
	return out
}

// completing is completed, done once and not before it is needed.
func (s *schema) completing(doc models.Document) func() models.Document {
	return sync.OnceValue(func() models.Document { return s.completed(doc) })
}

// settle converts scalars of doc that have the wrong type but the right text,
// writes whole numbers without fraction or exponent, and reports what is still
// wrong.
func (s *schema) settle(doc models.Document) problems {
	wrong, _ := s.settleTelling(doc)
	return wrong
}

// settleTelling is settle; it tells whether a document with nothing wrong is what
// spell alone would have made of it.
func (s *schema) settleTelling(doc models.Document) (wrong problems, onlySpelled bool) {
	s.spell(doc)
	object := map[string]any(doc)
	failures := leaves(s.root.Validate(object))
	onlySpelled = !convertTypes(object, failures)
	if !onlySpelled {
		failures = leaves(s.root.Validate(object))
	}
	wrong = problems{}
	for _, failure := range failures {
		wrong.report(object, failure)
	}
	return wrong, onlySpelled
}

// spell is what settle converts before it has looked for anything wrong: all that
// most documents need.
func (s *schema) spell(doc models.Document) {
	eachObject(s.root, map[string]any(doc), func(declaring *jsonschema.Schema, object map[string]any) {
		for name, value := range object {
			member := declaring.Properties[name]
			if member == nil {
				continue
			}
			switch v := value.(type) {
			case json.Number:
				if plain, whole := integer(v); whole && wantsInteger(member) {
					object[name] = plain
				}
			case string:
				if plain := convertedFor(member, v); plain != nil {
					object[name] = plain
				}
			}
		}
	})
}

// eachObject visits an object with every schema that declares members of it, and
// then the objects inside it.
func eachObject(s *jsonschema.Schema, v any, visit func(declaring *jsonschema.Schema, object map[string]any)) {
	object, isObject := v.(map[string]any)
	if !isObject {
		return
	}
	if s.Ref != nil {
		eachObject(s.Ref, v, visit)
	}
	for _, part := range s.AllOf {
		eachObject(part, v, visit)
	}
	visit(s, object)
	for name, value := range object {
		if _, isObject := value.(map[string]any); !isObject {
			continue
		}
		for _, member := range membersNamed(s, name) {
			eachObject(member, value, visit)
		}
	}
}

// names reports whether the schema says something about the member at a dotted
// path.
func (s *schema) names(path string) bool {
	at := []*jsonschema.Schema{s.root}
	for name := range strings.SplitSeq(path, ".") {
		var below []*jsonschema.Schema
		for _, part := range at {
			below = append(below, declared(part, name)...)
		}
		at = below
	}
	return len(at) > 0
}

// declared are the schemas of an object's member, wherever they are written.
func declared(s *jsonschema.Schema, name string) []*jsonschema.Schema {
	found := membersNamed(s, name)
	for _, part := range slices.Concat([]*jsonschema.Schema{s.Ref}, s.AllOf, s.AnyOf, s.OneOf) {
		if part != nil {
			found = append(found, declared(part, name)...)
		}
	}
	return found
}

// convertedFor reads text as what a schema wants that takes no text, nil when it
// does or cannot be. What is converted beforehand needs no second validation.
func convertedFor(s *jsonschema.Schema, text string) any {
	if s.Types == nil || s.Types.IsEmpty() || *s.Types&textType != 0 {
		return nil
	}
	return converted(text, s.Types.ToStrings())
}

// textType is the set of types that has texts alone.
var textType = func() (set jsonschema.Types) {
	set.Add("string")
	return set
}()

func wantsInteger(s *jsonschema.Schema) bool {
	return s.Types != nil && slices.Equal(s.Types.ToStrings(), []string{"integer"})
}

// membersNamed are the schemas that apply to the named member of an object.
func membersNamed(s *jsonschema.Schema, name string) []*jsonschema.Schema {
	var found []*jsonschema.Schema
	if member := s.Properties[name]; member != nil {
		found = append(found, member)
	}
	for pattern, member := range s.PatternProperties {
		if pattern.MatchString(name) {
			found = append(found, member)
		}
	}
	if member, isSchema := s.AdditionalProperties.(*jsonschema.Schema); isSchema && found == nil {
		found = append(found, member)
	}
	return found
}

func cloneJSON(v any) any {
	return models.Document{"": v}.Clone()[""]
}

// leaves flattens a validation error to what failed in the end. A failed oneOf
// is one failure, whatever its branches say.
func leaves(err error) []*jsonschema.ValidationError {
	var top *jsonschema.ValidationError
	if !errors.As(err, &top) {
		return nil
	}
	if _, isOneOf := top.ErrorKind.(*kind.OneOf); isOneOf || len(top.Causes) == 0 {
		return []*jsonschema.ValidationError{top}
	}
	var out []*jsonschema.ValidationError
	for _, cause := range top.Causes {
		out = append(out, leaves(cause)...)
	}
	return out
}

// convertTypes replaces "true", "300" and the like where a boolean or number
// is wanted, and reports whether it changed anything.
func convertTypes(doc map[string]any, failures []*jsonschema.ValidationError) bool {
	changed := false
	for _, failure := range failures {
		wrong, isType := failure.ErrorKind.(*kind.Type)
		text, isText := valueAt(doc, failure.InstanceLocation).(string)
		if !isType || !isText {
			continue
		}
		if v := converted(text, wrong.Want); v != nil {
			setAt(doc, failure.InstanceLocation, v)
			changed = true
		}
	}
	return changed
}

// converted reads text as one of the JSON types, nil when it is none of them.
func converted(text string, types []string) any {
	isNumber := json.Valid([]byte(text)) && reasonableNumber(text) && strings.Trim(text, "0123456789+-.eE") == "" && text != ""
	for _, want := range types {
		switch {
		case want == "boolean" && (strings.EqualFold(text, "true") || strings.EqualFold(text, "false")):
			return strings.EqualFold(text, "true")
		case want == "integer" && isNumber:
			if plain, whole := integer(json.Number(text)); whole {
				return plain
			}
		case want == "number" && isNumber:
			return json.Number(text)
		}
	}
	return nil
}

func valueAt(v any, location []string) any {
	for _, name := range location {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(at) {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}

// setAt replaces the value at a location where there is one.
func setAt(doc map[string]any, location []string, v any) {
	last := len(location) - 1
	switch parent := valueAt(doc, location[:last]).(type) {
	case map[string]any:
		parent[location[last]] = v
	case []any:
		if i, err := strconv.Atoi(location[last]); err == nil {
			parent[i] = v
		}
	}
}

// shown is a value as an error may tell it: secrets are masked.
func shown(path string, v any) any {
	name := "value"
	if models.IsSecretPath(path) {
		name = "secret"
	}
	return models.Document{name: v}.Masked()[name]
}

// report adds a failure under Kazoo's code for it.
func (p problems) report(doc map[string]any, failure *jsonschema.ValidationError) {
	path := fieldPath(failure.InstanceLocation)
	value := shown(path, valueAt(doc, failure.InstanceLocation))
	both := func(target any) detail { return detail{"target": target, "value": value, "cause": value} }
	switch k := failure.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			p.add(fieldPath(append(slices.Clone(failure.InstanceLocation), name)), "required", "field is required", detail{"value": name})
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			location := append(slices.Clone(failure.InstanceLocation), name)
			p.add(fieldPath(location), "additionalProperties", "no such field", detail{"value": shown(fieldPath(location), valueAt(doc, location))})
		}
	case *kind.Not:
		p.add(path, "additionalProperties", "no such field", detail{"value": value})
	case *kind.Type:
		p.add(path, "type", "must be of type "+strings.Join(k.Want, " or "), both(oneOrAll(k.Want)))
	case *kind.Enum:
		p.add(path, "enum", "not in the list of allowed values", both(k.Want))
	case *kind.MinLength:
		p.add(path, "minLength", fmt.Sprintf("must be at least %d characters", k.Want), both(k.Want))
	case *kind.MaxLength:
		p.add(path, "maxLength", fmt.Sprintf("must not be more than %d characters", k.Want), both(k.Want))
	case *kind.Minimum:
		p.add(path, "minimum", "must be at least "+number(k.Want).String(), both(number(k.Want)))
	case *kind.Maximum:
		p.add(path, "maximum", "must not be more than "+number(k.Want).String(), both(number(k.Want)))
	case *kind.MinItems:
		p.add(path, "minItems", fmt.Sprintf("must have at least %d items", k.Want), both(k.Want))
	case *kind.MaxItems:
		p.add(path, "maxItems", fmt.Sprintf("must not have more than %d items", k.Want), both(k.Want))
	case *kind.MinProperties:
		p.add(path, "minProperties", fmt.Sprintf("must have at least %d members", k.Want), both(k.Want))
	case *kind.MaxProperties:
		p.add(path, "maxProperties", fmt.Sprintf("must not have more than %d members", k.Want), both(k.Want))
	case *kind.Pattern:
		p.add(path, "pattern", "does not match the pattern "+k.Want, both(k.Want))
	case *kind.Format:
		p.add(path, "wrong_format", "must be a valid "+k.Want, detail{"format": k.Want, "value": value, "cause": value})
	case *kind.UniqueItems:
		p.add(path, "uniqueItems", "items must be unique", detail{"value": value})
	case *kind.OneOf:
		p.add(path, "not_one_schema_valid", "must match exactly one of the allowed forms", detail{"value": value})
	default:
		p.add(path, "invalid", "not valid", detail{"value": value, "cause": value})
	}
}

// merge adds the problems of other.
func (p problems) merge(other problems) {
	for path, codes := range other {
		for code, d := range codes {
			p.add(path, code, fmt.Sprint(d["message"]), d)
		}
	}
}

// fieldPath joins a location with dots.
func fieldPath(location []string) string {
	escaped := make([]string, len(location))
	for i, name := range location {
		escaped[i] = strings.ReplaceAll(name, ".", "%2E")
	}
	return strings.Join(escaped, ".")
}

func oneOrAll(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	return list
}

func number(r *big.Rat) json.Number {
	if r.IsInt() {
		return json.Number(r.Num().String())
	}
	return json.Number(r.FloatString(6))
}
