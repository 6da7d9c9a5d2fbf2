package sqlstore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"runtime/debug"
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

// bindingColumns are those of the fields, in their order.
var bindingColumns = []string{
	"device_id", "binding_key", "account_id", "aor", "contact", "instance", "reg_id", "path", "received", "transport", "replica", "call_id", "cseq",
	"user_agent", "expires", "modified",
}

// fields are where a row's columns are read into.
func (r *registrationRow) fields() []any {
	return []any{
		&r.DeviceID, &r.BindingKey, &r.AccountID, &r.AOR, &r.Contact, &r.Instance, &r.RegID, &r.Path, &r.Received, &r.Transport, &r.Replica, &r.CallID,
		&r.CSeq, &r.UserAgent, &r.Expires, &r.Modified,
	}
}

func (r *registrationRow) values() []any {
	return []any{
		r.DeviceID, r.BindingKey, r.AccountID, r.AOR, r.Contact, r.Instance, r.RegID, r.Path, r.Received, r.Transport, r.Replica, r.CallID,
		r.CSeq, r.UserAgent, r.Expires, r.Modified,
	}
}

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

// A bindingChange decides what remains of a device's live bindings.
type bindingChange struct {
	deviceID string
	change   func(live []models.Binding) ([]models.Binding, error)
}

// errHeld means that a device is being written by somebody else, or is none.
var errHeld = errors.New("device not available at once")

// UpdateBindings lets change decide, from a device's live bindings, which ones
// it has from now on; change may be called more than once. Updates of one device
// run one after the other; those that come together share a commit. An error of
// change is passed through and nothing is written. A device that does not exist
// is ErrNotFound.
func (s *Store) UpdateBindings(ctx context.Context, deviceID string, change func(live []models.Binding) ([]models.Binding, error)) error {
	one := bindingChange{deviceID, change}
	refused, err := s.bindingChanges.ask(ctx, one)
	if err != nil || errors.Is(refused, errHeld) { // err may be about somebody else's binding
		refused, err = s.changeOneDevice(ctx, one)
	}
	return storeErr("update bindings", cmp.Or(err, refused))
}

// changeManyDevices leaves out the devices that somebody else is writing: nobody
// else's phone waits for them.
func (s *Store) changeManyDevices(ctx context.Context, changes []bindingChange) ([]error, error) {
	return s.changeBindings(ctx, " FOR UPDATE SKIP LOCKED", errHeld, changes)
}

// changeOneDevice waits for the device.
func (s *Store) changeOneDevice(ctx context.Context, change bindingChange) (refused, err error) {
	verdicts, err := s.changeBindings(ctx, " FOR UPDATE", gorm.ErrRecordNotFound, []bindingChange{change})
	if err != nil {
		return nil, err
	}
	return verdicts[0], nil
}

// changeBindings carries out changes in one transaction. Each gets its own
// verdict; absent is that of a device which the lock does not give.
func (s *Store) changeBindings(ctx context.Context, lock string, absent error, changes []bindingChange) ([]error, error) {
	if err := s.prepare(ctx, selectDevices, selectBindings, deleteBinding, upsertBinding.one); err != nil {
		return nil, err
	}
	verdicts := make([]error, len(changes))
	ids := make([]string, len(changes))
	for i, c := range changes {
		ids[i] = c.deviceID
	}
	err := s.transaction(ctx, "update bindings", func(tx *gorm.DB) error {
		devices, err := s.lockDevices(tx, lock, ids)
		if err != nil {
			return err
		}
		before, live, err := s.bindingsOf(tx, devices)
		if err != nil {
			return err
		}
		for i, c := range changes {
			verdicts[i] = absent
			if _, locked := slices.BinarySearch(devices, c.deviceID); locked {
				live[c.deviceID], verdicts[i] = c.decide(live[c.deviceID])
			}
		}
		return s.replaceBindings(tx, before, live)
	})
	return verdicts, err
}

const selectDevices = "SELECT id FROM devices WHERE id IN ? ORDER BY id"

