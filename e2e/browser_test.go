//go:build e2e

package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
)

// The tests here are not parallel: two browsers at a time are enough.

func TestTwoBrowsersSeeAndHearEachOther(t *testing.T) {
	b := newBoard(t)
	origin := pages(t)
	arn := b.stage(t)
	tokens := []*types.ParticipantToken{b.token(t, arn, "ada"), b.token(t, arn, "bob")}
	var tabs []*tab
	for _, token := range tokens {
		tab := newTab(t, origin)
		tabs = append(tabs, tab)
		do[any](t, tab, "participant.join(%s)", *token.Token)
		do[any](t, tab, "participant.publish(false)")
	}
	for i, tab := range tabs {
		other := *tokens[1-i].ParticipantId
		do[any](t, tab, "participant.sees(%s, (p) => p.isPublishing)", other)
		do[any](t, tab, "participant.subscribe(%s, '')", other)
	}
	for i, tab := range tabs {
		f := tab.plays(t, *tokens[1-i].ParticipantId)
		equal(t, "codecs", []string{f.Codec, f.AudioCodec}, []string{"video/H264", "audio/opus"})
		equal(t, "SRTP cipher, chosen by the server", f.SRTPCipher, "SRTP_AEAD_AES_128_GCM")
		t.Logf("received: %s (%s), %s; SRTP %s, DTLS %s %s; %d pixels wide", f.Codec, f.FMTP, f.AudioCodec, f.SRTPCipher, f.TLSVersion, f.DTLSCipher, f.Width)
	}
	session := b.session(t, arn)
	listed, err := b.ListParticipants(t.Context(), &sdk.ListParticipantsInput{StageArn: &arn, SessionId: &session, FilterByPublished: true})
	must(t, err)
	equal(t, "publishers", len(listed.Participants), 2)
	for i, p := range listed.Participants {
		equal(t, "id and state, the newest first", []string{*p.ParticipantId, string(p.State)}, []string{*tokens[1-i].ParticipantId, "CONNECTED"})
		chromium(t, b, arn, session, *p.ParticipantId)
	}

	ada, bob := *tokens[0].ParticipantId, *tokens[1].ParticipantId
	do[any](t, tabs[1], "participant.mute(true, false)")
	do[any](t, tabs[0], "participant.sees(%s, (p) => p.audioMuted && !p.videoStopped)", bob)
	equal(t, "status of the DELETE of a publication", do[int](t, tabs[1], "participant.stop('publish')")/100, 2)
	do[any](t, tabs[0], "participant.sees(%s, (p) => !p.isPublishing)", bob)

	do[any](t, tabs[1], "window.location.replace(%s)", "about:blank")
	do[any](t, tabs[0], "participant.misses(%s)", bob)
	leaves(t, b, arn, session, bob)
	events := history(t, b, arn, session, ada)
	want := []string{"JOINED", "PUBLISH_STARTED", "SUBSCRIBE_STARTED " + bob, "SUBSCRIBE_STOPPED " + bob}
	equal(t, "what happened to the one who stays", events, want)
}

// chromium checks what GetParticipant says of somebody's browser.
func chromium(t *testing.T, b *board, arn, session, id string) {
	t.Helper()
	out, err := b.GetParticipant(t.Context(), &sdk.GetParticipantInput{StageArn: &arn, SessionId: &session, ParticipantId: &id})
	must(t, err)
	p := out.Participant
	equal(t, "protocol", p.Protocol, types.ParticipantProtocol("WHIP"))
	equal(t, "sdkVersion", aws.ToString(p.SdkVersion), "1.41.0")
	if name := aws.ToString(p.BrowserName); !strings.Contains(name, "Chrom") {
		t.Errorf("browserName is %q", name)
	}
	if !regexp.MustCompile(`^[0-9]+(\.[0-9]+)*$`).MatchString(aws.ToString(p.BrowserVersion)) || aws.ToString(p.OsName) == "" {
		t.Errorf("browserVersion is %q, osName %q", aws.ToString(p.BrowserVersion), aws.ToString(p.OsName))
	}
	t.Logf("%s: %s %s on %s %s", id, aws.ToString(p.BrowserName), aws.ToString(p.BrowserVersion), aws.ToString(p.OsName), aws.ToString(p.OsVersion))
}

