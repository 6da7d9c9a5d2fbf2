package sqlstore

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"dialtone/migrations"
	"dialtone/models"
)

// A Migration is one step of the schema.
type Migration struct {
	Version int64
	Name    string
	Applied bool
}

// Migrate applies pending migrations and returns them. Several programs may
// call it at once: one applies, the others wait.
func (s *Store) Migrate(ctx context.Context) ([]Migration, error) {
	provider, err := s.provider()
	if err != nil {
		return nil, err
	}
	var applied []Migration
	results, err := provider.Up(ctx)
	// SQLite has no lock that outlives a transaction: where another program
	// was faster with a step, take up after it.
	for range len(provider.ListSources()) {
		if err == nil || s.dialect != dialectSQLite || ctx.Err() != nil {
			break
		}
		results, err = provider.Up(ctx)
	}
	for _, r := range results {
		applied = append(applied, Migration{r.Source.Version, stepName(r.Source), true})
	}
	if err != nil {
		return applied, fmt.Errorf("migrate: %w: %w", models.ErrUnavailable, err)
	}
	return applied, nil
}

// Migrations lists every step and whether it was applied.
func (s *Store) Migrations(ctx context.Context) ([]Migration, error) {
	provider, err := s.provider()
	if err != nil {
		return nil, err
	}
	status, err := provider.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("migration status: %w: %w", models.ErrUnavailable, err)
	}
	var steps []Migration
	for _, st := range status {
		steps = append(steps, Migration{st.Source.Version, stepName(st.Source), st.State == goose.StateApplied})
	}
	return steps, nil
}

// stepName is the file of a step, or the name of one written in Go.
func stepName(source *goose.Source) string {
	for _, m := range goMigrations {
		if m.version == source.Version {
			return m.name
		}
	}
	return path.Base(source.Path)
}

func (s *Store) provider() (*goose.Provider, error) {
	pool, err := s.writer.DB()
	if err != nil {
		return nil, err
	}
	other, err := otherDialectFiles(s.dialect)
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{
		goose.WithExcludeNames(other), goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(gooseMigrations()...),
	}
	gooseDialect := goose.DialectSQLite3
	if s.dialect == dialectMySQL {
		gooseDialect = goose.DialectMySQL
		locker, err := lock.NewMySQLTableLocker()
		if err != nil {
			return nil, fmt.Errorf("migrate: %w", err)
		}
		options = append(options, goose.WithLocker(locker))
	}
	provider, err := goose.NewProvider(gooseDialect, pool, migrations.FS, options...)
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	return provider, nil
}

// otherDialectFiles lists the halves of pairs that are not for this dialect.
func otherDialectFiles(own dialect) ([]string, error) {
	files, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		return nil, err
	}
	var other []string
	for _, file := range files {
		for _, d := range []dialect{dialectSQLite, dialectMySQL} {
			if d != own && strings.HasSuffix(file, "."+string(d)+".sql") {
				other = append(other, file)
			}
		}
	}
	return other, nil
}
