package provisioner

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/flosch/pongo2/v6"
)

func init() {
	err := errors.Join(
		pongo2.ReplaceFilter("join", joinFilter),
		pongo2.RegisterFilter("limit", limitFilter),
	)
	if err != nil {
		panic(err) // two of the same name in this program
	}
}

// simpleFilters are those that templates use a lot, of plain values; false when
// only the engine can tell.
var simpleFilters = map[string]func(v, argument any) (any, bool){
	"add":     addTo,
	"cut":     func(v, what any) (any, bool) { return onTexts(v, what, cut) },
	"default": defaultTo,
	"first":   func(v, _ any) (any, bool) { return elementOf(v, func(int) int { return 0 }) },
	"integer": func(v, _ any) (any, bool) { return wholeNumber(v), isPlain(v) },
	"join":    joined,
	"last":    func(v, _ any) (any, bool) { return elementOf(v, func(count int) int { return count - 1 }) },
	"length":  func(v, _ any) (any, bool) { return length(v) },
	"limit": func(v, most any) (any, bool) {
		return limited(textOf(v), wholeNumber(most)), isPlain(v) && isPlain(most)
	},
	"split": func(v, by any) (any, bool) { return onTexts(v, by, split) },
}

// textOf is a plain value as it is written.
func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int:
		return strconv.Itoa(v)
	case bool:
		if v {
			return "True"
		}
		return "False"
	}
	return ""
}

func onTexts(v, argument any, of func(text, argument string) any) (any, bool) {
	if !isPlain(v) || !isPlain(argument) {
		return nil, false
	}
	return of(textOf(v), textOf(argument)), true
}

func cut(text, what string) any { return strings.ReplaceAll(text, what, "") }

func split(text, by string) any { return strings.Split(text, by) }

func addTo(v, more any) (any, bool) {
	m, isNumber := v.(int)
	n, areNumbers := more.(int)
	if isNumber && areNumbers {
		return m + n, true
	}
	return onTexts(v, more, func(a, b string) any { return a + b })
}

func defaultTo(v, other any) (any, bool) {
	if isTrue, ok := truth(v); isTrue || !ok {
		return v, ok
	}
	return other, true
}

// elementOf is the element of a list, or the character of a text, that at wants;
// "" when there is none.
func elementOf(v any, at func(count int) int) (any, bool) {
	switch v := v.(type) {
	case []any:
		if len(v) > 0 {
			return v[at(len(v))], true
		}
	case []string:
		if len(v) > 0 {
			return v[at(len(v))], true
		}
	case string:
		if characters := []rune(v); len(characters) > 0 {
			return string(characters[at(len(characters))]), true
		}
	}
	return "", true
}

func length(v any) (any, bool) {
	switch v := v.(type) {
	case []any:
		return len(v), true
	case []string:
		return len(v), true
	case map[string]any:
		return len(v), true
	case string:
		return utf8.RuneCountInString(v), true
	}
	return 0, true
}

// wholeNumber is what a plain value says as a number; 0 when it says none.
func wholeNumber(v any) int {
	switch v := v.(type) {
	case int:
		return v
	case string:
		n, err := strconv.ParseFloat(v, 64)
		if err == nil {
			return int(n)
		}
	}
	return 0
}

func joined(v, by any) (any, bool) {
	list, is := v.([]string)
	if !is || !isPlain(by) {
		return nil, false
	}
	separator := textOf(by)
	size := len(list) * len(separator)
	for _, part := range list {
		size += len(part)
	}
	return strings.Join(list, separator), size <= maxValueBytes
}

// joinFilter is the engine's join with a bound: the result can be as long as
// the square of what goes in.
func joinFilter(in, separator *pongo2.Value) (*pongo2.Value, *pongo2.Error) {
	if !in.CanSlice() {
		return in, nil
	}
	var parts []string
	size := 0
	for i := range in.Len() {
		parts = append(parts, in.Index(i).String())
		size += len(parts[i]) + len(separator.String())
	}
	if size > maxValueBytes {
		return nil, &pongo2.Error{Sender: "filter:join", OrigError: fmt.Errorf("join makes more than %d bytes", maxValueBytes)}
	}
	return pongo2.AsValue(strings.Join(parts, separator.String())), nil
}

func limitFilter(in, most *pongo2.Value) (*pongo2.Value, *pongo2.Error) {
	return pongo2.AsValue(limited(in.String(), most.Integer())), nil
}

// limited cuts a text to a number of characters. One that is escaped for XML
// counts once and stays whole.
func limited(text string, most int) string {
	end := 0
	for range max(most, 0) {
		if end == len(text) {
			break
		}
		if entity := entityForm.FindString(text[end:]); entity != "" {
			end += len(entity)
			continue
		}
		_, size := utf8.DecodeRuneInString(text[end:])
		end += size
	}
	return text[:end]
}

var entityForm = regexp.MustCompile(`^&(amp|lt|gt|quot|#39);`) // those of escapeXML
