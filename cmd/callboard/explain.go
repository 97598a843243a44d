package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

func explainCommand() *cobra.Command {
	var f awsFlags
	var stage string
	var raw bool
	cmd := &cobra.Command{
		Use:   "explain PARTICIPANT",
		Short: "Say why somebody is not connected, not publishing, or not seen",
		Long: `Explain tells, in order, what the server knows of a participant: its token, the session, the roll,
what failed, its connections, what comes in, what goes out and to whom; and what to do about it.
PARTICIPANT is a participant id, or a participant token, which is judged and not kept; - reads
it from standard input, so that a token does not stand in the history of the shell.

The first problem is most often the cause of those after it.`,
		Example: `  callboard explain xZ3kQ9wPq1Lm
  callboard explain xZ3kQ9wPq1Lm --stage rehearsal
  pbpaste | callboard explain -`,
		Args: oneArgument("PARTICIPANT, an id or a token"),
	}
	cmd.Flags().StringVar(&stage, "stage", "", "the stage, an ARN or a name (default: found by the participant)")
	cmd.Flags().BoolVar(&raw, "json", false, "print the answer as it is")
	f.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		who, err := named(args[0], cmd.InOrStdin())
		if err != nil {
			return err
		}
		client, err := f.desk(cmd.Context())
		if err != nil {
			return err
		}
		var answer json.RawMessage
		if err := client.explain(cmd.Context(), who, stage, &answer); err != nil {
			return err
		}
		if raw {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", answer)
			return err
		}
		var e explained
		if err := json.Unmarshal(answer, &e); err != nil {
			return err
		}
		_, err = io.WriteString(cmd.OutOrStdout(), e.text())
		return err
	}
	return cmd
}

// maxToken is more than a token can have, in bytes.
const maxToken = 64 << 10

// named is the argument, or what standard input has instead of it.
func named(argument string, in io.Reader) (string, error) {
	if argument != "-" {
		return strings.TrimSpace(argument), nil
	}
	text, err := io.ReadAll(io.LimitReader(in, maxToken))
	if who := strings.TrimSpace(string(text)); who != "" {
		return who, err
	}
	return "", errors.Join(errors.New("standard input is empty: it must be a participant id or a token"), err)
}

// explain asks about an id or a token, on a stage that is named or has to be found.
func (c *deskClient) explain(ctx context.Context, who, stage string, answer *json.RawMessage) error {
	token := strings.Contains(who, ".")
	if stage == "" {
		var err error
		if token {
			stage, err = stageOfToken(who)
		} else {
			stage, err = c.stageOf(ctx, who)
		}
		if err != nil {
			return err
		}
	}
	path, err := c.stagePath(ctx, stage)
	if err != nil {
		return err
	}
	if token {
		return c.call(ctx, "POST", path+"/explanations", nil, map[string]string{"token": who}, answer)
	}
	return c.call(ctx, "GET", path+"/participants/"+url.PathEscape(who)+"/explanation", nil, nil, answer)
}

// stageOf finds the one stage that knows a participant.
func (c *deskClient) stageOf(ctx context.Context, participant string) (string, error) {
	var known struct{ StageARNs []string }
	if err := c.call(ctx, "GET", "/participants/"+url.PathEscape(participant)+"/stages", nil, nil, &known); err != nil {
		return "", err
	}
	switch len(known.StageARNs) {
	case 0:
		return "", fmt.Errorf("no stage of this account and region knows a participant %s: no token was made for it, and it never joined; with --stage more can be said", printable(participant))
	case 1:
		return known.StageARNs[0], nil
	}
	return "", fmt.Errorf("%d stages know a participant %s, so --stage has to choose: %s", len(known.StageARNs), printable(participant), strings.Join(known.StageARNs, ", "))
}

// stageOfToken reads the stage in a token, which is for the server to believe or not.
func stageOfToken(token string) (string, error) {
	unreadable := errors.New("this is no participant id, and the stage of it as a token cannot be read; --stage names it")
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", unreadable
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	var claims struct{ Resource string }
	if err != nil || json.Unmarshal(payload, &claims) != nil || !strings.HasPrefix(claims.Resource, "arn:") {
		return "", unreadable
	}
	return claims.Resource, nil
}

// explained is what is read of an explanation.
type explained struct {
	StageARN, ParticipantID string
	Sentences               []struct{ Finding, Text, Advice string }
}

// text is the explanation with its sentences numbered, and problems marked.
func (e *explained) text() string {
	var b strings.Builder
	who := e.ParticipantID
	if who == "" {
		who = "A token"
	}
	fmt.Fprintf(&b, "%s on %s\n\n", printable(who), printable(e.StageARN))
	problems := 0
	for i, s := range e.Sentences {
		mark := "   "
		if s.Finding == "PROBLEM" {
			mark, problems = "!! ", problems+1
		}
		fmt.Fprintf(&b, "%s%2d. %s\n", mark, i+1, printable(s.Text))
		if s.Advice != "" {
			fmt.Fprintf(&b, "       -> %s\n", printable(s.Advice))
		}
	}
	switch problems {
	case 0:
		b.WriteString("\nNo problem is known.\n")
	case 1:
		b.WriteString("\nThe problem is marked with !!.\n")
	default:
		fmt.Fprintf(&b, "\n%d problems are marked with !!; begin with the first.\n", problems)
	}
	return b.String()
}
