package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"callboard/internal/keyring"
	"callboard/internal/server"
)

func keysListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the access keys, without their secrets",
		Long: `List shows who may call the API: the root pair first, then the keys in the order in
which they were made, with the time when each ends or has ended. Keys that have ended
are listed for 90 days, temporary ones for a day.`,
		Example: `  callboard keys list
  callboard keys list --data /var/lib/callboard --json | jq -r '.AccessKeys[].AccessKeyId'`,
		Args: noArgs,
	}
	cmd.Flags().SortFlags = false
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	load := addSettings(cmd, "data", "files", "account")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load()
		if err != nil {
			return err
		}
		path, err := keysPath(&cfg)
		if err != nil {
			return err
		}
		keys, err := keyring.Read(path)
		if err != nil {
			return err
		}
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(cmd.ErrOrStderr(), "callboard: there is no %s, so no access keys have been made here\n", path)
		}
		if *asJSON {
			return printKeys(cmd.OutOrStdout(), keys, time.Now())
		}
		root, _ := cfg.RootKeyID()
		_, err = fmt.Fprint(cmd.OutOrStdout(), keyTable(root, cfg.Account, keys, time.Now()))
		return err
	}
	return cmd
}

// keyTable writes the keys for people; root is the id of the root pair, "" if
// there is none yet.
func keyTable(root, account string, keys []keyring.Key, now time.Time) string {
	rows := [][]string{{"ACCESS KEY ID", "STATE", "ACCOUNT", "NAME", "POLICIES", "ENDS", "AGE"}}
	if root != "" {
		rows = append(rows, []string{root, "active", account, "root", "everything", "never", "-"})
	}
	for _, k := range keys {
		ends, age := "never", "-"
		if end := k.Ended(); !end.IsZero() {
			ends = end.Local().Format(time.DateTime)
		}
		if !k.Created.IsZero() {
			age = span(now.Sub(k.Created))
		}
		rows = append(rows, []string{k.ID, k.State(now), k.Account, k.Name, cmp.Or(strings.Join(policyNames(k), ", "), "none"), ends, age})
	}
	return align(rows)
}

func policyNames(k keyring.Key) []string {
	names := make([]string, 0, len(k.Policies))
	for _, p := range k.Policies {
		names = append(names, p.Name)
	}
	return names
}

// span tells a length of time in its largest unit.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", max(d, 0)/time.Second)
}

// keyFacts is a key in JSON, under the names that AWS has for its parts.
// Whoever reads the output of a credential_process takes the first five.
type keyFacts struct {
	Version         int        `json:",omitzero"`
	AccessKeyID     string     `json:"AccessKeyId"`
	SecretAccessKey string     `json:",omitempty"`
	SessionToken    string     `json:",omitempty"`
	Expiration      *time.Time `json:",omitempty"`
	Status          string
	Account         string
	UserName        string
	Arn             string
	Policies        []string
	CreateDate      *time.Time `json:",omitempty"`
	RevokeDate      *time.Time `json:",omitempty"`
}

// publicFacts are those of a key that anybody may know.
func publicFacts(k keyring.Key, now time.Time) keyFacts {
	f := keyFacts{
		AccessKeyID: k.ID, Status: k.State(now), Account: k.Account, UserName: k.Name, Arn: k.ARN(), Policies: policyNames(k),
	}
	if !k.Expires.IsZero() {
		f.Expiration = new(k.Expires.UTC())
	}
	if !k.Created.IsZero() {
		f.CreateDate = new(k.Created.UTC())
	}
	if !k.Revoked.IsZero() {
		f.RevokeDate = new(k.Revoked.UTC())
	}
	return f
}

func printKeys(out io.Writer, keys []keyring.Key, now time.Time) error {
	list := struct{ AccessKeys []keyFacts }{make([]keyFacts, 0, len(keys))}
	for _, k := range keys {
		list.AccessKeys = append(list.AccessKeys, publicFacts(k, now))
	}
	return indented(out, list)
}

func indented(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "    ")
	return e.Encode(v)
}

// show is how a new key is shown.
type show struct {
	json  bool
	shell string
}

func addShow(cmd *cobra.Command) *show {
	s := new(show)
	cmd.Flags().BoolVar(&s.json, "json", false, "print JSON, as a credential_process of the AWS CLI and SDKs does")
	cmd.Flags().StringVar(&s.shell, "shell", "", "print lines as \"callboard env\" does: sh, fish or powershell")
	exclusive(cmd, "json", "shell")
	return s
}

// check finds out whether the key could be shown, before there is one.
func (s *show) check(cfg *server.Config) error {
	if s.shell == "" {
		return nil
	}
	if _, ok := shells[s.shell]; !ok {
		return fmt.Errorf("--shell is %q: it must be sh, fish or powershell", s.shell)
	}
	_, err := cfg.URL()
	return err
}

// print shows a new key with its secrets.
func (s *show) print(out io.Writer, cfg *server.Config, k keyring.Key) error {
	switch {
	case s.json:
		f := publicFacts(k, time.Now())
		f.Version, f.SecretAccessKey, f.SessionToken = 1, k.Secret, k.SessionToken
		return indented(out, f)
	case s.shell != "":
		url, err := cfg.URL()
		if err != nil {
			return err
		}
		vars := environment(server.Credentials{AccessKeyID: k.ID, SecretAccessKey: k.Secret}, k.SessionToken, cfg.Region, url)
		_, err = fmt.Fprint(out, vars.lines(s.shell))
		return err
	}
	_, err := fmt.Fprint(out, newKey(k))
	return err
}

// newKey shows a new key to people.
func newKey(k keyring.Key) string {
	expires := "never"
	if !k.Expires.IsZero() {
		expires = k.Expires.Local().Format(time.DateTime)
	}
	rows := [][]string{
		{"Principal", k.ARN()},
		{"Policies", strings.Join(policyNames(k), ", ")},
		{"Expires", expires},
		{"Access key ID", k.ID},
		{"Secret access key", k.Secret},
	}
	if k.SessionToken != "" {
		rows = append(rows, []string{"Session token", k.SessionToken})
	}
	return align(rows) + "Keep the secret now: it is not shown again.\n"
}
