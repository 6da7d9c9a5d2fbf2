package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dialtone/models"
	"dialtone/models/keyset"
	"dialtone/models/sqlstore"
	"dialtone/models/sqlstore/sqlstoretest"
)

// A large file is killed, and stopped, in the middle: the same command stores what
// is left, and nothing twice.
func TestImportGoesOnAfterKill(t *testing.T) {
	t.Parallel()
	const rows = 16_000
	var file bytes.Buffer
	file.WriteString("name,mac,sip.username,sip.password\n")
	for n := range rows {
		fmt.Fprintf(&file, "Phone %[1]d,02%010[1]x,u%[1]d,s3cret-%[1]d\n", n)
	}
	sum := sha256.Sum256(file.Bytes())
	for name, url := range map[string]string{"sqlite": "sqlite:dialtone.db", "mysql": sqlstoretest.MySQLDatabase(t)} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "phones.csv"), file.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			settings := []string{"--db.url", url, "--secrets.keyset", "keyset"}
			var account struct{ ID string }
			created := output(t, dir, append([]string{"account", "create", "--name", "Acme", "--realm", "acme.example.com", "--output", "json"}, settings...)...)
			if err := json.Unmarshal(created, &account); err != nil {
				t.Fatal(err)
			}
			i := importing{store: openBeside(t, dir, url), dir: dir, account: account.ID, hash: hex.EncodeToString(sum[:]),
				args: append([]string{"device", "import", "phones.csv", "--output", "json"}, settings...)}
			i.interrupt(t, syscall.SIGKILL, 1)
			i.interrupt(t, syscall.SIGKILL, 5000)
			if said := i.interrupt(t, syscall.SIGTERM, 9000); !strings.Contains(said, "rows are stored; the same command goes on") {
				t.Errorf("after SIGTERM: %s", said)
			}
			at := i.at(t)
			cmd := dialtone(t, dir, i.args...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, stderr.String())
			}
			if want := fmt.Sprintf("going on behind line %d: %d devices of this file were stored before", at.Line, at.Stored); !strings.Contains(stderr.String(), want) {
				t.Errorf("got %q, want %q", stderr.String(), want)
			}
			var result struct{ Rows, Stored, Bad, Finished string }
			if err := json.Unmarshal(out, &result); err != nil {
				t.Fatal(err)
			}
			if result.Rows != "16000" || result.Stored != "16000" || result.Bad != "0" || result.Finished != "true" {
				t.Errorf("%+v", result)
			}
			i.wantEach(t, rows)
			if again, err := dialtone(t, dir, i.args...).CombinedOutput(); err != nil || !strings.Contains(string(again), "nothing to do") {
				t.Errorf("again: %v, %s", err, again)
			}
		})
	}
}

// openBeside opens the database that a program works with.
func openBeside(t *testing.T, dir, url string) *sqlstore.Store {
	t.Helper()
	store, err := sqlstore.Open(strings.Replace(url, "sqlite:", "sqlite:"+dir+"/", 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	keys, err := keyset.Open(filepath.Join(dir, "keyset"))
	if err != nil {
		t.Fatal(err)
	}
	store.Use(keys)
	return store
}

// An importing is a file that is being stored by the program.
type importing struct {
	store              *sqlstore.Store
	dir, account, hash string
	args               []string
}

func (i *importing) at(t *testing.T) models.Import {
	t.Helper()
	at, err := i.store.Import(t.Context(), i.account, i.hash)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// interrupt runs the program until so many rows are stored, and gives what it said.
func (i *importing) interrupt(t *testing.T, with syscall.Signal, stored int) string {
	t.Helper()
	cmd := dialtone(t, i.dir, i.args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wait(t, "a part of the file", func() bool { return i.at(t).Stored >= stored })
	_ = cmd.Process.Signal(with)
	if err := cmd.Wait(); err == nil || i.at(t).Finished {
		t.Fatalf("the import was at its end before %v: %v", with, err)
	}
	return stderr.String()
}

// wantEach wants each phone of the file, and nothing else.
func (i *importing) wantEach(t *testing.T, rows int) {
	t.Helper()
	macs, after := map[string]bool{}, ""
	for {
		list, err := i.store.ListDevices(t.Context(), i.account, models.Listing{After: after, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		for _, d := range list {
			macs[d.MACAddress] = true
			after = d.ID
		}
	}
	for n := range rows {
		if mac := fmt.Sprintf("02%010x", n); !macs[mac] {
			t.Errorf("no device %s", mac)
		}
	}
	if len(macs) != rows {
		t.Errorf("%d devices, want %d", len(macs), rows)
	}
}
