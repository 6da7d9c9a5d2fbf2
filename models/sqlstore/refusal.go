package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"dialtone/models"
)

// A refusalRow counts requests of an account that were refused for one reason.
type refusalRow struct {
	AccountID string `gorm:"primaryKey"`
	ID        string `gorm:"primaryKey"` // of what its requests have in common, see refusalID
	DeviceID  *string
	Rule      string
	MAC       string `gorm:"column:mac"`
	File      string
	Source    string
	Method    string
	Status    int
	UserAgent string
	Requests  int
	FirstSeen int64
	LastSeen  int64
}

func (refusalRow) TableName() string { return "refusals" }

// maxRefusals is how many refusals an account has; the oldest make room.
const maxRefusals = 1000

// refusalID is the same for requests that are counted together.
func refusalID(r models.Refusal) string {
	common := []string{string(r.Rule), r.MAC, r.DeviceID, r.File, r.Source}
	return models.Secret(strings.Join(common, "\x00")).Hash()[:32]
}

// RecordRefusals adds requests to what is known of those that were refused.
func (s *Store) RecordRefusals(ctx context.Context, refusals []models.Refusal) error {
	rows := refusalRows(refusals)
	if len(rows) == 0 {
		return nil
	}
	more := "requests + excluded.requests"
	if s.dialect == dialectMySQL {
		more = "requests + VALUES(requests)"
	}
	return s.transaction(ctx, "record refusals", func(tx *gorm.DB) error {
		err := tx.Clauses(clause.OnConflict{
			Columns: []clause.Column{{Name: "account_id"}, {Name: "id"}},
			DoUpdates: append(clause.AssignmentColumns([]string{"method", "status", "user_agent", "last_seen"}),
				clause.Assignments(map[string]any{"requests": gorm.Expr(more)})...),
		}).CreateInBatches(rows, rowBatch).Error
		if err != nil {
			return err
		}
		for i, row := range rows {
			if i > 0 && row.AccountID == rows[i-1].AccountID {
				continue
			}
			if err := boundRefusals(tx, row.AccountID); err != nil {
				return err
			}
		}
		return nil
	})
}

// refusalRows sums refusals up, in the order in which rows are locked.
func refusalRows(refusals []models.Refusal) []refusalRow {
	byID := map[[2]string]refusalRow{}
	for _, r := range refusals {
		key := [2]string{r.AccountID, refusalID(r)}
		row := refusalRow{
			AccountID: r.AccountID,
			ID:        key[1],
			DeviceID:  optional(r.DeviceID),
			Rule:      string(r.Rule),
			MAC:       clip(r.MAC, 12),
			File:      clip(r.File, 255),
			Source:    clip(r.Source, 64),
			Method:    clip(r.Method, 8),
			Status:    r.Status,
			UserAgent: clip(r.UserAgent, 255),
			Requests:  r.Requests,
			FirstSeen: millis(r.First),
			LastSeen:  millis(r.Last),
		}
		if before, seen := byID[key]; seen {
			row.Requests += before.Requests
			row.FirstSeen = min(row.FirstSeen, before.FirstSeen)
			row.LastSeen = max(row.LastSeen, before.LastSeen)
		}
		byID[key] = row
	}
	rows := make([]refusalRow, 0, len(byID))
	for _, row := range byID {
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b refusalRow) int {
		return cmp.Or(cmp.Compare(a.AccountID, b.AccountID), cmp.Compare(a.ID, b.ID))
	})
	return rows
}

func boundRefusals(tx *gorm.DB, accountID string) error {
	var beyond []int64
	err := tx.Model(&refusalRow{}).Where("account_id = ?", accountID).
		Order("last_seen DESC").Offset(maxRefusals).Limit(1).Pluck("last_seen", &beyond).Error
	if err != nil || len(beyond) == 0 {
		return err
	}
	return tx.Where("account_id = ? AND last_seen <= ?", accountID, beyond[0]).Delete(&refusalRow{}).Error
}

// Refusals lists an account's refusals, newest first.
func (s *Store) Refusals(ctx context.Context, accountID string, limit int) ([]models.Refusal, error) {
	var rows []refusalRow
	err := s.db.WithContext(ctx).Where("account_id = ?", accountID).Order("last_seen DESC, id DESC").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, storeErr("refusals", err)
	}
	return convert(rows, refusal)
}

func refusal(row refusalRow) (models.Refusal, error) {
	return models.Refusal{
		AccountID: row.AccountID,
		DeviceID:  text(row.DeviceID),
		Rule:      models.RefusalRule(row.Rule),
		MAC:       row.MAC,
		File:      row.File,
		Source:    row.Source,
		Method:    row.Method,
		Status:    row.Status,
		UserAgent: row.UserAgent,
		Requests:  row.Requests,
		First:     fromMillis(row.FirstSeen),
		Last:      fromMillis(row.LastSeen),
	}, nil
}
