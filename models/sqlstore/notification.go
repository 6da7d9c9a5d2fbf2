package sqlstore

import (
	"cmp"
	"context"

	"gorm.io/gorm/clause"

	"dialtone/models"
)

// A syncItemRow is one NOTIFY to one contact. JobID stays NULL for those that
// were asked for singly.
type syncItemRow struct {
	ID        string `gorm:"primaryKey"`
	JobID     *string
	AccountID string
	DeviceID  string
	AOR       string `gorm:"column:aor"`
	Contact   string
	Event     string
	State     string
	Code      int
	Reason    string
	Created   int64
	Finished  *int64
}

func (syncItemRow) TableName() string { return "sync_items" }

// SaveNotification stores a notification, or its new state when its ID is
// known already. It fills the ID when empty.
func (s *Store) SaveNotification(ctx context.Context, n *models.Notification) error {
	n.ID = cmp.Or(n.ID, models.NewID())
	row := syncItemRow{
		ID:        n.ID,
		AccountID: n.AccountID,
		DeviceID:  n.DeviceID,
		AOR:       clip(n.AOR, 320),
		Contact:   clip(n.Contact, 1024),
		Event:     clip(n.Event, 255),
		State:     n.State,
		Code:      n.Code,
		Reason:    clip(n.Reason, 255),
		Created:   millis(n.Created),
	}
	if !n.Finished.IsZero() {
		finished := millis(n.Finished)
		row.Finished = &finished
	}
	err := s.writer.WithContext(ctx).Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "id"}},
		DoUpdates: clause.AssignmentColumns([]string{"state", "code", "reason", "finished"}),
	}).Create(&row).Error
	return storeErr("save notification", err)
}

// Notifications lists a device's notifications, the newest first.
func (s *Store) Notifications(ctx context.Context, deviceID string, limit int) ([]models.Notification, error) {
	var rows []syncItemRow
	err := s.db.WithContext(ctx).Where("device_id = ?", deviceID).
		Order("created DESC, id").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, storeErr("notifications", err)
	}
	return convert(rows, notification)
}

func notification(row syncItemRow) (models.Notification, error) {
	n := models.Notification{
		ID:        row.ID,
		AccountID: row.AccountID,
		DeviceID:  row.DeviceID,
		AOR:       row.AOR,
		Contact:   row.Contact,
		Event:     row.Event,
		State:     row.State,
		Code:      row.Code,
		Reason:    row.Reason,
		Created:   fromMillis(row.Created),
	}
	if row.Finished != nil {
		n.Finished = fromMillis(*row.Finished)
	}
	return n, nil
}
