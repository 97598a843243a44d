package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

func watchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "watch STAGE",
		Short: "Watch the roll of a stage change",
		Long: `Watch shows who is and was on a stage, and keeps showing it as people come, go and
publish. STAGE is an ARN, or the name of one of your stages.

On a terminal it is a table that changes in place. Elsewhere, or with --json, it is one
line of JSON for each message of the server, with event, id and data; the id of any
line is a cursor, after which --resume goes on.

If the connection is lost it comes back by itself and goes on where it was.

With --session it watches one session, and ends when that ends; without, whatever
session the stage has. This needs a Callboard: AWS has no such thing.`,
		Example: `  callboard watch rehearsal
  callboard watch rehearsal --filter state=CONNECTED --filter attribute.role=host
  callboard watch rehearsal --session st-AbCdEfGhIjKlM --json
  callboard watch rehearsal --json --resume 1042-Q3hMf0a_2x >> changes.jsonl`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("watch needs one STAGE, an ARN or a name")
			}
			return nil
		},
	}
	var q watchQuery
	var f awsFlags
	flags := cmd.Flags()
	flags.StringVar(&q.session, "session", "", "session id, or latest (default: whatever session is live)")
	flags.StringArrayVar(&q.filters, "filter", nil, "only who matches, as in state=CONNECTED, published=true, userId=alice, userIdPrefix=a, attribute.role=host, protocol=WHIP; may be repeated")
	flags.BoolVar(&q.json, "json", false, "print lines of JSON on a terminal, too")
	flags.StringVar(&q.cursor, "resume", "", "go on after this cursor")
	f.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := f.desk(cmd.Context())
		if err != nil {
			return err
		}
		return q.run(cmd.Context(), client, args[0], cmd.OutOrStdout())
	}
	return cmd
}

// watchQuery is what to watch and how.
type watchQuery struct {
	session, cursor string
	filters         []string
	json            bool
}

func (q watchQuery) run(ctx context.Context, client *deskClient, name string, out io.Writer) error {
	path, err := client.stagePath(ctx, name)
	if err != nil {
		return err
	}
	if q.session != "" {
		path += "/sessions/" + url.PathEscape(q.session)
	}
	query := url.Values{}
	for _, f := range q.filters {
		name, value, ok := strings.Cut(f, "=")
		if !ok {
			return fmt.Errorf("--filter is %q; it must be like state=CONNECTED", f)
		}
		query.Set(name, value)
	}
	s := deskStream{client: client, path: path + "/watch", query: query, cursor: q.cursor}
	lines := q.json || !isTerminal(out)
	if q.cursor != "" && !lines {
		return errors.New("--resume goes on after lines of JSON, so it needs --json here")
	}
	if lines {
		return s.each(ctx, func(m streamMessage) error { return json.NewEncoder(out).Encode(m) })
	}
	picture := rollPicture{screen: newScreen(out), roll: map[string]watched{}}
	s.lost = func(err error) { picture.note(sentence(err)) }
	return s.each(ctx, picture.apply)
}
