package api_test

import (
	"bytes"
	"fmt"
	"testing"

	"dialtone/api"
	"dialtone/models"
	"dialtone/models/sqlstore"
	"dialtone/models/sqlstore/sqlstoretest"
)

// BenchmarkImportLarge measures rows a second of a file that is checked and then
// stored, as `dialtone device import` does it.
func BenchmarkImportLarge(b *testing.B) {
	databases := []struct {
		name string
		open func(testing.TB) *sqlstore.Store
	}{{"sqlite", sqlstoretest.New}, {"mysql", sqlstoretest.NewMySQL}}
	for _, database := range databases {
		b.Run(database.name, func(b *testing.B) {
			file := fleetFile(100_000)
			for range b.N {
				b.StopTimer()
				store := database.open(b)
				account := newMaster(b, store)
				b.StartTimer()
				if result := importLarge(b, store, account, file, api.ImportOptions{}); result.Now.Stored != 100_000 {
					b.Fatalf("%+v", result)
				}
			}
			b.ReportMetric(100_000*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// fleetFile is a CSV file of so many phones.
func fleetFile(rows int) []byte {
	var file bytes.Buffer
	file.WriteString("name,mac,sip.username,sip.password,brand,family,model,enabled,sip.expire_seconds,caller_id.internal.name\n")
	for n := range rows {
		fmt.Fprintf(&file, "Phone %[1]d,02%010[1]x,u%[1]d,s3cret-%[1]d,yealink,t4x,t46u,true,600,User %[1]d\n", n)
	}
	return file.Bytes()
}

func newMaster(tb testing.TB, store *sqlstore.Store) *models.Account {
	tb.Helper()
	a := &models.Account{}
	if err := a.SetDocument(models.Document{"name": "A", "realm": "a.example.com"}); err != nil {
		tb.Fatal(err)
	}
	if err := store.CreateAccount(tb.Context(), a, models.NewAPIKey()); err != nil {
		tb.Fatal(err)
	}
	return a
}

func importLarge(tb testing.TB, store *sqlstore.Store, account *models.Account, file []byte, opts api.ImportOptions) api.LargeResult {
	tb.Helper()
	survey, err := api.SurveyCSV(bytes.NewReader(file))
	if err != nil {
		tb.Fatal(err)
	}
	large := api.LargeImport{
		Store: store, Account: account, File: bytes.NewReader(file), Survey: survey, Options: opts, Progress: func(string, int) {},
	}
	result, err := large.Run(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return result
}
