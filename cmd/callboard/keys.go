package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"callboard/internal/iam"
	"callboard/internal/keyring"
	"callboard/internal/server"
)

func keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Make, list, rotate and revoke access keys",
		Long: `Keys looks after the access keys of a server: who may call the API, in which account,
and what they may do there. They are in keys.json in the data directory, which only
its owner can read. A running server takes every change over by itself, within a
second; none needs to run.

The pair that "callboard env" prints is the root pair. It is not in that file, may
do everything in its account and is not for applications.`,
		Example: `  callboard keys create --name backend --policy tokens-only.json
  callboard keys list
  callboard keys rotate AKIAABCDEFGHIJKLMNOP
  callboard keys revoke AKIAABCDEFGHIJKLMNOP`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(keysCreateCommand(), keysListCommand(), keysRotateCommand(), keysRevokeCommand())
	return cmd
}

// keysPath is the file that the keys commands work on.
func keysPath(cfg *server.Config) (string, error) {
	path := cfg.KeysPath()
	if path == "" {
		return "", errors.New("data is memory:, so there is no file for access keys: set data to the directory of a server")
	}
	return path, nil
}

// wish is what a new key shall be.
type wish struct {
	name      string
	policies  []string
	expires   string
	temporary time.Duration
}

func keysCreateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make an access key and show it, once",
		Long: `Create makes an access key of the account named by the setting "account". Its policies
say what it may do; a policy is the name of a managed one, such as IVSReadOnlyAccess,
or a JSON file in the language of AWS IAM ("callboard policy check" tries it out). What is
doubtful in a file is told on stderr, what is wrong makes no key. The secret is shown
this once and never again.`,
		Example: `  callboard keys create --name backend --policy tokens-only.json
  callboard keys create --name dashboard --policy IVSReadOnlyAccess --expires 90d
  callboard keys create --account 111122223333        # the whole of another account
  eval "$(callboard keys create --temporary 1h --shell sh)"
  callboard keys create --json | jq -r .SecretAccessKey`,
		Args: noArgs,
	}
	var w wish
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&w.name, "name", keyring.DefaultName, "user name in the ARN of the principal")
	flags.StringArrayVar(&w.policies, "policy", nil, "`policy`: the name of a managed one or a JSON file; may be repeated (default: "+everything+")")
	flags.StringVar(&w.expires, "expires", "", "when it ends, as in 90d, 12h, 2030-01-31 or an RFC 3339 time (default: never)")
	flags.DurationVar(&w.temporary, "temporary", 0, "make temporary credentials, with a session token, for this long")
	show := addShow(cmd)
	load := addSettings(cmd, "data", "files", "account", "listen", "public-url", "region")
	exclusive(cmd, "expires", "temporary")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load()
		if err != nil {
			return err
		}
		return create(cmd, &cfg, w, show)
	}
	return cmd
}

// everything is the policy of a key that was given none.
const everything = "CallboardFullAccess"

func create(cmd *cobra.Command, cfg *server.Config, w wish, show *show) error {
	path, err := keysPath(cfg)
	if err = cmp.Or(err, show.check(cfg)); err != nil {
		return err
	}
	now := time.Now()
	k, err := w.key(cmd, cfg.Account, now)
	if err != nil {
		return err
	}
	_, missing := os.Stat(cfg.Directory())
	err = keyring.Change(cmd.Context(), path, now, func(keys []keyring.Key) ([]keyring.Key, error) { return append(keys, k), nil })
	if err != nil {
		return err
	}
	if errors.Is(missing, fs.ErrNotExist) {
		fmt.Fprintf(cmd.ErrOrStderr(), "callboard: the directory %s was made for the key; a server that keeps its data elsewhere does not know it\n", cfg.Directory())
	}
	if len(w.policies) == 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "callboard: no --policy was given, so this key has %s: it may do everything in account %s\n", everything, k.Account)
	}
	return show.print(cmd.OutOrStdout(), cfg, k)
}

// key makes the key; doubts about its policies go to stderr.
func (w wish) key(cmd *cobra.Command, account string, now time.Time) (keyring.Key, error) {
	like := keyring.Key{Account: account, Name: w.name}
	var err error
	if like.Expires, err = w.end(now); err != nil {
		return like, err
	}
	names := w.policies
	if len(names) == 0 {
		names = []string{everything}
	}
	policies, err := gatherPolicies(names, cmd.InOrStdin())
	if err != nil {
		return like, err
	}
	for i, p := range policies {
		for _, doubt := range p.Doubts() {
			fmt.Fprintln(cmd.ErrOrStderr(), "callboard: warning:", printable(doubt))
		}
		like.Policies = append(like.Policies, kept(names[i], p))
	}
	return keyring.New(like, now, w.temporary > 0)
}

// maxTemporary is the longest life of temporary credentials
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html).
const maxTemporary = 36 * time.Hour

// end is when the key ends, zero for never.
func (w wish) end(now time.Time) (time.Time, error) {
	switch {
	case w.temporary < 0 || w.temporary > maxTemporary || w.temporary > 0 && w.temporary < time.Second:
		return time.Time{}, fmt.Errorf("--temporary is %v: it must be from 1s to %v", w.temporary, maxTemporary)
	case w.temporary > 0:
		return now.Add(w.temporary).UTC().Round(time.Second), nil
	case w.expires == "":
		return time.Time{}, nil
	}
	end, err := moment(w.expires, now)
	if err != nil || !end.After(now) {
		return end, fmt.Errorf("--expires is %q: it must be a time to come, such as 90d, 12h, 2030-01-31 or 2030-01-31T12:00:00Z", w.expires)
	}
	return end.UTC().Round(time.Second), nil
}

// moment reads a time: how long from now, a day or an instant.
func moment(text string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return now.AddDate(0, 0, int(n)), err
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(d), nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day, nil
	}
	return time.Parse(time.RFC3339, text)
}

// kept is a policy as a key keeps it.
func kept(name string, p *iam.Policy) keyring.Policy {
	if _, managed := iam.Managed(name); managed {
		return keyring.Policy{Name: p.Name}
	}
	return keyring.Policy{Name: policyName(p.Name), Document: bytes.TrimPrefix(p.Document(), []byte("\ufeff"))}
}

// policyName makes the name of a policy from that of its file.
func policyName(file string) string {
	base := filepath.Base(file)
	return strings.Map(func(r rune) rune {
		if r < 128 && (r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("_+=,.@-", r)) {
			return r
		}
		return '-'
	}, cmp.Or(strings.TrimSuffix(base, filepath.Ext(base)), "policy"))
}
