// Package keyset encrypts secrets at rest with a tink AEAD keyset kept in a
// file of its own, never in the database it protects.
package keyset

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	tinkset "github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"dialtone/models"
)

// A Keyset seals and opens secrets (AES-256-GCM). Old keys of the file still
// open what they sealed.
type Keyset struct {
	primitive tink.AEAD
	raw       []byte // the file
}

// Open reads the keyset file at path. A missing file is fs.ErrNotExist.
func Open(path string) (*Keyset, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // the operator names this file
	if err != nil {
		return nil, fmt.Errorf("keyset: %w", err)
	}
	handle, err := insecurecleartextkeyset.Read(tinkset.NewJSONReader(bytes.NewReader(raw)))
	if err != nil {
		// The parser's own words could quote key material.
		return nil, fmt.Errorf("keyset %s: not a tink keyset in JSON", path)
	}
	return newKeyset(handle, raw)
}

// Create makes a new keyset and writes it to path with mode 0600. It never
// overwrites: an existing file is fs.ErrExist.
func Create(path string) (*Keyset, error) {
	handle, err := tinkset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("keyset: %w", err)
	}
	var raw bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, tinkset.NewJSONWriter(&raw)); err != nil {
		return nil, fmt.Errorf("keyset: %w", err)
	}
	if err := writeNew(path, raw.Bytes()); err != nil {
		return nil, fmt.Errorf("keyset: %w", err)
	}
	return newKeyset(handle, raw.Bytes())
}

// writeNew puts the whole file in place at once, or fails if there is one: a
// crash or a second server starting at the same moment never leaves half.
func writeNew(path string, raw []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".keyset-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(raw)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s: %w", path, fs.ErrExist)
		}
		return err
	}
	return nil
}

func newKeyset(handle *tinkset.Handle, raw []byte) (*Keyset, error) {
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("keyset: %w", err)
	}
	return &Keyset{primitive, raw}, nil
}

// Derive is a key of 32 bytes for the purpose named: the same for all servers
// that share the keyset file, and another one for every other purpose.
func (k *Keyset) Derive(purpose string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, k.raw, nil, purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("derive %s key: %w", purpose, err)
	}
	return key, nil
}

// Seal encrypts a secret. The place (account, device, field) is bound to it: a
// sealed text copied elsewhere does not open.
func (k *Keyset) Seal(secret models.Secret, place string) (string, error) {
	sealed, err := k.primitive.Encrypt([]byte(secret.Reveal()), []byte(place))
	if err != nil {
		return "", fmt.Errorf("seal %s: %w", place, err)
	}
	return base64.RawStdEncoding.EncodeToString(sealed), nil
}

// Open decrypts what Seal made for the same place.
func (k *Keyset) Open(sealed, place string) (models.Secret, error) {
	raw, err := base64.RawStdEncoding.DecodeString(sealed)
	if err != nil {
		return "", fmt.Errorf("open %s: not a sealed secret", place)
	}
	secret, err := k.primitive.Decrypt(raw, []byte(place))
	if err != nil {
		return "", fmt.Errorf("open %s: the keyset does not fit", place)
	}
	return models.Secret(secret), nil
}
