package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dialtone/api"
	"dialtone/models"
	"dialtone/models/sqlstore"
)

const (
	syncLook    = 500 * time.Millisecond // how often a job's progress is read
	syncPatient = 10 * time.Second       // for a server to take a job up
)

// The flags of `dialtone sync` that go into the document of the job as they
// are, and where to.
var syncFlags = map[string]string{
	"brand": "filter.brand", "family": "filter.family", "model": "filter.model", "owner": "filter.owner_id", "behind": "filter.behind",
	"event": "event", "reboot": "reboot", "rate": "rate", "canary": "canary", "stop-above": "stop_above", "patience": "patience", "come-back": "come_back",
}

func newSyncCommand() *cobra.Command {
	var account string
	var devices []string
	var noWait bool
	cmd := &cobra.Command{
		Use: "sync", Short: "Tell many phones to fetch their files again, and wait for them", Args: cobra.NoArgs,
		Long: `Tell many phones to fetch their files again, at a pace, and wait for them to come back.

The job is made in the database; a running server takes it up and tells the
phones. It goes on when this command is interrupted. The exit code is 0 when all
came back or had nothing to fetch, 3 when some did not or were not reached, and
1 when the job stopped because too many did not come back, or was cancelled.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			doc := syncDocument(cmd.Flags(), devices)
			return withStore(cmd, func(_ Config, store *sqlstore.Store) error {
				j, err := createSync(cmd.Context(), store, account, doc)
				if err != nil {
					return err
				}
				if !noWait {
					return watchSync(cmd, store, j)
				}
				return printSync(cmd, j, models.SyncCounts{})
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&account, "account", "", "id of the account (default: the master account)")
	flags.String("brand", "", "only devices of this brand")
	flags.String("family", "", "only devices of this family")
	flags.String("model", "", "only devices of this model")
	flags.String("owner", "", "only devices of the user with this id")
	flags.StringSliceVar(&devices, "device", nil, "only devices with these ids")
	flags.Bool("behind", false, "only phones that have not all their files as they are now")
	flags.String("event", "", "Event header (default: the check-sync of each phone's brand)")
	flags.Bool("reboot", false, "of the brand's check-sync: expressly with a reboot (true) or without (false)")
	flags.Int("rate", 10, "phones told per second")
	flags.Int("canary", 0, "tell so many phones first, and wait for them")
	flags.Int("stop-above", 20, "stop when more than this percent did not come back (default: 20 with a canary, else never)")
	flags.Lookup("stop-above").DefValue = "0" // so that --help shows none but the text's
	flags.Int("patience", 600, "seconds within which a phone must come back")
	flags.String("come-back", models.BackRegistered, "what a phone must do: fetched (a file) or registered (after that)")
	flags.BoolVar(&noWait, "no-wait", false, "print the job and leave it to the server")
	addSettings(cmd, "db.", "secrets.", "log.")
	addOutput(cmd)
	cmd.AddCommand(newSyncListCommand(),
		newSyncChangeCommand("pause", "Pause a job", models.SyncPaused),
		newSyncChangeCommand("resume", "Let a paused or stopped job go on", models.SyncRunning),
		newSyncChangeCommand("cancel", "End a job for good", models.SyncCancelled))
	return cmd
}

// syncDocument is what the REST API would be sent for the flags that were given.
func syncDocument(flags *pflag.FlagSet, devices []string) models.Document {
	doc := models.Document{}
	flags.Visit(func(f *pflag.Flag) {
		path, isMember := syncFlags[f.Name]
		switch {
		case !isMember:
		case f.Value.Type() == "bool":
			doc.Set(path, f.Value.String() == "true")
		case f.Value.Type() == "int":
			doc.Set(path, json.Number(f.Value.String()))
		default:
			doc.Set(path, f.Value.String())
		}
	})
	if len(devices) > 0 {
		ids := make([]any, len(devices))
		for i, id := range devices {
			ids[i] = id
		}
		doc.Set("filter.devices", ids)
	}
	return doc
}

// createSync stores a job under the rules of the REST API.
func createSync(ctx context.Context, store *sqlstore.Store, accountID string, doc models.Document) (*models.SyncJob, error) {
	account, err := accountOrMaster(ctx, store, accountID)
	if err != nil {
		return nil, fmt.Errorf("account: %w", err)
	}
	j, err := api.NewSyncJob(ctx, store, account, doc)
	if err != nil {
		return nil, err
	}
	return j, store.CreateSyncJob(ctx, j)
}

// watchSync shows a job's progress until it ends or stops, prints how its
// devices stand, and tells by its error what came of them.
func watchSync(cmd *cobra.Command, store *sqlstore.Store, j *models.SyncJob) error {
	ctx, began, warned := cmd.Context(), time.Now(), false
	show := newProgress(cmd)
	for {
		now, counts, err := syncStand(ctx, store, j)
		switch {
		case ctx.Err() != nil:
			show.end()
			cmd.PrintErrf("The job goes on: dialtone sync pause %s, dialtone sync cancel %s\n", j.ID, j.ID)
			return nil
		case err != nil:
			return err
		}
		showSync(show, now, counts)
		if now.Ended() || now.State == models.SyncStopped {
			show.end()
			if err := printSync(cmd, now, counts); err != nil {
				return err
			}
			return syncOutcome(now, counts)
		}
		if !warned && now.State == models.SyncPreparing && counts.Total() == 0 && time.Since(began) > syncPatient {
			warned = true
			cmd.PrintErrln("No server has taken the job up yet: is one running on this database?")
		}
		select {
		case <-time.After(syncLook):
		case <-ctx.Done():
		}
	}
}

func syncStand(ctx context.Context, store *sqlstore.Store, j *models.SyncJob) (*models.SyncJob, models.SyncCounts, error) {
	now, err := store.SyncJob(ctx, j.AccountID, j.ID)
	if err != nil {
		return nil, nil, err
	}
	counts, err := store.SyncCounts(ctx, j.ID)
	return now, counts, err
}

// syncOutcome is what a job that is over came to, as an exit code.
func syncOutcome(j *models.SyncJob, counts models.SyncCounts) error {
	switch left := counts.Total() - counts[models.ItemReturned] - counts[models.ItemSkipped]; {
	case j.State != models.SyncFinished:
		return outcome{exitFailed, strings.TrimSuffix(fmt.Sprintf("the job is %s: %s", j.State, j.Reason), ": ")}
	case left > 0:
		return outcome{exitFound, fmt.Sprintf("%d of %d phones did not come back or were not reached", left, counts.Total())}
	}
	return nil
}

func showSync(show *progress, j *models.SyncJob, counts models.SyncCounts) {
	text := fmt.Sprintf("%s: %d told, %d returned, %d missing, %d unreachable, %d refused, %d skipped, %d left", j.State,
		counts.Told(), counts[models.ItemReturned], counts[models.ItemMissing], counts[models.ItemUnreachable],
		counts[models.ItemRefused], counts[models.ItemSkipped], counts.Left())
	show.update(text, counts.Total()-counts.Left(), counts.Total())
}

// syncColumns are what is printed of a job and how its devices stand.
func syncColumns() table {
	return table{columns: append([]string{"id", "state", "reason", "created", "total"}, models.ItemStates...)}
}

func addSync(t *table, j *models.SyncJob, counts models.SyncCounts) {
	row := []string{j.ID, j.State, j.Reason, j.Created.Format(time.RFC3339), strconv.Itoa(counts.Total())}
	for _, state := range models.ItemStates {
		row = append(row, strconv.Itoa(counts[state]))
	}
	t.add(row...)
}

func printSync(cmd *cobra.Command, j *models.SyncJob, counts models.SyncCounts) error {
	t := syncColumns()
	addSync(&t, j, counts)
	return t.printOne(cmd)
}

func newSyncListCommand() *cobra.Command {
	var account string
	cmd := &cobra.Command{
		Use: "list", Short: "List an account's newest jobs", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withStore(cmd, func(_ Config, store *sqlstore.Store) error {
				a, err := accountOrMaster(cmd.Context(), store, account)
				if err != nil {
					return fmt.Errorf("account: %w", err)
				}
				jobs, err := store.SyncJobs(cmd.Context(), a.ID, nil, listPage)
				if err != nil {
					return err
				}
				t := syncColumns()
				for _, j := range jobs {
					counts, err := store.SyncCounts(cmd.Context(), j.ID)
					if err != nil {
						return err
					}
					addSync(&t, j, counts)
				}
				return t.print(cmd)
			})
		},
	}
	cmd.Flags().StringVar(&account, "account", "", "id of the account (default: the master account)")
	addSettings(cmd, "db.", "secrets.", "log.")
	addOutput(cmd)
	return cmd
}

// newSyncChangeCommand makes a command that takes a job to a state.
func newSyncChangeCommand(name, short, state string) *cobra.Command {
	cmd := &cobra.Command{
		Use: name + " JOB", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStore(cmd, func(_ Config, store *sqlstore.Store) error {
				var counts models.SyncCounts
				j, err := store.ChangeSyncJob(cmd.Context(), "", args[0], func(j *models.SyncJob, stand models.SyncCounts) error {
					if j.Ended() {
						return fmt.Errorf("job %s is %s: nothing changes it any more", j.ID, j.State)
					}
					counts = stand
					j.Become(state, stand, time.Now().UTC())
					return nil
				})
				if err != nil {
					return err
				}
				return printSync(cmd, j, counts)
			})
		},
	}
	addSettings(cmd, "db.", "secrets.", "log.")
	addOutput(cmd)
	return cmd
}
