package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"callboard/internal/hook"
)

func webhooksCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "webhooks",
		Short: "Make, list, change and remove webhooks; deliver events again",
		Long: `Webhooks are URLs that events are posted to: who joined, left, published; when a session
began and ended. See docs/webhooks.md for what they are sent and how to verify it. Like ls,
these commands are clients of a running server and read the AWS environment and profiles.`,
		Example: `  callboard webhooks create https://example.com/hook --event "Participant Joined" --event "Participant Left"
  callboard webhooks list
  callboard webhooks rotate AbCdEfGhIjKl                 # and --retire when receivers know the new secret
  callboard webhooks letters AbCdEfGhIjKl                # events that were given up
  callboard webhooks redeliver AbCdEfGhIjKl --dead-letters
  callboard webhooks secret                              # for the setting webhook-secrets`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		webhookCreateCommand(),
		webhookListCommand(),
		webhookUpdateCommand("enable", "Have a webhook told again, from where it was", map[string]any{"disabled": false}),
		webhookUpdateCommand("disable", "Have a webhook told nothing; its place is kept", map[string]any{"disabled": true}),
		webhookRotateCommand(),
		webhookDeleteCommand(),
		webhookLettersCommand(),
		webhookRedeliverCommand(),
		webhookSecretCommand(),
	)
	return cmd
}

// listedHook is a webhook as the server shows it.
type listedHook struct {
	ID             string   `json:"id"`
	Name           string   `json:"name"`
	URL            string   `json:"url"`
	EventNames     []string `json:"eventNames"`
	StageARNs      []string `json:"stageArns"`
	Disabled       bool     `json:"disabled"`
	DisabledReason string   `json:"disabledReason"`
	Configured     bool     `json:"configured"`
}

// state is one word, or a few.
func (h listedHook) state() string {
	switch {
	case h.Disabled && h.DisabledReason != "":
		return "disabled: " + h.DisabledReason
	case h.Disabled:
		return "disabled"
	case h.Configured:
		return "configured"
	}
	return "enabled"
}

// oneArgument wants exactly one, and says what it is.
func oneArgument(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 || args[0] == "" {
			return fmt.Errorf("%s needs one %s", strings.TrimPrefix(cmd.CommandPath(), "callboard "), what)
		}
		return nil
	}
}

func hookPath(id string) string { return "/webhooks/" + url.PathEscape(id) }

func webhookListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List webhooks", Args: noArgs}
	var f awsFlags
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	f.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := f.desk(cmd.Context())
		if err != nil {
			return err
		}
		hooks, err := pages[listedHook](cmd.Context(), client, "/webhooks", "webhooks")
		if err != nil {
			return err
		}
		if *asJSON {
			return printAnswer(cmd.OutOrStdout(), hooks)
		}
		rows := [][]string{{"ID", "NAME", "STATE", "EVENTS", "URL"}}
		for _, h := range hooks {
			events := "all"
			if len(h.EventNames) > 0 {
				events = strings.Join(h.EventNames, ", ")
			}
			rows = append(rows, []string{h.ID, h.Name, h.state(), events, h.URL})
		}
		_, err = fmt.Fprint(cmd.OutOrStdout(), align(printableRows(rows)))
		return err
	}
	return cmd
}

// pages reads all pages of a list, whose rows are in the member of this name.
func pages[T any](ctx context.Context, client *deskClient, path, member string) ([]T, error) {
	all := []T{}
	query := url.Values{"maxResults": {"100"}}
	for {
		var page map[string]json.RawMessage
		if err := client.call(ctx, "GET", path, query, nil, &page); err != nil {
			return nil, err
		}
		var rows []T
		if err := json.Unmarshal(page[member], &rows); err != nil {
			return nil, err
		}
		all = append(all, rows...)
		var next string
		if json.Unmarshal(page["nextToken"], &next) != nil || next == "" {
			return all, nil
		}
		query.Set("nextToken", next)
	}
}

func webhookCreateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create URL",
		Short: "Make a webhook and show its secret, once",
		Long: `Create makes a webhook that gets what happens from now on. The secret that verifies what
it is sent is shown this once.`,
		Example: `  callboard webhooks create https://example.com/hook
  callboard webhooks create https://example.com/hook --name crm --stage rehearsal --event "Session Started" --event "Session Ended"`,
		Args: oneArgument("URL"),
	}
	var f awsFlags
	body := struct {
		Name       string   `json:"name,omitempty"`
		URL        string   `json:"url"`
		EventNames []string `json:"eventNames,omitempty"`
		StageARNs  []string `json:"stageArns,omitempty"`
	}{}
	flags := cmd.Flags()
	flags.StringVar(&body.Name, "name", "", "a name for people")
	flags.StringArrayVar(&body.EventNames, "event", nil, "only this `event`, such as \"Participant Joined\"; may be repeated (default: all)")
	flags.StringArrayVar(&body.StageARNs, "stage", nil, "only this `stage`, by ARN or name; may be repeated (default: all)")
	f.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := f.desk(cmd.Context())
		if err != nil {
			return err
		}
		body.URL = args[0]
		for i, name := range body.StageARNs {
			if body.StageARNs[i], err = findStage(cmd.Context(), client.aws, name); err != nil {
				return err
			}
		}
		return tellSecret(cmd, client, "POST", "/webhooks", body)
	}
	return cmd
}

