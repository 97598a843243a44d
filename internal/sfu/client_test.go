package sfu

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// wait takes a value from c, or fails.
func wait[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s in %v", what, patience)
		panic("unreachable")
	}
}

// brisk has shorter patience where a test waits for the end of it.
var brisk = timing{
	pending: 15 * time.Second, disconnected: 2 * time.Second, failed: 2 * time.Second,
	keepalive: 100 * time.Millisecond, dead: 300 * time.Millisecond,
}

func openEngine(t testing.TB, o Options) *Engine {
	t.Helper()
	if o.Conn == nil {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		must(t, err)
		o.Conn = conn
	}
	e, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error("closing the engine:", err)
		}
	})
	return e
}

// story records what a peer's Notify was told.
type story struct {
	connected, media chan struct{}
	closed           chan error
	order            chan string
}

func newStory() *story {
	return &story{make(chan struct{}, 9), make(chan struct{}, 9), make(chan error, 9), make(chan string, 99)}
}

func (s *story) notify() Notify {
	return Notify{
		Connected: func() { s.order <- "connected"; s.connected <- struct{}{} },
		Media:     func() { s.order <- "media"; s.media <- struct{}{} },
		Closed:    func(err error) { s.order <- "closed"; s.closed <- err },
	}
}

func (s *story) told() []string {
	var all []string
	for len(s.order) > 0 {
		all = append(all, <-s.order)
	}
	return all
}

// wire is a client's socket, which can be cut, can drop what comes in, and can become another one.
type wire struct {
	net.PacketConn
	cut   atomic.Bool
	drop  atomic.Pointer[func([]byte) bool]
	other atomic.Pointer[net.PacketConn]
}

// move gives the client another address, without a word to it: the old one is nobody's any more.
func (w *wire) move(t testing.TB) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	old := w.now()
	w.other.Store(&conn)
	must(t, old.Close())
}

func (w *wire) now() net.PacketConn {
	if other := w.other.Load(); other != nil {
		return *other
	}
	return w.PacketConn
}

func (w *wire) Close() error { return w.now().Close() }

func (w *wire) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		conn := w.now()
		n, from, err := conn.ReadFrom(b)
		if err != nil && w.now() != conn {
			continue
		}
		if drop := w.drop.Load(); err != nil || !w.cut.Load() && (drop == nil || !(*drop)(b[:n])) {
			return n, from, err
		}
	}
}

func (w *wire) WriteTo(b []byte, to net.Addr) (int, error) {
	if w.cut.Load() {
		return len(b), nil
	}
	return w.now().WriteTo(b, to)
}

// client is a WebRTC peer as browsers are: it offers many formats, VP8 first.
type client struct {
	*webrtc.PeerConnection
	wire *wire
}

func newClient(t testing.TB, codecs ...webrtc.RTPCodecParameters) *client {
	t.Helper()
	return newClientWith(t, webrtc.SettingEngine{}, codecs)
}

// configure is what a client can do besides: webrtc.ConfigureTWCCSender, for example.
type configure = func(*webrtc.MediaEngine, *interceptor.Registry) error

func newClientWith(t testing.TB, s webrtc.SettingEngine, codecs []webrtc.RTPCodecParameters, more ...configure) *client {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{PacketConn: conn}
	udp := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: w, Logger: logs{discard}.NewLogger("")})
	s.SetICEUDPMux(udp)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	c := newClientOver(t, s, webrtc.Configuration{}, codecs, more...)
	c.wire = w
	t.Cleanup(func() { _ = c.GracefulClose(); _ = udp.Close() })
	return c
}

