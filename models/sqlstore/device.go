package sqlstore

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"dialtone/models"
)

type deviceRow struct {
	ID          string `gorm:"primaryKey"`
	AccountID   string
	OwnerID     *string
	Name        string
	MAC         *string `gorm:"column:mac"`
	Username    *string // what the document says; many devices may have one
	SIPUsername *string `gorm:"column:sip_username"` // what it registers with, NULL when it is known by its address
	Realm       string
	OwnRealm    bool    // the document names the realm, if only the account's
	SIPIP       *string `gorm:"column:sip_ip"`
	MobileMDN   *string `gorm:"column:mobile_mdn"`
	Brand       string
	Family      string
	Model       string
	Enabled     bool

	PathTokenSeen     string // hash of the account's path token that the phone came with last, while an older one was good; see seenWithNone
	FirstContactUntil int64

	Document string
	Revision string
	Created  int64
	Modified int64
}

func (deviceRow) TableName() string { return "devices" }

// CreateDevice stores a new device; it fills the ID and the HTTP password when
// they are empty. Its account must exist (ErrNotFound). A value that must be
// unique and is not is a TakenError.
func (s *Store) CreateDevice(ctx context.Context, d *models.Device) error {
	var n *newDevice
	seal := func(key models.KeyID) (err error) {
		n, err = s.newDevice(ctx, 0, d, key)
		return err
	}
	return s.sealing(ctx, "create device", seal, func(tx *gorm.DB) error {
		taken, err := s.insertDevices(tx, []*newDevice{n})
		if err == nil && taken[0] != nil {
			return taken[0]
		}
		return err
	})
}

// A newDevice is all that is written when a device is created, made before the
// transaction: that has other writers wait.
type newDevice struct {
	index  int // among those that are created together
	device *models.Device
	row    deviceRow
	audit  auditRow
}

// newDevice prepares the creation of a device, whose empty members it fills.
func (s *Store) newDevice(ctx context.Context, index int, d *models.Device, key models.KeyID) (*newDevice, error) {
	d.ID = cmp.Or(d.ID, models.NewID())
	d.HTTPPassword = cmp.Or(d.HTTPPassword, models.NewToken())
	d.Created = s.now().UTC()
	d.Modified = d.Created
	row, err := s.deviceRow(d, key)
	if err != nil {
		return nil, err
	}
	row.Revision = nextRevision("", row.Document)
	d.Revision = row.Revision
	audit, err := s.auditRow(ctx, created(auditedDevice(d)))
	return &newDevice{index, d, row, audit}, err
}

// insertDevices stores new devices but for those that have a value which is
// taken: these it gives by their index.
func (s *Store) insertDevices(tx *gorm.DB, list []*newDevice) (map[int]*models.TakenError, error) {
	taken := map[int]*models.TakenError{}
	realms := s.realmsIn(tx)
	var free []*newDevice
	for _, n := range list {
		err := realms.settle(n.device, &n.row, "")
		if errors.As(err, new(*models.TakenError)) {
			taken[n.index] = &models.TakenError{Field: "sip.realm"}
			continue
		}
		if err != nil {
			return nil, err
		}
		free = append(free, n)
	}
	for part := range batches(free, func(n *newDevice) int { return len(n.row.Document) }) {
		stored, err := insertRows(tx, part, taken)
		if err != nil {
			return nil, err
		}
		if err := saveBeside(tx, stored); err != nil {
			return nil, err
		}
	}
	return taken, nil
}

// insertRows stores the rows of some devices with one statement, or when one of
// them has a value that is taken, which leaves nothing of it, one by one. It
// gives those that it stored.
func insertRows(tx *gorm.DB, list []*newDevice, taken map[int]*models.TakenError) ([]*newDevice, error) {
	var values []any
	for _, n := range list {
		values = append(values, n.row.values()...)
	}
	err := createDevices.rows(tx, values)
	if takenField(err) == "" {
		return list, err
	}
	var stored []*newDevice
	for _, n := range list {
		err := createDevices.rows(tx, n.row.values())
		switch field := takenField(err); {
		case err == nil:
			stored = append(stored, n)
		case field == "":
			return nil, err
		default:
			taken[n.index] = &models.TakenError{Field: field}
		}
	}
	return stored, nil
}

