package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"gorm.io/gorm"

	"dialtone/models"
)

// behind are the devices that need the old path token of their account: those
// that fetch, and have not been seen with the new one. An index has them in two
// places: before and behind those that have.
func behind(db *gorm.DB, a accountRow) []*gorm.DB {
	const needs = "account_id = ? AND path_token_seen > '' AND mac IS NOT NULL AND enabled AND path_token_seen "
	return []*gorm.DB{
		db.Model(&deviceRow{}).Where(needs+"< ?", a.ID, a.PathTokenHash),
		db.Model(&deviceRow{}).Where(needs+"> ?", a.ID, a.PathTokenHash),
	}
}

// seenWithNone is in a device's path_token_seen once the phone has fetched something,
// with whatever. Hashes are greater.
const seenWithNone = "-"

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
	overlapping, err := overlaps(db, "id = ?", accountID)
	if err != nil || len(overlapping) == 0 {
		return 0, err
	}
	for _, needing := range behind(db, overlapping[0]) {
		var some int64
		if err := needing.Count(&some).Error; err != nil {
			return 0, err
		}
		n += some
	}
	return n, nil
}

// overlaps reads the accounts of a condition whose old path token is still good.
func overlaps(db *gorm.DB, where string, value string) (accounts []accountRow, err error) {
	err = db.Select("id", "path_token_hash").Where(where+" AND old_path_token_hash IS NOT NULL", value).Find(&accounts).Error
	return accounts, err
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
	var first []string
	byToken, byPassword := map[string][]string{}, map[[2]string]bool{} // devices
	for _, f := range fetches {
		if !f.CameBefore && broughtFile(f) {
			first = append(first, f.DeviceID)
		}
		if f.WithToken != "" {
			byToken[f.WithToken] = append(byToken[f.WithToken], f.DeviceID)
		}
		if f.WithPassword != "" {
			byPassword[[2]string{f.DeviceID, f.WithPassword}] = true
		}
	}
	if err := noteFirst(tx, distinct(first)); err != nil {
		return err
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

// noteFirst notes the devices among these that have not fetched anything before.
func noteFirst(tx *gorm.DB, devices []string) error {
	for part := range slices.Chunk(devices, rowBatch) {
		err := tx.Model(&deviceRow{}).Where("id IN ? AND path_token_seen = ''", part).Update("path_token_seen", seenWithNone).Error
		if err != nil {
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
	accounts, err := overlaps(tx, "path_token_hash = ?", token)
	if err != nil || len(accounts) == 0 {
		return err
	}
	for _, needing := range behind(tx, accounts[0]) {
		if needed, err := exists(needing); err != nil || needed {
			return err
		}
	}
	return tx.Model(&accountRow{}).Where("path_token_hash = ?", token).
		Updates(map[string]any{"old_path_token_hash": nil, "old_path_token_until": 0}).Error
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
