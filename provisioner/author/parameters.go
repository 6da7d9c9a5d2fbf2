package author

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"dialtone/provisioner"
)

// A setting is a parameter as a rendered file gives it.
type setting struct {
	name, value string
	line        int    // of the file, from 1
	index       string // attributes of an element: those of the same name tell them apart
}

// settingsOf finds the parameters of a rendered file, in its order. What comes
// after a mistake in the file is not found.
func settingsOf(body []byte, file *provisioner.FileRule, rules provisioner.ParameterRules) []setting {
	var all []setting
	switch {
	case rules.Style == provisioner.StyleKeys && file.Format != "xml":
		all = iniSettings(body, file)
	case rules.Style == provisioner.StyleKeys, rules.Style == "":
	case file.Format == "xml":
		all = xmlSettings(body, rules.Style)
	}
	return slices.DeleteFunc(all, func(s setting) bool { return slices.Contains(rules.Ignore, s.name) })
}

func iniSettings(body []byte, file *provisioner.FileRule) []setting {
	var all []setting
	number := 0
	for line := range strings.Lines(string(body)) {
		number++
		name, value, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		directive := slices.ContainsFunc(file.Directives, func(d string) bool { return strings.HasPrefix(name, d+" ") })
		if ok && name != "" && name[0] != '#' && !directive {
			all = append(all, setting{name: name, value: strings.TrimSpace(value), line: number})
		}
	}
	return all
}

// xmlElement is an element that is open.
type xmlElement struct {
	path   string
	index  string
	line   int
	text   strings.Builder
	parent bool
}

func xmlSettings(body []byte, style string) []setting {
	var all []setting
	var open []*xmlElement
	dec := xml.NewDecoder(bytes.NewReader(body))
	for {
		start := dec.InputOffset()
		line, _ := dec.InputPos()
		token, err := dec.RawToken()
		if err != nil {
			return all
		}
		switch token := token.(type) {
		case xml.StartElement:
			if style == provisioner.StyleAttributes {
				all = append(all, attributes(token, string(body[start:dec.InputOffset()]), line)...)
			}
			open = append(open, newElement(open, token, line, style))
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text.Write(token)
			}
		case xml.EndElement:
			if len(open) == 0 {
				return all
			}
			last := open[len(open)-1]
			open = open[:len(open)-1]
			if style != provisioner.StyleAttributes && !last.parent && len(open) > 0 {
				all = append(all, setting{last.path, strings.TrimSpace(last.text.String()), last.line, last.index})
			}
		}
	}
}

// newElement opens an element; the root is not part of a path.
func newElement(open []*xmlElement, start xml.StartElement, line int, style string) *xmlElement {
	e := &xmlElement{line: line, path: start.Name.Local}
	for _, a := range start.Attr {
		e.index += fmt.Sprintf(" %s=%q", a.Name.Local, a.Value)
	}
	if len(open) == 0 {
		return e
	}
	above := open[len(open)-1]
	above.parent = true
	if style == provisioner.StylePaths && len(open) > 1 {
		e.path = above.path + "." + e.path
		e.index = above.index + e.index
	}
	return e
}

// attributes are those of an element, with the lines of its text they stand on.
func attributes(e xml.StartElement, text string, line int) []setting {
	var all []setting
	pos := 0
	for _, a := range e.Attr {
		name := a.Name.Local
		if a.Name.Space != "" {
			name = a.Name.Space + ":" + name
		}
		at, end := attribute(text, pos, name)
		all = append(all, setting{name: name, value: a.Value, line: line + strings.Count(text[:at], "\n")})
		pos = end
	}
	return all
}

// attribute finds where an attribute's name begins and its value ends.
func attribute(text string, pos int, name string) (start, end int) {
	start = pos + max(strings.Index(text[pos:], name), 0)
	quote := start + max(strings.IndexAny(text[start:], `"'`), 0)
	if quote >= len(text) {
		return start, start
	}
	return start, min(quote+2+max(strings.IndexByte(text[quote+1:], text[quote]), 0), len(text))
}
