package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	lite "modernc.org/sqlite"

	"dialtone/models"
)

// Backup writes the whole SQLite database, as it is at one moment, to a new file
// with mode 0600, while others go on writing. A file that is there already is
// fs.ErrExist, another database ErrInvalid.
func (s *Store) Backup(ctx context.Context, file string) error {
	if s.dialect != dialectSQLite {
		return fmt.Errorf("%w: only a SQLite database is backed up by this program", models.ErrInvalid)
	}
	tmp, err := emptyBeside(file)
	if err != nil {
		return err
	}
	defer removeDatabase(tmp)
	if err := s.db.WithContext(ctx).Exec("VACUUM INTO ?", tmp).Error; err != nil {
		return storeErr("backup", err)
	}
	if err := syncFile(tmp); err != nil {
		return err
	}
	return os.Link(tmp, file)
}

// Restore puts a backup in the place of the SQLite database at path. check is
// given the backup as a store, to refuse it. A database that is there is replaced only when
// replace says so, never while a program has it open; when anything fails it
// stays as it is.
func Restore(ctx context.Context, backup, path string, replace bool, check func(*Store) error) error {
	if err := isWhole(backup); err != nil {
		return err
	}
	tmp, err := emptyBeside(path)
	if err != nil {
		return err
	}
	defer removeDatabase(tmp)
	if err := copyInto(tmp, backup); err != nil {
		return err
	}
	if err := checkBackup(ctx, tmp, check); err != nil {
		return fmt.Errorf("backup %s: %w", backup, err)
	}
	for _, file := range []string{path, path + "-wal", path + "-journal"} {
		_, err := os.Stat(file)
		if err == nil && !replace {
			return fmt.Errorf("%s: %w", file, fs.ErrExist)
		}
		if err == nil {
			return copyOver(ctx, tmp, path)
		}
	}
	return os.Link(tmp, path)
}

// isWhole refuses a database that a program uses, or a copy of one: what was written
// last is in its log.
func isWhole(backup string) error {
	for _, log := range []string{backup + "-wal", backup + "-journal"} {
		info, err := os.Stat(log)
		if err == nil && info.Size() > 0 {
			return fmt.Errorf("%w: a part of %s is in %s: it is no backup, as dialtone backup makes one", models.ErrInvalid, backup, log)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// checkBackup looks whether a file is a whole database of this program.
func checkBackup(ctx context.Context, path string, check func(*Store) error) error {
	s, err := Open("sqlite:" + path)
	if err != nil {
		return err
	}
	var result string
	err = s.writer.WithContext(ctx).Raw("PRAGMA integrity_check").Scan(&result).Error
	if err == nil && result != "ok" {
		err = errors.New("it is damaged")
	}
	if err == nil {
		err = check(s)
	}
	return errors.Join(err, s.Close())
}

// copyOver writes one database over another, in a transaction of its own. No
// other program may have that open.
func copyOver(ctx context.Context, from, path string) (err error) {
	pool, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(0)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(ctx, "PRAGMA locking_mode = EXCLUSIVE"); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var mode string
	err = conn.QueryRowContext(ctx, "PRAGMA journal_mode = DELETE").Scan(&mode) // only for who is alone with the file
	if isBusy(err) || err == nil && mode != "delete" {
		return fmt.Errorf("%s is in use: stop the server first", path)
	}
	if err != nil {
		return fmt.Errorf("%s is no database: move it away first: %w", path, err)
	}
	return conn.Raw(func(driverConn any) error {
		copying, err := driverConn.(interface {
			NewRestore(from string) (*lite.Backup, error)
		}).NewRestore(from)
		if err != nil {
			return fmt.Errorf("restore %s: %w", path, err)
		}
		_, err = copying.Step(-1)
		if err = errors.Join(err, copying.Finish()); isBusy(err) {
			return fmt.Errorf("%s is in use: stop the server first", path)
		}
		return err
	})
}

// emptyBeside makes an empty file in the folder of another, mode 0600.
func emptyBeside(path string) (string, error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".dialtone-*")
	if err != nil {
		return "", err
	}
	return tmp.Name(), tmp.Close()
}

func removeDatabase(path string) {
	for _, file := range []string{path, path + "-wal", path + "-shm"} {
		_ = os.Remove(file)
	}
}

func copyInto(to, from string) error {
	in, err := os.Open(from) //nolint:gosec // the operator names it
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_WRONLY, 0) //nolint:gosec // just made
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // just made
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