// saveBeside writes what goes with devices that were stored.
func saveBeside(tx *gorm.DB, list []*newDevice) error {
	var audit []auditRow
	var desks []hotdeskRow
	macs := map[string][]string{} // by account
	for _, n := range list {
		audit = append(audit, n.audit)
		desks = append(desks, hotdesks(n.device)...)
		if n.row.MAC != nil {
			macs[n.row.AccountID] = append(macs[n.row.AccountID], *n.row.MAC)
		}
	}
	for account, known := range macs {
		if err := meet(tx, account, known); err != nil {
			return err
		}
	}
	if err := tx.CreateInBatches(desks, rowBatch).Error; err != nil {
		return err
	}
	return insertAudit(tx, audit)
}

// Device reads one device of an account.
func (s *Store) Device(ctx context.Context, accountID, id string) (*models.Device, error) {
	var row deviceRow
	err := s.db.WithContext(ctx).Where("id = ? AND account_id = ?", id, accountID).Take(&row).Error
	if err != nil {
		return nil, storeErr("device", err)
	}
	return s.device(row)
}

// DevicesThere tells which of these are devices of an account, or of any when
// accountID is "".
func (s *Store) DevicesThere(ctx context.Context, accountID string, ids []string) (map[string]bool, error) {
	if len(ids) == 0 {
		return map[string]bool{}, nil
	}
	var found []string
	query := s.db.WithContext(ctx).Model(&deviceRow{}).Where("id IN ?", ids)
	if accountID != "" {
		query = query.Where("account_id = ?", accountID)
	}
	err := query.Pluck("id", &found).Error
	there := map[string]bool{}
	for _, id := range found {
		there[id] = true
	}
	return there, storeErr("devices that are there", err)
}

// DevicesByMAC finds the devices, of whatever account, that have one of these MACs.
func (s *Store) DevicesByMAC(ctx context.Context, macs []string) (map[string]models.DeviceRef, error) {
	found := map[string]models.DeviceRef{}
	for part := range slices.Chunk(macs, rowBatch) {
		var rows []deviceRow
		if err := s.db.WithContext(ctx).Select("id", "account_id", "mac").Where("mac IN ?", part).Find(&rows).Error; err != nil {
			return nil, storeErr("devices by MAC", err)
		}
		for _, row := range rows {
			found[text(row.MAC)] = models.DeviceRef{ID: row.ID, AccountID: row.AccountID}
		}
	}
	return found, nil
}

// ListDevices reads a part of an account's list of devices.
func (s *Store) ListDevices(ctx context.Context, accountID string, l models.Listing) ([]*models.Device, error) {
	var rows []deviceRow
	if err := s.accountListing(ctx, "devices", accountID, l, deviceNarrowings).Find(&rows).Error; err != nil {
		return nil, storeErr("devices", err)
	}
	return convert(rows, s.device)
}

// SaveDevice writes d over old, which it was made from, unless that is no
// longer what is stored: ErrConflict. It fills d's Meta.
func (s *Store) SaveDevice(ctx context.Context, old, d *models.Device) error {
	d.Meta, d.AccountID = old.Meta, old.AccountID
	d.Modified = s.now().UTC()
	var row deviceRow
	seal := func(key models.KeyID) (err error) {
		row, err = s.deviceRow(d, key)
		row.Revision = nextRevision(old.Revision, row.Document)
		d.Revision = row.Revision
		return err
	}
	return s.sealing(ctx, "save device", seal, func(tx *gorm.DB) error {
		if err := s.realmsIn(tx).settle(d, &row, old.SIP.Realm); err != nil {
			return err
		}
		if err := replace(tx, old.Meta, &row, "path_token_seen", "first_contact_until"); err != nil {
			return err
		}
		if row.MAC != nil && d.MACAddress != old.MACAddress {
			if err := meet(tx, d.AccountID, []string{*row.MAC}); err != nil {
				return err
			}
		}
		if err := saveHotdesks(tx, d, old.Document); err != nil {
			return err
		}
		if err := s.clearOtherMAC(ctx, tx, old, d); err != nil {
			return err
		}
		return s.audit(ctx, tx, updated(auditedDevice(old), auditedDevice(d)))
	})
}

