package sfu

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

func TestMissingPacketsAreAskedForUntilTheyComeOrAreGivenUp(t *testing.T) {
	t.Parallel()
	r := reception{rate: 90000}
	for _, seq := range []uint16{65533, 65534, 2, 3} { // 65535, 0 and 1 are missing
		r.note(seq, 0, epoch)
	}
	if due, wait := r.asks(epoch); due != nil || wait != nackDelay {
		t.Error("asked at once", due, wait)
	}
	now := epoch.Add(nackDelay)
	if due, wait := r.asks(now); !slices.Equal(due, []uint16{65535, 0, 1}) || wait != nackRetry {
		t.Error("asked for", due, wait)
	}
	r.note(0, 0, now) // late
	r.found(1)        // sent again
	if due, _ := r.asks(now.Add(nackRetry - 1)); due != nil {
		t.Error("asked too often", due)
	}
	n := 1
	for range 50 {
		now = now.Add(nackRetry)
		if due, _ := r.asks(now); len(due) > 0 {
			if n++; due[0] != 65535 || len(due) != 1 {
				t.Fatal("asked for", due)
			}
		}
	}
	if n != maxNACKs || len(r.missing) != 0 {
		t.Error("asked", n, "times; still missing", r.missing)
	}
	r.note(30000, 0, now)
	if len(r.missing) != maxMissing || r.missing[maxMissing-1].seq != 65536+29999 {
		t.Error("remembers", len(r.missing))
	}
}

func TestReportsTellLossAndJitter(t *testing.T) {
	t.Parallel()
	r := reception{rate: 90000}
	now := epoch
	for seq := range uint16(200) {
		if seq%4 != 3 {
			r.note(seq, uint32(seq)*900, now)
		}
		now = now.Add(10 * time.Millisecond)
	}
	r.reported(toNTP(now), now)
	got := r.report(7, now.Add(time.Second/2))
	if got.SSRC != 7 || got.FractionLost != 49*256/199 || got.TotalLost != 49 || got.LastSequenceNumber != 198 || got.Jitter != 0 || got.Delay != 32768 ||
		got.LastSenderReport != uint32(toNTP(now)>>16) {
		t.Errorf("%+v", got)
	}
	for seq := uint16(199); seq < 300; seq++ {
		r.note(seq, uint32(seq)*900, now.Add(time.Duration(seq%2)*time.Millisecond))
		now = now.Add(10 * time.Millisecond)
	}
	if got = r.report(7, now); got.FractionLost != 0 || got.TotalLost != 49 || got.Jitter < 80 || got.Jitter > 100 {
		t.Errorf("%+v", got)
	}
}

// studio is a publication without a socket, whose feedback is kept.
func studio(t *testing.T, rids ...string) (*Publication, *post) {
	out := &post{}
	p := nowhere(func(*batch) {})
	p.conn = out
	s := &section{kind: video, codec: codec{mime: mimeH264, clock: 90000, payload: 102, rtx: 103, feedback: wantedFeedback}, rids: rids}
	pub := &Publication{ssrc: 1, arrivals: twcc.NewRecorder(1), video: newTrack(s, p, &skew{}, time.Second), extensions: extensions{transport: 4, rid: 5, repaired: 6}}
	pub.link = benchLink(t, p, netip.MustParseAddrPort("127.0.0.1:9"), srtp.ProtectionProfileAeadAes128Gcm)
	pub.wake = make(chan struct{}, 1)
	pub.engine = &Engine{log: discard, port: p, timing: usual}
	pub.video.changed, pub.video.count = pub.changed, pub.engine.counters.forwarded
	pub.layers = pub.video.layers
	return pub, out
}

// send is a packet from the publisher.
func (p *Publication) hears(t *testing.T, h rtp.Header, payload []byte, rid, repaired string) {
	h.Version = 2
	for id, value := range map[uint8]string{5: rid, 6: repaired} {
		if value != "" {
			must(t, h.SetExtension(id, []byte(value)))
		}
	}
	must(t, h.SetExtension(4, binary.BigEndian.AppendUint16(nil, h.SequenceNumber)))
	b, err := (&rtp.Packet{Header: h, Payload: payload}).Marshal()
	must(t, err)
	p.rtp(b, arrival{at: epoch.Add(time.Duration(h.SequenceNumber) * time.Millisecond)})
}

func TestAPublisherIsToldWhatIsMissingAndWhenPacketsCame(t *testing.T) {
	t.Parallel()
	pub, out := studio(t)
	for _, seq := range []uint16{1, 2, 5} {
		pub.hears(t, rtp.Header{PayloadType: 102, SSRC: 9, SequenceNumber: seq, Timestamp: uint32(seq) * 90}, []byte{0x65, 1}, "", "")
	}
	pub.feedback(epoch.Add(time.Second))
	theirs := opener(t, srtp.ProtectionProfileAeadAes128Gcm)
	var lost []uint16
	var arrivals, reports int
	for _, l := range out.sent {
		plain, err := theirs.DecryptRTCP(nil, l.bytes, nil)
		must(t, err)
		packets, err := rtcp.Unmarshal(plain)
		must(t, err)
		for _, p := range packets {
			switch p := p.(type) {
			case *rtcp.TransportLayerNack:
				lost = p.Nacks[0].PacketList()
			case *rtcp.TransportLayerCC:
				arrivals = int(p.PacketStatusCount)
			case *rtcp.ReceiverReport:
				reports = len(p.Reports)
			}
		}
	}
	if !slices.Equal(lost, []uint16{3, 4}) || arrivals != 5 || reports != 1 {
		t.Error(lost, arrivals, reports)
	}
}

