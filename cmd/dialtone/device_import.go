package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"

	"github.com/spf13/cobra"

	"dialtone/api"
	"dialtone/models"
	"dialtone/models/sqlstore"
)

// maxPipedBytes bounds what is read of what is no file; the API has a lower limit.
const maxPipedBytes = 16 << 20

// importGC has memory collected less often while a large file is stored: a quarter of
// the work would go there, for a heap that is small.
const importGC = 300

func newDeviceImportCommand() *cobra.Command {
	var account string
	var opts api.ImportOptions
	cmd := &cobra.Command{
		Use: "import FILE.csv", Short: "Store the devices of a CSV file", Args: cobra.ExactArgs(1),
		Long: `Store the devices of a CSV file.

The first line names the columns: dotted paths of a device document such as name,
mac_address, sip.username or provision.endpoint_brand. See docs/api.md.

A file of up to 5,000 rows and 8 MB is stored in one transaction: all of it or, when a
row is bad, nothing.

A larger file is checked from beginning to end before anything is stored: one bad row
keeps out all others. Then it is stored 2,000 rows at a time. When it is stopped, or
the machine fails, what was stored stays: the same command goes on behind it, without
loss or double, as long as not a byte of the file has changed. A row that becomes bad
while the file is being stored, because somebody else has made a device with its MAC,
stops it; the same command goes on when that is mended.

With --partial the good rows are stored and the others told. A large file is then not
checked first. Of its bad rows the first 100 things that are wrong are told.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStore(cmd, func(_ Config, store *sqlstore.Store) error {
				a, err := accountOrMaster(cmd.Context(), store, account)
				if err != nil {
					return fmt.Errorf("account: %w", err)
				}
				return importDevices(cmd, store, a, args[0], opts)
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

func accountOrMaster(ctx context.Context, store *sqlstore.Store, id string) (*models.Account, error) {
	if id == "" {
		return store.MasterAccount(ctx)
	}
	return store.Account(ctx, id)
}

// importDevices stores a file as its size wants it.
func importDevices(cmd *cobra.Command, store *sqlstore.Store, account *models.Account, name string, opts api.ImportOptions) (err error) {
	file, err := os.Open(name) //nolint:gosec // the operator names it
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	survey, err := surveyFile(file)
	if err != nil {
		return err
	}
	if survey.Large() {
		return importLarge(cmd, store, account, file, survey, opts)
	}
	raw, err := io.ReadAll(io.LimitReader(file, maxPipedBytes))
	if err != nil {
		return err
	}
	result, err := api.ImportDevices(cmd.Context(), store, account, raw, opts)
	if err != nil {
		return err
	}
	return reportImport(cmd, result, opts)
}

// surveyFile reads a file and goes back to its beginning. What is none, such as a
// pipe, can be read only once: it is no large one.
func surveyFile(file *os.File) (api.Survey, error) {
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return api.Survey{}, err
	}
	survey, err := api.SurveyCSV(file)
	if err != nil {
		return survey, err
	}
	_, err = file.Seek(0, io.SeekStart)
	return survey, err
}

// reportImport prints the good rows, and to standard error what is wrong with
// the others.
func reportImport(cmd *cobra.Command, result api.ImportResult, opts api.ImportOptions) error {
	reportUnknown(cmd, result.Columns)
	reportProblems(cmd, result.Problems)
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

func reportUnknown(cmd *cobra.Command, columns []api.CSVColumn) {
	for _, c := range columns {
		if c.Field != "" && !c.Known {
			cmd.PrintErrf("column %d: %q is no known member, stored as it is\n", c.Number, c.Field)
		}
	}
}

func reportProblems(cmd *cobra.Command, list []api.CSVProblem) {
	for _, p := range list {
		where := fmt.Sprintf("line %d", p.Line)
		if p.Column > 0 {
			where += fmt.Sprintf(", column %d", p.Column)
		}
		if p.Field != "" {
			where += " (" + p.Field + ")"
		}
		cmd.PrintErrf("%s: %s\n", where, p.Message)
	}
}

// importLarge stores a large file, or what is left of it.
func importLarge(cmd *cobra.Command, store *sqlstore.Store, account *models.Account, file io.ReadSeeker, survey api.Survey, opts api.ImportOptions) error {
	if len(survey.Problems) > 0 {
		reportProblems(cmd, survey.Problems)
		return errors.New("nothing was stored: the file cannot be read to its end")
	}
	at, err := store.Import(cmd.Context(), account.ID, survey.Hash)
	if err != nil {
		return err
	}
	if at.Line > 0 && !at.Finished {
		cmd.PrintErrf("going on behind line %d: %d devices of this file were stored before\n", at.Line, at.Stored)
	}
	debug.SetGCPercent(importGC)
	show := newProgress(cmd)
	large := api.LargeImport{
		Store: store, Account: account, File: file, Survey: survey, Options: opts,
		Progress: func(step string, rows int) {
			show.update(fmt.Sprintf("%d of %d rows %s", rows, survey.Rows, step), rows, survey.Rows)
		},
	}
	result, err := large.Run(cmd.Context())
	show.end()
	if failed := reportLarge(cmd, survey, result, opts); err == nil {
		return failed
	}
	return fmt.Errorf("%w: %d of %d rows are stored; the same command goes on", err, result.Now.Stored, survey.Rows)
}

// reportLarge prints what became of a large file, and to standard error what is
// wrong with it.
func reportLarge(cmd *cobra.Command, survey api.Survey, result api.LargeResult, opts api.ImportOptions) error {
	reportUnknown(cmd, result.Columns)
	reportProblems(cmd, result.Problems)
	if result.More > 0 {
		cmd.PrintErrf("and %d more\n", result.More)
	}
	if !result.Compared {
		cmd.PrintErrln("the file has too many rows to compare each with all others: what is twice in it is found when it is stored")
	}
	t := table{columns: []string{"file_hash", "rows", "stored", "bad", "line", "finished"}}
	bad := max(result.Now.Bad, result.Bad)
	t.add(survey.Hash, strconv.Itoa(survey.Rows), strconv.Itoa(result.Now.Stored), strconv.Itoa(bad), strconv.Itoa(result.Now.Line),
		strconv.FormatBool(result.Now.Finished))
	if err := t.printOne(cmd); err != nil {
		return err
	}
	now := result.Now
	switch {
	case result.Before.Finished:
		cmd.PrintErrf("this file was stored on %s: nothing to do\n", result.Before.Modified.Format("2006-01-02 15:04:05 MST"))
	case now == result.Before && result.Bad > 0:
		return fmt.Errorf("nothing was stored: %d rows are bad", result.Bad)
	case now.Bad > 0:
		return fmt.Errorf("%d of %d rows were stored", now.Stored, survey.Rows)
	case opts.DryRun:
		cmd.PrintErrf("nothing was stored: all %d rows are good\n", result.Rows)
	}
	return nil
}
