package sqlstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"

	"dialtone/models"
)

type registrationRow struct {
	DeviceID   string `gorm:"primaryKey"`
	BindingKey string `gorm:"primaryKey"` // see bindingKey
	AccountID  string
	AOR        string `gorm:"column:aor"`
	Contact    string
	Instance   string
	RegID      int
	Path       string // one value a line
	Received   string
	Transport  string
	Replica    string
	CallID     string
	CSeq       uint32 `gorm:"column:cseq"`
	UserAgent  string
	Expires    int64
	Modified   int64
}

func (registrationRow) TableName() string { return "registrations" }

// Bindings lists a device's live contact bindings, the newest first.
func (s *Store) Bindings(ctx context.Context, deviceID string) ([]models.Binding, error) {
	bindings, err := s.bindings(s.db.WithContext(ctx), deviceID)
	return bindings, storeErr("bindings", err)
}

func (s *Store) bindings(db *gorm.DB, deviceID string) ([]models.Binding, error) {
	var rows []registrationRow
	err := db.Where("device_id = ? AND expires > ?", deviceID, millis(s.now())).
		Order("modified DESC, binding_key").Find(&rows).Error
	if err != nil {
		return nil, err
	}
	return convert(rows, binding)
}

// ReplicaBindings lists live bindings of a transport that a server took, by
// ascending device, at most limit of them, from the one that follows after.
func (s *Store) ReplicaBindings(ctx context.Context, replica, transport string, after models.Binding, limit int) ([]models.Binding, error) {
	var rows []registrationRow
	err := s.db.WithContext(ctx).
		Where("device_id >= ? AND (device_id > ? OR binding_key > ?)", after.DeviceID, after.DeviceID, bindingKey(after)).
		Where("replica = ? AND transport = ? AND expires > ?", replica, transport, millis(s.now())).
		Order("device_id, binding_key").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, storeErr("bindings of a server", err)
	}
	return convert(rows, binding)
}

// UpdateBindings lets change decide, from a device's live bindings, which ones
// it has from now on; change may be called more than once. Updates of one device
// run one after the other. An error of change is passed through and nothing is
// written. A device that does not exist is ErrNotFound.
func (s *Store) UpdateBindings(ctx context.Context, deviceID string, change func(live []models.Binding) ([]models.Binding, error)) error {
	if done, err := s.updateOneBinding(ctx, deviceID, change); done || err != nil {
		return storeErr("update bindings", err)
	}
	return s.transaction(ctx, "update bindings", func(tx *gorm.DB) error {
		if err := s.lockDevice(tx, deviceID); err != nil {
			return err
		}
		live, err := s.bindings(s.locking(tx), deviceID) // updateOneBinding locks no device
		if err != nil {
			return err
		}
		remaining, err := change(live)
		if err != nil {
			return err
		}
		return replaceBindings(tx, deviceID, remaining)
	})
}

// updateOneBinding is UpdateBindings in what nearly every REGISTER asks for, which
// one statement can do: a phone's first binding (unless it may be about to replace
// another, RFC 5626), or another expiry of one that it has. The statement checks that nothing has changed since the bindings were read.
// It is false, and nothing is written, for all else: the transaction then decides.
func (s *Store) updateOneBinding(ctx context.Context, deviceID string, change func([]models.Binding) ([]models.Binding, error)) (bool, error) {
	live, err := s.bindings(s.db.WithContext(ctx), deviceID)
	if err != nil {
		return false, err
	}
	remaining, err := change(slices.Clone(live))
	if err != nil || len(remaining) == 0 {
		return false, nil //nolint:nilerr // whether it is one, the transaction says
	}
	db := s.writer.WithContext(ctx)
	var written *gorm.DB
	if len(live) == 0 && len(remaining) == 1 && remaining[0].RegID == 0 {
		written = s.insertBinding(db, newRegistrationRow(deviceID, remaining[0]))
	} else if old, renewed, ok := onlyRenewal(live, remaining); ok {
		row := newRegistrationRow(deviceID, renewed)
		written = where(db, old).Select("*").Omit("device_id", "binding_key").Updates(&row)
	} else {
		return false, nil
	}
	if written.Error != nil && (isDuplicate(written.Error) || isWriteConflict(written.Error) || isBusy(written.Error)) {
		return false, nil // somebody else was quicker
	}
	return written.RowsAffected == 1, written.Error
}

