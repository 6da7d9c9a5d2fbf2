package sqlstore

import (
	"context"
	"errors"
	"runtime"

	"golang.org/x/sync/errgroup"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"dialtone/models"
)

type importRow struct {
	AccountID string `gorm:"primaryKey"`
	FileHash  string `gorm:"primaryKey"`
	Line      int
	Stored    int
	Bad       int
	Finished  bool
	Modified  int64
}

func (importRow) TableName() string { return "imports" }

// errTakenBack rolls a transaction back without being a failure.
var errTakenBack = errors.New("taken back")

// ImportDevices stores new devices as CreateDevice does, in one transaction.
// keep is told, by index, which of them have a value that is taken, and decides
// whether the others are stored or none; it may be asked more than once.
func (s *Store) ImportDevices(ctx context.Context, devices []*models.Device, keep func(taken map[int]*models.TakenError) bool) error {
	nothing := func(*gorm.DB) error { return nil }
	return s.importDevices(ctx, devices, nothing, keep, nothing)
}

// ImportPart is ImportDevices of a part of a large file. In the same transaction
// the import moves from where it was to where it is with them, which keep may set
// still. ErrConflict: another program has moved it.
func (s *Store) ImportPart(ctx context.Context, from models.Import, to *models.Import, devices []*models.Device, keep func(taken map[int]*models.TakenError) bool) error {
	return s.importDevices(ctx, devices, func(tx *gorm.DB) error {
		at, err := findImport(s.locking(tx), from.AccountID, from.FileHash)
		if err == nil && (at.Line != from.Line || at.Finished) {
			return models.ErrConflict
		}
		return err
	}, keep, func(tx *gorm.DB) error {
		to.Modified = s.now().UTC()
		return moveImport(tx, from, *to)
	})
}

// importDevices stores new devices, with what belongs to it at the beginning and
// at the end of the transaction.
func (s *Store) importDevices(ctx context.Context, devices []*models.Device, first func(*gorm.DB) error, keep func(map[int]*models.TakenError) bool, last func(*gorm.DB) error) error {
	var list []*newDevice
	seal := func(key models.KeyID) (err error) {
		list, err = s.newDevices(ctx, devices, key)
		return err
	}
	err := s.sealing(ctx, "import devices", seal, func(tx *gorm.DB) error {
		if err := first(tx); err != nil {
			return err
		}
		taken, err := s.insertDevices(tx, list)
		if err != nil {
			return err
		}
		if !keep(taken) {
			return errTakenBack
		}
		return last(tx)
	})
	if errors.Is(err, errTakenBack) {
		return nil
	}
	return err
}

// newDevices prepares the creation of devices on all processors: most of an
// import's time is spent here and on their rules.
func (s *Store) newDevices(ctx context.Context, devices []*models.Device, key models.KeyID) ([]*newDevice, error) {
	list := make([]*newDevice, len(devices))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for start := 0; start < len(devices); start += rowBatch {
		g.Go(func() (err error) {
			for i := start; i < min(start+rowBatch, len(devices)) && err == nil; i++ {
				list[i], err = s.newDevice(ctx, i, devices[i], key)
			}
			return err
		})
	}
	return list, g.Wait()
}

// Import is how far a file has come into an account; without a line when it has
// not begun.
func (s *Store) Import(ctx context.Context, accountID, fileHash string) (models.Import, error) {
	at, err := findImport(s.db.WithContext(ctx), accountID, fileHash)
	return at, storeErr("import", err)
}

func findImport(db *gorm.DB, accountID, fileHash string) (models.Import, error) {
	var rows []importRow
	err := db.Where("account_id = ? AND file_hash = ?", accountID, fileHash).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return models.Import{AccountID: accountID, FileHash: fileHash}, err
	}
	row := rows[0]
	return models.Import{
		AccountID: row.AccountID, FileHash: row.FileHash, Line: row.Line, Stored: row.Stored, Bad: row.Bad,
		Finished: row.Finished, Modified: fromMillis(row.Modified),
	}, nil
}

// moveImport writes down how far an import has come, while it is where it was:
// two that begin at once meet here.
func moveImport(tx *gorm.DB, from, to models.Import) error {
	row := importRow{to.AccountID, to.FileHash, to.Line, to.Stored, to.Bad, to.Finished, millis(to.Modified)}
	moved := tx.Clauses(clause.OnConflict{DoNothing: true})
	if from.Line == 0 {
		moved = moved.Create(&row)
	} else {
		moved = tx.Model(&row).Where("line = ? AND NOT finished", from.Line).
			Select("line", "stored", "bad", "finished", "modified").Updates(&row)
	}
	if moved.Error == nil && moved.RowsAffected == 0 {
		return models.ErrConflict
	}
	return moved.Error
}
