package sfu

import (
	"iter"
	"sync"
	"time"
)

// batch gathers sealed packets for one go at the socket. What is added for one address in a row goes as one train:
// packets of one size, the last may be shorter, which the kernel takes apart again where it can (UDP_SEGMENT).
// A batch is flushed when it is full and when there is nothing more to send at present, never by a timer.
type batch struct {
	port   *port
	bytes  []byte
	used   int
	trains []train
	piped  bool      // some trains go over TCP
	at     time.Time // see time
	native nativeBatch
}

// train is a part of a batch.
type train struct {
	to         *address
	start, end int
	size       int  // of each packet but the last
	count      int  // of packets
	closed     bool // by a shorter packet
}

const (
	batchSize  = 128 << 10 // bytes
	maxTrains  = 64
	trainCars  = 60        // the kernel takes 64
	trainBytes = 60 << 10  // a UDP datagram before it is taken apart
	largest    = 2048 + 64 // bytes of one packet, sealed
)

func newBatch(p *port) *batch {
	b := &batch{port: p, bytes: make([]byte, batchSize), trains: make([]train, 0, maxTrains)}
	b.prepare()
	return b
}

// lent keeps the batches that nobody uses at present.
type lent struct {
	mu   sync.Mutex
	free []*batch
}

const spareBatches = 32 // kept; more are made when so many goroutines send at a time

// batch lends a batch, which release sends and takes back.
func (p *port) batch() *batch {
	p.lent.mu.Lock()
	defer p.lent.mu.Unlock()
	n := len(p.lent.free)
	if n == 0 {
		return newBatch(p)
	}
	b := p.lent.free[n-1]
	p.lent.free = p.lent.free[:n-1]
	return b
}

func (b *batch) release() {
	b.flush()
	free := &b.port.lent
	free.mu.Lock()
	defer free.mu.Unlock()
	if len(free.free) < spareBatches {
		free.free = append(free.free, b)
	}
}

// room makes room for n packets, so that adding them does nothing but arithmetic.
func (b *batch) room(n, payloads int) {
	if len(b.trains)+n > maxTrains || b.used+payloads+n*(rtpHeader+overhead) > len(b.bytes) {
		b.flush()
	}
}

// add seals a packet of s into the batch and tells whether that was possible. There must be room.
func (b *batch) add(s *stream, payloadType uint8, p *packet, seq uint16, ts uint32, payload []byte) bool {
	to := s.link.remote.Load()
	if to == nil || b.used+rtpHeader+len(payload)+overhead > len(b.bytes) {
		return false
	}
	if s.ledger != nil {
		s.number = s.ledger.next()
	}
	n := s.seal(b.bytes[b.used:], payloadType, p.marker, seq, ts, payload)
	if n == 0 {
		return false
	}
	if s.ledger != nil {
		s.ledger.note(s.number, n, b.time())
	}
	b.couple(to, n)
	b.used += n
	return true
}

// couple makes the next n bytes a part of the last train, or a train of their own.
func (b *batch) couple(to *address, n int) {
	if i := len(b.trains) - 1; i >= 0 {
		t := &b.trains[i]
		if t.to == to && !t.closed && n <= t.size && t.count < trainCars && t.end-t.start+n <= trainBytes {
			t.end, t.count, t.closed = t.end+n, t.count+1, n < t.size
			return
		}
	}
	b.piped = b.piped || to.pipe != nil
	b.trains = append(b.trains, train{to: to, start: b.used, end: b.used + n, size: n, count: 1})
}

// time is when what is added is sent, nearly.
func (b *batch) time() time.Time {
	if b.at.IsZero() {
		b.at = time.Now()
	}
	return b.at
}

// flush sends all.
func (b *batch) flush() {
	b.at = time.Time{}
	if b.piped {
		b.pipe()
	}
	if len(b.trains) > 0 {
		b.port.transmit(b)
	}
	b.trains, b.used = b.trains[:0], 0
}

// packets are the datagrams of a train.
func (t *train) packets(bytes []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for at := t.start; at < t.end; at += t.size {
			if !yield(bytes[at:min(at+t.size, t.end)]) {
				return
			}
		}
	}
}
