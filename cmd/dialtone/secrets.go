package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dialtone/models"
	"dialtone/models/keyset"
	"dialtone/models/sqlstore"
)

func newSecretsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "secrets", Short: "Change the key that secrets are encrypted with", Args: cobra.NoArgs}
	cmd.AddCommand(newSecretsStatusCommand(), newSecretsRotateCommand(), newSecretsForgetCommand())
	return cmd
}

// withKeys is withStore for commands that change keys.
func withKeys(cmd *cobra.Command, work func(context.Context, *keyChange) error) error {
	c, err := loadConfig(cmd, os.Environ())
	if err != nil {
		return err
	}
	ctx := models.WithActor(cmd.Context(), models.Actor{Via: models.ViaCLI})
	store, keys, err := openStore(ctx, c, c.logger(cmd.ErrOrStderr()))
	if err != nil {
		return err
	}
	return errors.Join(work(ctx, &keyChange{cmd, store, keys}), store.Close())
}

// A keyChange is the work of the commands on the keyset and the database.
type keyChange struct {
	cmd   *cobra.Command
	store *sqlstore.Store
	keys  *keyset.Keyset
}

// say prints a line of progress.
func (k *keyChange) say(format string, args ...any) { k.cmd.PrintErrf(format+"\n", args...) }

func newSecretsStatusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "status", Short: "List the keys, how much each has sealed, and which servers have them", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withKeys(cmd, func(ctx context.Context, k *keyChange) error { return k.status(ctx) })
		},
	}
	addSettings(cmd, "db.", "secrets.", "log.")
	addOutput(cmd)
	return cmd
}

func (k *keyChange) status(ctx context.Context) error {
	state, err := k.store.Sealing(ctx)
	if err != nil {
		return err
	}
	counts, err := k.store.Sealed(ctx)
	if err != nil {
		return err
	}
	servers, err := k.store.Servers(ctx)
	if err != nil {
		return err
	}
	known := k.keys.Keys()
	for key := range counts {
		if key != 0 && !slices.Contains(known, key) {
			known = append(known, key)
		}
	}
	slices.Sort(known)
	t := table{columns: []string{"key", "state", "secrets", "servers"}}
	for _, key := range known {
		t.add(keyText(key), k.role(key, state), strconv.Itoa(counts[key]), strings.Join(serversWith(servers, key), ", "))
	}
	if n := counts[0]; n > 0 {
		t.add("none", "in the clear", strconv.Itoa(n), "")
	}
	return t.print(k.cmd)
}

// role is what a key is for.
func (k *keyChange) role(key models.KeyID, state sqlstore.SealingState) string {
	switch {
	case key == state.Current && key == state.Next:
		return "seals, others are being replaced"
	case key == state.Current:
		return "seals"
	case key == state.Next:
		return "next"
	case !slices.Contains(k.keys.Keys(), key):
		return "missing"
	default:
		return "old"
	}
}

func serversWith(servers []models.Server, key models.KeyID) []string {
	var names []string
	for _, s := range servers {
		if slices.Contains(s.Keys, key) {
			names = append(names, s.Name)
		}
	}
	return names
}

func keyText(key models.KeyID) string { return strconv.FormatUint(uint64(key), 10) }

