package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"

	"dialtone/models"
)

const (
	maxKnownBytes = 16 << 20    // of the documents of phones in memory, as stored; decoded they take several times as much
	addressLife   = time.Second // how long the first device that is known by its address goes unnoticed
)

// An aor is what a phone registers as, in lower case.
type aor struct{ username, realm string }

// A knownPhone is kept in memory, decoded. It is used only while the database
// says that it is right, and never changed.
type knownPhone struct {
	phone     *models.Phone
	versions  []readVersion // of its device and of those that it names as further lines
	bytes     int
	confirmed *confirmation
}

// A readVersion is that of a device when it was read.
type readVersion struct {
	device string
	phoneVersion
}

// A phoneVersion changes with everything that a phone is read from, but for the
// end of an old HTTP password: see keep.
type phoneVersion struct {
	ID            string // of the device; "" = there is none
	Device        string // revision
	FirstContact  int64
	Firmware      string
	UploadChanges int64
	CameBefore    bool
	Account       string
	UserChanges   int64
	OldToken      int64  // when it ends
	Owner         string // "" = it has none
}

func (r *phoneRow) version() phoneVersion {
	return phoneVersion{
		r.Device.ID, r.Device.Revision, r.Device.FirstContactUntil, r.Firmware, r.UploadChanges, r.Device.PathTokenSeen != "",
		r.Account.Revision, r.Account.UserChanges, r.Account.OldPathTokenUntil, r.Owner.Revision,
	}
}

// bytes is the size of the documents.
func (r *phoneRow) bytes() int {
	return len(r.Device.Document) + len(r.Account.Document) + len(r.Owner.Document)
}

func newKnownPhones[Key comparable]() *otter.Cache[Key, knownPhone] {
	return otter.Must(&otter.Options[Key, knownPhone]{
		MaximumWeight: maxKnownBytes,
		Weigher:       func(_ Key, known knownPhone) uint32 { return uint32(known.bytes) }, //nolint:gosec // of a request's size
		Logger:        &otter.NoopLogger{},
	})
}

func newSomeAddress() *otter.Cache[struct{}, bool] {
	return otter.Must(&otter.Options[struct{}, bool]{
		ExpiryCalculator: otter.ExpiryWriting[struct{}, bool](addressLife),
		Logger:           &otter.NoopLogger{},
	})
}

// knownAs gives the phone that is kept under a key, if it is as the database has
// it now; nil when there is none.
func knownAs[Key comparable](ctx context.Context, s *Store, kept *otter.Cache[Key, knownPhone], key Key) (*models.Phone, error) {
	known, ok := kept.GetIfPresent(key)
	if !ok {
		return nil, nil //nolint:nilnil // it has to be read
	}
	right, err := s.isRight(ctx, known.confirmed, func(ctx context.Context) (bool, error) { return s.areCurrent(ctx, known.versions) })
	if err != nil {
		return nil, err
	}
	if !right {
		kept.Invalidate(key)
		return nil, nil //nolint:nilnil // likewise
	}
	return known.phone, nil
}

// areCurrent reports whether devices are of these versions still.
func (s *Store) areCurrent(ctx context.Context, versions []readVersion) (bool, error) {
	asked := make([]<-chan result[phoneVersion], len(versions))
	for i, read := range versions {
		asked[i] = s.phoneVersions.put(ctx, read.device)
	}
	for i, answer := range asked {
		version, err := wait(ctx, answer)
		if err != nil || version != versions[i].phoneVersion {
			return false, err
		}
	}
	return true, nil
}

// newKnownPhone is a phone with the rows that it was made of, read at a
// generation or after.
func newKnownPhone(phone *models.Phone, at generation, rows ...phoneRow) knownPhone {
	known := knownPhone{phone: phone, versions: make([]readVersion, 0, len(rows)), confirmed: confirmedAt(at)}
	for _, row := range rows {
		known.versions = append(known.versions, readVersion{row.Device.ID, row.version()})
		known.bytes += row.bytes()
	}
	return known
}

// keep remembers a phone. One that has an old HTTP password is read again each
// time: the end of that is no other version.
func keep[Key comparable](kept *otter.Cache[Key, knownPhone], key Key, known knownPhone) {
	if known.phone.Device.OldHTTPPassword == "" {
		kept.Set(key, known)
	}
}

