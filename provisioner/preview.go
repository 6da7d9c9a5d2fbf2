package provisioner

import (
	"context"

	"dialtone/models"
)

// Preview renders a file as DeviceFile does. Unless reveal is set every secret
// that goes into it is replaced before anything is rendered, so that the result
// cannot hold one, however a template spells it: SIP and HTTP passwords, the
// account's path token, and all members with the name of a secret, also those
// of manifests' defaults. The ETag is then not the one that phones see.
func (s *Service) Preview(ctx context.Context, phone *models.Phone, name string, reveal bool) (File, error) {
	if reveal {
		return s.DeviceFile(ctx, phone, name)
	}
	masked, err := maskedPhone(phone)
	if err != nil {
		return File{}, err
	}
	return s.with(s.Catalog().masked()).DeviceFile(ctx, masked, name)
}

// maskedPhone is the phone with secrets that read "REDACTED".
func maskedPhone(p *models.Phone) (*models.Phone, error) {
	device, account := *p.Device, *p.Account
	masked := &models.Phone{Device: &device, Account: &account}
	device.HTTPPassword = models.Secret(device.HTTPPassword.String())
	account.PathToken = models.Secret(account.PathToken.String())
	if err := device.SetDocument(device.Document.Masked()); err != nil {
		return nil, err
	}
	if err := account.SetDocument(account.Document.Masked()); err != nil {
		return nil, err
	}
	if p.Owner == nil {
		return masked, nil
	}
	owner := *p.Owner
	masked.Owner = &owner
	return masked, owner.SetDocument(owner.Document.Masked())
}

// masked is the catalog without the secrets of its manifests' defaults.
func (c *Catalog) masked() *Catalog {
	out := *c
	out.brands = make(map[string]*brand, len(c.brands))
	for name, b := range c.brands {
		masked := *b
		masked.defaults = b.defaults.Masked()
		out.brands[name] = &masked
	}
	return &out
}
