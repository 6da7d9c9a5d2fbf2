package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"

	"dialtone/models"
)

// importPart is how many rows one transaction stores: other writers wait for no
// more. Tests have less.
var importPart = 2000

const (
	importPartBytes   = 4 << 20
	maxImportProblems = 100 // of a large file that are told one by one
	idsInRow          = 50  // ids that stand beside each other: fast to store, and yet no site's phones alone
)

// A Survey is what a file of devices looks like before any row is judged.
type Survey struct {
	Hash     string // hex SHA-256
	Bytes    int64
	Rows     int
	Problems []CSVProblem // why it cannot be read to its end
}

// SurveyCSV reads a file once, to its end.
func SurveyCSV(file io.Reader) (Survey, error) {
	rules, err := newRules(nil)
	if err != nil {
		return Survey{}, err
	}
	hash := sha256.New()
	counted := &countingReader{file: io.TeeReader(file, hash)}
	i := rules.newImporter(nil, nil, counted)
	s := Survey{}
	for {
		if _, more := i.table.nextRecord(); !more {
			break
		}
		s.Rows++
	}
	_, err = io.Copy(io.Discard, counted) // what a fatal problem left
	s.Hash, s.Bytes = hex.EncodeToString(hash.Sum(nil)), counted.bytes
	if i.table.fatal {
		s.Problems = i.table.problems
	}
	return s, err
}

// Large reports whether the file is more than ImportDevices takes.
func (s Survey) Large() bool { return s.Rows > maxImportRows || s.Bytes > maxBody }

// A countingReader counts what was read.
type countingReader struct {
	file  io.Reader
	bytes int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.file.Read(p)
	c.bytes += int64(n)
	return n, err
}

// A LargeImport stores a large file of devices in an account, in parts: each is
// one transaction, together with how far the import has come. One that was
// stopped goes on behind its last part.
type LargeImport struct {
	Store   Store
	Account *models.Account
	File    io.ReadSeeker // must not change meanwhile
	Survey  Survey        // of the file
	Options ImportOptions

	// Progress is told after each part how many rows are done with, those of
	// earlier runs included.
	Progress func(step string, rows int)
}

// A LargeResult is what became of a large file.
type LargeResult struct {
	Columns  []CSVColumn
	Before   models.Import // where it stood when this run began
	Now      models.Import
	Rows     int          // that this run has gone through
	Bad      int          // of those
	Problems []CSVProblem // the first ones
	More     int          // problems that are not among them
	Compared bool         // each value with all others of the file
}

// The steps of a large import.
const (
	StepCheck = "checked"
	StepStore = "stored"
)

// errBadMeanwhile ends an import whose rows were all good when they were checked.
var errBadMeanwhile = errors.New("a row has become bad since it was checked")

// Run goes through what is left of the file: to check all of it, unless good rows
// are stored in any case, and then to store it. Nothing is stored by a run that
// finds bad rows when it checks. After an error the result says what was stored.
func (l *LargeImport) Run(ctx context.Context) (LargeResult, error) {
	at, err := l.Store.Import(ctx, l.Account.ID, l.Survey.Hash)
	if err != nil {
		return LargeResult{}, err
	}
	result := LargeResult{Before: at, Now: at, Compared: true}
	if at.Finished {
		return result, nil
	}
	if l.Options.Partial && !l.Options.DryRun {
		return result, l.pass(ctx, StepStore, &result, nil, l.storePart)
	}
	file := newFileCheck()
	err = l.pass(ctx, StepCheck, &result, file, nil)
	if err != nil || result.Bad > 0 || l.Options.DryRun {
		return result, err
	}
	file.passed = true
	result.Rows = 0
	return result, l.pass(ctx, StepStore, &result, file, l.storePart)
}

// An importedPart is some rows of a large file that were judged.
type importedPart struct {
	table    *csvTable // whose columns they have
	rows     int
	line     int // of the last one
	good     []ImportedDevice
	problems []CSVProblem
	isLast   bool
}