// DeleteDevice removes a device with its contact bindings, notifications,
// fetches, uploads and quick calls, unless d is no longer what is stored: ErrConflict.
func (s *Store) DeleteDevice(ctx context.Context, d *models.Device) error {
	return s.transaction(ctx, "delete device", func(tx *gorm.DB) error {
		if err := remove(tx, &deviceRow{}, d.Meta); err != nil {
			return err
		}
		for _, row := range []any{&registrationRow{}, &syncItemRow{}, &fetchRow{}, &uploadRow{}, &quickCallRow{}} {
			if err := tx.Where("device_id = ?", d.ID).Delete(row).Error; err != nil {
				return err
			}
		}
		if err := dropHotdesks(tx, d.ID); err != nil {
			return err
		}
		return s.audit(ctx, tx, deleted(auditedDevice(d)))
	})
}

// DeviceTaken lists the values of a phone's device that must be unique and
// belong to another device: its MAC anywhere, its SIP username in the account or
// realm, its SIP source address and its mobile number anywhere. A realm of its
// own must not be another account's: it could take the names of that account's
// devices.
func (s *Store) DeviceTaken(ctx context.Context, p *models.Phone) ([]*models.TakenError, error) {
	taken, err := s.DevicesTaken(ctx, []*models.Phone{p})
	if err != nil {
		return nil, err
	}
	return taken[0], nil
}

// A uniqueValue is one that no two rows of a table have; within an account or a
// realm where there is a scope.
type uniqueValue struct {
	field         string
	table         string
	column, scope string // scope is a column, too; "" = none
	of            func(*models.Phone, deviceRow) (value *string, scope string)
	self          func(*models.Phone) string // the row that may have it
}

var uniqueValues = []uniqueValue{
	{"mac_address", "devices", "mac", "", func(_ *models.Phone, row deviceRow) (*string, string) { return row.MAC, "" }, deviceOf},
	{"sip.username", "devices", "sip_username", "account_id", func(p *models.Phone, row deviceRow) (*string, string) { return row.SIPUsername, p.Account.ID }, deviceOf},
	{"sip.username", "devices", "sip_username", "realm", func(p *models.Phone, row deviceRow) (*string, string) { return row.SIPUsername, p.Realm() }, deviceOf},
	{"sip.realm", "accounts", "realm", "", func(p *models.Phone, _ deviceRow) (*string, string) {
		return optional(strings.ToLower(p.Device.SIP.Realm)), ""
	}, accountOf},
	{"sip.ip", "devices", "sip_ip", "", func(_ *models.Phone, row deviceRow) (*string, string) { return row.SIPIP, "" }, deviceOf},
	{"mobile.mdn", "devices", "mobile_mdn", "", func(_ *models.Phone, row deviceRow) (*string, string) { return row.MobileMDN, "" }, deviceOf},
}

func deviceOf(p *models.Phone) string  { return p.Device.ID }
func accountOf(p *models.Phone) string { return p.Account.ID }

// DevicesTaken is DeviceTaken of many, in their order.
func (s *Store) DevicesTaken(ctx context.Context, phones []*models.Phone) ([][]*models.TakenError, error) {
	rows := make([]deviceRow, len(phones))
	for i, p := range phones {
		rows[i] = deviceColumns(p.Device)
	}
	taken := make([][]*models.TakenError, len(phones))
	for start := 0; start < len(phones); start += rowBatch {
		end := min(start+rowBatch, len(phones))
		for _, unique := range uniqueValues {
			if err := unique.find(s.db.WithContext(ctx), phones[start:end], rows[start:end], taken[start:end]); err != nil {
				return nil, storeErr("devices taken", err)
			}
		}
	}
	return taken, nil
}

