package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"callboard/internal/iam"
)

func policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Try out policies before an access key gets them",
		Long: `Policy reads identity policies as AWS users know them, says what is wrong with them,
and what they allow. It needs no server.`,
		Example: `  callboard policy check --policy radio.json --action CreateStage
  callboard policy list
  callboard policy show IVSReadOnlyAccess > mine.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(policyCheckCommand(), policyListCommand(), policyShowCommand())
	return cmd
}

func policyListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the managed policies, which need not be written",
		Example: `  callboard policy list`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rows := [][]string{{"NAME", "ALLOWS"}}
			for _, name := range iam.ManagedNames() {
				rows = append(rows, []string{name, iam.About(name)})
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), align(rows))
			return err
		},
	}
}

func policyShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Print a managed policy, to use or to begin with",
		Example: `  callboard policy show IVSReadOnlyAccess > mine.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("show needs one NAME of a managed policy")
			}
			return nil
		},
		ValidArgs: iam.ManagedNames(),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, ok := iam.Managed(args[0])
			if !ok {
				return fmt.Errorf("there is no managed policy %q, only %s", args[0], strings.Join(iam.ManagedNames(), ", "))
			}
			_, err := cmd.OutOrStdout().Write(p.Document())
			return err
		},
	}
}

// gatherPolicies reads the policies that are named on a command line, each by the
// name of a managed policy, its file, or - for standard input.
func gatherPolicies(names []string, stdin io.Reader) ([]*iam.Policy, error) {
	policies := make([]*iam.Policy, len(names))
	for i, name := range names {
		p, err := gatherPolicy(name, stdin)
		if err != nil {
			return nil, err
		}
		policies[i] = p
	}
	return policies, nil
}

func gatherPolicy(name string, stdin io.Reader) (*iam.Policy, error) {
	if p, ok := iam.Managed(name); ok {
		return p, nil
	}
	if name == "-" {
		document, err := io.ReadAll(stdin)
		if err != nil {
			return nil, err
		}
		return iam.Parse("stdin", document)
	}
	document, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("--policy %s is neither a file nor a managed policy (%s)", name, strings.Join(iam.ManagedNames(), ", "))
	}
	if err != nil {
		return nil, err
	}
	return iam.Parse(name, document)
}
