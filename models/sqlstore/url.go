package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"dialtone/models"
)

type dialect string

const (
	dialectSQLite dialect = "sqlite"
	dialectMySQL  dialect = "mysql"
)

// A target is a database URL taken apart.
type target struct {
	dialect dialect
	path    string        // SQLite: the file
	config  *mysql.Config // MySQL
}

// parseURL reads the db.url setting; errors never quote it, for it may hold a
// password.
func parseURL(raw string) (target, error) {
	if path, ok := strings.CutPrefix(raw, "sqlite:"); ok {
		if path == "" {
			return target{}, fmt.Errorf("%w db.url: want sqlite:PATH", models.ErrInvalid)
		}
		return target{dialect: dialectSQLite, path: path}, nil
	}
	if strings.HasPrefix(raw, "mysql://") {
		config, err := mysqlConfig(raw)
		return target{dialect: dialectMySQL, config: config}, err
	}
	return target{}, fmt.Errorf("%w db.url: want sqlite:PATH or mysql://user:pass@host:port/name", models.ErrInvalid)
}

func mysqlConfig(raw string) (*mysql.Config, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%w db.url: not a URL (percent-encode special characters of the password)", models.ErrInvalid)
	}
	name := strings.TrimPrefix(u.Path, "/")
	if u.Hostname() == "" || name == "" {
		return nil, fmt.Errorf("%w db.url: want mysql://user:pass@host:port/name", models.ErrInvalid)
	}
	config, err := mysql.ParseDSN("tcp(ignored)/?" + u.RawQuery) // the driver's own options
	if err != nil {
		return nil, fmt.Errorf("%w db.url: options after ?: %w", models.ErrInvalid, err)
	}
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	config.Addr = u.Hostname() + ":" + cmp.Or(u.Port(), "3306")
	config.DBName = name
	config.ParseTime = true
	config.Loc = time.UTC
	config.ClientFoundRows = true   // an update that changes nothing still finds its row
	config.InterpolateParams = true // one exchange with the server for a query, not two
	config.Collation = cmp.Or(config.Collation, "utf8mb4_bin")
	config.Timeout = cmp.Or(config.Timeout, 5*time.Second)
	config.ReadTimeout = cmp.Or(config.ReadTimeout, 30*time.Second)
	config.WriteTimeout = cmp.Or(config.WriteTimeout, 30*time.Second)
	return config, nil
}

// pool makes an empty pool of connections.
func (t target) pool() (*sql.DB, error) {
	if t.dialect == dialectMySQL {
		connector, err := mysql.NewConnector(t.config)
		if err != nil {
			return nil, fmt.Errorf("%w db.url: %w", models.ErrInvalid, err)
		}
		pool := sql.OpenDB(fresh{connector, t.config})
		pool.SetConnMaxLifetime(5 * time.Minute)
		return pool, nil
	}
	if err := createPrivate(t.path); err != nil {
		return nil, fmt.Errorf("database: %w: %w", models.ErrUnavailable, err)
	}
	pool, err := sql.Open("sqlite", sqliteDSN(t.path))
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", t.path, err)
	}
	return pool, nil
}

// createPrivate makes an empty file that nobody else may read, where there is
// none; SQLite gives the files beside it the same mode.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator names it
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return nil // it is there, for reading
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// fresh makes connections that read what was committed before, on any node: a
// Galera cluster lets a node answer before it has applied what others have
// committed, and a phone that was told to fetch would get the old file.
// Elsewhere it makes no difference, or is unknown. The URL may say otherwise.
type fresh struct {
	driver.Connector
	config *mysql.Config
}

const syncWait = "wsrep_sync_wait"

// Connect makes a connection.
func (f fresh) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := f.Connector.Connect(ctx)
	if _, said := f.config.Params[syncWait]; err != nil || said {
		return conn, err
	}
	_, err = conn.(driver.ExecerContext).ExecContext(ctx, "SET SESSION "+syncWait+" = 1", nil)
	var refused *mysql.MySQLError
	if err == nil || errors.As(err, &refused) && refused.Number == mysqlUnknownVariable {
		return conn, nil
	}
	return nil, errors.Join(err, conn.Close())
}

// sqliteDSN names the file with the settings every connection needs: writers
// of several programs wait for each other instead of failing, a commit survives a power cut, and a
// transaction takes the write lock at once instead of deadlocking later.
func sqliteDSN(path string) string {
	file := (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()
	return "file:" + file + "?" + strings.Join([]string{
		"_pragma=busy_timeout(2000)",
		"_pragma=journal_mode(WAL)",
		"_pragma=synchronous(FULL)",
		"_pragma=foreign_keys(1)",
		"_txlock=immediate",
	}, "&")
}

// SQLitePath is the database file of a sqlite: URL; false for other databases.
func SQLitePath(dbURL string) (string, bool) {
	t, err := parseURL(dbURL)
	return t.path, err == nil && t.dialect == dialectSQLite
}
