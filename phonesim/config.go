package phonesim

import (
	"encoding/xml"
	"fmt"
	"strings"

	"dialtone/internal/strictxml"
	"dialtone/provisioner"
)

// maxListed bounds the configuration files that one index may name.
const maxListed = 64

// A setting is one parameter as a configuration file gives it.
type setting struct{ name, value string }

// settings are a phone's effective configuration, parameter -> value. A value
// of "" asks for the parameter's default.
type settings map[string]string

// first is the value of the first of the parameters, named with blanks between
// them, that has one.
func (s settings) first(names string) string {
	for name := range strings.FieldsSeq(names) {
		if s[name] != "" {
			return s[name]
		}
	}
	return ""
}

// merge lays configuration files over each other, in the order they were
// fetched. With firstWins the first value of a parameter counts, otherwise
// the last one.
func merge(files [][]setting, firstWins bool) settings {
	merged := settings{}
	for _, file := range files {
		for _, s := range file {
			if _, set := merged[s.name]; set && firstWins {
				continue
			}
			merged[s.name] = s.value
		}
	}
	return merged
}

// parseConfig reads one configuration file of the given format, "xml" or
// "ini". It also returns the numbers of the lines it could not read, which
// phones ignore; a file with nothing in it to read is an error.
func parseConfig(format string, rules provisioner.ParameterRules, body []byte) ([]setting, []int, error) {
	if format == "xml" {
		list, err := parseXML(rules, body)
		return list, nil, err
	}
	return parseINI(body)
}

// parseXML reads a document whose settings are where the rules say: elements
// by their name or their path, else attributes.
func parseXML(rules provisioner.ParameterRules, body []byte) ([]setting, error) {
	if rules.Style != provisioner.StyleElements && rules.Style != provisioner.StylePaths {
		return parseAttributes(body)
	}
	leaves, err := strictxml.Leaves(body, strictxml.Index{Attribute: rules.Index, Element: rules.IndexElement})
	var list []setting
	for _, leaf := range leaves {
		name := leaf.Name()
		if rules.Style == provisioner.StylePaths {
			name = strings.Join(leaf.Path, ".")
		}
		list = append(list, setting{name, leaf.Value})
	}
	return list, err
}

// parseAttributes reads a document whose settings are attributes: the names of
// its elements do not matter, nor does their nesting.
func parseAttributes(body []byte) ([]setting, error) {
	var list []setting
	err := strictxml.Walk(body, func(e xml.StartElement) {
		for _, a := range e.Attr {
			if a.Name.Space == "" && a.Name.Local != "xmlns" {
				list = append(list, setting{a.Name.Local, a.Value})
			}
		}
	})
	return list, err
}

// parseINI reads "name = value" lines; "#" starts a comment line.
func parseINI(body []byte) (list []setting, unread []int, err error) {
	for number, line := range iniLines(body) {
		name, value, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" {
			unread = append(unread, number)
			continue
		}
		list = append(list, setting{name, iniValue(strings.TrimSpace(value))})
	}
	if len(list) == 0 && len(unread) > 0 {
		return nil, nil, fmt.Errorf("line %d: no name = value, nor on any other line", unread[0])
	}
	return list, unread, nil
}

// iniLines yields the lines that are neither blank nor comments, trimmed, by
// their number.
func iniLines(body []byte) func(yield func(int, string) bool) {
	text := strings.TrimPrefix(string(body), "\ufeff")
	return func(yield func(int, string) bool) {
		number := 0
		for line := range strings.Lines(text) {
			number++
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			if !yield(number, line) {
				return
			}
		}
	}
}

// iniValue reads the two words that stand for values an ini line cannot hold.
func iniValue(v string) string {
	if v == "%NULL%" || v == "%EMPTY%" {
		return ""
	}
	return v
}

// parseIndex finds the configuration files that an index names, in order:
// the comma-separated XML attribute, or the ini directive, called lists.
func parseIndex(format, lists string, body []byte) ([]string, error) {
	var names []string
	if format == "xml" {
		var err error
		if names, err = xmlListed(lists, body); err != nil {
			return nil, err
		}
	} else {
		names = iniListed(lists, body)
	}
	if len(names) > maxListed {
		return nil, fmt.Errorf("names %d configuration files, more than %d", len(names), maxListed)
	}
	return names, nil
}

func xmlListed(attribute string, body []byte) ([]string, error) {
	list, err := parseAttributes(body)
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		if s.name == attribute {
			return fields(s.value), nil
		}
	}
	return nil, nil
}

// fields splits a comma-separated list.
func fields(list string) []string {
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// iniListed finds lines such as `include:config "x.cfg"` and
// `include:config <x.cfg>`.
func iniListed(directive string, body []byte) []string {
	var names []string
	for _, line := range iniLines(body) {
		name, ok := strings.CutPrefix(line, directive)
		if !ok {
			continue
		}
		if name = strings.Trim(strings.TrimSpace(name), `"<>`); name != "" {
			names = append(names, name)
		}
	}
	return names
}
