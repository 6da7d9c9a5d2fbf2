package sqlstore

import (
	"context"

	"gorm.io/gorm"
)

// followBatch is how many notifications are looked at together.
const followBatch = 500

// A sighting is when a phone did what was looked for.
type sighting struct {
	ID string
	At int64
}

// FollowNotifications writes down what phones did since their NOTIFYs, for all
// notifications that are watched still: the first fetch, and the first
// registration known of after it. It reports how many are watched.
func (s *Store) FollowNotifications(ctx context.Context) (watched int, err error) {
	after := syncItemRow{}
	until := millis(s.now())
	after.WatchUntil = &until
	for {
		var batch []syncItemRow
		err := s.db.WithContext(ctx).Select("id", "watch_until").
			Where("watch_until >= ? AND (watch_until > ? OR id > ?)", after.WatchUntil, after.WatchUntil, after.ID).
			Order("watch_until, id").Limit(followBatch).Find(&batch).Error
		if err != nil || len(batch) == 0 {
			return watched, storeErr("follow notifications", err)
		}
		if err := s.follow(ctx, batch); err != nil {
			return watched, storeErr("follow notifications", err)
		}
		watched += len(batch)
		after = batch[len(batch)-1]
	}
}

// follow looks for what the phones of some notifications did. Those that have
// done both are watched no longer.
func (s *Store) follow(ctx context.Context, batch []syncItemRow) error {
	ids := make([]string, len(batch))
	for i, row := range batch {
		ids[i] = row.ID
	}
	db := s.db.WithContext(ctx)
	var fetched, registered []sighting
	err := db.Raw(`SELECT n.id, MIN(f.fetched) AS at FROM sync_items n
		JOIN fetches f ON f.device_id = n.device_id AND f.fetched >= n.created AND `+cameBack+`
		WHERE n.id IN ? AND n.fetched IS NULL GROUP BY n.id`, ids).Scan(&fetched).Error
	if err != nil {
		return err
	}
	if err := s.note(ctx, fetched, "fetched", map[string]any{}); err != nil {
		return err
	}
	err = db.Raw(`SELECT n.id, MIN(r.modified) AS at FROM sync_items n
		JOIN registrations r ON r.device_id = n.device_id AND r.modified >= n.fetched
		WHERE n.id IN ? AND n.fetched IS NOT NULL AND n.registered IS NULL GROUP BY n.id`, ids).Scan(&registered).Error
	if err != nil {
		return err
	}
	return s.note(ctx, registered, "registered", map[string]any{"watch_until": nil})
}

// note writes sightings to a column that is empty still: another server may
// have been faster.
func (s *Store) note(ctx context.Context, seen []sighting, column string, also map[string]any) error {
	if len(seen) == 0 {
		return nil
	}
	return s.transaction(ctx, "note sightings", func(tx *gorm.DB) error {
		for _, one := range seen {
			also[column] = one.At
			err := tx.Model(&syncItemRow{}).Where("id = ? AND "+column+" IS NULL", one.ID).Updates(also).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
}
