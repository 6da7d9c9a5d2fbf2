package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dialtone/api"
	"dialtone/models"
	"dialtone/models/sqlstore"
	"dialtone/models/sqlstore/sqlstoretest"
)

// stored counts an account's devices, and its audit entries of them.
func stored(t *testing.T, store *sqlstore.Store, account string) (devices int) {
	t.Helper()
	for after := ""; ; {
		list, err := store.ListDevices(t.Context(), account, models.Listing{After: after, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			return devices
		}
		devices += len(list)
		after = list[len(list)-1].ID
	}
}

func eachStore(t *testing.T, test func(t *testing.T, store *sqlstore.Store, account *models.Account)) {
	for name, open := range map[string]func(testing.TB) *sqlstore.Store{"sqlite": sqlstoretest.New, "mysql": sqlstoretest.NewMySQL} {
		t.Run(name, func(t *testing.T) {
			store := open(t)
			test(t, store, newMaster(t, store))
		})
	}
}

func TestImportLarge(t *testing.T) {
	const rows = 1000
	api.SetImportPart(t, 300)
	eachStore(t, func(t *testing.T, store *sqlstore.Store, account *models.Account) {
		file := fleetFile(rows)
		if dry := importLarge(t, store, account, file, api.ImportOptions{DryRun: true}); dry.Rows != rows || dry.Bad != 0 || dry.Now.Line != 0 || stored(t, store, account.ID) != 0 {
			t.Fatalf("dry run: %+v", dry)
		}
		first := importLarge(t, store, account, file, api.ImportOptions{})
		if first.Bad != 0 || first.Now.Stored != rows || !first.Now.Finished || first.Now.Line != rows+1 || !first.Compared {
			t.Fatalf("import: %+v", first)
		}
		if n := stored(t, store, account.ID); n != rows {
			t.Errorf("%d devices", n)
		}
		mac, _ := models.ParseMAC(fmt.Sprintf("02%010x", rows-1))
		last, err := store.PhoneByMAC(t.Context(), mac)
		if err != nil {
			t.Fatal(err)
		}
		d := last.Device
		if d.SIP.Password.Reveal() != fmt.Sprintf("s3cret-%d", rows-1) || d.SIP.ExpireSeconds != 600 || d.Document["enabled"] != true || d.HTTPPassword == "" {
			t.Errorf("the last device: %s, %d, %v", d.Name, d.SIP.ExpireSeconds, d.Document["enabled"])
		}
		entries, err := store.AuditEntries(t.Context(), account.ID, d.ID, nil, 10)
		if err != nil || len(entries) != 1 || entries[0].Action != models.ActionCreate || entries[0].Revision != d.Revision {
			t.Errorf("audit of the last device: %+v, %v", entries, err)
		}
		again := importLarge(t, store, account, file, api.ImportOptions{})
		if !again.Before.Finished || again.Now.Modified != again.Before.Modified || again.Rows != 0 {
			t.Errorf("the same file again: %+v", again)
		}
		changed := importLarge(t, store, account, append(file, '\n'), api.ImportOptions{})
		if changed.Bad != rows || changed.Now.Line != 0 || len(changed.Problems) != 100 || changed.More != 2*rows-100 {
			t.Errorf("a changed file: %d bad, line %d, %d problems and %d more", changed.Bad, changed.Now.Line, len(changed.Problems), changed.More)
		}
	})
}

// What is wrong is found wherever it stands, before anything is stored.
func TestImportLargeFindsBadRows(t *testing.T) {
	const rows = 1000
	api.SetImportPart(t, 400)
	eachStore(t, func(t *testing.T, store *sqlstore.Store, account *models.Account) {
		there := &models.Device{AccountID: account.ID}
		there.ID = strings.Repeat("a", 32)
		if err := there.SetDocument(models.Document{"name": "there", "sip": map[string]any{"username": "ann"}}); err != nil {
			t.Fatal(err)
		}
		if err := store.CreateDevice(t.Context(), there); err != nil {
			t.Fatal(err)
		}
		var file bytes.Buffer
		file.WriteString("name,mac,sip.username,id,device_type,mobile.mdn,enabled\n")
		for n := range rows {
			line := fmt.Sprintf("Phone,02%010x,,,,,", n)
			switch n + 2 {
			case 900:
				line = ",,,,,,"
			case 901:
				line = ",02ffffffffff,,,,,"
			case 902:
				line = "Phone,020000000003,,,,,"
			case 903:
				line = "Phone,,ANN,,,,"
			case 904:
				line = "Phone,,," + there.ID + ",,,"
			case 905, 906:
				line = "Phone,,,,mobile,+1 303 555 0123,"
			case 907:
				line = "Phone,,,,,,perhaps"
			case 908:
				line = "Phone,"
			}
			file.WriteString(line + "\n")
		}
		want := []string{
			"901:1 name required", "902:2 mac_address unique", "903:3 sip.username unique", "904:4 id unique",
			"906:6 mobile.mdn unique", "907:7 enabled type", "908:0  columns",
		}
		for _, opts := range []api.ImportOptions{{DryRun: true}, {}, {DryRun: true, Partial: true}} {
			result := importLarge(t, store, account, file.Bytes(), opts)
			if diff := cmp.Diff(want, told(result)); diff != "" || result.Bad != 7 || result.Rows != rows-1 || result.Now.Line != 0 || stored(t, store, account.ID) != 1 {
				t.Errorf("%+v: %s%d of %d rows are bad, line %d", opts, diff, result.Bad, result.Rows, result.Now.Line)
			}
		}
		result := importLarge(t, store, account, file.Bytes(), api.ImportOptions{Partial: true})
		if diff := cmp.Diff(want, told(result)); diff != "" || result.Now.Bad != 7 || result.Now.Stored != rows-8 || !result.Now.Finished {
			t.Errorf("partial: %s%+v", diff, result.Now)
		}
		if n := stored(t, store, account.ID); n != rows-7 {
			t.Errorf("%d devices", n)
		}
	})
}

func told(result api.LargeResult) []string {
	var list []string
	for _, p := range result.Problems {
		list = append(list, fmt.Sprintf("%d:%d %s %s", p.Line, p.Column, p.Field, p.Code))
	}
	return list
}

// A stoppingStore stops before some part of an import, or has somebody else do
// something there.
type stoppingStore struct {
	api.Store
	parts  atomic.Int32 // that are left until then
	before func() error
}

func (s *stoppingStore) ImportPart(ctx context.Context, from models.Import, to *models.Import, devices []*models.Device, keep func(map[int]*models.TakenError) bool) error {
	if s.parts.Add(-1) == 0 {
		if err := s.before(); err != nil {
			return err
		}
	}
	return s.Store.ImportPart(ctx, from, to, devices, keep)
}

// interrupt runs an import in which something happens before its second part.
func interrupt(t *testing.T, store *sqlstore.Store, account *models.Account, file []byte, happens func() error) (api.LargeResult, error) {
	t.Helper()
	failing := &stoppingStore{Store: store, before: happens}
	failing.parts.Store(2)
	survey, err := api.SurveyCSV(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	large := api.LargeImport{Store: failing, Account: account, File: bytes.NewReader(file), Survey: survey, Progress: func(string, int) {}}
	return large.Run(t.Context())
}

func TestImportLargeGoesOn(t *testing.T) {
	const rows = 650
	api.SetImportPart(t, 200)
	eachStore(t, func(t *testing.T, store *sqlstore.Store, account *models.Account) {
		file, gone := fleetFile(rows), errors.New("the database is gone")
		result, err := interrupt(t, store, account, file, func() error { return gone })
		if !errors.Is(err, gone) || result.Now.Line != 201 || result.Now.Stored != 200 || stored(t, store, account.ID) != 200 {
			t.Fatalf("interrupted: %+v, %v", result.Now, err)
		}
		// Somebody makes a device with the MAC of a row that is left, after it was checked.
		other := &models.Device{AccountID: account.ID}
		if err := other.SetDocument(models.Document{"name": "other", "mac_address": fmt.Sprintf("02%010x", 500)}); err != nil {
			t.Fatal(err)
		}
		result, err = interrupt(t, store, account, file, func() error { return store.CreateDevice(t.Context(), other) })
		if err == nil || result.Now.Line != 401 || result.Now.Stored != 400 {
			t.Fatalf("a MAC was taken meanwhile: %+v, %v", result.Now, err)
		}
		if diff := cmp.Diff([]string{"502:2 mac_address unique"}, told(result)); diff != "" {
			t.Error(diff)
		}
		if err := store.DeleteDevice(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		// Another program stores the same file at once.
		result, err = interrupt(t, store, account, file, func() error {
			importLarge(t, store, account, file, api.ImportOptions{})
			return nil
		})
		if !errors.Is(err, models.ErrConflict) {
			t.Errorf("two at once: %+v, %v", result.Now, err)
		}
		result = importLarge(t, store, account, file, api.ImportOptions{})
		if !result.Now.Finished || result.Now.Stored != rows || stored(t, store, account.ID) != rows {
			t.Errorf("in the end: %+v, %d devices", result.Now, stored(t, store, account.ID))
		}
	})
}

// A changingFile is another one when it is stored than when it was checked.
type changingFile struct {
	*bytes.Reader
	later []byte
	read  int
}

func (f *changingFile) Seek(offset int64, whence int) (int64, error) {
	if f.read++; f.read == 2 {
		f.Reader = bytes.NewReader(f.later)
	}
	return f.Reader.Seek(offset, whence)
}

// What has changed since it was checked is not stored.
func TestImportLargeOfFileThatChanges(t *testing.T) {
	api.SetImportPart(t, 200)
	before := fleetFile(650)
	for what, later := range map[string][]byte{
		"a row":        bytes.Replace(before, []byte("Phone 500,"), []byte(","), 1),
		"a column":     bytes.Replace(before, []byte("name,"), []byte("nickname,"), 1),
		"what follows": append(bytes.Clone(before), ",\"x\",\n"...),
		"the end":      before[:bytes.Index(before, []byte("Phone 500,"))],
	} {
		t.Run(what, func(t *testing.T) {
			eachStore(t, func(t *testing.T, store *sqlstore.Store, account *models.Account) {
				survey, err := api.SurveyCSV(bytes.NewReader(before))
				if err != nil {
					t.Fatal(err)
				}
				file := &changingFile{Reader: bytes.NewReader(before), later: later}
				large := api.LargeImport{Store: store, Account: account, File: file, Survey: survey, Progress: func(string, int) {}}
				result, err := large.Run(t.Context())
				if !errors.Is(err, models.ErrInvalid) || result.Now.Stored != stored(t, store, account.ID) || result.Now.Finished {
					t.Errorf("%+v, %v", result.Now, err)
				}
			})
		})
	}
}

func TestImportLargeOfBadFiles(t *testing.T) {
	begin := string(fleetFile(6000))
	tests := []struct{ name, file, want string }{
		{"a quote left open", begin + "\"x\ny", "6002: csv"},
		{"an endless row", begin + "\"" + strings.Repeat("x", 9_000_000), "6002: csv"},
		{"a column twice", "name,Name\n" + strings.Repeat("x,y\n", 2_500_000), "1: header"},
	}
	for _, tt := range tests {
		survey, err := api.SurveyCSV(strings.NewReader(tt.file))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range survey.Problems {
			got = append(got, fmt.Sprintf("%d: %s", p.Line, p.Code))
		}
		if !survey.Large() || strings.Join(got, ", ") != tt.want {
			t.Errorf("%s: got %q, want %q; %d rows", tt.name, got, tt.want, survey.Rows)
		}
	}
}

// A longFile is a file of devices that is in no memory.
type longFile struct {
	rows, at int
	rest     []byte
}

func (f *longFile) Read(p []byte) (int, error) {
	if len(f.rest) == 0 {
		switch {
		case f.at > f.rows:
			return 0, io.EOF
		case f.at == 0:
			f.rest = []byte("name,mac,note\n")
		default:
			f.rest = fmt.Appendf(nil, "Phone,02%010x,%s\n", f.at, strings.Repeat("x", 50_000))
		}
		f.at++
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

func (f *longFile) Seek(int64, int) (int64, error) {
	f.at, f.rest = 0, nil
	return 0, nil
}

// A file of 150 MB takes no more memory than its parts.
func TestImportLargeInBoundedMemory(t *testing.T) {
	const most = 64 << 20
	store := sqlstoretest.New(t)
	account := newMaster(t, store)
	file := &longFile{rows: 3000}
	survey, err := api.SurveyCSV(file)
	if err != nil || survey.Rows != 3000 || survey.Bytes < 150_000_000 {
		t.Fatalf("%+v, %v", survey, err)
	}
	before, highest := heap(), uint64(0)
	large := api.LargeImport{
		Store: store, Account: account, File: file, Survey: survey, Options: api.ImportOptions{DryRun: true},
		Progress: func(string, int) { highest = max(highest, heap()) },
	}
	result, err := large.Run(t.Context())
	if err != nil || result.Bad != 0 || result.Rows != 3000 {
		t.Fatalf("%+v, %v", result, err)
	}
	if highest > before+most {
		t.Errorf("the heap has grown by %d bytes", highest-before)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
