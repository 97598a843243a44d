package sfu

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"github.com/pion/webrtc/v4"
)

func TestAReadingTellsWhatCameIn(t *testing.T) {
	t.Parallel()
	pub, _ := studio(t)
	pub.up.Store(true)
	pub.upAt.Store(epoch.UnixNano())
	pub.measure(epoch)
	sps := unhex(t, parameterSets[0].hex)
	for n := range uint16(100) { // 50 frames of two packets within a second, every tenth is lost
		payload := make([]byte, 100)
		payload[0] = 0x41
		if n == 1 {
			payload = sps
		}
		if n%10 != 9 {
			pub.hears(t, rtp.Header{PayloadType: 102, SSRC: 9, SequenceNumber: n, Timestamp: uint32(n/2) * 1800}, payload, "", "")
		}
	}
	if wait := pub.measure(epoch.Add(time.Second / 2)); wait != time.Second/2 {
		t.Error("the next reading is due in", wait)
	}
	pub.measure(epoch.Add(time.Second))
	s := pub.Stats().Streams[0]
	if s.Kind != "video" || s.Codec != "H264" || s.Width != 1280 || s.Height != 720 || s.FrameRate != 50 || s.Packets != 90 {
		t.Errorf("%+v", s)
	}
	if s.Lost != 9 || s.Loss < 0.08 || s.Loss > 0.1 || s.Bitrate < 70_000 || s.Bitrate > 110_000 {
		t.Errorf("%+v", s)
	}
	if !s.LastAt.Equal(epoch.Add(98*time.Millisecond)) || !s.KeyFrameAt.Equal(epoch.Add(time.Millisecond)) {
		t.Errorf("%+v", s)
	}
	pub.measure(epoch.Add(2 * time.Second))
	if s := pub.Stats().Streams[0]; s.Bitrate != 0 || s.FrameRate != 0 || s.Loss != 0 || s.Lost != 9 {
		t.Errorf("later: %+v", s)
	}
}

func TestALoadSumsUpFiveSeconds(t *testing.T) {
	t.Parallel()
	pub, _ := studio(t, "hi", "low")
	var loads []Load
	pub.notify.Load = func(l Load) { loads = append(loads, l) }
	pub.up.Store(true)
	pub.upAt.Store(epoch.UnixNano())
	pub.measure(epoch)
	for n := range uint16(500) {
		payload := make([]byte, 1000)
		payload[0] = 0x41
		if n == 0 {
			payload = unhex(t, parameterSets[1].hex)
		}
		pub.hears(t, rtp.Header{PayloadType: 102, SSRC: 9, SequenceNumber: n, Timestamp: uint32(n) * 900}, payload, "hi", "")
		pub.hears(t, rtp.Header{PayloadType: 102, SSRC: 8, SequenceNumber: n, Timestamp: uint32(n) * 900}, payload[:min(len(payload), 100)], "low", "")
	}
	for n := range 11 {
		pub.measure(epoch.Add(time.Duration(n) * time.Second))
	}
	if len(loads) != 2 || loads[0].Bitrate < 880_000 || loads[0].Bitrate > 960_000 || loads[1].Bitrate != 0 {
		t.Errorf("%+v", loads)
	}
	if l := loads[1]; l.Width != 1920 || l.Height != 1080 || !l.BFrames {
		t.Errorf("%+v", l)
	}
}

func TestSilenceIsToldAndItsEndAtOnce(t *testing.T) {
	t.Parallel()
	pub, _ := studio(t)
	var told []bool
	pub.notify.Silent = func(audio, video bool) {
		if audio {
			t.Error("audio, which was not agreed on, is missed")
		}
		told = append(told, video)
	}
	pub.upAt.Store(epoch.UnixNano())
	if pub.measure(epoch.Add(time.Hour)); told != nil {
		t.Error("told before the connection was up")
	}
	pub.up.Store(true)
	for n := range 5 {
		pub.measure(epoch.Add(time.Duration(n) * time.Second))
	}
	if told != nil {
		t.Fatal("told early", told)
	}
	pub.measure(epoch.Add(5 * time.Second))
	pub.measure(epoch.Add(6 * time.Second))
	if len(told) != 1 || !told[0] {
		t.Fatal("told", told)
	}
	pub.layers[0].heard.Store(epoch.Add(6 * time.Second).UnixNano())
	if pub.measure(epoch.Add(6*time.Second + time.Millisecond)); len(told) != 2 || told[1] {
		t.Fatal("told", told)
	}
}

