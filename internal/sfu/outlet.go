package sfu

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// outlet is the audio or video m-line of a subscription: one outgoing RTP stream that keeps its SSRC
// and its numbering whatever feeds it. It is the stack's TrackLocal.
type outlet struct {
	kind   webrtc.RTPCodecType
	codec  codec
	stream string // msid stream id
	wish   wish
	begun  func() // the first packet has been sent

	// Set by the stack in Bind, before anything is forwarded.
	writer  webrtc.TrackLocalWriter
	ssrc    uint32
	rtxSSRC uint32

	active atomic.Bool    // a packet has been sent
	resent *atomic.Uint64 // counts packets sent for a second time
	failed *atomic.Uint64 // counts writes refused by the transport

	mu      sync.Mutex // held for arithmetic only
	munger  munger
	current *layer // what is forwarded
	target  *layer // what will be, from its next key frame on
	packets uint32 // for sender reports
	octets  uint32

	rtxSeq uint16 // owned by the reader of the subscriber's feedback
	budget budget
}

func newOutlet(s *section, stream string, w wish, c *counters, begun func()) *outlet {
	// A sequence number that starts in the lower half cannot wrap before the receiver has the first packet.
	m := newMunger(s.codec.clock, uint16(rand.IntN(1<<15)), rand.Uint32())
	return &outlet{
		kind: s.kind, codec: s.codec, stream: stream, wish: w, begun: begun, munger: m,
		resent: &c.retransmitted, failed: &c.writeErrors, rtxSeq: uint16(rand.IntN(1 << 15)),
	}
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

// forward sends p of layer l if l is what the outlet shows, and tells whether it did. h is the caller's, to fill in.
func (o *outlet) forward(l *layer, p *packet, h *rtp.Header) bool {
	if !o.number(l, p, h) {
		return false
	}
	n, err := o.writer.WriteRTP(h, p.payload)
	if err != nil {
		o.failed.Add(1)
		return false
	}
	if n > 0 && !o.active.Load() {
		o.active.Store(true)
		o.begun()
	}
	return n > 0
}

// number fills h with the outgoing numbers of p.
func (o *outlet) number(l *layer, p *packet, h *rtp.Header) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.target == l && p.key {
		o.current, o.target = l, nil
		o.munger.begin(p.seq, p.ts, p.at)
	}
	if o.current != l {
		return false
	}
	seq, ts, ok := o.munger.rewrite(p.seq, p.ts, p.at)
	if !ok {
		return false
	}
	*h = rtp.Header{Version: 2, Marker: p.marker, PayloadType: o.codec.payload, SequenceNumber: seq, Timestamp: ts, SSRC: o.ssrc}
	o.packets++
	o.octets += uint32(len(p.payload))
	return true
}

// readFeedback serves the subscriber's RTCP until the sender stops.
func (o *outlet) readFeedback(s *webrtc.RTPSender) {
	b := make([]byte, slotSize)
	scratch := make([]byte, 2+slotSize)
	for {
		n, _, err := s.Read(b)
		if exhausted(err) {
			return
		}
		packets, err := rtcp.Unmarshal(b[:n])
		if err != nil {
			continue
		}
		for _, p := range packets {
			o.serve(p, scratch, time.Now())
		}
	}
}

func (o *outlet) serve(p rtcp.Packet, scratch []byte, now time.Time) {
	switch p := p.(type) {
	case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
		o.ask()
	case *rtcp.TransportLayerNack:
		for i := range p.Nacks {
			p.Nacks[i].Range(func(seq uint16) bool {
				if !o.budget.take(now) {
					return false
				}
				o.resend(seq, scratch)
				return true
			})
		}
	}
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
func (o *outlet) resend(out uint16, scratch []byte) {
	o.mu.Lock()
	seq, ok := o.munger.source(out)
	l, m := o.current, o.munger
	o.mu.Unlock()
	if !ok || l == nil {
		return
	}
	p, ok := l.ring.get(seq, scratch[2:])
	if !ok {
		return
	}
	h := rtp.Header{Version: 2, Marker: p.marker, PayloadType: o.codec.payload, SequenceNumber: out, Timestamp: m.stamp(p.ts), SSRC: o.ssrc}
	payload := p.payload
	if o.rtxSSRC != 0 && o.codec.rtx != 0 {
		scratch[0], scratch[1] = byte(out>>8), byte(out)
		payload = scratch[:2+len(p.payload)]
		h.SSRC, h.PayloadType, h.SequenceNumber = o.rtxSSRC, o.codec.rtx, o.rtxSeq
		o.rtxSeq++
	}
	if _, err := o.writer.WriteRTP(&h, payload); err == nil {
		o.resent.Add(1)
		l.track.count(0, 1, len(payload))
	}
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
		SSRC: o.ssrc, NTPTime: toNTP(now), RTPTime: o.munger.stamp(ts), PacketCount: o.packets, OctetCount: o.octets,
	}
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

var errNoFormat = errors.New("sfu: the format was not agreed on")

// Bind implements webrtc.TrackLocal.
func (o *outlet) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	for _, p := range c.CodecParameters() {
		if uint8(p.PayloadType) == o.codec.payload {
			o.writer, o.ssrc, o.rtxSSRC = c.WriteStream(), uint32(c.SSRC()), uint32(c.SSRCRetransmission())
			return p, nil
		}
	}
	return webrtc.RTPCodecParameters{}, errNoFormat
}

// Unbind implements webrtc.TrackLocal. Writing to the stream of a stopped sender is an error, nothing worse.
func (o *outlet) Unbind(webrtc.TrackLocalContext) error { return nil }

// ID implements webrtc.TrackLocal.
func (o *outlet) ID() string { return o.kind.String() }

// RID implements webrtc.TrackLocal.
func (o *outlet) RID() string { return "" }

// StreamID implements webrtc.TrackLocal.
func (o *outlet) StreamID() string { return o.stream }

// Kind implements webrtc.TrackLocal.
func (o *outlet) Kind() webrtc.RTPCodecType { return o.kind }
