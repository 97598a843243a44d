package sfu

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/pion/rtcp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/sdp/v3"
	"github.com/pion/srtp/v3"
	"github.com/pion/webrtc/v4"
)

// Whatever a stranger offers is either refused or answered in SDP that has the same sections.
func FuzzOffer(f *testing.F) {
	good := readTestdata(f, "chromium-publish.sdp")
	f.Add(good)
	f.Add(strings.ReplaceAll(good, "a=sendonly", "a=recvonly"))
	f.Add(good[:strings.Index(good, "m=video")])
	f.Add("v=0\r\no=- 0 0 IN IP4 0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		if o, err := readOffer(text, sending); err == nil && o.settlePublisher() == nil {
			understood(t, o)
		}
		if o, err := readOffer(text, receiving); err == nil && o.settleSubscriber(nil) == nil {
			understood(t, o)
		}
	})
}

func understood(t *testing.T, o *offer) {
	p := nowhere(func(*batch) {})
	p.announced = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:9")}
	text, err := o.answer(credentials{"ours", strings.Repeat("x", 22)}, p)
	if err != nil {
		t.Fatal(err)
	}
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	if len(d.MediaDescriptions) != len(o.sections)+len(o.unused) {
		t.Fatalf("%d sections:\n%s", len(d.MediaDescriptions), text)
	}
	i := 0
	for _, m := range d.MediaDescriptions {
		if m.MediaName.Media == "application" {
			continue
		}
		s := o.sections[i]
		if mid, _ := m.Attribute("mid"); mid != s.mid || m.MediaName.Media != string(s.kind) || len(readCodecs(m)) != 1 {
			t.Fatalf("%+v became:\n%s", s, text)
		}
		i++
	}
}

func FuzzFragment(f *testing.F) {
	f.Add("a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 X 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\na=end-of-candidates\r\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseFragment(text)
		if err != nil {
			return
		}
		b, err := ParseFragment(a.String())
		if err != nil || b.Ufrag != a.Ufrag || b.EndOfCandidates != a.EndOfCandidates {
			t.Fatalf("%+v became %+v, %v", a, b, err)
		}
	})
}

func FuzzPacket(f *testing.F) {
	f.Add([]byte("\x80\x66\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x65\x00"), uint16(1))
	f.Add([]byte("\xbf\x66\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\xbe\xde\x00\x01"), uint16(9))
	f.Fuzz(func(t *testing.T, b []byte, other uint16) {
		var p packet
		if p.parse(b) != nil {
			return
		}
		for _, mime := range []string{webrtc.MimeTypeH264, webrtc.MimeTypeVP8} {
			startsKeyFrame(mime, p.payload)
		}
		r := newRing(8)
		r.put(&p)
		got, ok := r.get(p.seq, make([]byte, slotSize))
		if ok != (len(p.payload) <= slotSize) || ok && string(got.payload) != string(p.payload) {
			t.Fatal("the ring changed a packet")
		}
		m := newMunger(90000, other, p.ts)
		m.begin(other, p.ts, epoch)
		if out, _, ok := m.rewrite(p.seq, p.ts, epoch); ok {
			if back, ok := m.source(out); ok && back != p.seq {
				t.Fatal("a packet came from somewhere else")
			}
		}
	})
}

// Of DTLS that comes when there are keys, only what may be the peer's is left, and nothing is added.
func FuzzRecords(f *testing.F) {
	f.Add([]byte{21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 7}, true, uint16(0))
	f.Add([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13, 11, 0, 0, 9, 0, 1, 0, 0, 0, 0, 0, 1, 7}, false, uint16(9))
	f.Add([]byte{23, 254, 253, 0, 1, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1}, true, uint16(0xffff))
	f.Fuzz(func(t *testing.T, b []byte, agreed bool, before uint16) {
		sum := int(before)
		kept := credible(bytes.Clone(b), agreed, &sum)
		if again := credible(bytes.Clone(kept), agreed, new(int)); len(kept) > len(b) || !bytes.Equal(again, kept) {
			t.Fatalf("% x became % x, then % x", b, kept, again)
		}
		if agreed && len(kept) > 0 && kept[3] == 0 && kept[4] == 0 || len(kept) > 0 && kept[0] == 22 && sum > handshakeBytes+len(b) {
			t.Fatalf("believes % x", kept)
		}
	})
}

