package provisioner

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"dialtone/models"
)

// manifestFile is the name of a brand's manifest in its folder.
const manifestFile = "manifest.yaml"

// The bounds of a manifest's numbers: they keep rendering time bounded.
const (
	maxManifestBytes = 1 << 20
	maxLines         = 300
	maxLineKeys      = 400
	maxUploadBytes   = 4 << 20
	maxUploadPath    = 200 // characters
	maxModules       = 10
	maxModuleKeys    = 100
)

// headerLine is a header of a message, on one line.
var headerLine = regexp.MustCompile(`^[A-Za-z][A-Za-z-]*: [!-~][ -~]*$`)

// uploadTypes are what an upload may be served as: nothing that a browser runs.
var uploadTypes = []string{"text/plain", "application/xml"}

// A FileError is a mistake in a file of the template tree.
type FileError struct {
	File   string // path in the tree: "acme/manifest.yaml"
	Line   int    // 1-based, 0 when it has none
	Column int    // 1-based, in characters; 0 when it is not known
	Reason string
	Hint   string // what may help, "" = nothing
}

func (e *FileError) Error() string {
	text := e.Place() + ": " + e.Reason
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// Place is file:line:column, as far as they are known.
func (e *FileError) Place() string {
	switch {
	case e.Line == 0:
		return e.File
	case e.Column == 0:
		return fmt.Sprintf("%s:%d", e.File, e.Line)
	}
	return fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column)
}

// brand is one brand of a catalog: its manifest and what was compiled from it.
type brand struct {
	Manifest
	defaults   models.Document
	userAgents []*regexp.Regexp
	generation *regexp.Regexp      // nil: versions are all alike
	certMAC    *regexp.Regexp      // nil: phones have no certificates
	byName     map[string]modelKey // model name or alias, lower-case -> where it is listed
}

// modelKey names a listed model.
type modelKey struct{ family, model string }

// loadBrand reads and checks <name>/manifest.yaml.
func loadBrand(fsys fs.FS, name string) (*brand, error) {
	file := name + "/" + manifestFile
	raw, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, &FileError{File: file, Reason: err.Error()}
	}
	return parseBrand(file, name, raw)
}

// parseBrand decodes and checks the text of a manifest.
func parseBrand(file, name string, raw []byte) (b *brand, err error) {
	defer func() { // the YAML library is fed whatever an author typed
		if p := recover(); p != nil {
			b, err = nil, &FileError{File: file, Reason: fmt.Sprint("unreadable: ", p)}
		}
	}()
	if len(raw) > maxManifestBytes {
		return nil, &FileError{File: file, Reason: fmt.Sprintf("larger than %d bytes", maxManifestBytes)}
	}
	b = &brand{}
	if err := yaml.UnmarshalWithOptions(raw, &b.Manifest, yaml.Strict()); err != nil {
		return nil, yamlError(file, err)
	}
	tree, err := parser.ParseBytes(raw, 0)
	if err != nil {
		return nil, yamlError(file, err)
	}
	c := &manifestCheck{file: file, tree: tree, brand: b}
	c.run(name)
	return b, errors.Join(c.problems...)
}

// yamlError keeps the line of a YAML error, without the excerpt.
func yamlError(file string, err error) error {
	var located yaml.Error
	if errors.As(err, &located) && located.GetToken() != nil {
		at := located.GetToken().Position
		return &FileError{File: file, Line: at.Line, Column: at.Column, Reason: located.GetMessage()}
	}
	return &FileError{File: file, Reason: err.Error()}
}

// manifestCheck collects what is wrong with one manifest.
type manifestCheck struct {
	file     string
	tree     *ast.File
	brand    *brand
	problems []error
}

// bad reports a mistake at a YAML path ("$.files[0].path"), or at the nearest
// member above it that is there.
func (c *manifestCheck) bad(path, format string, args ...any) {
	c.problems = append(c.problems, &FileError{File: c.file, Line: c.line(path), Reason: fmt.Sprintf(format, args...)})
}

