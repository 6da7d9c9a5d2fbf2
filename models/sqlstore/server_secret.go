package sqlstore

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"dialtone/models"
)

// A serverSecretRow is a secret of the server itself, sealed like those of
// documents.
type serverSecretRow struct {
	Name   string `gorm:"primaryKey"`
	Sealed string
}

func (serverSecretRow) TableName() string { return "server_secrets" }

// loginIndexKey names the key under which users' password hashes are indexed.
const loginIndexKey = "login_index"

// loginMarks are the indexed forms of a user's password hashes: keyed, so that
// a stolen database gives no hash to guess against; nil for no hash.
type loginMarks struct{ md5, sha1 *string }

func (s *Store) loginMarks(ctx context.Context, md5, sha1 models.Secret) (loginMarks, error) {
	if md5 == "" && sha1 == "" {
		return loginMarks{}, nil
	}
	key, err := s.loginKey(ctx)
	if err != nil {
		return loginMarks{}, err
	}
	return loginMarks{loginMark(key, md5), loginMark(key, sha1)}, nil
}

func loginMark(key, hash models.Secret) *string {
	if hash == "" {
		return nil
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(hash))
	mark := hex.EncodeToString(mac.Sum(nil))
	return &mark
}

// loginKey reads the key of the login index. The first time it makes one and
// marks the users that are there already.
func (s *Store) loginKey(ctx context.Context) (models.Secret, error) {
	return s.serverSecret(ctx, loginIndexKey, s.markUsers)
}

// ServerSecret is a secret of 256 random bits with this name, the same for all
// servers of the database, whichever keys they have. It is made when it is
// first asked for.
func (s *Store) ServerSecret(ctx context.Context, name string) (models.Secret, error) {
	return s.serverSecret(ctx, name, func(*gorm.DB, models.Secret) error { return nil })
}

// serverSecret reads a secret of the server. The first time it makes it, and
// does what else is to be done then.
func (s *Store) serverSecret(ctx context.Context, name string, first func(*gorm.DB, models.Secret) error) (models.Secret, error) {
	var row serverSecretRow
	err := s.db.WithContext(ctx).Where("name = ?", name).Take(&row).Error
	if err == nil {
		return s.openSecret(row)
	}
	if !errors.Is(err, gorm.ErrRecordNotFound) {
		return "", storeErr("server secret", err)
	}
	made := serverSecretRow{Name: name}
	seal := func(key models.KeyID) (err error) {
		made.Sealed, err = s.sealer.Seal(key, models.NewAPIKey(), secretPlace(name))
		return err
	}
	var secret models.Secret
	err = s.sealing(ctx, "create server secret", seal, func(tx *gorm.DB) (err error) {
		if secret, err = s.createSecret(tx, made); err != nil {
			return err
		}
		return first(tx, secret)
	})
	return secret, err
}

// createSecret stores a new secret, unless another program was faster, and gives
// the one that is stored.
func (s *Store) createSecret(tx *gorm.DB, row serverSecretRow) (models.Secret, error) {
	if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error; err != nil {
		return "", err
	}
	var stored serverSecretRow
	if err := s.locking(tx).Where("name = ?", row.Name).Take(&stored).Error; err != nil {
		return "", err
	}
	return s.openSecret(stored)
}

func (s *Store) openSecret(row serverSecretRow) (models.Secret, error) {
	secret, err := s.sealer.Open(row.Sealed, secretPlace(row.Name))
	if err != nil {
		return "", errors.Join(models.ErrUnavailable, err)
	}
	return secret, nil
}

// markUsers derives the login columns of all users from their documents.
func (s *Store) markUsers(tx *gorm.DB, key models.Secret) error {
	for after := ""; ; {
		var rows []userRow
		if err := tx.Where("id > ?", after).Order("id").Limit(rowBatch).Find(&rows).Error; err != nil {
			return err
		}
		for _, row := range rows {
			u, err := s.user(row)
			if err != nil {
				return err
			}
			marks := map[string]any{"login_md5": loginMark(key, u.MD5Auth), "login_sha1": loginMark(key, u.SHA1Auth)}
			if err := tx.Model(&userRow{}).Where("id = ?", u.ID).Updates(marks).Error; err != nil {
				return err
			}
			after = u.ID
		}
		if len(rows) < rowBatch {
			return nil
		}
	}
}

func secretPlace(name string) string { return "server_secrets/" + name }
