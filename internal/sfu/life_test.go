package sfu

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

func fields(s string) []string { return strings.Fields(s) }

func TestAGoodbyeClosesAtOnce(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{})
	v := subscribe(t, e, c.pub, viewerOptions{})
	inOrder(t, v.video, 10)
	began := time.Now()
	must(t, v.PeerConnection.Close())
	if err := wait(t, v.closed, "end of the subscription"); err != nil {
		t.Error(err)
	}
	must(t, c.PeerConnection.Close())
	if err := wait(t, c.closed, "end of the publication"); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Error("took", took)
	}
	<-c.pub.Done()
	<-v.sub.Done()
	if s := e.Stats(); s.Peers != 0 || s.Pending != 0 {
		t.Errorf("left over: %+v", s)
	}
}

func TestOurGoodbyeReachesTheClient(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{})
	gone := make(chan struct{}, 9)
	c.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateClosed {
			gone <- struct{}{}
		}
	})
	wait(t, c.story.media, "media")
	c.pub.Close()
	c.pub.Close()
	wait(t, gone, "goodbye")
	<-c.pub.Done()
	if _, err := c.pub.Patch(Fragment{}); err != ErrClosed {
		t.Error(err)
	}
}

func TestAVanishedPeerIsClosed(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{timing: brisk})
	c := publish(t, e, cameraOptions{})
	v := subscribe(t, e, c.pub, viewerOptions{})
	inOrder(t, v.video, 10)
	v.wire.cut.Store(true)
	c.wire.cut.Store(true)
	if err := wait(t, v.closed, "end of the subscription"); !errors.Is(err, errVanished) {
		t.Error(err)
	}
	if err := wait(t, c.closed, "end of the publication"); !errors.Is(err, errVanished) {
		t.Error(err)
	}
}

func TestTheUsualTimesEndAVanishedPeerBeforeConsentExpires(t *testing.T) {
	t.Parallel()
	if s := usual.disconnected + usual.failed; s < 4*usual.keepalive*6/5 || s+usual.poll >= consent {
		t.Error("a vanished peer is noticed after", s)
	}
}

func TestAPeerThatDoesNotConnectIsClosed(t *testing.T) {
	t.Parallel()
	short := brisk
	short.pending = 200 * time.Millisecond
	e := openEngine(t, Options{timing: short})
	for _, sdp := range []string{"chromium-publish.sdp"} {
		s := newStory()
		p, _, err := e.Publish(t.Context(), readTestdata(t, sdp), s.notify())
		must(t, err)
		if err := wait(t, s.closed, "end"); !errors.Is(err, errNeverConnected) {
			t.Error(err)
		}
		<-p.Done()
	}
	if s := e.Stats(); s.Peers != 0 || s.Pending != 0 {
		t.Errorf("left over: %+v", s)
	}
}

func TestPendingPeersAreBounded(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{MaxPending: 2})
	offer := readTestdata(t, "chromium-publish.sdp")
	first, _, err := e.Publish(t.Context(), offer, Notify{})
	must(t, err)
	_, _, err = e.Publish(t.Context(), offer, Notify{})
	must(t, err)
	if _, _, err := e.Publish(t.Context(), offer, Notify{}); err != ErrTooMany {
		t.Error(err)
	}
	first.Close()
	<-first.Done()
	if _, _, err = e.Publish(t.Context(), offer, Notify{}); err != nil {
		t.Error(err)
	}
}

func TestACancelledPublishLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := e.Publish(ctx, readTestdata(t, "chromium-publish.sdp"), Notify{Closed: func(error) { t.Error("told of a peer nobody got") }})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if s := e.Stats(); s.Peers != 0 || s.Pending != 0 {
		t.Errorf("left over: %+v", s)
	}
}

func TestAClosedEngineRefuses(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{})
	wait(t, c.connected, "connection")
	must(t, e.Close())
	wait(t, c.closed, "end")
	if _, _, err := e.Publish(t.Context(), readTestdata(t, "chromium-publish.sdp"), Notify{}); err != ErrClosed {
		t.Error(err)
	}
}

func TestICERestartKeepsTheMediaFlowing(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{})
	v := subscribe(t, e, c.pub, viewerOptions{})
	inOrder(t, v.video, 20)
	t.Run("for the publisher", func(t *testing.T) { restart(t, c.client, &c.pub.Peer) })
	steady(t, v.drain(), 100)
	t.Run("for the subscriber", func(t *testing.T) { restart(t, v.client, &v.sub.Peer) })
	steady(t, v.drain(), 100)
	if len(c.closed) > 0 || len(v.closed) > 0 {
		t.Error("a peer has ended")
	}
}

func TestMediaGoOnWhenAClientsAddressChanges(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{Listener: listenTCP(t)})
	c := publish(t, e, cameraOptions{})
	v := subscribe(t, e, c.pub, viewerOptions{})
	inOrder(t, v.video, 20)
	arrived := func(c *client, p *Peer, before netip.AddrPort) {
		t.Helper()
		until(t, "new address", func() bool { return p.link.remote.Load().AddrPort != before })
		steady(t, v.drain(), 100)
	}
	for range 2 {
		before := c.pub.link.remote.Load().AddrPort
		c.wire.move(t)
		arrived(c.client, &c.pub.Peer, before)
		before = v.sub.link.remote.Load().AddrPort
		v.wire.move(t)
		arrived(v.client, &v.sub.Peer, before)
	}
	before := v.sub.link.remote.Load().AddrPort
	v.wire.move(t)
	restart(t, v.client, &v.sub.Peer)
	arrived(v.client, &v.sub.Peer, before)
	if len(c.closed) > 0 || len(v.closed) > 0 {
		t.Error("a peer has ended")
	}
}

