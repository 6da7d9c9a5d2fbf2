package sqlstore

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// SetClock makes a store of a test live at another time.
func (s *Store) SetClock(now func() time.Time) { s.now = now }

// MigrateTo applies the steps up to a version only.
func (s *Store) MigrateTo(ctx context.Context, version int64) error {
	provider, err := s.provider()
	if err != nil {
		return err
	}
	_, err = provider.UpTo(ctx, version)
	return err
}

// Exec runs a statement as an older program would have.
func (s *Store) Exec(ctx context.Context, statement string, args ...any) error {
	return s.writer.WithContext(ctx).Exec(statement, args...).Error
}

// Hold keeps other writers waiting until work is done.
func (s *Store) Hold(ctx context.Context, work func()) error {
	return s.transaction(ctx, "hold", func(*gorm.DB) error {
		work()
		return nil
	})
}

// HoldDevice keeps other writers of a device waiting until work is done.
func (s *Store) HoldDevice(ctx context.Context, deviceID string, work func()) error {
	return s.transaction(ctx, "hold a device", func(tx *gorm.DB) error {
		defer work()
		return s.lockDevice(tx, deviceID)
	})
}
