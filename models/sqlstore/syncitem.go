package sqlstore

import (
	"context"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"dialtone/models"
)

// A syncJobItemRow is one device of a bulk job.
type syncJobItemRow struct {
	JobID      string `gorm:"primaryKey"`
	DeviceID   string `gorm:"primaryKey"`
	State      string
	Reason     string
	Replica    string
	Claimed    *int64
	Told       *int64
	Fetched    *int64
	Registered *int64
}

func (syncJobItemRow) TableName() string { return "sync_job_items" }

// LeaseSyncJobs makes a process the one that works on jobs, for a while: on
// those that it has, and on those that nobody works on any more, the oldest
// first. It returns them as they are. The database's clock counts.
func (s *Store) LeaseSyncJobs(ctx context.Context, runner string, lease time.Duration, limit int) ([]*models.SyncJob, error) {
	now := s.databaseMillis()
	var ids, leased []string
	err := s.db.WithContext(ctx).Model(&syncJobRow{}).Where("settled = ? AND (runner = ? OR lease_until < "+now+")", false, runner).
		Clauses(clause.OrderBy{Expression: clause.Expr{SQL: "runner = ? DESC, created", Vars: []any{runner}}}).Limit(limit).Pluck("id", &ids).Error
	if err != nil || len(ids) == 0 {
		return nil, storeErr("lease sync jobs", err)
	}
	for _, id := range ids {
		taken := s.writer.WithContext(ctx).Exec("UPDATE sync_jobs SET runner = ?, lease_until = "+now+" + ? WHERE id = ? AND (runner = ? OR lease_until < "+now+")",
			runner, lease.Milliseconds(), id, runner)
		if taken.Error != nil {
			return nil, storeErr("lease sync jobs", taken.Error)
		}
		if taken.RowsAffected > 0 {
			leased = append(leased, id)
		}
	}
	var rows []syncJobRow
	err = s.db.WithContext(ctx).Where("id IN ? AND settled = ?", leased, false).Order("created").Find(&rows).Error
	if err != nil {
		return nil, storeErr("lease sync jobs", err)
	}
	return convert(rows, syncJob)
}

// ReleaseSyncJobs lets others work on a process's jobs at once.
func (s *Store) ReleaseSyncJobs(ctx context.Context, runner string) error {
	err := s.writer.WithContext(ctx).Model(&syncJobRow{}).Where("settled = ? AND runner = ?", false, runner).Update("lease_until", 0).Error
	return storeErr("release sync jobs", err)
}

// databaseMillis is the time by the database's clock, as SQL.
func (s *Store) databaseMillis() string {
	if s.dialect == dialectMySQL {
		return "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)"
	}
	return "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
}

// PrepareSyncJob lists the next devices of a job, at most limit of them, as
// long as the runner has it and it is being prepared. The last step makes the
// job run: then there is no more.
func (s *Store) PrepareSyncJob(ctx context.Context, j *models.SyncJob, runner string, limit int) (more bool, err error) {
	err = s.transaction(ctx, "prepare sync job", func(tx *gorm.DB) error {
		more = false
		var row syncJobRow
		found := s.locking(tx).Where("id = ? AND runner = ? AND state = ?", j.ID, runner, models.SyncPreparing).Limit(1).Find(&row)
		if found.Error != nil || found.RowsAffected == 0 {
			return found.Error
		}
		var ids []string
		err := s.devicesOf(tx, j).Where("id > ?", row.PreparedTo).Order("id").Limit(limit).Pluck("id", &ids).Error
		if err != nil {
			return err
		}
		items := make([]syncJobItemRow, len(ids))
		for i, id := range ids {
			items[i] = syncJobItemRow{JobID: j.ID, DeviceID: id, State: models.ItemPending}
			row.PreparedTo = id
		}
		if len(items) > 0 {
			if err := tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(items, rowBatch).Error; err != nil {
				return err
			}
		}
		next := map[string]any{"prepared_to": row.PreparedTo, "modified": millis(s.now())}
		if more = len(ids) == limit; !more {
			next["prepared"], next["state"] = true, models.SyncRunning
		}
		return tx.Model(&syncJobRow{}).Where("id = ?", j.ID).Updates(next).Error
	})
	return more, err
}

