package sqlstore

import (
	"cmp"
	"context"
	"strings"

	"gorm.io/gorm"

	"dialtone/models"
)

type userRow struct {
	ID        string `gorm:"primaryKey"`
	AccountID string
	Username  *string
	Enabled   bool
	Document  string
	Revision  string
	Created   int64
	Modified  int64
}

func (userRow) TableName() string { return "users" }

// CreateUser stores a new user and fills its ID when empty. A username in use
// in the account is a TakenError of "username", an id in use one of "id".
func (s *Store) CreateUser(ctx context.Context, u *models.User) error {
	u.ID = cmp.Or(u.ID, models.NewID())
	u.Created = s.now().UTC()
	u.Modified = u.Created
	row, err := s.userRow(u)
	if err != nil {
		return err
	}
	row.Revision = nextRevision("", row.Document)
	u.Revision = row.Revision
	return s.transaction(ctx, "create user", func(tx *gorm.DB) error {
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return s.audit(ctx, tx, created(auditedUser(u)))
	})
}

// User reads one user of an account.
func (s *Store) User(ctx context.Context, accountID, id string) (*models.User, error) {
	var row userRow
	err := s.db.WithContext(ctx).Where("id = ? AND account_id = ?", id, accountID).Take(&row).Error
	if err != nil {
		return nil, storeErr("user", err)
	}
	return s.user(row)
}

// Users lists an account's users by ascending id from the one that follows after.
func (s *Store) Users(ctx context.Context, accountID, after string, limit int) ([]*models.User, error) {
	return s.ListUsers(ctx, accountID, models.Listing{After: after, Limit: limit})
}

// ListUsers reads a part of an account's list of users.
func (s *Store) ListUsers(ctx context.Context, accountID string, l models.Listing) ([]*models.User, error) {
	var rows []userRow
	db := s.db.WithContext(ctx).Where("account_id = ?", accountID)
	if err := listing(db, l, userNarrowings).Find(&rows).Error; err != nil {
		return nil, storeErr("users", err)
	}
	return convert(rows, s.user)
}

// UsersByID reads the named users of an account by ascending id; ids that name
// none are left out.
func (s *Store) UsersByID(ctx context.Context, accountID string, ids []string) ([]*models.User, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []userRow
	err := s.db.WithContext(ctx).Where("account_id = ? AND id IN ?", accountID, ids).Order("id").Find(&rows).Error
	if err != nil {
		return nil, storeErr("users by id", err)
	}
	return convert(rows, s.user)
}

// UpdateUser reads a user, lets change work on it, and writes it back unless
// another writer was faster (ErrConflict). An error of change is passed through
// and nothing is written.
func (s *Store) UpdateUser(ctx context.Context, accountID, id string, change func(*models.User) error) (*models.User, error) {
	u, err := s.User(ctx, accountID, id)
	if err != nil {
		return nil, err
	}
	old, before := u.Meta, auditedUser(u)
	if err := change(u); err != nil {
		return nil, err
	}
	u.Meta, u.Modified = old, s.now().UTC()
	row, err := s.userRow(u)
	if err != nil {
		return nil, err
	}
	row.Revision = nextRevision(old.Revision, row.Document)
	u.Revision = row.Revision
	err = s.transaction(ctx, "update user", func(tx *gorm.DB) error {
		if err := replace(tx, id, old.Revision, &row); err != nil {
			return err
		}
		return s.audit(ctx, tx, updated(before, auditedUser(u)))
	})
	if err != nil {
		return nil, err
	}
	return u, nil
}

// userRow derives the columns from the document; the document is the truth.
func (s *Store) userRow(u *models.User) (userRow, error) {
	doc := u.Document.Clone()
	if u.MD5Auth != "" {
		doc[privateMD5] = u.MD5Auth.Reveal()
	}
	if u.SHA1Auth != "" {
		doc[privateSHA1] = u.SHA1Auth.Reveal()
	}
	stored, err := s.sealed(doc, userPlace(u.AccountID, u.ID), userSecrets)
	if err != nil {
		return userRow{}, err
	}
	return userRow{
		ID:        u.ID,
		AccountID: u.AccountID,
		Username:  optional(strings.ToLower(u.Username)),
		Enabled:   u.Enabled.On(),
		Document:  stored,
		Created:   millis(u.Created),
		Modified:  millis(u.Modified),
	}, nil
}

func (s *Store) user(row userRow) (*models.User, error) {
	doc, err := s.opened(row.Document, userPlace(row.AccountID, row.ID), userSecrets)
	if err != nil {
		return nil, err
	}
	u := &models.User{Meta: meta(row.ID, row.Revision, row.Created, row.Modified), AccountID: row.AccountID}
	u.MD5Auth = takeSecret(doc, privateMD5)
	u.SHA1Auth = takeSecret(doc, privateSHA1)
	return u, u.SetDocument(doc)
}

func userPlace(account, id string) string { return "users/" + account + "/" + id }
