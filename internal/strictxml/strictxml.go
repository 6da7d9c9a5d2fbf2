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

// Walk visits every element of a document in order. What Check finds wrong is
// wrong here.
func Walk(body []byte, visit func(xml.StartElement)) error {
	if err := Check(body); err != nil {
		return err
	}
	dec := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := dec.Token()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if element, ok := token.(xml.StartElement); ok {
			visit(element)
		}
	}
}