// devicesOf are the devices that a job's filter lets through, as far as
// storage can tell.
func (s *Store) devicesOf(tx *gorm.DB, j *models.SyncJob) *gorm.DB {
	db := tx.Model(&deviceRow{})
	if s.dialect == dialectMySQL && len(j.Filter.Devices) == 0 {
		db = db.Table("devices FORCE INDEX (devices_account)") // see accountListing
	}
	db = db.Where("account_id = ?", j.AccountID)
	for column, value := range map[string]string{
		"brand": clip(j.Filter.Brand, 64), "family": clip(j.Filter.Family, 64), "model": clip(j.Filter.Model, 64), "owner_id": clip(j.Filter.OwnerID, 32),
	} {
		if value != "" {
			db = db.Where(column+" = ?", value)
		}
	}
	if len(j.Filter.Devices) > 0 {
		db = db.Where("id IN ?", j.Filter.Devices)
	}
	return db
}

// PendingSyncItems lists devices of a job that were not told yet, by ascending
// id, from the one that follows after.
func (s *Store) PendingSyncItems(ctx context.Context, jobID, after string, limit int) ([]string, error) {
	var ids []string
	err := s.db.WithContext(ctx).Model(&syncJobItemRow{}).Where("job_id = ? AND state = ? AND device_id > ?", jobID, models.ItemPending, after).
		Order("device_id").Limit(limit).Pluck("device_id", &ids).Error
	return ids, storeErr("pending sync items", err)
}

// SyncItems lists a job's items in a state ("" = any), by ascending device id,
// from the one that follows after.
func (s *Store) SyncItems(ctx context.Context, jobID, state, after string, limit int) ([]models.SyncItem, error) {
	db := s.db.WithContext(ctx).Where("job_id = ? AND device_id > ?", jobID, after)
	if state != "" {
		db = db.Where("state = ?", state)
	}
	var rows []syncJobItemRow
	if err := db.Order("device_id").Limit(limit).Find(&rows).Error; err != nil {
		return nil, storeErr("sync items", err)
	}
	return convert(rows, syncItem)
}

// ClaimSyncItem makes an item the runner's to tell, right before it does. It is
// false when the item is not pending any more, or the job is not the runner's
// or does not run.
func (s *Store) ClaimSyncItem(ctx context.Context, jobID, deviceID, runner, replica string) (bool, error) {
	return s.moveSyncItem(ctx, jobID, runner, "device_id = ? AND state = ?", []any{deviceID, models.ItemPending}, map[string]any{
		"state": models.ItemSending, "claimed": millis(s.now()), "replica": clip(replica, 64),
	})
}

// ReclaimSyncItem is ClaimSyncItem for an item that somebody claimed before, and
// that is told again.
func (s *Store) ReclaimSyncItem(ctx context.Context, i models.SyncItem, claimed time.Time, runner, replica string) (bool, error) {
	return s.moveSyncItem(ctx, i.JobID, runner, "device_id = ? AND state = ? AND claimed = ? AND replica = ?",
		[]any{i.DeviceID, models.ItemSending, millis(i.Claimed), clip(i.Replica, 64)},
		map[string]any{"claimed": millis(claimed), "replica": clip(replica, 64)})
}

// moveSyncItem changes an item while the job runs and is the runner's.
func (s *Store) moveSyncItem(ctx context.Context, jobID, runner, where string, args []any, to map[string]any) (bool, error) {
	moved := false
	err := s.transaction(ctx, "claim sync item", func(tx *gorm.DB) error {
		done := tx.Model(&syncJobItemRow{}).Where("job_id = ?", jobID).Where(where, args...).
			Where("EXISTS (SELECT 1 FROM sync_jobs j WHERE j.id = ? AND j.runner = ? AND j.state = ?)", jobID, runner, models.SyncRunning).Updates(to)
		moved = done.RowsAffected > 0
		return done.Error
	})
	return moved, err
}

// SkipSyncItem notes that there is nothing to tell a phone.
func (s *Store) SkipSyncItem(ctx context.Context, jobID, deviceID, reason string) error {
	return s.updateSyncItems(ctx, map[string]any{"state": models.ItemSkipped, "reason": clip(reason, 255)},
		"job_id = ? AND device_id = ? AND state = ?", jobID, deviceID, models.ItemPending)
}

// ToldSyncItem notes what came of telling a phone: waiting, refused or
// unreachable.
func (s *Store) ToldSyncItem(ctx context.Context, jobID, deviceID, state, reason string) error {
	return s.updateSyncItems(ctx, map[string]any{"state": state, "reason": clip(reason, 255), "told": millis(s.now())},
		"job_id = ? AND device_id = ? AND state = ?", jobID, deviceID, models.ItemSending)
}

