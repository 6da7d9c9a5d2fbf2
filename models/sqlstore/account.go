package sqlstore

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"gorm.io/gorm"

	"dialtone/models"
)

type accountRow struct {
	ID            string `gorm:"primaryKey"`
	ParentID      *string
	Master        *int // 1 for the master account, which a unique index keeps single
	Name          string
	LookupName    *string // see models.LookupName
	Realm         string
	Enabled       bool
	APIKeyHash    string `gorm:"column:api_key_hash"`
	PathTokenHash string
	UserChanges   int64 // written by countUserChange alone

	OldPathTokenHash  *string // good until then, see RotatePathToken
	OldPathTokenUntil int64

	Document string
	Revision string
	Created  int64
	Modified int64
}

func (accountRow) TableName() string { return "accounts" }

// CreateAccount stores a new account with the hash of its API key. It fills
// the ID and the path token when they are empty. An account without ancestors
// becomes the master account; when there is one already the error is a
// TakenError of "master". A realm of another account, or of one of its devices,
// is a TakenError of "realm"; a parent that does not exist is ErrNotFound.
func (s *Store) CreateAccount(ctx context.Context, a *models.Account, apiKey models.Secret) error {
	a.ID = cmp.Or(a.ID, models.NewID())
	a.PathToken = cmp.Or(a.PathToken, models.NewToken())
	a.Created = s.now().UTC()
	a.Modified = a.Created
	var row accountRow
	seal := func(key models.KeyID) (err error) {
		row, err = s.accountRow(a, key)
		row.APIKeyHash = apiKey.Hash()
		row.Revision = nextRevision("", row.Document)
		a.Revision = row.Revision
		return err
	}
	return s.sealing(ctx, "create account", seal, func(tx *gorm.DB) error {
		if !a.IsMaster() {
			if _, err := s.lockAccount(tx, a.ParentID()); err != nil {
				return err
			}
		}
		if err := s.claimForAccount(tx, a); err != nil {
			return err
		}
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return s.audit(ctx, tx, created(auditedAccount(a)))
	})
}

// Account reads one account.
func (s *Store) Account(ctx context.Context, id string) (*models.Account, error) {
	return s.takeAccount(ctx, "account", "id = ?", id)
}

// MasterAccount reads the root of the account tree; ErrNotFound before the
// first account was created.
func (s *Store) MasterAccount(ctx context.Context) (*models.Account, error) {
	return s.takeAccount(ctx, "master account", "master = 1")
}

// AccountByAPIKey finds the account whose API key this is.
func (s *Store) AccountByAPIKey(ctx context.Context, key models.Secret) (*models.Account, error) {
	return s.takeAccount(ctx, "account by API key", "api_key_hash = ?", key.Hash())
}

// RealmAccount finds the account that a realm belongs to: the one whose realm it
// is, or else the one with the device that comes first of those which name it.
func (s *Store) RealmAccount(ctx context.Context, realm string) (*models.Account, error) {
	realm = strings.ToLower(realm)
	a, err := s.takeAccount(ctx, "account by realm", "realm = ?", realm)
	if !errors.Is(err, models.ErrNotFound) {
		return a, err
	}
	return s.takeAccount(ctx, "account by realm",
		"id = (SELECT account_id FROM devices WHERE realm = ? ORDER BY sip_username, id LIMIT 1)", realm)
}

func (s *Store) takeAccount(ctx context.Context, op, where string, args ...any) (*models.Account, error) {
	var row accountRow
	if err := s.db.WithContext(ctx).Where(where, args...).Take(&row).Error; err != nil {
		return nil, storeErr(op, err)
	}
	return s.account(row)
}

// ListAccounts reads a part of the list of all accounts, or of those directly
// below parentID when it is not empty.
func (s *Store) ListAccounts(ctx context.Context, parentID string, l models.Listing) ([]*models.Account, error) {
	db := s.db.WithContext(ctx)
	if parentID != "" {
		db = db.Where("parent_id = ?", parentID)
	}
	var rows []accountRow
	if err := listing(db, l, accountNarrowings).Find(&rows).Error; err != nil {
		return nil, storeErr("list accounts", err)
	}
	return convert(rows, s.account)
}

