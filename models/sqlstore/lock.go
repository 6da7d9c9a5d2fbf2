package sqlstore

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"dialtone/models"
)

// Transactions that need several of these take them in this order: the sealing
// key, accounts, realms, users, devices.

// locking makes a read wait for other writers of the rows, and them for this
// transaction. SQLite has let only one writer in already.
func (s *Store) locking(tx *gorm.DB) *gorm.DB {
	if s.dialect == dialectMySQL {
		return tx.Clauses(clause.Locking{Strength: "UPDATE"})
	}
	return tx
}

// sharing makes a read wait for writers of the rows, and them for this
// transaction, while others may read as well.
func (s *Store) sharing(tx *gorm.DB) *gorm.DB {
	if s.dialect == dialectMySQL {
		return tx.Clauses(clause.Locking{Strength: "SHARE"})
	}
	return tx
}

// lockAccount reads an account's row and keeps it from changing until the
// transaction ends.
func (s *Store) lockAccount(tx *gorm.DB, id string) (accountRow, error) {
	var row accountRow
	err := s.locking(tx).Where("id = ?", id).Take(&row).Error
	return row, err
}

// holdAccount reads an account's realm. Until the transaction ends the account
// stays, and stays in that realm, while others may hold it as well.
func (s *Store) holdAccount(tx *gorm.DB, id string) (realm string, err error) {
	query := "SELECT realm FROM accounts WHERE id = ?"
	if s.dialect == dialectMySQL {
		query += " LOCK IN SHARE MODE"
	}
	found := tx.Raw(query, id).Scan(&realm)
	if found.Error == nil && found.RowsAffected == 0 {
		return "", models.ErrNotFound
	}
	return realm, found.Error
}

// lockDevice makes other updates of the device wait for this transaction.
func (s *Store) lockDevice(tx *gorm.DB, deviceID string) error {
	var device deviceRow
	return s.locking(tx).Select("id").Where("id = ?", deviceID).Take(&device).Error
}

// lockDeviceWithMAC is lockDevice of a device while it has a MAC; of any, for
// the zero one.
func (s *Store) lockDeviceWithMAC(tx *gorm.DB, deviceID string, mac models.MAC) error {
	if mac != (models.MAC{}) {
		tx = tx.Where("mac = ?", mac.String())
	}
	return s.lockDevice(tx, deviceID)
}

// lockRevision holds a document still while it has the revision; ErrConflict
// when it has another or is gone.
func (s *Store) lockRevision(tx *gorm.DB, row any, m models.Meta) error {
	found := s.locking(tx).Model(row).Select("id").Where("id = ? AND revision = ?", m.ID, m.Revision).Limit(1).Find(row)
	if found.Error == nil && found.RowsAffected == 0 {
		return models.ErrConflict
	}
	return found.Error
}
