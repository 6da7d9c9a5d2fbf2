package sqlstore

import (
	"context"
	"errors"
	"time"
)

// A Retention says how long history is kept; 0 = for ever.
type Retention struct {
	History time.Duration // fetches, notifications, bulk jobs, quick calls, and how far files were imported
	Audit   time.Duration
}

// How many rows one statement of Prune removes: few enough to hold no lock for
// long.
const pruneBatch = 1000

// Prune removes what has no use any more: expired tokens and bindings, and
// older history than is kept. The newest fetch of each device's file stays,
// since the provision state rests on it.
func (s *Store) Prune(ctx context.Context, keep Retention) error {
	now := s.now()
	err := errors.Join(
		pruneRows[string](ctx, s, &tokenRow{}, "token_hash", "expires", now),
		pruneRows[string](ctx, s, &registrationRow{}, "device_id", "expires", now),
		pruneRows[string](ctx, s, &realmClaimRow{}, "realm", "claimed", now.Add(-claimLife)),
		pruneRows[string](ctx, s, &sourceRow{}, "source", "seen", now.Add(-sourceLife)),
	)
	if keep.History > 0 {
		old := now.Add(-keep.History)
		err = errors.Join(err,
			pruneRows[string](ctx, s, &syncItemRow{}, "id", "created", old),
			pruneRows[string](ctx, s, &quickCallRow{}, "id", "created", old),
			s.pruneFetches(ctx, old),
			s.pruneSyncJobs(ctx, old),
			pruneRows[string](ctx, s, &unknownDeviceRow{}, "account_id", "last_seen", old),
			pruneRows[string](ctx, s, &refusalRow{}, "account_id", "last_seen", old),
			pruneRows[string](ctx, s, &importRow{}, "file_hash", "modified", old),
		)
	}
	if keep.Audit > 0 {
		err = errors.Join(err, pruneRows[int64](ctx, s, &auditRow{}, "id", "recorded", now.Add(-keep.Audit)))
	}
	return storeErr("prune", err)
}

// pruneFetches removes older fetches than that, but for the newest of each device's
// file. Those are gone past again and again, so it goes in the order in which fetches
// were written: a step looks at so many and never goes back. It ends at one that is
// young; one of the future comes from a clock that was wrong.
func (s *Store) pruneFetches(ctx context.Context, before time.Time) error {
	var at fetchRow
	for {
		var rows []fetchRow
		err := s.db.WithContext(ctx).Select("id", "fetched").Where("id > ?", at.ID).Order("id").Limit(pruneBatch).Find(&rows).Error
		if err != nil || len(rows) == 0 {
			return err
		}
		from := at.ID
		at = rows[len(rows)-1]
		var superseded []int64
		err = s.db.WithContext(ctx).Model(&fetchRow{}).
			Where("id > ? AND id <= ? AND fetched < ? AND "+supersededFetch, from, at.ID, millis(before)).Pluck("id", &superseded).Error
		if err != nil {
			return err
		}
		if len(superseded) > 0 {
			if err := s.writer.WithContext(ctx).Where("id IN ?", superseded).Delete(&fetchRow{}).Error; err != nil {
				return err
			}
		}
		if at.Fetched >= millis(before) && at.Fetched <= millis(s.now()) {
			return nil
		}
	}
}

// supersededFetch is one that is not the newest of a device's file.
const supersededFetch = `(fetches.device_id IS NULL OR EXISTS (SELECT 1 FROM fetches n WHERE n.device_id = fetches.device_id
	AND n.file = fetches.file AND n.method = fetches.method AND n.fetched > fetches.fetched))`

// pruneRows removes, a batch at a time, the rows of a table whose time in
// column lies before the given one.
func pruneRows[Key any](ctx context.Context, s *Store, row any, key, column string, before time.Time) error {
	for {
		var keys []Key
		err := s.db.WithContext(ctx).Model(row).Distinct(key).Where(column+" < ?", millis(before)).Limit(pruneBatch).Pluck(key, &keys).Error
		if err != nil || len(keys) == 0 {
			return err
		}
		err = s.writer.WithContext(ctx).Where(key+" IN ? AND "+column+" < ?", keys, millis(before)).Delete(row).Error
		if err != nil {
			return err
		}
	}
}
