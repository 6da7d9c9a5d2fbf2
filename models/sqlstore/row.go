package sqlstore

import (
	"iter"

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

// inOrder is the value of each key, the zero value for those that have none.
func inOrder[Key comparable, Value any](keys []Key, values map[Key]Value) []Value {
	list := make([]Value, len(keys))
	for i, key := range keys {
		list[i] = values[key]
	}
	return list
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

// How much is held in memory, or written by one statement, when many rows are
// visited or stored: SQLite bounds a statement's variables, MySQL its bytes.
const (
	rowBatch   = 500
	batchBytes = 1 << 20
)

// batches cuts a list into parts of at most rowBatch and about batchBytes.
func batches[Item any](list []Item, bytes func(Item) int) iter.Seq[[]Item] {
	return func(yield func([]Item) bool) {
		start, size := 0, 0
		for i, item := range list {
			if n := bytes(item); i > start && (i-start == rowBatch || size+n > batchBytes) {
				if !yield(list[start:i]) {
					return
				}
				start, size = i, 0
			}
			size += bytes(item)
		}
		if start < len(list) {
			yield(list[start:])
		}
	}
}

// A storedDocument is what the rows of users and devices have in common.
type storedDocument struct{ ID, Revision, Document string }

// eachBatch visits an account's documents of one table.
func eachBatch(tx *gorm.DB, table, accountID string, visit func([]storedDocument) error) error {
	for after := ""; ; {
		var batch []storedDocument
		err := tx.Table(table).Where("account_id = ? AND id > ?", accountID, after).Order("id").Limit(rowBatch).Find(&batch).Error
		if err != nil || len(batch) == 0 {
			return err
		}
		if err := visit(batch); err != nil {
			return err
		}
		after = batch[len(batch)-1].ID
	}
}
