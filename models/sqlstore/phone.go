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
	prefixed("d", "account_id", "first_contact_until", "path_token_seen"), prefixed("a", "user_changes"), prefixed("u", "account_id"))

// prefixed lists columns that make a record, with some of its table's own, as
// those of one part of a phoneRow.
func prefixed(table string, own ...string) string {
	var list []string
	for _, column := range append([]string{"id", "document", "revision", "created", "modified"}, own...) {
		list = append(list, fmt.Sprintf("%[1]s.%[2]s AS %[1]s_%[2]s", table, column))
	}
	return strings.Join(list, ", ")
}

// PhoneByMAC finds the phone with this hardware address, and its lines. It is as
// the database has it now; what it points to is shared: nobody may change that.
func (s *Store) PhoneByMAC(ctx context.Context, mac models.MAC) (*models.Phone, error) {
	const op = "phone by MAC"
	shared, err := knownAs(ctx, s, s.phonesByMAC, mac)
	if err != nil {
		return nil, storeErr(op, err)
	}
	if shared == nil {
		if shared, err = s.readPhoneByMAC(ctx, op, mac); err != nil {
			return nil, err
		}
	}
	phone := *shared
	return &phone, nil
}

// readPhoneByMAC reads a phone, and remembers it with the lines that it names,
// those too that are no devices yet.
func (s *Store) readPhoneByMAC(ctx context.Context, op string, mac models.MAC) (*models.Phone, error) {
	row, err := s.takePhoneRow(ctx, op, "d.mac = ?", mac.String())
	if err != nil {
		return nil, err
	}
	phone, lines, err := s.phoneWithLines(ctx, row)
	if err != nil {
		return nil, err
	}
	known := newKnownPhone(phone, append(lines, row)...)
	for _, line := range phone.Device.Provision.Lines {
		if _, read := known.versions[line.DeviceID]; !read {
			known.versions[line.DeviceID] = phoneVersion{}
		}
	}
	keep(s.phonesByMAC, mac, known)
	return phone, nil
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
	row, err := s.takePhoneRow(ctx, "phone", "d.id = ? AND d.account_id = ?", deviceID, accountID)
	if err != nil {
		return nil, err
	}
	phone, _, err := s.phoneWithLines(ctx, row)
	return phone, err
}

// phoneWithLines makes a phone with what its document names as further lines:
// devices of its account, whose rows it gives, too. What is none is left out.
func (s *Store) phoneWithLines(ctx context.Context, row phoneRow) (phone *models.Phone, lines []phoneRow, err error) {
	phone, err = s.phone(row)
	if err != nil || len(phone.Device.Provision.Lines) == 0 {
		return phone, nil, err
	}
	var ids []string
	for _, line := range phone.Device.Provision.Lines {
		ids = append(ids, line.DeviceID)
	}
	if err := s.db.WithContext(ctx).Raw(phoneQuery+"d.account_id = ? AND d.id IN ?", phone.Account.ID, ids).Scan(&lines).Error; err != nil {
		return nil, nil, storeErr("lines of a phone", err)
	}
	devices := map[string]*models.Phone{}
	for _, line := range lines {
		if devices[line.Device.ID], err = s.phone(line); err != nil {
			return nil, nil, err
		}
	}
	for _, line := range phone.Device.Provision.Lines {
		if device := devices[line.DeviceID]; device != nil && device.Device.ID != phone.Device.ID {
			phone.Lines = append(phone.Lines, models.Line{Number: line.Number, Phone: device})
		}
	}
	return phone, lines, nil
}

// PhoneOfDevice finds the phone of a device record, whatever its account.
func (s *Store) PhoneOfDevice(ctx context.Context, deviceID string) (*models.Phone, error) {
	return s.takePhone(ctx, "phone", "d.id = ?", deviceID)
}

func (s *Store) takePhone(ctx context.Context, op, where string, args ...any) (*models.Phone, error) {
	row, err := s.takePhoneRow(ctx, op, where, args...)
	if err != nil {
		return nil, err
	}
	return s.phone(row)
}

func (s *Store) takePhoneRow(ctx context.Context, op, where string, args ...any) (phoneRow, error) {
	var row phoneRow
	result := s.db.WithContext(ctx).Raw(phoneQuery+where, args...).Scan(&row)
	if result.Error != nil {
		return row, storeErr(op, result.Error)
	}
	if result.RowsAffected == 0 {
		return row, fmt.Errorf("%s: %w", op, models.ErrNotFound)
	}
	return row, nil
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
