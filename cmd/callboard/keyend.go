package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"callboard/internal/keyring"
	"callboard/internal/server"
)

func keysRotateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate ID",
		Short: "Make a new pair with the same rights; the old one ends after a grace",
		Long: `Rotate makes another pair for the owner of an access key, with the same policies and
as long a life, and shows it once. The old pair goes on for the grace, so that whoever
uses it can be given the new one without a gap, and expires then. It cannot be
rotated once more.

If somebody else may know the old pair, use --grace 0.`,
		Example: `  callboard keys rotate AKIAABCDEFGHIJKLMNOP
  callboard keys rotate AKIAABCDEFGHIJKLMNOP --grace 0 --json`,
		Args: oneID("rotate"),
	}
	cmd.Flags().SortFlags = false
	grace := cmd.Flags().Duration("grace", 24*time.Hour, "how long the old pair goes on")
	show := addShow(cmd)
	load := addSettings(cmd, "data", "files", "account", "listen", "public-url", "region")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := load()
		if err != nil {
			return err
		}
		if *grace < 0 {
			return fmt.Errorf("--grace is %v: it must be 0 or more", *grace)
		}
		return rotate(cmd, &cfg, args[0], *grace, show)
	}
	return cmd
}

func rotate(cmd *cobra.Command, cfg *server.Config, id string, grace time.Duration, show *show) error {
	if err := show.check(cfg); err != nil {
		return err
	}
	var old, next keyring.Key
	now := time.Now()
	err := changeKey(cmd, cfg, id, now, func(keys []keyring.Key, k *keyring.Key) (_ []keyring.Key, err error) {
		if k.Successor != "" && k.State(now) == "active" {
			return nil, fmt.Errorf("%s was rotated before and has a successor already, %s: rotate that one, or use \"callboard keys revoke\" to end this one", k, k.Successor)
		}
		next, err = k.Rotate(now, grace)
		k.Successor = next.ID
		old = *k
		return append(keys, next), err
	})
	if err != nil {
		return err
	}
	if old.State(now) == "active" {
		fmt.Fprintf(cmd.ErrOrStderr(), "callboard: %s goes on until %s\n", old, old.Expires.Local().Format(time.DateTime))
	} else {
		fmt.Fprintf(cmd.ErrOrStderr(), "callboard: %s has ended\n", old)
	}
	return show.print(cmd.OutOrStdout(), cfg, next)
}

func keysRevokeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke ID",
		Short: "End an access key at once",
		Long: `Revoke ends an access key for good. A running server refuses it within a second;
participant tokens that were made with it are not concerned. The record of the key,
without its secret, is listed for 90 days more, as long as there is room.`,
		Example: `  callboard keys revoke AKIAABCDEFGHIJKLMNOP`,
		Args:    oneID("revoke"),
	}
	load := addSettings(cmd, "data", "files")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := load()
		if err != nil {
			return err
		}
		now := time.Now()
		err = changeKey(cmd, &cfg, args[0], now, func(keys []keyring.Key, k *keyring.Key) ([]keyring.Key, error) {
			if k.Revoked.IsZero() {
				k.Revoke(now)
			}
			return keys, nil
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "Access key %s is revoked.\n", args[0])
		return err
	}
	return cmd
}

func oneID(verb string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("keys %s needs one ID, as \"callboard keys list\" shows it", verb)
		}
		return nil
	}
}

// changeKey changes one key that is in the file.
func changeKey(cmd *cobra.Command, cfg *server.Config, id string, now time.Time, change func([]keyring.Key, *keyring.Key) ([]keyring.Key, error)) error {
	path, err := keysPath(cfg)
	if err != nil {
		return err
	}
	if root, ok := cfg.RootKeyID(); ok && root == id {
		return fmt.Errorf("%s is the root pair: it comes from the settings or from %s, which may be removed for a new one", id, filepath.Join(cfg.Directory(), "credentials.json"))
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("there is no access key %s: %w", id, err)
	}
	return keyring.Change(cmd.Context(), path, now, func(keys []keyring.Key) ([]keyring.Key, error) {
		i := slices.IndexFunc(keys, func(k keyring.Key) bool { return k.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("there is no access key %.128q in %s", id, path)
		}
		return change(keys, &keys[i])
	})
}
