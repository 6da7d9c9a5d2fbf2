package provisioner

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"dialtone/models"
)

// Bootstrap is what a phone without credentials gets as a file of its own while
// it may come so: where to fetch, and its HTTP credentials. The URL is without
// the account's token, which would open all of the account's files. It is
// ErrNotFound when the file has no such form, or the account lets no phone in by
// its credentials.
func (s *Service) Bootstrap(ctx context.Context, phone *models.Phone, req Request) (File, error) {
	c := req.catalog
	file, ok := req.ruleFor(phone.Device)
	mac, hasMAC := phone.Device.MAC()
	if !ok || file.rule.Bootstrap == "" || !hasMAC || req.MAC != mac || !phone.Account.Access.Password {
		return File{}, fmt.Errorf("device %s, bootstrap in %q: %w", phone.Device.ID, req.Name, models.ErrNotFound)
	}
	account := *phone.Account
	account.Access.Token, account.PathToken = false, ""
	rule := *file.rule
	rule.Template, rule.Phonebook, rule.Settings = rule.Bootstrap, false, false
	in := c.brands[phone.Device.Provision.Brand].deviceInput(phone, nil, s.opts.Registrar)
	in.account = &account
	in.server = server{Username: mac.String(), Password: phone.Device.HTTPPassword}
	f, err := s.renderFor(ctx, c, fillMAC(file.path, mac), &rule, in)
	if err != nil {
		return File{}, fmt.Errorf("device %s, bootstrap: %w", phone.Device.ID, err)
	}
	return f, nil
}

// checkBootstraps refuses templates for phones without credentials that read a
// secret other than the HTTP password, and those that are missing.
func (c *Catalog) checkBootstraps() error {
	var problems []error
	for _, name := range c.Brands() {
		for _, rule := range c.brands[name].Files {
			if rule.Bootstrap == "" {
				continue
			}
			if _, there := c.templates.files[path.Join(name, rule.Bootstrap)]; !there {
				problems = append(problems, &FileError{File: path.Join(name, rule.Bootstrap), Reason: "there is no such template"})
			}
			problems = append(problems, c.templates.checkBootstrap(name, rule.Bootstrap)...)
		}
	}
	return errors.Join(problems...)
}

// checkBootstrap looks at a brand's templates of that name, in whatever folder.
func (t *templateTree) checkBootstrap(brand, name string) []error {
	var problems []error
	for _, file := range sortedKeys(t.files) {
		if !strings.HasPrefix(file, brand+"/") || path.Base(file) != name {
			continue
		}
		for _, variable := range t.secret[file] {
			if variable != "server.password" {
				problems = append(problems, &FileError{
					File: file, Reason: fmt.Sprintf("reads %s: a phone without credentials is given no secret but server.password", variable),
				})
			}
		}
	}
	return problems
}

// CertificateMAC is the phone that a certificate of the brand is for, by its
// subject's common name. False: it names none.
func (c *Catalog) CertificateMAC(brand, commonName string) (models.MAC, bool) {
	b, known := c.brands[brand]
	if !known || b.certMAC == nil {
		return models.MAC{}, false
	}
	match := b.certMAC.FindStringSubmatch(commonName)
	if match == nil {
		return models.MAC{}, false
	}
	mac, err := models.ParseMAC(match[1])
	return mac, err == nil
}
