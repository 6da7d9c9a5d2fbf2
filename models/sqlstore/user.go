package sqlstore

import (
	"cmp"
	"context"
	"crypto/subtle"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"dialtone/models"
)

type userRow struct {
	ID        string `gorm:"primaryKey"`
	AccountID string
	Username  *string
	LoginMD5  *string `gorm:"column:login_md5"`  // see loginMarks
	LoginSHA1 *string `gorm:"column:login_sha1"` // see loginMarks
	HotdeskID *string `gorm:"column:hotdesk_id"`
	Enabled   bool
	Document  string
	Revision  string
	Created   int64
	Modified  int64
}

func (userRow) TableName() string { return "users" }

// CreateUser stores a new user and fills its ID when empty. Its account must
// exist (ErrNotFound). A username in use in the account is a TakenError of
// "username", an id in use one of "id".
func (s *Store) CreateUser(ctx context.Context, u *models.User) error {
	u.ID = cmp.Or(u.ID, models.NewID())
	u.Created = s.now().UTC()
	u.Modified = u.Created
	marks, err := s.loginMarks(ctx, u.MD5Auth, u.SHA1Auth)
	if err != nil {
		return err
	}
	var row userRow
	seal := func(key models.KeyID) (err error) {
		row, err = s.userRow(u, marks, key)
		row.Revision = nextRevision("", row.Document)
		u.Revision = row.Revision
		return err
	}
	return s.sealing(ctx, "create user", seal, func(tx *gorm.DB) error {
		if err := countUserChange(tx, u.AccountID); err != nil {
			return err
		}
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
	if err := s.accountListing(ctx, "users", accountID, l, userNarrowings).Find(&rows).Error; err != nil {
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

// SaveUser writes u over old, which it was made from, unless that is no longer
// what is stored: ErrConflict. It fills u's Meta. Other credentials, or none,
// and a disabled user end the user's logins.
func (s *Store) SaveUser(ctx context.Context, old, u *models.User) error {
	u.Meta, u.AccountID = old.Meta, old.AccountID
	u.Modified = s.now().UTC()
	marks, err := s.loginMarks(ctx, u.MD5Auth, u.SHA1Auth)
	if err != nil {
		return err
	}
	var row userRow
	seal := func(key models.KeyID) (err error) {
		row, err = s.userRow(u, marks, key)
		row.Revision = nextRevision(old.Revision, row.Document)
		u.Revision = row.Revision
		return err
	}
	return s.sealing(ctx, "save user", seal, func(tx *gorm.DB) error {
		if err := countUserChange(tx, u.AccountID); err != nil {
			return err
		}
		if err := replace(tx, old.Meta, &row); err != nil {
			return err
		}
		if !u.Enabled.On() || u.MD5Auth != old.MD5Auth || u.SHA1Auth != old.SHA1Auth {
			if err := endUserLogins(tx, u.AccountID, u.ID); err != nil {
				return err
			}
		}
		return s.audit(ctx, tx, updated(auditedUser(old), auditedUser(u)))
	})
}

// DeleteUser removes a user and ends its logins, unless u is no longer what is
// stored: ErrConflict. Its devices stay, with an owner that is gone.
func (s *Store) DeleteUser(ctx context.Context, u *models.User) error {
	return s.transaction(ctx, "delete user", func(tx *gorm.DB) error {
		if err := countUserChange(tx, u.AccountID); err != nil {
			return err
		}
		if err := remove(tx, &userRow{}, u.Meta); err != nil {
			return err
		}
		if err := endUserLogins(tx, u.AccountID, u.ID); err != nil {
			return err
		}
		if err := tx.Where("user_id = ?", u.ID).Delete(&quickCallRow{}).Error; err != nil {
			return err
		}
		return s.audit(ctx, tx, deleted(auditedUser(u)))
	})
}

// countUserChange begins every change of an account's users: until the
// transaction ends the account stays as it is. ErrNotFound when it is gone.
func countUserChange(tx *gorm.DB, accountID string) error {
	result := tx.Exec("UPDATE accounts SET user_changes = user_changes + 1 WHERE id = ?", accountID)
	if result.Error == nil && result.RowsAffected == 0 {
		return models.ErrNotFound
	}
	return result.Error
}

// UserTaken lists the values of u that must be unique and belong to another
// user of the account.
func (s *Store) UserTaken(ctx context.Context, u *models.User) ([]*models.TakenError, error) {
	var taken []*models.TakenError
	for _, unique := range []struct{ field, column, value string }{
		{"username", "username", strings.ToLower(u.Username)},
		{"hotdesk.id", "hotdesk_id", u.Document.Text("hotdesk.id")},
	} {
		if unique.value == "" {
			continue
		}
		others, err := exists(s.db.WithContext(ctx).Model(&userRow{}).
			Where("account_id = ? AND id <> ?", u.AccountID, u.ID).Where(unique.column+" = ?", unique.value))
		if err != nil {
			return nil, storeErr("user taken", err)
		}
		if others {
			taken = append(taken, &models.TakenError{Field: unique.field})
		}
	}
	return taken, nil
}

// UsersByCredentials lists the users whose password hash is the one presented,
// by ascending id, in the accounts that it names: by realm, or by name when no
// account has the realm. It makes the same queries whether or not there are any.
func (s *Store) UsersByCredentials(ctx context.Context, c models.Credentials) ([]*models.User, error) {
	db := s.db.WithContext(ctx)
	accounts, err := credentialAccounts(db, c)
	if err != nil {
		return nil, storeErr("accounts by name", err)
	}
	column := "login_md5"
	if c.SHA1 {
		column = "login_sha1"
	}
	key, err := s.loginKey(ctx)
	if err != nil {
		return nil, err
	}
	var rows []userRow
	err = db.Where("account_id IN ?", append(accounts, "")).Where(clause.Eq{Column: column, Value: loginMark(key, c.Hash)}).
		Order("id").Find(&rows).Error
	if err != nil {
		return nil, storeErr("users by credentials", err)
	}
	found, err := convert(rows, s.user)
	return slices.DeleteFunc(found, func(u *models.User) bool { return !presents(c, u) }), err
}

// CredentialAccounts are the ids of the accounts that credentials name, whether
// or not they are right.
func (s *Store) CredentialAccounts(ctx context.Context, c models.Credentials) ([]string, error) {
	ids, err := credentialAccounts(s.db.WithContext(ctx), c)
	return ids, storeErr("accounts by name", err)
}

// UsersByUsername lists the users of a name, by ascending id, in the accounts that
// c names.
func (s *Store) UsersByUsername(ctx context.Context, c models.Credentials, username string) ([]*models.User, error) {
	db := s.db.WithContext(ctx)
	accounts, err := credentialAccounts(db, c)
	if err != nil {
		return nil, storeErr("accounts by name", err)
	}
	var rows []userRow
	err = db.Where("account_id IN ? AND username = ?", append(accounts, ""), strings.ToLower(username)).Order("id").Find(&rows).Error
	if err != nil {
		return nil, storeErr("users by name", err)
	}
	return convert(rows, s.user)
}

// credentialAccounts are the ids of the accounts where a login looks for its user.
func credentialAccounts(db *gorm.DB, c models.Credentials) ([]string, error) {
	var byRealm, byName []string
	if err := db.Model(&accountRow{}).Where("realm = ?", strings.ToLower(c.Realm)).Pluck("id", &byRealm).Error; err != nil {
		return nil, err
	}
	if err := db.Model(&accountRow{}).Where("lookup_name = ?", models.LookupName(c.AccountName)).Pluck("id", &byName).Error; err != nil {
		return nil, err
	}
	if c.Realm != "" && len(byRealm) > 0 {
		return byRealm, nil
	}
	return byName, nil
}

// presents compares the whole hash, in constant time.
func presents(c models.Credentials, u *models.User) bool {
	stored := u.MD5Auth
	if c.SHA1 {
		stored = u.SHA1Auth
	}
	return stored != "" && subtle.ConstantTimeCompare([]byte(stored), []byte(c.Hash)) == 1
}

// userRow derives the columns from the document; the document is the truth.
func (s *Store) userRow(u *models.User, marks loginMarks, key models.KeyID) (userRow, error) {
	doc := u.Document.Clone()
	if u.MD5Auth != "" {
		doc[privateMD5] = u.MD5Auth.Reveal()
	}
	if u.SHA1Auth != "" {
		doc[privateSHA1] = u.SHA1Auth.Reveal()
	}
	stored, err := s.sealed(doc, userPlace(u.AccountID, u.ID), userSecrets, key)
	if err != nil {
		return userRow{}, err
	}
	return userRow{
		ID:        u.ID,
		AccountID: u.AccountID,
		Username:  optional(strings.ToLower(u.Username)),
		LoginMD5:  marks.md5,
		LoginSHA1: marks.sha1,
		HotdeskID: hotdeskID(u.Document),
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
