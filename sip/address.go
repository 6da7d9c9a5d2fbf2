package sip

import (
	"fmt"
	"strings"

	"dialtone/models"
)

// An address is one value of a Contact, Path or Route header.
type address struct {
	uri    string            // as written, without angle brackets
	params map[string]string // header parameters; names lower-case, values without quotes
}

// splitUnquoted splits at sep where it stands outside quotes and angle
// brackets, and trims the parts. A quote or bracket that is never closed is
// models.ErrInvalid.
func splitUnquoted(s string, sep byte) ([]string, error) {
	var parts []string
	start, quoted, bracketed := 0, false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			bracketed = true
		case c == '>':
			bracketed = false
		case c == sep && !bracketed:
			parts = append(parts, strings.TrimSpace(s[start:i]))
			start = i + 1
		}
	}
	if quoted || bracketed {
		return nil, fmt.Errorf("%w header: quote or bracket left open", models.ErrInvalid)
	}
	return append(parts, strings.TrimSpace(s[start:])), nil
}

// splitList splits header values that are comma-separated lists into their
// elements; empty elements are left out.
func splitList(values []string) ([]string, error) {
	var all []string
	for _, value := range values {
		parts, err := splitUnquoted(value, ',')
		if err != nil {
			return nil, err
		}
		for _, part := range parts {
			if part != "" {
				all = append(all, part)
			}
		}
	}
	return all, nil
}

// parseAddress reads `"Name" <sip:a@b>;expires=60` or `sip:a@b;expires=60`. In
// the second form all parameters are the header's (RFC 3261, section 20.10).
func parseAddress(s string) (address, error) {
	parts, err := splitUnquoted(s, ';')
	if err != nil {
		return address{}, err
	}
	a := address{uri: parts[0], params: map[string]string{}}
	if open := unquotedIndex(a.uri, '<'); open >= 0 {
		end := strings.IndexByte(a.uri[open:], '>')
		if end < 0 || strings.TrimSpace(a.uri[open+end+1:]) != "" {
			return address{}, fmt.Errorf("%w address", models.ErrInvalid)
		}
		a.uri = strings.TrimSpace(a.uri[open+1 : open+end])
	}
	if _, err := parseURI(a.uri); err != nil {
		return address{}, err
	}
	for _, part := range parts[1:] {
		name, value, _ := strings.Cut(part, "=")
		a.params[strings.ToLower(strings.TrimSpace(name))] = unquote(strings.TrimSpace(value))
	}
	return a, nil
}

// unquotedIndex is the place of the first c outside quotes, -1 when there is none.
func unquotedIndex(s string, c byte) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case !quoted && s[i] == c:
			return i
		}
	}
	return -1
}

func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		if s[i] == '\\' && i+1 < len(s)-1 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
