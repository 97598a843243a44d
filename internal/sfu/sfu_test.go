package sfu

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
)

var discard = slog.New(slog.DiscardHandler)

func TestSubscribersReceiveWhatIsPublished(t *testing.T) {
	t.Parallel()
	for _, mime := range []string{webrtc.MimeTypeH264, webrtc.MimeTypeVP8} {
		t.Run(mime, func(t *testing.T) {
			t.Parallel()
			e := openEngine(t, Options{})
			o := cameraOptions{mime: mime}
			if mime == webrtc.MimeTypeVP8 {
				o.codecs = offering(webrtc.MimeTypeOpus, webrtc.MimeTypeVP8)
			}
			c := publish(t, e, o)
			wait(t, c.connected, "connection")
			wait(t, c.story.media, "media")
			v := subscribe(t, e, c.pub, viewerOptions{})
			wait(t, v.connected, "connection")
			wait(t, v.story.media, "media")
			video, audio := inOrder(t, v.video, 100), inOrder(t, v.audio, 100)
			if key, _, _, _ := content(video[0]); !key {
				t.Error("the first packet begins no key frame")
			}
			_, _, _, first := content(video[0])
			_, _, _, last := content(video[99])
			if last-first != 99 || video[99].Timestamp-video[0].Timestamp != 99*360 || audio[99].Timestamp-audio[0].Timestamp != 99*192 {
				t.Error("what came out is not what went in")
			}
			c.pub.Close()
			v.sub.Close()
			if err := wait(t, c.closed, "end"); err != nil {
				t.Error(err)
			}
			<-c.pub.Done()
			<-v.sub.Done()
			for _, s := range []*story{c.story, v.story} {
				if got := s.told(); !slices.Equal(got, []string{"connected", "media", "closed"}) {
					t.Error("told", got)
				}
			}
		})
	}
}

func TestAnswersChooseH264(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{})
	if strings.Contains(c.answer, "VP8") || !strings.Contains(c.answer, "H264/90000") || !strings.Contains(c.answer, "profile-level-id=42e01f") {
		t.Error("published as something else:\n" + c.answer)
	}
	v := subscribe(t, e, c.pub, viewerOptions{})
	if strings.Contains(v.answer, "VP8") || !strings.Contains(v.answer, "H264/90000") {
		t.Error("subscribed as something else:\n" + v.answer)
	}
	for _, line := range []string{"a=sendonly", "a=msid:somebody ", "a=setup:passive", "a=rtcp-mux", "a=candidate:", "a=end-of-candidates", "a=group:BUNDLE"} {
		if !strings.Contains(v.answer, line) {
			t.Errorf("the answer has no %s:\n%s", line, v.answer)
		}
	}
	if strings.Contains(v.answer, "a=sendrecv") {
		t.Error("the answer wants to receive")
	}
}
