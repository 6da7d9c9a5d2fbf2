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
// said that it is of the version still, and never changed.
type knownPhone struct {
	phone   *models.Phone
	version phoneVersion
	bytes   int
}

// A phoneVersion changes with everything that a phone is read from.
type phoneVersion struct {
	ID          string // of the device; "" = there is none
	Device      string // revision
	Account     string
	UserChanges int64
	Owner       string // "" = it has none
}

func (r *phoneRow) version() phoneVersion {
	return phoneVersion{r.Device.ID, r.Device.Revision, r.Account.Revision, r.Account.UserChanges, r.Owner.Revision}
}

func newKnownPhones() *otter.Cache[aor, knownPhone] {
	return otter.Must(&otter.Options[aor, knownPhone]{
		MaximumWeight: maxKnownBytes,
		Weigher:       func(_ aor, known knownPhone) uint32 { return uint32(known.bytes) }, //nolint:gosec // of a request's size
		Logger:        &otter.NoopLogger{},
	})
}

func newSomeAddress() *otter.Cache[struct{}, bool] {
	return otter.Must(&otter.Options[struct{}, bool]{
		ExpiryCalculator: otter.ExpiryWriting[struct{}, bool](addressLife),
		Logger:           &otter.NoopLogger{},
	})
}

// PhoneByAOR finds the phone that registers as username in realm, both compared
// without case. It is as the database has it now, and shared: nobody may change
// it.
func (s *Store) PhoneByAOR(ctx context.Context, username, realm string) (*models.Phone, error) {
	const op = "phone by AOR"
	who := aor{sipUsername(username), strings.ToLower(realm)}
	if known, ok := s.phones.GetIfPresent(who); ok {
		version, err := s.phoneVersions.ask(ctx, known.version.ID)
		if err != nil {
			return nil, storeErr(op, err)
		}
		if version == known.version {
			return known.phone, nil
		}
		s.phones.Invalidate(who)
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
		bytes := len(row.Device.Document) + len(row.Account.Document) + len(row.Owner.Document)
		s.phones.Set(who, knownPhone{phone, row.version(), bytes})
	}
	return phone, err
}

// readVersions asks for the versions of phones as they are now.
func (s *Store) readVersions(ctx context.Context, ids []string) ([]phoneVersion, error) {
	var rows []phoneVersion
	err := s.db.WithContext(ctx).Raw(`SELECT d.id, d.revision AS device, a.revision AS account, a.user_changes, COALESCE(u.revision, '') AS owner FROM devices d
		JOIN accounts a ON a.id = d.account_id
		LEFT JOIN users u ON u.id = d.owner_id AND u.account_id = d.account_id WHERE d.id IN ?`, ids).Scan(&rows).Error
	byID := map[string]phoneVersion{}
	for _, row := range rows {
		byID[row.ID] = row
	}
	versions := make([]phoneVersion, len(ids))
	for i, id := range ids {
		versions[i] = byID[id]
	}
	return versions, err
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
