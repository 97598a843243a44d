package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// inquiry is what the commands that ask about one session have in common.
type inquiry struct {
	aws     awsFlags
	session string
	json    bool

	state, userID, prefix, recording, protocol string
	published, publishing                      bool
	attributes                                 []string
	from, before, at                           string
	present                                    time.Duration
	cmd                                        *cobra.Command
}

// asks makes a command of one STAGE that is asked about; conditions gives it flags
// for those. Its own flags come next, and then common.
func (q *inquiry) asks(cmd *cobra.Command, conditions bool) *cobra.Command {
	q.cmd = cmd
	name, _, _ := strings.Cut(cmd.Use, " ")
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return errors.New(name + " needs one STAGE, an ARN or a name")
		}
		return nil
	}
	flags := cmd.Flags()
	flags.StringVar(&q.session, "session", "latest", "session id, or live, or latest")
	if conditions {
		flags.StringVar(&q.at, "at", "", "ask about this moment instead of now: a time such as 2026-01-02T15:04:05Z, or how long ago, as 90m")
		flags.StringVar(&q.state, "state", "", "only CONNECTED or DISCONNECTED")
		flags.BoolVar(&q.publishing, "publishing", false, "only those who are publishing, or with =false those who are not")
		flags.BoolVar(&q.published, "published", false, "only those who ever published, or with =false those who never did")
		flags.StringVar(&q.userID, "user-id", "", "only this user id")
		flags.StringVar(&q.prefix, "user-id-prefix", "", "only user ids that begin like this")
		flags.StringArrayVar(&q.attributes, "attribute", nil, "only those with this attribute, as in role=host; may be repeated")
		flags.StringVar(&q.protocol, "protocol", "", "only those who published last by WHIP, or with UNKNOWN those who never did")
		flags.StringVar(&q.recording, "recording-state", "", "only DISABLED, STARTING, ACTIVE, STOPPING, STOPPED or FAILED")
		flags.StringVar(&q.from, "joined-from", "", "only those who first joined then or later: a time, or how long ago")
		flags.StringVar(&q.before, "joined-before", "", "only those who first joined before: a time, or how long ago")
		flags.DurationVar(&q.present, "present-longer-than", 0, "only those who were connected for longer in all, as 20m")
	}
	return cmd
}

// common adds the flags that come last.
func (q *inquiry) common() {
	q.cmd.Flags().BoolVar(&q.json, "json", false, "print the JSON of the answer")
	q.aws.add(q.cmd)
}

// query gives the conditions as the API has them.
func (q *inquiry) query() (url.Values, error) {
	v := url.Values{}
	for name, value := range map[string]string{
		"state": strings.ToUpper(q.state), "userIdPrefix": q.prefix, "protocol": strings.ToUpper(q.protocol), "recordingState": strings.ToUpper(q.recording),
	} {
		if value != "" {
			v.Set(name, value)
		}
	}
	for name, text := range map[string]string{"at": q.at, "joinedFrom": q.from, "joinedBefore": q.before} {
		if text == "" {
			continue
		}
		at, err := momentOf(text, time.Now())
		if err != nil {
			return nil, err
		}
		v.Set(name, at.UTC().Format(time.RFC3339Nano))
	}
	for flag, set := range map[string]struct{ name, value string }{
		"user-id":    {"userId", q.userID},
		"published":  {"published", strconv.FormatBool(q.published)},
		"publishing": {"publishing", strconv.FormatBool(q.publishing)},
	} {
		if q.cmd.Flags().Changed(flag) {
			v.Set(set.name, set.value)
		}
	}
	if q.present > 0 {
		v.Set("presentLongerThan", strconv.FormatInt(int64(q.present/time.Second), 10))
	}
	for _, attribute := range q.attributes {
		key, value, ok := strings.Cut(attribute, "=")
		if !ok {
			return nil, fmt.Errorf("--attribute is a key and a value, as in role=host, not %.64q", attribute)
		}
		v.Set("attribute."+key, value)
	}
	return v, nil
}

// momentOf reads a time, or how long ago it was.
func momentOf(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("%.64q is neither a time such as 2026-01-02T15:04:05Z nor how long ago, as 90m", text)
	}
	return at, nil
}

// open finds the server, and the path of the session of the stage that is named.
func (q *inquiry) open(ctx context.Context, stage string) (*deskClient, string, error) {
	client, err := q.aws.desk(ctx)
	if err != nil {
		return nil, "", err
	}
	path, err := client.stagePath(ctx, stage)
	return client, path + "/sessions/" + url.PathEscape(q.session), err
}

// ask asks what follows the path of a session, and reads the answer into out, or
// prints it if that is what is wanted.
func (q *inquiry) ask(ctx context.Context, stage, what string, query url.Values, out any) error {
	client, path, err := q.open(ctx, stage)
	if err != nil {
		return err
	}
	if !q.json {
		return client.call(ctx, "GET", path+what, query, nil, out)
	}
	var raw json.RawMessage
	if err := client.call(ctx, "GET", path+what, query, nil, &raw); err != nil {
		return err
	}
	return printAnswer(q.cmd.OutOrStdout(), raw)
}

func printAnswer(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "    ")
	return e.Encode(v)
}

// listing is an inquiry whose answer comes in pages.
type listing struct {
	inquiry
	sort string
	size int
	all  bool
}

func (l *listing) flags() {
	flags := l.cmd.Flags()
	flags.StringVar(&l.sort, "sort", "join", "join (the newest first), firstJoin (the first first) or presence (the longest first)")
	flags.IntVar(&l.size, "max-results", 50, "participants in a page, 1 to 100")
	flags.BoolVar(&l.all, "all", false, "all pages, not only the first")
	l.common()
}

// pages asks for a page, or for all, and gives the rows of each to show; with JSON
// it prints each. It tells whether there is more.
func (l *listing) pages(ctx context.Context, stage, what, member string, show func(json.RawMessage) error) (more bool, err error) {
	query, err := l.query()
	if err != nil {
		return false, err
	}
	client, path, err := l.open(ctx, stage)
	if err != nil {
		return false, err
	}
	query.Set("sort", l.sort)
	query.Set("maxResults", strconv.Itoa(l.size))
	for {
		var page map[string]json.RawMessage
		if err := client.call(ctx, "GET", path+what, query, nil, &page); err != nil {
			return false, err
		}
		if l.json {
			err = printAnswer(l.cmd.OutOrStdout(), page)
		} else {
			err = show(page[member])
		}
		var next string
		if token := page["nextToken"]; err == nil && token != nil {
			err = json.Unmarshal(token, &next)
		}
		if err != nil || next == "" || !l.all {
			return next != "", err
		}
		query.Set("nextToken", next)
	}
}

func (l *listing) noteMore(more bool) error {
	if !more || l.json {
		return nil
	}
	_, err := fmt.Fprintln(l.cmd.OutOrStdout(), "There are more; --all lists everybody.")
	return err
}
