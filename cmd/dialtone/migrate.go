package main

import (
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"dialtone/models/sqlstore"
)

func newMigrateCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "migrate", Short: "Bring the database schema up to date, or show its state", Args: cobra.NoArgs}
	cmd.AddCommand(
		migrateCommand("up", "Apply pending migrations; safe while others do the same",
			func(cmd *cobra.Command, store *sqlstore.Store) ([]sqlstore.Migration, error) {
				return store.Migrate(cmd.Context())
			}),
		migrateCommand("status", "List migrations and whether they are applied",
			func(cmd *cobra.Command, store *sqlstore.Store) ([]sqlstore.Migration, error) {
				return store.Migrations(cmd.Context())
			}),
	)
	return cmd
}

func migrateCommand(name, short string, work func(*cobra.Command, *sqlstore.Store) ([]sqlstore.Migration, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use: name, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd, os.Environ())
			if err != nil {
				return err
			}
			store, err := sqlstore.Open(c.DB.URL)
			if err != nil {
				return err
			}
			defer func() { _ = store.Close() }()
			steps, err := work(cmd, store)
			if err != nil {
				return err
			}
			t := table{columns: []string{"version", "name", "applied"}}
			for _, step := range steps {
				t.add(strconv.FormatInt(step.Version, 10), step.Name, strconv.FormatBool(step.Applied))
			}
			return t.print(cmd)
		},
	}
	addSettings(cmd, "db.url")
	addOutput(cmd)
	return cmd
}
