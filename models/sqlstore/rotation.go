package sqlstore

import (
	"cmp"
	"context"
	"time"

	"gorm.io/gorm"

	"dialtone/models"
)

// behind are the devices that need the old path token of their account: those
// that fetch, and have not been seen with the new one.
const behind = `d.account_id = accounts.id AND d.mac IS NOT NULL AND d.enabled AND d.path_token_seen <> accounts.path_token_hash
	AND EXISTS (SELECT 1 FROM fetches f WHERE f.device_id = d.id AND f.` + cameBack + `)`

// RotatePathToken gives the account that old is another path token, unless that
// is no longer what is stored: ErrConflict. The old token lets phones in until
// each of them has been seen with the new one, and at most until the given time.
// One token is remembered: while phones need the one before, it is
// ErrStillNeeded, unless the time given is over.
func (s *Store) RotatePathToken(ctx context.Context, old *models.Account, until time.Time) (*models.Account, error) {
	a := *old
	a.PathToken, a.OldTokenUntil, a.Modified = models.NewToken(), until, s.now().UTC()
	overlaps := until.After(s.now())
	var row accountRow
	seal := func(key models.KeyID) (err error) {
		row, err = s.accountRow(&a, key)
		if overlaps {
			row.OldPathTokenHash, row.OldPathTokenUntil = optional(old.PathToken.Hash()), millis(until)
		}
		row.Revision = nextRevision(old.Revision, row.Document)
		a.Revision = row.Revision
		return err
	}
	err := s.sealing(ctx, "rotate path token", seal, func(tx *gorm.DB) error {
		if overlaps && old.OldTokenUntil.After(s.now()) {
			if n, err := phonesBehind(tx, old.ID); err != nil || n > 0 {
				return cmp.Or(err, models.ErrStillNeeded)
			}
		}
		if err := replace(tx, old.Meta, &row, "parent_id", "master", "api_key_hash", "user_changes"); err != nil {
			return err
		}
		return s.audit(ctx, tx, secretChange(auditedAccount(&a), "path_token"))
	})
	return &a, err
}

// PhonesBehind counts the phones of an account for which its old path token is
// still good.
func (s *Store) PhonesBehind(ctx context.Context, accountID string) (int64, error) {
	n, err := phonesBehind(s.db.WithContext(ctx), accountID)
	return n, storeErr("phones behind", err)
}

func phonesBehind(db *gorm.DB, accountID string) (n int64, err error) {
	err = db.Raw("SELECT COUNT(*) FROM accounts JOIN devices d ON "+behind+
		" WHERE accounts.id = ? AND old_path_token_hash IS NOT NULL", accountID).Scan(&n).Error
	return n, err
}

// RotateHTTPPassword gives the device that old is another HTTP password, unless
// that is no longer what is stored: ErrConflict. The old password is good until
// the phone has been seen with the new one, and at most until the given time. One
// password is remembered: while that before is good, it is ErrStillNeeded, unless
// the time given is over.
func (s *Store) RotateHTTPPassword(ctx context.Context, old *models.Device, until time.Time) (*models.Device, error) {
	d := *old
	d.HTTPPassword, d.Modified = models.NewToken(), s.now().UTC()
	d.OldHTTPPassword, d.OldPasswordUntil = "", time.Time{}
	if until.After(s.now()) {
		if old.OldHTTPPassword != "" && old.OldPasswordUntil.After(s.now()) {
			return nil, models.ErrStillNeeded
		}
		d.OldHTTPPassword, d.OldPasswordUntil = old.HTTPPassword, until.UTC().Truncate(time.Millisecond)
	}
	var row deviceRow
	seal := func(key models.KeyID) (err error) {
		row, err = s.deviceRow(&d, key)
		row.Revision = nextRevision(old.Revision, row.Document)
		d.Revision = row.Revision
		return err
	}
	err := s.sealing(ctx, "rotate HTTP password", seal, func(tx *gorm.DB) error {
		result := tx.Model(&deviceRow{}).Where("id = ? AND revision = ?", old.ID, old.Revision).
			Updates(map[string]any{"document": row.Document, "revision": row.Revision, "modified": row.Modified})
		if result.Error != nil {
			return result.Error
		}
		if result.RowsAffected == 0 {
			return models.ErrConflict
		}
		return s.audit(ctx, tx, secretChange(auditedDevice(&d), "http_password"))
	})
	return &d, err
}

