package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"callboard/internal/server"
)

func healthCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "health [URL]",
		Short: "Ask a server whether it is ready",
		Long: `Health asks the /readyz of a server and ends with status 0 if it is ready, with 1 if
not. It is for health checks in containers that have no other program.

Without a URL it asks on this machine, at the listen address that "callboard serve"
would have with the same variables and file.`,
		Example: `  callboard health
  callboard health http://127.0.0.1:7480 --timeout 1s
  callboard health https://callboard.example.com/base`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return errors.New("health takes one URL at most")
			}
			return nil
		},
	}
	load := addSettings(cmd, "listen", "public-url")
	timeout := cmd.Flags().Duration("timeout", 3*time.Second, "give up after this time")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *timeout <= 0 {
			return fmt.Errorf("--timeout is %v: it must be a duration such as 3s", *timeout)
		}
		address, err := healthAddress(args, load)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), *timeout)
		defer cancel()
		return health(ctx, address)
	}
	return cmd
}

// healthAddress is the URL of readyz.
func healthAddress(args []string, load func() (server.Config, error)) (string, error) {
	if len(args) == 1 {
		u, err := url.Parse(args[0])
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return "", fmt.Errorf("%q is no URL: it must be one like http://127.0.0.1:7480", args[0])
		}
		if strings.HasSuffix(u.Path, "/readyz") {
			return u.String(), nil
		}
		return u.JoinPath("readyz").String(), nil
	}
	cfg, err := load()
	if err != nil {
		return "", err
	}
	address, err := cfg.LocalURL()
	return address + "/readyz", err
}

// health gives an error that says why a server is not ready.
func health(ctx context.Context, address string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // of no proxy: it asks its own machine
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	reason, _ := io.ReadAll(io.LimitReader(resp.Body, 200)) // what it says is more than its status, but no must
	return fmt.Errorf("%s is not ready: %d %s", address, resp.StatusCode, strings.Join(strings.Fields(string(reason)), " "))
}
