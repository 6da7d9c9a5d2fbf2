package sqlstore

import (
	"context"
	"time"

	"gorm.io/gorm"

	"dialtone/models"
)

// A quickCallRow is one call that a server placed.
type quickCallRow struct {
	ID        string `gorm:"primaryKey"`
	AccountID string
	UserID    string
	DeviceID  string
	Number    string
	Contact   string
	State     string
	Code      int
	Reason    string
	Replica   string
	Created   int64
	Answered  *int64
	Finished  *int64
}

func (quickCallRow) TableName() string { return "quick_calls" }

// CreateQuickCall stores a call that begins; it fills its ID.
func (s *Store) CreateQuickCall(ctx context.Context, c *models.QuickCall) error {
	c.ID = models.NewID()
	row := quickCallColumns(c)
	return storeErr("create quick call", s.writer.WithContext(ctx).Create(&row).Error)
}

// SaveQuickCall stores how far a call has come. It is ErrNotFound when it has
// been deleted meanwhile, with its device or account.
func (s *Store) SaveQuickCall(ctx context.Context, c *models.QuickCall) error {
	row := quickCallColumns(c)
	result := s.writer.WithContext(ctx).Model(&row).Where("id = ?", c.ID).
		Select("device_id", "contact", "state", "code", "reason", "answered", "finished").Updates(&row)
	if result.Error == nil && result.RowsAffected == 0 {
		return storeErr("save quick call", gorm.ErrRecordNotFound)
	}
	return storeErr("save quick call", result.Error)
}

// InterruptQuickCalls ends the calls that were left in the middle: all of replica
// from before its start, and those of any server that are older than a call may be.
func (s *Store) InterruptQuickCalls(ctx context.Context, replica string, started, old time.Time) error {
	err := s.writer.WithContext(ctx).Model(&quickCallRow{}).
		Where("finished IS NULL AND ((replica = ? AND created < ?) OR created < ?)", clip(replica, 255), millis(started), millis(old)).
		Updates(map[string]any{"state": models.CallInterrupted, "reason": "the server stopped", "finished": millis(s.now())}).Error
	return storeErr("interrupt quick calls", err)
}

// DeviceQuickCalls lists the calls to a device, the newest first.
func (s *Store) DeviceQuickCalls(ctx context.Context, deviceID string, limit int) ([]models.QuickCall, error) {
	return s.quickCalls(ctx, "device_id = ?", deviceID, limit)
}

// UserQuickCalls lists the calls to all devices of a user, the newest first.
func (s *Store) UserQuickCalls(ctx context.Context, userID string, limit int) ([]models.QuickCall, error) {
	return s.quickCalls(ctx, "user_id = ?", userID, limit)
}

func (s *Store) quickCalls(ctx context.Context, where, id string, limit int) ([]models.QuickCall, error) {
	var rows []quickCallRow
	err := s.db.WithContext(ctx).Where(where, id).Order("created DESC, id").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, storeErr("quick calls", err)
	}
	return convert(rows, quickCall)
}

func quickCallColumns(c *models.QuickCall) quickCallRow {
	return quickCallRow{
		ID:        c.ID,
		AccountID: c.AccountID,
		UserID:    c.UserID,
		DeviceID:  c.DeviceID,
		Number:    clip(c.Number, 64),
		Contact:   clip(c.Contact, 1024),
		State:     c.State,
		Code:      c.Code,
		Reason:    clip(c.Reason, 255),
		Replica:   clip(c.Replica, 255),
		Created:   millis(c.Created),
		Answered:  optionalMillis(c.Answered),
		Finished:  optionalMillis(c.Finished),
	}
}

func quickCall(row quickCallRow) (models.QuickCall, error) {
	return models.QuickCall{
		ID:        row.ID,
		AccountID: row.AccountID,
		UserID:    row.UserID,
		DeviceID:  row.DeviceID,
		Number:    row.Number,
		Contact:   row.Contact,
		State:     row.State,
		Code:      row.Code,
		Reason:    row.Reason,
		Replica:   row.Replica,
		Created:   fromMillis(row.Created),
		Answered:  timeOf(row.Answered),
		Finished:  timeOf(row.Finished),
	}, nil
}
