package sqlstore

import (
	"context"
	"maps"
	"slices"

	"gorm.io/gorm"

	"dialtone/models"
)

// A hotdeskRow says that a user is logged in to a device: it is the index of
// the devices' hotdesk.users.
type hotdeskRow struct {
	AccountID string `gorm:"primaryKey"`
	UserID    string `gorm:"primaryKey"`
	DeviceID  string `gorm:"primaryKey"`
}

func (hotdeskRow) TableName() string { return "hotdesks" }

// saveHotdesks makes the index say what the device's document says; before is
// what the document was.
func saveHotdesks(tx *gorm.DB, d *models.Device, before models.Document) error {
	if slices.Equal(hotdeskUsers(d.Document), hotdeskUsers(before)) {
		return nil
	}
	if err := dropHotdesks(tx, d.ID); err != nil {
		return err
	}
	return tx.CreateInBatches(hotdesks(d), rowBatch).Error
}

// hotdesks are the rows of who is logged in to a device.
func hotdesks(d *models.Device) []hotdeskRow {
	users := hotdeskUsers(d.Document)
	rows := make([]hotdeskRow, len(users))
	for i, user := range users {
		rows[i] = hotdeskRow{AccountID: d.AccountID, UserID: user, DeviceID: d.ID}
	}
	return rows
}

func dropHotdesks(tx *gorm.DB, deviceID string) error {
	return tx.Where("device_id = ?", deviceID).Delete(&hotdeskRow{}).Error
}

// hotdeskUsers are the ids in hotdesk.users, sorted; other members are custom.
func hotdeskUsers(doc models.Document) []string {
	v, _ := doc.Lookup("hotdesk.users")
	users, _ := v.(map[string]any)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(users)), func(id string) bool { return !models.ValidID(id) })
}

// hotdeskID is the column of what a user logs in to devices with.
func hotdeskID(doc models.Document) *string { return optional(clip(doc.Text("hotdesk.id"), 15)) }

// ListUserDevices lists the devices that a user owns or is logged in to.
func (s *Store) ListUserDevices(ctx context.Context, accountID, userID string, l models.Listing) ([]*models.Device, error) {
	// Each half has an index of its own; with OR there would be none.
	const theirs = `JOIN (SELECT id AS theirs FROM devices WHERE account_id = ? AND owner_id = ?
		UNION SELECT device_id FROM hotdesks WHERE account_id = ? AND user_id = ?) o ON o.theirs = devices.id`
	var rows []deviceRow
	err := listing(s.db.WithContext(ctx), l, deviceNarrowings).
		Joins(theirs, accountID, userID, accountID, userID).Where("account_id = ?", accountID).Find(&rows).Error
	if err != nil {
		return nil, storeErr("devices of a user", err)
	}
	return convert(rows, s.device)
}

// Hotdesks lists who is logged in to which device of an account, by user and
// device, at most limit of them.
func (s *Store) Hotdesks(ctx context.Context, accountID string, limit int) ([]models.Hotdesk, error) {
	var desks []models.Hotdesk
	err := s.db.WithContext(ctx).Table("hotdesks h").Select("h.user_id AS user_id, h.device_id AS device_id, d.name AS device_name").
		Joins("JOIN devices d ON d.id = h.device_id").Where("h.account_id = ?", accountID).
		Order("h.user_id, h.device_id").Limit(limit).Scan(&desks).Error
	return desks, storeErr("hotdesks", err)
}
