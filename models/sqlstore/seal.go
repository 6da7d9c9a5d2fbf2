package sqlstore

import (
	"context"
	"fmt"

	"dialtone/models"
)

// The secrets of each kind of document, by dotted path. Members starting with
// pvt_ are the server's own: they live in the stored JSON and never in a
// models.Document.
var (
	accountSecrets = []string{privatePathToken, adminPassword, userPassword}
	userSecrets    = []string{privateMD5, privateSHA1, adminPassword, userPassword, hotdeskPIN}
	deviceSecrets  = []string{"sip.password", privateHTTPPassword, privateOldHTTPPassword, adminPassword, userPassword}
)

const (
	adminPassword = "provision.admin_password" // of phones' own pages
	userPassword  = "provision.user_password"

	hotdeskPIN = "hotdesk.pin" // older programs stored it as it is: it is sealed when it is written next

	privateAncestors    = "pvt_tree"
	privatePathToken    = "pvt_path_token"
	privateMD5          = "pvt_md5_auth"
	privateSHA1         = "pvt_sha1_auth"
	privateHTTPPassword = "pvt_http_password"

	privateOldHTTPPassword  = "pvt_old_http_password"
	privateOldPasswordUntil = "pvt_old_http_password_until"
)

// sealed is the stored JSON of a document: its secrets encrypted, bound to the
// place they stand in ("devices/<account>/<id>/sip.password").
func (s *Store) sealed(doc models.Document, place string, secrets []string, key models.KeyID) (string, error) {
	for _, field := range secrets {
		plain, ok := secretAt(doc, field)
		if !ok {
			continue
		}
		cipher, err := s.sealer.Seal(key, plain, place+"/"+field)
		if err != nil {
			return "", err
		}
		doc.Set(field, cipher)
	}
	return encode(doc)
}

// opened reads stored JSON and decrypts its secrets.
func (s *Store) opened(raw, place string, secrets []string) (models.Document, error) {
	doc, err := models.ParseDocument([]byte(raw))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", place, err)
	}
	for _, field := range secrets {
		cipher, ok := secretAt(doc, field)
		if !ok {
			continue
		}
		if _, sealed := s.sealedBy(cipher); !sealed && field == hotdeskPIN {
			continue
		}
		plain, err := s.sealer.Open(cipher.Reveal(), place+"/"+field)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", models.ErrUnavailable, err)
		}
		doc.Set(field, plain.Reveal())
	}
	return doc, nil
}

// leastSealed is how long a sealed text is at least. PINs are shorter.
const leastSealed = 44

// sealedBy is the key that sealed a value; false when none did.
func (s *Store) sealedBy(value models.Secret) (models.KeyID, bool) {
	if len(value) < leastSealed {
		return 0, false
	}
	return s.sealer.KeyOf(value.Reveal())
}

func secretAt(doc models.Document, field string) (models.Secret, bool) {
	v, _ := doc.Lookup(field)
	s, ok := v.(string)
	return models.Secret(s), ok
}

// takeSecret removes a private member from the document and returns it.
func takeSecret(doc models.Document, name string) models.Secret {
	secret := doc.Text(name)
	delete(doc, name)
	return models.Secret(secret)
}

// Empty reports whether the database holds nothing that was sealed yet.
func (s *Store) Empty(ctx context.Context) (bool, error) {
	for _, row := range []any{&accountRow{}, &serverSecretRow{}, &sealingKeyRow{}} {
		var rows int64
		err := s.db.WithContext(ctx).Model(row).Count(&rows).Error
		if err != nil || rows > 0 {
			return false, storeErr("look for secrets", err)
		}
	}
	return true, nil
}
