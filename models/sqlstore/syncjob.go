package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm"

	"dialtone/models"
)

// maxOpenJobs is how many jobs of an account may go on, or wait to, at once.
const maxOpenJobs = 20

// A syncJobRow is one bulk job. It is settled when nobody has to look after it:
// no phone is being told or waited for, and none will be unless it is resumed.
type syncJobRow struct {
	ID          string `gorm:"primaryKey"`
	AccountID   string
	Filter      string // JSON of models.SyncFilter
	Event       string
	Mode        string
	Rate        int
	Canary      int
	StopAbove   *int
	Patience    int64 // milliseconds
	ComeBack    string
	State       string
	Reason      string
	Prepared    bool
	PreparedTo  string // the last device that is listed
	CanaryDone  bool
	BaseDone    int
	BaseMissing int
	Settled     bool
	Runner      string // process that works on it, until the lease ends
	LeaseUntil  int64  // by the database's clock
	Created     int64
	Modified    int64
	Finished    *int64
}

func (syncJobRow) TableName() string { return "sync_jobs" }

// syncJobColumns are those that are written with a models.SyncJob; the others
// belong to who runs it.
var syncJobColumns = []string{
	"rate", "state", "reason", "prepared", "canary_done", "base_done", "base_missing", "settled", "modified", "finished",
}

// CreateSyncJob stores a job, which a server then takes up. An account that has
// too many already is ErrQuota. It fills ID, State and times.
func (s *Store) CreateSyncJob(ctx context.Context, j *models.SyncJob) error {
	j.ID, j.State = models.NewID(), models.SyncPreparing
	j.Created = s.now().UTC()
	j.Modified = j.Created
	row, err := newSyncJobRow(j)
	if err != nil {
		return err
	}
	return s.transaction(ctx, "create sync job", func(tx *gorm.DB) error {
		if _, err := s.lockAccount(tx, j.AccountID); err != nil {
			return err
		}
		var open int64
		err := tx.Model(&syncJobRow{}).Where("account_id = ? AND state NOT IN ?", j.AccountID,
			[]string{models.SyncFinished, models.SyncCancelled}).Count(&open).Error
		if err != nil {
			return err
		}
		if open >= maxOpenJobs {
			return models.ErrQuota
		}
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return s.audit(ctx, tx, created(auditedSyncJob(j)))
	})
}

// SyncJob reads a job of an account, or of any when accountID is "".
func (s *Store) SyncJob(ctx context.Context, accountID, id string) (*models.SyncJob, error) {
	var row syncJobRow
	if err := ofAccount(s.db.WithContext(ctx), accountID).Where("id = ?", id).Take(&row).Error; err != nil {
		return nil, storeErr("sync job", err)
	}
	return syncJob(row)
}

func ofAccount(db *gorm.DB, accountID string) *gorm.DB {
	if accountID == "" {
		return db
	}
	return db.Where("account_id = ?", accountID)
}

// SyncJobs lists an account's jobs, the newest first, from the one that follows
// before; nil = from the newest.
func (s *Store) SyncJobs(ctx context.Context, accountID string, before *models.SyncJob, limit int) ([]*models.SyncJob, error) {
	db := s.db.WithContext(ctx).Where("account_id = ?", accountID)
	if before != nil {
		at := millis(before.Created)
		db = db.Where("created < ? OR (created = ? AND id < ?)", at, at, before.ID)
	}
	var rows []syncJobRow
	if err := db.Order("created DESC, id DESC").Limit(limit).Find(&rows).Error; err != nil {
		return nil, storeErr("sync jobs", err)
	}
	return convert(rows, syncJob)
}

// ChangeSyncJob lets change decide on a job of an account, or of any when
// accountID is "", given how its items stand. An error of change is passed through and writes nothing.
func (s *Store) ChangeSyncJob(ctx context.Context, accountID, id string, change func(*models.SyncJob, models.SyncCounts) error) (*models.SyncJob, error) {
	var j *models.SyncJob
	err := s.transaction(ctx, "change sync job", func(tx *gorm.DB) error {
		var row syncJobRow
		if err := ofAccount(s.locking(tx), accountID).Where("id = ?", id).Take(&row).Error; err != nil {
			return err
		}
		counts, err := syncCounts(tx, id)
		if err != nil {
			return err
		}
		if j, err = syncJob(row); err != nil {
			return err
		}
		before := auditedSyncJob(j)
		if err := change(j, counts); err != nil {
			return err
		}
		j.Modified = s.now().UTC()
		next, err := newSyncJobRow(j)
		if err != nil {
			return err
		}
		if err := tx.Model(&row).Select(syncJobColumns).Updates(&next).Error; err != nil { // not settled: the runner looks at it
			return err
		}
		return s.audit(ctx, tx, updated(before, auditedSyncJob(j)))
	})
	return j, err
}

