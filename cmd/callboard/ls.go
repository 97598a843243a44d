package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
	"github.com/spf13/cobra"
)

func lsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ls STAGE",
		Short: "Call the roll: who is and was on a stage",
		Long: `Ls lists the participants of a stage session as the API has them, the newest join
first: who joined, whether they are connected now and whether they ever published.
STAGE is an ARN, or the name of one of your stages.

It is an ordinary client of the IVS Real-Time API: it reads the same environment,
profiles and endpoint variables as the AWS CLI and works against AWS itself as well.

Only one of --user-id, --published, --state and --recording-state may be used; the
API has it so.`,
		Example: `  eval "$(callboard env)"
  callboard ls arn:aws:ivs:us-east-1:000000000000:stage/AbCdEfGhIjKl
  callboard ls rehearsal --state CONNECTED --watch        # every 2 s; --watch=5s for another interval
  callboard ls rehearsal --published=false --all --json
  callboard ls rehearsal --session st-AbCdEfGhIjKlM --user-id alice
  callboard ls "$ARN" --profile production --region eu-central-1    # a stage on AWS`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("ls needs one STAGE, an ARN or a name")
			}
			return nil
		},
	}
	var q rollQuery
	var f awsFlags
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&q.session, "session", "", "session id (default: the live session)")
	flags.StringVar(&q.userID, "user-id", "", "only this user id")
	flags.BoolVar(&q.published, "published", false, "only those who ever published, or with =false those who never did")
	flags.StringVar(&q.state, "state", "", "only CONNECTED or DISCONNECTED")
	flags.StringVar(&q.recording, "recording-state", "", "only STARTING, ACTIVE, STOPPING, STOPPED or FAILED")
	flags.Int32Var(&q.pageSize, "max-results", 50, "participants in a page, 1 to 100")
	flags.BoolVar(&q.all, "all", false, "all pages, not only the first")
	flags.BoolVar(&q.json, "json", false, "print JSON as the AWS CLI does")
	flags.DurationVar(&q.watch, "watch", 0, "ask again at this interval, as in --watch=5s, until interrupted")
	flags.Lookup("watch").NoOptDefVal = "2s"
	flags.StringVar(&f.profile, "profile", "", "profile of the AWS configuration files")
	flags.StringVar(&f.region, "region", "", "region (default: as the AWS configuration says)")
	flags.StringVar(&f.endpoint, "endpoint-url", "", "URL of the API (default: as the AWS configuration says)")
	exclusive(cmd, "user-id", "published", "state", "recording-state")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		q.byUserID, q.byPublished = flags.Changed("user-id"), flags.Changed("published")
		client, err := f.client(cmd.Context())
		if err != nil {
			return err
		}
		return ls(cmd.Context(), client, args[0], q, cmd.OutOrStdout())
	}
	return cmd
}

// rollQuery is what to list and how.
type rollQuery struct {
	session                  string
	userID, state, recording string
	published                bool
	byUserID, byPublished    bool // the flags were given, whatever their value
	pageSize                 int32
	all, json                bool
	watch                    time.Duration
}

func ls(ctx context.Context, client *ivsrealtime.Client, name string, q rollQuery, out io.Writer) error {
	arn, err := findStage(ctx, client, name)
	if err != nil {
		return err
	}
	if q.watch <= 0 {
		return q.print(ctx, client, arn, out)
	}
	return watch(ctx, out, q.watch, func(w io.Writer) error { return q.print(ctx, client, arn, w) })
}

// print lists once.
func (q rollQuery) print(ctx context.Context, client *ivsrealtime.Client, arn string, out io.Writer) error {
	session, err := q.sessionOf(ctx, client, arn)
	if err != nil {
		return err
	}
	roll, next, err := q.ask(ctx, client, arn, session)
	if err != nil {
		return err
	}
	if q.json {
		return printJSON(out, roll, next)
	}
	if _, err := fmt.Fprint(out, rollTable(roll)); err != nil || next == "" {
		return err
	}
	_, err = fmt.Fprintf(out, "There are more than these %d; --all lists everybody.\n", len(roll))
	return err
}

// ask reads the first page, or all of them.
func (q rollQuery) ask(ctx context.Context, client *ivsrealtime.Client, arn, session string) (roll []types.ParticipantSummary, next string, err error) {
	in := &ivsrealtime.ListParticipantsInput{
		StageArn: &arn, SessionId: &session, MaxResults: &q.pageSize,
		FilterByPublished:      q.published,
		FilterByState:          types.ParticipantState(strings.ToUpper(q.state)),
		FilterByRecordingState: types.ParticipantRecordingFilterByRecordingState(strings.ToUpper(q.recording)),
	}
	if q.byUserID {
		in.FilterByUserId = &q.userID
	}
	var options []func(*ivsrealtime.Options)
	if q.byPublished && !q.published {
		options = append(options, sendUnpublishedFilter)
	}
	pages := ivsrealtime.NewListParticipantsPaginator(client, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx, options...)
		if err != nil {
			return nil, "", err
		}
		roll, next = append(roll, page.Participants...), aws.ToString(page.NextToken)
		if !q.all {
			break
		}
	}
	return roll, next, nil
}

// sessionOf is the session that was asked for, or the live one.
func (q rollQuery) sessionOf(ctx context.Context, client *ivsrealtime.Client, arn string) (string, error) {
	if q.session != "" {
		return q.session, nil
	}
	got, err := client.GetStage(ctx, &ivsrealtime.GetStageInput{Arn: &arn})
	if err != nil {
		return "", err
	}
	if got.Stage == nil || aws.ToString(got.Stage.ActiveSessionId) == "" {
		return "", errNoLiveSession
	}
	return *got.Stage.ActiveSessionId, nil
}

var errNoLiveSession = errors.New(`the stage has no live session: nobody is there now; --session lists an earlier one ("aws ivs-realtime list-stage-sessions" names them)`)

// findStage gives the ARN of a stage named by ARN or by name.
func findStage(ctx context.Context, client *ivsrealtime.Client, name string) (string, error) {
	if strings.HasPrefix(name, "arn:") {
		return name, nil
	}
	var found []string
	pages := ivsrealtime.NewListStagesPaginator(client, &ivsrealtime.ListStagesInput{MaxResults: aws.Int32(100)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, s := range page.Stages {
			if aws.ToString(s.Name) == name {
				found = append(found, aws.ToString(s.Arn))
			}
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("there is no stage named %q; an ARN works as well", name)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%d stages are named %q, so one has to be chosen by ARN: %s", len(found), name, strings.Join(found, ", "))
}

// listed is a participant as the AWS CLI prints it.
type listed struct {
	ParticipantID  string `json:"participantId"`
	UserID         string `json:"userId"`
	State          string `json:"state"`
	FirstJoinTime  string `json:"firstJoinTime"`
	Published      bool   `json:"published"`
	RecordingState string `json:"recordingState,omitempty"`
}

func printJSON(out io.Writer, roll []types.ParticipantSummary, next string) error {
	page := struct {
		Participants []listed `json:"participants"`
		NextToken    string   `json:"nextToken,omitempty"`
	}{Participants: make([]listed, 0, len(roll)), NextToken: next}
	for _, p := range roll {
		page.Participants = append(page.Participants, listed{
			aws.ToString(p.ParticipantId), aws.ToString(p.UserId), string(p.State),
			aws.ToTime(p.FirstJoinTime).Format(time.RFC3339Nano), p.Published, string(p.RecordingState),
		})
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "    ")
	return e.Encode(page)
}
