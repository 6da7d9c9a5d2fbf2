// Package sqlstore keeps Dialtone's records in SQLite or MySQL. It holds all
// the SQL, and turns every driver error into one of the kinds of models.
package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	driver "github.com/go-sql-driver/mysql"
	"github.com/maypok86/otter/v2"
	"github.com/sethvargo/go-retry"
	"gorm.io/driver/mysql"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	lite "modernc.org/sqlite"
	litecode "modernc.org/sqlite/lib"

	"dialtone/models"
)

// A Sealer encrypts secrets; the place says where they stand and must be the
// same when they are opened.
type Sealer interface {
	Seal(key models.KeyID, secret models.Secret, place string) (string, error)
	Open(sealed, place string) (models.Secret, error)
	KeyOf(sealed string) (models.KeyID, bool) // its beginning is enough; false = not sealed
	Keys() []models.KeyID                     // first the one for a new database
	Has(key models.KeyID) error               // nil, or why it has not
}

// A Store is the one way to the database. It is safe for concurrent use.
type Store struct {
	db      *gorm.DB // for reading
	writer  *gorm.DB // for writing: on SQLite one connection, so that writers queue in the order they came
	reads   *statements
	writes  *statements // on the writer
	dialect dialect
	sealer  Sealer
	lastKey atomic.Uint32 // that sealed last, 0 = none yet
	now     func() time.Time

	notifications  *batch[syncItemRow, error]
	bindingChanges *batch[bindingChange, error]
	phoneRows      *batch[aor, *phoneRow]
	phoneVersions  *batch[string, phoneVersion] // by the device's id

	phoneRowsByMAC  *batch[string, *phoneRow]
	accountVersions *batch[string, accountVersion] // by id
	generations     *batch[struct{}, generation]

	phones          *otter.Cache[aor, knownPhone]
	phonesByMAC     *otter.Cache[models.MAC, knownPhone]
	accounts        *otter.Cache[string, knownAccount]   // by the hashes of their path tokens
	decodedAccounts *otter.Cache[string, decodedAccount] // by id
	someAddress     *otter.Cache[struct{}, bool]
}

// Open connects to the database that url names: "sqlite:PATH" or
// "mysql://user:pass@host:port/name?opts". It touches no schema. A MySQL server
// that does not answer is an error only at the first query, so that a server
// can start before its database.
func Open(url string) (*Store, error) {
	target, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	db, err := target.open(maxConns[target.dialect])
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, writer: db, dialect: target.dialect, now: time.Now}
	s.phones, s.phonesByMAC, s.accounts, s.someAddress = newKnownPhones[aor](), newKnownPhones[models.MAC](), newKnownAccounts[knownAccount](), newSomeAddress()
	s.decodedAccounts = newKnownAccounts[decodedAccount]()
	timeout := runTimeouts[target.dialect]
	s.notifications = newBatch(maxNotifications, timeout, s.saveNotifications)
	s.bindingChanges = newBatch(maxBatch, timeout, s.changeManyDevices)
	s.phoneRows = newBatch(maxBatch, timeout, s.readPhones)
	s.phoneVersions = newBatch(maxBatch, timeout, s.readVersions)
	s.accountVersions = newBatch(maxBatch, timeout, s.readAccountVersions)
	s.phoneRowsByMAC = newBatch(maxBatch, timeout, s.readPhonesByMAC)
	s.generations = newBatch(maxBatch, timeout, s.readGenerations)
	if target.dialect == dialectSQLite {
		if s.writer, err = target.open(1); err != nil {
			return nil, errors.Join(err, closePool(db))
		}
	}
	s.reads, err = newStatements(s.db)
	if err == nil {
		s.writes, err = newStatements(s.writer)
	}
	return s, err
}

// maxConns bounds a pool's connections.
var maxConns = map[dialect]int{dialectMySQL: 32, dialectSQLite: 8}

// open makes a pool of connections. SQLite does not wait for a program that is
// setting the journal mode of a new file: then it is opened again.
func (t target) open(conns int) (*gorm.DB, error) {
	var db *gorm.DB
	err := retry.Do(context.Background(), retries(), func(context.Context) (err error) {
		db, err = t.openOnce(conns)
		if isBusy(err) {
			return retry.RetryableError(err)
		}
		return err
	})
	return db, err
}

func (t target) openOnce(conns int) (*gorm.DB, error) {
	pool, err := t.pool()
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	db, err := gorm.Open(t.gorm(pool), &gorm.Config{ // closes the pool when it fails
		Logger:                 logger.Discard, // errors are returned, and logged where they are handled
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		NowFunc:                func() time.Time { return time.Now().UTC() },
	})
	if err != nil {
		return nil, fmt.Errorf("database %s: %w: %w", t.path, models.ErrUnavailable, err)
	}
	return db, nil
}

// gorm wraps an open pool for the dialect.
func (t target) gorm(pool *sql.DB) gorm.Dialector {
	if t.dialect == dialectMySQL {
		// Asking the server for its version would need it to be there. FOR SHARE is MySQL's alone.
		return mysql.New(mysql.Config{Conn: pool, SkipInitializeWithVersion: true, DontSupportForShareClause: true})
	}
	return sqlite.New(sqlite.Config{Conn: pool})
}

// Use sets what encrypts the secrets of documents. Only a store that reads and
// writes no document (for migrations) can do without.
func (s *Store) Use(sealer Sealer) { s.sealer = sealer }

// Pools are the connections to the database, by what they are for: on SQLite one
// pool reads, one writes.
func (s *Store) Pools() (map[string]*sql.DB, error) {
	pools := map[string]*sql.DB{}
	for name, db := range map[string]*gorm.DB{"database": s.db, "writer": s.writer} {
		if name == "writer" && s.writer == s.db {
			continue
		}
		pool, err := db.DB()
		if err != nil {
			return nil, err
		}
		pools[name] = pool
	}
	return pools, nil
}