// SyncCounts tells how many items of a job are in each state.
func (s *Store) SyncCounts(ctx context.Context, jobID string) (models.SyncCounts, error) {
	counts, err := syncCounts(s.db.WithContext(ctx), jobID)
	return counts, storeErr("sync counts", err)
}

func syncCounts(db *gorm.DB, jobID string) (models.SyncCounts, error) {
	var rows []struct {
		State string
		N     int
	}
	err := db.Model(&syncJobItemRow{}).Select("state, COUNT(*) AS n").Where("job_id = ?", jobID).Group("state").Scan(&rows).Error
	counts := models.SyncCounts{}
	for _, row := range rows {
		counts[row.State] = row.N
	}
	return counts, err
}

// deleteSyncJobs removes an account's jobs with all their items.
func deleteSyncJobs(tx *gorm.DB, accountID string) error {
	jobs := tx.Model(&syncJobRow{}).Select("id").Where("account_id = ?", accountID)
	if err := tx.Where("job_id IN (?)", jobs).Delete(&syncJobItemRow{}).Error; err != nil {
		return err
	}
	return tx.Where("account_id = ?", accountID).Delete(&syncJobRow{}).Error
}

// pruneSyncJobs removes jobs that were made before then, with their items, a
// job at a time.
func (s *Store) pruneSyncJobs(ctx context.Context, before time.Time) error {
	for {
		var ids []string
		err := s.db.WithContext(ctx).Model(&syncJobRow{}).Where("created < ?", millis(before)).Limit(1).Pluck("id", &ids).Error
		if err != nil || len(ids) == 0 {
			return err
		}
		err = s.transaction(ctx, "prune sync job", func(tx *gorm.DB) error {
			if err := tx.Where("job_id IN ?", ids).Delete(&syncJobItemRow{}).Error; err != nil {
				return err
			}
			return tx.Where("id IN ?", ids).Delete(&syncJobRow{}).Error
		})
		if err != nil {
			return err
		}
	}
}

// auditedSyncJob is a job as the audit shows it.
func auditedSyncJob(j *models.SyncJob) *audited {
	doc := models.Document{
		"event": j.Event, "mode": j.Mode, "rate": j.Rate, "canary": j.Canary, "patience": j.Patience.String(), "come_back": j.ComeBack,
		"state": j.State, "filter": map[string]any{
			"brand": j.Filter.Brand, "family": j.Filter.Family, "model": j.Filter.Model, "owner_id": j.Filter.OwnerID,
			"behind": j.Filter.Behind, "devices": len(j.Filter.Devices),
		},
	}
	if j.StopAbove != nil {
		doc["stop_above"] = *j.StopAbove
	}
	return &audited{account: j.AccountID, kind: models.KindSync, id: j.ID, document: doc}
}

func newSyncJobRow(j *models.SyncJob) (syncJobRow, error) {
	filter, err := json.Marshal(j.Filter)
	if err != nil {
		return syncJobRow{}, fmt.Errorf("%w filter: %w", models.ErrInvalid, err)
	}
	return syncJobRow{
		ID:          j.ID,
		AccountID:   j.AccountID,
		Filter:      string(filter),
		Event:       clip(j.Event, 255),
		Mode:        j.Mode,
		Rate:        j.Rate,
		Canary:      j.Canary,
		StopAbove:   j.StopAbove,
		Patience:    j.Patience.Milliseconds(),
		ComeBack:    j.ComeBack,
		State:       j.State,
		Reason:      clip(j.Reason, 255),
		Prepared:    j.Prepared,
		CanaryDone:  j.CanaryDone,
		BaseDone:    j.BaseDone,
		BaseMissing: j.BaseMissing,
		Created:     millis(j.Created),
		Modified:    millis(j.Modified),
		Finished:    optionalMillis(j.Finished),
	}, nil
}

func syncJob(row syncJobRow) (*models.SyncJob, error) {
	j := &models.SyncJob{
		ID:          row.ID,
		AccountID:   row.AccountID,
		Event:       row.Event,
		Mode:        row.Mode,
		Rate:        row.Rate,
		Canary:      row.Canary,
		StopAbove:   row.StopAbove,
		Patience:    time.Duration(row.Patience) * time.Millisecond,
		ComeBack:    row.ComeBack,
		State:       row.State,
		Reason:      row.Reason,
		Prepared:    row.Prepared,
		CanaryDone:  row.CanaryDone,
		BaseDone:    row.BaseDone,
		BaseMissing: row.BaseMissing,
		Created:     fromMillis(row.Created),
		Modified:    fromMillis(row.Modified),
		Finished:    timeOf(row.Finished),
	}
	if err := json.Unmarshal([]byte(row.Filter), &j.Filter); err != nil {
		return nil, fmt.Errorf("sync job %s: %w", row.ID, err)
	}
	return j, nil
}