func (c *manifestCheck) line(path string) int {
	for path != "" && path != "$" {
		if p, err := yaml.PathString(path); err == nil {
			if node, err := p.FilterFile(c.tree); err == nil && node.GetToken() != nil {
				return node.GetToken().Position.Line
			}
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 1
}

// reservedAttributes already mean something in templates or in PhoneScript.
var reservedAttributes = append([]string{macPlaceholder, "mac_colons", "firmware"}, modelMembers...)

var (
	plainName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}$`)
	ouiForm     = regexp.MustCompile(`^[0-9a-f]{6}$`)
	placeholder = regexp.MustCompile(`\{([a-z_]+|MAC)\}`)
	identifier  = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

func (c *manifestCheck) run(folder string) {
	m := &c.brand.Manifest
	if m.Brand != folder {
		c.bad("$.brand", "brand is %q, the folder %q", m.Brand, folder)
	}
	for i, oui := range m.OUIs {
		if !ouiForm.MatchString(oui) {
			c.bad(fmt.Sprintf("$.ouis[%d]", i), "oui %q: want six lower-case hex digits", oui)
		}
	}
	for i, pattern := range m.UserAgents {
		re, err := regexp.Compile(pattern)
		if err != nil {
			c.bad(fmt.Sprintf("$.user_agents[%d]", i), "user agent: %v", err)
			continue
		}
		c.brand.userAgents = append(c.brand.userAgents, re)
	}
	if m.Generation != "" {
		re, err := regexp.Compile(m.Generation)
		if err != nil || re.NumSubexp() < 1 {
			c.bad("$.generation", "generation %q: want a regular expression with a group of digits", m.Generation)
		}
		c.brand.generation = re
	}
	if m.Certificate.MAC != "" {
		re, err := regexp.Compile(m.Certificate.MAC)
		if err != nil || re.NumSubexp() < 1 {
			c.bad("$.certificate.mac", "certificate.mac %q: want a regular expression with a group for the MAC", m.Certificate.MAC)
		}
		c.brand.certMAC = re
	}
	if m.CheckSync.Resync == "" || m.CheckSync.Reboot == "" {
		c.bad("$.check_sync", "check_sync needs resync and reboot")
	}
	if m.PnP.Body == "" && len(m.PnP.Vendors) > 0 || m.PnP.Body != "" && !strings.Contains(m.PnP.Body, "{url}") {
		c.bad("$.pnp", "pnp: body %q does not say {url}", m.PnP.Body)
	}
	for i, line := range m.AutoAnswer {
		if !headerLine.MatchString(line) {
			c.bad(fmt.Sprintf("$.auto_answer[%d]", i), "auto_answer %q: want a header, like \"Alert-Info: Auto Answer\"", line)
		}
	}
	if m.Transports["udp"] == "" {
		c.bad("$.transports", "transports needs udp: what stands in for an unknown one")
	}
	if m.Offsets.Min > m.Offsets.Max {
		c.bad("$.offsets", "offsets: min %d is more than max %d", m.Offsets.Min, m.Offsets.Max)
	}
	c.checkKeys()
	c.checkCodecs("codecs", c.brand.Codecs)
	c.checkCodecs("video_codecs", c.brand.VideoCodecs)
	c.checkDefaults()
	c.checkCapabilities("$.model", m.Model)
	if m.Model.Lines == 0 {
		c.bad("$.model", "model needs lines: what an unlisted model has")
	}
	c.checkFamilies()
	c.checkFiles()
	c.checkPhone()
	if style := m.Parameters.Style; style != "" && !slices.Contains(parameterStyles, style) {
		c.bad("$.parameters.style", "style %q: want one of %s", style, strings.Join(parameterStyles, ", "))
	}
}

var parameterStyles = []string{StyleKeys, StyleAttributes, StyleElements, StylePaths}

func (c *manifestCheck) checkKeys() {
	for name, rule := range map[string]KeyRule{"combo": c.brand.Keys.Combo, "feature": c.brand.Keys.Feature} {
		if rule.First < 1 {
			c.bad("$.keys."+name+".first", "keys.%s.first is %d: line keys count from 1", name, rule.First)
		}
	}
}

func (c *manifestCheck) checkCodecs(member string, codecs []CodecRule) {
	codes, names := map[string]bool{}, map[string]bool{}
	for i, codec := range codecs {
		at := fmt.Sprintf("$.%s[%d]", member, i)
		if codec.Code == "" {
			c.bad(at, "a codec needs a code")
		}
		if codes[codec.Code] {
			c.bad(at, "codec code %q is there twice", codec.Code)
		}
		codes[codec.Code] = true
		for _, name := range codec.Names {
			if names[name] {
				c.bad(at, "codec name %q is there twice", name)
			}
			names[name] = true
		}
	}
}

// checkDefaults turns the defaults into a document, with JSON's numbers.
func (c *manifestCheck) checkDefaults() {
	c.brand.defaults = models.Document{}
	if c.brand.Defaults == nil {
		return
	}
	raw, err := json.Marshal(c.brand.Defaults)
	if err != nil {
		c.bad("$.defaults", "defaults: %v", err)
		return
	}
	doc, err := models.ParseDocument(raw)
	if err == nil {
		_, err = models.ParseDeviceSettings(doc)
	}
	if err != nil {
		c.bad("$.defaults", "defaults: %v", err)
		return
	}
	c.brand.defaults = doc
}

func (c *manifestCheck) checkCapabilities(at string, caps Capabilities) {
	for _, bound := range []struct {
		name       string
		value, max int
	}{
		{"lines", caps.Lines, maxLines},
		{"line_keys", caps.LineKeys, maxLineKeys},
		{"expansion_modules", caps.ExpansionModules, maxModules},
		{"expansion_keys", caps.ExpansionKeys, maxModuleKeys},
		{"phonebook_entries", caps.PhonebookEntries, maxPhonebookEntries},
	} {
		if bound.value < 0 || bound.value > bound.max {
			c.bad(at+"."+bound.name, "%s is %d: want 0 to %d", bound.name, bound.value, bound.max)
		}
	}
	for name := range caps.Attributes {
		if !identifier.MatchString(name) || slices.Contains(reservedAttributes, name) {
			c.bad(at+".attributes", "attribute %q: want a free name of a-z, 0-9 and _", name)
		}
	}
}

func (c *manifestCheck) checkFamilies() {
	c.brand.byName = map[string]modelKey{}
	for _, name := range sortedKeys(c.brand.Families) {
		at := fmt.Sprintf("$.families.'%s'", name)
		family := c.brand.Families[name]
		if !plainName.MatchString(name) || name == idFolder {
			c.bad(at, "family %q is no folder name", name)
		}
		c.checkCapabilities(at+".model", family.Model)
		for _, model := range sortedKeys(family.Models) {
			c.checkModel(fmt.Sprintf("%s.models.'%s'", at, model), modelKey{name, model}, family.Models[model])
		}
	}
}

func (c *manifestCheck) checkModel(at string, key modelKey, rule ModelRule) {
	if !plainName.MatchString(key.model) || key.model != strings.ToLower(key.model) {
		c.bad(at, "model %q: want a lower-case folder name", key.model)
	}
	c.checkCapabilities(at, rule.Capabilities)
	for _, name := range append([]string{key.model}, rule.Aliases...) {
		if name != strings.ToLower(name) {
			c.bad(at, "alias %q: want lower case", name)
		}
		if other, taken := c.brand.byName[name]; taken {
			c.bad(at, "%q already names model %s of family %s", name, other.model, other.family)
		}
		c.brand.byName[name] = key
	}
}

func (c *manifestCheck) checkFiles() {
	if len(c.brand.Files) == 0 {
		c.bad("$.files", "files: a brand without files")
	}
	roles, paths := map[string]bool{}, map[string]bool{}
	for i, rule := range c.brand.Files {
		at := fmt.Sprintf("$.files[%d]", i)
		if rule.Role == "" || roles[rule.Role] {
			c.bad(at+".role", "role %q: want a name of its own", rule.Role)
		}
		if paths[rule.Path] {
			c.bad(at+".path", "path %q is there twice", rule.Path)
		}
		roles[rule.Role], paths[rule.Path] = true, true
		c.checkFile(at, rule)
	}
}

func (c *manifestCheck) checkFile(at string, rule FileRule) {
	bare := placeholder.ReplaceAllString(rule.Path, "x")
	if !fs.ValidPath(bare) || bare == "." || strings.ContainsAny(bare, "{}\\") {
		c.bad(at+".path", "path %q: want a relative path with {mac} or {attribute}", rule.Path)
	}
	for _, name := range placeholders(rule.Path) {
		if !isMAC(name) && len(c.brand.attributeValues(name)) == 0 {
			c.bad(at+".path", "path %q: no model has the attribute %q", rule.Path, name)
		}
	}
	if macs := slices.DeleteFunc(placeholders(rule.Path), func(name string) bool { return !isMAC(name) }); len(macs) > 1 {
		c.bad(at+".path", "path %q: {mac} only once", rule.Path)
	}
	if rule.Upload != nil {
		c.checkUpload(at, rule)
	}
	if rule.Override && rule.Upload == nil {
		c.bad(at+".override", "override: only what a phone may upload can be one")
	}
	if rule.ContentType == "" {
		c.bad(at+".content_type", "content_type is missing")
	}
	if rule.Settings && !rule.PerDevice() {
		c.bad(at+".settings", "settings: a file with settings of one device needs {mac} in its path")
	}
	if rule.rendered() {
		c.checkRendered(at, rule)
	}
	if rule.Bootstrap != "" {
		c.checkBootstrap(at, rule)
	}
}

func (c *manifestCheck) checkUpload(at string, rule FileRule) {
	if rule.Upload.MaxBytes < 1 || rule.Upload.MaxBytes > maxUploadBytes {
		c.bad(at+".upload", "upload.max_bytes is %d: want 1 to %d", rule.Upload.MaxBytes, maxUploadBytes)
	}
	if !rule.PerDevice() || len(rule.Path) > maxUploadPath {
		c.bad(at+".path", "path %q: what a phone uploads needs {mac} and at most %d characters", rule.Path, maxUploadPath)
	}
	if !slices.Contains(uploadTypes, rule.ContentType) {
		c.bad(at+".content_type", "content_type %q: want one of %s for an upload", rule.ContentType, strings.Join(uploadTypes, ", "))
	}
	if rule.Settings {
		c.bad(at+".settings", "settings: not of a file that the phone itself writes")
	}
}

func (c *manifestCheck) checkTemplateName(at, name string) {
	if !fs.ValidPath(name) || strings.Contains(name, "/") || !strings.HasSuffix(name, templateSuffix) {
		c.bad(at, "template %q: want a file name ending in %s", name, templateSuffix)
	}
}

func (c *manifestCheck) checkRendered(at string, rule FileRule) {
	c.checkTemplateName(at+".template", rule.Template)
	if _, known := formats[rule.Format]; !known {
		c.bad(at+".format", "format %q: want one of %s", rule.Format, strings.Join(sortedKeys(formats), ", "))
	}
}

func (c *manifestCheck) checkBootstrap(at string, rule FileRule) {
	if !rule.PerDevice() || !rule.rendered() || rule.Upload != nil {
		c.bad(at+".bootstrap", "bootstrap: only of a file with {mac} in its path and a template, that phones do not store")
	}
	c.checkTemplateName(at+".bootstrap", rule.Bootstrap)
}

func (c *manifestCheck) checkPhone() {
	phone := c.brand.Phone
	if phone.Precedence != "" && phone.Precedence != "first" && phone.Precedence != "last" {
		c.bad("$.phone.precedence", `precedence %q: want "first" or "last"`, phone.Precedence)
	}
	for i, step := range phone.Boot {
		set := 0
		for _, is := range []bool{len(step.Index) > 0, len(step.Config) > 0, len(step.Get) > 0, step.Head != "", step.Put != ""} {
			if is {
				set++
			}
		}
		if set != 1 {
			c.bad(fmt.Sprintf("$.phone.boot[%d]", i), "a boot step has exactly one of index, config, get, head and put")
		}
	}
}

// attributeValues are all values of a model attribute, sorted, each once.
func (b *brand) attributeValues(name string) []string {
	var values []string
	for _, key := range b.modelKeys() {
		if v := b.capabilities(key.family, key.model).Attributes[name]; v != "" {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// modelKeys are the listed models by family and name.
func (b *brand) modelKeys() []modelKey {
	var keys []modelKey
	for family, rule := range b.Families {
		for model := range rule.Models {
			keys = append(keys, modelKey{family, model})
		}
	}
	slices.SortFunc(keys, func(x, y modelKey) int {
		return cmp.Or(cmp.Compare(x.family, y.family), cmp.Compare(x.model, y.model))
	})
	return keys
}

// capabilities of a model: its own, then its family's, then the brand's.
func (b *brand) capabilities(family, model string) Capabilities {
	caps := b.Model
	caps.Attributes = maps.Clone(caps.Attributes)
	caps.add(b.Families[family].Model)
	caps.add(b.Families[family].Models[model].Capabilities)
	return caps
}

// add lays what is set in top over c.
func (c *Capabilities) add(top Capabilities) {
	c.Label = cmp.Or(top.Label, c.Label)
	c.Lines = cmp.Or(top.Lines, c.Lines)
	c.LineKeys = cmp.Or(top.LineKeys, c.LineKeys)
	c.ExpansionModules = cmp.Or(top.ExpansionModules, c.ExpansionModules)
	c.ExpansionKeys = cmp.Or(top.ExpansionKeys, c.ExpansionKeys)
	c.PhonebookEntries = cmp.Or(top.PhonebookEntries, c.PhonebookEntries)
	for name, value := range top.Attributes {
		if c.Attributes == nil {
			c.Attributes = map[string]string{}
		}
		c.Attributes[name] = value
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// placeholders are the names between braces in a path pattern.
func placeholders(path string) []string {
	var names []string
	for _, match := range placeholder.FindAllStringSubmatch(path, -1) {
		names = append(names, match[1])
	}
	return names
}

// bom is what some editors put before the first character.
var bom = []byte("\ufeff")

func stripBOM(raw []byte) []byte { return bytes.TrimPrefix(raw, bom) }
