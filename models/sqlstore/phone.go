package sqlstore

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/maypok86/otter/v2"

	"dialtone/models"
)

// A phoneRow is a device with its account and, when it has one, its owner.
type phoneRow struct {
	Device  deviceRow  `gorm:"embedded;embeddedPrefix:d_"`
	Account accountRow `gorm:"embedded;embeddedPrefix:a_"`
	Owner   userRow    `gorm:"embedded;embeddedPrefix:u_"`
}

// phoneQuery reads everything about a phone at once, and nothing that its
// documents say again. A dangling owner, or one of another account, counts as none.
var phoneQuery = fmt.Sprintf(`SELECT %s, d.sip_username AS d_sip_username, d.realm AS d_realm, %s, %s FROM devices d
	JOIN accounts a ON a.id = d.account_id
	LEFT JOIN users u ON u.id = d.owner_id AND u.account_id = d.account_id WHERE `,
	prefixed("d", "account_id", "first_contact_until"), prefixed("a", "user_changes"), prefixed("u", "account_id"))

// prefixed lists columns that make a record, with some of its table's own, as
// those of one part of a phoneRow.
func prefixed(table string, own ...string) string {
	var list []string
	for _, column := range append([]string{"id", "document", "revision", "created", "modified"}, own...) {
		list = append(list, fmt.Sprintf("%[1]s.%[2]s AS %[1]s_%[2]s", table, column))
	}
	return strings.Join(list, ", ")
}

// PhoneByMAC finds the phone with this hardware address, and its lines.
func (s *Store) PhoneByMAC(ctx context.Context, mac models.MAC) (*models.Phone, error) {
	return s.withLines(ctx, func() (*models.Phone, error) { return s.takePhone(ctx, "phone by MAC", "d.mac = ?", mac.String()) })
}

// PhoneByIP finds the phone that is known by the address it sends from. While
// there is none at all, the first one is found a second after it was stored.
func (s *Store) PhoneByIP(ctx context.Context, source netip.Addr) (*models.Phone, error) {
	const op = "phone by address"
	some, err := s.someAddress.Get(ctx, struct{}{}, otter.LoaderFunc[struct{}, bool](s.hasAddress))
	if err != nil {
		return nil, storeErr(op, err)
	}
	if !some {
		return nil, fmt.Errorf("%s: %w", op, models.ErrNotFound)
	}
	return s.takePhone(ctx, op, "d.sip_ip = ?", source.Unmap().String())
}

// hasAddress reports whether any device is known by its address.
func (s *Store) hasAddress(ctx context.Context, _ struct{}) (bool, error) {
	return exists(s.db.WithContext(ctx).Model(&deviceRow{}).Where("sip_ip IS NOT NULL"))
}

// PhoneByUsername finds the phone of an account by its SIP username, compared
// without case, whatever its realm. Of several that have it, the one that
// registers with it comes first.
func (s *Store) PhoneByUsername(ctx context.Context, accountID, username string) (*models.Phone, error) {
	return s.takePhone(ctx, "phone by username", "d.account_id = ? AND d.username = ? ORDER BY d.sip_username IS NULL, d.id LIMIT 1", accountID, sipUsername(username))
}

// PhoneByID finds the phone of a device record, and its lines.
func (s *Store) PhoneByID(ctx context.Context, accountID, deviceID string) (*models.Phone, error) {
	return s.withLines(ctx, func() (*models.Phone, error) {
		return s.takePhone(ctx, "phone", "d.id = ? AND d.account_id = ?", deviceID, accountID)
	})
}

// withLines adds what the phone's document names as further lines: devices of
// its account. What is none is left out.
func (s *Store) withLines(ctx context.Context, take func() (*models.Phone, error)) (*models.Phone, error) {
	phone, err := take()
	if err != nil || len(phone.Device.Provision.Lines) == 0 {
		return phone, err
	}
	var ids []string
	for _, line := range phone.Device.Provision.Lines {
		ids = append(ids, line.DeviceID)
	}
	var rows []phoneRow
	if err := s.db.WithContext(ctx).Raw(phoneQuery+"d.account_id = ? AND d.id IN ?", phone.Account.ID, ids).Scan(&rows).Error; err != nil {
		return nil, storeErr("lines of a phone", err)
	}
	devices := map[string]*models.Phone{}
	for _, row := range rows {
		if devices[row.Device.ID], err = s.phone(row); err != nil {
			return nil, err
		}
	}
	for _, line := range phone.Device.Provision.Lines {
		if device := devices[line.DeviceID]; device != nil && device.Device.ID != phone.Device.ID {
			phone.Lines = append(phone.Lines, models.Line{Number: line.Number, Phone: device})
		}
	}
	return phone, nil
}

// PhoneOfDevice finds the phone of a device record, whatever its account.
func (s *Store) PhoneOfDevice(ctx context.Context, deviceID string) (*models.Phone, error) {
	return s.takePhone(ctx, "phone", "d.id = ?", deviceID)
}

func (s *Store) takePhone(ctx context.Context, op, where string, args ...any) (*models.Phone, error) {
	var row phoneRow
	result := s.db.WithContext(ctx).Raw(phoneQuery+where, args...).Scan(&row)
	if result.Error != nil {
		return nil, storeErr(op, result.Error)
	}
	if result.RowsAffected == 0 {
		return nil, fmt.Errorf("%s: %w", op, models.ErrNotFound)
	}
	return s.phone(row)
}

func (s *Store) phone(row phoneRow) (*models.Phone, error) {
	device, err := s.device(row.Device)
	if err != nil {
		return nil, err
	}
	account, err := s.account(row.Account)
	if err != nil {
		return nil, err
	}
	p := &models.Phone{Device: device, Account: account}
	if row.Owner.ID != "" {
		p.Owner, err = s.user(row.Owner)
	}
	return p, err
}
