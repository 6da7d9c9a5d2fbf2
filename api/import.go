package api

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

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
	seen           *seenValues // of unique values in good rows
	file           *fileCheck  // nil: the file is gone through once
}

// newImporter begins a file of devices.
func (rs rules) newImporter(actor, account *models.Account, file io.Reader) *importer {
	// What takeSync takes is known, although a phone that is new hears nothing.
	known := func(path string) bool {
		return slices.Contains([]string{"id", "sync", "reboot"}, path) || rs.schemas["devices"].names(path)
	}
	return &importer{rules: rs, actor: actor, account: account, table: openCSV(file, known), seen: newSeenValues(maxSeenValues)}
}

// importFile stores the devices of a file in an account, as ImportDevices does.
func (rs rules) importFile(ctx context.Context, actor, account *models.Account, file []byte, opts ImportOptions) (ImportResult, error) {
	i := rs.newImporter(actor, account, bytes.NewReader(file))
	rows := i.rows(maxImportRows, maxBody)
	if row, more := i.table.next(); more {
		i.table.fail(row.line, 0, "maxRows", fmt.Sprintf("a file has at most %d rows", maxImportRows))
	}
	if !i.table.fatal {
		if err := i.judge(ctx, rows); err != nil {
			return ImportResult{}, err
		}
	}
	stored, err := i.save(ctx, opts)
	if err != nil {
		return ImportResult{}, err
	}
	i.table.sortProblems()
	return ImportResult{
		Rows: len(rows), Columns: i.table.columns, Problems: i.table.problems, Stored: stored, Devices: i.good,
	}, nil
}

// rows reads the next rows: at most so many, and none behind so many bytes. None
// at all: the file is at its end.
func (i *importer) rows(most, bytes int) []csvRow {
	var rows []csvRow
	for end := i.table.reader.InputOffset() + int64(bytes); len(rows) < most && i.table.reader.InputOffset() < end; {
		row, more := i.table.next()
		if !more {
			break
		}
		rows = append(rows, row)
	}
	return rows
}

// A candidate is a row on its way to become a device.
type candidate struct {
	line     int
	document models.Document
	device   *models.Device
	wrong    problems
	unique   models.Document // what it must be the only one to have
}

// judge applies the rules of PUT .../devices to rows: those that follow them
// become devices.
func (i *importer) judge(ctx context.Context, rows []csvRow) error {
	drafts, err := i.drafts(ctx, rows)
	if err != nil {
		return err
	}
	if !i.isChecked() { // what is taken by now is found when it is stored
		if err := i.compare(ctx, drafts); err != nil {
			return err
		}
	}
	for _, c := range drafts {
		i.report(c.line, c.wrong)
		if len(c.wrong) == 0 {
			i.good = append(i.good, ImportedDevice{Line: c.line, Device: c.device})
		}
	}
	return nil
}

// compare finds the unique values that another device has, or an earlier good row.
func (i *importer) compare(ctx context.Context, drafts []*candidate) error {
	for _, c := range drafts {
		c.unique = uniqueMembers(c.document)
	}
	if err := i.findTaken(ctx, drafts); err != nil {
		return err
	}
	for _, c := range drafts {
		values := uniqueTexts(c.device.ID, c.unique)
		i.seen.findRepeated(values, c.wrong)
		if len(c.wrong) == 0 {
			i.seen.add(values, c.line)
		}
	}
	return nil
}

// drafts checks rows by themselves, on all processors.
func (i *importer) drafts(ctx context.Context, rows []csvRow) ([]*candidate, error) {
	drafts := make([]*candidate, len(rows))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for start := 0; start < len(rows); start += draftRows {
		g.Go(func() (err error) {
			for n := start; n < min(start+draftRows, len(rows)) && err == nil; n++ {
				drafts[n], err = i.draft(ctx, rows[n])
			}
			return err
		})
	}
	err := g.Wait()
	return slices.DeleteFunc(drafts, func(c *candidate) bool { return c == nil }), err
}

