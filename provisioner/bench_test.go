package provisioner

import (
	"cmp"
	"path"
	"strconv"
	"syscall"
	"testing"
	"time"

	"dialtone/models"
	"dialtone/templates"
)

// BenchmarkLargestFile renders the largest file that any sample gives a phone of
// each brand, expansion modules and all: cold, and from the cache with the
// revisions compared.
func BenchmarkLargestFile(b *testing.B) {
	c := builtinCatalog(b)
	for _, brand := range c.Brands() {
		phone, users, name := largestFile(b, c, brand, "")
		of := path.Join(brand, string(phone.Device.Provision.Model))
		b.Run(of+"/cold", func(b *testing.B) {
			benchmarkDeviceFile(b, c, phone, users, name, func(i int) string { return strconv.Itoa(i) })
		})
		b.Run(of+"/cached", func(b *testing.B) {
			benchmarkDeviceFile(b, c, phone, users, name, func(int) string { return "1-d" })
		})
	}
}

// BenchmarkDeskPhone renders the largest file of a usual phone, cold.
func BenchmarkDeskPhone(b *testing.B) {
	c := builtinCatalog(b)
	phone, users, name := largestFile(b, c, "yealink", "t46u")
	benchmarkDeviceFile(b, c, phone, users, name, strconv.Itoa)
}

// largestFile finds the largest file of one phone over all samples of a brand,
// or of one of its models.
func largestFile(b *testing.B, c *Catalog, brand string, model models.Model) (phone *models.Phone, users []*models.User, name string) {
	b.Helper()
	trials, err := c.Trials(templates.FS, brand)
	if err != nil {
		b.Fatal(err)
	}
	size := 0
	for _, trial := range trials {
		if model != "" && trial.Phone.Device.Provision.Model != model {
			continue
		}
		files, err := trial.Files(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for i, file := range trial.Service.FilesOf(trial.Phone) {
			if file.Rule.PerDevice() && len(files[i].Body) > size {
				size, phone, name = len(files[i].Body), trial.Phone, file.Name
			}
		}
	}
	samples, err := loadSamples(templates.FS, brand)
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range samples {
		users = append(users, s.users...)
	}
	phone.Firmware = cmp.Or(phone.Firmware, "0")
	return phone, users, name
}

func benchmarkDeviceFile(b *testing.B, c *Catalog, phone *models.Phone, users []*models.User, name string, revision func(i int) string) {
	s := NewService(&fakeStore{users: users}, c, Options{BaseURL: "http://host"})
	phone.Account.Revision = "1-a"
	b.ReportAllocs()
	size, spent := 0, processorTime(b)
	for i := 0; b.Loop(); i++ {
		phone.Device.Revision = revision(i)
		f, err := s.DeviceFile(b.Context(), phone, name)
		if err != nil {
			b.Fatal(err)
		}
		size = len(f.Body)
	}
	b.ReportMetric(float64(size), "B/file")
	b.ReportMetric(float64(processorTime(b)-spent)/float64(b.N), "cpu-ns/op")
}

// processorTime is what the program has used of all cores so far: unlike the
// time that passes it counts no other program's turn.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
