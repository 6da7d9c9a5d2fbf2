package sqlstore

import (
	"context"
	"time"

	"gorm.io/gorm"

	"dialtone/models"
)

type fetchRow struct {
	ID        int64 `gorm:"primaryKey"`
	AccountID *string
	DeviceID  *string
	MAC       string `gorm:"column:mac"`
	File      string
	Method    string
	Status    int
	ETag      string `gorm:"column:etag"`
	Bytes     int64
	Source    string
	UserAgent string
	Firmware  string
	Duration  int64 // microseconds
	Fetched   int64
}

func (fetchRow) TableName() string { return "fetches" }

// RecordFetches stores a batch of phones' requests, and counts those of unknown
// devices.
func (s *Store) RecordFetches(ctx context.Context, fetches []models.Fetch) error {
	if len(fetches) == 0 {
		return nil
	}
	rows := make([]fetchRow, len(fetches))
	for i, f := range fetches {
		rows[i] = fetchRow{
			AccountID: optional(f.AccountID),
			DeviceID:  optional(f.DeviceID),
			MAC:       clip(f.MAC, 12),
			File:      clip(f.File, 255),
			Method:    clip(f.Method, 8),
			Status:    f.Status,
			ETag:      clip(f.ETag, 64),
			Bytes:     f.Bytes,
			Source:    clip(f.Source, 64),
			UserAgent: clip(f.UserAgent, 255),
			Firmware:  clip(f.Firmware, 64),
			Duration:  f.Duration.Microseconds(),
			Fetched:   millis(f.At),
		}
	}
	return s.transaction(ctx, "record fetches", func(tx *gorm.DB) error {
		if err := tx.CreateInBatches(rows, rowBatch).Error; err != nil {
			return err
		}
		if err := s.countUnknown(tx, rows); err != nil {
			return err
		}
		return s.endOverlaps(tx, fetches)
	})
}

// LastFetches gives the newest GET of each file that the device asked for, by
// file name.
func (s *Store) LastFetches(ctx context.Context, deviceID string) ([]models.Fetch, error) {
	var rows []fetchRow
	err := s.db.WithContext(ctx).Raw(`SELECT * FROM (
			SELECT f.*, ROW_NUMBER() OVER (PARTITION BY file ORDER BY fetched DESC, id DESC) AS newest
			FROM fetches f WHERE device_id = ? AND method = 'GET'
		) ranked WHERE newest = 1 ORDER BY file`, deviceID).Scan(&rows).Error
	if err != nil {
		return nil, storeErr("last fetches", err)
	}
	return convert(rows, fetch)
}

// cameBack is what shows that a phone has fetched something: not that it asked
// for what it does not need, or in vain.
const cameBack = "method = 'GET' AND status < 400"

// FetchedSince reports whether a device has fetched a file at that time or
// later.
func (s *Store) FetchedSince(ctx context.Context, deviceID string, since time.Time) (bool, error) {
	has, err := exists(s.db.WithContext(ctx).Model(&fetchRow{}).Where("device_id = ? AND fetched >= ? AND "+cameBack, deviceID, millis(since)))
	return has, storeErr("fetched since", err)
}

// SourceKnown reports whether a device of the account has fetched a file from an
// address.
func (s *Store) SourceKnown(ctx context.Context, accountID, source string) (bool, error) {
	has, err := exists(s.db.WithContext(ctx).Model(&fetchRow{}).
		Where("account_id = ? AND source = ? AND device_id IS NOT NULL AND "+cameBack, accountID, source))
	return has, storeErr("source known", err)
}

// LastFirmware is the version that the device told last, with whatever request;
// "" when none is on record.
func (s *Store) LastFirmware(ctx context.Context, deviceID string) (string, error) {
	firmware, err := s.firmwares.ask(ctx, deviceID)
	return firmware, storeErr("last firmware", err)
}

// readFirmwares reads what devices told last.
func (s *Store) readFirmwares(ctx context.Context, ids []string) ([]string, error) {
	byID := map[string]string{}
	err := s.eachRow(ctx, func(scan func(...any) error) error {
		var id, firmware string
		err := scan(&id, &firmware)
		byID[id] = firmware
		return err
	}, `SELECT d.id, COALESCE((SELECT f.firmware FROM fetches f WHERE f.device_id = d.id AND f.firmware <> ''
		ORDER BY f.fetched DESC, f.id DESC LIMIT 1), '') FROM devices d WHERE d.id IN ?`, distinct(ids))
	return inOrder(ids, byID), err
}

func fetch(row fetchRow) (models.Fetch, error) {
	return models.Fetch{
		AccountID: text(row.AccountID),
		DeviceID:  text(row.DeviceID),
		MAC:       row.MAC,
		File:      row.File,
		Method:    row.Method,
		Status:    row.Status,
		ETag:      row.ETag,
		Bytes:     row.Bytes,
		Source:    row.Source,
		UserAgent: row.UserAgent,
		Firmware:  row.Firmware,
		Duration:  time.Duration(row.Duration) * time.Microsecond,
		At:        fromMillis(row.Fetched),
	}, nil
}
