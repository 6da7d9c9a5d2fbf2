package main

import (
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dialtone/models/sqlstore/sqlstoretest"
)

// A backup of a database that is served and written to is whole, and comes back
// row by row; nothing that is in use, or there, is overwritten by mistake.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	settings := []string{"--db.url", sqliteURL(dir)}
	p := start(t, dir, settings...)
	a, file := somePhones(t, p, dir, settings...)
	backup, database := filepath.Join(dir, "backup"), filepath.Join(dir, "dialtone.db")
	output(t, dir, append([]string{"backup", backup}, settings...)...)
	if info, err := os.Stat(backup); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("backup: mode %v, %v, want 0600", info.Mode(), err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if info, err := os.Stat(database + suffix); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("database%s: mode %v, %v, want 0600", suffix, info.Mode(), err)
		}
	}
	want := tables(t, "sqlite", "file:"+backup+"?immutable=1")
	refused := func(want string, args ...string) {
		t.Helper()
		if out, err := dialtone(t, dir, args...).CombinedOutput(); err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: got %s, %v, want a refusal with %q", strings.Join(args, " "), out, err, want)
		}
	}
	refused("file exists", append([]string{"backup", backup}, settings...)...)
	refused("--force replaces it", append([]string{"restore", backup}, settings...)...)
	refused("is in use", append([]string{"restore", "--force", backup}, settings...)...)
	a.must(t, http.StatusCreated, "PUT", "devices", `{"data":{"name":"After the backup"}}`)
	if code := p.stop(t); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, p.log)
	}

	damaged := filepath.Join(dir, "damaged")
	raw, err := os.ReadFile(backup)
	must(t, err)
	for i := len(raw) / 4; i < len(raw); i++ {
		raw[i] ^= 0x55
	}
	must(t, os.WriteFile(damaged, raw, 0o600))
	refused("backup "+damaged, append([]string{"restore", "--force", damaged}, settings...)...)
	other := t.TempDir()
	output(t, other, "account", "create", "--name", "X", "--realm", "x.example.com", "--db.url", sqliteURL(other))
	refused("does not fit", append([]string{"restore", "--force", backup, "--secrets.keyset", filepath.Join(other, "dialtone.db.keyset")}, settings...)...)
	if diff := cmp.Diff(want["devices"], tables(t, "sqlite", "file:"+database)["devices"]); diff == "" {
		t.Error("a restore that was refused has changed the database")
	}

	output(t, dir, append([]string{"restore", "--force", backup}, settings...)...)
	if diff := cmp.Diff(want, tables(t, "sqlite", "file:"+database)); diff != "" {
		t.Errorf("restored over the database (-backup +got):\n%s", diff)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(database + suffix)
	}
	output(t, dir, append([]string{"restore", backup}, settings...)...)
	if diff := cmp.Diff(want, tables(t, "sqlite", "file:"+database)); diff != "" {
		t.Errorf("restored where none was (-backup +got):\n%s", diff)
	}
	servesAgain(t, dir, a, file, settings...)
	if left, err := filepath.Glob(filepath.Join(dir, ".dialtone-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// What would come back in part is refused: a copy of the database alone while its
// log holds more of it, and a backup that needs a key which was forgotten, though
// most of it does not, as when it was taken while keys were changed.
func TestRestoreOfParts(t *testing.T) {
	dir := t.TempDir()
	settings := []string{"--db.url", sqliteURL(dir)}
	database, byHand, backup := filepath.Join(dir, "dialtone.db"), filepath.Join(dir, "by-hand"), filepath.Join(dir, "backup")
	p := start(t, dir, settings...)
	newAdmin(t, p, dir, settings...).must(t, http.StatusCreated, "PUT", "devices", yealinkDevice)
	copyFile(t, database, byHand)
	copyFile(t, database+"-wal", byHand+"-wal")
	if code := p.stop(t); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, p.log)
	}
	withOldKey := setDevice(t, database, "")
	output(t, dir, append([]string{"secrets", "rotate"}, settings...)...)
	withNewKey := setDevice(t, database, withOldKey)
	output(t, dir, append([]string{"backup", backup}, settings...)...)
	setDevice(t, database, withNewKey)
	output(t, dir, append([]string{"secrets", "forget"}, settings...)...)

	for file, want := range map[string]string{byHand: byHand + "-wal", backup: "does not fit"} {
		out, err := dialtone(t, dir, append([]string{"restore", "--force", file}, settings...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("restore %s: got %s, %v, want a refusal with %q", file, out, err, want)
		}
	}
}

// A restore that is killed while it copies leaves the database as it was, and the
// next one works.
func TestRestoreKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	settings := []string{"--db.url", sqliteURL(dir)}
	database, backup := filepath.Join(dir, "dialtone.db"), filepath.Join(dir, "backup")
	accounts := func() string { return string(output(t, dir, append([]string{"account", "list"}, settings...)...)) }
	output(t, dir, append([]string{"account", "create", "--name", "Old", "--realm", "old.example.com"}, settings...)...)
	old := accounts()
	output(t, dir, append([]string{"account", "create", "--name", "New", "--realm", "new.example.com"}, settings...)...)
	output(t, dir, append([]string{"backup", backup}, settings...)...)
	execute(t, backup, "CREATE TABLE filler AS SELECT zeroblob(40000000) AS content") // so that copying takes a while
	execute(t, database, "DELETE FROM accounts WHERE name = 'New'")

	restore := append([]string{"restore", "--force", backup}, settings...)
	for _, size := range []int64{1 << 20, 20 << 20} {
		cmd := dialtone(t, dir, restore...)
		must(t, cmd.Start())
		for deadline := time.Now().Add(time.Minute); sizeOf(t, database) < size; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Error("nothing was copied within a minute")
				break
			}
		}
		_ = cmd.Process.Kill()
		if err := cmd.Wait(); err == nil {
			t.Fatalf("the restore was not killed at %d bytes, but ended", size)
		}
		if now := accounts(); now != old {
			t.Fatalf("killed at %d bytes: accounts are\n%s, not\n%s", size, now, old)
		}
	}
	output(t, dir, restore...)
	if now := accounts(); !strings.Contains(now, "new.example.com") {
		t.Errorf("restored: accounts are\n%s", now)
	}
}

