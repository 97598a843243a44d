package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"callboard/internal/server"
)

func verifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Hold all stored facts against each other",
		Long: `Verify reads everything that is stored and says where facts contradict each other:
a count that is not the number of rows, a LEFT without a JOINED, two sessions of a
stage at once, a filter that leaves somebody out. It ends with status 0 if there is
nothing of the kind, with 1 if there is.

The server must be stopped. The database is opened as "callboard serve" opens it, so
one of an older version is brought to the schema of this one; no fact is changed.`,
		Example: `  callboard verify
  callboard verify --data /var/lib/callboard
  callboard verify --data postgres://callboard@db.example.com/callboard`,
		Args: noArgs,
	}
	load := addSettings(cmd, "data")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load()
		if err != nil {
			return err
		}
		report, err := server.Verify(cmd.Context(), cfg)
		if report == nil {
			return err
		}
		out := cmd.OutOrStdout()
		for _, problem := range report.Problems {
			fmt.Fprintln(out, problem)
		}
		fmt.Fprintf(out, "%s, %s, %s, %s: %s\n", counted(report.Events, "event"), counted(report.Stages, "stage"),
			counted(report.Sessions, "session"), counted(report.Participants, "participant"), counted(report.Wrong, "contradiction"))
		if report.Wrong > 0 {
			return fmt.Errorf("%s", counted(report.Wrong, "contradiction"))
		}
		return err
	}
	return cmd
}
