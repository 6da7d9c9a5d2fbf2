package sqlstore

import (
	"context"

	"dialtone/models"
)

type tokenRow struct {
	TokenHash string `gorm:"primaryKey"`
	AccountID string
	OwnerID   *string
	Method    string
	Created   int64
	Expires   int64
}

func (tokenRow) TableName() string { return "auth_tokens" }

// CreateToken stores a login under the hash of its token.
func (s *Store) CreateToken(ctx context.Context, token models.Secret, t *models.Token) error {
	row := tokenRow{
		TokenHash: token.Hash(),
		AccountID: t.AccountID,
		OwnerID:   optional(t.OwnerID),
		Method:    t.Method,
		Created:   millis(t.Created),
		Expires:   millis(t.Expires),
	}
	return storeErr("create token", s.db.WithContext(ctx).Create(&row).Error)
}

// Token finds the login of a token, expired or not; ErrNotFound when unknown.
func (s *Store) Token(ctx context.Context, token models.Secret) (*models.Token, error) {
	var row tokenRow
	if err := s.db.WithContext(ctx).Where("token_hash = ?", token.Hash()).Take(&row).Error; err != nil {
		return nil, storeErr("token", err)
	}
	return &models.Token{
		AccountID: row.AccountID,
		OwnerID:   text(row.OwnerID),
		Method:    row.Method,
		Created:   fromMillis(row.Created),
		Expires:   fromMillis(row.Expires),
	}, nil
}
