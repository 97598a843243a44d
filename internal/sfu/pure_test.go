package sfu

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"github.com/pion/webrtc/v4"
)

var epoch = time.Unix(1_000_000, 0)

func TestMungerKeepsNumbersContinuousAcrossSources(t *testing.T) {
	t.Parallel()
	m := newMunger(90000, 65530, 1<<32-1000) // wraps around soon
	now, next := epoch, uint16(65530)
	for source := range 5 {
		seq, ts := uint16(source*20000+65000), uint32(source)*3_000_000_000
		m.begin(seq, ts, now)
		for range 1000 {
			out, stamp, ok := m.rewrite(seq, ts, now)
			if !ok || out != next {
				t.Fatalf("source %d: %d is numbered %d, %v; want %d", source, seq, out, ok, next)
			}
			if next != 65530 && int32(stamp-m.outTS) != 0 {
				t.Fatal("the timestamp went astray")
			}
			if back, ok := m.source(out); !ok || back != seq {
				t.Fatalf("%d came from %d, not %d", out, seq, back)
			}
			seq, ts, next, now = seq+1, ts+3000, next+1, now.Add(33*time.Millisecond)
		}
	}
}

func TestMungerStampsByTheTimeBetweenSources(t *testing.T) {
	t.Parallel()
	m := newMunger(90000, 1, 500)
	m.begin(10, 7000, epoch)
	if _, ts, _ := m.rewrite(10, 7000, epoch); ts != 500 {
		t.Error("begins at", ts)
	}
	m.begin(99, 1, epoch.Add(2*time.Second))
	if _, ts, _ := m.rewrite(99, 1, epoch.Add(2*time.Second)); ts != 500+180000 {
		t.Error("goes on at", ts)
	}
	m.begin(5, 5, epoch) // a clock that went back
	if _, ts, _ := m.rewrite(5, 5, epoch); ts != 500+180000+1 {
		t.Error("goes on at", ts)
	}
	m.begin(5, 5, epoch.Add(1000*time.Hour))
	if _, _, ok := m.rewrite(5, 5, epoch.Add(1000*time.Hour)); !ok {
		t.Error("a long pause ended the stream")
	}
}

func TestMungerReorderedPackets(t *testing.T) {
	t.Parallel()
	m := newMunger(90000, 100, 0)
	m.begin(65534, 0, epoch)
	for _, c := range []struct {
		seq, out uint16
		ok       bool
	}{
		{65534, 100, true}, {0, 102, true}, {65535, 101, true}, {65533, 0, false}, // before the start: its number is taken
		{5, 107, true}, {1, 103, true}, {5, 107, true},
	} {
		if out, _, ok := m.rewrite(c.seq, 0, epoch); out != c.out || ok != c.ok {
			t.Errorf("%d is numbered %d, %v", c.seq, out, ok)
		}
	}
	if _, ok := m.source(108); ok {
		t.Error("a packet that was not sent has a source")
	}
	if _, ok := m.source(99); ok {
		t.Error("a packet of an earlier source has one in this")
	}
	m.begin(30000, 0, epoch)
	if out, _, _ := m.rewrite(30000, 0, epoch); out != 108 {
		t.Error("goes on at", out)
	}
}

func TestMungerSurvivesManyWraparounds(t *testing.T) {
	t.Parallel()
	m := newMunger(90000, 0, 0)
	m.begin(7, 0, epoch)
	for i := range 300_000 {
		if out, _, ok := m.rewrite(uint16(7+i), uint32(i), epoch); !ok || out != uint16(i) {
			t.Fatal("packet", i, "is numbered", out, ok)
		}
	}
}

func TestMungerFollowsAPublisherFarAhead(t *testing.T) {
	t.Parallel()
	m := newMunger(90000, 100, 0)
	m.begin(1, 0, epoch)
	out := uint16(99)
	for _, seq := range []uint16{1, 16001, 36001, 3232, 3233} { // each less than half the numbers after the one before
		was := out
		var ok bool
		if out, _, ok = m.rewrite(seq, 0, epoch); !ok || int16(out-was) <= 0 {
			t.Errorf("packet %d is %d, %v after %d", seq, out, ok, was)
		}
	}
}

