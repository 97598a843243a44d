//go:build linux

package bench

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// The media of a publisher: 1.5 Mbit/s of H.264 in frames of five or six packets, and Opus.
const (
	frames      = 30 // a second
	bitrate     = 1_500_000
	pieceSize   = 1170 // bytes of a video packet's payload
	perFrame    = float64(bitrate) / 8 / frames / pieceSize
	keyInterval = 2 * time.Second
	plea        = 300 * time.Millisecond // between key frames that were asked for
	audioBeats  = 50                     // packets a second
	audioSize   = 160
)

// call is the WebRTC connection of a publisher or a viewer.
type call struct {
	*webrtc.PeerConnection
	mux   io.Closer
	began time.Time // the offer was sent
}

// One certificate is enough for everybody here.
var certificate = sync.OnceValue(func() webrtc.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	c, err := webrtc.GenerateCertificate(key)
	if err != nil {
		panic(err)
	}
	return *c
})

func newCall(conn net.PacketConn) (*call, error) {
	m := &webrtc.MediaEngine{}
	if err := m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: h264, PayloadType: 102}, webrtc.RTPCodecTypeVideo); err != nil {
		return nil, err
	}
	if err := m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: opus, PayloadType: 111}, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, err
	}
	if tellsArrivals {
		for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio} {
			if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.TransportCCURI}, kind); err != nil {
				return nil, err
			}
			m.RegisterFeedback(webrtc.RTCPFeedback{Type: webrtc.TypeRTCPFBTransportCC}, kind)
		}
	}
	s := webrtc.SettingEngine{LoggerFactory: &logging.DefaultLoggerFactory{Writer: io.Discard}}
	mux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: conn, Logger: s.LoggerFactory.NewLogger("mux")})
	s.SetICEUDPMux(mux)
	s.SetIncludeLoopbackCandidate(true)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetICETimeouts(30*time.Second, time.Minute, 2*time.Second)
	s.DisableSRTPReplayProtection(true) // only a sample is opened
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(&interceptor.Registry{}), webrtc.WithSettingEngine(s)).
		NewPeerConnection(webrtc.Configuration{Certificates: []webrtc.Certificate{certificate()}})
	return &call{PeerConnection: pc, mux: mux}, err
}

var (
	h264 = webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeH264, ClockRate: 90000, SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
		RTCPFeedback: []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}},
	}
	opus = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1"}
)

// join has the server answer at url.
func (c *call) join(url, token string) error {
	offer, err := c.CreateOffer(nil)
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(c.PeerConnection)
	if err := c.SetLocalDescription(offer); err != nil {
		return err
	}
	<-gathered
	c.began = time.Now()
	answer, err := post(url, token, c.LocalDescription().SDP)
	if err != nil {
		return err
	}
	return c.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
}

// post is the exchange of WHIP (RFC 9725) and WHEP.
func post(url, token, offer string) (string, error) {
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(offer))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/sdp")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("POST %s: %s: %s", url, resp.Status, answer)
	}
	return string(answer), err
}

func (c *call) hangUp() {
	_ = c.GracefulClose()
	_ = c.mux.Close()
}

// publisher sends stamped packets.
type publisher struct {
	*call
	number  int
	wanted  atomic.Bool // a key frame
	late    atomic.Int64
	stop    chan struct{}
	running sync.WaitGroup
}

func publish(b *testing.B, number int, v *venue) *publisher {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	must(b, err)
	p := &publisher{number: number, stop: make(chan struct{})}
	p.call, err = newCall(conn)
	must(b, err)
	up := make(chan struct{})
	p.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			close(up)
		}
	})
	video, audio := p.track(b, h264, "video"), p.track(b, opus, "audio")
	must(b, p.join(v.whip(number)))
	select {
	case <-up:
	case <-time.After(15 * time.Second):
		b.Fatalf("publisher %d: not connected in time", number)
	}
	p.running.Go(func() { p.film(video) })
	p.running.Go(func() { p.speak(audio) })
	return p
}

func (p *publisher) track(b *testing.B, c webrtc.RTPCodecCapability, kind string) *webrtc.TrackLocalStaticRTP {
	t, err := webrtc.NewTrackLocalStaticRTP(c, kind, fmt.Sprint("publisher", p.number))
	must(b, err)
	tr, err := p.AddTransceiverFromTrack(t, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	must(b, err)
	p.running.Go(func() {
		for {
			packets, _, err := tr.Sender().ReadRTCP()
			if err != nil {
				return
			}
			for _, packet := range packets {
				if _, ok := packet.(*rtcp.PictureLossIndication); ok {
					p.wanted.Store(true)
				}
			}
		}
	})
	return t
}

// pace calls each at a steady rate until the publisher stops. Publishers do not all send at the same moments.
func (p *publisher) pace(period time.Duration, each func(now time.Time)) {
	for next := time.Now().Add(time.Duration(p.number) * 7 * time.Millisecond % period); ; next = next.Add(period) {
		select {
		case <-p.stop:
			return
		case <-time.After(time.Until(next)):
		}
		now := time.Now()
		if now.Sub(next) > period/2 {
			p.late.Add(1)
		}
		each(now)
	}
}

// parameters are a sequence and a picture parameter set of 1280x720 in one packet (RFC 6184, section 5.7.1).
var parameters = []byte("\x78\x00\x17\x67\x42\xc0\x1f\xda\x01\x40\x16\xec\x04\x40\x00\x00\x03\x00\x40\x00\x00\x0f\x23\xc6\x0c\xa8\x00\x04\x68\xce\x3c\x80")

func (p *publisher) film(to *webrtc.TrackLocalStaticRTP) {
	var keyed, pleaded time.Time
	var credit float64
	s, seq := stamp{stream: uint16(p.number * 2)}, uint16(0)
	write := func(payload []byte, frame uint32, last bool) {
		_ = to.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, Marker: last, SequenceNumber: seq, Timestamp: frame * 90000 / frames}, Payload: payload})
		seq, s.number = seq+1, s.number+1
	}
	frame := uint32(0)
	p.pace(time.Second/frames, func(now time.Time) {
		frame, credit = frame+1, credit+perFrame
		key := now.Sub(keyed) >= keyInterval
		if p.wanted.Load() && now.Sub(pleaded) > plea {
			p.wanted.Store(false)
			key, pleaded = true, now
		}
		if key {
			keyed = now
			write(parameters, frame, false)
		}
		for n, pieces := 0, int(credit); n < pieces; n++ {
			credit--
			s.sent = time.Now()
			write(slice(key, n, s), frame, n == pieces-1)
		}
	})
}

// slice is a packet of a frame: a slice of its own, of which only the header must look like one.
func slice(key bool, n int, s stamp) []byte {
	payload := bytes.Repeat([]byte{0xd5}, pieceSize)
	payload[0], payload[1] = 0x41, 0x9a
	if key {
		payload[0] = 0x65
	}
	if n > 0 {
		payload[1] = 0x5a
	}
	s.write(payload[2:])
	return payload
}

func (p *publisher) speak(to *webrtc.TrackLocalStaticRTP) {
	s := stamp{stream: uint16(p.number*2 + 1)}
	p.pace(time.Second/audioBeats, func(time.Time) {
		payload := bytes.Repeat([]byte{0xaa}, audioSize)
		payload[0], s.sent = 0xfc, time.Now() // one frame of 20 ms, stereo
		s.write(payload[1:])
		_ = to.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: uint16(s.number), Timestamp: s.number * 960}, Payload: payload})
		s.number++
	})
}

func (p *publisher) close() {
	close(p.stop)
	p.hangUp()
	p.running.Wait()
}