// Whatever a peer says in place of a handshake, its link survives it and ends when it is told to.
func FuzzHandshake(f *testing.F) {
	hello := []byte("\x16\xfe\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x36\x01\x00\x00\x2a\x00\x00\x00\x00\x00\x00\x00\x2a\xfe\xfd" + strings.Repeat("r", 32) + "\x00\x00\x00\x02\xc0\x2b\x01\x00\x00\x00")
	f.Add(hello, hello)
	f.Add([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1}, []byte{21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 2, 40})
	id, err := newIdentity()
	must(f, err)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		p, l, out := iceLink()
		p.identity = id
		p.take(asks(l.current.local, theirs, true), home, epoch)
		p.take(replies(t, out, theirs), home, epoch)
		p.conn = deaf{}
		for _, record := range [][]byte{a, b} {
			if len(record) > 0 {
				record[0] = 20 + record[0]%44 // what the port takes for DTLS
			}
			p.take(record, home, epoch)
		}
		l.close()
		if l.keys.Load() != nil || len(p.addresses)+len(p.sessions)+len(p.links) > 0 {
			t.Fatal("something is left over")
		}
	})
}

// deaf is a socket that takes everything and remembers nothing.
type deaf struct{ net.PacketConn }

func (deaf) WriteTo(b []byte, _ net.Addr) (int, error) { return len(b), nil }

// Where a key frame begins, pion's reader of VP8 finds one, too; of H.264 only what a decoder can begin with is taken.
func FuzzKeyFrame(f *testing.F) {
	f.Add([]byte{0x10, 0, 0, 0x9d, 1, 0x2a})
	f.Add([]byte{0x90, 0xf0, 0x81, 0x23, 1, 2, 0, 0, 0, 0x9d})
	f.Add([]byte{nalSTAPA, 0, 1, nalSPS, 0, 1, nalIDR})
	f.Add([]byte{nalFUA, 0x80 | nalIDR, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		was := bytes.Clone(b)
		var v codecs.VP8Packet
		if frame, err := v.Unmarshal(b); err == nil && len(frame) > 0 {
			if want := v.S == 1 && v.PID == 0 && frame[0]&1 == 0; startsKeyFrame(webrtc.MimeTypeVP8, b) != want {
				t.Fatalf("% x begins a key frame: %v", b, want)
			}
		}
		if kind := append(b, 0)[0] & 0x1f; startsKeyFrame(webrtc.MimeTypeH264, b) && kind != nalIDR && kind != nalSPS && kind != nalSTAPA && kind != nalFUA {
			t.Fatalf("% x begins a key frame", b)
		}
		if !bytes.Equal(b, was) {
			t.Fatal("changed what it reads")
		}
	})
}

// Whatever reports a peer sends, with the right keys, nothing but its own streams is the worse for it.
func FuzzReports(f *testing.F) {
	seed := func(p ...rtcp.Packet) {
		b, err := rtcp.Marshal(p)
		must(f, err)
		f.Add(b)
	}
	seed(&rtcp.PictureLossIndication{MediaSSRC: 7}, &rtcp.TransportLayerNack{MediaSSRC: 7, Nacks: []rtcp.NackPair{{PacketID: 1, LostPackets: 0xffff}}})
	seed(&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: 7, LastSenderReport: 1, Delay: 1 << 31}}}, &rtcp.SenderReport{SSRC: 7, NTPTime: 1 << 63})
	seed(&rtcp.TransportLayerCC{MediaSSRC: 7}, &rtcp.FullIntraRequest{MediaSSRC: 7, FIR: []rtcp.FIREntry{{SSRC: 7}}})
	f.Fuzz(func(t *testing.T, b []byte) {
		p := nowhere(func(*batch) {})
		l, outlets := benchLayerOn(t, p, 2, home, srtp.ProtectionProfileAeadAes128Gcm)
		outlets[0].out.ssrc = 7
		outlets[1].out.ssrc = 8
		for seq := range uint16(20) {
			in := benchPacket(t, 20)
			binary.BigEndian.PutUint16(in[2:], seq)
			l.accept(in, epoch)
		}
		other := outlets[1].packets
		e := &Engine{port: p, log: discard}
		s := &Subscription{Peer: Peer{engine: e}, outlets: outlets[:1], share: &share{wake: func() {}}}
		s.allowance = &allowance{adaptation: adaptation{shares: shares{s.share}}}
		s.rtcp(b, arrival{at: epoch})
		pub := &Publication{Peer: Peer{engine: e}, sources: []source{{ssrc: 7, layer: l}}}
		pub.rtcp(b, arrival{at: epoch})
		if outlets[1].packets != other {
			t.Fatal("somebody else was sent something")
		}
	})
}
