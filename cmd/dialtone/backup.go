package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"dialtone/models"
	"dialtone/models/keyset"
	"dialtone/models/sqlstore"
)

func newBackupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "Copy the SQLite database to a new file, while servers run", Args: cobra.ExactArgs(1),
		Long: `Copy the SQLite database to a new file, while servers run.

The keyset is not in it: keep a copy of that file, apart from the backups. MySQL
and MariaDB have programs of their own for that: docs/security.md.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStore(cmd, func(c Config, store *sqlstore.Store) error {
				if err := store.Backup(cmd.Context(), args[0]); err != nil {
					return fmt.Errorf("backup: %w", err)
				}
				cmd.PrintErrf("%s written; %s, which opens its secrets, is not in it\n", args[0], keysetPath(c))
				return nil
			})
		},
	}
	addSettings(cmd, "db.", "secrets.", "log.")
	return cmd
}

func newRestoreCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "Put a backup in the place of the SQLite database", Args: cobra.ExactArgs(1),
		Long: `Put a backup in the place of the SQLite database, while no server uses it.

The backup is checked first: that it is whole, and that the keyset opens its secrets.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := loadConfig(cmd, os.Environ())
			if err != nil {
				return err
			}
			return restore(cmd, c, args[0], force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "also in place of a database that is there")
	addSettings(cmd, "db.", "secrets.", "log.")
	return cmd
}

func restore(cmd *cobra.Command, c Config, file string, force bool) error {
	path, ok := sqlstore.SQLitePath(c.DB.URL)
	if !ok {
		return fmt.Errorf("restore: %w: only a SQLite database is restored by this program", models.ErrInvalid)
	}
	keys, err := keyset.Open(keysetPath(c))
	if err != nil {
		return fmt.Errorf("the keyset of the backup is needed: %w", err)
	}
	err = sqlstore.Restore(cmd.Context(), file, path, force, func(store *sqlstore.Store) error {
		store.Use(keys)
		if err := store.CheckKeys(cmd.Context()); err != nil {
			return err
		}
		return checkEveryKey(cmd.Context(), store, keys)
	})
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("restore: %w: --force replaces it", err)
	}
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	cmd.PrintErrf("%s restored from %s\n", path, file)
	return nil
}

// checkEveryKey reports whether the keyset has the keys of all secrets: a backup
// that was made while keys were changed needs more than one.
func checkEveryKey(ctx context.Context, store *sqlstore.Store, keys *keyset.Keyset) error {
	counts, err := store.Sealed(ctx)
	if err != nil {
		return err
	}
	for key, count := range counts {
		if key == 0 {
			continue // in the clear: see Sealed
		}
		if err := keys.Has(key); err != nil {
			return fmt.Errorf("%d of its secrets: %w", count, err)
		}
	}
	return nil
}