// SaveAccount writes a over old, which it was made from, unless that is no
// longer what is stored: ErrConflict. It fills a's Meta. A new realm is carried
// over to the account's devices; where it belongs to another account already, or
// to one of its devices, the error is a TakenError of "realm". Disabling an
// account ends its logins.
func (s *Store) SaveAccount(ctx context.Context, old, a *models.Account) error {
	a.Meta = old.Meta
	a.Modified = s.now().UTC()
	var row accountRow
	seal := func(key models.KeyID) (err error) {
		row, err = s.accountRow(a, key)
		row.Revision = nextRevision(old.Revision, row.Document)
		a.Revision = row.Revision
		return err
	}
	return s.sealing(ctx, "save account", seal, func(tx *gorm.DB) error {
		if err := replace(tx, old.Meta, &row, "parent_id", "master", "api_key_hash", "user_changes", "old_path_token_hash", "old_path_token_until"); err != nil {
			return err
		}
		if !strings.EqualFold(a.Realm, old.Realm) {
			if err := s.moveRealm(tx, a); err != nil {
				return err
			}
		}
		if !a.Enabled.On() {
			if err := endAccountLogins(tx, a.ID); err != nil {
				return err
			}
		}
		return s.audit(ctx, tx, updated(auditedAccount(old), auditedAccount(a)))
	})
}

// moveRealm puts an account, and its devices that name no realm of their own,
// into another realm.
func (s *Store) moveRealm(tx *gorm.DB, a *models.Account) error {
	if err := s.claimForAccount(tx, a); err != nil {
		return err
	}
	return tx.Model(&deviceRow{}).Where("account_id = ? AND own_realm = 0", a.ID).
		Update("realm", strings.ToLower(a.Realm)).Error
}

// AccountTaken lists the values of a that must be unique and are not: its realm.
func (s *Store) AccountTaken(ctx context.Context, a *models.Account) ([]*models.TakenError, error) {
	taken, err := accountRealmTaken(s.db.WithContext(ctx), a)
	if err != nil || !taken {
		return nil, storeErr("account taken", err)
	}
	return []*models.TakenError{{Field: "realm"}}, nil
}

// SetAPIKey gives an account another API key and ends the logins made with the
// old one. It counts as a change of the account: the revision grows.
func (s *Store) SetAPIKey(ctx context.Context, id string, key models.Secret) error {
	return s.transaction(ctx, "set API key", func(tx *gorm.DB) error {
		row, err := s.lockAccount(tx, id)
		if err != nil {
			return err
		}
		revision := nextRevision(row.Revision, row.Document)
		err = tx.Model(&accountRow{}).Where("id = ?", id).
			Updates(map[string]any{"api_key_hash": key.Hash(), "revision": revision, "modified": millis(s.now())}).Error
		if err != nil {
			return err
		}
		if err := endKeyLogins(tx, id); err != nil {
			return err
		}
		return s.audit(ctx, tx, keyChange(id, revision))
	})
}

// DeleteAccount removes an account with everything in it: users, devices, their
// bindings, notifications, fetches and uploads, and logins, unless a is no longer
// what is stored: ErrConflict. While other accounts are below it the error is
// ErrDescendants.
func (s *Store) DeleteAccount(ctx context.Context, a *models.Account) error {
	return s.transaction(ctx, "delete account", func(tx *gorm.DB) error {
		if err := remove(tx, &accountRow{}, a.Meta); err != nil {
			return err
		}
		var children int64
		if err := tx.Model(&accountRow{}).Where("parent_id = ?", a.ID).Count(&children).Error; err != nil {
			return err
		}
		if children > 0 {
			return models.ErrDescendants
		}
		if err := s.auditContents(ctx, tx, a); err != nil {
			return err
		}
		return emptyAccount(tx, a.ID)
	})
}

