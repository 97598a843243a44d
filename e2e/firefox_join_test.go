//go:build e2e && interop

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"

	"callboard/internal/guest"
	"callboard/internal/server"
)

// Firefox and Chromium meet on the page at /join. A Firefox without H.264, which it
// has to download, publishes VP8, and is told whose picture it cannot play.
func TestInteropFirefoxAndChromiumMeetOnTheJoinPage(t *testing.T) {
	address := besideLoopback(t)
	b := newBoard(t, func(c *server.Config) { c.Media = address + ":0" })
	arn := b.stage(t)
	tokens := map[string]string{}
	ids := map[string]string{}
	for _, name := range []string{"fox", "chromium"} {
		token := b.token(t, arn, name)
		tokens[name], ids[name] = *token.Token, *token.ParticipantId
	}
	enters := func(tab *tab) {
		t.Helper()
		eventuallyHas(t, tab, "document.getElementById('camera').options.length > 1")
		tab.press(t, "#entry button")
		eventuallyHas(t, tab, "!document.getElementById('stage').hidden")
	}
	firefox := browseFirefox(t, b.url+"/join#token="+tokens["fox"])
	h264 := do[bool](t, firefox, "RTCRtpReceiver.getCapabilities('video').codecs.some((c) => /h264/i.test(c.mimeType))")
	t.Logf("%s; H.264: %v", do[string](t, firefox, "navigator.userAgent"), h264)
	enters(firefox)
	chromium := browse(t, b.url+"/join#token="+tokens["chromium"])
	enters(chromium)

	chromium.sees(t, ids["fox"])
	if h264 {
		eventuallyHas(t, firefox, decodes(ids["chromium"]))
	} else {
		firefox.shows(t, "#tile-"+ids["chromium"]+" .note", "This browser cannot play the picture, only the sound.")
		firefox.shows(t, "#tile-"+ids["chromium"]+" .initial", "C")
	}
	vp8 := b.guest(t, arn, "vp8")
	_, err := vp8.Publish(deadline(t, patience), guest.VP8)
	must(t, err)
	eventuallyHas(t, firefox, decodes(vp8.ID()))

	chromium.press(t, "#mic")
	firefox.shows(t, "#tile-"+ids["chromium"]+" .muted", "muted")
	firefox.press(t, "#cam")
	chromium.shows(t, "#tile-"+ids["fox"]+" .initial", "F")

	session := b.session(t, arn)
	out, err := b.GetParticipant(t.Context(), &sdk.GetParticipantInput{StageArn: &arn, SessionId: &session, ParticipantId: aws.String(ids["fox"])})
	must(t, err)
	if name := aws.ToString(out.Participant.BrowserName); !strings.Contains(name, "Firefox") {
		t.Errorf("browserName is %q", name)
	}
	firefox.press(t, "#leave")
	chromium.misses(t, "#tile-"+ids["fox"])
	leaves(t, b, arn, session, ids["fox"])
}

func TestInteropFirefoxIsToldThatItSendsNothingToLoopback(t *testing.T) {
	b := newBoard(t)
	token := b.token(t, b.stage(t), "fox")
	firefox := browseFirefox(t, b.url+"/join#token="+*token.Token)
	eventuallyHas(t, firefox, "document.getElementById('camera').options.length > 1")
	firefox.press(t, "#entry button")
	firefox.shows(t, "#status.bad", "Firefox sends no media to 127.0.0.1")
}

// decodes asks whether pictures of somebody are decoded: Firefox counts no frames of a video element that plays a stream.
func decodes(id string) string {
	return fmt.Sprintf("/^\\d+×\\d+, [1-9]\\d* fps/.test(document.querySelector('#tile-%s .quality')?.title)", id)
}

// eventuallyHas waits until what the page evaluates is true.
func eventuallyHas(t *testing.T, tab *tab, expression string) {
	t.Helper()
	eventually(t, time.Minute, func() string {
		if !do[bool](t, tab, expression) {
			return "not so: " + expression
		}
		return ""
	})
}
