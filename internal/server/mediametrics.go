package server

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"callboard/internal/stage"
)

// How much /metrics tells of media: the setting media-metrics.
const (
	metricsOfStages       = "stages"
	metricsOfParticipants = "participants"
	metricsOfNothing      = "none"
)

// Bounds of the series, whoever comes: the fullest stages are shown.
const (
	mostStages       = 1000
	mostParticipants = 5000
)

// mediaSeries collects what CloudWatch has in AWS/IVSRealTime, under the same names, of the people whom this
// server holds (https://docs.aws.amazon.com/ivs/latest/RealTimeUserGuide/stage-health.html).
type mediaSeries struct {
	detail string
	look   func(context.Context) map[stage.ARN]stage.Media
}

var (
	publishersNow     = cloudwatch("concurrent_publishers", "Participants publishing, on all stages.")
	subscriptionsNow  = cloudwatch("concurrent_subscriptions", "Pairs of publisher and subscriber, on all stages.")
	publishers        = cloudwatch("publishers", "Participants publishing to the stage.", "stage")
	subscribers       = cloudwatch("subscribers", "Participants subscribed to somebody on the stage.", "stage")
	publishBitrate    = cloudwatch("publish_bitrate", "Bits per second that a publisher sends; of a stage the average.", "stage", "participant", "simulcast_layer", "media_type")
	publishFramerate  = cloudwatch("publish_framerate", "Video frames per second that a publisher sends.", "stage", "participant", "simulcast_layer", "media_type")
	publishResolution = cloudwatch("publish_resolution", "Pixels of the shorter side of a publisher's video.", "stage", "participant", "simulcast_layer", "media_type")
	subscribeBitrate  = cloudwatch("subscribe_bitrate", "Bits per second that a subscriber is sent; of a stage the average.", "stage", "participant", "media_type")
	downloadLoss      = cloudwatch("download_packet_loss", "Percentage of packets that a subscriber loses, as it reports; of a stage the average.", "stage", "participant")
	leftOut           = prometheus.NewDesc("callboard_media_metrics_left_out", "Stages and participants without series of media, because there are too many.", []string{"of"}, nil)
)

func cloudwatch(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("aws_ivsrealtime_"+name, help, labels, nil)
}

// Describe tells nothing, so that the series may come and go.
func (m mediaSeries) Describe(chan<- *prometheus.Desc) {}

func (m mediaSeries) Collect(out chan<- prometheus.Metric) {
	if m.detail == metricsOfNothing {
		return
	}
	var senders, receptions, people int
	var stages []staged
	for arn, media := range m.look(context.Background()) {
		s := staged{id: arn.ID, Media: media}
		if s.sort(); s.people() == 0 {
			continue // all that is known are attempts that failed
		}
		senders += len(s.sending)
		receptions += s.receptions
		stages = append(stages, s)
	}
	slices.SortFunc(stages, func(a, b staged) int {
		return cmp.Or(cmp.Compare(len(b.Participants), len(a.Participants)), strings.Compare(a.id, b.id))
	})
	gaugeOf(out, publishersNow, float64(senders))
	gaugeOf(out, subscriptionsNow, float64(receptions))
	for _, s := range stages[:min(len(stages), mostStages)] {
		gaugeOf(out, publishers, float64(len(s.sending)), s.id)
		gaugeOf(out, subscribers, float64(len(s.receiving)), s.id)
		people += len(s.sending) + len(s.receiving)
		switch {
		case m.detail == metricsOfStages:
			s.averages(out)
		case people <= mostParticipants:
			s.each(out)
		}
	}
	gaugeOf(out, leftOut, float64(max(0, len(stages)-mostStages)), "stages")
	if m.detail == metricsOfParticipants {
		gaugeOf(out, leftOut, float64(max(0, people-mostParticipants)), "participants")
	}
}

// staged is one stage with who sends and who receives.
type staged struct {
	id string
	stage.Media
	sending, receiving []stage.ParticipantMedia
	receptions         int
}

func (s *staged) sort() {
	for _, p := range s.Participants {
		if p.Publishing && p.Publication != nil {
			s.sending = append(s.sending, p)
		}
		up := 0
		for _, l := range p.Subscriptions {
			if l.Progress == stage.Up {
				up++
			}
		}
		if s.receptions += up; up > 0 {
			s.receiving = append(s.receiving, p)
		}
	}
}

// people counts who is there.
func (s *staged) people() (n int) {
	for _, p := range s.Participants {
		if p.Connected || p.Publication != nil || p.Subscriptions != nil {
			n++
		}
	}
	return n
}

// averages are the series of the stage as a whole.
func (s *staged) averages(out chan<- prometheus.Metric) {
	sent, received, lost := 0, 0, 0.0
	for _, p := range s.sending {
		sent += bitrateOf(p.Publication.Streams, "")
	}
	for _, p := range s.receiving {
		received += receivedBy(p, "")
		lost += lossOf(p)
	}
	if n := len(s.sending); n > 0 {
		gaugeOf(out, publishBitrate, float64(sent)/float64(n), s.id, "", "", "")
	}
	if n := len(s.receiving); n > 0 {
		gaugeOf(out, subscribeBitrate, float64(received)/float64(n), s.id, "", "")
		gaugeOf(out, downloadLoss, 100*lost/float64(n), s.id, "")
	}
}

// each are the series of its participants.
func (s *staged) each(out chan<- prometheus.Metric) {
	for _, p := range s.sending {
		for _, v := range p.Publication.Streams {
			layer := v.Layer
			if layer == "" {
				layer = "disabled"
			}
			gaugeOf(out, publishBitrate, float64(v.Bitrate), s.id, p.ID, layer, v.Kind)
			if v.Kind == "video" {
				gaugeOf(out, publishFramerate, v.FrameRate, s.id, p.ID, layer, v.Kind)
				gaugeOf(out, publishResolution, float64(min(v.Width, v.Height)), s.id, p.ID, layer, v.Kind)
			}
		}
	}
	for _, p := range s.receiving {
		for _, kind := range [...]string{"audio", "video"} {
			gaugeOf(out, subscribeBitrate, float64(receivedBy(p, kind)), s.id, p.ID, kind)
		}
		gaugeOf(out, downloadLoss, 100*lossOf(p), s.id, p.ID)
	}
}

// bitrateOf adds up the streams of a kind, of all kinds for none.
func bitrateOf(streams []stage.MediaStream, kind string) (sum int) {
	for _, s := range streams {
		if kind == "" || s.Kind == kind {
			sum += s.Bitrate
		}
	}
	return sum
}

// receivedBy is what one participant is sent by all whom it receives.
func receivedBy(p stage.ParticipantMedia, kind string) (sum int) {
	for _, l := range p.Subscriptions {
		sum += bitrateOf(l.Streams, kind)
	}
	return sum
}

// lossOf is what a participant loses of all that it receives: the average of its streams.
func lossOf(p stage.ParticipantMedia) float64 {
	n, sum := 0, 0.0
	for _, l := range p.Subscriptions {
		for _, s := range l.Streams {
			if s.Reported {
				n, sum = n+1, sum+s.Loss
			}
		}
	}
	return sum / float64(max(1, n))
}

func gaugeOf(out chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}
