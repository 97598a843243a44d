package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"callboard/internal/server"
)

func migrateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate --from DATA --to DATA",
		Short: "Move the facts from a directory to PostgreSQL, or back",
		Long: `Migrate copies everything that a server remembers to another place, where nothing may
be yet: stages, sessions, participants, events, and the secrets that sign tokens. Each
place is what --data of "callboard serve" may be: a directory, or the URL of a PostgreSQL
database. No server may use either meanwhile.

All of it arrives, in one transaction, or nothing does. The source stays as it is, and so do
the files of credentials and access keys: a server on a database reads them from the
directory that --files names.`,
		Example: `  callboard migrate --from ./callboard-data --to postgres://callboard@db.example.com/callboard
  callboard migrate --from postgres://callboard@db.example.com/callboard --to ./callboard-data`,
		Args: noArgs,
	}
	cmd.Flags().SortFlags = false
	from := cmd.Flags().String("from", "", "`place` of the facts: a directory or the URL of a database")
	to := cmd.Flags().String("to", "", "`place` where they shall be: a directory or the URL of a database")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *from == "" || *to == "" {
			return errors.New("migrate needs --from and --to")
		}
		stderr := cmd.ErrOrStderr()
		err := server.Migrate(cmd.Context(), *from, *to, func(line string) { fmt.Fprintln(stderr, line) })
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "Everything of %s is in %s now, but for credentials.json and keys.json, which stay where they are.\n", server.Shown(*from), server.Shown(*to))
		return nil
	}
	return cmd
}
