package main

import (
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"callboard/internal/server"
)

// addSettings gives a command one flag for each setting of the server, and the
// function that loads the configuration from flags, variables and file.
func addSettings(cmd *cobra.Command) func() (server.Config, error) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.String("config", os.Getenv("CALLBOARD_CONFIG"), "configuration `file` (YAML; variable CALLBOARD_CONFIG)")
	for _, s := range server.Settings() {
		if s.Switch {
			flags.Bool(s.Name, s.Default() == "true", s.Usage)
			continue
		}
		flags.String(s.Name, s.Default(), s.Usage)
	}
	return func() (server.Config, error) {
		return server.Load(server.Sources{
			File: flags.Lookup("config").Value.String(),
			Env:  os.LookupEnv,
			Flag: func(name string) (string, bool) {
				return flags.Lookup(name).Value.String(), flags.Changed(name)
			},
		})
	}
}

// givenSettings are the settings on the command line as another command line
// would need them to mean the same server.
func givenSettings(cmd *cobra.Command) []string {
	var args []string
	add := func(name string) {
		if cmd.Flags().Changed(name) {
			args = append(args, "--"+name+"="+cmd.Flags().Lookup(name).Value.String())
		}
	}
	add("config")
	for _, s := range server.Settings() {
		if about := []string{"listen", "public-url", "data", "region", "account", "access-key-id", "dev", "dev-network"}; slices.Contains(about, s.Name) {
			add(s.Name)
		}
	}
	for i := range args {
		if strings.ContainsFunc(args[i], func(r rune) bool { return !strings.ContainsRune(shellSafe, r) }) {
			args[i] = posixQuote(args[i])
		}
	}
	return args
}

const shellSafe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:,@+"