// PhoneByAOR finds the phone that registers as username in realm, both compared
// without case. It is as the database has it now, and shared: nobody may change
// it.
func (s *Store) PhoneByAOR(ctx context.Context, username, realm string) (*models.Phone, error) {
	const op = "phone by AOR"
	who := aor{sipUsername(username), strings.ToLower(realm)}
	if known, err := knownAs(ctx, s, s.phones, who); known != nil || err != nil {
		return known, storeErr(op, err)
	}
	now, err := s.generation(ctx)
	if err != nil {
		return nil, storeErr(op, err)
	}
	row, err := s.phoneRows.ask(ctx, who)
	if err != nil {
		return nil, storeErr(op, err)
	}
	if row == nil {
		return nil, fmt.Errorf("%s: %w", op, models.ErrNotFound)
	}
	phone, err := s.phone(*row)
	if err == nil {
		keep(s.phones, who, newKnownPhone(phone, now, *row))
	}
	return phone, err
}

// readVersions asks for the versions of phones as they are now.
func (s *Store) readVersions(ctx context.Context, ids []string) ([]phoneVersion, error) {
	byID := map[string]phoneVersion{}
	err := s.eachRow(ctx, func(scan func(...any) error) error {
		var v phoneVersion
		err := scan(&v.ID, &v.Device, &v.FirstContact, &v.Firmware, &v.UploadChanges, &v.CameBefore, &v.Account, &v.UserChanges, &v.OldToken, &v.Owner)
		byID[v.ID] = v
		return err
	}, `SELECT d.id, d.revision, d.first_contact_until, d.firmware, d.upload_changes, d.path_token_seen <> '',
		a.revision, a.user_changes, a.old_path_token_until, COALESCE(u.revision, '') FROM devices d
		JOIN accounts a ON a.id = d.account_id
		LEFT JOIN users u ON u.id = d.owner_id AND u.account_id = d.account_id WHERE d.id IN ?`, distinct(ids))
	return inOrder(ids, byID), err
}

// readPhones reads phones by their AORs; nil stands for none.
func (s *Store) readPhones(ctx context.Context, who []aor) ([]*phoneRow, error) {
	where, args := s.areAmong(who)
	rows, err := s.queryPhones(ctx, where, args...)
	return byKey(who, rows, func(row phoneRow) aor { return aor{text(row.Device.SIPUsername), row.Device.Realm} }), err
}

// areAmong is the condition that devices register as one of who. SQLite compiles
// one text for any number of them; MariaDB finds single ones by their index, and
// lists of pairs by none.
func (s *Store) areAmong(who []aor) (where string, args []any) {
	if s.dialect == dialectSQLite {
		pairs := make([][2]string, len(who))
		for i, w := range who {
			pairs[i] = [2]string{w.realm, w.username}
		}
		list, _ := json.Marshal(pairs) // strings can be
		return "(d.realm, d.sip_username) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))", []any{string(list)}
	}
	for _, w := range who {
		args = append(args, w.realm, w.username)
	}
	return strings.Repeat("d.realm = ? AND d.sip_username = ? OR ", len(who)-1) + "d.realm = ? AND d.sip_username = ?", args
}

// readPhonesByMAC reads phones by their MACs; nil stands for none.
func (s *Store) readPhonesByMAC(ctx context.Context, macs []string) ([]*phoneRow, error) {
	rows, err := s.queryPhones(ctx, "d.mac IN ?", distinct(macs))
	return byKey(macs, rows, func(row phoneRow) string { return text(row.Device.MAC) }), err
}

func (s *Store) queryPhones(ctx context.Context, where string, args ...any) ([]phoneRow, error) {
	var rows []phoneRow
	err := s.eachRow(ctx, func(scan func(...any) error) error {
		var row phoneRow
		err := scan(row.columns()...)
		rows = append(rows, row)
		return err
	}, phoneQuery+where, args...)
	return rows, err
}

// byKey is the row of each key, nil for those that have none.
func byKey[Key comparable](keys []Key, rows []phoneRow, key func(phoneRow) Key) []*phoneRow {
	found := make(map[Key]*phoneRow, len(rows))
	for i, row := range rows {
		found[key(row)] = &rows[i]
	}
	return inOrder(keys, found)
}
