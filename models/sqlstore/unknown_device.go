package sqlstore

import (
	"cmp"
	"context"
	"slices"

	"gorm.io/gorm"

	"dialtone/models"
)

// An unknownDeviceRow counts what a phone that is no device of the account has
// asked for; the rest is of the newest request. It leaves when the device is
// created, or after the time that fetches are kept.
type unknownDeviceRow struct {
	AccountID string `gorm:"primaryKey"`
	MAC       string `gorm:"primaryKey;column:mac"`
	File      string
	Source    string
	UserAgent string
	Requests  int
	FirstSeen int64
	LastSeen  int64
}

func (unknownDeviceRow) TableName() string { return "unknown_devices" }

// countedUnknown bounds the unknown devices of an account.
var countedUnknown = counted[unknownDeviceRow]{
	key: "mac", newest: []string{"file", "source", "user_agent"}, most: 5000,
	account: func(row unknownDeviceRow) string { return row.AccountID },
}

// UnknownDevices lists, by ascending MAC from the one that follows after, the
// phones that asked under the account's path token and are no device of the
// account.
func (s *Store) UnknownDevices(ctx context.Context, accountID, after string, limit int) ([]models.UnknownDevice, error) {
	var rows []unknownDeviceRow
	// A request from before its device was created may be written down after that. As
	// NOT EXISTS it would have MariaDB read all devices.
	err := s.db.WithContext(ctx).Joins("LEFT JOIN devices d ON d.mac = unknown_devices.mac AND d.account_id = unknown_devices.account_id").
		Where("unknown_devices.account_id = ? AND unknown_devices.mac > ? AND d.id IS NULL", accountID, after).
		Order("unknown_devices.mac").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, storeErr("unknown devices", err)
	}
	return convert(rows, unknownDevice)
}

func unknownDevice(row unknownDeviceRow) (models.UnknownDevice, error) {
	return models.UnknownDevice{
		MAC:       row.MAC,
		File:      row.File,
		Source:    row.Source,
		UserAgent: row.UserAgent,
		Requests:  row.Requests,
		First:     fromMillis(row.FirstSeen),
		Last:      fromMillis(row.LastSeen),
	}, nil
}

// countUnknown adds a batch of fetches to what is known of unknown devices.
func (s *Store) countUnknown(tx *gorm.DB, fetches []fetchRow) error {
	rows := unknownDevices(fetches)
	if len(rows) == 0 {
		return nil
	}
	return countedUnknown.add(s, tx, rows)
}

// unknownDevices sums up the fetches of unknown devices, in the order in which
// rows are locked.
func unknownDevices(fetches []fetchRow) []unknownDeviceRow {
	byPhone := map[[2]string]unknownDeviceRow{}
	for _, f := range fetches {
		if f.AccountID == nil || f.DeviceID != nil || f.MAC == "" {
			continue
		}
		phone := [2]string{*f.AccountID, f.MAC}
		row, seen := byPhone[phone]
		if !seen {
			row = unknownDeviceRow{AccountID: *f.AccountID, MAC: f.MAC, FirstSeen: f.Fetched}
		}
		row.Requests++
		row.FirstSeen = min(row.FirstSeen, f.Fetched)
		if f.Fetched >= row.LastSeen {
			row.File, row.Source, row.UserAgent, row.LastSeen = f.File, f.Source, f.UserAgent, f.Fetched
		}
		byPhone[phone] = row
	}
	rows := make([]unknownDeviceRow, 0, len(byPhone))
	for _, row := range byPhone {
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b unknownDeviceRow) int {
		return cmp.Or(cmp.Compare(a.AccountID, b.AccountID), cmp.Compare(a.MAC, b.MAC))
	})
	return rows
}

// meet takes the phones of an account that are devices now off its unknown ones.
func meet(tx *gorm.DB, accountID string, macs []string) error {
	if len(macs) == 0 {
		return nil
	}
	return tx.Where("account_id = ? AND mac IN ?", accountID, macs).Delete(&unknownDeviceRow{}).Error
}
