package server

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"callboard/internal/stage"
)

// page is what /metrics would show of these media.
func page(t *testing.T, detail string, media map[stage.ARN]stage.Media) string {
	r := prometheus.NewRegistry()
	r.MustRegister(mediaSeries{detail, func(context.Context) map[stage.ARN]stage.Media { return media }})
	w := httptest.NewRecorder()
	promhttp.HandlerFor(r, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatal(w.Body)
	}
	return w.Body.String()
}

func holds(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %s in\n%s", line, text)
		}
	}
}

func TestMetricsOfMediaHaveTheNamesOfCloudWatchAndABound(t *testing.T) {
	t.Parallel()
	sender := func(id string, layer string) stage.ParticipantMedia {
		return stage.ParticipantMedia{ID: id, Publishing: true, Publication: &stage.MediaLeg{Progress: stage.Up, Streams: []stage.MediaStream{
			{Kind: "audio", Bitrate: 1000}, {Kind: "video", Layer: layer, Bitrate: 3000, FrameRate: 30, Width: 720, Height: 1280},
		}}}
	}
	viewer := stage.ParticipantMedia{ID: "v", Subscriptions: []stage.MediaLeg{
		{Progress: stage.Up, Streams: []stage.MediaStream{{Kind: "audio", Bitrate: 500, Reported: true, Loss: .5}, {Kind: "video", Bitrate: 700, Reported: true}}},
		{Progress: stage.Checking},
	}}
	media := map[stage.ARN]stage.Media{{ID: "s"}: {Participants: []stage.ParticipantMedia{sender("a", "hi"), sender("b", ""), viewer, {ID: "idle"}}}}
	text := page(t, metricsOfStages, media)
	holds(t, text, "aws_ivsrealtime_concurrent_publishers 2", "aws_ivsrealtime_concurrent_subscriptions 1",
		`aws_ivsrealtime_publishers{stage="s"} 2`, `aws_ivsrealtime_subscribers{stage="s"} 1`,
		`aws_ivsrealtime_publish_bitrate{media_type="",participant="",simulcast_layer="",stage="s"} 4000`,
		`aws_ivsrealtime_subscribe_bitrate{media_type="",participant="",stage="s"} 1200`,
		`aws_ivsrealtime_download_packet_loss{participant="",stage="s"} 25`)
	if strings.Contains(text, "framerate") {
		t.Error(text)
	}
	holds(t, page(t, metricsOfParticipants, media),
		`aws_ivsrealtime_publish_bitrate{media_type="video",participant="a",simulcast_layer="hi",stage="s"} 3000`,
		`aws_ivsrealtime_publish_bitrate{media_type="audio",participant="b",simulcast_layer="disabled",stage="s"} 1000`,
		`aws_ivsrealtime_publish_framerate{media_type="video",participant="b",simulcast_layer="disabled",stage="s"} 30`,
		`aws_ivsrealtime_publish_resolution{media_type="video",participant="a",simulcast_layer="hi",stage="s"} 720`,
		`aws_ivsrealtime_subscribe_bitrate{media_type="video",participant="v",stage="s"} 700`,
		`aws_ivsrealtime_download_packet_loss{participant="v",stage="s"} 25`)
	if text := page(t, metricsOfNothing, media); text != "" {
		t.Error(text)
	}
	for i := range 1200 {
		media[stage.ARN{ID: fmt.Sprint("small", i)}] = stage.Media{Participants: []stage.ParticipantMedia{sender("x", "")}}
	}
	text = page(t, metricsOfStages, media)
	holds(t, text, `callboard_media_metrics_left_out{of="stages"} 201`, `aws_ivsrealtime_publishers{stage="s"} 2`, "aws_ivsrealtime_concurrent_publishers 1202")
	if n := strings.Count(text, "aws_ivsrealtime_publishers{"); n != mostStages {
		t.Error(n, "stages have series")
	}
}