// auditContents writes down the last states of an account and of all its users
// and devices, in the audit of the account above: its own goes with it from
// sight.
func (s *Store) auditContents(ctx context.Context, tx *gorm.DB, a *models.Account) error {
	for _, contents := range []struct{ kind, table string }{{models.KindDevice, "devices"}, {models.KindUser, "users"}} {
		err := eachBatch(tx, contents.table, a.ID, func(batch []storedDocument) error {
			entries, err := convert(batch, func(d storedDocument) (auditRow, error) {
				last, err := d.audited(a.ParentID(), contents.kind)
				if err != nil {
					return auditRow{}, err
				}
				return s.auditRow(ctx, deleted(last))
			})
			if err != nil {
				return err
			}
			return insertAudit(tx, entries)
		})
		if err != nil {
			return err
		}
	}
	last := auditedAccount(a)
	last.account = a.ParentID()
	return s.audit(ctx, tx, deleted(last))
}

// emptyAccount deletes what belongs to an account.
func emptyAccount(tx *gorm.DB, id string) error {
	if err := emptyDevices(tx, id); err != nil {
		return err
	}
	if err := deleteSyncJobs(tx, id); err != nil {
		return err
	}
	if err := tx.Where("device_id IS NULL AND account_id = ?", id).Delete(&fetchRow{}).Error; err != nil {
		return err
	}
	for _, row := range []any{&deviceRow{}, &hotdeskRow{}, &userRow{}, &sourceRow{}, &unknownDeviceRow{}, &refusalRow{}, &quickCallRow{}, &importRow{}} {
		if err := tx.Where("account_id = ?", id).Delete(row).Error; err != nil {
			return err
		}
	}
	return endAccountLogins(tx, id)
}

// emptyDevices deletes what belongs to the devices of an account. MariaDB would go
// through all rows for a subquery.
func emptyDevices(tx *gorm.DB, accountID string) error {
	for after := ""; ; {
		var ids []string
		err := tx.Model(&deviceRow{}).Where("account_id = ? AND id > ?", accountID, after).Order("id").Limit(rowBatch).Pluck("id", &ids).Error
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, row := range []any{&registrationRow{}, &syncItemRow{}, &uploadRow{}, &fetchRow{}} {
			if err := tx.Where("device_id IN ?", ids).Delete(row).Error; err != nil {
				return err
			}
		}
		after = ids[len(ids)-1]
	}
}

// accountRow derives the columns from the document; the document is the truth.
func (s *Store) accountRow(a *models.Account, key models.KeyID) (accountRow, error) {
	doc := a.Document.Clone()
	doc[privateAncestors] = a.Ancestors
	doc[privatePathToken] = a.PathToken.Reveal()
	stored, err := s.sealed(doc, accountPlace(a.ID), accountSecrets, key)
	if err != nil {
		return accountRow{}, err
	}
	row := accountRow{
		ID:            a.ID,
		ParentID:      optional(a.ParentID()),
		Name:          clip(a.Name, 128),
		LookupName:    optional(models.LookupName(clip(a.Name, 128))),
		Realm:         strings.ToLower(a.Realm),
		Enabled:       a.Enabled.On(),
		PathTokenHash: a.PathToken.Hash(),
		Document:      stored,
		Created:       millis(a.Created),
		Modified:      millis(a.Modified),
	}
	if a.IsMaster() {
		one := 1
		row.Master = &one
	}
	return row, nil
}

func (s *Store) account(row accountRow) (*models.Account, error) {
	doc, err := s.opened(row.Document, accountPlace(row.ID), accountSecrets)
	if err != nil {
		return nil, err
	}
	a := &models.Account{Meta: meta(row.ID, row.Revision, row.Created, row.Modified)}
	a.UserChanges = row.UserChanges
	if row.OldPathTokenHash != nil {
		a.OldTokenUntil = fromMillis(row.OldPathTokenUntil)
	}
	a.PathToken = takeSecret(doc, privatePathToken)
	if list, ok := doc[privateAncestors].([]any); ok {
		for _, id := range list {
			if id, ok := id.(string); ok {
				a.Ancestors = append(a.Ancestors, id)
			}
		}
	}
	delete(doc, privateAncestors)
	return a, a.SetDocument(doc)
}

func accountPlace(id string) string { return "accounts/" + id }
