package sqlstore_test

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

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

// BenchmarkRecordFetches measures what the record of a fetch costs this program: batches
// of phones, each of which has come before.
func BenchmarkRecordFetches(b *testing.B) {
	databases := []struct {
		name string
		open func(testing.TB) *sqlstore.Store
	}{{"sqlite", sqlstoretest.New}, {"mysql", sqlstoretest.NewMySQL}}
	const batch = 500
	for _, database := range databases {
		b.Run(database.name, func(b *testing.B) {
			s := database.open(b)
			a := benchAccount(b, s, nil)
			devices := benchBatch(b, a)
			if err := s.ImportDevices(b.Context(), devices, func(taken map[int]*models.TakenError) bool { return len(taken) == 0 }); err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			spent := processorTime(b)
			for range b.N {
				fetches := make([]models.Fetch, batch)
				for i := range fetches {
					d := devices[rand.IntN(len(devices))]
					fetches[i] = models.Fetch{
						AccountID: a.ID, DeviceID: d.ID, MAC: d.MACAddress, File: d.MACAddress + ".cfg", Method: "GET", Status: 200, ETag: `"` + d.ID + d.ID[:28] + `"`,
						Bytes: 16000, Source: "192.0.2.1", UserAgent: "Common X1 1.0 " + d.MACAddress, At: time.Now(), CameBefore: true,
					}
				}
				if err := s.RecordFetches(b.Context(), fetches); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(processorTime(b)-spent)/float64(b.N*batch), "cpu-ns/fetch")
		})
	}
}

// processorTime is what this process has used so far.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
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
