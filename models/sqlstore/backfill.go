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
// databases cannot do alike. Their numbers are left out in migrations/.
var goMigrations = []struct {
	version int64
	name    string
	up      func(context.Context, *sql.Tx) error
}{
	{21, "00021_account_lookup_names.go", fillLookupNames},
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
