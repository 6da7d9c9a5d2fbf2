package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"dialtone/models"
	"dialtone/models/sqlstore"
)

func newDeviceCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "device", Short: "List, show and import devices in the database", Args: cobra.NoArgs}
	cmd.AddCommand(newDeviceListCommand(), newDeviceShowCommand(), newDeviceImportCommand())
	return cmd
}

func newDeviceListCommand() *cobra.Command {
	var account string
	cmd := &cobra.Command{
		Use: "list", Short: "List the devices of all accounts, or of one", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withStore(cmd, func(_ Config, store *sqlstore.Store) error {
				t := table{columns: []string{"id", "account_id", "name", "mac_address", "brand", "family", "model", "sip_username", "enabled"}}
				add := func(d *models.Device) error {
					t.add(d.ID, d.AccountID, d.Name, d.MACAddress, d.Provision.Brand, d.Provision.Family, string(d.Provision.Model),
						d.SIP.Username, strconv.FormatBool(d.Enabled.On()))
					return nil
				}
				if err := listDevices(cmd.Context(), store, account, add); err != nil {
					return err
				}
				return t.print(cmd)
			})
		},
	}
	cmd.Flags().StringVar(&account, "account", "", "id of the account (default: all accounts)")
	addSettings(cmd, "db.", "secrets.", "log.")
	addOutput(cmd)
	return cmd
}

// listDevices walks the devices of an account, or of all when it names none.
func listDevices(ctx context.Context, store *sqlstore.Store, accountID string, visit func(*models.Device) error) error {
	if accountID == "" {
		return eachDevice(ctx, store, visit)
	}
	if _, err := store.Account(ctx, accountID); err != nil {
		return err
	}
	return eachDeviceOf(ctx, store, accountID, visit)
}

// eachDevice walks the devices of all accounts.
func eachDevice(ctx context.Context, store *sqlstore.Store, visit func(*models.Device) error) error {
	return eachOf(func(after string) ([]*models.Account, error) {
		return store.ListAccounts(ctx, "", models.Listing{After: after, Limit: listPage})
	}, func(a *models.Account) (string, error) { return a.ID, eachDeviceOf(ctx, store, a.ID, visit) })
}

// eachDeviceOf walks those of one account.
func eachDeviceOf(ctx context.Context, store *sqlstore.Store, accountID string, visit func(*models.Device) error) error {
	return eachOf(func(after string) ([]*models.Device, error) {
		return store.ListDevices(ctx, accountID, models.Listing{After: after, Limit: listPage})
	}, func(d *models.Device) (string, error) { return d.ID, visit(d) })
}

func newDeviceShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show MAC", Short: "Show what is known about the phone with a MAC, secrets left out", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			mac, err := models.ParseMAC(args[0])
			if err != nil {
				return err
			}
			return withStore(cmd, func(_ Config, store *sqlstore.Store) error {
				phone, err := store.PhoneByMAC(cmd.Context(), mac)
				if err != nil {
					return err
				}
				return showPhone(cmd, phone)
			})
		},
	}
	addSettings(cmd, "db.", "secrets.", "log.")
	addOutput(cmd)
	return cmd
}

func showPhone(cmd *cobra.Command, p *models.Phone) error {
	d, owner := p.Device, ""
	if p.Owner != nil {
		owner = p.Owner.Label()
	}
	t := table{columns: []string{"id", "account_id", "name", "owner", "mac_address", "brand", "family", "model", "aor", "enabled", "revision"}}
	t.add(d.ID, p.Account.ID, d.Name, owner, d.MACAddress, d.Provision.Brand, d.Provision.Family, string(d.Provision.Model),
		p.AOR(), strconv.FormatBool(p.Enabled()), d.Revision)
	return t.printOne(cmd)
}
