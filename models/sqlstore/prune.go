package sqlstore

import (
	"context"
	"time"
)

// How many fetches one statement of Prune removes: few enough to hold no lock
// for long.
const pruneBatch = 1000

// Prune removes what has no use any more: expired tokens and bindings, and
// fetches and notifications older than history. The newest fetch of each
// device's file stays, since the provision state rests on it.
func (s *Store) Prune(ctx context.Context, history time.Duration) error {
	db, now := s.writer.WithContext(ctx), s.now()
	if err := db.Where("expires < ?", millis(now)).Delete(&tokenRow{}).Error; err != nil {
		return storeErr("prune tokens", err)
	}
	if err := db.Where("expires < ?", millis(now)).Delete(&registrationRow{}).Error; err != nil {
		return storeErr("prune registrations", err)
	}
	old := millis(now.Add(-history))
	if err := db.Where("created < ?", old).Delete(&syncItemRow{}).Error; err != nil {
		return storeErr("prune notifications", err)
	}
	return storeErr("prune fetches", s.pruneFetches(ctx, old))
}

func (s *Store) pruneFetches(ctx context.Context, old int64) error {
	for {
		var ids []int64
		err := s.db.WithContext(ctx).Table("fetches f").
			Where(`f.fetched < ? AND (f.device_id IS NULL OR EXISTS (SELECT 1 FROM fetches n
				WHERE n.device_id = f.device_id AND n.file = f.file AND n.method = f.method AND n.fetched > f.fetched))`, old).
			Limit(pruneBatch).Pluck("f.id", &ids).Error
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := s.writer.WithContext(ctx).Where("id IN ?", ids).Delete(&fetchRow{}).Error; err != nil {
			return err
		}
	}
}
