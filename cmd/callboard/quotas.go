package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"callboard/internal/quota"
	"callboard/internal/server"
)

func quotasCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quotas [aws|none|FILE]",
		Short: "Show how much an account may have and how fast it may call",
		Long: `Quotas shows what "callboard serve --quotas" would bound with the same value: each
quota and each rate beside the figure of AWS. Without an argument it shows aws.

What is marked as not enforced yet is read and shown, and bounds nothing. With any
value the server counts what AWS would have refused, in /metrics and in the log.`,
		Example: `  callboard quotas
  callboard quotas aws --print > quotas.yaml    # to be changed, and then:
  callboard quotas quotas.yaml
  callboard serve --quotas quotas.yaml`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return errors.New("quotas takes one argument at most: aws, none or a file")
			}
			return nil
		},
		ValidArgs: []string{"aws", "none"},
	}
	asFile := cmd.Flags().Bool("print", false, "print a file to start from")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		name := "aws"
		if len(args) > 0 {
			name = args[0]
		}
		profile, err := server.Quotas(name)
		if err != nil {
			return err
		}
		text := quotasTable(profile)
		if *asFile {
			text = profile.File()
		}
		_, err = fmt.Fprint(cmd.OutOrStdout(), text)
		return err
	}
	return cmd
}

// quotasTable writes a profile for people.
func quotasTable(p quota.Profile) string {
	rows := [][]string{{"QUOTA", "VALUE", "AWS", "ADJUSTABLE ON AWS", ""}}
	for _, r := range p.Table() {
		rows = append(rows, []string{r.Quota, r.Value, r.AWS, r.Adjustable, r.About})
	}
	return align(rows)
}