func TestWhatAPublisherSendsAgainFillsTheGap(t *testing.T) {
	t.Parallel()
	for name, rids := range map[string][]string{"one layer": nil, "layers": {"hi", "low"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pub, _ := studio(t, rids...)
			rid, l := "", pub.video.layers[0]
			if rids != nil {
				rid, l = "hi", pub.video.layer("hi")
			}
			for _, seq := range []uint16{1, 3} {
				pub.hears(t, rtp.Header{PayloadType: 102, SSRC: 9, SequenceNumber: seq}, []byte{0x41, byte(seq)}, rid, "")
			}
			pub.hears(t, rtp.Header{PayloadType: 103, SSRC: 10, SequenceNumber: 700}, []byte{0, 2, 0x41, 2}, "", rid)
			pub.hears(t, rtp.Header{PayloadType: 103, SSRC: 10, SequenceNumber: 701}, []byte{0, 0}, "", "") // a probe
			got, ok := l.ring.get(2, make([]byte, slotSize))
			if !ok || string(got.payload) != "\x41\x02" || len(l.reception.missing) != 0 {
				t.Error(got, ok, l.reception.missing)
			}
		})
	}
}

func TestPacketsOfAForeignFormatAreNotForwarded(t *testing.T) {
	t.Parallel()
	pub, _ := studio(t)
	pub.hears(t, rtp.Header{PayloadType: 102, SSRC: 9, SequenceNumber: 1}, []byte{0x65, 1}, "", "")
	pub.hears(t, rtp.Header{PayloadType: 99, SSRC: 9, SequenceNumber: 2}, []byte{0x65, 1}, "", "")
	pub.hears(t, rtp.Header{PayloadType: 102, SSRC: 77, SequenceNumber: 3}, []byte{0x65, 1}, "", "")
	if got := len(pub.video.layers[0].run); got != 1 || len(pub.sources) != 1 {
		t.Error(got, "packets of", len(pub.sources), "sources")
	}
}

// Two layers of one publication go through one goroutine and one batch, so nobody sees their
// numbers in another order than they were given.
func TestASwitchOfLayersLeavesNoGap(t *testing.T) {
	t.Parallel()
	pub, _ := studio(t, "hi", "mid", "low")
	headers := record(pub.layers[0], t)
	o := another(t, pub.layers[0])
	pub.attach(o)
	seqs := map[string]uint16{"hi": 100, "mid": 40000, "low": 65000}
	ssrcs := map[string]uint32{"hi": 1, "mid": 2, "low": 3}
	for i := range 3000 {
		for _, rid := range []string{"hi", "mid", "low"} {
			head := byte(0x41)
			if i%7 == int(ssrcs[rid]) {
				head = 0x65
			}
			seqs[rid]++
			pub.hears(t, rtp.Header{PayloadType: 102, SSRC: ssrcs[rid], SequenceNumber: seqs[rid], Timestamp: uint32(i) * 3000}, []byte{head, 1}, rid, "")
		}
		if i%5 == 0 {
			o.aim(pub.layers[i%3])
			pub.video.mu.Lock()
			pub.video.relist()
			pub.video.mu.Unlock()
		}
		if i%2 == 0 {
			must(t, pub.deliver())
		}
	}
	got := *headers
	if len(got) < 2000 {
		t.Fatal("only", len(got), "packets")
	}
	for i, h := range got[1:] {
		if h.SequenceNumber != got[i].SequenceNumber+1 {
			t.Fatalf("%d after %d", h.SequenceNumber, got[i].SequenceNumber)
		}
	}
}

// While the first few get the first packet, more may come; whoever listens gets all of it, once and in order.
func TestWhatComesDuringARoundReachesEverybodyOnceAndInOrder(t *testing.T) {
	t.Parallel()
	l, outlets := benchLayer(t, 30)
	got := map[uint32]int{}
	sent := uint16(0)
	b := benchPacket(t, 100)
	more := func() {
		sent++
		b[2], b[3], b[7] = byte(sent>>8), byte(sent), byte(sent)
		l.bring(b, epoch)
	}
	next := map[*address]uint16{}
	l.track.port.transmit = func(batch *batch) {
		for i := range batch.trains {
			tr := &batch.trains[i]
			for p := range tr.packets(batch.bytes) {
				seq := binary.BigEndian.Uint16(p[2:])
				if want, known := next[tr.to]; known && seq != want {
					t.Fatalf("%d, not %d", seq, want)
				}
				next[tr.to] = seq + 1
				got[0]++
			}
		}
	}
	more()
	batch := l.track.port.batch()
	for l.step(batch) {
		if sent < 40 {
			more()
		}
	}
	batch.release()
	if got[0] != 40*30 || len(next) != 30 || outlets[0].packets != 40 {
		t.Error("sent", got[0], "packets to", len(next))
	}
}
