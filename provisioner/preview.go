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
	masked, phone, err := s.masked(phone)
	if err != nil {
		return File{}, err
	}
	return masked.DeviceFile(ctx, phone, name)
}

// masked is a service and a phone with secrets that read "REDACTED".
func (s *Service) masked(phone *models.Phone) (*Service, *models.Phone, error) {
	return s.withSecrets(phone, models.Document.Masked, func(secret models.Secret) models.Secret { return models.Secret(secret.String()) })
}

// withSecrets is a service and a phone with other secrets.
func (s *Service) withSecrets(phone *models.Phone, inDocument func(models.Document) models.Document, replace func(models.Secret) models.Secret) (*Service, *models.Phone, error) {
	other, phone, err := s.changed(phone, func(_ string, doc models.Document) models.Document { return inDocument(doc) })
	if err != nil {
		return nil, nil, err
	}
	phone.Device.HTTPPassword = replace(phone.Device.HTTPPassword)
	phone.Account.PathToken = replace(phone.Account.PathToken)
	for _, l := range phone.Lines {
		l.Phone.Device.HTTPPassword = replace(l.Phone.Device.HTTPPassword)
	}
	return other, phone, nil
}
