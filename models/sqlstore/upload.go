package sqlstore

import (
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"dialtone/models"
)

type uploadRow struct {
	DeviceID    string `gorm:"primaryKey"`
	Name        string `gorm:"primaryKey"`
	ContentType string
	ETag        string `gorm:"column:etag"`
	Bytes       int64
	Body        []byte // sealed: what a phone sends may hold its passwords
	Modified    int64
}

func (uploadRow) TableName() string { return "uploads" }

// SaveUpload stores a device's file in place of the one of that name; created
// tells that there was none. It sets u.Modified. Uploads of one device run one
// after the other. More than the quota is ErrQuota, a device that does not
// exist, or has another MAC by now, ErrNotFound; then nothing is written.
func (s *Store) SaveUpload(ctx context.Context, u *models.Upload, quota models.UploadQuota) (created bool, err error) {
	u.Modified = s.now().UTC()
	row := uploadRow{
		DeviceID:    u.DeviceID,
		Name:        u.Name,
		ContentType: u.ContentType,
		ETag:        u.ETag,
		Bytes:       u.Bytes,
		Modified:    millis(u.Modified),
	}
	seal := func(key models.KeyID) error {
		sealed, err := s.sealer.Seal(key, models.Secret(u.Body), uploadPlace(u.DeviceID, u.Name))
		row.Body = []byte(sealed)
		return err
	}
	err = s.sealing(ctx, "save upload", seal, func(tx *gorm.DB) error {
		if err := s.lockDeviceWithMAC(tx, u.DeviceID, u.MAC); err != nil {
			return err
		}
		kept, err := uploads(tx, u.DeviceID)
		if err != nil {
			return err
		}
		files, bytes := 1, u.Bytes
		created = true
		for _, other := range kept {
			if other.Name == u.Name {
				created = false
				continue
			}
			files, bytes = files+1, bytes+other.Bytes
		}
		if files > quota.Files || bytes > quota.Bytes {
			return fmt.Errorf("%w: %d files of %d bytes", models.ErrQuota, files, bytes)
		}
		if created {
			if err := countUploadChange(tx, u.DeviceID); err != nil {
				return err
			}
		}
		return tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error
	})
	return created, err
}

// Uploads lists a device's files by name, without their bodies.
func (s *Store) Uploads(ctx context.Context, deviceID string) ([]models.Upload, error) {
	list, err := uploads(s.db.WithContext(ctx), deviceID)
	return list, storeErr("uploads", err)
}

// Upload reads one file of a device.
func (s *Store) Upload(ctx context.Context, deviceID, name string) (*models.Upload, error) {
	const op = "upload"
	var row uploadRow
	if err := s.db.WithContext(ctx).Where("device_id = ? AND name = ?", deviceID, name).Take(&row).Error; err != nil {
		return nil, storeErr(op, err)
	}
	body, err := s.sealer.Open(string(row.Body), uploadPlace(deviceID, name))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", models.ErrUnavailable, err)
	}
	u := upload(row)
	u.Body = []byte(body.Reveal())
	return &u, nil
}

// uploadNames are the names of a device's files.
func (s *Store) uploadNames(ctx context.Context, deviceID string) ([]string, error) {
	var names []string
	err := s.db.WithContext(ctx).Model(&uploadRow{}).Where("device_id = ?", deviceID).Order("name").Pluck("name", &names).Error
	return names, err
}

// countUploadChange makes known that a device, whose row this transaction has
// locked, has other uploads.
func countUploadChange(tx *gorm.DB, deviceID string) error {
	return tx.Exec("UPDATE devices SET upload_changes = upload_changes + 1 WHERE id = ?", deviceID).Error
}

// DeleteUploads removes those files of a device that which chooses, and gives
// what they were, without their bodies.
func (s *Store) DeleteUploads(ctx context.Context, d *models.Device, which func(models.Upload) bool) ([]models.Upload, error) {
	var gone []models.Upload
	err := s.transaction(ctx, "delete uploads", func(tx *gorm.DB) error {
		if err := s.lockDevice(tx, d.ID); err != nil {
			return err
		}
		var err error
		gone, err = s.clearUploads(ctx, tx, d, which)
		return err
	})
	return gone, err
}

// clearUploads removes files of a device whose row this transaction has locked.
func (s *Store) clearUploads(ctx context.Context, tx *gorm.DB, d *models.Device, which func(models.Upload) bool) ([]models.Upload, error) {
	kept, err := uploads(tx, d.ID)
	if err != nil {
		return nil, err
	}
	var gone []models.Upload
	for _, u := range kept {
		if !which(u) {
			continue
		}
		if err := tx.Where("device_id = ? AND name = ?", d.ID, u.Name).Delete(&uploadRow{}).Error; err != nil {
			return nil, err
		}
		if err := s.audit(ctx, tx, cleared(d, u.Name)); err != nil {
			return nil, err
		}
		gone = append(gone, u)
	}
	if len(gone) == 0 {
		return nil, nil
	}
	return gone, countUploadChange(tx, d.ID)
}

// clearOtherMAC removes what another phone stored, when a device's MAC has changed.
func (s *Store) clearOtherMAC(ctx context.Context, tx *gorm.DB, old, d *models.Device) error {
	before, after := models.CleanMAC(old.MACAddress), models.CleanMAC(d.MACAddress)
	if before == after {
		return nil
	}
	_, err := s.clearUploads(ctx, tx, d, func(u models.Upload) bool { return after == "" || !strings.Contains(u.Name, after) })
	return err
}

// cleared is the audit's entry of an upload that was deleted.
func cleared(d *models.Device, name string) models.AuditEntry {
	return models.AuditEntry{
		AccountID: d.AccountID, Kind: models.KindDevice, ObjectID: d.ID, Action: models.ActionClear, Revision: d.Revision, Detail: name,
	}
}

// uploads reads a device's files, without their bodies.
func uploads(db *gorm.DB, deviceID string) ([]models.Upload, error) {
	var rows []uploadRow
	if err := db.Omit("body").Where("device_id = ?", deviceID).Order("name").Find(&rows).Error; err != nil {
		return nil, err
	}
	list := make([]models.Upload, len(rows))
	for i, row := range rows {
		list[i] = upload(row)
	}
	return list, nil
}

func upload(row uploadRow) models.Upload {
	return models.Upload{
		DeviceID:    row.DeviceID,
		Name:        row.Name,
		ContentType: row.ContentType,
		ETag:        row.ETag,
		Bytes:       row.Bytes,
		Modified:    fromMillis(row.Modified),
	}
}

func uploadPlace(deviceID, name string) string { return "uploads/" + deviceID + "/" + name }