// tellSecret asks for something that may make a new secret, and prints it.
func tellSecret(cmd *cobra.Command, client *deskClient, method, path string, body any) error {
	var out struct {
		Webhook listedHook `json:"webhook"`
		Secret  string     `json:"secret"`
	}
	if err := client.call(cmd.Context(), method, path, nil, body, &out); err != nil {
		return err
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "Webhook %s is %s.\n", printable(out.Webhook.ID), printable(out.Webhook.state()))
	if err == nil && out.Secret != "" {
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "Its secret, shown this once: %s\n", printable(out.Secret))
	}
	return err
}

func webhookUpdateCommand(verb, about string, change map[string]any) *cobra.Command {
	cmd := &cobra.Command{Use: verb + " ID", Short: about, Args: oneArgument("id of a webhook")}
	var f awsFlags
	f.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := f.desk(cmd.Context())
		if err != nil {
			return err
		}
		return tellSecret(cmd, client, "PATCH", hookPath(args[0]), change)
	}
	return cmd
}

func webhookRotateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate ID",
		Short: "Make a new secret, or retire the old one",
		Long: `Rotate makes a new secret. The one before it signs as well, until it is retired with
--retire or by the next rotation; so receivers can change over in their own time.`,
		Args: oneArgument("id of a webhook"),
	}
	var f awsFlags
	retire := cmd.Flags().Bool("retire", false, "end the older one of two secrets, and make no new one")
	f.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := f.desk(cmd.Context())
		if err != nil {
			return err
		}
		return tellSecret(cmd, client, "PATCH", hookPath(args[0]), map[string]any{"rotateSecret": !*retire, "retireSecret": *retire})
	}
	return cmd
}

func webhookDeleteCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "delete ID", Short: "Remove a webhook and its dead letters", Args: oneArgument("id of a webhook")}
	var f awsFlags
	f.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := f.desk(cmd.Context())
		if err != nil {
			return err
		}
		if err := client.call(cmd.Context(), "DELETE", hookPath(args[0]), nil, nil, nil); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "Webhook %s is deleted.\n", printable(args[0]))
		return err
	}
	return cmd
}

func webhookLettersCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "letters ID", Short: "List the events that a webhook refused for too long", Args: oneArgument("id of a webhook")}
	var f awsFlags
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	f.add(cmd)
	type letter struct {
		EventNumber   int64     `json:"eventNumber"`
		EventTime     time.Time `json:"eventTime"`
		EventName     string    `json:"eventName"`
		StageARN      string    `json:"stageArn"`
		ParticipantID string    `json:"participantId"`
		Attempts      int       `json:"attempts"`
		Reason        string    `json:"reason"`
		GivenUpTime   time.Time `json:"givenUpTime"`
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := f.desk(cmd.Context())
		if err != nil {
			return err
		}
		letters, err := pages[letter](cmd.Context(), client, hookPath(args[0])+"/deadletters", "deadLetters")
		if err != nil {
			return err
		}
		if *asJSON {
			return printAnswer(cmd.OutOrStdout(), letters)
		}
		rows := [][]string{{"NUMBER", "EVENT", "TIME", "PARTICIPANT", "ATTEMPTS", "REASON"}}
		for _, l := range letters {
			rows = append(rows, []string{fmt.Sprint(l.EventNumber), l.EventName, l.EventTime.Local().Format(time.DateTime), l.ParticipantID, fmt.Sprint(l.Attempts), l.Reason})
		}
		_, err = fmt.Fprint(cmd.OutOrStdout(), align(printableRows(rows)))
		return err
	}
	return cmd
}

func webhookRedeliverCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "redeliver ID",
		Short: "Have events delivered once more",
		Long: `Redeliver has events delivered to a webhook once more: by their numbers, which are in the
header callboard-event-number of a request and in the list of dead letters; all since a time;
or all dead letters. They keep their ids, so a receiver knows those that it has.`,
		Example: `  callboard webhooks redeliver AbCdEfGhIjKl --dead-letters
  callboard webhooks redeliver AbCdEfGhIjKl --event 4711,4712
  callboard webhooks redeliver AbCdEfGhIjKl --since 90m`,
		Args: oneArgument("id of a webhook"),
	}
	var f awsFlags
	var numbers []int64
	var since string
	var letters bool
	flags := cmd.Flags()
	flags.Int64SliceVar(&numbers, "event", nil, "`number` of an event; may be repeated, or several separated by commas")
	flags.Lookup("event").DefValue = ""
	flags.StringVar(&since, "since", "", "all since then: a time such as 2026-01-02T15:04:05Z, or how long ago, as 90m")
	flags.BoolVar(&letters, "dead-letters", false, "all that was given up")
	f.add(cmd)
	exclusive(cmd, "event", "since", "dead-letters")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		body := map[string]any{}
		switch {
		case len(numbers) > 0:
			body["eventNumbers"] = numbers
		case letters:
			body["deadLetters"] = true
		case since != "":
			at, err := momentOf(since, time.Now())
			if err != nil {
				return err
			}
			body["since"] = at.UTC()
		default:
			return errors.New("say what to redeliver: --event, --since or --dead-letters")
		}
		client, err := f.desk(cmd.Context())
		if err != nil {
			return err
		}
		var out struct{ Events int }
		if err := client.call(cmd.Context(), "POST", hookPath(args[0])+"/redeliver", nil, body, &out); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "To be delivered once more: %s.\n", counted(out.Events, "event"))
		return err
	}
	return cmd
}

func webhookSecretCommand() *cobra.Command {
	return &cobra.Command{
		Use: "secret", Short: "Print a new secret for the setting webhook-secrets", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), hook.NewSecret())
			return err
		},
	}
}
