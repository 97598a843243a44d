package bench

import (
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

const (
	frames      = 30 // a second
	framePieces = 6  // packets of a frame
	pieceSize   = 1040
	audioBeats  = 50 // packets a second
)

// call is the connection of a publisher or a subscriber, over a socket of its own.
type call struct {
	*webrtc.PeerConnection
	mux ice.UDPMux
}

func newCall(b *testing.B, conn net.PacketConn) *call {
	m := &webrtc.MediaEngine{}
	must(b, m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: h264, PayloadType: 102}, webrtc.RTPCodecTypeVideo))
	must(b, m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: opus, PayloadType: 111}, webrtc.RTPCodecTypeAudio))
	s := webrtc.SettingEngine{}
	c := &call{mux: ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: conn})}
	s.SetICEUDPMux(c.mux)
	s.SetIncludeLoopbackCandidate(true)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	var err error
	c.PeerConnection, err = webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(s)).NewPeerConnection(webrtc.Configuration{})
	must(b, err)
	return c
}

var (
	h264 = webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeH264, ClockRate: 90000, SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
		RTCPFeedback: []webrtc.RTCPFeedback{{Type: "nack", Parameter: "pli"}},
	}
	opus = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
)

func (c *call) offer() (string, error) {
	o, err := c.CreateOffer(nil)
	if err != nil {
		return "", err
	}
	return o.SDP, c.SetLocalDescription(o)
}

func (c *call) accept(answer string) error {
	return c.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
}

func (c *call) hangUp() {
	_ = c.GracefulClose()
	_ = c.mux.Close()
}

// sender is a publisher. Its packets say which frame they belong to.
type sender struct {
	*call
	stage, id string
	sent      chan struct{} // closed with the first frame
	stop      chan struct{}
	running   sync.WaitGroup
	packets   atomic.Uint64
	times     [1 << 16]atomic.Int64 // when a frame was sent, by its number
}

func publish(b *testing.B, s *process) *sender {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	must(b, err)
	p := &sender{call: newCall(b, conn), stage: s.stage(b), sent: make(chan struct{}), stop: make(chan struct{})}
	token, id := s.token(b, p.stage)
	p.id = id
	video, err := webrtc.NewTrackLocalStaticRTP(h264, "video", "sender")
	must(b, err)
	audio, err := webrtc.NewTrackLocalStaticRTP(opus, "audio", "sender")
	must(b, err)
	var wanted atomic.Bool
	for _, t := range []*webrtc.TrackLocalStaticRTP{video, audio} {
		tr, err := p.AddTransceiverFromTrack(t, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		must(b, err)
		p.running.Go(func() {
			for {
				if _, _, err := tr.Sender().ReadRTCP(); err != nil {
					return
				}
				wanted.Store(true) // near enough: a key frame costs no more here
			}
		})
	}
	offer, err := p.offer()
	must(b, err)
	answer, err := s.offer(b.Context(), "/whip", token, offer)
	must(b, err)
	up := make(chan struct{})
	p.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			close(up)
		}
	})
	must(b, p.accept(answer))
	<-up
	p.running.Go(func() { p.film(video, &wanted) })
	p.running.Go(func() { p.speak(audio) })
	return p
}

func (p *sender) film(to *webrtc.TrackLocalStaticRTP, wanted *atomic.Bool) {
	tick := time.NewTicker(time.Second / frames)
	defer tick.Stop()
	seq := uint16(0)
	for n := uint16(1); ; n++ {
		select {
		case <-p.stop:
			return
		case <-tick.C:
		}
		head := byte(0x41)
		if wanted.Swap(false) || n%(2*frames) == 1 {
			head = 0x65
		}
		p.times[n].Store(time.Now().UnixNano())
		for i := range framePieces {
			seq++
			payload := make([]byte, pieceSize)
			payload[0] = head
			binary.BigEndian.PutUint16(payload[1:], n)
			_ = to.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, Marker: i == framePieces-1, SequenceNumber: seq, Timestamp: uint32(n) * 3000}, Payload: payload})
			head = 0x41
		}
		p.packets.Add(framePieces)
		if n == 1 {
			close(p.sent)
		}
	}
}

func (p *sender) speak(to *webrtc.TrackLocalStaticRTP) {
	tick := time.NewTicker(time.Second / audioBeats)
	defer tick.Stop()
	for n := uint32(1); ; n++ {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			_ = to.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: uint16(n), Timestamp: n * 960}, Payload: make([]byte, 160)})
			p.packets.Add(1)
		}
	}
}

func (p *sender) close() {
	close(p.stop)
	p.hangUp()
	p.running.Wait()
}

// viewer is a subscriber.
type viewer struct {
	*call
	from      *sender
	began     time.Time
	joined    time.Duration
	first     chan struct{}
	known     atomic.Bool   // which frame a timestamp stands for
	offset    atomic.Uint32 // timestamp of frame 0
	arrived   atomic.Uint64
	measuring atomic.Bool
	lags      []time.Duration // owned by the reader of the socket
}

// watch joins; nil when that fails.
func watch(b *testing.B, s *process, p *sender, token string) *viewer {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil
	}
	_ = conn.SetReadBuffer(4 << 20)
	v := &viewer{from: p, first: make(chan struct{})}
	v.call = newCall(b, ear{conn, v})
	v.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		if t.Kind() != webrtc.RTPCodecTypeVideo {
			return
		}
		if packet, _, err := t.ReadRTP(); err == nil && len(packet.Payload) > 2 {
			v.offset.Store(packet.Timestamp - uint32(binary.BigEndian.Uint16(packet.Payload[1:]))*3000)
			v.known.Store(true)
			v.joined = time.Since(v.began)
			close(v.first)
		}
	})
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		if _, err := v.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			return nil
		}
	}
	offer, err := v.offer()
	if err != nil {
		return nil
	}
	v.began = time.Now()
	answer, err := s.offer(b.Context(), "/whip/subscribe/"+p.id, token, offer)
	if err != nil || v.accept(answer) != nil {
		return nil
	}
	select {
	case <-v.first:
		return v
	case <-time.After(20 * time.Second):
		return nil
	}
}

func (v *viewer) close() { v.hangUp() }

// ear is a viewer's socket. Once the viewer has seen the first packet, media are counted and go no further.
type ear struct {
	net.PacketConn
	*viewer
}

// ReadFrom implements net.PacketConn.
func (e ear) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := e.PacketConn.ReadFrom(b)
		if err != nil || n < 12 || b[0]>>6 != 2 || b[1] >= 192 && b[1] <= 223 {
			return n, from, err
		}
		e.arrived.Add(1)
		if !e.known.Load() {
			return n, from, err
		}
		if b[1]&0x7f == 102 && e.measuring.Load() {
			frame := uint16((binary.BigEndian.Uint32(b[4:]) - e.offset.Load()) / 3000)
			e.lags = append(e.lags, time.Duration(time.Now().UnixNano()-e.from.times[frame].Load()))
		}
	}
}

// Close implements net.PacketConn.
func (e ear) Close() error { return e.PacketConn.Close() }

// total is what should have arrived at viewers and what did.
type total struct{ expected, arrived uint64 }

func counts(all []*viewer) (t total) {
	for _, v := range all {
		t.expected += v.from.packets.Load()
		t.arrived += v.arrived.Load()
	}
	return t
}
