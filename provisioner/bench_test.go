package provisioner

import (
	"strconv"
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
		b.Run(brand+"/cold", func(b *testing.B) {
			benchmarkDeviceFile(b, c, phone, sample.users, func(i int) string { return strconv.Itoa(i) })
		})
		b.Run(brand+"/cached", func(b *testing.B) {
			benchmarkDeviceFile(b, c, phone, sample.users, func(int) string { return "1-d" })
		})
	}
}

func benchmarkDeviceFile(b *testing.B, c *Catalog, phone *models.Phone, users []*models.User, revision func(i int) string) {
	s := NewService(&fakeStore{users: users}, c, Options{BaseURL: "http://host"})
	mac, _ := phone.Device.MAC()
	name := ""
	for _, file := range c.brands[phone.Device.Provision.Brand].deviceFiles(c.Model(phone.Device.Provision.Brand, "", string(phone.Device.Provision.Model)), mac) {
		if file.rule.Settings {
			name = file.name
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		phone.Device.Revision = revision(i)
		if _, err := s.DeviceFile(b.Context(), phone, name); err != nil {
			b.Fatal(err)
		}
	}
}
