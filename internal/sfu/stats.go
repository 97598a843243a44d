package sfu

import "sync/atomic"

// Stats are the engine's counters. Peers and Pending are gauges, the rest only grows.
type Stats struct {
	Peers, Pending        int    // all peers, and those of them not connected yet
	PacketsIn, PacketsOut uint64 // RTP
	BytesIn, BytesOut     uint64 // of PacketsIn as received after decryption, of PacketsOut the payloads
	Retransmitted         uint64 // packets sent again for a NACK; they are in PacketsOut too
	KeyFrameRequests      uint64 // PLIs sent to publishers
	WriteErrors           uint64 // packets the transport refused
}

type counters struct {
	packetsIn, packetsOut, bytesIn, bytesOut     atomic.Uint64
	retransmitted, keyFrameRequests, writeErrors atomic.Uint64
}

// forwarded counts incoming packets and what became of them. Retransmissions have no incoming packets.
func (c *counters) forwarded(t tally) {
	if t.packetsIn > 0 {
		c.packetsIn.Add(uint64(t.packetsIn))
		c.bytesIn.Add(uint64(t.bytesIn))
	}
	if t.packetsOut > 0 {
		c.packetsOut.Add(uint64(t.packetsOut))
		c.bytesOut.Add(uint64(t.bytesOut))
	}
}

// tally is a share of the counters, gathered by one goroutine.
type tally struct{ packetsIn, bytesIn, packetsOut, bytesOut int }

// Stats reads the counters.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	peers, pending := len(e.peers), e.pending
	e.mu.Unlock()
	c := &e.counters
	return Stats{
		Peers: peers, Pending: pending,
		PacketsIn: c.packetsIn.Load(), PacketsOut: c.packetsOut.Load(),
		BytesIn: c.bytesIn.Load(), BytesOut: c.bytesOut.Load(),
		Retransmitted: c.retransmitted.Load(), KeyFrameRequests: c.keyFrameRequests.Load(), WriteErrors: c.writeErrors.Load(),
	}
}
