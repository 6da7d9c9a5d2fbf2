package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"dialtone/api"
	"dialtone/models"
	"dialtone/models/sqlstore"
)

// maxImportBytes bounds what is read of a file; the API has a lower limit.
const maxImportBytes = 16 << 20

func newDeviceImportCommand() *cobra.Command {
	var account string
	var opts api.ImportOptions
	cmd := &cobra.Command{
		Use: "import FILE.csv", Short: "Store the devices of a CSV file, all of them or none", Args: cobra.ExactArgs(1),
		Long: "Store the devices of a CSV file, all of them or none.\n\n" +
			"The first line names the columns: dotted paths of a device document such as name,\n" +
			"mac_address, sip.username or provision.endpoint_brand. See docs/api.md.",
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := readFile(args[0])
			if err != nil {
				return err
			}
			return withStore(cmd, func(_ Config, store *sqlstore.Store) error {
				a, err := accountOrMaster(cmd.Context(), store, account)
				if err != nil {
					return fmt.Errorf("account: %w", err)
				}
				result, err := api.ImportDevices(cmd.Context(), store, a, file, opts)
				if err != nil {
					return err
				}
				return reportImport(cmd, result, opts)
			})
		},
	}
	cmd.Flags().StringVar(&account, "account", "", "id of the account (default: the master account)")
	cmd.Flags().BoolVar(&opts.DryRun, "dry-run", false, "check everything, store nothing")
	cmd.Flags().BoolVar(&opts.Partial, "partial", false, "store the good rows although there are bad ones")
	addSettings(cmd, "db.", "secrets.", "log.")
	addOutput(cmd)
	return cmd
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name) //nolint:gosec // the operator names it
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxImportBytes))
	return raw, errors.Join(err, f.Close())
}

func accountOrMaster(ctx context.Context, store *sqlstore.Store, id string) (*models.Account, error) {
	if id == "" {
		return store.MasterAccount(ctx)
	}
	return store.Account(ctx, id)
}

// reportImport prints the good rows, and to standard error what is wrong with
// the others.
func reportImport(cmd *cobra.Command, result api.ImportResult, opts api.ImportOptions) error {
	for _, c := range result.Columns {
		if c.Field != "" && !c.Known {
			cmd.PrintErrf("column %d: %q is no known member, stored as it is\n", c.Number, c.Field)
		}
	}
	for _, p := range result.Problems {
		where := fmt.Sprintf("line %d", p.Line)
		if p.Column > 0 {
			where += fmt.Sprintf(", column %d", p.Column)
		}
		if p.Field != "" {
			where += " (" + p.Field + ")"
		}
		cmd.PrintErrf("%s: %s\n", where, p.Message)
	}
	t := table{columns: []string{"line", "id", "name", "mac_address"}}
	for _, one := range result.Devices {
		id := ""
		if result.Stored {
			id = one.Device.ID
		}
		t.add(strconv.Itoa(one.Line), id, one.Device.Name, one.Device.MACAddress)
	}
	if err := t.print(cmd); err != nil {
		return err
	}
	switch {
	case len(result.Problems) > 0 && !result.Stored:
		return fmt.Errorf("nothing was stored: %d of %d rows are good", len(result.Devices), result.Rows)
	case len(result.Problems) > 0:
		return fmt.Errorf("%d of %d rows were stored", len(result.Devices), result.Rows)
	case opts.DryRun:
		cmd.PrintErrf("nothing was stored: all %d rows are good\n", result.Rows)
	}
	return nil
}
