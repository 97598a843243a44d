package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"callboard/internal/server"
)

func envCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print the variables that point AWS clients at the server",
		Long: `Env prints shell lines that set the endpoint, the region and the credentials, under
the names that the AWS CLI and all AWS SDKs read. Only IVS Real-Time goes to this
server; all other AWS services keep their own endpoints, but not your usual
credentials as long as the shell has these.

It takes the same flags, variables and file as "callboard serve" and has to be told
the same things. It may run before the server's first start: whichever comes first
makes the credentials, and env says so on stderr.`,
		Example: `  eval "$(callboard env)"                        # sh, bash, zsh
  callboard env --shell fish | source            # fish
  callboard env --shell powershell | iex         # PowerShell
  aws ivs-realtime create-stage --name hello     # then talks to the server`,
		Args: noArgs,
	}
	load := addSettings(cmd, append(clientSettings(), "secret-access-key")...)
	shell := cmd.Flags().String("shell", posix, "whose syntax to print: sh, fish or powershell")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if _, ok := shells[*shell]; !ok {
			return fmt.Errorf("--shell is %q: it must be sh, fish or powershell", *shell)
		}
		cfg, err := load()
		if err != nil {
			return err
		}
		vars, made, err := variables(&cfg)
		if err != nil {
			return err
		}
		if made {
			fmt.Fprintf(cmd.ErrOrStderr(), "callboard: new credentials were made in %s; a server that keeps its data elsewhere does not know them\n", cfg.Directory())
		}
		fmt.Fprint(cmd.OutOrStdout(), vars.lines(*shell))
		return nil
	}
	return cmd
}

// variables are those of the server with this configuration; made tells that
// the credentials among them are new.
func variables(cfg *server.Config) (list variableList, made bool, err error) {
	url, err := cfg.URL()
	if err != nil {
		return nil, false, err
	}
	if cfg.Data == server.Memory && cfg.AccessKeyID == "" && !cfg.Dev {
		return nil, false, errors.New("data is memory:, so only the running server knows its credentials: set access-key-id and secret-access-key, or use dev")
	}
	credentials, made, err := cfg.Credentials()
	if err != nil {
		return nil, false, err
	}
	return environment(credentials, "", cfg.Region, url), made, nil
}

// variableList is names and values, in order. A variable without a value is one
// that must not be set.
type variableList [][2]string

// environment is what makes clients use a pair. One without a session token has no
// use for that of another pair, which may be left in the shell.
func environment(c server.Credentials, sessionToken, region, url string) variableList {
	return variableList{
		{"AWS_ACCESS_KEY_ID", c.AccessKeyID},
		{"AWS_SECRET_ACCESS_KEY", c.SecretAccessKey},
		{"AWS_SESSION_TOKEN", sessionToken},
		{"AWS_REGION", region},
		{"AWS_DEFAULT_REGION", region}, // the only one that boto3 and the AWS CLI read
		{"AWS_ENDPOINT_URL_IVS_REALTIME", url},
	}
}

const posix = "sh"

// shells have two lines for a variable: one that sets it, one that takes it away.
var shells = map[string]struct {
	set   func(name, value string) string
	unset func(name string) string
}{
	posix: {
		func(name, value string) string { return "export " + name + "=" + posixQuote(value) },
		func(name string) string { return "unset " + name },
	},
	"fish": {
		func(name, value string) string { return "set -gx " + name + " " + fishQuote(value) },
		func(name string) string { return "set -e " + name },
	},
	"powershell": {
		func(name, value string) string { return "$env:" + name + " = " + powershellQuote(value) },
		func(name string) string { return "Remove-Item Env:" + name + " -ErrorAction SilentlyContinue" },
	},
}

func (v variableList) lines(shell string) string {
	var b strings.Builder
	for _, pair := range v {
		line := shells[shell].unset(pair[0])
		if pair[1] != "" {
			line = shells[shell].set(pair[0], pair[1])
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

func posixQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func powershellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
