package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

func attendanceCommand() *cobra.Command {
	l, intervals := new(listing), false
	cmd := l.asks(&cobra.Command{
		Use:   "attendance STAGE",
		Short: "Tell how long participants were connected, published and watched",
		Long: `Attendance adds up, for each participant of a session, for how long it was connected, was
publishing and was subscribed to somebody, and how often it came back; --intervals
tells from when to when. What still lasts counts until now.
STAGE is an ARN, or the name of one of your stages.`,
		Example: `  callboard attendance rehearsal --sort presence
  callboard attendance rehearsal --user-id alice --intervals
  callboard attendance rehearsal --session st-AbCdEfGhIjKlM --all --json`,
	}, true)
	cmd.Flags().BoolVar(&intervals, "intervals", false, "one line for each stretch of time")
	l.flags()
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		rows := [][]string{{"PARTICIPANT", "USER ID", "CONNECTED", "PUBLISHING", "SUBSCRIBED", "RECONNECTS"}}
		if intervals {
			rows = [][]string{{"PARTICIPANT", "USER ID", "WAS", "FROM", "TO", "FOR"}}
		}
		more, err := l.pages(cmd.Context(), args[0], "/attendance", "attendance", func(raw json.RawMessage) error {
			var list []attendant
			err := json.Unmarshal(raw, &list)
			for _, a := range list {
				if intervals {
					rows = append(rows, a.intervals()...)
					continue
				}
				rows = append(rows, []string{
					a.ParticipantID, printable(a.UserID), lasting(a.Totals.ConnectedMs), lasting(a.Totals.PublishingMs),
					lasting(a.Totals.SubscribedMs), strconv.FormatInt(a.Totals.Reconnects, 10),
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

// intervals are the lines of one participant, by their beginning.
func (a *attendant) intervals() (rows [][]string) {
	type did struct {
		what string
		stretch
	}
	var all []did
	for _, s := range a.Connected {
		all = append(all, did{"connected", s})
	}
	for _, s := range a.PublishingTimes {
		all = append(all, did{"publishing", s})
	}
	for _, s := range a.Subscribed {
		all = append(all, did{"subscribed to " + s.Publisher, s})
	}
	slices.SortStableFunc(all, func(x, y did) int { return x.StartTime.Compare(y.StartTime) })
	for _, d := range all {
		to := d.EndTime.Local().Format(time.DateTime)
		if d.Open {
			to = "lasts"
		}
		rows = append(rows, []string{
			a.ParticipantID, printable(a.UserID), d.what, d.StartTime.Local().Format(time.DateTime), to, lasting(d.EndTime.Sub(d.StartTime).Milliseconds()),
		})
	}
	return rows
}
