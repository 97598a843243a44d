package sfu

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// opener reads what a bench link sends.
func opener(t testing.TB, profile srtp.ProtectionProfile) *srtp.Context {
	keySize, err := profile.KeyLen()
	must(t, err)
	saltSize, err := profile.SaltLen()
	must(t, err)
	c, err := srtp.CreateContext(make([]byte, keySize), make([]byte, saltSize), profile)
	must(t, err)
	return c
}

var profiles = map[string]srtp.ProtectionProfile{
	"AES-128-GCM": srtp.ProtectionProfileAeadAes128Gcm, "AES-256-GCM": srtp.ProtectionProfileAeadAes256Gcm,
	"AES-128-CM": srtp.ProtectionProfileAes128CmHmacSha1_80,
}

func TestWhatIsSealedCanBeOpened(t *testing.T) {
	t.Parallel()
	for name, profile := range profiles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := benchLink(t, nowhere(func(*batch) {}), home, profile)
			s := &stream{link: l, ssrc: 0xdecafbad}
			theirs := opener(t, profile)
			b := make([]byte, 2048)
			for i := range 150_000 { // sequence numbers wrap around twice
				seq := uint16(30000 + i)
				payload := []byte{byte(i), byte(i >> 8), byte(i >> 16)}
				n := s.seal(b, 96, i%2 == 0, seq, uint32(i), payload)
				if i%1000 > 2 {
					continue // receivers lose most of it
				}
				var h rtp.Header
				plain, err := theirs.DecryptRTP(nil, b[:n], &h)
				if err != nil || !bytes.Equal(plain[rtpHeader:], payload) {
					t.Fatalf("packet %d: %v", i, err)
				}
				if h.SequenceNumber != seq || h.Timestamp != uint32(i) || h.PayloadType != 96 || h.Marker != (i%2 == 0) || h.SSRC != s.ssrc {
					t.Fatalf("packet %d: %+v", i, h)
				}
			}
		})
	}
}

func TestATransportWideNumberIsSealedWithThePacket(t *testing.T) {
	t.Parallel()
	for name, profile := range profiles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := nowhere(func(*batch) {})
			s := &stream{link: benchLink(t, p, home, profile), ssrc: 7, ledger: newLedger(epoch), extension: 5, padding: true}
			theirs, b := opener(t, profile), newBatch(p)
			for n := range uint16(3) {
				at := b.used
				if !b.add(s, 96, &packet{}, n, 1, padding[:]) {
					t.Fatal("not sealed")
				}
				var out rtp.Packet
				plain, err := theirs.DecryptRTP(nil, b.bytes[at:b.used], nil)
				must(t, err)
				must(t, out.Unmarshal(plain))
				if got := out.GetExtension(5); !bytes.Equal(got, []byte{0, byte(n + 1)}) || len(out.Payload) != 0 || out.PaddingSize != 255 {
					t.Errorf("packet %d: %v, %+v", n, got, out.Header)
				}
				if e, ok := s.ledger.came(n + 1); !ok || e.size != b.used-at {
					t.Errorf("packet %d is in the ledger with %+v", n, e)
				}
				if _, again := s.ledger.came(n + 1); again {
					t.Error("came twice")
				}
			}
		})
	}
}

// The same index under the same key must never protect anything else (RFC 7714, section 8.1).
func TestAPacketThatIsSentAgainIsTheSameToTheByte(t *testing.T) {
	t.Parallel()
	for name, profile := range profiles {
		l := benchLink(t, nowhere(func(*batch) {}), home, profile)
		s := &stream{link: l, ssrc: 1, sent: repeats()}
		sent := map[uint16][]byte{}
		for i := range 3000 {
			b := make([]byte, 100)
			seq := uint16(64000 + i)
			sent[seq] = b[:s.seal(b, 96, false, seq, uint32(i), []byte{byte(i)})]
		}
		for range 3000 {
			i := 3000 - 1 - rand.IntN(repeatRange)
			b, seq := make([]byte, 100), uint16(64000+i)
			if n := s.seal(b, 96, false, seq, uint32(i), []byte{byte(i)}); !bytes.Equal(b[:n], sent[seq]) {
				t.Fatal(name, "packet", i, "differs when it is sent again")
			}
			for _, other := range []int{s.seal(b, 96, true, seq, uint32(i), []byte{byte(i)}), s.seal(b, 96, false, seq, uint32(i)+1, []byte{byte(i)}),
				s.seal(b, 96, false, seq, uint32(i), []byte{byte(i) + 1}), s.seal(b, 96, false, seq-2000, uint32(i), []byte{byte(i)})} {
				if other != 0 {
					t.Fatal(name, "two packets have index", i)
				}
			}
		}
	}
}

