package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"gorm.io/gorm"

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

// countedRefusals bounds the refusals of an account.
var countedRefusals = counted[refusalRow]{
	key: "id", newest: []string{"method", "status", "user_agent"}, most: 1000,
	account: func(row refusalRow) string { return row.AccountID },
}

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
	return s.transaction(ctx, "record refusals", func(tx *gorm.DB) error {
		return countedRefusals.add(s, tx, rows)
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
