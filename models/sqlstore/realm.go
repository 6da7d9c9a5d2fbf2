package sqlstore

import (
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"dialtone/models"
)

// A realmClaimRow is what transactions wait for that put an account, or a device
// which names a realm of its own, into a realm: no index can tell that an account
// and another one's device have the same. It has no other use, see Prune.
type realmClaimRow struct {
	Realm   string `gorm:"primaryKey"`
	Claimed int64
}

func (realmClaimRow) TableName() string { return "realm_claims" }

// claimLife is how long claims stay, for longer than any transaction takes.
const claimLife = time.Hour

// claimRealms makes other transactions that claim one of these realms wait for
// this one. They are locked in the order of their names, after accounts.
func (s *Store) claimRealms(tx *gorm.DB, realms ...string) error {
	slices.Sort(realms)
	for _, realm := range slices.Compact(realms) {
		row := realmClaimRow{Realm: realm, Claimed: millis(s.now())}
		if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error; err != nil {
			return err
		}
	}
	return nil
}

// claimForAccount gives an account its realm, unless that belongs to another
// account or one of its devices.
func (s *Store) claimForAccount(tx *gorm.DB, a *models.Account) error {
	if err := s.claimRealms(tx, strings.ToLower(a.Realm)); err != nil {
		return err
	}
	taken, err := accountRealmTaken(tx, a)
	if err == nil && taken {
		return &models.TakenError{Field: "realm"}
	}
	return err
}

func accountRealmTaken(db *gorm.DB, a *models.Account) (bool, error) {
	realm := strings.ToLower(a.Realm)
	taken, err := exists(db.Model(&accountRow{}).Where("realm = ? AND id <> ?", realm, a.ID))
	if taken || err != nil {
		return taken, err
	}
	return exists(db.Model(&deviceRow{}).Where("realm = ? AND account_id <> ?", realm, a.ID))
}

// exists reports whether a query of accounts, users or devices finds one.
func exists(query *gorm.DB) (bool, error) {
	var ids []string
	err := query.Limit(1).Pluck("id", &ids).Error
	return len(ids) > 0, err
}
