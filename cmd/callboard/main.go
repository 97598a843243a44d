// Command callboard is a doorway to Callboard: it runs the server, points AWS
// clients at it, calls the roll of a stage, and shows all of it at work.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func init() { cobra.EnableCommandSorting = false } // help lists commands in the order of their use

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run gives the exit status: 0, 1 when the work failed, 2 when the command line
// makes no sense.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	started := false
	root := &cobra.Command{
		Use:   "callboard",
		Short: "Self-hosted real-time stages with the Amazon IVS Real-Time API",
		Long: `Callboard is a server for real-time stages: people join with a token, publish and
subscribe over WebRTC; "who is there" is answered to any AWS CLI or SDK.`,
		Example: `  callboard demo --for 20s                            see it work, with nothing to install or leave behind
  callboard serve                                     run a server
  eval "$(callboard env)"                             point the AWS CLI and SDKs at it
  callboard ls <stage ARN or name>                    call the roll
  callboard watch <stage ARN or name>                 see it change
  callboard attendance <stage ARN or name>            who was there for how long
  callboard keys create --policy IVSReadOnlyAccess    make an access key that only reads
  callboard policy check --policy radio.json --action CreateStage
                                                      try out what a policy allows
  callboard quotas                                    see what "serve --quotas aws" would bound`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			err := cmd.ValidateFlagGroups()
			started = err == nil
			return err
		},
	}
	addGroup(root, "To begin with:", demoCommand(), serveCommand(), envCommand(), healthCommand(), versionCommand())
	addGroup(root, "The roll of a stage:", lsCommand(), watchCommand())
	addGroup(root, "Questions about a session:", participantsCommand(), countCommand(), attendanceCommand(), concurrencyCommand(), exportCommand())
	addGroup(root, "Media of a stage:", mediaCommand(), explainCommand())
	addGroup(root, "What a server lets in and tells:", keysCommand(), policyCommand(), quotasCommand(), webhooksCommand())
	addGroup(root, "What a server remembers:", eraseCommand(), migrateCommand(), verifyCommand())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	if errors.Is(err, errDenied) {
		return 1
	}
	if started {
		fmt.Fprintln(stderr, "callboard:", sentence(err))
		return 1
	}
	oneLine := strings.Join(strings.Fields(err.Error()), " ")
	fmt.Fprintf(stderr, "callboard: %s (see \"%s --help\")\n", oneLine, cmd.CommandPath())
	return 2
}

// addGroup adds commands that help lists under one title.
func addGroup(root *cobra.Command, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title})
	for _, c := range commands {
		c.GroupID = title
	}
	root.AddCommand(commands...)
}
