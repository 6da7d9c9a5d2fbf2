package provisioner

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dialtone/models"
)

const (
	templateSuffix = ".tpl"
	samplesFolder  = "samples"
	goldensFolder  = "goldens"
	idFolder       = "id" // <brand>/id/<provision.id>/ holds templates chosen by provision.id
)

// A Catalog is everything known about the brands: their manifests and parsed
// templates. It never changes; a new tree makes a new Catalog.
type Catalog struct {
	brands    map[string]*brand
	templates *templateTree
	names     []string // of the brands, sorted
	patterns  *patterns
	hash      string
}

// A Model is a phone model as the catalog knows it, aliases applied.
type Model struct {
	Brand  string
	Family string
	Name   string // "" when nothing is known about it
	Capabilities
}

// Load reads a template tree: one folder per brand with its manifest.yaml,
// templates and samples. It proves what it read by rendering every file of
// every model with every sample. The error joins a FileError per mistake.
func Load(fsys fs.FS) (*Catalog, error) {
	c, err := Parse(fsys)
	if err != nil {
		return nil, err
	}
	if err := c.prove(fsys, c.Brands()); err != nil {
		return nil, err
	}
	return c, nil
}

// Parse is Load without the proof, which takes a second for the built-in tree:
// that one is proved when it is built.
func Parse(fsys fs.FS) (*Catalog, error) {
	names, err := brandFolders(fsys)
	if err != nil {
		return nil, err
	}
	c := &Catalog{brands: map[string]*brand{}, names: names}
	var problems []error
	for _, name := range names {
		b, err := loadBrand(fsys, name)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		c.brands[name] = b
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	if c.templates, err = loadTemplates(fsys, names); err != nil {
		return nil, err
	}
	if err := c.checkBootstraps(); err != nil {
		return nil, err
	}
	c.patterns = newPatterns(c.brands)
	c.hash = treeHash(fsys, names, c.templates.files)
	return c, nil
}

// brandFolders are the folders with a manifest, sorted. A folder that holds
// templates but no manifest is a mistake, any other is none of our business.
func brandFolders(fsys fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("template tree: %w", err)
	}
	var names []string
	for _, entry := range entries {
		name := entry.Name()
		if !entry.IsDir() || !plainName.MatchString(name) {
			continue
		}
		if _, err := fs.Stat(fsys, path.Join(name, manifestFile)); err == nil {
			names = append(names, name)
			continue
		}
		if found, _ := fs.Glob(fsys, path.Join(name, "*"+templateSuffix)); len(found) > 0 {
			return nil, &FileError{File: path.Join(name, manifestFile), Reason: "missing, though the folder holds templates"}
		}
	}
	if len(names) == 0 {
		return nil, &FileError{File: ".", Reason: "no folder with a " + manifestFile}
	}
	return names, nil
}

// treeHash names the content of all manifests and templates.
func treeHash(fsys fs.FS, brands []string, templates map[string]string) string {
	h := sha256.New()
	for _, name := range brands {
		raw, _ := fs.ReadFile(fsys, path.Join(name, manifestFile)) // read once before: a change since is seen by the next load
		_, _ = fmt.Fprintf(h, "%q %q\n", name, raw)
	}
	for _, file := range sortedKeys(templates) {
		_, _ = fmt.Fprintf(h, "%q %q\n", file, templates[file])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Hash names the content of the manifests and templates: 64 hex digits.
func (c *Catalog) Hash() string { return c.hash }

// Brands are the brands' names, sorted.
func (c *Catalog) Brands() []string { return slices.Clone(c.names) }

// Manifest is a brand's manifest; false when the brand is unknown. Not to be
// changed.
func (c *Catalog) Manifest(name string) (*Manifest, bool) {
	b, ok := c.brands[name]
	if !ok {
		return nil, false
	}
	return &b.Manifest, true
}

// Model resolves provision.endpoint_brand, _family and _model. The family may
// be empty when the model is listed. An unknown model has the capabilities of
// its family or brand, an unknown brand none.
func (c *Catalog) Model(brand, family, model string) Model {
	b, ok := c.brands[brand]
	if !ok {
		return Model{Brand: brand, Family: family, Name: strings.ToLower(model)}
	}
	return b.model(family, model)
}

func (b *brand) model(family, model string) Model {
	m := Model{Brand: b.Brand, Family: b.family(family), Name: strings.ToLower(model)}
	key, listed := b.byName[m.Name]
	if !listed {
		m.Capabilities = b.capabilities(m.Family, "")
		return m
	}
	m.Name = key.model
	m.Capabilities = b.capabilities(key.family, key.model)
	if m.Family == "" {
		m.Family = key.family
	}
	return m
}

// family applies Kazoo's clean-up: one leading "f" goes ("ft4x" is "t4x"),
// unless the family is listed as it stands.
func (b *brand) family(name string) string {
	if _, listed := b.Families[name]; listed || len(name) < 2 || name[0] != 'f' || !alphanumeric(name[1]) {
		return name
	}
	return name[1:]
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// templateFor is the path of the most specific template of that name:
// provision.id, model, family, brand. "" when there is none.
func (c *Catalog) templateFor(m Model, provisionID, name string) string {
	var folders []string
	if plainName.MatchString(provisionID) {
		folders = append(folders, path.Join(m.Brand, idFolder, provisionID))
	}
	if plainName.MatchString(m.Family) && m.Family != idFolder {
		if plainName.MatchString(m.Name) {
			folders = append(folders, path.Join(m.Brand, m.Family, m.Name))
		}
		folders = append(folders, path.Join(m.Brand, m.Family))
	}
	for _, folder := range append(folders, m.Brand) {
		file := path.Join(folder, name)
		if _, ok := c.templates.files[file]; ok {
			return file
		}
	}
	return ""
}

// A UserAgent is what a phone tells of itself in its requests.
type UserAgent struct {
	Brand    string     // whose pattern fits
	Model    string     // as it spells it: "VVX_101"
	Firmware string     // "108.86.0.20"
	MAC      models.MAC // zero when it does not tell
}

// userAgent reads a User-Agent by the first pattern of any brand that fits.
func (c *Catalog) userAgent(header string) UserAgent {
	if len(header) > maxUserAgent {
		return UserAgent{}
	}
	for _, brand := range c.names {
		for _, re := range c.brands[brand].userAgents {
			match := re.FindStringSubmatch(header)
			if match == nil {
				continue
			}
			mac, _ := models.ParseMAC(group(re, match, "mac")) // many are malformed: then none
			return UserAgent{brand, group(re, match, "model"), group(re, match, "firmware"), mac}
		}
	}
	return UserAgent{}
}

// firmwareKey is what files may depend on of a firmware version, which a phone
// tells and may make up: its generation, unless a template reads all of it.
func (c *Catalog) firmwareKey(b *brand, firmware string) string {
	if c.templates.exact {
		return firmware
	}
	return strconv.Itoa(b.generationOf(firmware))
}

// generationOf is the generation that a version of firmware belongs to, 0 when
// that cannot be told.
func (b *brand) generationOf(firmware string) int {
	if b.generation == nil {
		return 0
	}
	match := b.generation.FindStringSubmatch(firmware)
	if match == nil {
		return 0
	}
	n, _ := strconv.ParseUint(match[1], 10, 16)
	return int(n)
}

// group is what a named group of a pattern matched, "" when it has no such group.
func group(re *regexp.Regexp, match []string, name string) string {
	if i := re.SubexpIndex(name); i >= 0 {
		return match[i]
	}
	return ""
}

// maxUserAgent is the longest header that is looked at, in bytes.
const maxUserAgent = 512
