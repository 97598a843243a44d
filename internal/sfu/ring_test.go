package sfu

import (
	"testing"
	"time"

	"github.com/pion/rtp"
)

func TestALayerTakesItsMemoryWithTheFirstPacket(t *testing.T) {
	t.Parallel()
	l, _ := benchLayer(1)
	if l.ring.slots != nil || l.ring.bytes != nil {
		t.Error("memory is taken at once")
	}
	if _, ok := l.ring.get(7, l.scratch); ok {
		t.Error("there is a packet")
	}
	l.accept(benchPacket(t, 100), epoch)
	if _, ok := l.ring.get(0, l.scratch); !ok {
		t.Error("the first packet was not kept")
	}
}

// record keeps the headers of what is forwarded.
type record struct {
	nowhere
	headers *[]rtp.Header
}

func (r record) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	*r.headers = append(*r.headers, *h)
	return len(payload), nil
}

func TestAPublisherThatCountsAnewIsFollowed(t *testing.T) {
	t.Parallel()
	for _, back := range []uint16{300, 5000, 30000} {
		l, outlets := benchLayer(1)
		var got []rtp.Header
		outlets[0].writer = record{headers: &got}
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
		if len(got) != 2000 || !l.plea.wanted.Load() {
			t.Errorf("%d back: forwarded %d packets; a key frame is wanted: %v", back, len(got), l.plea.wanted.Load())
		}
		for seq := 42000 - back + maxLate + 10; seq < 42000-back+maxLate+20; seq++ {
			send(seq, 0x65)
		}
		if len(got) != 2010 {
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
	l, outlets := benchLayer(1)
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
