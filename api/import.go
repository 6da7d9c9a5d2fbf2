package api

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"dialtone/models"
)

// ImportOptions say what becomes of a file of devices.
type ImportOptions struct {
	DryRun  bool // check everything, store nothing
	Partial bool // store the good rows although there are bad ones
}

// An ImportResult says what became of a file of devices.
type ImportResult struct {
	Rows     int // devices in the file
	Columns  []CSVColumn
	Problems []CSVProblem // by line
	Stored   bool
	Devices  []ImportedDevice // the good rows, by line
}

// An ImportedDevice is a good row of an imported file.
type ImportedDevice struct {
	Line   int
	Device *models.Device
}

// ImportDevices stores the devices of a CSV file in an account, each under the
// rules of PUT .../devices: all of them, or none when one is bad, unless the
// options say otherwise. An error is a failure of the store; what is wrong with
// the file is in the result.
func ImportDevices(ctx context.Context, store Store, account *models.Account, file []byte, opts ImportOptions) (ImportResult, error) {
	if len(file) > maxBody {
		return ImportResult{}, fmt.Errorf("%w file: more than %d bytes", models.ErrInvalid, maxBody)
	}
	schemas, err := loadSchemas()
	if err != nil {
		return ImportResult{}, err
	}
	s := &server{Config: Config{Store: store}, schemas: schemas}
	return s.importFile(ctx, &request{account: account, actor: account}, file, opts)
}

// importDevices serves POST .../devices/import.
func (s *server) importDevices(ctx context.Context, r *request) (*answer, error) {
	opts := ImportOptions{DryRun: r.parameter("dry_run") == "true", Partial: r.parameter("partial") == "true"}
	result, err := s.importFile(ctx, r, r.file, opts)
	if err != nil {
		return nil, err
	}
	data := publicImport(result, opts)
	switch {
	case opts.DryRun:
		return ok(data), nil
	case !result.Stored:
		return nil, &faultError{"import_failed", data}
	}
	return &answer{status: http.StatusCreated, data: data}, nil
}

// An importer goes through a file; good rows become devices.
type importer struct {
	*server
	request *request
	table   *csvTable
	good    []ImportedDevice
	lines   map[string]int // of unique values that were in the file before
}

func (s *server) importFile(ctx context.Context, r *request, file []byte, opts ImportOptions) (ImportResult, error) {
	known := func(path string) bool { return path == "id" || s.schemas["devices"].names(path) }
	i := &importer{server: s, request: r, table: readCSV(file, known), lines: map[string]int{}}
	if !i.table.fatal {
		for _, row := range i.table.rows {
			if row.bad {
				continue // what its cells mean is uncertain
			}
			if err := i.check(ctx, row); err != nil {
				return ImportResult{}, err
			}
		}
	}
	stored, err := i.store(ctx, opts)
	if err != nil {
		return ImportResult{}, err
	}
	slices.SortStableFunc(i.table.problems, func(a, b CSVProblem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return ImportResult{
		Rows: len(i.table.rows), Columns: i.table.columns, Problems: i.table.problems, Stored: stored, Devices: i.good,
	}, nil
}

// check applies the rules of PUT .../devices to a row.
func (i *importer) check(ctx context.Context, row csvRow) error {
	doc, err := row.document()
	if err != nil {
		i.table.problems = append(i.table.problems, CSVProblem{Line: row.line, Code: "invalid", Message: "too many values, nested too deeply, or a number is too long"})
		return nil
	}
	takeSync(doc)
	id := doc.Text("id")
	d, found, err := i.newDevice(ctx, i.request, doc)
	if err != nil {
		return err
	}
	i.checkRepeated(row.line, id, doc, found)
	i.report(row.line, found)
	if len(found) == 0 {
		i.good = append(i.good, ImportedDevice{row.line, d})
	}
	return nil
}

// checkRepeated finds the values that must be unique and were in an earlier row.
func (i *importer) checkRepeated(line int, id string, doc models.Document, found problems) {
	unique := map[string]string{"id": id}
	for _, field := range []string{"mac_address", "sip.username", "sip.ip"} {
		unique[field] = strings.ToLower(uniqueMembers(doc).Text(field))
	}
	if doc.Text("sip.method") == "ip" {
		delete(unique, "sip.username")
	} else {
		delete(unique, "sip.ip")
	}
	for field, value := range unique {
		if value == "" {
			continue
		}
		key := field + " " + value
		if earlier, repeated := i.lines[key]; repeated {
			found.add(field, "unique", fmt.Sprintf("already in line %d", earlier), nil)
			continue
		}
		i.lines[key] = line
	}
}

func (i *importer) report(line int, found problems) {
	for _, field := range slices.Sorted(maps.Keys(found)) {
		for _, code := range slices.Sorted(maps.Keys(found[field])) {
			i.table.problems = append(i.table.problems, CSVProblem{
				Line: line, Column: i.table.columnOf(field), Field: field, Code: code, Message: fmt.Sprint(found[field][code]["message"]),
			})
		}
	}
}

// store writes the good rows in one transaction, also of a dry run, which ends
// in taking them back: so it finds what the real one would.
func (i *importer) store(ctx context.Context, opts ImportOptions) (stored bool, err error) {
	if len(i.good) == 0 || i.table.fatal {
		i.good = nil
		return false, nil
	}
	devices := make([]*models.Device, len(i.good))
	for n := range i.good {
		devices[n] = i.good[n].Device
	}
	var taken map[int]*models.TakenError
	err = i.Store.ImportDevices(ctx, devices, func(found map[int]*models.TakenError) bool {
		taken = found
		stored = !opts.DryRun && len(found) < len(devices) && (opts.Partial || len(found)+len(i.table.problems) == 0)
		return stored
	})
	if err != nil {
		return false, err
	}
	var good []ImportedDevice
	for n, one := range i.good {
		if t := taken[n]; t != nil {
			found := problems{}
			found.add(t.Field, "unique", "already in use", nil)
			i.report(one.Line, found)
			continue
		}
		good = append(good, one)
	}
	i.good = good
	return stored, nil
}

func publicImport(result ImportResult, opts ImportOptions) map[string]any {
	columns, wrong, devices := []any{}, []any{}, []any{}
	for _, c := range result.Columns {
		columns = append(columns, map[string]any{"column": c.Number, "header": c.Header, "field": c.Field, "known": c.Known})
	}
	for _, p := range result.Problems {
		wrong = append(wrong, map[string]any{
			"line": p.Line, "column": numbered(p.Column), "field": p.Field, "code": p.Code, "message": p.Message,
		})
	}
	stored := 0
	for _, one := range result.Devices {
		device := map[string]any{"line": one.Line, "name": one.Device.Name, "mac_address": one.Device.MACAddress}
		if result.Stored {
			stored++
			device["id"] = one.Device.ID
		}
		devices = append(devices, device)
	}
	return map[string]any{
		"dry_run": opts.DryRun, "partial": opts.Partial, "rows": result.Rows, "good": len(devices), "stored": stored,
		"columns": columns, "errors": wrong, "devices": devices,
	}
}

// numbered is a column's number, nil for none.
func numbered(column int) any {
	if column == 0 {
		return nil
	}
	return column
}
