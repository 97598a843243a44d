package sfu

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"
)

// packet is an RTP packet without the parts that end at this hop: header
// extensions, padding and contributing sources.
type packet struct {
	seq     uint16
	ts      uint32
	marker  bool
	key     bool // a receiver can begin here
	payload []byte
	at      time.Time
}

var errNotRTP = errors.New("sfu: not an RTP packet")

// parse reads an RTP packet (RFC 3550). The payload is a part of b.
func (p *packet) parse(b []byte) error {
	const fixed = 12
	if len(b) < fixed || b[0]>>6 != 2 {
		return errNotRTP
	}
	start, end := fixed+4*int(b[0]&0x0f), len(b)
	if b[0]&0x10 != 0 {
		if len(b) < start+4 {
			return errNotRTP
		}
		start += 4 + 4*int(binary.BigEndian.Uint16(b[start+2:]))
	}
	if b[0]&0x20 != 0 {
		end -= int(b[end-1])
	}
	if start > end {
		return errNotRTP
	}
	p.marker = b[1]&0x80 != 0
	p.seq = binary.BigEndian.Uint16(b[2:])
	p.ts = binary.BigEndian.Uint32(b[4:])
	p.payload = b[start:end]
	p.key = false
	return nil
}

// slotSize is what an Ethernet packet can carry; larger packets are forwarded, but not kept.
const slotSize = 1500

// ring keeps the last packets of a layer, for those who lost one on the way. It is
// written by the layer's reader and read by subscriptions; all memory is taken at once, with the first packet.
type ring struct {
	size int
	late int // packets in a row that came too late; owned by the writer

	mu    sync.Mutex
	slots []slot
	bytes []byte
}

type slot struct {
	used   bool
	marker bool
	seq    uint16
	size   uint16
	ts     uint32
}

// newRing makes a ring of size packets, a power of two.
func newRing(size int) *ring {
	return &ring{size: size}
}

// verdict is what the ring finds out about a packet.
type verdict int

const (
	news       verdict = iota
	past               // it is there already, or too late to be of use
	renumbered         // the numbers have gone back: it is the first of a new sequence, and what was before is forgotten
)

// maxLate packets in a row are no latecomers: the publisher has begun to count anew.
const maxLate = 100

// put copies p into the ring. Its payload is the copy then, which lasts until size more have come.
func (r *ring) put(p *packet) verdict {
	if len(p.payload) > slotSize {
		p.payload = slices.Clone(p.payload)
		return news
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.slots == nil {
		r.slots, r.bytes = make([]slot, r.size), make([]byte, r.size*slotSize)
	}
	i := int(p.seq) & (r.size - 1)
	found := r.judge(p, r.slots[i])
	if found == past {
		return past // a latecomer must not push out a packet that is still wanted
	}
	kept := r.bytes[i*slotSize:][:len(p.payload)]
	copy(kept, p.payload)
	p.payload = kept
	r.slots[i] = slot{used: true, marker: p.marker, seq: p.seq, size: uint16(len(p.payload)), ts: p.ts}
	return found
}

// judge compares p with what is in its place. A repeated packet says nothing about the numbering. r.mu is held.
func (r *ring) judge(p *packet, s slot) verdict {
	switch {
	case !s.used || int16(p.seq-s.seq) > 0:
		r.late = 0
		return news
	case s.seq == p.seq && s.ts == p.ts:
		return past
	}
	if r.late++; r.late <= maxLate {
		return past
	}
	r.late = 0
	clear(r.slots)
	return renumbered
}

// get copies the payload of packet seq into b and returns the packet with it;
// false when it is gone or never came.
func (r *ring) get(seq uint16, b []byte) (packet, bool) {
	i := int(seq) & (r.size - 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.slots == nil {
		return packet{}, false
	}
	s := r.slots[i]
	if !s.used || s.seq != seq || len(b) < int(s.size) {
		return packet{}, false
	}
	copy(b, r.bytes[i*slotSize:i*slotSize+int(s.size)])
	return packet{seq: s.seq, ts: s.ts, marker: s.marker, payload: b[:s.size]}, true
}