func TestReportsOfAReceiverAreItsWords(t *testing.T) {
	t.Parallel()
	p := nowhere(func(*batch) {})
	s := &Subscription{outlets: []*outlet{newOutlet(&section{kind: video, codec: codec{mime: mimeVP8, clock: 90000}, ssrc: 5}, wish{}, &counters{}, func() {})}}
	s.share = &share{wake: func() {}}
	s.allowance = &allowance{adaptation: adaptation{shares: shares{s.share}}}
	s.link = benchLink(t, p, netip.MustParseAddrPort("127.0.0.1:9"), srtp.ProtectionProfileAeadAes128Gcm)
	s.hear(&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{
		SSRC: 5, FractionLost: 64, TotalLost: 7, Jitter: 900, LastSenderReport: uint32(toNTP(epoch) >> 16), Delay: 65536 / 4,
	}, {SSRC: 6, FractionLost: 255}}}, epoch.Add(350*time.Millisecond))
	s.outlets[0].serve(&rtcp.PictureLossIndication{}, nil, nil, epoch)
	s.outlets[0].packets, s.outlets[0].octets = 100, 10_000
	s.measure(epoch)
	got := s.Stats()
	if rtt := got.RTT; rtt < 99*time.Millisecond || rtt > 101*time.Millisecond {
		t.Error("the round trip took", rtt)
	}
	v := got.Streams[0]
	if v.Kind != "video" || v.Codec != "VP8" || !v.Reported || v.Lost != 7 || v.Loss != 0.25 || v.Jitter != 10*time.Millisecond || v.KeyFrameRequests != 1 {
		t.Errorf("%+v", v)
	}
	if v.Bitrate != 8*(10_000+100*rtpHeader) || v.Packets != 100 || v.LastAt != epoch {
		t.Errorf("%+v", v)
	}
	s.measure(epoch.Add(time.Second))
	if v := s.Stats().Streams[0]; v.Bitrate != 0 || v.Packets != 100 || v.LastAt != epoch {
		t.Errorf("later: %+v", v)
	}
}

func TestStatsAreTrueForARealPair(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{mime: webrtc.MimeTypeH264})
	v := subscribe(t, e, c.pub, viewerOptions{})
	wait(t, v.story.media, "media")
	until(t, "true figures", func() bool {
		p, s := c.pub.Stats(), v.sub.Stats()
		if len(p.Streams) != 2 || len(s.Streams) != 2 {
			return false
		}
		for _, s := range p.Streams {
			if s.Bitrate == 0 || s.LastAt.IsZero() {
				return false
			}
		}
		for _, s := range s.Streams {
			if s.Bitrate == 0 || s.Packets == 0 || s.LastAt.IsZero() || s.Waits {
				return false
			}
		}
		return p.Progress == Connected && s.Progress == Connected && s.Attached && !p.Up.IsZero() && p.RTT > 0 && p.Streams[1].FrameRate > 0
	})
	if s := c.pub.Stats().Streams; s[0].Kind != "audio" || s[0].Codec != "opus" || s[1].KeyFrameAt.IsZero() {
		t.Errorf("%+v", s)
	}
	v.sub.Detach()
	if v.sub.Stats().Attached {
		t.Error("still attached")
	}
}

func TestProgressTellsHowFarAPeerHasCome(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := newClient(t)
	_, err := c.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	must(t, err)
	n := newStory()
	pub, answer, err := e.Publish(t.Context(), c.offer(t), n.notify())
	must(t, err)
	if s := pub.Stats(); s.Progress != Unreached || s.Made.IsZero() || !s.Up.IsZero() || s.Streams != nil {
		t.Errorf("%+v", s)
	}
	c.accept(t, answer)
	wait(t, n.connected, "connection")
	if s := pub.Stats(); s.Progress != Connected || s.Up.Before(s.Made) {
		t.Errorf("%+v", s)
	}
}

func TestAPaceIsToldAnewWhenItHasHalvedOrDoubled(t *testing.T) {
	t.Parallel()
	var p pace
	for _, c := range []struct{ measured, told int }{{0, 0}, {700, 700}, {1300, 700}, {360, 700}, {1500, 1500}, {700, 700}, {340, 340}, {0, 0}, {1, 1}} {
		if p.follow(&StreamStats{Bitrate: c.measured}); int(p.bitrate) != c.told {
			t.Errorf("%d was measured and %v told, want %d", c.measured, p.bitrate, c.told)
		}
	}
}
