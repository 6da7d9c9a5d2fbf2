package provisioner

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"

	"dialtone/models"
)

// A File is a rendered file, ready to be served.
type File struct {
	Name        string // as the manifest writes it
	Role        string // of the manifest: "boot", "common", "settings"
	ContentType string
	ETag        string // 32 hex digits, without quotes: the same bytes have the same ETag
	Body        []byte // not to be changed
	Settings    bool   // carries the device's settings
	Secret      bool   // has secrets in it: its template reads passwords, or it holds the token of the provisioning URL
}

// renderFile renders one file of a manifest from a view's input.
func (c *Catalog) renderFile(name string, rule *FileRule, in viewInput) (File, error) {
	template, v, err := c.templateAndView(rule, in)
	if err != nil {
		return File{}, err
	}
	body, err := c.templates.render(template, v)
	if err != nil {
		return File{}, err
	}
	if err := formats[rule.Format].check(rule, body); err != nil {
		return File{}, &FileError{File: template, Reason: fmt.Sprintf("made a broken %s file: %v", rule.Format, err)}
	}
	return newFile(name, rule, body, c.templates.reveals(template, in, body)), nil
}

// templateAndView are what a file is rendered from.
func (c *Catalog) templateAndView(rule *FileRule, in viewInput) (string, view, error) {
	id := ""
	if in.device != nil {
		id = in.device.Provision.ID
	}
	template := c.templateFor(in.model, id, rule.Template)
	if template == "" {
		return "", nil, &FileError{File: path.Join(in.model.Brand, rule.Template), Reason: "there is no such template"}
	}
	return template, newView(in, c.templates.needs[template], formats[rule.Format].escape), nil
}

// reveals reports whether there may be secrets in a file that a template made.
func (t *templateTree) reveals(template string, in viewInput, body []byte) bool {
	token := in.account.PathToken.Reveal()
	return len(t.secret[template]) > 0 || token != "" && bytes.Contains(body, []byte(token))
}

func newFile(name string, rule *FileRule, body []byte, secret bool) File {
	return File{
		Name:        name,
		Role:        rule.Role,
		ContentType: rule.ContentType,
		ETag:        ETag(body),
		Body:        body,
		Settings:    rule.Settings,
		Secret:      secret,
	}
}

// ETag names bytes: 32 hex digits.
func ETag(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:16])
}

// deviceInput derives everything that a phone's own files are made of.
func (b *brand) deviceInput(phone *models.Phone, users []*models.User, registrar string) viewInput {
	s := b.deriveSettings(phone, users, registrar)
	p := phone.Device.Provision
	model := b.model(p.Family, string(p.Model))
	s.lines = slices.DeleteFunc(s.lines, func(l line) bool { return l.Number > model.Lines })
	return viewInput{
		brand:    b,
		model:    model,
		settings: s,
		account:  phone.Account,
		owner:    phone.Owner,
		device:   phone.Device,
		firmware: phone.Firmware,
	}
}

// commonInput derives what a file without a MAC is made of: nothing of a
// device, so that every phone gets the same bytes.
func (b *brand) commonInput(account *models.Account, model modelKey) viewInput {
	return viewInput{brand: b, model: b.model(model.family, model.model), settings: b.commonSettings(account), account: account}
}

// deviceFiles are the rendered files of a brand that a device could ask for, by
// role in the manifest's order: those whose model attributes its model has.
func (b *brand) deviceFiles(m Model, mac models.MAC) []deviceFile {
	var files []deviceFile
	for i := range b.Files {
		rule := &b.Files[i]
		if name, ok := fillAttributes(rule.Path, m.Attributes); ok && rule.rendered() {
			files = append(files, deviceFile{name: fillMAC(name, mac), rule: rule})
		}
	}
	return files
}

type deviceFile struct {
	name string
	rule *FileRule
}

// PerDevice reports whether the file is a device's own.
func (r *FileRule) PerDevice() bool { return slices.ContainsFunc(placeholders(r.Path), isMAC) }

// rendered reports whether there is something to serve that no phone uploaded.
func (r *FileRule) rendered() bool { return r.Upload == nil || r.Template != "" }