// newClientOver makes a client whose way to the engine is in s and o.
func newClientOver(t testing.TB, s webrtc.SettingEngine, o webrtc.Configuration, codecs []webrtc.RTPCodecParameters, more ...configure) *client {
	t.Helper()
	s.LoggerFactory = logs{discard}
	s.SetIncludeLoopbackCandidate(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	m := &webrtc.MediaEngine{}
	if len(codecs) == 0 {
		must(t, m.RegisterDefaultCodecs())
	}
	for _, c := range codecs {
		kind := webrtc.RTPCodecTypeVideo
		if strings.HasPrefix(c.MimeType, "audio/") {
			kind = webrtc.RTPCodecTypeAudio
		}
		must(t, m.RegisterCodec(c, kind))
	}
	must(t, webrtc.ConfigureSimulcastExtensionHeaders(m))
	r := &interceptor.Registry{}
	must(t, webrtc.ConfigureTWCCHeaderExtensionSender(m, r))
	for _, c := range more {
		must(t, c(m, r))
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(s), webrtc.WithInterceptorRegistry(r))
	pc, err := api.NewPeerConnection(o)
	must(t, err)
	t.Cleanup(func() { _ = pc.GracefulClose() })
	return &client{PeerConnection: pc}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// offer makes an offer without candidates, as the web SDK does.
func (c *client) offer(t testing.TB) string {
	t.Helper()
	o, err := c.CreateOffer(nil)
	must(t, err)
	must(t, c.SetLocalDescription(o))
	return o.SDP
}

func (c *client) accept(t testing.TB, answer string) {
	t.Helper()
	must(t, c.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
}

// camera is a publishing client. It sends a video packet of one frame, and an audio packet, every few milliseconds.
type camera struct {
	*client
	*story
	pub    *Publication
	answer string
	video  []*webrtc.TrackLocalStaticRTP // by layer
	muted  []atomic.Bool
	wants  []atomic.Bool // key frames
	pleas  chan string   // rids that a key frame was asked for
	audio  *webrtc.TrackLocalStaticRTP
	mark   byte // in every payload
}

type cameraOptions struct {
	mime    string
	rids    []string
	noAudio bool
	noVideo bool
	mark    byte
	codecs  []webrtc.RTPCodecParameters
	mangle  func(offer string) string
	ciphers []dtls.SRTPProtectionProfile
	client  *client // nil for one on UDP
}

func publish(t testing.TB, e *Engine, o cameraOptions) *camera {
	t.Helper()
	var s webrtc.SettingEngine
	s.SetSRTPProtectionProfiles(o.ciphers...)
	c := &camera{client: o.client, story: newStory(), pleas: make(chan string, 999), mark: o.mark}
	if c.client == nil {
		c.client = newClientWith(t, s, o.codecs)
	}
	if o.mime == "" {
		o.mime = webrtc.MimeTypeH264
	}
	if len(o.rids) == 0 {
		o.rids = []string{""}
	}
	c.muted, c.wants = make([]atomic.Bool, len(o.rids)), make([]atomic.Bool, len(o.rids))
	var sender *webrtc.RTPSender
	if !o.noVideo {
		sender = c.addVideo(t, o)
	}
	if !o.noAudio {
		var err error
		c.audio, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "audio", "camera")
		must(t, err)
		_, err = c.AddTransceiverFromTrack(c.audio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		must(t, err)
	}
	var err error
	offer := c.offer(t)
	if o.mangle != nil {
		offer = o.mangle(offer)
	}
	c.pub, c.answer, err = e.Publish(t.Context(), offer, c.notify())
	must(t, err)
	c.accept(t, c.answer)
	c.roll(t, o.rids, sender)
	return c
}

func (c *camera) addVideo(t testing.TB, o cameraOptions) *webrtc.RTPSender {
	var sender *webrtc.RTPSender
	for _, rid := range o.rids {
		var opts []func(*webrtc.TrackLocalStaticRTP)
		if rid != "" {
			opts = append(opts, webrtc.WithRTPStreamID(rid))
		}
		capability := webrtc.RTPCodecCapability{MimeType: o.mime, ClockRate: 90000}
		if o.mime == webrtc.MimeTypeH264 {
			capability.SDPFmtpLine = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
		}
		track, err := webrtc.NewTrackLocalStaticRTP(capability, "video", "camera", opts...)
		must(t, err)
		c.video = append(c.video, track)
		if sender != nil {
			must(t, sender.AddEncoding(track))
			continue
		}
		tr, err := c.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		must(t, err)
		sender = tr.Sender()
	}
	return sender
}

// roll sends until the test ends.
func (c *camera) roll(t testing.TB, rids []string, sender *webrtc.RTPSender) {
	stop := make(chan struct{})
	var g sync.WaitGroup
	t.Cleanup(func() { close(stop); _ = c.GracefulClose(); g.Wait() })
	for i, rid := range rids {
		c.wants[i].Store(true)
		if sender != nil {
			g.Go(func() { c.listen(sender, rid, i) })
		}
	}
	g.Go(func() {
		ticker := time.NewTicker(4 * time.Millisecond)
		defer ticker.Stop()
		for n := uint32(1); ; n++ {
			select {
			case <-stop:
				return
			case <-ticker.C:
			}
			for i, track := range c.video {
				if !c.muted[i].Load() {
					_ = track.WriteRTP(c.frame(n, byte(i), c.wants[i].Swap(false), sender, rids[i], track))
				}
			}
			if c.audio != nil {
				payload := binary.BigEndian.AppendUint32([]byte{0xfc, c.mark, 0}, n)
				_ = c.audio.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: uint16(n), Timestamp: n * 192}, Payload: payload})
			}
		}
	})
}

