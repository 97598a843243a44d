package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// attendant is a participant as Callboard's own API has it.
type attendant struct {
	ParticipantID string
	UserID        string
	State         string
	FirstJoinTime time.Time
	Published     bool
	Publishing    bool
	Totals        struct{ ConnectedMs, PublishingMs, SubscribedMs, Reconnects int64 }

	Connected, PublishingTimes, Subscribed []stretch
}

type stretch struct {
	StartTime, EndTime time.Time
	Open               bool
	Publisher          string `json:"publisherParticipantId"`
}

func participantsCommand() *cobra.Command {
	l := new(listing)
	cmd := l.asks(&cobra.Command{
		Use:   "participants STAGE",
		Short: "List the participants of a session by any conditions, now or earlier",
		Long: `Participants lists those of a session who meet all conditions, as they are now or, with
--at, as they were at a moment. STAGE is an ARN, or the name of one of your stages. It asks
Callboard's own API; "callboard ls" asks the API that AWS has as well.`,
		Example: `  callboard participants rehearsal --publishing
  callboard participants rehearsal --state connected --at 2026-01-02T20:15:00Z
  callboard participants rehearsal --attribute role=guest --present-longer-than 20m --sort presence`,
	}, true)
	l.flags()
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		rows := [][]string{{"PARTICIPANT", "USER ID", "STATE", "PUBLISHING", "PUBLISHED", "FIRST JOINED", "PRESENT"}}
		more, err := l.pages(cmd.Context(), args[0], "/participants", "participants", func(raw json.RawMessage) error {
			var list []attendant
			err := json.Unmarshal(raw, &list)
			for _, p := range list {
				rows = append(rows, []string{
					p.ParticipantID, printable(p.UserID), p.State, yesNo(p.Publishing), yesNo(p.Published),
					p.FirstJoinTime.Local().Format(time.DateTime), lasting(p.Totals.ConnectedMs),
				})
			}
			return err
		})
		if err != nil || l.json {
			return err
		}
		if _, err := fmt.Fprint(cmd.OutOrStdout(), align(rows)); err != nil {
			return err
		}
		return l.noteMore(more)
	}
	return cmd
}

// lasting spells a duration for people.
func lasting(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	if d >= time.Minute {
		d = d.Round(time.Second)
	}
	return d.String()
}

func countCommand() *cobra.Command {
	q, by := new(inquiry), ""
	cmd := q.asks(&cobra.Command{
		Use:   "count STAGE",
		Short: "Count the participants of a session by any conditions",
		Long: `Count counts those of a session who meet all conditions, and with --by splits the count
by the values of a property. STAGE is an ARN, or the name of one of your stages.`,
		Example: `  callboard count rehearsal --state connected
  callboard count rehearsal --by attribute.country --published
  callboard count rehearsal --publishing --at 90m`,
	}, true)
	cmd.Flags().StringVar(&by, "by", "", "state, published, publishing, recordingState, protocol, or attribute. and a key")
	q.common()
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		query, err := q.query()
		if err != nil {
			return err
		}
		if by != "" {
			query.Set("by", by)
		}
		var out struct {
			Count  int64
			Groups []struct {
				Value string
				Count int64
			}
		}
		if err := q.ask(cmd.Context(), args[0], "/participants/count", query, &out); err != nil || q.json {
			return err
		}
		if by == "" {
			_, err = fmt.Fprintln(cmd.OutOrStdout(), out.Count)
			return err
		}
		rows, without := [][]string{{strings.ToUpper(printable(by)), "COUNT"}}, out.Count
		for _, g := range out.Groups {
			rows = append(rows, []string{printable(g.Value), strconv.FormatInt(g.Count, 10)})
			without -= g.Count
		}
		if without > 0 {
			rows = append(rows, []string{"(none)", strconv.FormatInt(without, 10)})
		}
		rows = append(rows, []string{"all", strconv.FormatInt(out.Count, 10)})
		_, err = fmt.Fprint(cmd.OutOrStdout(), align(rows))
		return err
	}
	return cmd
}
