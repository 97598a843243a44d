package sfu

import (
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// Whatever a stranger offers is either refused or understood so far that the WebRTC stack understands it too.
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
	text := o.sdp(nil)
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	if len(d.MediaDescriptions) != len(o.sections) {
		t.Fatalf("%d sections:\n%s", len(o.sections), text)
	}
	again, err := readOffer(text, o.direction)
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	for i, s := range again.sections {
		if was := o.sections[i]; s.mid != was.mid || s.kind != was.kind || len(s.rids) != len(was.rids) || len(s.offered) != 1 {
			t.Fatalf("%+v became %+v:\n%s", was, s, text)
		}
	}
	if _, err := o.mediaEngine(); err != nil && !strings.Contains(err.Error(), "already registered") {
		t.Fatal(err)
	}
	if _, err := o.finish(text); err != nil {
		t.Fatal(err)
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
