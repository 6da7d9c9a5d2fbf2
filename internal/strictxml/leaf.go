package strictxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// A Leaf is an element that holds no others, with the names of the elements
// around it.
type Leaf struct {
	Path  []string // from below the root to the element itself; an index follows the name: "line.2"
	Value string   // its text, without blanks around it
	Line  int      // where it begins, from 1
}

// Name is the element's own, with its index.
func (l Leaf) Name() string { return l.Path[len(l.Path)-1] }

// An Index is what tells elements of one name apart; its value is part of
// their names. Without a name there is none.
type Index struct {
	Attribute string // of the element
	Element   string // the first one within it, which is no leaf then
}

// Leaves are the elements below the root that hold no others, in order. What
// Check finds wrong is wrong here.
func Leaves(body []byte, index Index) ([]Leaf, error) {
	if err := Check(body); err != nil {
		return nil, err
	}
	var leaves []Leaf
	var open []*element
	dec := xml.NewDecoder(bytes.NewReader(body))
	for {
		line, _ := dec.InputPos()
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return leaves, nil
		}
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			next := &element{name: indexed(token, index.Attribute), line: line}
			if len(open) > 0 {
				around := open[len(open)-1]
				next.index = index.Element != "" && token.Name.Local == index.Element && !around.parent
				around.parent = true
			}
			open = append(open, next)
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text.Write(token)
			}
		case xml.EndElement:
			last := open[len(open)-1]
			switch value := strings.TrimSpace(last.text.String()); {
			case last.parent || len(open) == 1:
			case last.index:
				open[len(open)-2].name += "." + value
			default:
				leaves = append(leaves, Leaf{Path: pathOf(open[1:]), Value: value, Line: last.line})
			}
			open = open[:len(open)-1]
		}
	}
}

// element is one that has begun.
type element struct {
	name   string
	line   int
	text   strings.Builder
	parent bool // it holds others
	index  bool // its text tells the element around it from others
}

// indexed is an element's name, followed by its index.
func indexed(e xml.StartElement, index string) string {
	for _, a := range e.Attr {
		if index != "" && a.Name.Local == index {
			return e.Name.Local + "." + a.Value
		}
	}
	return e.Name.Local
}

func pathOf(open []*element) []string {
	var names []string
	for _, e := range open {
		names = append(names, e.name)
	}
	return names
}
