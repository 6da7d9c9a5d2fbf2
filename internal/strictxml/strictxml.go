// Package strictxml reads XML as phones do: what encoding/xml lets pass and a
// phone refuses is a mistake here too.
package strictxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
)

// An Error is a mistake in a document.
type Error struct {
	Line   int // from 1
	Reason string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// Walk visits every element of a document in order. What is not exactly one
// well-formed root element without text around it, or has an attribute twice
// in an element, is an *Error.
func Walk(body []byte, visit func(xml.StartElement)) error {
	dec := xml.NewDecoder(bytes.NewReader(body))
	depth, roots := 0, 0
	for {
		token, err := dec.Token()
		line, _ := dec.InputPos()
		switch {
		case errors.Is(err, io.EOF) && roots == 1:
			return nil
		case errors.Is(err, io.EOF):
			return &Error{line, fmt.Sprintf("%d root elements, want one", roots)}
		case err != nil:
			return &Error{line, err.Error()}
		}
		switch token := token.(type) {
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			depth++
			if name, twice := repeatedAttribute(token); twice {
				return &Error{line, fmt.Sprintf("attribute %s is there twice", name)}
			}
			visit(token)
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && len(bytes.TrimSpace(token)) > 0 {
				return &Error{line, "text outside of the root element"}
			}
		}
	}
}

func repeatedAttribute(e xml.StartElement) (string, bool) {
	seen := make(map[xml.Name]bool, len(e.Attr))
	for _, attr := range e.Attr {
		if seen[attr.Name] {
			return attr.Name.Local, true
		}
		seen[attr.Name] = true
	}
	return "", false
}
