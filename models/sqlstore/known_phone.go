package sqlstore

import (
	"context"
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

// A knownPhone is kept in memory, decoded. It is used only after the database has
// said that it is of the versions still, and never changed.
type knownPhone struct {
	phone    *models.Phone
	versions map[string]phoneVersion // of its device and of those that it names as further lines, by id
	bytes    int
}

// A phoneVersion changes with everything that a phone is read from, but for the
// end of an old HTTP password: see keep.
type phoneVersion struct {
	ID           string // of the device; "" = there is none
	Device       string // revision
	FirstContact int64
	Account      string
	UserChanges  int64
	Owner        string // "" = it has none
	CameBefore   bool
}

func (r *phoneRow) version() phoneVersion {
	return phoneVersion{r.Device.ID, r.Device.Revision, r.Device.FirstContactUntil, r.Account.Revision, r.Account.UserChanges, r.Owner.Revision,
		r.Device.PathTokenSeen != ""}
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
	current, err := s.isCurrent(ctx, known.versions)
	if err != nil {
		return nil, err
	}
	if !current {
		kept.Invalidate(key)
		return nil, nil //nolint:nilnil // likewise
	}
	return known.phone, nil
}

// isCurrent reports whether devices are of these versions still.
func (s *Store) isCurrent(ctx context.Context, versions map[string]phoneVersion) (bool, error) {
	asked := make(map[string]<-chan result[phoneVersion], len(versions))
	for id := range versions {
		asked[id] = s.phoneVersions.put(ctx, id)
	}
	for id, answer := range asked {
		version, err := wait(ctx, answer)
		if err != nil || version != versions[id] {
			return false, err
		}
	}
	return true, nil
}

// newKnownPhone is a phone with the rows that it was made of.
func newKnownPhone(phone *models.Phone, rows ...phoneRow) knownPhone {
	known := knownPhone{phone: phone, versions: map[string]phoneVersion{}}
	for _, row := range rows {
		known.versions[row.Device.ID] = row.version()
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
	row, err := s.phoneRows.ask(ctx, who)
	if err != nil {
		return nil, storeErr(op, err)
	}
	if row == nil {
		return nil, fmt.Errorf("%s: %w", op, models.ErrNotFound)
	}
	phone, err := s.phone(*row)
	if err == nil {
		keep(s.phones, who, newKnownPhone(phone, *row))
	}
	return phone, err
}

// readVersions asks for the versions of phones as they are now.
func (s *Store) readVersions(ctx context.Context, ids []string) ([]phoneVersion, error) {
	byID := map[string]phoneVersion{}
	err := s.eachRow(ctx, func(scan func(...any) error) error {
		var v phoneVersion
		err := scan(&v.ID, &v.Device, &v.FirstContact, &v.Account, &v.UserChanges, &v.Owner, &v.CameBefore)
		byID[v.ID] = v
		return err
	}, `SELECT d.id, d.revision, d.first_contact_until, a.revision, a.user_changes, COALESCE(u.revision, ''), d.path_token_seen <> '' FROM devices d
		JOIN accounts a ON a.id = d.account_id
		LEFT JOIN users u ON u.id = d.owner_id AND u.account_id = d.account_id WHERE d.id IN ?`, distinct(ids))
	return inOrder(ids, byID), err
}

// readPhones reads phones by their AORs; nil stands for none.
func (s *Store) readPhones(ctx context.Context, who []aor) ([]*phoneRow, error) {
	var where []string
	var args []any
	for _, w := range who {
		where = append(where, "d.sip_username = ? AND d.realm = ?")
		args = append(args, w.username, w.realm)
	}
	var rows []phoneRow
	err := s.db.WithContext(ctx).Raw(phoneQuery+strings.Join(where, " OR "), args...).Scan(&rows).Error
	byAOR := map[aor]*phoneRow{}
	for i, row := range rows {
		byAOR[aor{text(row.Device.SIPUsername), row.Device.Realm}] = &rows[i]
	}
	phones := make([]*phoneRow, len(who))
	for i, w := range who {
		phones[i] = byAOR[w]
	}
	return phones, err
}
