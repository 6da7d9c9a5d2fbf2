package keyset_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dialtone/models"
	"dialtone/models/keyset"
)

func TestKeyset(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dialtone.keyset")
	if _, err := keyset.Open(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("Open of a missing file: got %v, want fs.ErrNotExist", err)
	}
	created, err := keyset.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("keyset file: got mode %v, %v, want 0600", info.Mode(), err)
	}
	if _, err := keyset.Create(path); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("Create over a keyset: got %v, want fs.ErrExist", err)
	}

	key := created.Keys()[0]
	sealed, err := created.Seal(key, "s3cret", "devices/d1/sip.password")
	if err != nil || strings.Contains(sealed, "s3cret") {
		t.Fatalf("Seal: got %q, %v", sealed, err)
	}
	reopened, err := keyset.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := reopened.Open(sealed, "devices/d1/sip.password"); err != nil || got != models.Secret("s3cret") {
		t.Errorf("Open after a restart: got %v, %v", got, err)
	}
	if _, err := reopened.Open(sealed, "devices/d2/sip.password"); err == nil {
		t.Error("a secret moved to another device opens, want an error")
	}
	other, err := keyset.Create(filepath.Join(t.TempDir(), "other"))
	if err != nil {
		t.Fatal(err)
	}
	derive := func(k *keyset.Keyset, purpose string) string {
		key, err := k.Derive(purpose)
		if err != nil || len(key) != 32 {
			t.Fatalf("Derive: got %d bytes, %v, want 32", len(key), err)
		}
		return string(key)
	}
	if one := derive(created, "tickets"); one != derive(reopened, "tickets") || one == derive(created, "other") || one == derive(other, "tickets") {
		t.Error("derived keys: want one for each purpose and keyset, the same after a restart")
	}
	if _, err := other.Open(sealed, "devices/d1/sip.password"); err == nil {
		t.Error("another keyset opens the secret, want an error")
	}
}

// Keys come and go while a server has the file open: it reads the file again
// when it needs to.
func TestKeysChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dialtone.keyset")
	command, err := keyset.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	server, err := keyset.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	old := command.Keys()[0]
	before, err := server.Seal(old, "s3cret", "here")
	if err != nil {
		t.Fatal(err)
	}
	added, err := command.Add()
	if err != nil {
		t.Fatal(err)
	}
	if got := command.Keys(); len(got) != 2 || got[0] != old || got[1] != added {
		t.Errorf("after Add: got keys %v, want %d, then %d", got, old, added)
	}
	after, err := command.Seal(added, "s3cret", "here")
	if err != nil {
		t.Fatal(err)
	}
	for sealed, key := range map[string]models.KeyID{before: old, after: added} {
		if got, ok := server.KeyOf(sealed[:keyset.HeadLength]); !ok || got != key {
			t.Errorf("KeyOf: got %d, %v, want %d", got, ok, key)
		}
		if got, err := server.Open(sealed, "here"); err != nil || got != models.Secret("s3cret") {
			t.Errorf("Open: got %v, %v", got, err)
		}
	}
	if err := command.Promote(added); err != nil || command.Keys()[0] != added {
		t.Errorf("Promote: %v, keys %v", err, command.Keys())
	}
	if removed, err := command.Retain(added); err != nil || len(removed) != 1 || removed[0] != old {
		t.Errorf("Retain: got %v, %v, want %d removed", removed, err, old)
	}
	if changed, err := server.Reload(); err != nil || !changed {
		t.Errorf("Reload: got %v, %v, want a change", changed, err)
	}
	if err := server.Has(old); !errors.Is(err, keyset.ErrNoKey) {
		t.Errorf("the old key: got %v, want ErrNoKey", err)
	}
	if _, err := server.Open(before, "here"); !errors.Is(err, keyset.ErrNoKey) || !strings.Contains(err.Error(), path) {
		t.Errorf("what the old key sealed: got %v, want ErrNoKey with the file", err)
	}
	if _, ok := server.KeyOf("s3cret-in-the-clear"); ok {
		t.Error("KeyOf takes any text for a sealed one")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: mode %v, %v, want 0600", info.Mode(), err)
	}
}

// A file that cannot be read leaves a server with the keys it has.
func TestReloadDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k")
	keys, err := keyset.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(`{"key":"canary"`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Reload(); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("Reload: got %v, want an error without the content", err)
	}
	if _, err := keys.Seal(keys.Keys()[0], "s3cret", "here"); err != nil {
		t.Errorf("Seal with the keys from before: %v", err)
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k")
	keys, err := keyset.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := keys.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Lock(); err == nil {
		t.Error("a second Lock: got none, want an error")
	}
	unlock()
	unlock, err = keys.Lock()
	if err != nil {
		t.Fatalf("Lock after unlock: %v", err)
	}
	unlock()
}

func TestOpenDamagedFileKeepsQuiet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k")
	if err := os.WriteFile(path, []byte(`{"primaryKeyId":1,"key":"canary"`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := keyset.Open(path)
	if err == nil || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error that names the file and not its content", err)
	}
}
