package sfu

import "time"

// munger renumbers packets so that a receiver sees one stream although the
// source behind it changes: another layer, another publication, a pause. It is
// plain arithmetic; its owner locks.
type munger struct {
	rate    uint32 // ticks of the timestamp in a second
	begun   bool   // a source has been set
	seqOff  uint16 // outgoing = incoming + offset
	tsOff   uint32
	start   uint16 // oldest incoming sequence number that belongs to this source
	highest uint16 // highest incoming sequence number
	outSeq  uint16 // highest outgoing sequence number
	outTS   uint32 // its timestamp
	outAt   time.Time
}

// newMunger returns a munger whose first packet will be numbered seq and stamped ts.
func newMunger(rate uint32, seq uint16, ts uint32) munger {
	return munger{rate: rate, outSeq: seq - 1, outTS: ts}
}

// window bounds how far back a packet of the current source may be, so that
// "before the start" keeps its meaning when sequence numbers wrap around.
const window = 1 << 14

// begin goes on with a new source, whose first packet is seq, ts. The receiver sees the
// next sequence number, and a timestamp later by the time that has passed.
func (m *munger) begin(seq uint16, ts uint32, now time.Time) {
	step := uint32(0)
	if m.begun {
		elapsed := max(now.Sub(m.outAt), 0)
		step = max(1, uint32(uint64(elapsed.Seconds()*float64(m.rate))))
	}
	m.begun = true
	m.seqOff = m.outSeq + 1 - seq
	m.tsOff = m.outTS + step - ts
	m.start, m.highest = seq, seq
}

// rewrite returns the outgoing numbers of a packet; false for one from before the source's
// start, whose number has been used already.
func (m *munger) rewrite(seq uint16, ts uint32, now time.Time) (uint16, uint32, bool) {
	switch {
	case int16(seq-m.highest) > 0: // asked first: far ahead is not before the start
		m.highest = seq
		if m.highest-m.start > window {
			m.start = m.highest - window
		}
	case int16(seq-m.start) < 0:
		return 0, 0, false
	}
	out, stamp := seq+m.seqOff, ts+m.tsOff
	if int16(out-m.outSeq) > 0 {
		m.outSeq = out
		if stamp != m.outTS || m.outAt.IsZero() {
			m.outTS, m.outAt = stamp, now
		}
	}
	return out, stamp, true
}

// source returns the incoming sequence number behind an outgoing one; false when
// it is not of the current source or was not sent yet.
func (m *munger) source(out uint16) (uint16, bool) {
	seq := out - m.seqOff
	if !m.begun || int16(seq-m.start) < 0 || int16(out-m.outSeq) > 0 {
		return 0, false
	}
	return seq, true
}

// stamp translates a timestamp of the current source.
func (m *munger) stamp(ts uint32) uint32 { return ts + m.tsOff }
