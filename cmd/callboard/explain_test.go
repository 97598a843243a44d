package main

import (
	"strings"
	"testing"
	"time"
)

func TestAnExplanationIsNumberedAndItsProblemsAreMarked(t *testing.T) {
	t.Parallel()
	e := explained{StageARN: "arn:aws:ivs:x:1:stage/s", ParticipantID: "p"}
	e.Sentences = append(e.Sentences, struct{ Finding, Text, Advice string }{"OK", "All is well.", ""}, struct{ Finding, Text, Advice string }{"PROBLEM", "It is \x1b[31mred.", "Paint it."})
	want := "p on arn:aws:ivs:x:1:stage/s\n\n    1. All is well.\n!!  2. It is \uFFFD[31mred.\n       -> Paint it.\n\nThe problem is marked with !!.\n"
	if got := e.text(); got != want {
		t.Errorf("%q", got)
	}
}

func TestTheStageOfATokenIsReadWithoutBelievingIt(t *testing.T) {
	t.Parallel()
	if got, err := stageOfToken("e30.eyJyZXNvdXJjZSI6ImFybjphd3M6aXZzOng6MTpzdGFnZS9zIn0.xx"); err != nil || got != "arn:aws:ivs:x:1:stage/s" {
		t.Error(got, err)
	}
	for _, bad := range []string{"a.b", "a.b.c", "e30.e30.xx", "e30.!.xx"} {
		if got, err := stageOfToken(bad); err == nil || strings.Contains(err.Error(), bad) {
			t.Error(bad, got, err)
		}
	}
}

func TestMediaAreShownWithWhatIsMostWorthKnowing(t *testing.T) {
	t.Parallel()
	now := time.Now()
	old := now.Add(-9 * time.Second)
	m := mediaAnswer{Time: now, Participants: []mediaParticipant{{
		ParticipantID: "p", UserID: "ann", VideoStopped: true,
		Publication: &mediaLeg{State: "CONNECTED", Streams: []mediaStream{
			{MediaType: "audio", Codec: "opus", Bitrate: 40_000, LastPacketTime: &now},
			{MediaType: "video", Codec: "H264", Bitrate: 1_500_000, Width: 640, Height: 360, FrameRate: 30, Loss: .015},
		}},
		Subscriptions: []mediaLeg{
			{PublisherParticipantID: "q", State: "CHECKING"}, {PublisherParticipantID: "r", State: "CONNECTED", Streams: []mediaStream{
				{MediaType: "video", Codec: "VP8", WaitsForKeyFrame: true, AwaitedLayer: "hi"}, {MediaType: "audio", Codec: "opus", LastPacketTime: &old},
				{MediaType: "audio", Codec: "opus"},
			}}, {PublisherParticipantID: "s", State: "CONNECTED", Held: true, Streams: []mediaStream{{}}},
			{PublisherParticipantID: "t", State: "CONNECTED", Way: &mediaWay{EstimatedBitrate: 300_000, VideoPaused: true}, Streams: []mediaStream{{MediaType: "video"}}},
			{PublisherParticipantID: "u", State: "CONNECTED", Way: &mediaWay{EstimatedBitrate: 1_000_000, LackingBitrate: 2_000_000, AimedLayer: "mid"}, Streams: []mediaStream{{MediaType: "video", Layer: "low", LastPacketTime: &now}}},
		},
	}}}
	lines := strings.Split(m.table(), "\n")
	for i, want := range []string{"PARTICIPANT", "40 kbps", "1.50 Mbps", "checking", "waits for a key frame hi", "silent for 9s", "nothing yet", "publisher has stopped", "300 kbps   paused, bandwidth too low", "low > mid"} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("line %d is %q, without %q", i+1, lines[i], want)
		}
	}
	if !strings.HasSuffix(lines[1], "flows") || !strings.HasSuffix(lines[2], "muted") || !strings.Contains(lines[2], "640x360  30   1.5 %") {
		t.Error(m.table())
	}
	if !strings.HasSuffix(lines[9], "1.00 Mbps  flows, bandwidth too low for more") {
		t.Error(lines[9])
	}
	if got := (&mediaAnswer{}).table(); got != "Nobody publishes or subscribes.\n" {
		t.Error(got)
	}
}
