package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func eraseCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "erase USERID",
		Short: "Erase who had a user id; counts stay",
		Long: `Erase takes user id, attributes and client from every participant that had this user id,
in all sessions of the account. The participants stay, under their participant ids and with
their events, so that no count changes. It cannot be undone. Who is connected must be
disconnected first.`,
		Example: `  callboard erase erika.mustermann@example.org
  callboard erase user-4711 --stage rehearsal`,
		Args: oneArgument("USERID"),
	}
	var f awsFlags
	var stageName string
	var quick bool
	flags := cmd.Flags()
	flags.StringVar(&stageName, "stage", "", "only on this stage, by ARN or name")
	flags.BoolVar(&quick, "quick", false, "leave fragments in unused parts of the database's file, which is else made anew: seconds for a gigabyte")
	f.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := f.desk(cmd.Context())
		if err != nil {
			return err
		}
		body := map[string]any{"userId": args[0], "quick": quick}
		if stageName != "" {
			if body["stageArn"], err = findStage(cmd.Context(), client.aws, stageName); err != nil {
				return err
			}
		}
		var out struct{ Participants, Sessions int }
		if err := client.call(cmd.Context(), "POST", "/erasures", nil, body, &out); err != nil {
			return err
		}
		if out.Participants == 0 {
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "Nobody has this user id.")
			return err
		}
		were := "were"
		if out.Participants == 1 {
			were = "was"
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s in %s %s erased.\n", counted(out.Participants, "participant"), counted(out.Sessions, "session"), were)
		return err
	}
	return cmd
}
