package api

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"dialtone/models"
)

// Bounds of an imported file.
const (
	maxImportRows    = 5000
	maxImportColumns = 200
	maxColumnDepth   = 10
)

// columnNames are short names of columns that people write.
var columnNames = map[string]string{
	"mac":      "mac_address",
	"username": "sip.username",
	"password": "sip.password",
	"brand":    "provision.endpoint_brand",
	"family":   "provision.endpoint_family",
	"model":    "provision.endpoint_model",
	"owner":    "owner_id",
}

// A CSVColumn is a column of an imported file and the member it is.
type CSVColumn struct {
	Number int    // from 1
	Header string // as in the file
	Field  string // dotted path in the document, "" of a column without a name
	Known  bool   // the schema of devices names the member; others are stored as they are
}

// A CSVProblem is one thing that is wrong with an imported file.
type CSVProblem struct {
	Line    int    // where the row starts, from 1
	Column  int    // from 1, 0 when it is in no column
	Field   string // dotted path, "" when it is the row's or the file's
	Code    string
	Message string
}

// A csvTable is a file that is taken apart row by row. With fatal problems there
// is no telling what the rest of it says.
type csvTable struct {
	reader   *csv.Reader
	bytes    *rowLimit
	line     int // where the newest row starts
	columns  []CSVColumn
	problems []CSVProblem
	fatal    bool
}

// A csvRow is one device; the cells that could not be read are left out.
type csvRow struct {
	line  int
	cells map[string]any // by path: a string, or json.RawMessage
	bad   bool
}

// openCSV begins a file and reads its header: with or without a byte order mark,
// separated by semicolons if the first line has more of them than commas. known
// tells the members that a schema names.
func openCSV(file io.Reader, known func(path string) bool) *csvTable {
	t := &csvTable{bytes: &rowLimit{file: file, left: maxRowBytes}}
	ahead := bufio.NewReaderSize(t.bytes, csvAhead)
	t.reader = csv.NewReader(ahead)
	begin, _ := ahead.Peek(csvAhead) // an error is met again
	if bytes.HasPrefix(begin, []byte("\xff\xfe")) || bytes.HasPrefix(begin, []byte("\xfe\xff")) {
		t.fail(1, 0, "encoding", "the file is UTF-16: save it as UTF-8")
		return t
	}
	if bytes.HasPrefix(begin, []byte(byteOrderMark)) {
		_, _ = ahead.Discard(len(byteOrderMark)) // it was seen
	}
	t.reader.Comma = separator(begin)
	t.reader.FieldsPerRecord = -1 // told by us, row by row
	record, err := t.read()
	switch {
	case errors.Is(err, io.EOF):
		t.fail(1, 0, "required", "the file is empty")
	case err == nil:
		t.header(t.line, record, known)
	}
	return t
}

const (
	csvAhead      = 64 << 10           // bytes that are read at once
	maxRowBytes   = maxBody + csvAhead // of one row, with what is read ahead
	byteOrderMark = "\xef\xbb\xbf"
)

// A rowLimit keeps a row, such as one with a quote left open, from being as long
// as the file.
type rowLimit struct {
	file io.Reader
	left int
}

var errLongRow = fmt.Errorf("a row has at most %d bytes", maxBody)

func (l *rowLimit) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errLongRow
	}
	n, err := l.file.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

// read gives the cells of the next row, io.EOF at the end. Any other error is a
// fatal problem by then.
func (t *csvTable) read() ([]string, error) {
	t.bytes.left = maxRowBytes
	record, err := t.reader.Read()
	switch {
	case err == nil:
		t.line, _ = t.reader.FieldPos(0)
	case err != io.EOF:
		t.failReading(err)
	}
	return record, err
}

// next gives the next row, false at the end and after a fatal problem. A row
// without any value is none.
func (t *csvTable) next() (csvRow, bool) {
	record, more := t.nextRecord()
	if !more {
		return csvRow{}, false
	}
	return t.row(t.line, record), true
}

// nextRecord gives the cells of the next row.
func (t *csvTable) nextRecord() ([]string, bool) {
	for !t.fatal {
		record, err := t.read()
		if err != nil {
			break
		}
		if slices.ContainsFunc(record, func(cell string) bool { return strings.TrimSpace(cell) != "" }) {
			return record, true
		}
	}
	return nil, false
}

func separator(begin []byte) rune {
	first, _, _ := bytes.Cut(begin, []byte("\n"))
	if bytes.Count(first, []byte(";")) > bytes.Count(first, []byte(",")) {
		return ';'
	}
	return ','
}

func (t *csvTable) fail(line, column int, code, message string) {
	t.problems = append(t.problems, CSVProblem{Line: line, Column: column, Code: code, Message: message})
	t.fatal = true
}

