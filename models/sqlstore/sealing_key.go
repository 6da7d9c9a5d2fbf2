package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"dialtone/models"
)

// A sealingKeyRow says which key of the keyset seals, to all servers: the only
// row there is. The file's own word counts only while there is none. While keys
// are changed it also names the next one; once they are the same, what is
// sealed with others is sealed anew.
type sealingKeyRow struct {
	ID      int   `gorm:"primaryKey;autoIncrement:false"`
	KeyID   int64 // column types are wide enough for a models.KeyID
	NextKey int64 // 0 = none
}

func (sealingKeyRow) TableName() string { return "sealing_key" }

// theSealingKey is the id of the only row.
const theSealingKey = 1

// A SealingState says where a change of keys stands.
type SealingState struct {
	Current models.KeyID // seals; 0 = nothing was sealed yet
	Next    models.KeyID // will seal, or has begun to when it is Current; 0 = no change is under way
}

func (row sealingKeyRow) state() SealingState {
	return SealingState{models.KeyID(row.KeyID), models.KeyID(row.NextKey)} //nolint:gosec // written from one
}

// Sealing reads where a change of keys stands.
func (s *Store) Sealing(ctx context.Context) (SealingState, error) {
	row, _, err := sealingKey(s.db.WithContext(ctx))
	return row.state(), storeErr("sealing key", err)
}

func sealingKey(db *gorm.DB) (row sealingKeyRow, found bool, err error) {
	result := db.Where("id = ?", theSealingKey).Limit(1).Find(&row)
	return row, result.RowsAffected > 0, result.Error
}

// CheckKeys reports whether the keyset is the one of this database: it has the
// key that seals, and opens the first account and the server's own secrets. The
// error says what is wrong.
func (s *Store) CheckKeys(ctx context.Context) error {
	row, _, err := sealingKey(s.db.WithContext(ctx))
	if err != nil {
		return storeErr("sealing key", err)
	}
	if row.KeyID != 0 {
		if err := s.sealer.Has(row.state().Current); err != nil {
			return fmt.Errorf("secrets are sealed with another key: %w", err)
		}
	}
	var secrets []serverSecretRow
	if err := s.db.WithContext(ctx).Find(&secrets).Error; err != nil {
		return storeErr("server's secrets", err)
	}
	for _, row := range secrets {
		if _, err := s.openSecret(row); err != nil {
			return err
		}
	}
	return s.Ping(ctx)
}

// sealing runs a transaction that writes secrets. Before it, seal makes the rows with
// a key, since a transaction has others wait; when another key seals by then,
// they are made again. Until the transaction ends no other key begins to seal: so
// what was sealed anew once needs no second look.
func (s *Store) sealing(ctx context.Context, op string, seal func(models.KeyID) error, work func(*gorm.DB) error) error {
	made := models.KeyID(s.lastKey.Load())
	if !slices.Contains(s.sealer.Keys(), made) {
		made = 0
	}
	if made != 0 {
		if err := seal(made); err != nil {
			return err
		}
	}
	return s.transaction(ctx, op, func(tx *gorm.DB) error {
		key, err := s.holdKey(tx)
		if err != nil {
			return err
		}
		if key != made {
			if err := seal(key); err != nil {
				return err
			}
			made = key
			s.lastKey.Store(uint32(key))
		}
		return work(tx)
	})
}

// holdKey reads the key that seals, and keeps it so until the transaction ends.
func (s *Store) holdKey(tx *gorm.DB) (models.KeyID, error) {
	row, found, err := sealingKey(s.sharing(tx))
	if err == nil && !found {
		first := sealingKeyRow{ID: theSealingKey, KeyID: int64(s.sealer.Keys()[0])}
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&first).Error; err != nil {
			return 0, err
		}
		row, found, err = sealingKey(s.sharing(tx))
	}
	if err == nil && !found {
		err = errors.New("the sealing key is gone")
	}
	if err != nil {
		return 0, err
	}
	key := row.state().Current
	if err := s.sealer.Has(key); err != nil {
		return 0, fmt.Errorf("%w: %w", models.ErrUnavailable, err)
	}
	return key, nil
}

// AnnounceKey makes a key the next one to seal, unless another one is: that it
// gives then. With replace it takes the place of one that does not seal yet.
func (s *Store) AnnounceKey(ctx context.Context, key models.KeyID, replace bool) (next models.KeyID, err error) {
	err = s.transaction(ctx, "announce key", func(tx *gorm.DB) error {
		if _, err := s.holdKey(tx); err != nil { // there is a row now
			return err
		}
		row, _, err := sealingKey(s.locking(tx))
		if err != nil {
			return err
		}
		if state := row.state(); state.Next != 0 && (!replace || state.Next == state.Current) {
			next = state.Next
			return nil
		}
		next = key
		return updateSealing(tx, map[string]any{"next_key": int64(key)})
	})
	return next, err
}

// SwitchKey makes the next key seal, from now on and everywhere, provided that it
// is this one and that all servers that run have it. Else it gives those that
// have not, and nothing changes.
func (s *Store) SwitchKey(ctx context.Context, key models.KeyID) (without []models.Server, err error) {
	err = s.transaction(ctx, "switch key", func(tx *gorm.DB) error {
		row, _, err := sealingKey(s.locking(tx)) // servers that start wait: see ReportServer
		if err != nil {
			return err
		}
		if row.state().Next != key {
			return fmt.Errorf("%w: another change of keys is under way", models.ErrConflict)
		}
		servers, err := s.servers(tx)
		if err != nil {
			return err
		}
		without = slices.DeleteFunc(servers, func(r models.Server) bool { return slices.Contains(r.Keys, key) })
		if len(without) > 0 {
			return nil
		}
		return updateSealing(tx, map[string]any{"key_id": int64(key)})
	})
	return without, err
}

// EndKeyChange says that nothing is sealed with any other key than the one that
// seals.
func (s *Store) EndKeyChange(ctx context.Context, key models.KeyID) error {
	return s.transaction(ctx, "end change of keys", func(tx *gorm.DB) error {
		return updateSealing(tx.Where("key_id = ? AND next_key = ?", key, key), map[string]any{"next_key": 0})
	})
}

func updateSealing(tx *gorm.DB, columns map[string]any) error {
	return tx.Model(&sealingKeyRow{}).Where("id = ?", theSealingKey).Updates(columns).Error
}
