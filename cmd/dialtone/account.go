package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"dialtone/api"
	"dialtone/models"
	"dialtone/models/sqlstore"
	"dialtone/provisioner"
)

// listPage is how many records a list command reads at once.
const listPage = 500

func newAccountCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "account", Short: "Create and list accounts in the database", Args: cobra.NoArgs}
	cmd.AddCommand(newAccountCreateCommand(), newAccountListCommand())
	return cmd
}

func newAccountCreateCommand() *cobra.Command {
	var name, realm, parent, timezone string
	cmd := &cobra.Command{
		Use: "create", Short: "Create an account; the first one is the master account", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			doc := models.Document{"name": name, "realm": realm}
			if timezone != "" {
				doc["timezone"] = timezone
			}
			return withStore(cmd, func(c Config, store *sqlstore.Store) error {
				return createAccount(cmd, c, store, doc, parent)
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "name of the account")
	cmd.Flags().StringVar(&realm, "realm", "", "SIP realm, unique over the server")
	cmd.Flags().StringVar(&parent, "parent", "", "id of the account above (default: the master account)")
	cmd.Flags().StringVar(&timezone, "timezone", "", "IANA time zone of its phones, such as Europe/Berlin")
	for _, required := range []string{"name", "realm"} {
		_ = cmd.MarkFlagRequired(required) // fails only for flags that do not exist
	}
	addSettings(cmd, "db.", "secrets.", "phones.url", "phones.addr", "phones.tls_addr", "log.")
	addOutput(cmd)
	return cmd
}

// createAccount stores the account under the rules of the REST API and prints
// what its administrator needs. The API key is shown this once: only its hash
// is kept.
func createAccount(cmd *cobra.Command, c Config, store *sqlstore.Store, doc models.Document, parentID string) error {
	ctx := cmd.Context()
	base, err := phonesURL(c, c.Phones.Addr, c.Phones.TLSAddr)
	if err != nil {
		return err
	}
	account, err := newAccount(ctx, store, doc, parentID)
	if err != nil {
		return err
	}
	key := models.NewAPIKey()
	if err := store.CreateAccount(ctx, account, key); err != nil {
		return err
	}
	t := table{columns: []string{"id", "realm", "api_key", "provisioning_url"}}
	t.add(account.ID, account.Realm, key.Reveal(), provisioner.AccountURL(base, account))
	return t.printOne(cmd)
}

// newAccount checks the document and finds the account's place in the tree.
func newAccount(ctx context.Context, store *sqlstore.Store, doc models.Document, parentID string) (*models.Account, error) {
	if err := api.CheckAccount(ctx, store, doc); err != nil {
		return nil, err
	}
	account := &models.Account{}
	if err := account.SetDocument(doc); err != nil {
		return nil, err
	}
	parent, err := store.MasterAccount(ctx)
	if parentID != "" {
		parent, err = store.Account(ctx, parentID)
	}
	switch {
	case err == nil:
		account.Ancestors = append(parent.Ancestors, parent.ID)
	case parentID != "" || !errors.Is(err, models.ErrNotFound):
		return nil, fmt.Errorf("parent account: %w", err)
	}
	return account, nil
}

func newAccountListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List all accounts", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withStore(cmd, func(_ Config, store *sqlstore.Store) error {
				t := table{columns: []string{"id", "name", "realm", "parent", "enabled"}}
				err := eachPage(func(after string) ([]*models.Account, error) {
					return store.ListAccounts(cmd.Context(), "", models.Listing{After: after, Limit: listPage})
				}, func(a *models.Account) string {
					t.add(a.ID, a.Name, a.Realm, a.ParentID(), strconv.FormatBool(a.Enabled.On()))
					return a.ID
				})
				if err != nil {
					return err
				}
				return t.print(cmd)
			})
		},
	}
	addSettings(cmd, "db.", "secrets.", "log.")
	addOutput(cmd)
	return cmd
}

// eachPage walks a list to its end; visit gives the record's id.
func eachPage[T any](page func(after string) ([]T, error), visit func(T) string) error {
	return eachOf(page, func(one T) (string, error) { return visit(one), nil })
}

// eachOf is eachPage that ends with the first error.
func eachOf[T any](page func(after string) ([]T, error), visit func(T) (string, error)) error {
	for after := ""; ; {
		list, err := page(after)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, one := range list {
			if after, err = visit(one); err != nil {
				return err
			}
		}
	}
}