// onlyRenewal finds the one binding that differs between two lists, when it is
// the same contact's.
func onlyRenewal(live, remaining []models.Binding) (old, renewed models.Binding, ok bool) {
	if len(live) != len(remaining) {
		return old, renewed, false
	}
	for i := range live {
		switch {
		case bindingKey(live[i]) != bindingKey(remaining[i]):
			return old, renewed, false
		case reflect.DeepEqual(live[i], remaining[i]):
		case ok:
			return old, renewed, false
		default:
			old, renewed, ok = live[i], remaining[i], true
		}
	}
	return old, renewed, ok
}

// insertBinding adds a binding while its device exists.
func (s *Store) insertBinding(db *gorm.DB, row registrationRow) *gorm.DB {
	query := `INSERT INTO registrations (device_id, binding_key, account_id, aor, contact, instance, reg_id, path,
		received, transport, replica, call_id, cseq, user_agent, expires, modified)
		SELECT id, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM devices WHERE id = ?`
	if s.dialect == dialectMySQL {
		query += " FOR UPDATE"
	}
	return db.Exec(query, row.BindingKey, row.AccountID, row.AOR, row.Contact, row.Instance, row.RegID, row.Path,
		row.Received, row.Transport, row.Replica, row.CallID, row.CSeq, row.UserAgent, row.Expires, row.Modified, row.DeviceID)
}

// where finds a binding that nobody has renewed since it was read.
func where(db *gorm.DB, b models.Binding) *gorm.DB {
	return db.Model(&registrationRow{}).Where("device_id = ? AND binding_key = ? AND call_id = ? AND cseq = ? AND modified = ?",
		b.DeviceID, bindingKey(b), clip(b.CallID, 255), b.CSeq, millis(b.Modified))
}

// DropBindings removes these bindings, of one device or of several in the order
// of their ids. One that its phone has renewed since they were read stays.
func (s *Store) DropBindings(ctx context.Context, bindings []models.Binding) error {
	return s.transaction(ctx, "drop bindings", func(tx *gorm.DB) error {
		locked := ""
		for _, b := range bindings {
			if b.DeviceID != locked {
				if err := s.lockDevice(tx, b.DeviceID); err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
					return err
				}
				locked = b.DeviceID
			}
			if err := where(tx, b).Delete(&registrationRow{}).Error; err != nil {
				return err
			}
		}
		return nil
	})
}

func replaceBindings(tx *gorm.DB, deviceID string, remaining []models.Binding) error {
	if err := tx.Where("device_id = ?", deviceID).Delete(&registrationRow{}).Error; err != nil {
		return err
	}
	if len(remaining) == 0 {
		return nil
	}
	rows := make([]registrationRow, len(remaining))
	for i, b := range remaining {
		rows[i] = newRegistrationRow(deviceID, b)
	}
	return tx.Create(&rows).Error
}

// RegisteredDevices lists the ids of an account's devices that have a live
// binding, in ascending order.
func (s *Store) RegisteredDevices(ctx context.Context, accountID string) ([]string, error) {
	var ids []string
	err := s.db.WithContext(ctx).Model(&registrationRow{}).Distinct().
		Where("account_id = ? AND expires > ?", accountID, millis(s.now())).
		Order("device_id").Pluck("device_id", &ids).Error
	return ids, storeErr("registered devices", err)
}

