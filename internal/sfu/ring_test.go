package sfu

import (
	"testing"
	"time"

	"github.com/pion/rtp"
)

func TestALayerTakesItsMemoryWithTheFirstPacket(t *testing.T) {
	t.Parallel()
	l, _ := benchLayer(t, 1)
	if l.ring.slots != nil || l.ring.bytes != nil {
		t.Error("memory is taken at once")
	}
	scratch := make([]byte, slotSize)
	if _, ok := l.ring.get(7, scratch); ok {
		t.Error("there is a packet")
	}
	l.accept(benchPacket(t, 100), epoch)
	if _, ok := l.ring.get(0, scratch); !ok {
		t.Error("the first packet was not kept")
	}
}

// record has the headers of what is forwarded kept.
func record(l *layer, t testing.TB) *[]rtp.Header {
	var all []rtp.Header
	l.track.port.transmit = func(b *batch) {
		for i := range b.trains {
			for p := range b.trains[i].packets(b.bytes) {
				var h rtp.Header
				_, err := h.Unmarshal(p)
				must(t, err)
				all = append(all, h)
			}
		}
	}
	return &all
}

func TestAPublisherThatCountsAnewIsFollowed(t *testing.T) {
	t.Parallel()
	for _, back := range []uint16{300, 5000, 30000} {
		l, _ := benchLayer(t, 1)
		headers := record(l, t)
		b, now := benchPacket(t, 100), epoch
		send := func(seq uint16, head byte) {
			now = now.Add(10 * time.Millisecond)
			b[2], b[3], b[6], b[7], b[12] = byte(seq>>8), byte(seq), byte(seq>>8), byte(seq), head
			l.accept(b, now)
		}
		for seq := uint16(40000); seq < 42000; seq++ {
			send(seq, 0x65)
		}
		l.plea.wanted.Store(false)
		b[4] = 1 // another time base
		for seq := 42000 - back; seq < 42000-back+maxLate+10; seq++ {
			send(seq, 0x41)
		}
		got := *headers
		if len(got) != 2000 || !l.plea.wanted.Load() {
			t.Errorf("%d back: forwarded %d packets; a key frame is wanted: %v", back, len(got), l.plea.wanted.Load())
		}
		for seq := 42000 - back + maxLate + 10; seq < 42000-back+maxLate+20; seq++ {
			send(seq, 0x65)
		}
		if got = *headers; len(got) != 2010 {
			t.Fatalf("%d back: forwarded %d packets", back, len(got))
		}
		for i, h := range got[1:] {
			if h.SequenceNumber != got[i].SequenceNumber+1 || int32(h.Timestamp-got[i].Timestamp) <= 0 {
				t.Fatalf("%d back: %v after %v", back, h, got[i])
			}
		}
	}
}

func TestRepeatedPacketsDoNotCountAsANewSequence(t *testing.T) {
	t.Parallel()
	l, outlets := benchLayer(t, 1)
	b := benchPacket(t, 100)
	for range 5 {
		for seq := range byte(200) {
			b[3], b[7] = seq, seq
			l.accept(b, epoch)
		}
	}
	if outlets[0].packets != 200 {
		t.Error("forwarded", outlets[0].packets)
	}
}
