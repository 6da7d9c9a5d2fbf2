package main

import (
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
		Use: "list", Short: "List an account's devices", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withStore(cmd, func(_ Config, store *sqlstore.Store) error {
				if _, err := store.Account(cmd.Context(), account); err != nil {
					return err
				}
				t := table{columns: []string{"id", "name", "mac_address", "brand", "family", "model", "sip_username", "enabled"}}
				err := eachPage(func(after string) ([]*models.Device, error) {
					return store.ListDevices(cmd.Context(), account, models.Listing{After: after, Limit: listPage})
				}, func(d *models.Device) string {
					t.add(d.ID, d.Name, d.MACAddress, d.Provision.Brand, d.Provision.Family, string(d.Provision.Model),
						d.SIP.Username, strconv.FormatBool(d.Enabled.On()))
					return d.ID
				})
				if err != nil {
					return err
				}
				return t.print(cmd)
			})
		},
	}
	cmd.Flags().StringVar(&account, "account", "", "id of the account")
	_ = cmd.MarkFlagRequired("account") // fails only for flags that do not exist
	addSettings(cmd, "db.", "secrets.", "log.")
	addOutput(cmd)
	return cmd
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
