package sqlstore

import (
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// A counted table has rows that count the requests of an account which have
// something in common, and say the rest of the newest one.
type counted[Row any] struct {
	key     string // column that tells an account's rows apart
	newest  []string
	most    int // rows of an account; those that were seen longest ago make room
	account func(Row) string
}

// add adds rows to what is counted. They stand by account, in the order in which
// they are locked.
func (c counted[Row]) add(s *Store, tx *gorm.DB, rows []Row) error {
	more := "requests + excluded.requests"
	if s.dialect == dialectMySQL {
		more = "requests + VALUES(requests)"
	}
	err := tx.Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "account_id"}, {Name: c.key}},
		DoUpdates: append(clause.AssignmentColumns(append(slices.Clone(c.newest), "last_seen")),
			clause.Assignments(map[string]any{"requests": gorm.Expr(more)})...),
	}).CreateInBatches(rows, rowBatch).Error
	if err != nil {
		return err
	}
	for i, row := range rows {
		if i > 0 && c.account(row) == c.account(rows[i-1]) {
			continue
		}
		if err := c.bound(tx, c.account(row)); err != nil {
			return err
		}
	}
	return nil
}

func (c counted[Row]) bound(tx *gorm.DB, accountID string) error {
	var beyond []int64
	err := tx.Model(new(Row)).Where("account_id = ?", accountID).
		Order("last_seen DESC").Offset(c.most).Limit(1).Pluck("last_seen", &beyond).Error
	if err != nil || len(beyond) == 0 {
		return err
	}
	return tx.Where("account_id = ? AND last_seen <= ?", accountID, beyond[0]).Delete(new(Row)).Error
}
