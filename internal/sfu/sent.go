package sfu

import "encoding/binary"

// sent is what a stream knows of the packets that it has sealed. An index never protects two
// different packets: with GCM, who sees both could forge all others (RFC 7714, section 8.1), and what
// publishers number twice must not make us do that.
type sent struct {
	begun   bool
	highest int64                  // index: sequence number with what it overflowed
	sealed  [sentRange / 64]uint64 // a bit for each of the last indexes
	tags    []uint64               // the ends of the last packets; nil if none may be sent again
}

const (
	sentRange   = videoHistory // packets: later ones are of no use
	repeatRange = audioHistory // of these, as many can be sent again
)

// repeats lets a stream send packets again, the same to the byte.
func repeats() sent { return sent{tags: make([]uint64, repeatRange)} }

// index extends a sequence number, which may lag behind the highest (RFC 3711, section 3.3.1). A packet that is sent
// again has the index that it had.
func (s *sent) index(seq uint16) (int64, bool) {
	if !s.begun {
		s.begun, s.highest = true, int64(seq)
	}
	i := s.highest + int64(int16(seq-uint16(s.highest)))
	for n := max(s.highest, i-sentRange) + 1; n <= i; n++ {
		s.sealed[n/64%int64(len(s.sealed))] &^= 1 << (n % 64)
	}
	s.highest = max(s.highest, i)
	return i, i >= 0 && i < 1<<48 && i > s.highest-sentRange
}

// admit tells whether packet i, as it is sealed, may go out: it is the first with that index, or the first again.
func (s *sent) admit(i int64, packet []byte) bool {
	word, bit := &s.sealed[i/64%int64(len(s.sealed))], uint64(1)<<(i%64)
	first := *word&bit == 0
	*word |= bit
	if s.tags == nil {
		return first
	}
	tag, kept := binary.BigEndian.Uint64(packet[len(packet)-8:]), &s.tags[i%repeatRange]
	if first {
		*kept = tag
	}
	return first || *kept == tag && i > s.highest-repeatRange
}
