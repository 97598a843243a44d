package sfu

import (
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
)

func TestNothingIsSentBeforeStart(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{})
	v := subscribe(t, e, c.pub, viewerOptions{unstarted: true})
	wait(t, v.connected, "connection")
	must(t, v.sub.Attach(c.pub)) // changes nothing
	// The other one is served in the same loop: what it gets, the waiting one would have got.
	other := subscribe(t, e, c.pub, viewerOptions{})
	wait(t, other.video, "packet") // of the key frame, which is to be old when the first one starts
	for began := time.Now(); time.Since(began) < 2*keyFrameInterval; {
		wait(t, other.video, "packet")
	}
	for len(c.pleas) > 0 {
		<-c.pleas
	}
	if len(v.video)+len(v.audio)+len(v.story.media) > 0 {
		t.Fatal("sent before Start")
	}
	v.sub.Start()
	v.sub.Start()
	wait(t, c.pleas, "key frame request")
	wait(t, v.story.media, "media")
	if key, _, _, _ := content(inOrder(t, v.video, 50)[0]); !key {
		t.Error("begins in the middle")
	}
	inOrder(t, v.audio, 50)
	v.sub.Close()
	<-v.sub.Done()
	v.sub.Start()
}

func TestStartMayComeBeforeTheConnection(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c, v, n := publish(t, e, cameraOptions{}), newClient(t), newStory()
	_, err := v.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	must(t, err)
	s, answer, err := e.Subscribe(t.Context(), v.offer(t), c.pub, SubscribeOptions{}, n.notify())
	must(t, err)
	s.Start()
	v.accept(t, answer)
	wait(t, n.media, "media")
}

func TestAPublisherThatSendsNothingIsConnected(t *testing.T) {
	t.Parallel()
	e, c, n := openEngine(t, Options{}), newClient(t), newStory()
	_, err := c.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	must(t, err)
	_, answer, err := e.Publish(t.Context(), c.offer(t), n.notify())
	must(t, err)
	c.accept(t, answer)
	wait(t, n.connected, "connection")
}

func TestTheEndIsToldBeforeEverythingHasWoundUp(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{})
	wait(t, c.connected, "connection")
	slow := make(chan struct{})
	c.pub.link.workers.Go(func() { <-slow })
	c.pub.Close()
	if err := wait(t, c.closed, "end"); err != nil {
		t.Error(err)
	}
	select {
	case <-c.pub.Done():
		t.Error("done too early")
	default:
	}
	close(slow)
	wait(t, c.pub.Done(), "end of everything")
}
