package api

import (
	"encoding/json"
	"hash/maphash"
	"sync/atomic"

	"dialtone/models"
)

// A fileCheck is what the pass that checks a large file has found out, so that the
// pass that stores it need not: all rows follow the rules by themselves, and
// no two have the same values. It holds for rows that are still the same.
type fileCheck struct {
	seed   maphash.Seed
	sums   []uint64    // of the parts of the file, in order
	passed bool        // all is good
	mended atomic.Bool // some row is good only as its schema's failures told to convert it
}

func newFileCheck() *fileCheck { return &fileCheck{seed: maphash.MakeSeed()} }

// check holds a document to its schema.
func (c *fileCheck) check(s *schema, doc models.Document) problems {
	wrong, onlySpelled := s.settleTelling(doc)
	if !onlySpelled {
		c.mended.Store(true)
	}
	return wrong
}

// expect has the importer check a file, or store what was checked. Rows of a file
// that is gone through once are judged as they come.
func (i *importer) expect(file *fileCheck) {
	i.file = file
	switch {
	case i.isChecked():
		i.settle = file.settle
	case file != nil:
		i.settle = file.check
	}
}

// isChecked reports whether the file was checked before and is stored now.
func (i *importer) isChecked() bool { return i.file != nil && i.file.passed }

// settle makes a document that was checked what is stored.
func (c *fileCheck) settle(s *schema, doc models.Document) problems {
	if c.mended.Load() {
		return s.settle(doc)
	}
	s.spell(doc)
	return problems{}
}

// keep remembers the next part of the file while it is checked. When it is stored,
// keep reports whether the part is still the same.
func (c *fileCheck) keep(part int, columns []CSVColumn, rows []csvRow) bool {
	sum := c.sum(columns, rows)
	if !c.passed {
		c.sums = append(c.sums, sum)
		return true
	}
	return part < len(c.sums) && c.sums[part] == sum
}

func (c *fileCheck) sum(columns []CSVColumn, rows []csvRow) uint64 {
	var hash maphash.Hash
	hash.SetSeed(c.seed)
	for _, column := range columns {
		_, _ = hash.WriteString(column.Field)
		_ = hash.WriteByte(0)
	}
	for _, row := range rows {
		for _, column := range columns {
			switch cell := row.cells[column.Field].(type) {
			case string:
				_, _ = hash.WriteString(cell)
			case json.RawMessage:
				_, _ = hash.Write(cell)
			}
			_ = hash.WriteByte(0)
		}
	}
	return hash.Sum64()
}
