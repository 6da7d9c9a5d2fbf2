package sqlstore_test

import (
	"fmt"
	"testing"

	"dialtone/models"
	"dialtone/models/sqlstore"
	"dialtone/models/sqlstore/sqlstoretest"
)

// Devices of an import, the most that a file may have.
const benchDevices = 5000

// BenchmarkImport measures how long other writers of SQLite may have to wait:
// for devices that are imported, and deleted with their account.
func BenchmarkImport(b *testing.B) {
	databases := []struct {
		name string
		open func(testing.TB) *sqlstore.Store
	}{{"sqlite", sqlstoretest.New}, {"mysql", sqlstoretest.NewMySQL}}
	for _, database := range databases {
		b.Run(database.name, func(b *testing.B) {
			s := database.open(b)
			master := benchAccount(b, s, nil)
			fill := func(b *testing.B, devices []*models.Device) {
				b.Helper()
				if err := s.ImportDevices(b.Context(), devices, func(taken map[int]*models.TakenError) bool { return len(taken) == 0 }); err != nil {
					b.Fatal(err)
				}
			}
			empty := func(b *testing.B, a *models.Account) {
				b.Helper()
				if err := s.DeleteAccount(b.Context(), a); err != nil {
					b.Fatal(err)
				}
			}
			b.Run("import", func(b *testing.B) {
				for range b.N {
					b.StopTimer()
					a := benchAccount(b, s, master)
					devices := benchBatch(b, a)
					b.StartTimer()
					fill(b, devices)
					b.StopTimer()
					empty(b, a)
				}
				b.ReportMetric(float64(benchDevices*b.N)/b.Elapsed().Seconds(), "devices/s")
			})
			b.Run("delete", func(b *testing.B) {
				for range b.N {
					b.StopTimer()
					a := benchAccount(b, s, master)
					fill(b, benchBatch(b, a))
					b.StartTimer()
					empty(b, a)
				}
				b.ReportMetric(float64(benchDevices*b.N)/b.Elapsed().Seconds(), "devices/s")
			})
		})
	}
}

func benchAccount(b *testing.B, s *sqlstore.Store, parent *models.Account) *models.Account {
	b.Helper()
	a := &models.Account{}
	if parent != nil {
		a.Ancestors = []string{parent.ID}
	}
	if err := a.SetDocument(models.Document{"name": "A", "realm": models.NewID() + ".example.com"}); err != nil {
		b.Fatal(err)
	}
	if err := s.CreateAccount(b.Context(), a, models.NewAPIKey()); err != nil {
		b.Fatal(err)
	}
	return a
}

func benchBatch(b *testing.B, a *models.Account) []*models.Device {
	b.Helper()
	devices := make([]*models.Device, benchDevices)
	for n := range devices {
		doc, err := models.ParseDocument(fmt.Appendf(nil, `{"name":"Phone %[1]d","mac_address":"02%010[1]x",
			"sip":{"username":"user%[1]d","password":"s3cret%[1]d"},"media":{"audio":{"codecs":["PCMA","PCMU"]}},
			"provision":{"endpoint_brand":"common","endpoint_model":"x1","combo_keys":{"0":{"type":"line"},"1":{"type":"speed_dial","value":"100"}}}}`, n))
		if err != nil {
			b.Fatal(err)
		}
		devices[n] = &models.Device{AccountID: a.ID}
		if err := devices[n].SetDocument(doc); err != nil {
			b.Fatal(err)
		}
	}
	return devices
}