func TestAPublisherCannotHaveTwoPacketsSealedWithOneNumber(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]struct {
		size  int // of the payload
		steps []uint16
	}{
		"larger than what is kept":  {1600, []uint16{7, 7, 8, 7}},
		"around the numbers":        {100, []uint16{40000, 6208, 37952, 40000, 6208, 37952, 40000}},
		"around from a long window": {100, []uint16{1, 16001, 20001, 20002, 51745, 17953, 20002, 20001}},
	} {
		l, _ := benchLayer(t, 1)
		seen, highest := map[int64]bool{}, int64(0)
		l.track.port.transmit = func(b *batch) {
			for i := range b.trains {
				for p := range b.trains[i].packets(b.bytes) {
					var h rtp.Header
					_, err := h.Unmarshal(p)
					must(t, err)
					if highest == 0 {
						highest = int64(h.SequenceNumber)
					}
					index := highest + int64(int16(h.SequenceNumber-uint16(highest)))
					if seen[index] {
						t.Errorf("%s: index %d was used twice", name, index)
					}
					seen[index], highest = true, max(highest, index)
				}
			}
		}
		b := benchPacket(t, of.size)
		for i, seq := range of.steps {
			b[2], b[3], b[7], b[12], b[20] = byte(seq>>8), byte(seq), byte(i), 0x65, byte(i)
			l.accept(b, epoch)
		}
		if len(seen) < 2 {
			t.Errorf("%s: only %d packets were sent", name, len(seen))
		}
	}
}

func TestNothingIsSentWithoutKeys(t *testing.T) {
	t.Parallel()
	s := &stream{link: &link{}}
	if n := s.seal(make([]byte, 100), 96, false, 1, 1, []byte{1}); n != 0 {
		t.Error("sent", n, "bytes in the clear")
	}
}

func TestTrainsAreOfOneAddressAndSize(t *testing.T) {
	t.Parallel()
	b := newBatch(nowhere(func(*batch) {}))
	ada, bob := &address{}, &address{}
	for _, c := range []struct {
		to *address
		n  int
	}{{ada, 100}, {ada, 100}, {ada, 60}, {ada, 60}, {bob, 60}, {bob, 70}, {bob, 70}} {
		b.couple(c.to, c.n)
		b.used += c.n
	}
	var got []int
	for i := range b.trains {
		n := 0
		for p := range b.trains[i].packets(b.bytes) {
			n += len(p)
		}
		got = append(got, b.trains[i].count, n)
	}
	if want := []int{3, 260, 1, 60, 1, 60, 2, 140}; !slices.Equal(got, want) {
		t.Error(got, want)
	}
	for range 100 {
		b.couple(bob, 70)
		b.used += 70
	}
	for _, tr := range b.trains {
		if tr.count > trainCars {
			t.Error("a train of", tr.count)
		}
	}
}

// Nobody without the keys is believed, whatever is sent.
func FuzzSRTP(f *testing.F) {
	f.Add([]byte("\x80\x60\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03 sixteen bytes and some"))
	f.Add([]byte("\x80\xc8\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03 sixteen bytes and some"))
	f.Add([]byte("\x9f\x60\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\xbe\xde\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, profile := range profiles {
			if profile == srtp.ProtectionProfileAeadAes256Gcm {
				continue
			}
			l := benchLink(t, nowhere(func(*batch) {}), home, profile)
			l.put(b, home, epoch)
			if err := l.receive(nobody{t}); err != nil || len(l.opened.streams) > 0 {
				t.Fatal(err, l.opened.streams)
			}
		}
	})
}

func FuzzExtension(f *testing.F) {
	p := rtp.Packet{Header: rtp.Header{Version: 2}, Payload: []byte{1}}
	_ = p.SetExtension(3, []byte("low"))
	b, err := p.Marshal()
	must(f, err)
	f.Add(b, uint8(3))
	f.Add([]byte("\x90\x60\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x10\x00\x00\x02\x03\x03low\x00"), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, id uint8) {
		got := extensionOf(b, id)
		var h rtp.Header
		if _, err := h.Unmarshal(b); err != nil || h.ExtensionProfile != 0xbede && h.ExtensionProfile != 0x1000 || id == 0 || id > 14 {
			return
		}
		if want := h.GetExtension(id); len(got) != len(want) || !bytes.Equal(got, want) {
			t.Fatalf("% x, not % x", got, want)
		}
	})
}