func newSecretsRotateCommand() *cobra.Command {
	var wait time.Duration
	var anew bool
	cmd := &cobra.Command{
		Use: "rotate", Short: "Encrypt all secrets with a new key, while servers run", Args: cobra.NoArgs,
		Long: `Encrypt all secrets with a new key, while servers run.

A new key is put into the keyset file. Once all servers that run have read it, it
encrypts what is written from then on, and what there is is encrypted anew. Servers
on other machines have to be given the file: the command waits for them. When it
is interrupted, at any point, run it again.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withKeys(cmd, func(ctx context.Context, k *keyChange) error { return k.rotate(ctx, wait, anew) })
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", time.Minute, "how long to wait for servers to read the new key")
	cmd.Flags().BoolVar(&anew, "anew", false, "with another key than the one that was begun with and encrypts nothing yet")
	addSettings(cmd, "db.", "secrets.", "log.")
	return cmd
}

// rotate takes up a change of keys where it stands, or begins one.
func (k *keyChange) rotate(ctx context.Context, wait time.Duration, anew bool) error {
	unlock, err := k.keys.Lock()
	if err != nil {
		return err
	}
	defer unlock()
	key, err := k.next(ctx, anew)
	if err != nil {
		return err
	}
	if err := k.takeOver(ctx, key, wait); err != nil {
		return err
	}
	if err := k.keys.Promote(key); err != nil {
		return err
	}
	rows, err := k.store.Reseal(ctx)
	if err != nil {
		return err
	}
	counts, err := k.store.Sealed(ctx)
	if err != nil {
		return err
	}
	if others := others(counts, key); others > 0 {
		return fmt.Errorf("%d secrets are sealed with other keys still: run this again", others)
	}
	if err := k.store.EndKeyChange(ctx, key); err != nil {
		return err
	}
	k.say("%d rows sealed anew; all %d secrets are sealed with key %d", rows, counts[key], key)
	k.say("the old keys can go from %s: dialtone secrets forget", k.keys.Path())
	return nil
}

// next is the key to change to: the one that was begun with, or a new one.
func (k *keyChange) next(ctx context.Context, anew bool) (models.KeyID, error) {
	state, err := k.store.Sealing(ctx)
	if err != nil {
		return 0, err
	}
	key := state.Next
	if key == 0 || anew && key != state.Current {
		if key, err = k.keys.Add(); err != nil {
			return 0, err
		}
		k.say("key %d added to %s", key, k.keys.Path())
		if key, err = k.store.AnnounceKey(ctx, key, anew); err != nil {
			return 0, err
		}
	}
	if err := k.keys.Has(key); err != nil {
		return 0, fmt.Errorf("a change to key %d was begun with another copy of the keyset file: put that one here, or begin with another key (--anew): %w", key, err)
	}
	return key, nil
}

// takeOver has a key seal once all servers have it.
func (k *keyChange) takeOver(ctx context.Context, key models.KeyID, wait time.Duration) error {
	if state, err := k.store.Sealing(ctx); err != nil || state.Current == key {
		return err
	}
	for deadline := time.Now().Add(wait); ; {
		without, err := k.store.SwitchKey(ctx, key)
		if err != nil || len(without) == 0 {
			return err
		}
		if !time.Now().Before(deadline) {
			return fmt.Errorf("these servers have not read key %d: %s; put %s beside them, and run this again (a server that was killed is forgotten after %v)",
				key, serverNames(without), k.keys.Path(), sqlstore.ServerLife)
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func serverNames(servers []models.Server) string {
	var names []string
	for _, s := range servers {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

func others(counts map[models.KeyID]int, key models.KeyID) int {
	n := 0
	for other, count := range counts {
		if other != key {
			n += count
		}
	}
	return n
}

func newSecretsForgetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "forget", Short: "Remove keys from the keyset file that encrypt nothing any more", Args: cobra.NoArgs,
		Long: `Remove keys from the keyset file that encrypt nothing any more.

Backups of the database from before the last change of keys need the old file: keep
a copy with them. Run this on every machine that has a keyset file of its own, or
copy the file there.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withKeys(cmd, func(ctx context.Context, k *keyChange) error { return k.forget(ctx) })
		},
	}
	addSettings(cmd, "db.", "secrets.", "log.")
	return cmd
}

func (k *keyChange) forget(ctx context.Context) error {
	unlock, err := k.keys.Lock()
	if err != nil {
		return err
	}
	defer unlock()
	state, err := k.store.Sealing(ctx)
	if err != nil {
		return err
	}
	if state.Current == 0 || state.Next != 0 {
		return errors.New("a change of keys is under way: finish it first with dialtone secrets rotate")
	}
	counts, err := k.store.Sealed(ctx)
	if err != nil {
		return err
	}
	if n := others(counts, state.Current); n > 0 {
		return fmt.Errorf("%d secrets are sealed with other keys than %d: dialtone secrets rotate seals them anew", n, state.Current)
	}
	removed, err := k.keys.Retain(state.Current)
	if err != nil {
		return err
	}
	k.say("%d keys removed from %s; key %d stays", len(removed), k.keys.Path(), state.Current)
	return nil
}
