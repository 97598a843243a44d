package main

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// curve is how many were there in the course of a session.
type curve struct {
	StartTime, EndTime time.Time
	Resolution         int64
	Peak               struct{ Connected, Publishing peak }
	Buckets            []bucket
}

type bucket struct {
	StartTime             time.Time
	Connected, Publishing extent
}

type extent struct{ Min, Max, Last int64 }

type peak struct {
	Count int64
	Time  time.Time
}

func concurrencyCommand() *cobra.Command {
	q, resolution := new(inquiry), time.Duration(0)
	cmd := q.asks(&cobra.Command{
		Use:   "concurrency STAGE",
		Short: "Draw how many were connected and publishing in the course of a session",
		Long: `Concurrency draws how many were connected at once, one line for each stretch of time: a
bar from the fewest to the most, and what the counts were at its end; then the peaks.
STAGE is an ARN, or the name of one of your stages.`,
		Example: `  callboard concurrency rehearsal
  callboard concurrency rehearsal --session st-AbCdEfGhIjKlM --resolution 5m`,
	}, false)
	cmd.Flags().DurationVar(&resolution, "resolution", 0, "length of a stretch, as 30s (default: what suits the session)")
	q.common()
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		query := url.Values{}
		if cmd.Flags().Changed("resolution") {
			if resolution < time.Second {
				return fmt.Errorf("--resolution is %v: it must be 1s at least", resolution)
			}
			query.Set("resolution", strconv.FormatInt(int64(resolution/time.Second), 10))
		}
		var c curve
		if err := q.ask(cmd.Context(), args[0], "/concurrency", query, &c); err != nil || q.json {
			return err
		}
		if resolution == 0 {
			c.condense(plotHeight)
		}
		_, err := fmt.Fprint(cmd.OutOrStdout(), c.plot())
		return err
	}
	return cmd
}

// Size of a plot whose resolution nobody has chosen, in characters.
const plotWidth, plotHeight = 40, 30

// condense puts neighbours together until there are at most so many buckets.
func (c *curve) condense(most int) {
	size := (len(c.Buckets) + most - 1) / most
	if size < 2 {
		return
	}
	var few []bucket
	for part := range slices.Chunk(c.Buckets, size) {
		b := part[0]
		for _, next := range part[1:] {
			b.Connected.extend(next.Connected)
			b.Publishing.extend(next.Publishing)
		}
		few = append(few, b)
	}
	c.Buckets = few
}

// extend has a range go on to the end of the next one.
func (r *extent) extend(next extent) {
	r.Min, r.Max, r.Last = min(r.Min, next.Min), max(r.Max, next.Max), next.Last
}

// plot draws the curve from top to bottom: solid up to the fewest of a stretch,
// shaded from there to the most.
func (c *curve) plot() string {
	rows := [][]string{{"FROM", "CONNECTED", "", "PUBLISHING"}}
	for _, b := range c.Buckets {
		low, high := scaled(b.Connected.Min, c.Peak.Connected.Count), scaled(b.Connected.Max, c.Peak.Connected.Count)
		rows = append(rows, []string{
			b.StartTime.Local().Format(time.DateTime), strings.Repeat("█", low) + strings.Repeat("░", high-low),
			strconv.FormatInt(b.Connected.Last, 10), strconv.FormatInt(b.Publishing.Last, 10),
		})
	}
	text := align(rows)
	for _, p := range []struct {
		what string
		peak
	}{{"connected", c.Peak.Connected}, {"publishing", c.Peak.Publishing}} {
		text += fmt.Sprintf("most %s at once: %d, first at %s\n", p.what, p.Count, p.Time.Local().Format("2006-01-02 15:04:05.000"))
	}
	return text
}

// scaled is the length of a bar: nothing for nothing only.
func scaled(n, most int64) int {
	if n <= 0 || most <= 0 {
		return 0
	}
	return int(max(1, n*plotWidth/most))
}
