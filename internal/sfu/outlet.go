package sfu

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
)

// outlet is the audio or video m-line of a subscription: one outgoing RTP stream that keeps its SSRC
// and its numbering whatever feeds it.
type outlet struct {
	kind  kind
	codec codec
	wish  wish   // protected by the track's mutex while it listens, else by the subscription's
	begun func() // the first packet has been sent

	active atomic.Bool    // a packet has been sent
	resent *atomic.Uint64 // counts packets sent for a second time

	mu      sync.Mutex // held for arithmetic only, sealing included
	out     stream
	munger  munger
	current *layer // what is forwarded
	target  *layer // what will be, from its next key frame on
	packets uint32 // for sender reports
	octets  uint32

	// Owned by the subscription's goroutine.
	rtx    stream // packets sent for a second time
	rtxSeq uint16
	budget budget
	repeat []repeat      // the last of them, by their number
	trip   time.Duration // to the receiver and back; 0 while not known
	toll   toll
}

func newOutlet(s *section, w wish, c *counters, begun func()) *outlet {
	// A sequence number that starts in the lower half cannot wrap before the receiver has the first packet.
	m := newMunger(s.codec.clock, uint16(rand.IntN(1<<15)), rand.Uint32())
	o := &outlet{
		kind: s.kind, codec: s.codec, wish: w, begun: begun, munger: m,
		out: stream{ssrc: s.ssrc}, rtx: stream{ssrc: s.rtx}, resent: &c.retransmitted, rtxSeq: uint16(rand.IntN(1 << 15)),
	}
	if s.rtx == 0 {
		o.out.sent = repeats()
	}
	return o
}

// aim makes l the outlet's next layer and tells whether that is news.
func (o *outlet) aim(l *layer) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.target == l:
		return false
	case o.current == l:
		o.target = nil
		return false
	}
	o.target = l
	return true
}

// again makes o begin anew with l, if it shows it.
func (o *outlet) again(l *layer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.current == l {
		o.current = nil
		if o.target == nil {
			o.target = l
		}
	}
}

// uses tells whether packets of l are of interest.
func (o *outlet) uses(l *layer) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.current == l || o.target == l
}

// waits tells whether the outlet has yet to begin with l.
func (o *outlet) waits(l *layer) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.target == l
}

// shows gives the layer that is forwarded; nil when none is.
func (o *outlet) shows() *layer {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.current
}

// join begins with a packet of l that is past, if the outlet has shown nothing yet. Later
// the receiver's clock runs and must not be set back.
func (o *outlet) join(l *layer, from *packet, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.target != l || o.munger.begun {
		return false
	}
	o.current, o.target = l, nil
	o.munger.begin(from.seq, from.ts, now)
	return true
}

// release forgets the source; the numbering stays.
func (o *outlet) release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.current, o.target = nil, nil
}

// forward adds those packets of layer l to b that the outlet shows. There must be room for all.
func (o *outlet) forward(l *layer, run []packet, b *batch, t *tally) {
	if o.seal(l, run, b, t) && !o.active.Load() {
		o.active.Store(true)
		o.begun()
	}
}

func (o *outlet) seal(l *layer, run []packet, b *batch, t *tally) (any bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range run {
		p := &run[i]
		if o.target == l && p.key {
			o.current, o.target = l, nil
			o.munger.begin(p.seq, p.ts, p.at)
		}
		if o.current != l {
			continue
		}
		seq, ts, ok := o.munger.rewrite(p.seq, p.ts, p.at)
		if !ok || !b.add(&o.out, o.codec.payload, p, seq, ts, p.payload) {
			continue
		}
		any = true
		o.packets++
		o.octets += uint32(len(p.payload))
		t.packetsOut++
		t.bytesOut += len(p.payload)
	}
	return any
}

// serve does what the subscriber asks for. What it lost is added to b; scratch is for one packet.
func (o *outlet) serve(p rtcp.Packet, b *batch, scratch []byte, now time.Time) {
	switch p := p.(type) {
	case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
		o.toll.requests.Add(1)
		o.ask()
	case *rtcp.TransportLayerNack:
		for i := range p.Nacks {
			p.Nacks[i].Range(func(seq uint16) bool {
				if !o.budget.take(now) {
					return false
				}
				if !o.spent(seq, now) {
					o.resend(seq, b, scratch)
				}
				return true
			})
		}
	}
}

