package sqlstore

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/maypok86/otter/v2"

	"dialtone/models"
)

// A phoneRow is a device with its account and, when it has one, its owner.
type phoneRow struct {
	Device  deviceRow  `gorm:"embedded;embeddedPrefix:d_"`
	Account accountRow `gorm:"embedded;embeddedPrefix:a_"`
	Owner   userRow    `gorm:"embedded;embeddedPrefix:u_"`

	// What the phone itself has done, which is in none of the documents.
	Firmware      string `gorm:"column:d_firmware"`       // that it told last, "" = none
	UploadChanges int64  `gorm:"column:d_upload_changes"` // how often its uploads have changed
}

// phoneQuery reads everything about a phone at once, and nothing that its
// documents say again. A dangling owner, or one of another account, counts as none.
const phoneQuery = `SELECT d.id AS d_id, d.document AS d_document, d.revision AS d_revision, d.created AS d_created, d.modified AS d_modified,
		d.account_id AS d_account_id, d.mac AS d_mac, d.sip_username AS d_sip_username, d.realm AS d_realm,
		d.first_contact_until AS d_first_contact_until, d.path_token_seen AS d_path_token_seen, d.firmware AS d_firmware, d.upload_changes AS d_upload_changes,
		a.id AS a_id, a.document AS a_document, a.revision AS a_revision, a.created AS a_created, a.modified AS a_modified,
		a.user_changes AS a_user_changes, a.old_path_token_hash AS a_old_path_token_hash, a.old_path_token_until AS a_old_path_token_until,
		COALESCE(u.id, '') AS u_id, COALESCE(u.document, '') AS u_document, COALESCE(u.revision, '') AS u_revision,
		COALESCE(u.created, 0) AS u_created, COALESCE(u.modified, 0) AS u_modified, COALESCE(u.account_id, '') AS u_account_id
	FROM devices d
	JOIN accounts a ON a.id = d.account_id
	LEFT JOIN users u ON u.id = d.owner_id AND u.account_id = d.account_id WHERE `

// columns are where those of phoneQuery belong, in its order.
func (r *phoneRow) columns() []any {
	d, a, u := &r.Device, &r.Account, &r.Owner
	return []any{
		&d.ID, &d.Document, &d.Revision, &d.Created, &d.Modified,
		&d.AccountID, &d.MAC, &d.SIPUsername, &d.Realm,
		&d.FirstContactUntil, &d.PathTokenSeen, &r.Firmware, &r.UploadChanges,
		&a.ID, &a.Document, &a.Revision, &a.Created, &a.Modified,
		&a.UserChanges, &a.OldPathTokenHash, &a.OldPathTokenUntil,
		&u.ID, &u.Document, &u.Revision,
		&u.Created, &u.Modified, &u.AccountID,
	}
}

// PhoneByMAC finds the phone with this hardware address, its lines, and which
// files it has stored. It is as the database has it now; what it points to is
// shared: nobody may change that.
func (s *Store) PhoneByMAC(ctx context.Context, mac models.MAC) (*models.Phone, error) {
	const op = "phone by MAC"
	shared, err := knownAs(ctx, s, s.phonesByMAC, mac)
	if err == nil && shared == nil {
		shared, err = s.readPhoneByMAC(ctx, mac)
	}
	if err != nil {
		return nil, storeErr(op, err)
	}
	phone := *shared
	return &phone, nil
}

// readPhoneByMAC reads a phone, and remembers it with the lines that it names,
// those too that are no devices yet.
func (s *Store) readPhoneByMAC(ctx context.Context, mac models.MAC) (*models.Phone, error) {
	now, err := s.generation(ctx)
	if err != nil {
		return nil, err
	}
	row, err := s.phoneRowsByMAC.ask(ctx, mac.String())
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, models.ErrNotFound
	}
	phone, lines, err := s.phoneWithLines(ctx, *row)
	if err != nil {
		return nil, err
	}
	if row.UploadChanges > 0 {
		if phone.Uploads, err = s.uploadNames(ctx, row.Device.ID); err != nil {
			return nil, err
		}
	}
	known := newKnownPhone(phone, now, append(lines, *row)...)
	for _, line := range phone.Device.Provision.Lines {
		if !slices.ContainsFunc(known.versions, func(read readVersion) bool { return read.device == line.DeviceID }) {
			known.versions = append(known.versions, readVersion{device: line.DeviceID})
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

// phone makes a phone of a row. Its account is shared with other phones: nobody may
// change it.
func (s *Store) phone(row phoneRow) (*models.Phone, error) {
	device, err := s.device(row.Device)
	if err != nil {
		return nil, err
	}
	account, err := s.sharedAccount(row.Account)
	if err != nil {
		return nil, err
	}
	p := &models.Phone{Device: device, Account: account, Firmware: row.Firmware}
	if row.Owner.ID != "" {
		p.Owner, err = s.user(row.Owner)
	}
	return p, err
}
