package livetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
)

// Peer is a browser's end of one media session.
type Peer struct {
	PC *webrtc.PeerConnection

	t       testing.TB
	up      chan struct{}
	down    chan struct{}
	audio   *webrtc.TrackLocalStaticSample
	video   *webrtc.TrackLocalStaticSample
	packets atomic.Int64
	dark    atomic.Bool
	picture atomic.Pointer[[]byte]
	quit    chan struct{}

	mu    sync.Mutex // no loop begins once Close waits for them
	loops sync.WaitGroup
}

// begin runs a loop that Close waits for, unless it has begun to.
func (p *Peer) begin(loop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.quit:
	default:
		p.loops.Go(loop)
	}
}

// Publisher makes a peer that offers Opus and H.264 to send.
func Publisher(t testing.TB) *Peer {
	p := newPeer(t)
	p.Show(picture)
	p.audio = p.track(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "audio")
	p.video = p.track(webrtc.RTPCodecCapability{
		MimeType:    webrtc.MimeTypeH264,
		ClockRate:   90000,
		SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
	}, "video")
	return p
}

// Subscriber makes a peer that offers to receive audio and video.
func Subscriber(t testing.TB) *Peer {
	p := newPeer(t)
	p.PC.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		p.begin(func() {
			for {
				if _, _, err := track.ReadRTP(); err != nil {
					return
				}
				p.packets.Add(1)
			}
		})
	})
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		_, err := p.PC.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		p.check(err)
	}
	return p
}

func newPeer(t testing.TB) *Peer {
	t.Helper()
	p := &Peer{t: t, up: make(chan struct{}), down: make(chan struct{}), quit: make(chan struct{})}
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetInterfaceFilter(func(name string) bool { return name == "lo" })
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings), codecs(t)).NewPeerConnection(webrtc.Configuration{})
	p.check(err)
	p.PC = pc
	var up, down sync.Once
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		switch s {
		case webrtc.PeerConnectionStateConnected:
			up.Do(func() { close(p.up) })
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			down.Do(func() { close(p.down) })
		}
	})
	t.Cleanup(p.Close)
	return p
}

func codecs(t testing.TB) func(*webrtc.API) {
	var m webrtc.MediaEngine
	if err := m.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	return webrtc.WithMediaEngine(&m)
}

func (p *Peer) track(codec webrtc.RTPCodecCapability, id string) *webrtc.TrackLocalStaticSample {
	track, err := webrtc.NewTrackLocalStaticSample(codec, id, "peer")
	p.check(err)
	_, err = p.PC.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	p.check(err)
	return track
}

// Offer gives the peer's offer, candidates included.
func (p *Peer) Offer() string {
	p.t.Helper()
	offer, err := p.PC.CreateOffer(nil)
	p.check(err)
	gathered := webrtc.GatheringCompletePromise(p.PC)
	p.check(p.PC.SetLocalDescription(offer))
	Wait(p.t, "candidates", gathered)
	return p.PC.LocalDescription().SDP
}

// Connect takes the answer and waits until DTLS is up.
func (p *Peer) Connect(answer string) {
	p.t.Helper()
	p.Accept(answer)
	Wait(p.t, "the connection", p.up)
}

// Accept takes the answer.
func (p *Peer) Accept(answer string) {
	p.t.Helper()
	p.check(p.PC.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
}

// Play sends audio and video until the peer is closed.
func (p *Peer) Play() {
	p.begin(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			p.audio.WriteSample(media.Sample{Data: []byte{0xf8, 0xff, 0xfe}, Duration: 20 * time.Millisecond})
			if !p.dark.Load() {
				p.video.WriteSample(media.Sample{Data: *p.picture.Load(), Duration: 20 * time.Millisecond})
			}
			select {
			case <-tick.C:
			case <-p.quit:
				return
			}
		}
	})
}

// Darken stops the video, or has it go on.
func (p *Peer) Darken(dark bool) { p.dark.Store(dark) }

// Show has the video be these NAL units, each with its start code, over and over.
func (p *Peer) Show(units []byte) { p.picture.Store(&units) }

// picture is a key frame in shape: parameter sets and a slice.
var picture = []byte("\x00\x00\x00\x01\x67\x42\xe0\x1f\xda\x02\x80\xf6\x80" +
	"\x00\x00\x00\x01\x68\xce\x3c\x80\x00\x00\x00\x01\x65\x88\x84\x00\x10\xff\xfe\xf6\xf0\xfe\x05\x36\x56\x04\x50\x96\x7b\x3f\x53\xe1")

// Down is closed when the connection has ended.
func (p *Peer) Down() <-chan struct{} { return p.down }

// Packets is how many RTP packets were received.
func (p *Peer) Packets() int64 { return p.packets.Load() }

// Close ends the connection with a DTLS goodbye and waits for the peer's goroutines.
func (p *Peer) Close() {
	p.mu.Lock()
	select {
	case <-p.quit:
		p.mu.Unlock()
		return
	default:
	}
	close(p.quit)
	p.mu.Unlock()
	p.PC.GracefulClose()
	p.loops.Wait()
}

func (p *Peer) check(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}
