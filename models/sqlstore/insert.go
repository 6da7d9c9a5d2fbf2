package sqlstore

import (
	"strings"

	"gorm.io/gorm"
)

// An insert stores rows of a table without reflection: for those that come by
// thousands.
type insert struct {
	into    string
	columns int
}

func newInsert(table string, columns ...string) insert {
	return insert{"INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES ", len(columns)}
}

// text is the statement for so many rows.
func (i insert) text(rows int) string {
	row := "(?" + strings.Repeat(", ?", i.columns-1) + ")"
	return i.into + row + strings.Repeat(", "+row, rows-1)
}

// rows stores rows, of which the values stand one after the other, with one statement.
func (i insert) rows(tx *gorm.DB, values []any) error {
	_, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, i.text(len(values)/i.columns), values...)
	return err
}

// createDevices and createAudit insert what an import stores; devices have none of the
// columns yet that are not of their documents.
var (
	createDevices = newInsert("devices", "id", "account_id", "owner_id", "name", "mac", "username", "sip_username", "realm", "own_realm",
		"sip_ip", "mobile_mdn", "brand", "family", "model", "enabled", "document", "revision", "created", "modified")
	createAudit = newInsert("audit", "account_id", "kind", "object_id", "action", "actor_account_id", "actor_user_id", "as_account_id",
		"as_user_id", "via", "source", "request_id", "revision", "detail", "changes", "truncated", "document", "recorded")
)

// values are those of the columns of createDevices.
func (row *deviceRow) values() []any {
	return []any{row.ID, row.AccountID, row.OwnerID, row.Name, row.MAC, row.Username, row.SIPUsername, row.Realm, row.OwnRealm,
		row.SIPIP, row.MobileMDN, row.Brand, row.Family, row.Model, row.Enabled, row.Document, row.Revision, row.Created, row.Modified}
}

// values are those of the columns of createAudit.
func (row *auditRow) values() []any {
	return []any{row.AccountID, row.Kind, row.ObjectID, row.Action, row.ActorAccountID, row.ActorUserID, row.AsAccountID,
		row.AsUserID, row.Via, row.Source, row.RequestID, row.Revision, row.Detail, row.Changes, row.Truncated, row.Document, row.Recorded}
}