func TestRingKeepsTheLastPackets(t *testing.T) {
	t.Parallel()
	r := newRing(8)
	b := make([]byte, slotSize)
	for seq := uint16(65530); seq != 10; seq++ {
		r.put(&packet{seq: seq, ts: uint32(seq), marker: true, payload: []byte{byte(seq)}})
	}
	for seq := uint16(2); seq < 10; seq++ {
		if p, ok := r.get(seq, b); !ok || !p.marker || p.ts != uint32(seq) || !bytes.Equal(p.payload, []byte{byte(seq)}) {
			t.Errorf("packet %d: %+v, %v", seq, p, ok)
		}
	}
	if r.put(&packet{seq: 1, payload: []byte{1}}) != past || r.put(&packet{seq: 9, payload: []byte{1}}) != past {
		t.Error("a packet was taken too late, or twice")
	}
	for _, seq := range []uint16{1, 10, 65530} {
		if _, ok := r.get(seq, b); ok {
			t.Error("there is a packet", seq)
		}
	}
	r.put(&packet{seq: 10, payload: make([]byte, slotSize+1)})
	if _, ok := r.get(10, b); ok {
		t.Error("an oversized packet was kept")
	}
	if _, ok := r.get(9, b[:0]); ok {
		t.Error("a packet fitted nowhere")
	}
}

func TestPacketsLoseWhatEndsAtThisHop(t *testing.T) {
	t.Parallel()
	in := rtp.Packet{
		Header:  rtp.Header{Version: 2, Marker: true, SequenceNumber: 7, Timestamp: 9, CSRC: []uint32{1, 2}, Padding: true, PaddingSize: 4},
		Payload: []byte("media"),
	}
	must(t, in.SetExtension(3, []byte{1, 2, 3}))
	b, err := in.Marshal()
	must(t, err)
	var p packet
	if err := p.parse(b); err != nil || p.seq != 7 || p.ts != 9 || !p.marker || string(p.payload) != "media" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestKeyFramesAreRecognised(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mime    string
		payload []byte
		want    bool
	}{
		{webrtc.MimeTypeH264, []byte{0x65, 0}, true},
		{webrtc.MimeTypeH264, []byte{0x67, 0x42}, true},
		{webrtc.MimeTypeH264, []byte{0x68, 0}, false}, // a picture parameter set alone
		{webrtc.MimeTypeH264, []byte{0x41, 0}, false},
		{webrtc.MimeTypeH264, []byte{0x06, 5}, false}, // SEI
		{webrtc.MimeTypeH264, []byte{0x7c, 0x85}, true},
		{webrtc.MimeTypeH264, []byte{0x7c, 0x05}, false}, // in the middle
		{webrtc.MimeTypeH264, []byte{0x7c, 0x81}, false},
		{webrtc.MimeTypeH264, []byte{0x78, 0, 2, 0x68, 0, 0, 2, 0x67, 0}, true},
		{webrtc.MimeTypeH264, []byte{0x78, 0, 2, 0x68, 0, 0, 2, 0x41, 0}, false},
		{webrtc.MimeTypeH264, []byte{0x78, 255, 255, 0x68}, false},
		{webrtc.MimeTypeH264, nil, false},
		{webrtc.MimeTypeVP8, []byte{0x10, 0x00}, true},
		{webrtc.MimeTypeVP8, []byte{0x10, 0x01}, false},
		{webrtc.MimeTypeVP8, []byte{0x00, 0x00}, false}, // in the middle
		{webrtc.MimeTypeVP8, []byte{0x90, 0xf0, 0x81, 0x02, 1, 2, 0x00}, true},
		{webrtc.MimeTypeVP8, []byte{0x90, 0x80, 0x01, 0x00}, true},
		{webrtc.MimeTypeVP8, []byte{0x90, 0x80}, false},
		{webrtc.MimeTypeOpus, nil, true},
	} {
		if got := startsKeyFrame(c.mime, c.payload); got != c.want {
			t.Errorf("%s % x: %v", c.mime, c.payload, got)
		}
	}
}

func TestKeyFramesAreAskedForWithRestraint(t *testing.T) {
	t.Parallel()
	var p plea
	if due, wait := p.due(epoch); due || wait != 0 {
		t.Error("nobody asked")
	}
	if !p.ask() || p.ask() {
		t.Error("only the first wish is news")
	}
	if due, _ := p.due(epoch); !due {
		t.Error("the first wish waits")
	}
	if due, wait := p.due(epoch.Add(100 * time.Millisecond)); due || wait != 900*time.Millisecond {
		t.Error("repeated at once", due, wait)
	}
	if due, _ := p.due(epoch.Add(time.Second)); !due {
		t.Error("an unanswered wish is not repeated")
	}
	p.answer()
	if due, _ := p.due(epoch.Add(9 * time.Second)); due {
		t.Error("an answered wish is repeated")
	}
	p.asked = epoch
	p.ask()
	if due, wait := p.due(epoch.Add(100 * time.Millisecond)); due || wait != 400*time.Millisecond {
		t.Error("twice in half a second", due, wait)
	}
}

