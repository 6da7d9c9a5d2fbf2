package provisioner

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"dialtone/internal/strictxml"
)

// A format says how a value is written into a file so that it stays a value,
// and what such a file must look like.
type format struct {
	escape func(string) string
	check  func(rule *FileRule, body []byte) error // a *lineError knows the line
}

var formats = map[string]format{
	"xml": {escape: escapeXML, check: checkXML},
	"ini": {escape: escapeINI, check: checkINI},
}

// lineError is a mistake in rendered output.
type lineError struct {
	line   int
	reason string
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.reason) }

// blankControls makes one line of a text: control characters, line breaks
// (Unicode's too), invisible format characters and broken UTF-8 become blanks.
func blankControls(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, unicode.IsControl(r), r == '\u2028', r == '\u2029', r == 0xFFFE, r == 0xFFFF, r == '\ufeff':
			return ' '
		}
		return r
	}, s)
}

var xmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;")

// escapeXML writes a value for an attribute in either quotes, or for text.
func escapeXML(s string) string {
	for i := range len(s) {
		if !plainXML[s[i]] {
			return xmlEscaper.Replace(blankControls(s))
		}
	}
	return s
}

// plainXML are the bytes that need no escaping: printable ASCII but for XML's own.
var plainXML = func() (table [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		table[c] = !strings.ContainsRune(`&<>"'`, c)
	}
	return table
}()

// plain reports whether a text is printable ASCII, as most are.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// escapeINI writes a value for the right side of "key = value". Phones know no
// quoting there: all that can break out is a line break.
func escapeINI(s string) string {
	if plain(s) {
		return strings.Trim(s, " ")
	}
	return strings.TrimFunc(blankControls(s), unicode.IsSpace)
}

// checkXML wants one well-formed element.
func checkXML(_ *FileRule, body []byte) error {
	err := strictxml.Check(body)
	if mistake, ok := errors.AsType[*strictxml.Error](err); ok {
		return &lineError{mistake.Line, mistake.Reason}
	}
	return err
}

// checkINI wants the header, then lines that are blank, a comment, a directive
// of the rule, or "key = value" with each key once, unless it is repeatable.
func checkINI(rule *FileRule, body []byte) error {
	if len(body) == 0 || body[len(body)-1] != '\n' {
		return &lineError{1 + bytes.Count(body, []byte("\n")), "the last line does not end"}
	}
	seen := seenKeys.Get().(map[uint64][]byte)
	defer func() { clear(seen); seenKeys.Put(seen) }()
	number := 0
	for line := range bytes.Lines(body) {
		number++
		line = bytes.TrimSuffix(line, []byte("\n"))
		if number == 1 && rule.Header != "" {
			if string(line) != rule.Header {
				return &lineError{1, fmt.Sprintf("the first line must be %q", rule.Header)}
			}
			continue
		}
		key, reason := iniKey(rule, line)
		hash := maphash.Bytes(keySeed, key)
		switch {
		case reason != "":
			return &lineError{number, reason}
		case key == nil:
			continue
		case bytes.Equal(seen[hash], key) && !slices.Contains(rule.Repeatable, string(key)):
			return &lineError{number, fmt.Sprintf("key %s is there twice", key)}
		}
		seen[hash] = key
	}
	return nil
}

// seenKeys are maps that were used before, from the hashes of keys to the keys:
// as large as a file has lines, they would be a tenth of what its rendering
// allocates.
var seenKeys = sync.Pool{New: func() any { return map[uint64][]byte{} }}

var keySeed = maphash.MakeSeed()

// iniKey is the key of a line, nil when it has none; the reason says why the
// line is wrong.
func iniKey(rule *FileRule, line []byte) (key []byte, reason string) {
	if key := plainKey(line); len(key) > 0 && !rule.isDirective(key) {
		return key, ""
	}
	if trimmed := bytes.TrimSpace(line); len(trimmed) == 0 || trimmed[0] == '#' {
		return nil, ""
	}
	for _, directive := range rule.Directives {
		if bytes.HasPrefix(line, []byte(directive+" ")) {
			return nil, ""
		}
	}
	key, _, ok := bytes.Cut(line, []byte("="))
	key = bytes.TrimSpace(key)
	if !ok || len(key) == 0 || bytes.Contains(key, []byte(" ")) || !plain(string(key)) && bytes.ContainsFunc(key, unicode.IsSpace) {
		return nil, "want key = value"
	}
	return key, ""
}

func (r *FileRule) isDirective(word []byte) bool {
	return slices.ContainsFunc(r.Directives, func(directive string) bool { return directive == string(word) })
}

// plainKey is the key of a line as nearly all are: "some.key = value". Empty
// when it has to be looked at more closely.
func plainKey(line []byte) []byte {
	key := bytes.TrimRight(line[:max(bytes.IndexByte(line, '='), 0)], " ")
	for _, c := range key {
		if c <= ' ' || c >= 0x7f || c == '#' {
			return nil
		}
	}
	return key
}
