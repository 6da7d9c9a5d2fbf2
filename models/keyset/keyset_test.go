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

	sealed, err := created.Seal("s3cret", "devices/d1/sip.password")
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
	if one := derive(created, "nonces"); one != derive(reopened, "nonces") || one == derive(created, "other") || one == derive(other, "nonces") {
		t.Error("derived keys: want one for each purpose and keyset, the same after a restart")
	}
	if _, err := other.Open(sealed, "devices/d1/sip.password"); err == nil {
		t.Error("another keyset opens the secret, want an error")
	}
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