// Close ends all connections.
func (s *Store) Close() error { return errors.Join(closePool(s.writer), closePool(s.db)) }

func closePool(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}

// Ping reports whether the database answers, has its schema, and holds nothing
// that the sealer cannot open (an empty database fits any); otherwise the error
// is ErrUnavailable.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.ListAccounts(ctx, "", models.Listing{Limit: 1})
	return err
}

// Driver errors become kinds here and nowhere else.
func storeErr(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gorm.ErrRecordNotFound):
		return fmt.Errorf("%s: %w", op, models.ErrNotFound)
	case isKind(err):
		return err
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", op, err)
	}
	if field := takenField(err); field != "" {
		return fmt.Errorf("%s: %w", op, &models.TakenError{Field: field})
	}
	if isDeadlock(err) {
		return fmt.Errorf("%s: %w", op, models.ErrConflict)
	}
	return fmt.Errorf("%s: %w: %w", op, models.ErrUnavailable, err)
}

func isKind(err error) bool {
	return errors.Is(err, models.ErrNotFound) || errors.Is(err, models.ErrInvalid) || errors.Is(err, models.ErrConflict) ||
		errors.Is(err, models.ErrTaken) || errors.Is(err, models.ErrUnavailable) || errors.Is(err, models.ErrDescendants) ||
		errors.Is(err, models.ErrQuota) || errors.Is(err, models.ErrStillNeeded)
}

// The document member behind each unique index, as MySQL ("index") and SQLite
// ("table.column" of its last column) name it in their errors.
var uniqueFields = []struct{ mysql, sqlite, field string }{
	{"accounts_master", "accounts.master", "master"},
	{"accounts_realm", "accounts.realm", "realm"},
	{"accounts_api_key_hash", "accounts.api_key_hash", "api_key"},
	{"accounts_path_token_hash", "accounts.path_token_hash", "path_token"},
	{"users_username", "users.username", "username"},
	{"devices_mac", "devices.mac", "mac_address"},
	{"devices_sip_username", "devices.sip_username", "sip.username"},
	{"devices_account_username", "devices.sip_username", "sip.username"},
	{"devices_sip_ip", "devices.sip_ip", "sip.ip"},
	{"devices_mobile_mdn", "devices.mobile_mdn", "mobile.mdn"},
	{"users_hotdesk_id", "users.hotdesk_id", "hotdesk.id"},
	{"PRIMARY", ".id", "id"},
}

const (
	mysqlDuplicate       = 1062
	mysqlUnknownVariable = 1193
	mysqlLockTimeout     = 1205 // also a Galera node that does not catch up with the others
	mysqlDeadlock        = 1213 // also a Galera certification conflict at commit
)

func takenField(err error) string {
	var my *driver.MySQLError
	if errors.As(err, &my) && my.Number == mysqlDuplicate {
		for _, u := range uniqueFields {
			if strings.Contains(my.Message, u.mysql+"'") {
				return u.field
			}
		}
	}
	var li *lite.Error
	if errors.As(err, &li) && (li.Code() == litecode.SQLITE_CONSTRAINT_UNIQUE || li.Code() == litecode.SQLITE_CONSTRAINT_PRIMARYKEY) {
		columns, _, _ := strings.Cut(li.Error(), " (") // "...failed: devices.realm, devices.sip_username (2067)"
		for _, u := range uniqueFields {
			if strings.HasSuffix(columns, u.sqlite) {
				return u.field
			}
		}
	}
	return ""
}

func isWriteConflict(err error) bool {
	var my *driver.MySQLError
	return errors.As(err, &my) && (my.Number == mysqlDeadlock || my.Number == mysqlLockTimeout)
}

func isDeadlock(err error) bool {
	var my *driver.MySQLError
	return errors.As(err, &my) && my.Number == mysqlDeadlock
}

func isBusy(err error) bool {
	var li *lite.Error
	return errors.As(err, &li) && li.Code()&0xff == litecode.SQLITE_BUSY
}

// transaction runs work in one transaction. A deadlock, or on Galera a lost
// certification, rolls it back and runs the whole of it again, a few times.
//
// On MySQL it runs at READ COMMITTED: the default level locks the gaps around
// rows that are not there, so that phones which register for the first time
// together would deadlock each other.
func (s *Store) transaction(ctx context.Context, op string, work func(tx *gorm.DB) error) error {
	var options []*sql.TxOptions
	if s.dialect == dialectMySQL {
		options = append(options, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	}
	return storeErr(op, retry.Do(ctx, retries(), func(ctx context.Context) error {
		err := s.writer.WithContext(ctx).Transaction(work, options...)
		if isWriteConflict(err) {
			return retry.RetryableError(err)
		}
		return err
	}))
}

// How often what met another program is tried again, and the longest pause
// before the first time; it doubles.
const (
	maxRetries = 5
	firstPause = 10 * time.Millisecond
)

func retries() retry.Backoff {
	return retry.WithMaxRetries(maxRetries, retry.WithFullJitter(retry.NewExponential(firstPause)))
}

// encode is the stored JSON of a document.
func encode(doc models.Document) (string, error) {
	raw, err := json.Marshal(map[string]any(doc))
	if err != nil {
		return "", fmt.Errorf("%w document: %w", models.ErrInvalid, err)
	}
	return string(raw), nil
}

func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// optional stores "" as NULL, which unique indexes ignore.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// clip bounds what has no limit of its own to a column of n characters.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "?")
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