func sizeOf(t *testing.T, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	must(t, err)
	return info.Size()
}

// execute runs a statement of SQLite by itself.
func execute(t *testing.T, database, statement string) {
	t.Helper()
	pool, err := sql.Open("sqlite", "file:"+database)
	must(t, err)
	_, err = pool.ExecContext(t.Context(), statement)
	must(t, errors.Join(err, pool.Close()))
}

// setDevice gives the only device another stored document, unless that is "", and
// tells which it had.
func setDevice(t *testing.T, database, document string) (before string) {
	t.Helper()
	pool, err := sql.Open("sqlite", "file:"+database)
	must(t, err)
	defer func() { must(t, pool.Close()) }()
	must(t, pool.QueryRowContext(t.Context(), "SELECT document FROM devices").Scan(&before))
	if document != "" {
		_, err = pool.ExecContext(t.Context(), "UPDATE devices SET document = ?", document)
		must(t, err)
	}
	return before
}

// The commands that docs/security.md gives for MySQL do the same.
func TestDumpAndRestore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from, to := sqlstoretest.MySQLDatabase(t), sqlstoretest.MySQLDatabase(t)
	settings := func(url string) []string {
		return []string{"--db.url", url, "--secrets.keyset", filepath.Join(dir, "keyset")}
	}
	p := start(t, dir, settings(from)...)
	a, file := somePhones(t, p, dir, settings(from)...)
	if code := p.stop(t); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, p.log)
	}
	dump := client(t, from, "mariadb-dump", "--single-transaction", "--hex-blob", "--default-character-set=utf8mb4")
	out, err := dump.Output()
	must(t, err)
	load := client(t, to, "mariadb", "--default-character-set=utf8mb4")
	load.Stdin = strings.NewReader(string(out))
	must(t, load.Run())
	if diff := cmp.Diff(tables(t, "mysql", dataSource(t, from)), tables(t, "mysql", dataSource(t, to))); diff != "" {
		t.Errorf("restored (-want +got):\n%s", diff)
	}
	servesAgain(t, dir, a, file, settings(to)...)
}

