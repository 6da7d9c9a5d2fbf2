package sqlstore

import (
	"cmp"
	"context"
	"strings"

	"gorm.io/gorm"

	"dialtone/models"
)

type accountRow struct {
	ID            string `gorm:"primaryKey"`
	ParentID      *string
	Master        *int // 1 for the master account, which a unique index keeps single
	Name          string
	Realm         string
	Enabled       bool
	APIKeyHash    string `gorm:"column:api_key_hash"`
	PathTokenHash string
	Document      string
	Revision      string
	Created       int64
	Modified      int64
}

func (accountRow) TableName() string { return "accounts" }

// CreateAccount stores a new account with the hash of its API key. It fills
// the ID and the path token when they are empty. An account without ancestors
// becomes the master account; when there is one already the error is a
// TakenError of "master". A realm in use is a TakenError of "realm".
func (s *Store) CreateAccount(ctx context.Context, a *models.Account, apiKey models.Secret) error {
	a.ID = cmp.Or(a.ID, models.NewID())
	a.PathToken = cmp.Or(a.PathToken, models.NewToken())
	a.Created = s.now().UTC()
	a.Modified = a.Created
	row, err := s.accountRow(a)
	if err != nil {
		return err
	}
	row.APIKeyHash = apiKey.Hash()
	row.Revision = nextRevision("", row.Document)
	a.Revision = row.Revision
	return s.transaction(ctx, "create account", func(tx *gorm.DB) error {
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

// AccountByPathToken finds the account whose provisioning URL holds this token.
func (s *Store) AccountByPathToken(ctx context.Context, token models.Secret) (*models.Account, error) {
	return s.takeAccount(ctx, "account by path token", "path_token_hash = ?", token.Hash())
}

func (s *Store) takeAccount(ctx context.Context, op, where string, args ...any) (*models.Account, error) {
	var row accountRow
	if err := s.db.WithContext(ctx).Where(where, args...).Take(&row).Error; err != nil {
		return nil, storeErr(op, err)
	}
	return s.account(row)
}

// Accounts lists accounts by ascending id, at most limit of them, from the one
// that follows after.
func (s *Store) Accounts(ctx context.Context, after string, limit int) ([]*models.Account, error) {
	var rows []accountRow
	err := s.db.WithContext(ctx).Where("id > ?", after).Order("id").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, storeErr("accounts", err)
	}
	return convert(rows, s.account)
}

// accountRow derives the columns from the document; the document is the truth.
func (s *Store) accountRow(a *models.Account) (accountRow, error) {
	doc := a.Document.Clone()
	doc[privateAncestors] = a.Ancestors
	doc[privatePathToken] = a.PathToken.Reveal()
	stored, err := s.sealed(doc, accountPlace(a.ID), accountSecrets)
	if err != nil {
		return accountRow{}, err
	}
	row := accountRow{
		ID:            a.ID,
		ParentID:      optional(a.ParentID()),
		Name:          clip(a.Name, 128),
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

func meta(id, revision string, created, modified int64) models.Meta {
	return models.Meta{ID: id, Revision: revision, Created: fromMillis(created), Modified: fromMillis(modified)}
}

// convert turns rows into models.
func convert[Row, Model any](rows []Row, one func(Row) (Model, error)) ([]Model, error) {
	out := make([]Model, 0, len(rows))
	for _, row := range rows {
		m, err := one(row)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// replace writes row over the stored row with the same id, but only while that
// still has the old revision: the check and the write are one statement.
func replace(db *gorm.DB, id, oldRevision string, row any) error {
	result := db.Model(row).Where("id = ? AND revision = ?", id, oldRevision).
		Select("*").Omit("id", "account_id", "created").Updates(row)
	if result.Error == nil && result.RowsAffected == 0 {
		return models.ErrConflict
	}
	return result.Error
}
