package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// exclusive lets only one of the flags be given. The command must have its Args.
func exclusive(cmd *cobra.Command, names ...string) {
	cmd.MarkFlagsMutuallyExclusive(names...) // which is for completion: its error would come later
	args := cmd.Args
	cmd.Args = func(cmd *cobra.Command, given []string) error {
		if err := args(cmd, given); err != nil {
			return err
		}
		var both []string
		for _, name := range names {
			if cmd.Flags().Changed(name) {
				both = append(both, "--"+name)
			}
		}
		if len(both) > 1 {
			return fmt.Errorf("%s exclude each other: give one of them", strings.Join(both, " and "))
		}
		return nil
	}
}

// noArgs refuses whatever is not a flag.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no arguments, and was given %.64q", strings.TrimPrefix(cmd.CommandPath(), "callboard "), args[0])
	}
	return nil
}
