// Package keyset encrypts secrets at rest with a tink AEAD keyset kept in a
// file of its own, never in the database it protects.
package keyset

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	tinkset "github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"dialtone/models"
)

// A Keyset seals and opens secrets (AES-256-GCM) with the keys of a file. When
// it meets a key that it does not know, it reads the file again. It is safe for
// concurrent use.
type Keyset struct {
	path    string
	reading sync.Mutex
	keys    atomic.Pointer[keys]
}

// The keys of a file, as they were read.
type keys struct {
	raw    []byte
	first  []byte // material of the primary key
	handle *tinkset.Handle
	ids    []models.KeyID             // the primary one first
	seal   map[models.KeyID]tink.AEAD // opens what any key sealed
}

// Open reads the keyset file at path. A missing file is fs.ErrNotExist.
func Open(path string) (*Keyset, error) {
	k := &Keyset{path: path}
	if _, err := k.Reload(); err != nil {
		return nil, err
	}
	return k, nil
}

// Create makes a new keyset and writes it to path with mode 0600. It never
// overwrites: an existing file is fs.ErrExist.
func Create(path string) (*Keyset, error) {
	handle, err := tinkset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("keyset: %w", err)
	}
	raw, err := encode(handle)
	if err != nil {
		return nil, err
	}
	if err := writeNew(path, raw); err != nil {
		return nil, fmt.Errorf("keyset: %w", err)
	}
	return Open(path)
}

// Path is the keyset's file.
func (k *Keyset) Path() string { return k.path }

// Reload reads the file again and reports whether its keys are others now. A
// file that cannot be read is an error, and changes nothing.
func (k *Keyset) Reload() (changed bool, err error) {
	k.reading.Lock()
	defer k.reading.Unlock()
	raw, err := os.ReadFile(k.path)
	if err != nil {
		return false, fmt.Errorf("keyset: %w", err)
	}
	before := k.keys.Load()
	if before != nil && bytes.Equal(raw, before.raw) {
		return false, nil
	}
	after, err := parse(raw)
	if err != nil {
		return false, fmt.Errorf("keyset %s: %w", k.path, err)
	}
	k.keys.Store(after)
	return before == nil || !slices.Equal(before.ids, after.ids), nil
}

// parse reads the content of a keyset file.
func parse(raw []byte) (*keys, error) {
	handle, err := insecurecleartextkeyset.Read(tinkset.NewJSONReader(bytes.NewReader(raw)))
	if err != nil {
		return nil, errors.New("not a tink keyset in JSON") // the parser's own words could quote key material
	}
	primary, err := handle.Primary()
	if err != nil {
		return nil, errors.New("it has no primary key")
	}
	out := &keys{raw: raw, handle: handle, seal: map[models.KeyID]tink.AEAD{}}
	for i := range handle.Len() {
		entry, err := handle.Entry(i)
		if err != nil {
			return nil, err
		}
		if entry.KeyStatus() != tinkset.Enabled {
			continue
		}
		id := models.KeyID(entry.KeyID())
		if out.seal[id], err = sealWith(handle, id); err != nil {
			return nil, err
		}
		if entry.KeyID() == primary.KeyID() {
			out.ids = slices.Insert(out.ids, 0, id)
		} else {
			out.ids = append(out.ids, id)
		}
	}
	material := insecurecleartextkeyset.KeysetMaterial(handle)
	for _, key := range material.GetKey() {
		if key.GetKeyId() == material.GetPrimaryKeyId() {
			out.first = key.GetKeyData().GetValue()
		}
	}
	return out, nil
}

// sealWith is what seals with one of the keys.
func sealWith(handle *tinkset.Handle, id models.KeyID) (tink.AEAD, error) {
	manager := tinkset.NewManagerFromHandle(handle)
	if err := manager.SetPrimary(uint32(id)); err != nil {
		return nil, err
	}
	one, err := manager.Handle()
	if err != nil {
		return nil, err
	}
	return aead.New(one)
}

// encode is the content of a keyset file.
func encode(handle *tinkset.Handle) ([]byte, error) {
	var raw bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, tinkset.NewJSONWriter(&raw)); err != nil {
		return nil, fmt.Errorf("keyset: %w", err)
	}
	return raw.Bytes(), nil
}

// Keys lists the keys of the file as it was read last, first the one that new
// databases are sealed with.
func (k *Keyset) Keys() []models.KeyID { return slices.Clone(k.keys.Load().ids) }

// Derive is a key of 32 bytes for the purpose named: the same for all servers
// that share the keyset, and another one for every other purpose. It becomes another
// when the file's first key does: for what may be lost, like TLS sessions.
func (k *Keyset) Derive(purpose string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, k.keys.Load().first, nil, purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("derive %s key: %w", purpose, err)
	}
	return key, nil
}

// with gives what seals with a key and opens what it sealed. Of a key that it
// does not know it looks whether the file has it by now.
func (k *Keyset) with(id models.KeyID) (tink.AEAD, error) {
	if primitive, ok := k.keys.Load().seal[id]; ok {
		return primitive, nil
	}
	_, err := k.Reload()
	if primitive, ok := k.keys.Load().seal[id]; ok {
		return primitive, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return nil, fmt.Errorf("%w: %s has no key %d", ErrNoKey, k.path, id)
}

// ErrNoKey is the error for a key that the file does not hold.
var ErrNoKey = errors.New("the keyset does not fit")

// Has reports whether the file holds a key; the error, an ErrNoKey, says why not.
func (k *Keyset) Has(id models.KeyID) error {
	_, err := k.with(id)
	return err
}

// Seal encrypts a secret with a key. The place (account, device, field) is bound
// to it: a sealed text copied elsewhere does not open.
func (k *Keyset) Seal(key models.KeyID, secret models.Secret, place string) (string, error) {
	primitive, err := k.with(key)
	if err != nil {
		return "", fmt.Errorf("seal %s: %w", place, err)
	}
	sealed, err := primitive.Encrypt([]byte(secret.Reveal()), []byte(place))
	if err != nil {
		return "", fmt.Errorf("seal %s: %w", place, err)
	}
	return base64.RawStdEncoding.EncodeToString(sealed), nil
}

// Open decrypts what Seal made for the same place.
func (k *Keyset) Open(sealed, place string) (models.Secret, error) {
	key, ok := k.KeyOf(sealed)
	if !ok {
		return "", fmt.Errorf("open %s: not a sealed secret", place)
	}
	primitive, err := k.with(key)
	if err != nil {
		return "", fmt.Errorf("open %s: %w", place, err)
	}
	raw, err := base64.RawStdEncoding.DecodeString(sealed)
	if err != nil {
		return "", fmt.Errorf("open %s: not a sealed secret", place)
	}
	secret, err := primitive.Decrypt(raw, []byte(place))
	if err != nil {
		return "", fmt.Errorf("open %s: %w", place, ErrNoKey)
	}
	return models.Secret(secret), nil
}

// HeadLength is how many letters of a sealed text tell its key.
const HeadLength = 8

// What Seal makes begins with tink's mark and the key's number.
const (
	tinkMark = 1
	headSize = 5 // bytes
)

// KeyOf is the key that a text was sealed with, by its first HeadLength letters;
// false for one that is not sealed.
func (k *Keyset) KeyOf(sealed string) (models.KeyID, bool) {
	if len(sealed) < HeadLength {
		return 0, false
	}
	head, err := base64.RawStdEncoding.DecodeString(sealed[:HeadLength])
	if err != nil || len(head) < headSize || head[0] != tinkMark {
		return 0, false
	}
	return models.KeyID(binary.BigEndian.Uint32(head[1:headSize])), true
}
