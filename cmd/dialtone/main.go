// Command dialtone is a SIP phone provisioning server and the tools around it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the build.
var version = "devel"

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitFound  = 3 // lint; phones that did not come back
	exitDiffer = 4 // template test and diff
)

// An outcome is not a failure: the command did its work, and this is what
// came out.
type outcome struct {
	code int
	text string
}

func (o outcome) Error() string { return o.text }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// run executes one command line and gives its exit code.
func run(ctx context.Context, args []string) int {
	root := newRootCommand()
	started := noteStart(root)
	root.SetArgs(longFlags(args))
	err := root.ExecuteContext(ctx)
	result, isOutcome := errors.AsType[outcome](err)
	switch {
	case err == nil:
		return exitOK
	case isOutcome:
		fmt.Fprintln(os.Stderr, "dialtone:", result.text)
		return result.code
	case *started:
		fmt.Fprintln(os.Stderr, "dialtone:", err)
		return exitFailed
	default:
		fmt.Fprintf(os.Stderr, "dialtone: %v\nRun 'dialtone --help' for usage.\n", err)
		return exitUsage
	}
}

// longFlags lets -update be written as the go command's tests have it.
func longFlags(args []string) []string {
	args = slices.Clone(args)
	if i := slices.Index(args, "-update"); i >= 0 {
		args[i] = "--update"
	}
	return args
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "dialtone",
		Short:         "SIP phone provisioning server",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(
		newServeCommand(),
		newMigrateCommand(),
		newAccountCommand(),
		newDeviceCommand(),
		newPhoneCommand(),
		newSyncCommand(),
		newSecretsCommand(),
		newBackupCommand(),
		newRestoreCommand(),
		newTemplateCommand(),
		newVersionCommand(),
	)
	for _, cmd := range root.Commands() {
		if cmd.RunE == nil { // it only holds others: a word that is none of them is a mistake
			cmd.RunE = root.RunE
		}
	}
	return root
}

// noteStart lets run tell a mistake on the command line from a failure of the
// command: the flag turns true once a command's own work has begun.
func noteStart(cmd *cobra.Command) *bool {
	started := new(bool)
	var wrap func(*cobra.Command)
	wrap = func(cmd *cobra.Command) {
		if work := cmd.RunE; work != nil {
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				*started = true
				return work(cmd, args)
			}
		}
		for _, sub := range cmd.Commands() {
			wrap(sub)
		}
	}
	wrap(cmd)
	return started
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "dialtone", version)
			return err
		},
	}
}
