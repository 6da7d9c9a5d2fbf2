package sqlstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"dialtone/models"
)

// ServerLife is how long a server that says nothing is taken to run.
const ServerLife = time.Minute

type serverRow struct {
	ID     string `gorm:"primaryKey"`
	Name   string
	KeyIDs string // numbers, comma-separated
	Seen   int64
}

func (serverRow) TableName() string { return "servers" }

// ReportServer writes down that a server runs, and with which keys. One that
// lacks the key which seals is refused: sealing waits for servers that are
// known, not for those that come later.
func (s *Store) ReportServer(ctx context.Context, id, name string) error {
	keys := make([]string, 0, 2)
	for _, key := range s.sealer.Keys() {
		keys = append(keys, strconv.FormatUint(uint64(key), 10))
	}
	row := serverRow{ID: id, Name: clip(name, 255), KeyIDs: clip(strings.Join(keys, ","), 1024), Seen: millis(s.now())}
	return s.transaction(ctx, "report server", func(tx *gorm.DB) error {
		if _, err := s.holdKey(tx); err != nil {
			return err
		}
		return tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error
	})
}

// ForgetServer removes a server that ends.
func (s *Store) ForgetServer(ctx context.Context, id string) error {
	return storeErr("forget server", s.writer.WithContext(ctx).Where("id = ?", id).Delete(&serverRow{}).Error)
}

// Servers lists the servers that run, by name.
func (s *Store) Servers(ctx context.Context) ([]models.Server, error) {
	list, err := s.servers(s.db.WithContext(ctx))
	return list, storeErr("servers", err)
}

func (s *Store) servers(db *gorm.DB) ([]models.Server, error) {
	var rows []serverRow
	if err := db.Where("seen > ?", millis(s.now().Add(-ServerLife))).Order("name, id").Find(&rows).Error; err != nil {
		return nil, err
	}
	return convert(rows, server)
}

func server(row serverRow) (models.Server, error) {
	out := models.Server{ID: row.ID, Name: row.Name, Seen: fromMillis(row.Seen)}
	for number := range strings.SplitSeq(row.KeyIDs, ",") {
		key, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			return out, fmt.Errorf("keys of server %s: %w", row.ID, err)
		}
		out.Keys = append(out.Keys, models.KeyID(key))
	}
	return out, nil
}