// leaves waits until the API says that somebody has left, and LEFT is the last event.
func leaves(t *testing.T, b *board, arn, session, id string) {
	t.Helper()
	eventually(t, 35*time.Second, func() string {
		out, err := b.GetParticipant(t.Context(), &sdk.GetParticipantInput{StageArn: &arn, SessionId: &session, ParticipantId: &id})
		must(t, err)
		if out.Participant.State != "DISCONNECTED" {
			return id + " is still " + string(out.Participant.State)
		}
		return ""
	})
	events := history(t, b, arn, session, id)
	equal(t, "the last event of "+id, events[len(events)-1], "LEFT")
}

// history is somebody's events as the API tells them, the oldest first:
// the name, then the publisher or the error code if there is one.
func history(t *testing.T, b *board, arn, session, id string) []string {
	t.Helper()
	var events []string
	in := &sdk.ListParticipantEventsInput{StageArn: &arn, SessionId: &session, ParticipantId: &id}
	for {
		out, err := b.ListParticipantEvents(t.Context(), in)
		must(t, err)
		for _, e := range out.Events {
			events = append(events, strings.TrimSpace(fmt.Sprint(e.Name, " ", aws.ToString(e.RemoteParticipantId), e.ErrorCode)))
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			slices.Reverse(events)
			return events
		}
	}
}

func TestABrowsersThreeLayersAreReceivedOneAtATime(t *testing.T) {
	b := newBoard(t)
	origin := pages(t)
	arn := b.stage(t)
	token := b.token(t, arn, "sender")
	id := *token.ParticipantId
	sender := newTab(t, origin)
	do[any](t, sender, "participant.join(%s)", *token.Token)
	full := do[int](t, sender, "participant.publish(true)")
	equal(t, "layers sent", len(sender.flow(t, "publish").FramesSent), 3)

	viewer := newTab(t, origin)
	do[any](t, viewer, "participant.join(%s)", *b.token(t, arn, "viewer").Token)
	do[any](t, viewer, "participant.sees(%s, (p) => p.isPublishing)", id)
	do[any](t, viewer, "participant.subscribe(%s, '')", id)
	f := viewer.plays(t, id)
	if f.Widths[0] > full/4 {
		t.Errorf("without a wish the first picture is %d wide, the lowest layer %d", f.Widths[0], full/4)
	}
	shows := func(layer string) {
		t.Helper()
		eventually(t, time.Minute, func() string {
			// A browser that is short of processor or bandwidth makes its layers smaller, or pauses the highest: then the next one
			// below is forwarded.
			sent := sender.flow(t, "publish").WidthsSent
			want := sent["low"]
			if layer != "low" {
				want = max(sent["hi"], sent["mid"], sent["low"])
			}
			if f := viewer.flow(t, id); f.Width != want || want == 0 {
				return fmt.Sprintf("layer %s of %v should arrive: %+v; %v", layer, sent, f, do[any](t, viewer, "participant.choices(%s)", id))
			}
			return ""
		})
	}
	shows("the best") // there is room for it
	t.Logf("widths without a wish: %v; %s, SRTP %s", viewer.flow(t, id).Widths, f.Codec, f.SRTPCipher)
	for _, layer := range []string{"low", "hi", "low", "auto"} {
		equal(t, "status of a choice", do[int](t, viewer, "participant.choose(%s, %s)", id, map[string]string{"layer": layer}), 204)
		shows(layer)
	}
	equal(t, "status of a choice that there is not", do[int](t, viewer, "participant.choose(%s, %s)", id, map[string]string{"layer": "ultra"}), 409)
	t.Logf("widths with choices: %v; in the end %v", viewer.flow(t, id).Widths, do[any](t, viewer, "participant.choices(%s)", id))
	do[any](t, viewer, "participant.stop(%s)", id)

	for _, layer := range []string{"low", "hi"} {
		do[any](t, viewer, "participant.subscribe(%s, %s)", id, "?layer="+layer)
		shows(layer)
		do[any](t, viewer, "participant.stop(%s)", id)
	}
}
