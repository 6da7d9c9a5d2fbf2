package provisioner

import (
	"slices"
	"strings"

	"dialtone/models"
)

// Where a path has a device's MAC, in lower case and in upper case.
const (
	macPlaceholder   = "mac"
	upperPlaceholder = "MAC"
	macDigits        = 2 * len(models.MAC{})
)

// A Request is a file name that at least one brand knows.
type Request struct {
	Name   string     // in lower case: "001565aabbcc.cfg"
	MAC    models.MAC // of the phone whose file it is
	HasMAC bool       // false: a common file
	Brands []string   // whose manifests have such a file, sorted
	Upload bool       // phones of at least one of them may store it
}

// patterns match file names against the files of all brands, without regard to
// the case of letters. Model attributes in paths are filled in beforehand, so
// only the MAC is left open.
type patterns struct {
	literal map[string][]brandFile
	perMAC  []macPattern // prefixes and suffixes in lower case, too
}

// brandFile is one file of one brand.
type brandFile struct {
	brand string
	rule  *FileRule
	path  string   // the rule's with attributes filled in
	model modelKey // the first model that has the attributes of the path; zero when the path has none
}

type macPattern struct {
	prefix, suffix string
	files          []brandFile
}

func newPatterns(brands map[string]*brand) *patterns {
	p := &patterns{literal: map[string][]brandFile{}}
	for _, name := range sortedKeys(brands) {
		b := brands[name]
		for i := range b.Files {
			rule := &b.Files[i]
			for path, model := range b.expand(rule.Path) {
				p.add(brandFile{brand: name, rule: rule, path: path, model: model})
			}
		}
	}
	return p
}

// expand fills model attributes into a path pattern: every path that results,
// with the first model that has it.
func (b *brand) expand(pattern string) map[string]modelKey {
	paths := map[string]modelKey{}
	keys := b.modelKeys()
	if path, ok := fillAttributes(pattern, nil); ok {
		return map[string]modelKey{path: {}}
	}
	for _, key := range keys {
		path, ok := fillAttributes(pattern, b.capabilities(key.family, key.model).Attributes)
		if _, seen := paths[path]; ok && !seen {
			paths[path] = key
		}
	}
	return paths
}

// isMAC reports whether a placeholder stands for the device's MAC.
func isMAC(placeholder string) bool {
	return placeholder == macPlaceholder || placeholder == upperPlaceholder
}

// fillAttributes replaces every placeholder but those of the MAC; false when an
// attribute is missing.
func fillAttributes(pattern string, attributes map[string]string) (string, bool) {
	for _, name := range placeholders(pattern) {
		if isMAC(name) {
			continue
		}
		if attributes[name] == "" {
			return "", false
		}
		pattern = strings.ReplaceAll(pattern, "{"+name+"}", attributes[name])
	}
	return pattern, true
}

// fillMAC replaces the placeholder of the MAC.
func fillMAC(path string, mac models.MAC) string {
	path = strings.Replace(path, "{"+macPlaceholder+"}", mac.String(), 1)
	return strings.Replace(path, "{"+upperPlaceholder+"}", strings.ToUpper(mac.String()), 1)
}

func (p *patterns) add(file brandFile) {
	path := strings.ToLower(file.path)
	prefix, suffix, perMAC := strings.Cut(path, "{"+macPlaceholder+"}")
	if !perMAC {
		p.literal[path] = append(p.literal[path], file)
		return
	}
	for i := range p.perMAC {
		if p.perMAC[i].prefix == prefix && p.perMAC[i].suffix == suffix {
			p.perMAC[i].files = append(p.perMAC[i].files, file)
			return
		}
	}
	p.perMAC = append(p.perMAC, macPattern{prefix, suffix, []brandFile{file}})
}

// match finds whose file a name is. Literal names come before those with a
// MAC, which is never all zeros: files named with zeros are common files.
func (p *patterns) match(name string) (Request, []brandFile, bool) {
	name = strings.ToLower(name)
	if files, ok := p.literal[name]; ok {
		return Request{Name: name, Brands: brandsOf(files)}, files, true
	}
	var req Request
	var files []brandFile
	for _, pattern := range p.perMAC {
		mac, ok := pattern.match(name)
		if ok {
			req.MAC, req.HasMAC = mac, true
			req.Name = pattern.prefix + mac.String() + pattern.suffix
			files = append(files, pattern.files...)
		}
	}
	req.Brands = brandsOf(files)
	req.Upload = slices.ContainsFunc(files, func(f brandFile) bool { return f.rule.Upload != nil })
	return req, files, req.HasMAC
}

func (p macPattern) match(name string) (models.MAC, bool) {
	if len(name) != len(p.prefix)+macDigits+len(p.suffix) ||
		!strings.HasPrefix(name, p.prefix) || !strings.HasSuffix(name, p.suffix) {
		return models.MAC{}, false
	}
	mac, err := models.ParseMAC(name[len(p.prefix) : len(p.prefix)+macDigits])
	return mac, err == nil && mac != models.MAC{}
}

// brandsOf lists the brands of files, which are in the brands' order.
func brandsOf(files []brandFile) []string {
	var names []string
	for _, file := range files {
		if len(names) == 0 || names[len(names)-1] != file.brand {
			names = append(names, file.brand)
		}
	}
	return names
}