// lockDevices makes other updates of the devices wait for this transaction, and
// returns those that it got, in ascending order. SQLite has let only one writer in
// already.
func (s *Store) lockDevices(tx *gorm.DB, lock string, ids []string) ([]string, error) {
	if s.dialect == dialectSQLite {
		lock = ""
	}
	var devices []string
	err := s.eachRowIn(tx, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		devices = append(devices, id)
		return err
	}, selectDevices+lock, distinct(ids))
	return devices, err
}

var selectBindings = "SELECT " + strings.Join(bindingColumns, ", ") +
	" FROM registrations WHERE device_id IN ? AND expires > ? ORDER BY modified DESC, binding_key"

// bindingsOf reads the live bindings of devices, each one's newest first, and
// their rows.
func (s *Store) bindingsOf(tx *gorm.DB, devices []string) ([]registrationRow, map[string][]models.Binding, error) {
	var rows []registrationRow
	live := map[string][]models.Binding{}
	err := s.eachRowIn(tx, func(scan func(...any) error) error {
		var row registrationRow
		if err := scan(row.fields()...); err != nil {
			return err
		}
		b, err := binding(row)
		rows = append(rows, row)
		live[row.DeviceID] = append(live[row.DeviceID], b)
		return err
	}, selectBindings, devices, millis(s.now()))
	return rows, live, err
}

// decide returns what remains, which are the bindings as they are when the
// change is refused. A change that panics spoils no other.
func (c bindingChange) decide(live []models.Binding) (remaining []models.Binding, refused error) {
	defer func() {
		if cause := recover(); cause != nil {
			remaining, refused = live, fmt.Errorf("change of bindings: %v\n%s", cause, debug.Stack())
		}
	}()
	remaining, err := c.change(slices.Clone(live))
	if err != nil {
		return live, err
	}
	return remaining, nil
}

const deleteBinding = "DELETE FROM registrations WHERE device_id = ? AND binding_key = ?"

var upsertBinding = newUpsert("registrations", []string{"device_id", "binding_key"}, bindingColumns, bindingColumns[2:])

// replaceBindings writes what is new or changed, and removes what does not
// remain.
func (s *Store) replaceBindings(tx *gorm.DB, before []registrationRow, remaining map[string][]models.Binding) error {
	type key struct{ device, binding string }
	old := map[key]registrationRow{}
	for _, row := range before {
		old[key{row.DeviceID, row.BindingKey}] = row
	}
	var written [][]any
	for _, device := range slices.Sorted(maps.Keys(remaining)) {
		for _, b := range remaining[device] {
			row := newRegistrationRow(device, b)
			if old[key{device, row.BindingKey}] != row {
				written = append(written, row.values())
			}
			delete(old, key{device, row.BindingKey})
		}
	}
	for gone := range old {
		if err := s.execIn(tx, deleteBinding, gone.device, gone.binding); err != nil {
			return err
		}
	}
	return s.upsertIn(tx, upsertBinding, written) // an expired one may be there still
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

// RegisteredDevices lists the ids of an account's devices that have a live
// binding, in ascending order, at most limit of them from the one that follows
// after.
func (s *Store) RegisteredDevices(ctx context.Context, accountID, after string, limit int) ([]string, error) {
	var ids []string
	err := s.db.WithContext(ctx).Model(&registrationRow{}).Distinct().
		Where("account_id = ? AND device_id > ? AND expires > ?", accountID, after, millis(s.now())).
		Order("device_id").Limit(limit).Pluck("device_id", &ids).Error
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
		list, err := s.registrations(db, ids)
		if err != nil || len(list) > 0 {
			return list, storeErr("registrations", err)
		}
		after = ids[len(ids)-1] // all of these were deleted just now
	}
}

// registrations reads the named devices with their live bindings, by ascending
// id; ids that name none are left out.
func (s *Store) registrations(db *gorm.DB, ids []string) ([]models.Registration, error) {
	var devices []deviceRow
	if err := db.Where("id IN ?", ids).Order("id").Find(&devices).Error; err != nil {
		return nil, err
	}
	_, live, err := s.bindingsOf(db, ids)
	if err != nil {
		return nil, err
	}
	return convert(devices, func(row deviceRow) (models.Registration, error) {
		d, err := s.device(row)
		return models.Registration{Device: d, Bindings: live[row.ID]}, err
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
