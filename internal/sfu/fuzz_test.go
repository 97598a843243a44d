package sfu

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
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
