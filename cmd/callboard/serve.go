package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"callboard/internal/server"
)

func serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Serve runs Callboard until it is interrupted. One HTTP port carries the API, WHIP
and WHEP, the presence WebSocket, /healthz, /readyz and /metrics; one UDP port
carries all media, and TCP on the same number where UDP is blocked.

Every flag is also a variable (--public-url is CALLBOARD_PUBLIC_URL) and a key of
the file named by --config; a flag wins over a variable, a variable over the file.

The first start makes credentials and keeps them in the data directory. An
interrupt ends it in order: everybody leaves, the list says so, the facts are
closed. A second interrupt ends it at once; the next start then sets the list right.`,
		Example: `  callboard serve
  callboard serve --listen 0.0.0.0:7480 --media 0.0.0.0:7481 --public-url http://192.168.1.10:7480
  callboard serve --dev --data memory: --seed seed.yaml    # for tests on this machine
  # behind a TLS proxy, with media straight to UDP port 7481 of the public address:
  callboard serve --public-url https://callboard.example.com --media 0.0.0.0:7481 --media-ip 203.0.113.7
  callboard serve --print-config > callboard.yaml && callboard serve --config callboard.yaml`,
		Args: noArgs,
	}
	load := addSettings(cmd)
	printConfig := cmd.Flags().Bool("print-config", false, "print a configuration file with all defaults, explained, and stop")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *printConfig {
			fmt.Fprint(cmd.OutOrStdout(), server.Sample())
			return nil
		}
		for _, stray := range strays(os.Environ()) {
			fmt.Fprintln(cmd.ErrOrStderr(), "callboard: warning:", stray)
		}
		cfg, err := load()
		if err != nil {
			return err
		}
		return serve(cmd, cfg)
	}
	return cmd
}

func serve(cmd *cobra.Command, cfg server.Config) error {
	cfg.LogOutput = cmd.ErrOrStderr()
	cfg.Serving = func(s *server.Server) { announce(cmd.OutOrStdout(), s, &cfg, cmd) }
	s, err := server.New(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	if err := s.Run(cmd.Context()); err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), "Stopped.")
	return nil
}

// announce says that the server answers, and how to make clients talk to it.
func announce(w io.Writer, s *server.Server, cfg *server.Config, cmd *cobra.Command) {
	fmt.Fprintf(w, "Ready. %s (media on UDP %s)\n", s.URL(), s.MediaAddr())
	given := givenSettings(cmd)
	if cfg.Data == server.Memory && cfg.AccessKeyID == "" && !cfg.Dev {
		// Nobody else can know these credentials: "callboard env" has no file to read.
		fmt.Fprintf(w, "To use the AWS CLI and SDKs with it:\n%s", environment(s.Credentials(), "", cfg.Region, s.URL()).lines(posix))
		return
	}
	if strings.HasSuffix(cfg.Listen, ":0") && cfg.PublicURL == "" {
		given = append(given, "--public-url="+s.URL())
	}
	command := strings.Join(append([]string{"callboard", "env"}, given...), " ")
	first := ""
	if _, given := givenSetting(cmd, "secret-access-key", "CALLBOARD_SECRET_ACCESS_KEY"); given { // which is not repeated here
		first = "set CALLBOARD_SECRET_ACCESS_KEY to its secret access key, then "
	}
	fmt.Fprintf(w, "To use the AWS CLI and SDKs with it: %seval \"$(%s)\"\n", first, command)
}
