package sqlstore

import (
	"context"

	"github.com/maypok86/otter/v2"

	"dialtone/models"
)

const maxKnownAccountBytes = 4 << 20 // of the documents of accounts in memory, as stored

// A knownAccount is kept in memory, decoded, by the hash of a path token. It is
// used only while the database says that it is right, and never changed.
type knownAccount struct {
	decodedAccount
	byOld     bool // the token is the one before, which is good for some time
	confirmed *confirmation
}

// A decodedAccount is kept by its id: phones that are read one after the other have
// the same, as long as the version is.
type decodedAccount struct {
	account *models.Account
	version accountVersion
	bytes   int
}

func (a decodedAccount) weight() uint32 { return uint32(a.bytes) } //nolint:gosec // of a request's size

// An accountVersion changes with everything that an account is read from, and
// with the end of its old path token.
type accountVersion struct {
	ID            string // "" = there is none
	Revision      string
	UserChanges   int64
	OldToken      string // hash, "" = none
	OldTokenUntil int64
}

func (r *accountRow) version() accountVersion {
	return accountVersion{r.ID, r.Revision, r.UserChanges, text(r.OldPathTokenHash), r.OldPathTokenUntil}
}

// newKnownAccounts keeps accounts in one of the two ways.
func newKnownAccounts[Known interface{ weight() uint32 }]() *otter.Cache[string, Known] {
	return otter.Must(&otter.Options[string, Known]{
		MaximumWeight: maxKnownAccountBytes,
		Weigher:       func(_ string, known Known) uint32 { return known.weight() },
		Logger:        &otter.NoopLogger{},
	})
}

// sharedAccount is the account of a row, the one that was decoded before when that
// is the same: nobody may change it.
func (s *Store) sharedAccount(row accountRow) (*models.Account, error) {
	version := row.version()
	if decoded, ok := s.decodedAccounts.GetIfPresent(row.ID); ok && decoded.version == version {
		return decoded.account, nil
	}
	account, err := s.account(row)
	if err == nil {
		s.decodedAccounts.Set(row.ID, decodedAccount{account, version, len(row.Document)})
	}
	return account, err
}

// AccountByPathToken finds the account whose provisioning URL holds this token,
// or held it before it was rotated, while that is still good. It is as the
// database has it now, and shared: nobody may change it.
func (s *Store) AccountByPathToken(ctx context.Context, token models.Secret) (*models.Account, error) {
	const op = "account by path token"
	hash, now := token.Hash(), millis(s.now())
	if known, ok := s.accounts.GetIfPresent(hash); ok {
		right, err := s.isRight(ctx, known.confirmed, func(ctx context.Context) (bool, error) {
			version, err := s.accountVersions.ask(ctx, known.version.ID)
			return version == known.version, err
		})
		if err != nil {
			return nil, storeErr(op, err)
		}
		if right && (!known.byOld || known.version.OldTokenUntil > now) {
			return known.account, nil
		}
		s.accounts.Invalidate(hash)
	}
	at, err := s.generation(ctx)
	if err != nil {
		return nil, storeErr(op, err)
	}
	var row accountRow
	err = s.db.WithContext(ctx).Where("path_token_hash = ? OR old_path_token_hash = ? AND old_path_token_until > ?", hash, hash, now).Take(&row).Error
	if err != nil {
		return nil, storeErr(op, err)
	}
	account, err := s.sharedAccount(row)
	if err == nil {
		s.accounts.Set(hash, knownAccount{decodedAccount{account, row.version(), len(row.Document)}, row.PathTokenHash != hash, confirmedAt(at)})
	}
	return account, err
}

// readAccountVersions asks for the versions of accounts as they are now.
func (s *Store) readAccountVersions(ctx context.Context, ids []string) ([]accountVersion, error) {
	byID := map[string]accountVersion{}
	err := s.eachRow(ctx, func(scan func(...any) error) error {
		var v accountVersion
		err := scan(&v.ID, &v.Revision, &v.UserChanges, &v.OldToken, &v.OldTokenUntil)
		byID[v.ID] = v
		return err
	}, "SELECT id, revision, user_changes, COALESCE(old_path_token_hash, ''), old_path_token_until FROM accounts WHERE id IN ?", distinct(ids))
	return inOrder(ids, byID), err
}