// find adds a field to those that are taken of each phone whose value another row has.
func (u uniqueValue) find(db *gorm.DB, phones []*models.Phone, rows []deviceRow, taken [][]*models.TakenError) error {
	asked := map[string][]int{} // phones that have a value, by scope
	for i, p := range phones {
		if value, scope := u.of(p, rows[i]); value != nil {
			asked[scope] = append(asked[scope], i)
		}
	}
	for scope, list := range asked {
		values := make([]string, len(list))
		for n, i := range list {
			value, _ := u.of(phones[i], rows[i])
			values[n] = *value
		}
		query := db.Table(u.table).Select("id, "+u.column+" AS value").Where(u.column+" IN ?", values)
		if u.scope != "" {
			query = query.Where(u.scope+" = ?", scope)
		}
		var found []struct{ ID, Value string }
		if err := query.Find(&found).Error; err != nil {
			return err
		}
		owners := map[string]string{}
		for _, row := range found {
			owners[row.Value] = row.ID
		}
		for n, i := range list {
			owner, there := owners[values[n]]
			if there && owner != u.self(phones[i]) {
				taken[i] = addTaken(taken[i], u.field)
			}
		}
	}
	return nil
}

// addTaken adds a field to a list that does not have it.
func addTaken(list []*models.TakenError, field string) []*models.TakenError {
	if slices.ContainsFunc(list, func(t *models.TakenError) bool { return t.Field == field }) {
		return list
	}
	return append(list, &models.TakenError{Field: field})
}

// deviceRow is the whole row: the derived columns and the sealed document.
// But for the realm, see realms.
func (s *Store) deviceRow(d *models.Device, key models.KeyID) (deviceRow, error) {
	row := deviceColumns(d)
	doc := d.Document.Clone()
	doc[privateHTTPPassword] = d.HTTPPassword.Reveal()
	if d.OldHTTPPassword != "" {
		doc[privateOldHTTPPassword] = d.OldHTTPPassword.Reveal()
		doc[privateOldPasswordUntil] = d.OldPasswordUntil.UTC().Format(time.RFC3339Nano)
	}
	stored, err := s.sealed(doc, devicePlace(d.AccountID, d.ID), deviceSecrets, key)
	row.Document = stored
	return row, err
}

// deviceColumns derives the indexed columns from the document, which is the
// truth, but for the realm.
func deviceColumns(d *models.Device) deviceRow {
	row := deviceRow{
		ID:        d.ID,
		AccountID: d.AccountID,
		OwnerID:   optional(clip(d.OwnerID, 32)),
		Name:      clip(d.Name, 128),
		MAC:       optional(models.CleanMAC(d.MACAddress)),
		Brand:     clip(d.Provision.Brand, 64),
		Family:    clip(d.Provision.Family, 64),
		Model:     clip(string(d.Provision.Model), 64),
		Username:  optional(sipUsername(d.SIP.Username)),
		OwnRealm:  d.SIP.Realm != "",
		Enabled:   d.Enabled.On(),
		Created:   millis(d.Created),
		Modified:  millis(d.Modified),
	}
	if d.SIP.AuthByIP() {
		row.SIPIP = optional(d.SIP.IP)
	} else {
		row.SIPUsername = row.Username
	}
	if d.DeviceType == models.DeviceMobile {
		row.MobileMDN = optional(clip(models.E164(d.Document.Text("mobile.mdn")), 64))
	}
	return row
}

// sipUsername is how a SIP username stands in its columns.
func sipUsername(username string) string { return clip(strings.ToLower(username), 32) }

func (s *Store) device(row deviceRow) (*models.Device, error) {
	doc, err := s.opened(row.Document, devicePlace(row.AccountID, row.ID), deviceSecrets)
	if err != nil {
		return nil, err
	}
	d := &models.Device{Meta: meta(row.ID, row.Revision, row.Created, row.Modified), AccountID: row.AccountID}
	d.HTTPPassword = takeSecret(doc, privateHTTPPassword)
	d.OldHTTPPassword = takeSecret(doc, privateOldHTTPPassword)
	d.OldPasswordUntil, _ = time.Parse(time.RFC3339Nano, takeSecret(doc, privateOldPasswordUntil).Reveal()) // zero: it is over
	d.CameBefore = row.PathTokenSeen != ""
	if row.FirstContactUntil > 0 {
		d.FirstContact = fromMillis(row.FirstContactUntil)
	}
	return d, d.SetDocument(doc)
}

func devicePlace(account, id string) string { return "devices/" + account + "/" + id }
