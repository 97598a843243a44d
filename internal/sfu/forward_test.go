package sfu

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"github.com/pion/webrtc/v4"
)

func TestALateSubscriberMakesThePublisherSendAKeyFrame(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{})
	first := subscribe(t, e, c.pub, viewerOptions{})
	for began := time.Now(); time.Since(began) < 2*keyFrameInterval; {
		wait(t, first.video, "packet")
	}
	for len(c.pleas) > 0 {
		<-c.pleas
	}
	late := subscribe(t, e, c.pub, viewerOptions{})
	wait(t, c.pleas, "key frame request")
	p := wait(t, late.video, "packet")
	if key, _, _, _ := content(p); !key {
		t.Error("a late subscriber began in the middle")
	}
	if p.SequenceNumber >= 1<<15 {
		t.Error("the stream begins with a sequence number that soon wraps around")
	}
	inOrder(t, first.drain(), 100)
	before := e.Stats().KeyFrameRequests
	if before == 0 {
		t.Error("the request was not counted")
	}
}

func TestASubscriberSoonAfterAKeyFrameGetsWhatCameSince(t *testing.T) {
	t.Parallel()
	l, outlets := benchLayer(t, 1)
	b := benchPacket(t, 100)
	send := func(seq byte, head byte, at time.Duration) {
		b[3], b[7], b[12] = seq, seq/3, head // three packets a frame
		l.accept(b, epoch.Add(at))
	}
	send(9, 0x67, 0)
	send(10, 0x68, 0)
	send(11, 0x65, 0)
	for seq := byte(12); seq < 30; seq++ {
		send(seq, 0x41, 100*time.Millisecond)
	}
	late := another(t, l)
	l.track.add(late, epoch)
	l.plea.wanted.Store(false)
	send(30, 0x41, 200*time.Millisecond)
	if late.packets != 22 || l.plea.wanted.Load() {
		t.Errorf("got %d packets; a key frame is wanted: %v", late.packets, l.plea.wanted.Load())
	}
	l.track.remove(late)
	send(31, 0x41, 200*time.Millisecond)
	l.track.add(late, epoch) // its receiver's clock runs already
	send(32, 0x41, 300*time.Millisecond)
	if late.packets != 22 || !l.plea.wanted.Load() {
		t.Errorf("got %d packets; a key frame is wanted: %v", late.packets, l.plea.wanted.Load())
	}
	tooLate := another(t, l)
	l.plea.wanted.Store(false)
	l.track.add(tooLate, epoch)
	send(33, 0x41, keyFrameInterval)
	if tooLate.packets != 0 || !l.plea.wanted.Load() || outlets[0].packets != 25 {
		t.Errorf("got %d packets; a key frame is wanted: %v", tooLate.packets, l.plea.wanted.Load())
	}
}

// another is one more outlet that may listen to l.
func another(t testing.TB, l *layer) *outlet {
	o := newOutlet(&section{codec: l.track.codec, kind: l.track.kind, ssrc: 8}, wish{}, &counters{}, func() {})
	o.out.link = benchLink(t, l.track.port, netip.MustParseAddrPort("127.0.0.1:9"), srtp.ProtectionProfileAeadAes128Gcm)
	return o
}

func TestALossOfTheSubscribersIsAskedForOnce(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{})
	var all []*viewer
	for range 5 {
		all = append(all, subscribe(t, e, c.pub, viewerOptions{}))
	}
	for _, v := range all {
		wait(t, v.video, "packet")
	}
	began, before := time.Now(), e.Stats().KeyFrameRequests
	for range 60 {
		for _, v := range all {
			ssrc := uint32(v.GetReceivers()[1].Track().SSRC())
			must(t, v.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: ssrc}}))
		}
		inOrder(t, all[0].drain(), 10)
	}
	most := 2 + uint64(time.Since(began)/keyFrameInterval)
	if got := e.Stats().KeyFrameRequests - before; got == 0 || got > most {
		t.Errorf("%d requests in %v", got, time.Since(began))
	}
}

