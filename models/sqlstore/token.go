package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"

	"gorm.io/gorm"

	"dialtone/models"
)

type tokenRow struct {
	TokenHash      string `gorm:"primaryKey"`
	AccountID      string
	OwnerID        *string
	LoginAccountID string
	LoginOwnerID   *string
	Method         string
	Restrictions   *string // JSON
	Created        int64
	Expires        int64
}

func (tokenRow) TableName() string { return "auth_tokens" }

// CreateToken stores a login under the hash of its token, unless a document
// that it rests on has changed since it was read: ErrConflict. So a change that
// ends logins ends those that are just being made, too. A token that it spends goes
// in the same transaction; ErrNotFound when that is not there any more.
func (s *Store) CreateToken(ctx context.Context, token models.Secret, t *models.Token, grounds models.Grounds) error {
	row := tokenRow{
		TokenHash:      token.Hash(),
		AccountID:      t.AccountID,
		OwnerID:        optional(t.OwnerID),
		LoginAccountID: t.LoginAccountID,
		LoginOwnerID:   optional(t.LoginOwnerID),
		Method:         t.Method,
		Created:        millis(t.Created),
		Expires:        millis(t.Expires),
	}
	if t.Restrictions != nil {
		raw, err := json.Marshal(t.Restrictions)
		if err != nil {
			return fmt.Errorf("%w restrictions: %w", models.ErrInvalid, err)
		}
		row.Restrictions = optional(string(raw))
	}
	return s.transaction(ctx, "create token", func(tx *gorm.DB) error {
		for _, a := range grounds.Accounts {
			if err := s.lockRevision(tx, &accountRow{}, a.Meta); err != nil {
				return err
			}
		}
		for _, u := range grounds.Users {
			if err := s.lockRevision(tx, &userRow{}, u.Meta); err != nil {
				return err
			}
		}
		if grounds.Spends != "" {
			spent := tx.Where("token_hash = ?", grounds.Spends.Hash()).Delete(&tokenRow{})
			if spent.Error != nil {
				return spent.Error
			}
			if spent.RowsAffected == 0 {
				return models.ErrNotFound
			}
		}
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return s.auditLogin(ctx, tx, t)
	})
}

// auditLogin puts a login down to who presented the key or password, and, when
// that is somebody else, in the audit of whom it acts for as well. Who asks for a
// reset id has presented nothing.
func (s *Store) auditLogin(ctx context.Context, tx *gorm.DB, t *models.Token) error {
	if t.Method == models.ResetID {
		return s.audit(ctx, tx, models.LoginEntry(models.ActionRecovery, t.AccountID, t.OwnerID, ""))
	}
	actor := models.ActorOf(ctx)
	actor.AccountID, actor.UserID = t.LoginAccountID, t.LoginOwnerID
	if t.Impersonates() {
		actor.AsAccountID, actor.AsUserID = t.AccountID, t.OwnerID
	}
	ctx = models.WithActor(ctx, actor)
	err := s.audit(ctx, tx, models.LoginEntry(models.ActionLogin, t.LoginAccountID, t.LoginOwnerID, t.Method))
	if err != nil || !t.Impersonates() {
		return err
	}
	return s.audit(ctx, tx, models.LoginEntry(models.ActionLogin, t.AccountID, t.OwnerID, t.Method))
}

// Token finds the login of a token, expired or not; ErrNotFound when unknown.
func (s *Store) Token(ctx context.Context, token models.Secret) (*models.Token, error) {
	var row tokenRow
	if err := s.db.WithContext(ctx).Where("token_hash = ?", token.Hash()).Take(&row).Error; err != nil {
		return nil, storeErr("token", err)
	}
	t := &models.Token{
		AccountID:      row.AccountID,
		OwnerID:        text(row.OwnerID),
		LoginAccountID: row.LoginAccountID,
		LoginOwnerID:   text(row.LoginOwnerID),
		Method:         row.Method,
		Created:        fromMillis(row.Created),
		Expires:        fromMillis(row.Expires),
	}
	if row.Restrictions != nil {
		if err := json.Unmarshal([]byte(*row.Restrictions), &t.Restrictions); err != nil {
			return nil, fmt.Errorf("restrictions of a token: %w", err)
		}
	}
	return t, nil
}

// DeleteToken ends a login; one that is not there is no error.
func (s *Store) DeleteToken(ctx context.Context, token models.Secret) error {
	return s.transaction(ctx, "delete token", func(tx *gorm.DB) error {
		var row tokenRow
		found := tx.Where("token_hash = ?", token.Hash()).Limit(1).Find(&row)
		if found.Error != nil || found.RowsAffected == 0 {
			return found.Error
		}
		if deleted := tx.Delete(&row); deleted.Error != nil || deleted.RowsAffected == 0 {
			return deleted.Error
		}
		return s.audit(ctx, tx, models.LoginEntry(models.ActionLogout, row.AccountID, text(row.OwnerID), row.Method))
	})
}

// endAccountLogins ends what acts for the account or was bought with its key
// or by its users.
func endAccountLogins(tx *gorm.DB, accountID string) error {
	if err := tx.Where("account_id = ?", accountID).Delete(&tokenRow{}).Error; err != nil {
		return err
	}
	return tx.Where("login_account_id = ?", accountID).Delete(&tokenRow{}).Error
}

// endUserLogins ends what acts for the user or was bought with its password.
func endUserLogins(tx *gorm.DB, accountID, userID string) error {
	if err := tx.Where("account_id = ? AND owner_id = ?", accountID, userID).Delete(&tokenRow{}).Error; err != nil {
		return err
	}
	return tx.Where("login_account_id = ? AND login_owner_id = ?", accountID, userID).Delete(&tokenRow{}).Error
}

// endKeyLogins ends what was bought with the account's API key.
func endKeyLogins(tx *gorm.DB, accountID string) error {
	return tx.Where("login_account_id = ? AND method = ?", accountID, models.LoginByAPIKey).Delete(&tokenRow{}).Error
}
