package author

import (
	"bytes"
	"encoding/xml"
	"slices"
	"strings"

	"dialtone/internal/strictxml"
	"dialtone/provisioner"
)

// A setting is a parameter as a rendered file gives it.
type setting struct {
	name, value string
	line        int // of the file, from 1
}

// Parameters are the names of what a rendered file sets, in its order.
func Parameters(body []byte, file *provisioner.FileRule, rules provisioner.ParameterRules) []string {
	var names []string
	for _, s := range settingsOf(body, file, rules) {
		names = append(names, s.name)
	}
	return names
}

// settingsOf finds the parameters of a rendered file, in its order. What comes
// after a mistake in the file is not found.
func settingsOf(body []byte, file *provisioner.FileRule, rules provisioner.ParameterRules) []setting {
	var all []setting
	switch {
	case rules.Style == provisioner.StyleKeys && file.Format != "xml":
		all = iniSettings(body, file)
	case file.Format != "xml":
	case rules.Style == provisioner.StyleAttributes:
		all = attributeSettings(body)
	case rules.Style == provisioner.StyleElements, rules.Style == provisioner.StylePaths:
		all = elementSettings(body, rules)
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

// elementSettings are none in a file that has a mistake.
func elementSettings(body []byte, rules provisioner.ParameterRules) []setting {
	leaves, _ := strictxml.Leaves(body, strictxml.Index{Attribute: rules.Index, Element: rules.IndexElement})
	var all []setting
	for _, leaf := range leaves {
		name := leaf.Name()
		if rules.Style == provisioner.StylePaths {
			name = strings.Join(leaf.Path, ".")
		}
		all = append(all, setting{name, leaf.Value, leaf.Line})
	}
	return all
}

func attributeSettings(body []byte) []setting {
	var all []setting
	dec := xml.NewDecoder(bytes.NewReader(body))
	for {
		start := dec.InputOffset()
		line, _ := dec.InputPos()
		token, err := dec.RawToken()
		if err != nil {
			return all
		}
		if e, ok := token.(xml.StartElement); ok {
			all = append(all, attributes(e, string(body[start:dec.InputOffset()]), line)...)
		}
	}
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
