package main

import (
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"callboard/internal/server"
)

// addSettings gives a command one flag for each setting of the server, and the
// function that loads the configuration from flags, variables and file. Help shows
// those that matter to the command, all of them if none is named.
func addSettings(cmd *cobra.Command, matter ...string) func() (server.Config, error) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.String("config", os.Getenv(configVariable), "configuration `file` (YAML; variable CALLBOARD_CONFIG)")
	for _, s := range server.Settings() {
		if s.Switch {
			flags.Bool(s.Name, s.Default() == "true", s.Usage)
		} else {
			flags.String(s.Name, s.Default(), s.Usage)
		}
		flags.Lookup(s.Name).Hidden = len(matter) > 0 && !slices.Contains(matter, s.Name)
	}
	if len(matter) > 0 {
		cmd.Long += "\n\nThe other settings of \"callboard serve\" are accepted as well."
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

const configVariable = "CALLBOARD_CONFIG"

// clientSettings are those that say how clients reach a server, but for the secret.
func clientSettings() []string {
	return []string{"listen", "public-url", "data", "files", "region", "account", "access-key-id", "dev", "dev-network"}
}

// givenSetting is the value that a setting has from a flag or a variable.
func givenSetting(cmd *cobra.Command, name, variable string) (string, bool) {
	if cmd.Flags().Changed(name) {
		return cmd.Flags().Lookup(name).Value.String(), true
	}
	value := os.Getenv(variable)
	return value, value != ""
}

// givenSettings are the settings from the command line and the environment as
// another command line would need them to mean the same server. Those from the
// configuration file come with its name.
func givenSettings(cmd *cobra.Command) []string {
	var args []string
	add := func(name, variable string) {
		if value, ok := givenSetting(cmd, name, variable); ok {
			args = append(args, "--"+name+"="+server.Shown(value))
		}
	}
	add("config", configVariable)
	for _, s := range server.Settings() {
		if slices.Contains(clientSettings(), s.Name) {
			add(s.Name, s.Variable())
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
