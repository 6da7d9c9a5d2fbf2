package provisioner

import (
	"bytes"
	"errors"
	"fmt"
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
	seen := seenKeys.Get().(map[string]bool)
	defer func() { clear(seen); seenKeys.Put(seen) }()
	number := 0
	for line := range strings.Lines(string(body)) {
		number++
		line = strings.TrimSuffix(line, "\n")
		if number == 1 && rule.Header != "" {
			if line != rule.Header {
				return &lineError{1, fmt.Sprintf("the first line must be %q", rule.Header)}
			}
			continue
		}
		key, reason := iniKey(rule, line)
		switch {
		case reason != "":
			return &lineError{number, reason}
		case key != "" && seen[key] && !slices.Contains(rule.Repeatable, key):
			return &lineError{number, fmt.Sprintf("key %s is there twice", key)}
		}
		seen[key] = true
	}
	return nil
}

// seenKeys are maps that were used before: as large as a file has lines, they
// would be a tenth of what its rendering allocates.
var seenKeys = sync.Pool{New: func() any { return map[string]bool{} }}

// iniKey is the key of a line, "" when it has none; the reason says why the
// line is wrong.
func iniKey(rule *FileRule, line string) (key, reason string) {
	if key := plainKey(line); key != "" && !slices.Contains(rule.Directives, key) {
		return key, ""
	}
	if trimmed := strings.TrimSpace(line); trimmed == "" || trimmed[0] == '#' {
		return "", ""
	}
	for _, directive := range rule.Directives {
		if rest, ok := strings.CutPrefix(line, directive); ok && strings.HasPrefix(rest, " ") {
			return "", ""
		}
	}
	key, _, ok := strings.Cut(line, "=")
	key = strings.TrimSpace(key)
	if !ok || key == "" || strings.Contains(key, " ") || !plain(key) && strings.ContainsFunc(key, unicode.IsSpace) {
		return "", "want key = value"
	}
	return key, ""
}

// plainKey is the key of a line as nearly all are: "some.key = value". "" when
// it has to be looked at more closely.
func plainKey(line string) string {
	key := strings.TrimRight(line[:max(strings.IndexByte(line, '='), 0)], " ")
	for i := range len(key) {
		if key[i] <= ' ' || key[i] >= 0x7f || key[i] == '#' {
			return ""
		}
	}
	return key
}