// Registrations lists an account's registered devices by ascending id, at most
// limit of them, from the one that follows after.
func (s *Store) Registrations(ctx context.Context, accountID, after string, limit int) ([]models.Registration, error) {
	db, now := s.db.WithContext(ctx), millis(s.now())
	for {
		var ids []string
		err := db.Model(&registrationRow{}).Distinct().Where("account_id = ? AND device_id > ? AND expires > ?", accountID, after, now).
			Order("device_id").Limit(limit).Pluck("device_id", &ids).Error
		if err != nil || len(ids) == 0 {
			return nil, storeErr("registrations", err)
		}
		list, err := s.registrations(db, ids, now)
		if err != nil || len(list) > 0 {
			return list, storeErr("registrations", err)
		}
		after = ids[len(ids)-1] // all of these were deleted just now
	}
}

// registrations reads the named devices with their live bindings, by ascending
// id; ids that name none are left out.
func (s *Store) registrations(db *gorm.DB, ids []string, now int64) ([]models.Registration, error) {
	var devices []deviceRow
	if err := db.Where("id IN ?", ids).Order("id").Find(&devices).Error; err != nil {
		return nil, err
	}
	var rows []registrationRow
	if err := db.Where("device_id IN ? AND expires > ?", ids, now).Order("modified DESC, binding_key").Find(&rows).Error; err != nil {
		return nil, err
	}
	byDevice := map[string][]models.Binding{}
	for _, row := range rows {
		b, err := binding(row)
		if err != nil {
			return nil, err
		}
		byDevice[b.DeviceID] = append(byDevice[b.DeviceID], b)
	}
	return convert(devices, func(row deviceRow) (models.Registration, error) {
		d, err := s.device(row)
		return models.Registration{Device: d, Bindings: byDevice[row.ID]}, err
	})
}

// CountRegistrations counts the live bindings of an account, or of all
// accounts when accountID is "".
func (s *Store) CountRegistrations(ctx context.Context, accountID string) (int64, error) {
	db := s.db.WithContext(ctx).Model(&registrationRow{}).Where("expires > ?", millis(s.now()))
	if accountID != "" {
		db = db.Where("account_id = ?", accountID)
	}
	var n int64
	err := db.Count(&n).Error
	return n, storeErr("count registrations", err)
}

// bindingKey tells bindings of one device apart: by contact URI, and by
// instance and reg-id where a phone has them (RFC 5626).
func bindingKey(b models.Binding) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%d", b.Contact, b.Instance, b.RegID))
	return hex.EncodeToString(sum[:])
}

func newRegistrationRow(deviceID string, b models.Binding) registrationRow {
	return registrationRow{
		DeviceID:   deviceID,
		BindingKey: bindingKey(b),
		AccountID:  b.AccountID,
		AOR:        clip(b.AOR, 320),
		Contact:    b.Contact,
		Instance:   clip(b.Instance, 255),
		RegID:      b.RegID,
		Path:       strings.Join(b.Path, "\n"),
		Received:   b.Received.String(),
		Transport:  b.Transport,
		Replica:    b.Replica,
		CallID:     clip(b.CallID, 255),
		CSeq:       b.CSeq,
		UserAgent:  clip(b.UserAgent, 255),
		Expires:    millis(b.Expires),
		Modified:   millis(b.Modified),
	}
}

func binding(row registrationRow) (models.Binding, error) {
	received, err := netip.ParseAddrPort(row.Received)
	if err != nil {
		return models.Binding{}, fmt.Errorf("binding of device %s: %w", row.DeviceID, err)
	}
	b := models.Binding{
		AccountID: row.AccountID,
		DeviceID:  row.DeviceID,
		AOR:       row.AOR,
		Contact:   row.Contact,
		Instance:  row.Instance,
		RegID:     row.RegID,
		Received:  received,
		Transport: row.Transport,
		Replica:   row.Replica,
		CallID:    row.CallID,
		CSeq:      row.CSeq,
		UserAgent: row.UserAgent,
		Expires:   fromMillis(row.Expires),
		Modified:  fromMillis(row.Modified),
	}
	if row.Path != "" {
		b.Path = strings.Split(row.Path, "\n")
	}
	return b, nil
}
