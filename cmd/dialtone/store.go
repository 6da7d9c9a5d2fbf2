package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"dialtone/models"
	"dialtone/models/keyset"
	"dialtone/models/sqlstore"
)

// withStore gives a command the configuration and the open database. What it
// writes is put down to the command line.
func withStore(cmd *cobra.Command, work func(Config, *sqlstore.Store) error) error {
	c, err := loadConfig(cmd, os.Environ())
	if err != nil {
		return err
	}
	cmd.SetContext(models.WithActor(cmd.Context(), models.Actor{Via: models.ViaCLI}))
	store, _, err := openStore(cmd.Context(), c, c.logger(cmd.ErrOrStderr()))
	if err != nil {
		return err
	}
	return errors.Join(work(c, store), store.Close())
}

// openStore opens the database with its keyset and, unless db.migrate says
// otherwise, brings its schema up to date. The caller closes it.
func openStore(ctx context.Context, c Config, log *slog.Logger) (*sqlstore.Store, *keyset.Keyset, error) {
	store, err := sqlstore.Open(c.DB.URL)
	if err != nil {
		return nil, nil, err
	}
	keys, err := prepareStore(ctx, store, c, log)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return store, keys, nil
}

func prepareStore(ctx context.Context, store *sqlstore.Store, c Config, log *slog.Logger) (*keyset.Keyset, error) {
	if c.DB.Migrate {
		applied, err := store.Migrate(ctx)
		if err != nil {
			return nil, err
		}
		if len(applied) > 0 {
			log.InfoContext(ctx, "migrations applied", "count", len(applied))
		}
	}
	path := keysetPath(c)
	keys, err := keyset.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		keys, err = createKeyset(ctx, store, path, log)
	}
	if err != nil {
		return nil, err
	}
	store.Use(keys)
	if err := store.CheckKeys(ctx); err != nil {
		return nil, fmt.Errorf("keyset %s and database: %w", path, err)
	}
	return keys, nil
}

// createKeyset makes the keyset of a new database. Beside a database with
// records a missing keyset is an error: a new one could not open their secrets.
func createKeyset(ctx context.Context, store *sqlstore.Store, path string, log *slog.Logger) (*keyset.Keyset, error) {
	empty, err := store.Empty(ctx)
	if err != nil {
		return nil, err
	}
	if !empty {
		return nil, fmt.Errorf("keyset %s is missing, but the database holds secrets that only it opens: "+
			"put it back, or name its place with secrets.keyset", path)
	}
	keys, err := keyset.Create(path)
	if errors.Is(err, fs.ErrExist) {
		return keyset.Open(path) // another program starting beside this one was faster
	}
	if err == nil {
		log.InfoContext(ctx, "keyset created: back it up, secrets cannot be read without it", "path", path)
	}
	return keys, err
}

// keysetPath is secrets.keyset, or a file beside the database.
func keysetPath(c Config) string { return cmp.Or(c.Secrets.Keyset, besideDatabase(c, "keyset")) }

// besideDatabase is the path of a file or folder beside an SQLite database, or
// else in the working folder.
func besideDatabase(c Config, ending string) string {
	if path, ok := sqlstore.SQLitePath(c.DB.URL); ok {
		return path + "." + ending
	}
	return "dialtone." + ending
}