func TestStreamsWithoutADeclaredSSRCAreFoundAndSurviveARestart(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{mangle: func(offer string) string {
		var b strings.Builder
		for line := range strings.Lines(offer) {
			if !strings.HasPrefix(line, "a=ssrc") {
				b.WriteString(line)
			}
		}
		return b.String()
	}})
	v := subscribe(t, e, c.pub, viewerOptions{})
	inOrder(t, v.video, 20)
	inOrder(t, v.audio, 20)
	restart(t, c.client, &c.pub.Peer)
	steady(t, v.drain(), 100)
}

func TestARestartWhoseAnswerWasLostCanBeRepeated(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{})
	wait(t, c.story.media, "media")
	_, err := c.pub.Patch(Fragment{Ufrag: "lost", Pwd: strings.Repeat("x", 24)})
	must(t, err)
	restart(t, c.client, &c.pub.Peer)
	v := subscribe(t, e, c.pub, viewerOptions{})
	steady(t, v.video, 20)
}

func TestASocketOnAllInterfacesAnnouncesThem(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:0", "[::]:0"} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			conn, err := net.ListenPacket("udp", address)
			if err != nil {
				t.Skip(err)
			}
			e := openEngine(t, Options{Conn: conn})
			c := publish(t, e, cameraOptions{})
			f, err := answerFragment(c.answer)
			if err != nil || len(f.Candidates) == 0 || strings.Contains(c.answer, " 0.0.0.0 "+"9 typ") {
				t.Errorf("%+v, %v", f, err)
			}
			wait(t, c.story.media, "media")
		})
	}
}

// steady waits for a run of n packets without a gap. While ICE restarts, a packet may be lost on the way.
func steady(t testing.TB, from <-chan *rtp.Packet, n int) {
	t.Helper()
	last, run := wait(t, from, "packet"), 0
	for end := time.Now().Add(patience); run < n; run++ {
		p := wait(t, from, "packet")
		if p.SSRC != last.SSRC {
			t.Fatal("the stream became another")
		}
		if p.SequenceNumber != last.SequenceNumber+1 {
			run = 0
		}
		if last = p; time.Now().After(end) {
			t.Fatalf("no %d packets in order in %v", n, patience)
		}
	}
}

// restart makes a client restart ICE by way of fragments, as WHIP does.
func restart(t *testing.T, c *client, p *Peer) {
	t.Helper()
	before := p.ETag()
	offer, err := c.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	must(t, err)
	gathered := webrtc.GatheringCompletePromise(c.PeerConnection)
	must(t, c.SetLocalDescription(offer))
	<-gathered
	mine, err := answerFragment(c.LocalDescription().SDP)
	must(t, err)
	sent, err := ParseFragment(mine.String())
	must(t, err)
	got, err := p.Patch(sent)
	must(t, err)
	if p.ETag() == before || got.Ufrag == "" || got.Pwd == "" || len(got.Candidates) == 0 {
		t.Fatalf("answered %+v", got)
	}
	read, err := ParseFragment(got.String())
	must(t, err)
	answer := rewriteICE(c.RemoteDescription().SDP, read)
	connected := make(chan struct{}, 9)
	c.OnICEConnectionStateChange(func(s webrtc.ICEConnectionState) {
		if s == webrtc.ICEConnectionStateConnected {
			connected <- struct{}{}
		}
	})
	must(t, c.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
	wait(t, connected, "connection after the restart")
}

// rewriteICE puts the credentials and candidates of f into an answer.
func rewriteICE(answer string, f Fragment) string {
	var b strings.Builder
	for line := range strings.Lines(answer) {
		switch {
		case strings.HasPrefix(line, "a=ice-ufrag:"):
			line = "a=ice-ufrag:" + f.Ufrag + "\r\n"
		case strings.HasPrefix(line, "a=ice-pwd:"):
			line = "a=ice-pwd:" + f.Pwd + "\r\n"
		case strings.HasPrefix(line, "a=candidate:"):
			line = "a=candidate:" + f.Candidates[0] + "\r\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

func TestNothingOfAPeerIsKeptOnceItHasGone(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{Listener: listenTCP(t), timing: brisk})
	goodbye := func(c *camera, v *viewer) { c.pub.Close(); v.sub.Close() }
	for name, s := range map[string]struct {
		client func(testing.TB, ...webrtc.RTPCodecParameters) *client
		end    func(*camera, *viewer)
	}{
		"goodbye":          {newClient, goodbye},
		"goodbye over TCP": {walled, goodbye},
		"not a word":       {newClient, func(c *camera, v *viewer) { c.wire.cut.Store(true); v.wire.cut.Store(true) }},
	} {
		c := publish(t, e, cameraOptions{client: s.client(t)})
		v := subscribe(t, e, c.pub, viewerOptions{client: s.client(t)})
		inOrder(t, v.video, 10)
		s.end(c, v)
		<-v.sub.Done()
		<-c.pub.Done()
		pub, sub := weak.Make(c.pub), weak.Make(v.sub)
		c.pub, v.sub = nil, nil
		until(t, "end of the publication after "+name, func() bool { runtime.GC(); return pub.Value() == nil })
		until(t, "end of the subscription after "+name, func() bool { runtime.GC(); return sub.Value() == nil })
	}
}