// draftRows are the rows that one processor takes at once.
const draftRows = 100

// draft checks a row by itself; nil when it has been reported what is wrong with
// it, for what its cells mean is uncertain.
func (i *importer) draft(ctx context.Context, row csvRow) (*candidate, error) {
	if row.bad {
		return nil, nil //nolint:nilnil // documented
	}
	c := &candidate{line: row.line}
	doc, err := row.document()
	if err != nil {
		c.device, c.wrong = &models.Device{}, problems{}
		c.wrong.add("", "invalid", "too many values, nested too deeply, or a number is too long", nil)
		return c, nil
	}
	takeSync(doc)
	if c.device, c.wrong, err = i.draftDevice(ctx, i.actor, i.account, doc); err != nil {
		return nil, err
	}
	c.document = doc
	return c, nil
}

// findTaken asks the store who has the unique values already.
func (i *importer) findTaken(ctx context.Context, drafts []*candidate) error {
	phones := make([]*models.Phone, len(drafts))
	ids := []string{}
	for n, c := range drafts {
		asked := *c.device
		asked.ID = ""
		if len(c.wrong) > 0 { // it has not been understood as a whole
			if err := asked.SetDocument(c.unique); err != nil {
				return err
			}
		}
		phones[n] = &models.Phone{Device: &asked, Account: i.account}
		if c.device.ID != "" {
			ids = append(ids, c.device.ID)
		}
	}
	taken, err := i.store.DevicesTaken(ctx, phones)
	if err != nil {
		return err
	}
	there, err := i.store.DevicesThere(ctx, "", ids)
	if err != nil {
		return err
	}
	for n, c := range drafts {
		c.wrong.addTaken(taken[n], c.unique)
		if there[c.device.ID] {
			c.wrong.addTaken([]*models.TakenError{{Field: "id"}}, models.Document{"id": c.device.ID})
		}
	}
	return nil
}

// uniqueTexts are the values of a row that no other row may have, by field.
func uniqueTexts(id string, unique models.Document) map[string]string {
	out := map[string]string{"id": id, "mac_address": unique.Text("mac_address"), "mobile.mdn": models.E164(unique.Text("mobile.mdn"))}
	field := "sip.username"
	if unique.Text("sip.method") == "ip" {
		field = "sip.ip"
	}
	out[field] = strings.ToLower(unique.Text(field))
	maps.DeleteFunc(out, func(_, value string) bool { return value == "" })
	return out
}

// seenValues are the unique values of the good rows so far. They are kept as
// hashes with a seed of their own: of a million rows, as many as that are
// mistaken for each other once in millions of files.
type seenValues struct {
	seed  maphash.Seed
	lines map[uint64]uint32
	most  int
}

// maxSeenValues bounds the memory of a large file: about 100 MB.
const maxSeenValues = 4_000_000

func newSeenValues(most int) *seenValues {
	return &seenValues{maphash.MakeSeed(), map[uint64]uint32{}, most}
}

func (s *seenValues) key(field, value string) uint64 {
	return maphash.String(s.seed, field+" "+value)
}

// findRepeated finds the values that an earlier good row has.
func (s *seenValues) findRepeated(values map[string]string, wrong problems) {
	for field, value := range values {
		if earlier, repeated := s.lines[s.key(field, value)]; repeated {
			wrong.add(field, "unique", fmt.Sprintf("already in line %d", earlier), nil)
		}
	}
}

// add remembers the values of a good row, while there is room.
func (s *seenValues) add(values map[string]string, line int) {
	for field, value := range values {
		if !s.full() {
			s.lines[s.key(field, value)] = uint32(line) //nolint:gosec // billions of lines: the number is only told
		}
	}
}

func (s *seenValues) full() bool { return len(s.lines) >= s.most }

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
