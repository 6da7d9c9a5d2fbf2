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

	catalog *Catalog // that knows it, nil = none does
	files   []brandFile
}

// ruleFor is what the device's brand has under the name; false when that is
// nothing. Whether the MAC in the name is the device's is not asked.
func (r Request) ruleFor(d *models.Device) (brandFile, bool) {
	i := slices.IndexFunc(r.files, func(f brandFile) bool { return f.brand == d.Provision.Brand })
	if i < 0 {
		return brandFile{}, false
	}
	return r.files[i], true
}

// patterns match file names against the files of all brands, without regard to
// the case of letters. Model attributes in paths are filled in beforehand, so
// only the MAC is left open.
type patterns struct {
	literal map[string]*fileSet
	perMAC  []macPattern // prefixes and suffixes in lower case, too
}

// A fileSet is the files that one pattern stands for.
type fileSet struct {
	files  []brandFile
	brands []string // theirs
	upload bool     // phones may store one of them
}

func (s *fileSet) add(files ...brandFile) {
	s.files = append(s.files, files...)
	s.brands = brandsOf(s.files)
	s.upload = slices.ContainsFunc(s.files, func(f brandFile) bool { return f.rule.Upload != nil })
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
	fileSet
}

func newPatterns(brands map[string]*brand) *patterns {
	p := &patterns{literal: map[string]*fileSet{}}
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
	before, after, upper := strings.Cut(path, "{"+upperPlaceholder+"}")
	if upper {
		return before + strings.ToUpper(mac.String()) + after
	}
	return strings.Replace(path, "{"+macPlaceholder+"}", mac.String(), 1)
}

func (p *patterns) add(file brandFile) {
	path := strings.ToLower(file.path)
	prefix, suffix, perMAC := strings.Cut(path, "{"+macPlaceholder+"}")
	if !perMAC {
		if p.literal[path] == nil {
			p.literal[path] = &fileSet{}
		}
		p.literal[path].add(file)
		return
	}
	i := slices.IndexFunc(p.perMAC, func(m macPattern) bool { return m.prefix == prefix && m.suffix == suffix })
	if i < 0 {
		i = len(p.perMAC)
		p.perMAC = append(p.perMAC, macPattern{prefix: prefix, suffix: suffix})
	}
	p.perMAC[i].add(file)
}

// match finds whose file a name is. Literal names come before those with a
// MAC, which is never all zeros: files named with zeros are common files.
func (c *Catalog) match(name string) (Request, bool) {
	name = strings.ToLower(name)
	if set, ok := c.patterns.literal[name]; ok {
		return Request{Name: name, Brands: set.brands, catalog: c, files: set.files}, true
	}
	req := Request{catalog: c}
	found := fileSet{}
	for i := range c.patterns.perMAC {
		pattern := &c.patterns.perMAC[i]
		mac, ok := pattern.match(name)
		switch {
		case !ok:
			continue
		case req.HasMAC: // a name that two patterns fit
			found = fileSet{files: slices.Clone(found.files)}
			found.add(pattern.files...)
		default:
			found = pattern.fileSet
		}
		req.Name, req.MAC, req.HasMAC = name, mac, true
	}
	req.Brands, req.Upload, req.files = found.brands, found.upload, found.files
	return req, req.HasMAC
}

func (p *macPattern) match(name string) (models.MAC, bool) {
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
