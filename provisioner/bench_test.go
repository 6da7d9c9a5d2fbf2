package provisioner

import (
	"testing"

	"dialtone/models"
	"dialtone/templates"
)

// BenchmarkDeviceFile renders a phone's settings file: cold, and from the cache
// with the revisions compared.
func BenchmarkDeviceFile(b *testing.B) {
	c := builtinCatalog(b)
	for _, brand := range c.Brands() {
		samples, err := loadSamples(templates.FS, brand)
		if err != nil {
			b.Fatal(err)
		}
		sample := samples[0]
		for _, s := range samples {
			if len(s.models) == 0 {
				sample = s
			}
		}
		targets := c.brands[brand].targets(sample)
		phone, err := sample.forTarget(targets[len(targets)-1])
		if err != nil {
			b.Fatal(err)
		}
		for _, u := range sample.users {
			u.Revision = "1-u"
		}
		phone.Account.Revision = "1-a"
		for name, revision := range map[string]string{"cold": "", "cached": "1-d"} {
			b.Run(brand+"/"+name, func(b *testing.B) { benchmarkDeviceFile(b, c, phone, sample.users, revision) })
		}
	}
}

func benchmarkDeviceFile(b *testing.B, c *Catalog, phone *models.Phone, users []*models.User, revision string) {
	s := NewService(&fakeStore{users: users}, c, Options{BaseURL: "http://host"})
	phone.Device.Revision = revision
	mac, _ := phone.Device.MAC()
	name := ""
	for _, file := range c.brands[phone.Device.Provision.Brand].deviceFiles(c.Model(phone.Device.Provision.Brand, "", string(phone.Device.Provision.Model)), mac) {
		if file.rule.Settings {
			name = file.name
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.DeviceFile(b.Context(), phone, name); err != nil {
			b.Fatal(err)
		}
	}
}
