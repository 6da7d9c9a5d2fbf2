package sqlstore

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"gorm.io/gorm"
)

// SetClock makes a store of a test live at another time.
func (s *Store) SetClock(now func() time.Time) { s.now = now }

// MigrateTo applies the steps up to a version only.
func (s *Store) MigrateTo(ctx context.Context, version int64) error {
	provider, err := s.provider()
	if err != nil {
		return err
	}
	_, err = provider.UpTo(ctx, version)
	return err
}

// Exec runs a statement as an older program would have.
func (s *Store) Exec(ctx context.Context, statement string, args ...any) error {
	return s.writer.WithContext(ctx).Exec(statement, args...).Error
}

// Count is how many rows a table has, which may be followed by a condition.
func (s *Store) Count(ctx context.Context, table string, args ...any) (n int, err error) {
	err = s.db.WithContext(ctx).Raw("SELECT COUNT(*) FROM "+table, args...).Scan(&n).Error
	return n, err
}

// Compiled is how many statements are kept prepared for reading.
func (s *Store) Compiled() (n int) {
	s.reads.compiled.Range(func(any, any) bool { n++; return true })
	return n
}

// Hold keeps other writers waiting until work is done.
func (s *Store) Hold(ctx context.Context, work func()) error {
	return s.transaction(ctx, "hold", func(*gorm.DB) error {
		work()
		return nil
	})
}

// HoldDevice keeps other writers of a device waiting until work is done.
func (s *Store) HoldDevice(ctx context.Context, deviceID string, work func()) error {
	return s.transaction(ctx, "hold a device", func(tx *gorm.DB) error {
		defer work()
		return s.lockDevice(tx, deviceID)
	})
}

// A Plan is how the database carries out a statement.
type Plan struct {
	Text   string // the statement and the steps
	Strays bool   // it would walk past more rows than it needs, or sort them
}

// Plans runs what a store is asked for and gives the plans of its statements.
func (s *Store) Plans(ctx context.Context, work func() error) ([]Plan, error) {
	var asked []*gorm.Statement
	note := func(db *gorm.DB) {
		if !db.DryRun {
			asked = append(asked, &gorm.Statement{SQL: db.Statement.SQL, Vars: db.Statement.Vars})
		}
	}
	const name = "plans"
	for _, db := range []*gorm.DB{s.db, s.writer} {
		of := db.Callback()
		for _, err := range []error{of.Query().Register(name, note), of.Row().Register(name, note), of.Raw().Register(name, note),
			of.Update().Register(name, note), of.Delete().Register(name, note)} {
			if err != nil {
				return nil, err
			}
		}
	}
	err := work()
	for _, db := range []*gorm.DB{s.db, s.writer} {
		of := db.Callback()
		_, _, _, _, _ = of.Query().Remove(name), of.Row().Remove(name), of.Raw().Remove(name), of.Update().Remove(name), of.Delete().Remove(name)
	}
	if err != nil {
		return nil, err
	}
	var plans []Plan
	for _, statement := range asked {
		steps, strays, err := s.plan(ctx, statement.SQL.String(), statement.Vars)
		if err != nil {
			return nil, err
		}
		plans = append(plans, Plan{statement.SQL.String() + "\n\t" + strings.Join(steps, "\n\t"), strays})
	}
	return plans, nil
}

// fullScan is a step of SQLite's plan that goes over a whole table or index.
var fullScan = regexp.MustCompile(`^SCAN |TEMP B-TREE FOR (ORDER BY|GROUP BY)`)

// page is how many rows may be sorted.
const page = 200

// plan is how the database carries a statement out.
func (s *Store) plan(ctx context.Context, statement string, args []any) (steps []string, strays bool, err error) {
	if s.dialect == dialectSQLite {
		rows, err := s.db.WithContext(ctx).Raw("EXPLAIN QUERY PLAN "+statement, args...).Rows()
		if err != nil {
			return nil, false, err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				return nil, false, err
			}
			steps = append(steps, detail)
			strays = strays || fullScan.MatchString(detail)
		}
		return steps, strays, rows.Err()
	}
	var rows []struct {
		Table, Type, Key, Extra *string
		Rows                    *int
	}
	err = s.db.WithContext(ctx).Raw("EXPLAIN "+statement, args...).Scan(&rows).Error
	for _, row := range rows {
		kind, extra := text(row.Type), text(row.Extra)
		steps = append(steps, fmt.Sprintf("%s: %s %s, %s", text(row.Table), kind, text(row.Key), extra))
		whole := kind == "ALL" || kind == "index" && !strings.Contains(extra, "loose")
		strays = strays || whole || strings.Contains(extra, "filesort") && *row.Rows > page
	}
	return steps, strays, err
}

// Analyze has the database count its rows, as it does by itself in time.
func (s *Store) Analyze(ctx context.Context) error {
	if s.dialect == dialectSQLite {
		return s.Exec(ctx, "ANALYZE")
	}
	return s.Exec(ctx, "ANALYZE TABLE devices, registrations, fetches, unknown_devices, refusals, sync_jobs, audit")
}
