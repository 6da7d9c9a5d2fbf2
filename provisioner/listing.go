package provisioner

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Models are the listed models of a brand, by family and name.
func (c *Catalog) Models(brand string) []Model {
	b, ok := c.brands[brand]
	if !ok {
		return nil
	}
	var models []Model
	for _, key := range b.modelKeys() {
		models = append(models, b.model(key.family, key.model))
	}
	return models
}

// ModelFiles are the files of a model, in the manifest's order. {mac} stays in
// their names.
func (c *Catalog) ModelFiles(m Model) []PhoneFile {
	b, ok := c.brands[m.Brand]
	if !ok {
		return nil
	}
	var files []PhoneFile
	for i := range b.Files {
		if name, ok := fillAttributes(b.Files[i].Path, m.Attributes); ok {
			files = append(files, PhoneFile{Name: name, Rule: &b.Files[i]})
		}
	}
	return files
}

// TemplateFor is the template that makes a file of a model, for a device with
// that provision.id; "" when there is none. A common file is the same for
// every model that asks for it.
func (c *Catalog) TemplateFor(m Model, provisionID string, rule *FileRule) string {
	if rule.Template == "" {
		return ""
	}
	if rule.PerDevice() {
		return c.templateFor(m, provisionID, rule.Template)
	}
	name, _ := fillAttributes(rule.Path, m.Attributes)
	set := c.patterns.literal[strings.ToLower(name)]
	if set == nil {
		return ""
	}
	for _, file := range set.files {
		if file.brand == m.Brand {
			return c.templateFor(c.brands[m.Brand].model(file.model.family, file.model.model), "", rule.Template)
		}
	}
	return ""
}

// Fingerprint names the text of a template and of all that it uses.
func (c *Catalog) Fingerprint(template string) string {
	h := sha256.New()
	for _, file := range c.templates.with(template) {
		_, _ = fmt.Fprintf(h, "%q %q\n", file, c.templates.files[file])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// with is a template and all that it uses, each once.
func (t *templateTree) with(file string) []string {
	files := []string{file}
	for i := 0; i < len(files); i++ {
		for _, c := range t.codes[files[i]] {
			switch c.name() {
			case "include", "extends", "import":
				if used := c.tokens[1].text; !slices.Contains(files, used) {
					files = append(files, used)
				}
			}
		}
	}
	return files
}

// ValuesInComments are the places where templates of a brand write a value into
// an XML comment, which a "--" in it would break.
func (c *Catalog) ValuesInComments(brand string) []FileError {
	var found []FileError
	for _, file := range sortedKeys(c.templates.files) {
		if !strings.HasPrefix(file, brand+"/") {
			continue
		}
		text := c.templates.files[file]
		for _, code := range c.templates.codes[file] {
			begun := strings.LastIndex(text[:code.start], "<!--")
			if !code.tag && begun >= 0 && !strings.Contains(text[begun:code.start], "-->") {
				found = append(found, FileError{File: file, Line: code.line, Column: column(text, code.start),
					Reason: `a value in an XML comment: "--" in it breaks the file`, Hint: "say it in an element, or in {% comment %}"})
			}
		}
	}
	return found
}
