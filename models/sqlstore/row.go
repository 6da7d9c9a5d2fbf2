package sqlstore

import (
	"gorm.io/gorm"

	"dialtone/models"
)

func meta(id, revision string, created, modified int64) models.Meta {
	return models.Meta{ID: id, Revision: revision, Created: fromMillis(created), Modified: fromMillis(modified)}
}

// convert turns rows into models.
func convert[Row, Model any](rows []Row, one func(Row) (Model, error)) ([]Model, error) {
	out := make([]Model, 0, len(rows))
	for _, row := range rows {
		m, err := one(row)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// replace writes row over the stored row of a document, but only while that
// still has the old revision: the check and the write are one statement.
// Columns named by keep stay as they are.
func replace(db *gorm.DB, old models.Meta, row any, keep ...string) error {
	result := db.Model(row).Where("id = ? AND revision = ?", old.ID, old.Revision).
		Select("*").Omit(append(keep, "id", "account_id", "created")...).Updates(row)
	if result.Error == nil && result.RowsAffected == 0 {
		return models.ErrConflict
	}
	return result.Error
}

// remove deletes the row of a document while it still has the revision.
func remove(tx *gorm.DB, row any, m models.Meta) error {
	deleted := tx.Where("id = ? AND revision = ?", m.ID, m.Revision).Delete(row)
	if deleted.Error == nil && deleted.RowsAffected == 0 {
		return models.ErrConflict
	}
	return deleted.Error
}

// rowBatch is how many rows are held in memory when all of a table are visited.
const rowBatch = 500

// eachRow visits an account's rows of one table; visit gives their ids.
func eachRow[Row any](tx *gorm.DB, accountID string, visit func(Row) (string, error)) error {
	for after := ""; ; {
		var rows []Row
		err := tx.Where("account_id = ? AND id > ?", accountID, after).Order("id").Limit(rowBatch).Find(&rows).Error
		if err != nil {
			return err
		}
		for _, row := range rows {
			if after, err = visit(row); err != nil {
				return err
			}
		}
		if len(rows) < rowBatch {
			return nil
		}
	}
}