// repeat is a packet that was sent again.
type repeat struct {
	at     int64 // in Unix nanoseconds
	seq    uint16
	number uint16 // transport-wide, of the last time
	times  uint8
}

const (
	repeatsKept = 256
	maxRepeats  = 5 // of one packet
	leastTrip   = 30 * time.Millisecond
)

// spent tells whether sending a packet again has no use: it has come, by the receiver's own report, or was sent so shortly ago that it cannot
// have been missed, or too often. There are clients who ask again and again for what has come, and would make a jam of it.
func (o *outlet) spent(seq uint16, now time.Time) bool {
	if o.repeat == nil {
		o.repeat = make([]repeat, repeatsKept)
	}
	r, at := &o.repeat[seq%repeatsKept], now.UnixNano()
	if r.seq != seq || at-r.at > int64(time.Minute) {
		*r = repeat{seq: seq}
	}
	if r.times == maxRepeats || r.times > 0 && at-r.at < int64(max(o.trip, leastTrip)) {
		return true
	}
	if r.times > 0 && o.rtx.ledger.has(r.number) {
		return true
	}
	r.at, r.times = at, r.times+1
	return false
}

// ask wishes for a key frame of what is shown or about to be.
func (o *outlet) ask() {
	o.mu.Lock()
	l := o.current
	if o.target != nil {
		l = o.target
	}
	o.mu.Unlock()
	if l != nil {
		l.ask()
	}
}

// resend answers a NACK from the layer's ring: by RFC 4588 if agreed on, else by the same packet again.
func (o *outlet) resend(out uint16, b *batch, scratch []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	seq, ok := o.munger.source(out)
	if !ok || o.current == nil {
		return
	}
	p, ok := o.current.ring.get(seq, scratch[2:])
	if !ok {
		return
	}
	b.room(1, len(p.payload)+2)
	ts, payload, by := o.munger.stamp(p.ts), p.payload, &o.out
	if o.rtx.ssrc != 0 {
		scratch[0], scratch[1] = byte(out>>8), byte(out)
		payload, by = scratch[:2+len(p.payload)], &o.rtx
		ok = b.add(by, o.codec.rtx, &p, o.rtxSeq, ts, payload)
		o.rtxSeq++
	} else {
		ok = b.add(by, o.codec.payload, &p, out, ts, payload)
	}
	if ok {
		o.repeat[out%repeatsKept].number = by.number
		o.resent.Add(1)
		o.toll.again(len(payload))
		o.current.track.count(tally{packetsOut: 1, bytesOut: len(payload)})
	}
}

// padding is the payload of a packet that is nothing but padding (RFC 3550, section 5.1): as much as there can be.
var padding = func() (b [255]byte) {
	b[254] = 255
	return b
}()

// pad sends n bytes that mean nothing, in the stream of retransmissions.
func (o *outlet) pad(n int, b *batch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rtx.padding = true
	for ; n > 0; n -= rtpHeader + extensionSize + len(padding) + gcmTag {
		b.room(1, len(padding))
		b.add(&o.rtx, o.codec.rtx, &packet{}, o.rtxSeq, o.munger.outTS, padding[:])
		o.rtxSeq++
	}
	o.rtx.padding = false
}

// report makes the sender report that lets the receiver align audio and video (RFC 3550,
// section 6.4.1); nil while nothing is shown.
func (o *outlet) report(now time.Time) *rtcp.SenderReport {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.current == nil || !o.active.Load() {
		return nil
	}
	ts, ok := o.current.clock.at(now, o.codec.clock)
	if !ok {
		return nil
	}
	return &rtcp.SenderReport{
		SSRC: o.out.ssrc, NTPTime: toNTP(now), RTPTime: o.munger.stamp(ts), PacketCount: o.packets, OctetCount: o.octets,
	}
}

// again counts a packet that was sent for a second time.
func (t *toll) again(size int) {
	t.resent.Add(1)
	t.bytes.Add(uint64(rtpHeader + size))
}

// budget bounds retransmissions, so that nobody can turn small requests into a flood.
type budget struct {
	second time.Time
	spent  int
}

const maxRetransmissions = 1000 // a second, for one outlet

func (b *budget) take(now time.Time) bool {
	if now.Sub(b.second) >= time.Second {
		b.second, b.spent = now, 0
	}
	b.spent++
	return b.spent <= maxRetransmissions
}
