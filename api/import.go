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
	rules, err := newRules(store)
	if err != nil {
		return ImportResult{}, err
	}
	return rules.importFile(ctx, account, account, file, opts)
}

// importDevices serves POST .../devices/import.
func (s *server) importDevices(ctx context.Context, r *request) (*answer, error) {
	opts := ImportOptions{DryRun: r.parameter("dry_run") == "true", Partial: r.parameter("partial") == "true"}
	result, err := s.importFile(ctx, r.actor, r.account, r.file, opts)
	if err != nil {
		return nil, err
	}
	data := publicImport(result, opts)
	switch {
	case opts.DryRun:
		return ok(data), nil
	case !result.Stored:
		return nil, &faultError{name: "import_failed", data: data}
	}
	return &answer{status: http.StatusCreated, data: data}, nil
}

// An importer goes through a file; good rows become devices.
type importer struct {
	rules
	actor, account *models.Account
	table          *csvTable
	good           []ImportedDevice
	lines          map[string]int // of unique values in good rows
}

// importFile stores the devices of a file in an account, as ImportDevices does.
func (rs rules) importFile(ctx context.Context, actor, account *models.Account, file []byte, opts ImportOptions) (ImportResult, error) {
	// What takeSync takes is known, although a phone that is new hears nothing.
	known := func(path string) bool {
		return slices.Contains([]string{"id", "sync", "reboot"}, path) || rs.schemas["devices"].names(path)
	}
	i := &importer{rules: rs, actor: actor, account: account, table: readCSV(file, known), lines: map[string]int{}}
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
	stored, err := i.save(ctx, opts)
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
	d, wrong, err := i.newDevice(ctx, i.actor, i.account, doc)
	if err != nil {
		return err
	}
	unique := uniqueTexts(id, doc)
	i.checkRepeated(unique, wrong)
	i.report(row.line, wrong)
	if len(wrong) > 0 {
		return nil
	}
	for field, value := range unique {
		i.lines[field+" "+value] = row.line
	}
	i.good = append(i.good, ImportedDevice{Line: row.line, Device: d})
	return nil
}

// uniqueTexts are the values of a row that no other row may have, by field.
func uniqueTexts(id string, doc models.Document) map[string]string {
	fields := []string{"mac_address", "sip.username"}
	if doc.Text("sip.method") == "ip" {
		fields = []string{"mac_address", "sip.ip"}
	}
	out := map[string]string{"id": id}
	for _, field := range fields {
		out[field] = strings.ToLower(uniqueMembers(doc).Text(field))
	}
	maps.DeleteFunc(out, func(_, value string) bool { return value == "" })
	return out
}

// checkRepeated finds the values that an earlier good row has.
func (i *importer) checkRepeated(unique map[string]string, wrong problems) {
	for field, value := range unique {
		if earlier, repeated := i.lines[field+" "+value]; repeated {
			wrong.add(field, "unique", fmt.Sprintf("already in line %d", earlier), nil)
		}
	}
}

func (i *importer) report(line int, wrong problems) {
	for _, field := range slices.Sorted(maps.Keys(wrong)) {
		for _, code := range slices.Sorted(maps.Keys(wrong[field])) {
			i.table.problems = append(i.table.problems, CSVProblem{
				Line: line, Column: i.table.columnOf(field), Field: field, Code: code, Message: fmt.Sprint(wrong[field][code]["message"]),
			})
		}
	}
}

// save writes the good rows in one transaction, also of a dry run, which ends
// in taking them back: so it finds what the real one would.
func (i *importer) save(ctx context.Context, opts ImportOptions) (stored bool, err error) {
	if len(i.good) == 0 || i.table.fatal {
		i.good = nil
		return false, nil
	}
	devices := make([]*models.Device, len(i.good))
	for n := range i.good {
		devices[n] = i.good[n].Device
	}
	var taken map[int]*models.TakenError
	err = i.store.ImportDevices(ctx, devices, func(conflicts map[int]*models.TakenError) bool {
		taken = conflicts
		stored = !opts.DryRun && len(taken) < len(devices) && (opts.Partial || len(taken)+len(i.table.problems) == 0)
		return stored
	})
	if err != nil {
		return false, err
	}
	var good []ImportedDevice
	for n, one := range i.good {
		if t := taken[n]; t != nil {
			wrong := problems{}
			wrong.add(t.Field, "unique", "already in use", nil)
			i.report(one.Line, wrong)
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
