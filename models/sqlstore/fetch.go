package sqlstore

import (
	"context"
	"net/http"
	"slices"
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

// RecordFetches stores a batch of phones' requests, counts those of unknown
// devices, and notes which firmware the others told last.
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
	const op = "record fetches"
	if err := s.prepare(ctx, insertFetch, insertManyFetches, otherFirmware, knownSources); err != nil {
		return storeErr(op, err)
	}
	return s.transaction(ctx, op, func(tx *gorm.DB) error {
		if err := s.storeFetches(tx, rows); err != nil {
			return err
		}
		if err := s.noteFirmwares(tx, rows); err != nil {
			return err
		}
		if err := s.noteSources(tx, fetches); err != nil {
			return err
		}
		if err := s.countUnknown(tx, rows); err != nil {
			return err
		}
		return s.endOverlaps(tx, fetches)
	})
}

// storedTogether is how many fetches one statement stores on SQLite.
const storedTogether = 32

var (
	createFetches = newInsert("fetches", "account_id", "device_id", "mac", "file", "method", "status", "etag", "bytes", "source",
		"user_agent", "firmware", "duration", "fetched")
	insertFetch, insertManyFetches = createFetches.text(1), createFetches.text(storedTogether)
)

// storeFetches stores as many as it can together. On SQLite it is always the same
// two statements, which are compiled: the rest goes in one by one.
func (s *Store) storeFetches(tx *gorm.DB, rows []fetchRow) error {
	if s.dialect == dialectMySQL {
		for part := range slices.Chunk(rows, rowBatch) {
			if err := createFetches.rows(tx, fetchValues(part)); err != nil {
				return err
			}
		}
		return nil
	}
	many := len(rows) / storedTogether * storedTogether
	if err := s.storeFetchesBy(tx, insertManyFetches, rows[:many], storedTogether); err != nil {
		return err
	}
	return s.storeFetchesBy(tx, insertFetch, rows[many:], 1)
}

// storeFetchesBy stores so many with each statement.
func (s *Store) storeFetchesBy(tx *gorm.DB, statement string, rows []fetchRow, together int) error {
	for part := range slices.Chunk(rows, together) {
		if err := s.execIn(tx, statement, fetchValues(part)...); err != nil {
			return err
		}
	}
	return nil
}

func fetchValues(rows []fetchRow) []any {
	var values []any
	for _, r := range rows {
		values = append(values, r.AccountID, r.DeviceID, r.MAC, r.File, r.Method, r.Status, r.ETag, r.Bytes, r.Source, r.UserAgent, r.Firmware, r.Duration, r.Fetched)
	}
	return values
}

// otherFirmware finds those of some devices that told something else before.
const otherFirmware = "SELECT id FROM devices WHERE firmware <> ? AND id IN ?"

// noteFirmwares has the devices know what they told last, if that may be something
// else than before.
func (s *Store) noteFirmwares(tx *gorm.DB, rows []fetchRow) error {
	devices := map[string][]string{} // by what they told
	for _, row := range rows {
		if row.DeviceID != nil && row.Firmware != "" {
			devices[row.Firmware] = append(devices[row.Firmware], *row.DeviceID)
		}
	}
	var changed []string
	for firmware, ids := range devices {
		err := s.eachRowIn(tx, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			changed = append(changed, id)
			return err
		}, otherFirmware, firmware, distinct(ids))
		if err != nil {
			return err
		}
	}
	for ids := range slices.Chunk(distinct(changed), rowBatch) {
		err := tx.Exec(`UPDATE devices SET firmware = (SELECT f.firmware FROM fetches f WHERE f.device_id = devices.id AND f.firmware <> ''
			ORDER BY f.fetched DESC, f.id DESC LIMIT 1) WHERE id IN ?`, ids).Error
		if err != nil {
			return err
		}
	}
	return nil
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

// broughtFile reports the same of a fetch of a device.
func broughtFile(f models.Fetch) bool {
	return f.DeviceID != "" && f.Method == http.MethodGet && f.Status < http.StatusBadRequest
}

// FetchedSince reports whether a device has fetched a file at that time or
// later.
func (s *Store) FetchedSince(ctx context.Context, deviceID string, since time.Time) (bool, error) {
	has, err := exists(s.db.WithContext(ctx).Model(&fetchRow{}).Where("device_id = ? AND fetched >= ? AND "+cameBack, deviceID, millis(since)))
	return has, storeErr("fetched since", err)
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