func TestLayersAreNamedAndRanked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rids, names []string
		ranks       []int
	}{
		{[]string{"low", "mid", "hi"}, []string{"low", "mid", "hi"}, []int{0, 1, 2}},
		{[]string{"hi", "low"}, []string{"hi", "low"}, []int{2, 0}},
		{[]string{"a", "b", "c"}, []string{"hi", "mid", "low"}, []int{2, 1, 0}},
		{[]string{"f", "h"}, []string{"hi", "low"}, []int{1, 0}},
		{[]string{"x"}, []string{"low"}, []int{0}},
	} {
		if ranks, names := labels(c.rids); !slices.Equal(ranks, c.ranks) || !slices.Equal(names, c.names) {
			t.Error(c.rids, ranks, names)
		}
	}
}

func TestPickChoosesALayer(t *testing.T) {
	t.Parallel()
	low, mid, hi := &layer{rid: "q", label: "low"}, &layer{rid: "h", label: "mid", rank: 1}, &layer{rid: "f", label: "hi", rank: 2}
	all := []*layer{low, mid, hi}
	for i, c := range []struct {
		flowing []*layer
		wish    wish
		want    *layer
	}{
		{nil, wish{}, nil},
		{all, wish{}, low},
		{all, wish{most: topRank}, hi},
		{all, wish{layer: "mid"}, mid},
		{all, wish{layer: "h"}, mid},
		{all, wish{layer: "nobody"}, low},
		{all, wish{most: 1}, mid},
		{all, wish{layer: "hi", none: true}, nil},
		{[]*layer{low, hi}, wish{layer: "mid"}, low},
		{[]*layer{hi}, wish{layer: "mid"}, hi},
		{[]*layer{mid, hi}, wish{}, mid},
	} {
		if got := pick(c.flowing, all, c.wish); got != c.want {
			t.Errorf("case %d: %+v", i, got)
		}
	}
}

func TestNTPTimes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 7, 5, 4, 3, 2, 500_000_000, time.UTC)
	if got := fromNTP(toNTP(at)); got.Sub(at).Abs() > time.Microsecond {
		t.Error(got)
	}
	if toNTP(time.Unix(0, 0)) != 2208988800<<32 {
		t.Error("the epoch is elsewhere")
	}
}

func TestRetransmissionsAreBounded(t *testing.T) {
	t.Parallel()
	var b budget
	n := 0
	for b.take(epoch) {
		n++
	}
	if n != maxRetransmissions || !b.take(epoch.Add(time.Second)) {
		t.Error("granted", n)
	}
}

func TestCodecChoice(t *testing.T) {
	t.Parallel()
	h264 := func(payload uint8, mode int, profile string) codec {
		return codec{mime: webrtc.MimeTypeH264, payload: payload, fmtp: fmt.Sprintf("level-asymmetry-allowed=1;packetization-mode=%d;profile-level-id=%s", mode, profile)}
	}
	vp8 := codec{mime: webrtc.MimeTypeVP8, payload: 96}
	for _, c := range []struct {
		offered []codec
		want    uint8 // 0: none
		like    uint8 // for a publication in main profile
	}{
		{[]codec{vp8, h264(1, 1, "42001f"), h264(2, 0, "42e01f"), h264(3, 1, "42e01f"), h264(4, 1, "4d001f")}, 3, 4},
		{[]codec{h264(1, 1, "64001f"), h264(2, 1, "42001f")}, 2, 2},
		{[]codec{h264(1, 1, "42c01f"), h264(2, 1, "42001f")}, 1, 1},
		{[]codec{h264(1, 1, "4D001F")}, 1, 1},
		{[]codec{vp8}, 96, 0},
		{[]codec{vp8, h264(1, 0, "42e01f")}, 0, 0},
		{[]codec{vp8, h264(1, 1, "f4001f")}, 0, 0},
		{nil, 0, 0},
	} {
		if got, ok := chooseVideo(c.offered); ok != (c.want != 0) || got.payload != c.want {
			t.Errorf("%v: %v", c.offered, got)
		}
		if got, ok := chooseLike(c.offered, h264(9, 1, "4d001f")); ok != (c.like != 0) || ok && got.payload != c.like {
			t.Errorf("%v like main: %v", c.offered, got)
		}
	}
	if got, ok := chooseLike([]codec{h264(1, 1, "42e01f"), vp8}, vp8); !ok || got.payload != 96 {
		t.Error("VP8 is received as", got)
	}
}