func (t *csvTable) failReading(err error) {
	var broken *csv.ParseError
	if !errors.As(err, &broken) {
		t.fail(t.line+1, 0, "csv", err.Error())
		return
	}
	t.fail(broken.StartLine, 0, "csv", fmt.Sprintf("line %d, character %d: %v", broken.Line, broken.Column, broken.Err))
}

// sortProblems puts them in the order of the file.
func (t *csvTable) sortProblems() {
	slices.SortStableFunc(t.problems, func(a, b CSVProblem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// header reads the names of the columns.
func (t *csvTable) header(line int, record []string, known func(string) bool) {
	if len(record) > maxImportColumns {
		t.fail(line, 0, "maxColumns", fmt.Sprintf("a file has at most %d columns", maxImportColumns))
		return
	}
	for i, name := range record {
		c := CSVColumn{Number: i + 1, Header: name, Field: columnField(name, known)}
		c.Known = c.Field != "" && known(c.Field)
		if problem := t.clash(c.Field); problem != "" {
			t.fail(line, c.Number, "header", problem)
		}
		t.columns = append(t.columns, c)
	}
	if !slices.ContainsFunc(t.columns, func(c CSVColumn) bool { return c.Field != "" }) {
		t.fail(line, 0, "header", "no column has a name")
	}
}

// columnField is the member that a column's name means.
func columnField(name string, known func(string) bool) string {
	name = strings.TrimSpace(name)
	lower := strings.ToLower(name)
	switch {
	case columnNames[lower] != "":
		return columnNames[lower]
	case !known(name) && known(lower):
		return lower
	}
	return name
}

// clash says why a column cannot be, "" when it can.
func (t *csvTable) clash(field string) string {
	parts := strings.Split(field, ".")
	switch {
	case field == "":
		return "" // an error only when something is in it
	case !utf8.ValidString(field):
		return "the name is not UTF-8"
	case len(parts) > maxColumnDepth || slices.Contains(parts, ""):
		return fmt.Sprintf("%q is no path of a member", field)
	case strings.HasPrefix(field, "_") || strings.HasPrefix(field, "pvt_"):
		return fmt.Sprintf("%q is private", field)
	}
	for _, c := range t.columns {
		if c.Field != "" && (c.Field == field || leadsBelow(field, c.Field) || leadsBelow(c.Field, field)) {
			return fmt.Sprintf("%q is in column %d already", field, c.Number)
		}
	}
	return ""
}

// leadsBelow reports whether one path leads into what is at another.
func leadsBelow(path, above string) bool { return strings.HasPrefix(path, above+".") }

// row reads one device.
func (t *csvTable) row(line int, record []string) csvRow {
	row := csvRow{line: line, cells: map[string]any{}}
	bad := func(column int, field, code, message string) {
		row.bad = true
		t.problems = append(t.problems, CSVProblem{Line: line, Column: column, Field: field, Code: code, Message: message})
	}
	if len(record) != len(t.columns) {
		bad(0, "", "columns", fmt.Sprintf("the row has %d cells, the header %d", len(record), len(t.columns)))
		record = record[:min(len(record), len(t.columns))]
	}
	for i, cell := range record {
		c := t.columns[i]
		switch {
		case cell == "":
		case c.Field == "":
			bad(c.Number, "", "header", "the column has no name")
		case !utf8.ValidString(cell):
			bad(c.Number, c.Field, "encoding", "not UTF-8: save the file as UTF-8")
		default:
			row.cells[c.Field] = cellValue(cell)
		}
	}
	return row
}

// cellValue is a cell's text, or the list or object that it spells in JSON.
func cellValue(cell string) any {
	if (cell[0] == '[' || cell[0] == '{') && json.Valid([]byte(cell)) {
		return json.RawMessage(cell)
	}
	return cell
}

// document is the row as a client would have sent it.
func (row csvRow) document() (models.Document, error) {
	doc, plain := models.Document{}, true
	for field, value := range row.cells {
		doc.Set(field, value)
		_, isText := value.(string)
		plain = plain && isText
	}
	if plain { // what JSON could do wrong is not there
		dropPrivate(doc)
		return doc, nil
	}
	raw, err := json.Marshal(map[string]any(doc))
	if err != nil {
		return nil, err
	}
	return parseData(raw)
}

// columnOf is the number of the column that a problem's path belongs to: its
// own, the one that it leads into, or the first of those below it. 0: none.
func (t *csvTable) columnOf(path string) int {
	best, length := 0, 0
	for _, c := range t.columns {
		switch {
		case c.Field == "":
		case c.Field == path:
			return c.Number
		case leadsBelow(path, c.Field) && len(c.Field) > length:
			best, length = c.Number, len(c.Field)
		case leadsBelow(c.Field, path) && best == 0:
			best = c.Number
		}
	}
	return best
}