// pass judges the rows that earlier runs have not dealt with, a part at a time
// while the one before is stored.
func (l *LargeImport) pass(ctx context.Context, step string, result *LargeResult, file *fileCheck, store func(context.Context, *importedPart, *LargeResult) error) error {
	if _, err := l.File.Seek(0, io.SeekStart); err != nil {
		return err
	}
	rules, err := newRules(l.Store)
	if err != nil {
		return err
	}
	i := rules.newImporter(l.Account, l.Account, l.File)
	result.Columns = i.table.columns
	i.expect(file)
	parts := make(chan *importedPart, 1)
	g, ctx := errgroup.WithContext(ctx)
	behind := result.Before.Line
	g.Go(func() error {
		defer close(parts)
		return i.judgeParts(ctx, behind, parts)
	})
	g.Go(func() error {
		for p := range parts {
			if store != nil {
				if err := store(ctx, p, result); err != nil {
					return err
				}
			}
			result.count(p)
			l.Progress(step, result.Before.Stored+result.Before.Bad+result.Rows)
		}
		return ctx.Err()
	})
	err = g.Wait()
	result.Compared = result.Compared && !i.seen.full()
	return err
}

// count adds what was found out about a part.
func (r *LargeResult) count(p *importedPart) {
	r.Rows += p.rows
	r.Bad += p.rows - len(p.good)
	room := min(maxImportProblems-len(r.Problems), len(p.problems))
	r.Problems = append(r.Problems, p.problems[:room]...)
	r.More += len(p.problems) - room
}

// judgeParts sends the rows behind a line, part by part.
func (i *importer) judgeParts(ctx context.Context, behind int, parts chan<- *importedPart) error {
	isLast := false
	for n := 0; !isLast; n++ {
		rows := i.rows(importPart, importPartBytes)
		if i.table.fatal || i.file != nil && !i.file.keep(n, i.table.columns, rows) {
			return fmt.Errorf("%w file: it has changed since it was read first", models.ErrInvalid)
		}
		isLast = len(rows) == 0
		rows = slices.DeleteFunc(rows, func(row csvRow) bool { return row.line <= behind })
		i.table.problems = slices.DeleteFunc(i.table.problems, func(p CSVProblem) bool { return p.Line <= behind })
		if len(rows) == 0 && !isLast {
			continue
		}
		p, err := i.judgePart(ctx, rows)
		if err != nil {
			return err
		}
		p.isLast = isLast
		select {
		case parts <- p:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (i *importer) judgePart(ctx context.Context, rows []csvRow) (*importedPart, error) {
	if err := i.judge(ctx, rows); err != nil {
		return nil, err
	}
	i.table.sortProblems()
	p := &importedPart{table: i.table, rows: len(rows), good: i.good, problems: i.table.problems}
	if len(rows) > 0 {
		p.line = rows[len(rows)-1].line
	}
	i.good, i.table.problems = nil, nil
	return p, nil
}

// storePart stores a part. Bad rows are left out of it, or end the import, as the
// options say.
func (l *LargeImport) storePart(ctx context.Context, p *importedPart, result *LargeResult) error {
	devices := make([]*models.Device, len(p.good))
	var newID func() string
	for n, one := range p.good {
		if n%idsInRow == 0 {
			newID = models.NewIDSeries()
		}
		if devices[n] = one.Device; devices[n].ID == "" {
			devices[n].ID = newID()
		}
	}
	var taken map[int]*models.TakenError
	var next models.Import
	kept := false
	err := l.Store.ImportPart(ctx, result.Now, &next, devices, func(conflicts map[int]*models.TakenError) bool {
		taken = conflicts
		next = result.Now
		next.Line, next.Finished = max(next.Line, p.line), p.isLast
		next.Stored += len(devices) - len(taken)
		next.Bad += p.rows - len(devices) + len(taken)
		kept = l.Options.Partial || next.Bad == result.Now.Bad
		return kept
	})
	if errors.Is(err, models.ErrConflict) {
		return fmt.Errorf("another program is storing this file: %w", err)
	}
	if err != nil {
		return err
	}
	p.leaveOut(taken)
	if !kept {
		result.count(p)
		return errBadMeanwhile
	}
	result.Now = next
	return nil
}

// leaveOut takes those rows out of the good ones whose values are taken after all.
func (p *importedPart) leaveOut(taken map[int]*models.TakenError) {
	var good []ImportedDevice
	for n, one := range p.good {
		if t := taken[n]; t != nil {
			p.problems = append(p.problems, CSVProblem{
				Line: one.Line, Column: p.table.columnOf(t.Field), Field: t.Field, Code: "unique", Message: "already in use",
			})
			continue
		}
		good = append(good, one)
	}
	p.good = good
}
