package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"gorm.io/gorm"
)

// statements are those that are asked all the time, compiled once on each
// connection of a pool. SQLite takes longer to compile most of them than to carry
// them out. Their texts are constants of this package: a list of any length is one
// parameter. MySQL reads the text with its values in it each time.
type statements struct {
	pool     *sql.DB
	compiled sync.Map // *sql.Stmt, by their texts
}

func newStatements(db *gorm.DB) (*statements, error) {
	pool, err := db.DB()
	return &statements{pool: pool}, err
}

// of compiles a text unless it is. Within a transaction that has the only
// connection it must be, see prepare: what waits here for that connection holds
// nothing that the transaction needs.
func (s *statements) of(ctx context.Context, text string) (*sql.Stmt, error) {
	if compiled, ok := s.compiled.Load(text); ok {
		return compiled.(*sql.Stmt), nil
	}
	statement, err := s.pool.PrepareContext(ctx, strings.ReplaceAll(text, "IN ?", "IN (SELECT value FROM json_each(?))"))
	if err != nil {
		return nil, err
	}
	if first, there := s.compiled.LoadOrStore(text, statement); there {
		return first.(*sql.Stmt), statement.Close()
	}
	return statement, nil
}

// prepare compiles what a transaction is going to ask.
func (s *Store) prepare(ctx context.Context, texts ...string) error {
	if s.dialect == dialectMySQL {
		return nil
	}
	for _, text := range texts {
		if _, err := s.writes.of(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// eachRow visits the rows of a query without reflection: for those that are asked
// all the time. "IN ?" takes a list of strings.
func (s *Store) eachRow(ctx context.Context, visit func(scan func(...any) error) error, query string, args ...any) error {
	return s.eachRowIn(s.db.WithContext(ctx), visit, query, args...)
}

// eachRowIn is eachRow within a transaction that has prepared the query.
func (s *Store) eachRowIn(tx *gorm.DB, visit func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := s.rows(tx, query, args)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := visit(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s *Store) rows(db *gorm.DB, query string, args []any) (*sql.Rows, error) {
	if s.dialect == dialectMySQL {
		return db.Raw(query, args...).Rows()
	}
	statement, err := s.statement(db, query)
	if err != nil {
		return nil, err
	}
	return statement.QueryContext(db.Statement.Context, withLists(args)...)
}

// execIn carries out a statement within a transaction that has prepared it.
func (s *Store) execIn(tx *gorm.DB, text string, args ...any) error {
	if s.dialect == dialectMySQL {
		_, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, text, args...)
		return err
	}
	statement, err := s.statement(tx, text)
	if err != nil {
		return err
	}
	_, err = statement.ExecContext(tx.Statement.Context, args...)
	return err
}

// statement is a compiled one, on the connection of a transaction if db is one.
func (s *Store) statement(db *gorm.DB, text string) (*sql.Stmt, error) {
	ctx := db.Statement.Context
	tx, ok := db.Statement.ConnPool.(gorm.Tx)
	if !ok {
		return s.reads.of(ctx, text)
	}
	statement, err := s.writes.of(ctx, text)
	if err != nil {
		return nil, err
	}
	return tx.StmtContext(ctx, statement), nil
}

// withLists makes one value of each list.
func withLists(args []any) []any {
	args = slices.Clone(args)
	for i, arg := range args {
		if list, ok := arg.([]string); ok {
			text, _ := json.Marshal(list) // strings can be
			args[i] = string(text)
		}
	}
	return args
}

// An upsert stores rows of a table, over those that have the same key.
type upsert struct {
	one  string                // SQLite's statement for a row
	many func(rows int) string // MySQL's for so many
}

// newUpsert makes the statements; a row gives all columns, and what is updated is
// written over the one that is there.
func newUpsert(table string, key, columns, updated []string) upsert {
	into := fmt.Sprintf("INSERT INTO %s (%s) VALUES ", table, strings.Join(columns, ", "))
	row := "(?" + strings.Repeat(", ?", len(columns)-1) + ")"
	setTo := func(value string) string {
		var all []string
		for _, column := range updated {
			all = append(all, column+" = "+fmt.Sprintf(value, column))
		}
		return strings.Join(all, ", ")
	}
	one := into + row + fmt.Sprintf(" ON CONFLICT (%s) DO UPDATE SET ", strings.Join(key, ", ")) + setTo("excluded.%s")
	update := " ON DUPLICATE KEY UPDATE " + setTo("VALUES(%s)")
	return upsert{one, func(rows int) string { return into + row + strings.Repeat(", "+row, rows-1) + update }}
}

// upsertIn stores rows within a transaction that has prepared u.one.
func (s *Store) upsertIn(tx *gorm.DB, u upsert, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	if s.dialect == dialectMySQL {
		return s.execIn(tx, u.many(len(rows)), slices.Concat(rows...)...)
	}
	statement, err := s.statement(tx, u.one)
	for _, row := range rows {
		if err == nil {
			_, err = statement.ExecContext(tx.Statement.Context, row...)
		}
	}
	return err
}

// distinct is each of the keys once.
func distinct[Key cmp.Ordered](keys []Key) []Key {
	keys = slices.Clone(keys)
	slices.Sort(keys)
	return slices.Compact(keys)
}
