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
	account *models.Account
	version accountVersion
	byOld   bool // the token is the one before, which is good for some time
	bytes   int

	confirmed *confirmation
}

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

func newKnownAccounts() *otter.Cache[string, knownAccount] {
	return otter.Must(&otter.Options[string, knownAccount]{
		MaximumWeight: maxKnownAccountBytes,
		Weigher:       func(_ string, known knownAccount) uint32 { return uint32(known.bytes) }, //nolint:gosec // of a request's size
		Logger:        &otter.NoopLogger{},
	})
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
	account, err := s.account(row)
	if err == nil {
		s.accounts.Set(hash, knownAccount{account, row.version(), row.PathTokenHash != hash, len(row.Document), confirmedAt(at)})
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
