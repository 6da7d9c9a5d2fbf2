package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/pressly/goose/v3"

	"dialtone/models"
)

// Steps of the schema that fill new columns from documents, which SQL of both
// databases cannot do alike: JSON functions of MariaDB end at 32 levels. Where a
// query asks for a member by LIKE it saves reading those documents that have
// nothing like it. Their numbers are left out in migrations/. Each is one
// transaction: what was interrupted starts again with the step.
var goMigrations = []struct {
	version int64
	name    string
	up      func(context.Context, *sql.Tx) error
}{
	{21, "00021_account_lookup_names.go", fillLookupNames},
	{70, "00070_mobile_numbers.go", fillMobileNumbers},
	{71, "00071_hotdesk_rows.go", fillHotdesks},
	{72, "00072_hotdesk_ids.go", fillHotdeskIDs},
	{82, "00082_device_names.go", fillDeviceNames},
}

func gooseMigrations() []*goose.Migration {
	var out []*goose.Migration
	for _, m := range goMigrations {
		out = append(out, goose.NewGoMigration(m.version, &goose.GoFunc{RunTx: m.up}, nil))
	}
	return out
}

// fillLookupNames sets accounts.lookup_name.
func fillLookupNames(ctx context.Context, tx *sql.Tx) error {
	names, err := lookupNames(ctx, tx)
	if err != nil {
		return err
	}
	for id, name := range names {
		if _, err := tx.ExecContext(ctx, "UPDATE accounts SET lookup_name = ? WHERE id = ?", optional(name), id); err != nil {
			return err
		}
	}
	return nil
}

// lookupNames reads account id -> lookup name from the documents.
func lookupNames(ctx context.Context, tx *sql.Tx) (_ map[string]string, err error) {
	rows, err := tx.QueryContext(ctx, "SELECT id, document FROM accounts")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	names := map[string]string{}
	for rows.Next() {
		var id, raw string
		if err := rows.Scan(&id, &raw); err != nil {
			return nil, err
		}
		var doc struct {
			Name string `json:"name"`
		}
		if err := json.Unmarshal([]byte(raw), &doc); err != nil {
			return nil, fmt.Errorf("account %s: %w", id, err)
		}
		names[id] = models.LookupName(doc.Name)
	}
	return names, rows.Err()
}

// fillMobileNumbers sets devices.mobile_mdn. Of two devices that have had the
// same number, the second gets none until its next save, which is refused.
func fillMobileNumbers(ctx context.Context, tx *sql.Tx) error {
	const unfilled = `SELECT id, account_id, document FROM devices WHERE id > ? AND mobile_mdn IS NULL
		AND document LIKE '%"mdn":%' ORDER BY id LIMIT ?`
	return eachDocument(ctx, tx, unfilled, func(id, _ string, doc models.Document) error {
		d := &models.Device{}
		if err := d.SetDocument(doc); err != nil {
			return err
		}
		return fillColumn(ctx, tx, "UPDATE devices SET mobile_mdn = ? WHERE id = ?", deviceColumns(d).MobileMDN, id)
	})
}

// fillHotdesks makes the rows of devices that users are logged in to.
func fillHotdesks(ctx context.Context, tx *sql.Tx) error {
	const unfilled = `SELECT id, account_id, document FROM devices WHERE id > ?
		AND document LIKE '%"hotdesk":%'
		AND NOT EXISTS (SELECT 1 FROM hotdesks h WHERE h.device_id = devices.id) ORDER BY id LIMIT ?`
	return eachDocument(ctx, tx, unfilled, func(id, accountID string, doc models.Document) error {
		for _, user := range hotdeskUsers(doc) {
			_, err := tx.ExecContext(ctx, "INSERT INTO hotdesks (account_id, user_id, device_id) VALUES (?, ?, ?)", accountID, user, id)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// fillHotdeskIDs sets users.hotdesk_id, with the second of two as for numbers.
func fillHotdeskIDs(ctx context.Context, tx *sql.Tx) error {
	const unfilled = `SELECT id, account_id, document FROM users WHERE id > ? AND hotdesk_id IS NULL
		AND document LIKE '%"hotdesk":%' ORDER BY id LIMIT ?`
	return eachDocument(ctx, tx, unfilled, func(id, _ string, doc models.Document) error {
		return fillColumn(ctx, tx, "UPDATE users SET hotdesk_id = ? WHERE id = ?", hotdeskID(doc), id)
	})
}

// fillDeviceNames sets devices.username and devices.own_realm.
func fillDeviceNames(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, "UPDATE devices SET username = sip_username WHERE sip_username IS NOT NULL"); err != nil {
		return err
	}
	const unfilled = `SELECT id, account_id, document FROM devices WHERE id > ?
		AND (document LIKE '%"realm":%' OR sip_username IS NULL AND document LIKE '%"username":%') ORDER BY id LIMIT ?`
	return eachDocument(ctx, tx, unfilled, func(id, _ string, doc models.Document) error {
		d := &models.Device{}
		if err := d.SetDocument(doc); err != nil {
			return err
		}
		row := deviceColumns(d)
		_, err := tx.ExecContext(ctx, "UPDATE devices SET username = ?, own_realm = ? WHERE id = ?", row.Username, row.OwnRealm, id)
		return err
	})
}

// fillColumn sets a unique column, unless another row has the value.
func fillColumn(ctx context.Context, tx *sql.Tx, update string, value *string, id string) error {
	_, err := tx.ExecContext(ctx, update, value, id)
	if takenField(err) != "" {
		return nil
	}
	return err
}

// eachDocument visits the documents that query finds, in batches: its arguments
// are the id to go on after and how many rows are wanted.
func eachDocument(ctx context.Context, tx *sql.Tx, query string, visit func(id, accountID string, doc models.Document) error) error {
	for after := ""; ; {
		batch, err := documentBatch(ctx, tx, query, after)
		if err != nil {
			return err
		}
		for _, row := range batch {
			doc, err := models.ParseDocument([]byte(row.document))
			if err == nil {
				err = visit(row.id, row.accountID, doc)
			}
			if err != nil {
				return fmt.Errorf("document %s: %w", row.id, err)
			}
			after = row.id
		}
		if len(batch) < rowBatch {
			return nil
		}
	}
}

type documentRow struct{ id, accountID, document string }

func documentBatch(ctx context.Context, tx *sql.Tx, query, after string) ([]documentRow, error) {
	rows, err := tx.QueryContext(ctx, query, after, rowBatch)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var batch []documentRow
	for rows.Next() {
		var row documentRow
		if err := rows.Scan(&row.id, &row.accountID, &row.document); err != nil {
			return nil, err
		}
		batch = append(batch, row)
	}
	return batch, rows.Err()
}
