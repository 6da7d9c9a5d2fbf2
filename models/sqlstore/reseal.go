package sqlstore

import (
	"context"
	"fmt"

	"github.com/sethvargo/go-retry"
	"gorm.io/gorm"

	"dialtone/models"
)

// resealBatch is how many documents are sealed anew in one transaction: others
// who write them wait for it.
const resealBatch = 100

// sealedTables are the tables with documents that hold secrets.
var sealedTables = []struct {
	name    string
	secrets []string
	place   func(accountID, id string) string
}{
	{"accounts", accountSecrets, func(_, id string) string { return accountPlace(id) }},
	{"users", userSecrets, userPlace},
	{"devices", deviceSecrets, devicePlace},
}

// Sealed counts the values that each key has sealed; 0 stands for those that
// are not sealed yet, of which older programs knew nothing.
func (s *Store) Sealed(ctx context.Context) (map[models.KeyID]int, error) {
	counts := map[models.KeyID]int{}
	err := s.eachSealed(ctx, func(secret sealedSecret) error {
		for _, key := range secret.keys {
			counts[key]++
		}
		return nil
	})
	return counts, storeErr("sealed secrets", err)
}

// Reseal seals everything with the key that seals now, what others write meanwhile
// included, and tells how many rows it wrote. What was interrupted goes on where
// it was.
func (s *Store) Reseal(ctx context.Context) (int, error) {
	current, err := s.Sealing(ctx)
	if err != nil {
		return 0, err
	}
	done := 0
	var batch []sealedSecret
	flush := func() error {
		err := s.resealAll(ctx, batch)
		done, batch = done+len(batch), nil
		return err
	}
	err = s.eachSealed(ctx, func(secret sealedSecret) error {
		if !secret.hasOther(current.Current) {
			return nil
		}
		batch = append(batch, secret)
		if len(batch) < resealBatch && !secret.large {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	return done, storeErr("reseal", err)
}

// A sealedSecret is a row with sealed values.
type sealedSecret struct {
	keys   []models.KeyID // that sealed its values
	large  bool
	reseal func(tx *gorm.DB, key models.KeyID) error // in a transaction that holds the key
}

func (secret sealedSecret) hasOther(key models.KeyID) bool {
	for _, k := range secret.keys {
		if k != key {
			return true
		}
	}
	return false
}

// resealAll seals the values of some rows anew, as they are by then. SQLite's
// writers queue within one program only: beside a busy server this one may be
// passed again and again, and has the time to try again.
func (s *Store) resealAll(ctx context.Context, batch []sealedSecret) error {
	if len(batch) == 0 {
		return nil
	}
	return retry.Do(ctx, retries(), func(ctx context.Context) error {
		err := s.resealTogether(ctx, batch)
		if isBusy(err) {
			return retry.RetryableError(err)
		}
		return err
	})
}

func (s *Store) resealTogether(ctx context.Context, batch []sealedSecret) error {
	return s.transaction(ctx, "reseal", func(tx *gorm.DB) error {
		key, err := s.holdKey(tx)
		if err != nil {
			return err
		}
		for _, secret := range batch {
			if err := secret.reseal(tx, key); err != nil {
				return err
			}
		}
		return nil
	})
}

// eachSealed visits every row with sealed values.
func (s *Store) eachSealed(ctx context.Context, visit func(sealedSecret) error) error {
	for _, table := range sealedTables {
		if err := s.eachSealedDocument(ctx, table.name, table.secrets, table.place, visit); err != nil {
			return err
		}
	}
	if err := s.eachServerSecret(ctx, visit); err != nil {
		return err
	}
	return s.eachUpload(ctx, visit)
}

// A documentPlace is a document and where it stands.
type documentPlace struct{ ID, AccountID, Document string }

func (s *Store) eachSealedDocument(
	ctx context.Context, table string, secrets []string, place func(accountID, id string) string, visit func(sealedSecret) error,
) error {
	columns := "id, account_id, document"
	if table == "accounts" {
		columns = "id, id AS account_id, document"
	}
	read := func(db *gorm.DB) *gorm.DB { return db.Table(table).Select(columns) }
	for after := ""; ; {
		var batch []documentPlace
		if err := read(s.db.WithContext(ctx)).Where("id > ?", after).Order("id").Limit(rowBatch).Find(&batch).Error; err != nil || len(batch) == 0 {
			return err
		}
		for _, d := range batch {
			after = d.ID
			keys, err := s.keysOf(d.Document, secrets)
			if err != nil {
				return fmt.Errorf("%s: %w", place(d.AccountID, d.ID), err)
			}
			err = visit(sealedSecret{keys: keys, reseal: func(tx *gorm.DB, key models.KeyID) error {
				return s.resealDocument(read(s.locking(tx)).Where("id = ?", d.ID), tx.Table(table).Where("id = ?", d.ID), place(d.AccountID, d.ID), secrets, key)
			}})
			if err != nil {
				return err
			}
		}
	}
}

// keysOf are the keys of the secrets in a stored document.
func (s *Store) keysOf(raw string, secrets []string) ([]models.KeyID, error) {
	doc, err := models.ParseDocument([]byte(raw))
	if err != nil {
		return nil, err
	}
	var keys []models.KeyID
	for _, field := range secrets {
		if value, has := secretAt(doc, field); has {
			key, _ := s.sealedBy(value)
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// resealDocument seals the secrets of a document that may have changed, or gone,
// since it was looked at. Its revision stays: it says the same.
func (s *Store) resealDocument(read, write *gorm.DB, place string, secrets []string, key models.KeyID) error {
	var d documentPlace
	if found := read.Limit(1).Find(&d); found.Error != nil || found.RowsAffected == 0 {
		return found.Error
	}
	doc, err := s.opened(d.Document, place, secrets)
	if err != nil {
		return err
	}
	sealed, err := s.sealed(doc, place, secrets, key)
	if err != nil {
		return err
	}
	return write.Update("document", sealed).Error
}

func (s *Store) eachServerSecret(ctx context.Context, visit func(sealedSecret) error) error {
	var rows []serverSecretRow
	if err := s.db.WithContext(ctx).Order("name").Find(&rows).Error; err != nil {
		return err
	}
	for _, row := range rows {
		key, _ := s.sealer.KeyOf(row.Sealed)
		err := visit(sealedSecret{keys: []models.KeyID{key}, reseal: func(tx *gorm.DB, key models.KeyID) error {
			secret, err := s.openSecret(row) // it never changes
			if err != nil {
				return err
			}
			sealed, err := s.sealer.Seal(key, secret, secretPlace(row.Name))
			if err != nil {
				return err
			}
			return tx.Model(&serverSecretRow{}).Where("name = ?", row.Name).Update("sealed", sealed).Error
		}})
		if err != nil {
			return err
		}
	}
	return nil
}

// An uploadHead is what tells the key of an upload, which may be large.
type uploadHead struct {
	DeviceID, Name string
	Head           []byte
}

func (s *Store) eachUpload(ctx context.Context, visit func(sealedSecret) error) error {
	var last uploadHead
	for {
		var batch []uploadHead
		err := s.db.WithContext(ctx).Model(&uploadRow{}).Select("device_id, name, SUBSTR(body, 1, 8) AS head").
			Where("device_id > ? OR (device_id = ? AND name > ?)", last.DeviceID, last.DeviceID, last.Name).
			Order("device_id, name").Limit(rowBatch).Find(&batch).Error
		if err != nil || len(batch) == 0 {
			return err
		}
		for _, u := range batch {
			last = u
			key, _ := s.sealer.KeyOf(string(u.Head))
			err := visit(sealedSecret{keys: []models.KeyID{key}, large: true, reseal: func(tx *gorm.DB, key models.KeyID) error {
				return s.resealUpload(tx, u, key)
			}})
			if err != nil {
				return err
			}
		}
	}
}

func (s *Store) resealUpload(tx *gorm.DB, u uploadHead, key models.KeyID) error {
	var row uploadRow
	found := s.locking(tx).Where("device_id = ? AND name = ?", u.DeviceID, u.Name).Limit(1).Find(&row)
	if found.Error != nil || found.RowsAffected == 0 {
		return found.Error
	}
	place := uploadPlace(u.DeviceID, u.Name)
	body, err := s.sealer.Open(string(row.Body), place)
	if err != nil {
		return fmt.Errorf("%w: %w", models.ErrUnavailable, err)
	}
	sealed, err := s.sealer.Seal(key, body, place)
	if err != nil {
		return err
	}
	return tx.Model(&uploadRow{}).Where("device_id = ? AND name = ?", u.DeviceID, u.Name).Update("body", []byte(sealed)).Error
}