// frame is a one-packet frame: type, mark, layer, number.
func (c *camera) frame(n uint32, layer byte, key bool, sender *webrtc.RTPSender, rid string, track *webrtc.TrackLocalStaticRTP) *rtp.Packet {
	head := []byte{0x41}
	switch {
	case track.Codec().MimeType == webrtc.MimeTypeVP8 && key:
		head = []byte{0x10, 0x00}
	case track.Codec().MimeType == webrtc.MimeTypeVP8:
		head = []byte{0x10, 0x01}
	case key:
		head = []byte{0x65}
	}
	p := &rtp.Packet{
		Header:  rtp.Header{Version: 2, Marker: true, SequenceNumber: uint16(60000 + n), Timestamp: n * 360},
		Payload: binary.BigEndian.AppendUint32(append(head, c.mark, layer), n),
	}
	if rid == "" {
		return p
	}
	for _, x := range sender.GetParameters().HeaderExtensions {
		switch x.URI {
		case sdp.SDESMidURI:
			_ = p.SetExtension(uint8(x.ID), []byte("0"))
		case sdp.SDESRTPStreamIDURI:
			_ = p.SetExtension(uint8(x.ID), []byte(rid))
		}
	}
	return p
}

func (c *camera) listen(sender *webrtc.RTPSender, rid string, i int) {
	for {
		packets, _, err := sender.ReadSimulcastRTCP(rid)
		if err != nil {
			return
		}
		for _, p := range packets {
			if _, ok := p.(*rtcp.PictureLossIndication); ok {
				c.wants[i].Store(true)
				select {
				case c.pleas <- rid:
				default:
				}
			}
		}
	}
}

// offering filters what pion's clients offer.
func offering(mimes ...string) []webrtc.RTPCodecParameters {
	feedback := []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"}}
	all := []webrtc.RTPCodecParameters{
		{PayloadType: 111, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1"}},
		{PayloadType: 96, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000, RTCPFeedback: feedback}},
		{PayloadType: 102, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, ClockRate: 90000, SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", RTCPFeedback: feedback}},
		{PayloadType: 8, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypePCMA, ClockRate: 8000}},
		{PayloadType: 98, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP9, ClockRate: 90000, SDPFmtpLine: "profile-id=0"}},
	}
	return slices.DeleteFunc(all, func(c webrtc.RTPCodecParameters) bool { return !slices.Contains(mimes, c.MimeType) })
}

// problem returns the code of an OfferError, "" for other errors and none.
func problem(err error) OfferProblem {
	if e, ok := errors.AsType[*OfferError](err); ok {
		return e.Code
	}
	return ""
}

func readTestdata(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	must(t, err)
	return strings.ReplaceAll(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n", "\r\n")
}

// answerFragment is what an answer says of ICE.
func answerFragment(answer string) (Fragment, error) {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(answer); err != nil {
		return Fragment{}, err
	}
	m := d.MediaDescriptions[0]
	f := Fragment{EndOfCandidates: true, Media: m.MediaName.String(), Options: "trickle"}
	f.MID, _ = m.Attribute("mid")
	f.Ufrag, _ = m.Attribute("ice-ufrag")
	f.Pwd, _ = m.Attribute("ice-pwd")
	for _, a := range m.Attributes {
		if fields := strings.Fields(a.Value); a.Key == "candidate" && fields[1] == "1" {
			f.Candidates = append(f.Candidates, a.Value)
		}
	}
	return f, nil
}