func TestALostPacketIsSentAgain(t *testing.T) {
	t.Parallel()
	for name, codecs := range map[string][]webrtc.RTPCodecParameters{
		"in a stream of its own where agreed": nil,
		"as it was where not":                 offering(webrtc.MimeTypeOpus, webrtc.MimeTypeH264),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := openEngine(t, Options{})
			c := publish(t, e, cameraOptions{})
			v := subscribe(t, e, c.pub, viewerOptions{codecs: codecs})
			p := wait(t, v.video, "packet")
			lost := make(chan uint16, 1)
			var done atomic.Bool
			drop := func(b []byte) bool {
				hit := len(b) > 12 && b[0]>>6 == 2 && b[1]&0x7f == p.PayloadType && done.CompareAndSwap(false, true)
				if hit {
					lost <- binary.BigEndian.Uint16(b[2:])
				}
				return hit
			}
			v.wire.drop.Store(&drop)
			seq := wait(t, lost, "loss")
			for wait(t, v.video, "packet").SequenceNumber != seq+1 {
			}
			must(t, v.WriteRTCP([]rtcp.Packet{&rtcp.TransportLayerNack{
				MediaSSRC: p.SSRC, Nacks: rtcp.NackPairsFromSequenceNumbers([]uint16{seq}),
			}}))
			again := wait(t, v.video, "packet")
			for again.SequenceNumber != seq {
				again = wait(t, v.video, "packet")
			}
			_, _, _, was := content(p)
			_, _, _, n := content(again)
			if n-was != uint32(seq-p.SequenceNumber) || again.Timestamp-p.Timestamp != (n-was)*360 {
				t.Errorf("packet %d has content %d", seq, n)
			}
			if e.Stats().Retransmitted != 1 {
				t.Error("counted", e.Stats().Retransmitted)
			}
		})
	}
}

func TestPublicationsDoNotMix(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	var viewers []*viewer
	for mark := range byte(2) {
		c := publish(t, e, cameraOptions{mark: mark})
		viewers = append(viewers, subscribe(t, e, c.pub, viewerOptions{}))
	}
	for mark, v := range viewers {
		for _, p := range inOrder(t, v.video, 50) {
			if _, got, _, _ := content(p); got != byte(mark) {
				t.Fatal("somebody else's video")
			}
		}
		for _, p := range inOrder(t, v.audio, 50) {
			if p.Payload[1] != byte(mark) {
				t.Fatal("somebody else's audio")
			}
		}
	}
}

func TestAttachGoesOnWithAnotherPublication(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	a, b := publish(t, e, cameraOptions{mark: 1}), publish(t, e, cameraOptions{mark: 2})
	v := subscribe(t, e, a.pub, viewerOptions{})
	last := inOrder(t, v.video, 50)[49]
	must(t, v.sub.Attach(b.pub))
	for {
		p := wait(t, v.video, "packet")
		if p.SequenceNumber != last.SequenceNumber+1 || p.SSRC != last.SSRC || int32(p.Timestamp-last.Timestamp) <= 0 || p.Timestamp-last.Timestamp > 5*90000 {
			t.Fatalf("%v after %v", p.Header, last.Header)
		}
		last = p
		if key, mark, _, _ := content(p); mark == 2 {
			if !key {
				t.Error("begins in the middle")
			}
			break
		}
	}
	inOrder(t, v.video, 50)
	for wait(t, v.audio, "packet").Payload[1] != 2 {
	}
}

func TestDetachPausesAndThePeerStays(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{})
	v := subscribe(t, e, c.pub, viewerOptions{})
	inOrder(t, v.video, 10)
	v.sub.Detach()
	// The other one is served in the same loop: what it gets, the paused one would have got.
	other := subscribe(t, e, c.pub, viewerOptions{})
	inOrder(t, other.video, 20)
	var last *rtp.Packet
	for len(v.video) > 0 {
		last = <-v.video
	}
	inOrder(t, other.video, 100)
	if len(v.video) > 0 {
		t.Fatal("packets while detached")
	}
	must(t, v.sub.Attach(c.pub))
	p := wait(t, v.video, "packet")
	if last != nil && p.SequenceNumber != last.SequenceNumber+1 {
		t.Errorf("%d after %d", p.SequenceNumber, last.SequenceNumber)
	}
	v.sub.Close()
	<-v.sub.Done()
	if err := v.sub.Attach(c.pub); err != ErrClosed {
		t.Error(err)
	}
}

func TestASubscriptionMayComeBeforeItsPublication(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	v := subscribe(t, e, nil, viewerOptions{})
	wait(t, v.connected, "connection")
	c := publish(t, e, cameraOptions{})
	must(t, v.sub.Attach(c.pub))
	inOrder(t, v.video, 50)
}

func TestAudioOnlyLeavesTheVideoSectionSilent(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{})
	v := subscribe(t, e, c.pub, viewerOptions{SubscribeOptions: SubscribeOptions{AudioOnly: true}})
	inOrder(t, v.audio, 100)
	if len(v.video) > 0 {
		t.Error("video was sent")
	}
}

