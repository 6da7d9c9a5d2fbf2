package keyset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tink-crypto/tink-go/v2/aead"
	tinkset "github.com/tink-crypto/tink-go/v2/keyset"

	"dialtone/models"
)

// Lock keeps other programs on this machine from changing the keyset's file until unlock
// is called, or this program ends. Another one that holds it is an error.
func (k *Keyset) Lock() (unlock func(), err error) {
	lock, err := os.OpenFile(k.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("keyset: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("keyset %s is being changed by another program", k.path)
	}
	return func() { _ = lock.Close() }, nil
}

// Add puts a new key into the file, which seals nothing yet.
func (k *Keyset) Add() (models.KeyID, error) {
	var added models.KeyID
	err := k.change(func(manager *tinkset.Manager) error {
		id, err := manager.Add(aead.AES256GCMKeyTemplate())
		added = models.KeyID(id)
		return err
	})
	return added, err
}

// Promote makes a key the one that new databases are sealed with.
func (k *Keyset) Promote(key models.KeyID) error {
	if k.Keys()[0] == key {
		return nil
	}
	return k.change(func(manager *tinkset.Manager) error { return manager.SetPrimary(uint32(key)) })
}

// Retain removes all keys but one from the file, and gives those it removed.
func (k *Keyset) Retain(key models.KeyID) (removed []models.KeyID, err error) {
	err = k.change(func(manager *tinkset.Manager) error {
		if err := manager.SetPrimary(uint32(key)); err != nil {
			return err
		}
		removed = nil
		for _, id := range k.Keys() {
			if id == key {
				continue
			}
			if err := manager.Delete(uint32(id)); err != nil {
				return err
			}
			removed = append(removed, id)
		}
		return nil
	})
	return removed, err
}

// change writes the file anew, whole, for the owner that it has.
func (k *Keyset) change(edit func(*tinkset.Manager) error) error {
	if _, err := k.Reload(); err != nil {
		return err
	}
	manager := tinkset.NewManagerFromHandle(k.keys.Load().handle)
	if err := edit(manager); err != nil {
		return fmt.Errorf("keyset %s: %w", k.path, err)
	}
	handle, err := manager.Handle()
	if err != nil {
		return fmt.Errorf("keyset %s: %w", k.path, err)
	}
	raw, err := encode(handle)
	if err != nil {
		return err
	}
	if err := replaceFile(k.path, raw); err != nil {
		return fmt.Errorf("keyset %s cannot be changed: %w", k.path, err)
	}
	_, err = k.Reload()
	return err
}

// writeNew puts the whole file in place at once, or fails if there is one: a
// crash or a second server starting at the same moment never leaves half.
func writeNew(path string, raw []byte) error {
	tmp, err := writeBeside(path, raw)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp) }()
	if err := os.Link(tmp, path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s: %w", path, fs.ErrExist)
		}
		return err
	}
	return nil
}

// replaceFile puts the whole file in place of the one that is there. The server
// may be another user than whoever runs a command.
func replaceFile(path string, raw []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	tmp, err := writeBeside(path, raw)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp) }()
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		if err := os.Chown(tmp, int(owner.Uid), int(owner.Gid)); err != nil {
			return err
		}
	}
	if err := os.Chmod(tmp, info.Mode().Perm()); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes what was renamed in a folder outlast a power cut.
func syncDir(folder string) error {
	dir, err := os.Open(folder) //nolint:gosec // the operator names it
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// writeBeside writes a file of another name in the same folder, mode 0600.
func writeBeside(path string, raw []byte) (string, error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".keyset-*")
	if err != nil {
		return "", err
	}
	_, err = tmp.Write(raw)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		_ = os.Remove(tmp.Name())
		return "", err
	}
	return tmp.Name(), nil
}