// endOverlaps ends the overlap of rotations: of a password when its phone came
// with the new one, of a path token when all did.
func (s *Store) endOverlaps(tx *gorm.DB, fetches []models.Fetch) error {
	byToken, byPassword := map[string][]string{}, map[[2]string]bool{} // devices
	for _, f := range fetches {
		if f.WithToken != "" {
			byToken[f.WithToken] = append(byToken[f.WithToken], f.DeviceID)
		}
		if f.WithPassword != "" {
			byPassword[[2]string{f.DeviceID, f.WithPassword}] = true
		}
	}
	for token, devices := range byToken {
		if err := endTokenOverlap(tx, token, devices); err != nil {
			return err
		}
	}
	for came := range byPassword {
		if err := s.forgetOldPassword(tx, came[0], came[1]); err != nil {
			return err
		}
	}
	return nil
}

// endTokenOverlap notes devices that came with the token of this hash.
func endTokenOverlap(tx *gorm.DB, token string, devices []string) error {
	err := tx.Model(&deviceRow{}).Where("id IN ? AND path_token_seen <> ?", devices, token).Update("path_token_seen", token).Error
	if err != nil {
		return err
	}
	return tx.Exec(`UPDATE accounts SET old_path_token_hash = NULL, old_path_token_until = 0
		WHERE path_token_hash = ? AND old_path_token_hash IS NOT NULL AND NOT EXISTS (SELECT 1 FROM devices d WHERE `+behind+`)`, token).Error
}

// forgetOldPassword ends the overlap of a device that came with the password of
// this hash, if that is its password still. What the document says stays, so does
// its revision. Who writes the device at the same time is not disturbed: the next
// fetch comes here again.
func (s *Store) forgetOldPassword(tx *gorm.DB, id, hash string) error {
	var row deviceRow
	result := tx.Where("id = ?", id).Limit(1).Find(&row)
	if result.Error != nil || result.RowsAffected == 0 {
		return result.Error
	}
	d, err := s.device(row)
	if err != nil || d.HTTPPassword.Hash() != hash {
		return err
	}
	d.OldHTTPPassword, d.OldPasswordUntil = "", time.Time{}
	key, err := s.holdKey(tx)
	if err != nil {
		return err
	}
	without, err := s.deviceRow(d, key)
	if err != nil {
		return err
	}
	return tx.Model(&deviceRow{}).Where("id = ? AND revision = ?", id, row.Revision).Update("document", without.Document).Error
}

// OpenFirstContact lets whoever asks first for the device's files until then
// have its bootstrap file, once; a time that is over closes it again.
func (s *Store) OpenFirstContact(ctx context.Context, d *models.Device, until time.Time) error {
	return s.transaction(ctx, "open first contact", func(tx *gorm.DB) error {
		result := tx.Model(&deviceRow{}).Where("id = ?", d.ID).Update("first_contact_until", max(millis(until), 0))
		if result.Error != nil {
			return result.Error
		}
		if result.RowsAffected == 0 {
			return models.ErrNotFound
		}
		e := secretChange(auditedDevice(d), "first_contact")
		e.Changes[0].From, e.Changes[0].To = nil, until.UTC().Format(time.RFC3339)
		if !until.After(s.now()) {
			e.Changes[0].To = nil
		}
		return s.audit(ctx, tx, e)
	})
}

// UseFirstContact takes the one fetch that an open first contact allows. Of
// several that want it at once one gets it.
func (s *Store) UseFirstContact(ctx context.Context, deviceID string) (bool, error) {
	result := s.writer.WithContext(ctx).Model(&deviceRow{}).Where("id = ? AND first_contact_until > ?", deviceID, millis(s.now())).
		Update("first_contact_until", 0)
	return result.RowsAffected > 0, storeErr("use first contact", result.Error)
}