func TestSenderReportsAlignAudioAndVideo(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{})
	v := subscribe(t, e, c.pub, viewerOptions{})
	video, audio := wait(t, v.video, "packet"), wait(t, v.audio, "packet")
	_, _, _, vn := content(video)
	an := binary.BigEndian.Uint32(audio.Payload[3:])
	reports := map[uint32]*rtcp.SenderReport{}
	for len(reports) < 2 {
		r := wait(t, v.reports, "sender report")
		reports[r.SSRC] = r
	}
	// Both streams count the same beats of 4 ms. At the report's time they must be at the same beat, by their own clocks.
	beat := func(p *rtp.Packet, n, perBeat uint32) (float64, time.Time) {
		r := reports[p.SSRC]
		return float64(n) + float64(int32(r.RTPTime-p.Timestamp))/float64(perBeat), fromNTP(r.NTPTime)
	}
	vb, vt := beat(video, vn, 360)
	ab, at := beat(audio, an, 192)
	// A starved test machine sends a beat late; clocks that are not aligned are apart by far more.
	if off := (vb-ab)*4 - float64(vt.Sub(at).Milliseconds()); off > 500 || off < -500 {
		t.Errorf("audio and video are %.0f ms apart", off)
	}
}

func TestSimulcast(t *testing.T) {
	t.Parallel()
	rids := []string{"hi", "low", "mid"}
	index := func(rid string) byte { return byte(slices.Index(rids, rid)) }
	e := openEngine(t, Options{timing: timing{
		pending: 15 * time.Second, disconnected: 7 * time.Second, failed: 19 * time.Second, keepalive: time.Second, dead: 300 * time.Millisecond,
	}})
	c := publish(t, e, cameraOptions{rids: rids})
	wait(t, c.connected, "connection")

	lowest := subscribe(t, e, c.pub, viewerOptions{})
	settled(t, lowest, index("low"))
	highest := subscribe(t, e, c.pub, viewerOptions{SubscribeOptions: SubscribeOptions{Highest: true}})
	settled(t, highest, index("hi"))
	middle := subscribe(t, e, c.pub, viewerOptions{SubscribeOptions: SubscribeOptions{Layer: "mid"}})
	settled(t, middle, index("mid"))
	inOrder(t, lowest.video, 50)

	c.muted[index("mid")].Store(true) // the layer dies
	settled(t, middle, index("low"))
	c.muted[index("mid")].Store(false)
	settled(t, middle, index("mid"))
	inOrder(t, middle.video, 50)
	if p := wait(t, lowest.video, "packet"); p != nil {
		if _, _, layer, _ := content(p); layer != index("low") {
			t.Error("others were moved too")
		}
	}
}

// settled waits until a viewer has seen a run of one layer, which must have begun with a key frame and without a gap.
func settled(t testing.TB, v *viewer, layer byte) {
	t.Helper()
	var last *rtp.Packet
	current, run := byte(255), 0
	for end := time.Now().Add(patience); run < 30; {
		p := wait(t, v.video, "packet")
		key, _, got, _ := content(p)
		if last != nil && p.SequenceNumber != last.SequenceNumber+1 {
			t.Fatalf("%d after %d", p.SequenceNumber, last.SequenceNumber)
		}
		if last != nil && got != current && !key {
			t.Fatal("a layer began without a key frame")
		}
		if run++; got != layer {
			run = 0
		}
		current, last = got, p
		if time.Now().After(end) {
			t.Fatalf("shows layer %d, not %d", current, layer)
		}
	}
}

func TestTheAnswerAnnouncesTheAddressesOfTheOptions(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{IPs: []net.IP{net.IPv4(192, 0, 2, 7)}})
	c := publish(t, e, cameraOptions{})
	if f, err := answerFragment(c.answer); err != nil || len(f.Candidates) != 1 || !slices.Contains(fields(f.Candidates[0]), "192.0.2.7") {
		t.Errorf("announces %q, %v", f.Candidates, err)
	}
}

func TestAPacketThatComesTwiceIsForwardedOnce(t *testing.T) {
	t.Parallel()
	l, outlets := benchLayer(t, 1)
	b := benchPacket(t, 100) // a key frame: nobody may begin with an old one
	l.accept(b, epoch)
	late := another(t, l)
	l.track.add(late, epoch)
	l.accept(b, epoch.Add(time.Second))
	if outlets[0].packets != 1 || late.packets != 0 {
		t.Error("forwarded", outlets[0].packets, late.packets)
	}
}

func TestGCMIsChosenWhateverTheClientPrefers(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{ciphers: []dtls.SRTPProtectionProfile{
		dtls.SRTP_AES128_CM_HMAC_SHA1_80, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AEAD_AES_128_GCM,
	}})
	wait(t, c.story.media, "media")
	for _, s := range c.GetStats() {
		if s, ok := s.(webrtc.TransportStats); ok && s.SRTPCipher != "SRTP_AEAD_AES_128_GCM" {
			t.Error("chose", s.SRTPCipher)
		}
	}
}
