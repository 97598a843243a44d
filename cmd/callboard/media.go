package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func mediaCommand() *cobra.Command {
	var f awsFlags
	var participant string
	var raw bool
	cmd := &cobra.Command{
		Use:   "media STAGE",
		Short: "Show what participants send and receive now",
		Long: `Media shows, for everybody present on a stage, what is published and what is received: bitrate, size
and frame rate of each layer, loss, jitter and delay. Figures are of the last second. LOSS of a subscription
is what the receiver reports, ESTIMATE what the way to it is known to take. STAGE is an ARN, or the name of one of your stages.`,
		Example: `  callboard media rehearsal
  callboard media rehearsal --participant xZ3kQ9wPq1Lm --json`,
		Args: oneArgument("STAGE, an ARN or a name"),
	}
	f.add(cmd)
	cmd.Flags().StringVar(&participant, "participant", "", "only the participant with this id")
	cmd.Flags().BoolVar(&raw, "json", false, "print the answer as it is, times and totals included")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := f.desk(cmd.Context())
		if err != nil {
			return err
		}
		path, err := client.stagePath(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		query := url.Values{}
		if participant != "" {
			query.Set("participant", participant)
		}
		var answer json.RawMessage
		if err := client.call(cmd.Context(), "GET", path+"/media", query, nil, &answer); err != nil {
			return err
		}
		if raw {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", answer)
			return err
		}
		var m mediaAnswer
		if err := json.Unmarshal(answer, &m); err != nil {
			return err
		}
		if _, err := fmt.Fprint(cmd.OutOrStdout(), m.table()); err != nil {
			return err
		}
		if !m.Complete {
			fmt.Fprintf(cmd.ErrOrStderr(), "Not complete: %s did not answer.\n", counted(len(m.Missing), "server"))
		}
		return nil
	}
	return cmd
}

// What is read of an answer of GetMedia.
type (
	mediaAnswer struct {
		Time         time.Time
		Complete     bool
		Missing      []string
		Participants []mediaParticipant
	}
	mediaParticipant struct {
		ParticipantID, UserID    string
		AudioMuted, VideoStopped bool
		Publication              *mediaLeg
		Subscriptions            []mediaLeg
	}
	mediaLeg struct {
		PublisherParticipantID, State string
		Held                          bool
		RTTMs                         *float64
		Way                           *mediaWay
		Streams                       []mediaStream
	}
	mediaWay struct {
		EstimatedBitrate, LackingBitrate  int64
		AimedLayer                        string
		LayerChosen, VideoPaused, Limited bool
	}
	mediaStream struct {
		MediaType, Codec, Layer, AwaitedLayer string
		Bitrate, Width, Height, Packets       int64
		FrameRate, Loss, JitterMs             float64
		WaitsForKeyFrame                      bool
		LastPacketTime                        *time.Time
	}
)

func (m *mediaAnswer) table() string {
	rows := [][]string{{"PARTICIPANT", "USER ID", "", "MEDIA", "LAYER", "BITRATE", "SIZE", "FPS", "LOSS", "JITTER", "RTT", "ESTIMATE", "STATE"}}
	for i := range m.Participants {
		p := &m.Participants[i]
		if p.Publication != nil {
			rows = append(rows, p.rows(m.Time, p.Publication)...)
		}
		for j := range p.Subscriptions {
			rows = append(rows, p.rows(m.Time, &p.Subscriptions[j])...)
		}
	}
	if len(rows) == 1 {
		return "Nobody publishes or subscribes.\n"
	}
	return align(rows)
}

// rows are the lines of one connection, one at least.
func (p *mediaParticipant) rows(now time.Time, l *mediaLeg) (rows [][]string) {
	what, rtt, estimate := "sends", "-", "-"
	if l.PublisherParticipantID != "" {
		what = "from " + l.PublisherParticipantID
	}
	if l.RTTMs != nil {
		rtt = fmt.Sprintf("%.1f ms", *l.RTTMs)
	}
	if l.Way != nil && l.Way.EstimatedBitrate > 0 {
		estimate = bitrate(l.Way.EstimatedBitrate)
	}
	head := []string{p.ParticipantID, printable(p.UserID), what}
	if len(l.Streams) == 0 {
		return [][]string{append(head, "-", "", "", "", "", "", "", rtt, estimate, strings.ToLower(l.State))}
	}
	for _, s := range l.Streams {
		rows = append(rows, append(head[:3:3], s.MediaType+" "+s.Codec, s.layer(l.Way), bitrate(s.Bitrate), s.size(), s.fps(),
			fmt.Sprintf("%.1f %%", 100*s.Loss), fmt.Sprintf("%.1f ms", s.JitterMs), rtt, estimate, s.state(p, l, now)))
	}
	return rows
}

// layer is what is shown, and what is aimed at if that is something else.
func (s *mediaStream) layer(w *mediaWay) string {
	shown := cmp.Or(s.Layer, "-")
	if w != nil && s.MediaType == "video" && w.AimedLayer != "" && w.AimedLayer != s.Layer {
		return shown + " > " + w.AimedLayer
	}
	return shown
}

func (s *mediaStream) size() string {
	if s.Width == 0 {
		return "-"
	}
	return fmt.Sprintf("%dx%d", s.Width, s.Height)
}

func (s *mediaStream) fps() string {
	if s.FrameRate == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", s.FrameRate)
}

// state is what is most worth knowing of a stream.
func (s *mediaStream) state(p *mediaParticipant, l *mediaLeg, now time.Time) string {
	own := l.PublisherParticipantID == ""
	switch {
	case l.State != "CONNECTED":
		return strings.ToLower(l.State)
	case l.Held:
		return "publisher has stopped"
	case own && (s.MediaType == "audio" && p.AudioMuted || s.MediaType == "video" && p.VideoStopped):
		return "muted"
	case l.Way != nil && s.MediaType == "video" && l.Way.VideoPaused && l.Way.Limited:
		return "paused, over the quota"
	case l.Way != nil && s.MediaType == "video" && l.Way.VideoPaused:
		return "paused, bandwidth too low"
	case s.WaitsForKeyFrame:
		return strings.TrimSpace("waits for a key frame " + s.AwaitedLayer)
	case s.LastPacketTime == nil:
		return "nothing yet"
	case now.Sub(*s.LastPacketTime) > 3*time.Second:
		return "silent for " + now.Sub(*s.LastPacketTime).Round(time.Second).String()
	}
	if l.Way != nil && s.MediaType == "video" && l.Way.LackingBitrate > 0 {
		return "flows, " + l.Way.lacking()
	}
	return "flows"
}

func (w *mediaWay) lacking() string {
	switch {
	case w.Limited:
		return "quota too low for more"
	case w.LayerChosen:
		return "bandwidth too low for it"
	}
	return "bandwidth too low for more"
}

func bitrate(n int64) string {
	switch {
	case n == 0:
		return "0"
	case n < 1_000_000:
		return fmt.Sprintf("%.0f kbps", float64(n)/1e3)
	}
	return fmt.Sprintf("%.2f Mbps", float64(n)/1e6)
}