// updateSyncItems changes items in a transaction: what meets another write on
// MySQL is tried again.
func (s *Store) updateSyncItems(ctx context.Context, to map[string]any, where string, args ...any) error {
	return s.transaction(ctx, "update sync items", func(tx *gorm.DB) error {
		return tx.Model(&syncJobItemRow{}).Where(where, args...).Updates(to).Error
	})
}

// TurnSyncItems writes down which phones of a job came back, also of those
// that seemed unreachable, and which did not in time.
func (s *Store) TurnSyncItems(ctx context.Context, j *models.SyncJob) error {
	for after := ""; ; {
		var ids []string
		err := s.db.WithContext(ctx).Model(&syncJobItemRow{}).
			Where("job_id = ? AND state IN ? AND told >= ? AND device_id > ?", j.ID,
				[]string{models.ItemWaiting, models.ItemUnreachable}, millis(s.now().Add(-j.Patience)), after).
			Order("device_id").Limit(followBatch).Pluck("device_id", &ids).Error
		if err != nil {
			return storeErr("turn sync items", err)
		}
		if len(ids) == 0 {
			break
		}
		if err := s.turn(ctx, j, ids); err != nil {
			return storeErr("turn sync items", err)
		}
		after = ids[len(ids)-1]
	}
	return s.updateSyncItems(ctx, map[string]any{"state": models.ItemMissing},
		"job_id = ? AND state = ? AND told < ?", j.ID, models.ItemWaiting, millis(s.now().Add(-j.Patience)))
}

// turn looks for what the phones of some items did.
func (s *Store) turn(ctx context.Context, j *models.SyncJob, ids []string) error {
	db := s.db.WithContext(ctx)
	var fetched, registered []sighting
	err := db.Raw(`SELECT i.device_id AS id, MIN(f.fetched) AS at FROM sync_job_items i
		JOIN fetches f ON f.device_id = i.device_id AND f.fetched >= i.claimed AND `+cameBack+`
		WHERE i.job_id = ? AND i.device_id IN ? AND i.fetched IS NULL GROUP BY i.device_id`, j.ID, ids).Scan(&fetched).Error
	if err != nil {
		return err
	}
	back := map[string]any{"state": models.ItemReturned}
	also := map[string]any{}
	if j.ComeBack == models.BackFetched {
		also = back
	}
	if err := s.noteItems(ctx, j.ID, fetched, "fetched", also); err != nil || j.ComeBack == models.BackFetched {
		return err
	}
	err = db.Raw(`SELECT i.device_id AS id, MIN(r.modified) AS at FROM sync_job_items i
		JOIN registrations r ON r.device_id = i.device_id AND r.modified >= i.fetched
		WHERE i.job_id = ? AND i.device_id IN ? AND i.fetched IS NOT NULL AND i.registered IS NULL GROUP BY i.device_id`, j.ID, ids).Scan(&registered).Error
	if err != nil {
		return err
	}
	return s.noteItems(ctx, j.ID, registered, "registered", back)
}

// noteItems writes sightings to the items of a job.
func (s *Store) noteItems(ctx context.Context, jobID string, seen []sighting, column string, also map[string]any) error {
	if len(seen) == 0 {
		return nil
	}
	return s.transaction(ctx, "note sightings", func(tx *gorm.DB) error {
		for _, one := range seen {
			also[column] = one.At
			err := tx.Model(&syncJobItemRow{}).Where("job_id = ? AND device_id = ? AND "+column+" IS NULL", jobID, one.ID).Updates(also).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// TurnSyncJob writes down what the runner made of a job: its state, and whether
// somebody has to look after it still. Nothing happens when somebody else has
// changed it since it was read.
func (s *Store) TurnSyncJob(ctx context.Context, j *models.SyncJob, runner string, settled bool) error {
	next, err := newSyncJobRow(j)
	if err != nil {
		return err
	}
	next.Settled, next.Modified = settled, millis(s.now())
	err = s.writer.WithContext(ctx).Model(&syncJobRow{}).Where("id = ? AND runner = ? AND modified = ?", j.ID, runner, millis(j.Modified)).
		Select("state", "reason", "canary_done", "settled", "modified", "finished").Updates(&next).Error
	return storeErr("turn sync job", err)
}

func syncItem(row syncJobItemRow) (models.SyncItem, error) {
	return models.SyncItem{
		JobID:      row.JobID,
		DeviceID:   row.DeviceID,
		State:      row.State,
		Reason:     row.Reason,
		Replica:    row.Replica,
		Claimed:    timeOf(row.Claimed),
		Told:       timeOf(row.Told),
		Fetched:    timeOf(row.Fetched),
		Registered: timeOf(row.Registered),
	}, nil
}
