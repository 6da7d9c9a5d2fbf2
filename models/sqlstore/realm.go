package sqlstore

import (
	"cmp"
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

// claimRealm makes other transactions that claim the realm wait for this one.
func (s *Store) claimRealm(tx *gorm.DB, realm string) error {
	row := realmClaimRow{Realm: realm, Claimed: millis(s.now())}
	return tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error
}

// claimForAccount gives an account its realm, unless that belongs to another
// account or one of its devices.
func (s *Store) claimForAccount(tx *gorm.DB, a *models.Account) error {
	if err := s.claimRealm(tx, strings.ToLower(a.Realm)); err != nil {
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

// Realms are what a transaction that stores devices has found out so far.
type realms struct {
	store    *Store
	tx       *gorm.DB
	accounts map[string]string       // of accounts, by id
	taken    map[realmOfAccount]bool // whether another account has it
}

type realmOfAccount struct{ realm, account string }

func (s *Store) realmsIn(tx *gorm.DB) *realms {
	return &realms{s, tx, map[string]string{}, map[realmOfAccount]bool{}}
}

// settle sets the realm of a device's row: the account's, unless the device
// names its own, as the account stays until the transaction ends. So no device is
// left in a realm that its account has left. A realm of its own that it did not
// have before must not be another account's.
func (r *realms) settle(d *models.Device, row *deviceRow, before string) error {
	account, err := r.ofAccount(d.AccountID)
	if err != nil {
		return err
	}
	own := strings.ToLower(d.SIP.Realm)
	row.Realm = cmp.Or(own, account)
	if own == "" || own == strings.ToLower(before) {
		return nil
	}
	taken, err := r.isTaken(realmOfAccount{own, d.AccountID})
	if err == nil && taken {
		return &models.TakenError{Field: "sip.realm"}
	}
	return err
}

func (r *realms) ofAccount(id string) (string, error) {
	realm, known := r.accounts[id]
	if known {
		return realm, nil
	}
	realm, err := r.store.holdAccount(r.tx, id)
	r.accounts[id] = realm
	return realm, err
}

func (r *realms) isTaken(of realmOfAccount) (bool, error) {
	taken, known := r.taken[of]
	if known {
		return taken, nil
	}
	if err := r.store.claimRealm(r.tx, of.realm); err != nil {
		return false, err
	}
	taken, err := exists(r.tx.Model(&accountRow{}).Where("realm = ? AND id <> ?", of.realm, of.account))
	r.taken[of] = taken
	return taken, err
}

// exists reports whether a query finds a row.
func exists(query *gorm.DB) (bool, error) {
	var found []int
	err := query.Select("1").Limit(1).Scan(&found).Error
	return len(found) > 0, err
}