// somePhones fills a database, and gives a phone's file.
func somePhones(t *testing.T, p *process, dir string, settings ...string) (a *admin, file string) {
	t.Helper()
	a = newAdmin(t, p, dir, settings...)
	a.must(t, http.StatusCreated, "PUT", "users", `{"data":{"first_name":"Ann","last_name":"Lee ☎","username":"ann","password":"s3cret-ann"}}`)
	a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice)
	a.must(t, http.StatusCreated, "PUT", "devices", polycomDevice)
	if status := curl(t, filepath.Join(dir, "answer"), "-d", "#!version:1.0.0.1", a.url+"001565aabbcc-local.cfg"); status != "201" {
		t.Fatalf("upload: got %s", status)
	}
	_, file = fetch(t, a.url+"001565aabbcc.cfg")
	return a, file
}

// servesAgain starts a server that gives a phone the settings that it had.
func servesAgain(t *testing.T, dir string, a *admin, file string, settings ...string) {
	t.Helper()
	p := start(t, dir, append(settings, "--phones.url", a.url[:strings.Index(a.url, "/p/")])...)
	got, err := takeFile(t.Context(), p.phones+a.url[strings.Index(a.url, "/p/"):]+"001565aabbcc.cfg")
	if err != nil || !strings.Contains(got, "s3cret-ann") || strings.Count(got, "\n") != strings.Count(file, "\n") {
		t.Errorf("a phone gets %d bytes, %v, want the file it had", len(got), err)
	}
	if status := curl(t, filepath.Join(dir, "answer"), p.phones+a.url[strings.Index(a.url, "/p/"):]+"001565aabbcc-local.cfg"); status != "200" {
		t.Errorf("what the phone stored: got %s", status)
	}
}

// tables reads every row of every table, but for servers', who come and go.
func tables(t *testing.T, driver, source string) map[string][]string {
	t.Helper()
	pool, err := sql.Open(driver, source)
	must(t, err)
	defer func() { _ = pool.Close() }()
	list := "SELECT name FROM sqlite_master WHERE type = 'table'"
	if driver == "mysql" {
		list = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
	}
	all := map[string][]string{}
	for _, table := range query(t, pool, list) {
		name := strings.Trim(table, "[]")
		all[name] = query(t, pool, "SELECT * FROM "+name)
	}
	if len(all) < 15 || len(all["devices"]) < 2 || len(all["uploads"]) != 1 {
		t.Fatalf("read %d tables, %d devices, %d uploads", len(all), len(all["devices"]), len(all["uploads"]))
	}
	return all
}

// query gives rows as text, sorted.
func query(t *testing.T, pool *sql.DB, statement string) []string {
	t.Helper()
	rows, err := pool.QueryContext(t.Context(), statement)
	must(t, err)
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	must(t, err)
	var all []string
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		must(t, rows.Scan(into...))
		var text []string
		for _, v := range values {
			if v.Valid {
				text = append(text, v.String)
			} else {
				text = append(text, "NULL")
			}
		}
		all = append(all, fmt.Sprint(text))
	}
	must(t, rows.Err())
	slices.Sort(all)
	return all
}

// client runs a program of MariaDB on the database of a URL.
func client(t *testing.T, dbURL, program string, args ...string) *exec.Cmd {
	t.Helper()
	u, err := url.Parse(dbURL)
	must(t, err)
	password, _ := u.User.Password()
	args = append([]string{"--no-defaults", "--host=" + u.Hostname(), "--port=" + u.Port(), "--user=" + u.User.Username()}, args...)
	cmd := exec.CommandContext(t.Context(), program, append(args, u.Path[1:])...)
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+password)
	return cmd
}

func dataSource(t *testing.T, dbURL string) string {
	t.Helper()
	u, err := url.Parse(dbURL)
	must(t, err)
	password, _ := u.User.Password()
	return u.User.Username() + ":" + password + "@tcp(" + u.Host + ")" + u.Path
}
