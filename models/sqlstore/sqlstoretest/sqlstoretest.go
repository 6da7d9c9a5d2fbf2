// Package sqlstoretest gives tests a real store.
package sqlstoretest

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql" // for MySQLDatabase

	"dialtone/models"
	"dialtone/models/keyset"
	"dialtone/models/sqlstore"
)

// New opens a migrated store on a SQLite file of the test's own, with a keyset.
func New(t testing.TB) *sqlstore.Store {
	t.Helper()
	return Open(t, "sqlite:"+filepath.Join(t.TempDir(), "dialtone.db"))
}

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
	return Open(t, MySQLDatabase(t))
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
	admin := func(statement string) {
		credentials, addr, _ := strings.Cut(server, "@")
		pool, err := sql.Open("mysql", credentials+"@tcp("+addr+")/")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = pool.Close() }()
		if _, err := pool.ExecContext(context.Background(), statement); err != nil {
			t.Fatal(err)
		}
	}
	admin("CREATE DATABASE " + name)
	t.Cleanup(func() { admin("DROP DATABASE " + name) })
	return "mysql://" + server + "/" + name
}
