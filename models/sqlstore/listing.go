package sqlstore

import (
	"context"
	"strings"

	"gorm.io/gorm"

	"dialtone/models"
)

// A narrowing turns a match of a member into one of an indexed column. It must
// not lose a document whose member has the text; it may let others through.
type narrowing struct {
	path   string
	column string
	value  func(text string) any // nil: the column does not help with this text
}

// The columns that narrow lists, the most selective first. Only one is used:
// each has an index in which an account's rows stand by id, so that a part of
// the list is read as it stands, whatever other conditions a request has.
var (
	deviceNarrowings = []narrowing{
		{"id", "id", clipped(32)},
		{"mac_address", "mac", asMAC},
		{"sip.username", "username", asSIPUsername},
		{"owner_id", "owner_id", clipped(32)},
		{"enabled", "enabled", asOff},
		{"provision.endpoint_brand", "brand", clipped(64)},
	}
	accountNarrowings = []narrowing{
		{"id", "id", clipped(32)},
		{"realm", "realm", asLower},
	}
	userNarrowings = []narrowing{
		{"id", "id", clipped(32)},
		{"username", "username", asLower},
	}
)

func asLower(text string) any { return strings.ToLower(strings.ToValidUTF8(text, "?")) }

func asSIPUsername(text string) any { return sipUsername(text) }

func asMAC(text string) any {
	if clean := models.CleanMAC(text); clean != "" {
		return clean
	}
	return nil
}

// asOff helps to find what is switched off; nearly everything is on.
func asOff(text string) any {
	if text == "false" {
		return false
	}
	return nil
}

func clipped(n int) func(string) any {
	return func(text string) any { return clip(text, n) }
}

// accountListing is the listing of an account's rows in a table that has the
// index <table>_account over account and id. Without a narrowing MySQL is told
// to walk that one: where an account has a great part of the rows, MariaDB
// otherwise goes by the primary key, past the rows of all other accounts.
func (s *Store) accountListing(ctx context.Context, table, accountID string, l models.Listing, narrowings []narrowing) *gorm.DB {
	db := s.db.WithContext(ctx)
	if _, _, narrowed := narrow(l.Where, narrowings); !narrowed && s.dialect == dialectMySQL {
		db = db.Table(table + " FORCE INDEX (" + table + "_account)")
	}
	return listing(db.Where("account_id = ?", accountID), l, narrowings)
}

// listing adds the conditions of a list to a query.
func listing(db *gorm.DB, l models.Listing, narrowings []narrowing) *gorm.DB {
	if column, value, narrowed := narrow(l.Where, narrowings); narrowed {
		db = db.Where(column+" = ?", value)
	}
	beyond, order := "id > ?", "id"
	if l.Descending {
		beyond, order = "id < ?", "id DESC"
	}
	if l.After != "" {
		db = db.Where(beyond, l.After)
	}
	return db.Order(order).Limit(l.Limit)
}

// narrow finds the most selective column that the matches say something about.
func narrow(matches []models.Match, narrowings []narrowing) (column string, value any, narrowed bool) {
	for _, n := range narrowings {
		for _, m := range matches {
			if m.Path != n.path {
				continue
			}
			if value := n.value(m.Text); value != nil {
				return n.column, value, true
			}
		}
	}
	return "", nil, false
}
