package sqlstore

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"dialtone/models"
)

// A sourceRow is an address from which a device of the account has fetched a file.
type sourceRow struct {
	AccountID string `gorm:"primaryKey"`
	Source    string `gorm:"primaryKey"`
	Seen      int64  // lately: see seenAgain
}

func (sourceRow) TableName() string { return "account_sources" }

const (
	sourceLife = 365 * 24 * time.Hour // a phone may run for long between two fetches
	seenAgain  = 24 * time.Hour       // after which a source is noted once more
)

// SourceKnown reports whether a device of the account has fetched a file from an
// address.
func (s *Store) SourceKnown(ctx context.Context, accountID, source string) (bool, error) {
	has, err := exists(s.db.WithContext(ctx).Model(&sourceRow{}).Where("source = ? AND account_id = ?", source, accountID))
	return has, storeErr("source known", err)
}

// knownSources finds those of some sources that were noted lately.
const knownSources = "SELECT source, account_id FROM account_sources WHERE seen > ? AND source IN ?"

// noteSources notes where devices have fetched from, unless it was lately.
func (s *Store) noteSources(tx *gorm.DB, fetches []models.Fetch) error {
	seen := map[[2]string]sourceRow{}
	var sources []string
	for _, f := range fetches {
		if broughtFile(f) {
			row := sourceRow{f.AccountID, clip(f.Source, 64), millis(f.At)}
			seen[[2]string{row.Source, row.AccountID}] = row
			sources = append(sources, row.Source)
		}
	}
	if len(seen) == 0 {
		return nil
	}
	err := s.eachRowIn(tx, func(scan func(...any) error) error {
		var source, account string
		err := scan(&source, &account)
		delete(seen, [2]string{source, account})
		return err
	}, knownSources, millis(s.now().Add(-seenAgain)), distinct(sources))
	if err != nil || len(seen) == 0 {
		return err
	}
	rows := slices.SortedFunc(maps.Values(seen), func(a, b sourceRow) int { // in the order in which they are locked
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.AccountID, b.AccountID))
	})
	return tx.Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "source"}, {Name: "account_id"}},
		DoUpdates: clause.AssignmentColumns([]string{"seen"}),
	}).CreateInBatches(rows, rowBatch).Error
}