// A key frame and its followers, to 100 listeners, sealing and handing to the socket included: nothing of this may allocate.
func TestForwardingDoesNotAllocate(t *testing.T) {
	sink, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	defer sink.Close()
	to := sink.LocalAddr().(*net.UDPAddr).AddrPort()
	for name, profile := range map[string]srtp.ProtectionProfile{"GCM": srtp.ProtectionProfileAeadAes128Gcm, "CM": srtp.ProtectionProfileAes128CmHmacSha1_80} {
		t.Run(name, func(t *testing.T) {
			p := openEngine(t, Options{}).port
			l, outlets := benchLayerOn(t, p, 100, to, profile)
			for _, o := range outlets[:50] {
				o.out.ledger, o.out.extension = newLedger(epoch), 3
			}
			b := benchPacket(t, 1000)
			seq := uint16(0)
			frame := func() {
				for range 6 {
					seq++
					b[2], b[3] = byte(seq>>8), byte(seq)
					l.bring(b, epoch.Add(time.Duration(seq)*time.Millisecond))
				}
				l.deliver()
			}
			for range 20 {
				frame() // takes what memory it wants
			}
			// pion's CM allocates for itself.
			if allocs := testing.AllocsPerRun(50, frame); allocs != 0 && name == "GCM" {
				t.Error(allocs, "allocations for each frame")
			}
			if outlets[99].packets < 6*70 {
				t.Error("only", outlets[99].packets, "were forwarded")
			}
			scratch := make([]byte, 2+slotSize)
			if allocs := testing.AllocsPerRun(100, func() { outlets[0].munger.source(seq); l.ring.get(seq, scratch) }); allocs != 0 {
				t.Error(allocs, "allocations for each packet looked up")
			}
		})
	}
}

// bring is how a packet comes to a layer; accept delivers it too.
func (l *layer) bring(b []byte, now time.Time) {
	var p packet
	if p.parse(b) == nil {
		p.at = now
		l.take(&p, len(b))
	}
}

func (l *layer) accept(b []byte, now time.Time) {
	l.bring(b, now)
	l.deliver()
}

// nowhere is a port whose batches end in transmit, without a socket.
func nowhere(transmit func(*batch)) *port {
	p := &port{log: discard, local: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, timing: usual, refused: &atomic.Uint64{}, transmit: transmit}
	return p
}

// benchLink is a link that is up.
func benchLink(t testing.TB, p *port, to netip.AddrPort, profile srtp.ProtectionProfile) *link {
	c := &srtp.Config{Profile: profile}
	keySize, err := profile.KeyLen()
	must(t, err)
	c.Keys.LocalMasterKey, c.Keys.RemoteMasterKey = make([]byte, keySize), make([]byte, keySize)
	size, err := profile.SaltLen()
	must(t, err)
	c.Keys.LocalMasterSalt, c.Keys.RemoteMasterSalt = make([]byte, size), make([]byte, size)
	k, err := deriveKeys(c)
	must(t, err)
	l := &link{port: p, wake: func() {}}
	l.keys.Store(k)
	l.remote.Store(&address{AddrPort: to, native: p.native(to), inquiry: inquiry{proved: true}})
	l.stage.Store(int32(linkUp))
	return l
}

// benchLayer is a layer with n listeners whose packets go nowhere.
func benchLayer(t testing.TB, n int) (*layer, []*outlet) {
	return benchLayerOn(t, nowhere(func(*batch) {}), n, netip.MustParseAddrPort("127.0.0.1:9"), srtp.ProtectionProfileAeadAes128Gcm)
}

func benchLayerOn(t testing.TB, p *port, n int, to netip.AddrPort, profile srtp.ProtectionProfile) (*layer, []*outlet) {
	s := &section{kind: video, codec: codec{mime: mimeH264, clock: 90000, payload: 102}, ssrc: 7}
	var c counters
	tr := newTrack(s, p, &skew{}, 2*time.Second)
	tr.changed, tr.count = func() {}, c.forwarded
	var all []*outlet
	for range n {
		o := newOutlet(s, wish{}, &c, func() {})
		o.out.link = benchLink(t, p, to, profile)
		tr.add(o, epoch)
		all = append(all, o)
	}
	return tr.layers[0], all
}

func benchPacket(t testing.TB, size int) []byte {
	payload := make([]byte, size)
	payload[0] = 0x65
	b, err := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 102, SSRC: 1}, Payload: payload}).Marshal()
	must(t, err)
	return b
}
