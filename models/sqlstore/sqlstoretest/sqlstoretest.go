// Package sqlstoretest gives tests a real store.
package sqlstoretest

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	_ "github.com/go-sql-driver/mysql" // for MySQLDatabase

	"dialtone/models"
	"dialtone/models/keyset"
	"dialtone/models/sqlstore"
)

// New opens a migrated store on a SQLite file of the test's own, with a keyset.
func New(t testing.TB) *sqlstore.Store {
	t.Helper()
	file, err := migratedFile()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "dialtone.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return Open(t, "sqlite:"+path)
}

// migratedFile is an empty database whose schema is up to date: the migrations
// take longer than most tests.
var migratedFile = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "dialtone-schema")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "dialtone.db")
	store, err := sqlstore.Open("sqlite:" + path)
	if err != nil {
		return nil, err
	}
	if _, err := store.Migrate(context.Background()); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	if err := store.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path) //nolint:gosec // written here
})

// Open opens the database at url, brings its schema up to date and closes it
// after the test.
func Open(t testing.TB, url string) *sqlstore.Store {
	t.Helper()
	return open(t, url, newKeys(t))
}

// Replicas opens the database at url twice, as two servers do that share it.
func Replicas(t testing.TB, url string) (one, other *sqlstore.Store) {
	t.Helper()
	keys := newKeys(t)
	return open(t, url, keys), open(t, url, keys)
}

func newKeys(t testing.TB) sqlstore.Sealer {
	t.Helper()
	keys, err := keyset.Create(filepath.Join(t.TempDir(), "keyset"))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func open(t testing.TB, url string, keys sqlstore.Sealer) *sqlstore.Store {
	t.Helper()
	store, err := sqlstore.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	store.Use(keys)
	if _, err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return store
}

// NewMySQL opens a migrated store on a new MySQL database of the test's own.
func NewMySQL(t testing.TB) *sqlstore.Store {
	t.Helper()
	url := MySQLDatabase(t)
	schema.Lock()
	defer schema.Unlock()
	if schema.statements != nil {
		execute(t, url, schema.statements...)
		return Open(t, url)
	}
	store := Open(t, url)
	schema.statements = schemaOf(t, url)
	return store
}

// schema makes an empty database whose schema is up to date, once one was
// migrated: the migrations take longer than most tests.
var schema struct {
	sync.Mutex
	statements []string
}

// schemaOf reads the statements that make the tables of a database, and goose's
// list of the migrations that made them.
func schemaOf(t testing.TB, url string) []string {
	t.Helper()
	pool := connect(t, url)
	defer func() { _ = pool.Close() }()
	var statements []string
	for _, table := range column(t, pool, "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()") {
		var name, create string
		if err := pool.QueryRowContext(context.Background(), "SHOW CREATE TABLE "+table).Scan(&name, &create); err != nil {
			t.Fatal(err)
		}
		statements = append(statements, create)
	}
	for _, version := range column(t, pool, "SELECT version_id FROM goose_db_version ORDER BY id") {
		statements = append(statements, "INSERT INTO goose_db_version (version_id, is_applied) VALUES ("+version+", 1)")
	}
	return statements
}

func column(t testing.TB, pool *sql.DB, query string) []string {
	t.Helper()
	rows, err := pool.QueryContext(context.Background(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var values []string
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return values
}

// MySQLDatabase creates an empty database on the server that
// TEST_MYSQL names ("user:pass@host:port"), gives its URL, and drops
// it after the test. Without a server the test fails.
func MySQLDatabase(t testing.TB) string {
	t.Helper()
	server := os.Getenv("TEST_MYSQL")
	if server == "" {
		t.Fatal("TEST_MYSQL names no MySQL server (user:pass@host:port): `make test` starts one, or start your own")
	}
	name := "dialtone_" + models.NewID()
	execute(t, "mysql://"+server+"/", "CREATE DATABASE "+name)
	t.Cleanup(func() { execute(t, "mysql://"+server+"/", "DROP DATABASE "+name) })
	return "mysql://" + server + "/" + name
}

func execute(t testing.TB, url string, statements ...string) {
	t.Helper()
	pool := connect(t, url)
	defer func() { _ = pool.Close() }()
	for _, statement := range statements {
		if _, err := pool.ExecContext(context.Background(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

func connect(t testing.TB, url string) *sql.DB {
	t.Helper()
	server, database, _ := strings.Cut(strings.TrimPrefix(url, "mysql://"), "/")
	credentials, addr, _ := strings.Cut(server, "@")
	pool, err := sql.Open("mysql", credentials+"@tcp("+addr+")/"+database)
	if err != nil {
		t.Fatal(err)
	}
	return pool
}
