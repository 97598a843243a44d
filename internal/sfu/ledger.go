package sfu

import (
	"encoding/binary"
	"sync/atomic"
	"time"
)

// ledger remembers what was sent to a subscriber, by transport-wide sequence number
// (draft-holmer-rmcat-transport-wide-cc-extensions-01), for as long as reports about it may come. Packets are entered by the
// goroutines that send them, without a lock, and looked up by the subscription's.
type ledger struct {
	base    time.Time // of the times
	number  atomic.Uint32
	entries [ledgerSize]atomic.Uint64
}

// ledgerSize is in packets: a second of what a subscriber gets at most, which is the padding of a probe. It divides
// the numbers that there are.
const ledgerSize = 4096

// An entry is, from the top: the time in microseconds, which wraps around after an hour; the packet's number; its size; and whether it came.
const (
	entryCame   = 1
	entrySizes  = 1<<15 - 1
	entryNumber = 16
	entryTime   = 32
)

func newLedger(now time.Time) *ledger { return &ledger{base: now} }

// next gives a packet its number.
func (l *ledger) next() uint16 { return uint16(l.number.Add(1)) }

// note enters a packet that is sent.
func (l *ledger) note(number uint16, size int, now time.Time) {
	at := uint64(uint32(now.Sub(l.base).Microseconds()))
	l.entries[number%ledgerSize].Store(at<<entryTime | uint64(number)<<entryNumber | uint64(size&entrySizes)<<1)
}

// entry is what the ledger has about a packet.
type entry struct {
	at   uint32 // microseconds
	size int
	came bool // it was reported before
}

// look finds a packet, unless it is too long ago.
func (l *ledger) look(number uint16) (entry, bool) {
	return readEntry(l.entries[number%ledgerSize].Load(), number)
}

func readEntry(e uint64, number uint16) (entry, bool) {
	return entry{at: uint32(e >> entryTime), size: int(e >> 1 & entrySizes), came: e&entryCame != 0}, uint16(e>>entryNumber) == number && e != 0
}

// came looks up a packet that has arrived; false if that is known already.
func (l *ledger) came(number uint16) (entry, bool) {
	slot := &l.entries[number%ledgerSize]
	packed := slot.Load()
	e, ok := readEntry(packed, number)
	return e, ok && !e.came && slot.CompareAndSwap(packed, packed|entryCame)
}

// has tells whether a packet is known to have come. No ledger knows of any.
func (l *ledger) has(number uint16) bool {
	if l == nil {
		return false
	}
	e, ok := l.look(number)
	return ok && e.came
}

// extensionSize is what a packet's transport-wide number takes: the header of the extensions (RFC 8285), the number, padding.
const extensionSize = 8

// writeNumber writes the only header extension of a packet.
func writeNumber(b []byte, id uint8, number uint16) {
	const oneByteHeaders, words = 0xbede, 1
	binary.BigEndian.PutUint16(b, oneByteHeaders)
	binary.BigEndian.PutUint16(b[2:], words)
	b[4] = id<<4 | 1 // two bytes follow
	binary.BigEndian.PutUint16(b[5:], number)
	b[7] = 0
}

// arrivals is a report of what has arrived.
type arrivals struct {
	first     uint16 // number of the first packet it is about
	count     int
	reference int32 // in units of 64 ms, 24 bits
	chunks    []byte
	deltas    []byte
}

const (
	arrivalReport = 15        // format of the RTCP packet
	deltaUnit     = 250       // microseconds
	referenceUnit = 64_000    // microseconds
	maxReported   = 1024      // packets; who reports about more makes no sense
	reportHeader  = 4 + 4 + 4 // RTCP header, sender, media source
	arrivalHeader = 2 + 2 + 3 + 1
)

// parse reads an RTCP packet of that format.
func (a *arrivals) parse(b []byte) bool {
	if len(b) < reportHeader+arrivalHeader {
		return false
	}
	if b[0]&0x20 != 0 { // padding
		n := int(b[len(b)-1])
		if n == 0 || len(b)-n < reportHeader+arrivalHeader {
			return false
		}
		b = b[:len(b)-n]
	}
	b = b[reportHeader:]
	a.first, a.count = binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
	a.reference = int32(b[4])<<16 | int32(b[5])<<8 | int32(b[6])
	a.chunks = b[arrivalHeader:]
	if a.count > maxReported {
		return false
	}
	at, left := 0, a.count
	for ; left > 0; at += 2 {
		if at+2 > len(a.chunks) {
			return false
		}
		_, n := chunk(a.chunks[at:]).at(0)
		left -= n
	}
	a.chunks, a.deltas = a.chunks[:at], a.chunks[at:]
	return true
}

// chunk is two bytes that tell what became of several packets.
type chunk []byte

// at tells the state of the chunk's packet i (0: not there; 1 and 2: there, with a delta of so many bytes), and of how many packets the chunk tells.
func (c chunk) at(i int) (state, n int) {
	word := binary.BigEndian.Uint16(c)
	switch {
	case word>>15 == 0: // a run
		return int(word >> 13 & 3), int(word & 0x1fff)
	case word>>14&1 == 0: // a bit each
		return int(word >> (13 - min(i, 13)) & 1), 14
	}
	return int(word >> (12 - 2*min(i, 6)) & 3), 7
}

// each tells of every packet whether it came, and when, in microseconds after the reference. It ends early when the report is
// shorter than it should be.
func (a *arrivals) each(tell func(number uint16, came bool, at int64)) {
	number, left, at, deltas := a.first, a.count, int64(0), a.deltas
	for c := chunk(a.chunks); len(c) >= 2 && left > 0; c = c[2:] {
		_, n := c.at(0)
		for i := range min(n, left) {
			state, _ := c.at(i)
			switch {
			case state == 1 && len(deltas) >= 1:
				at += int64(deltas[0]) * deltaUnit
				deltas = deltas[1:]
			case state == 2 && len(deltas) >= 2:
				at += int64(int16(binary.BigEndian.Uint16(deltas))) * deltaUnit
				deltas = deltas[2:]
			case state != 0:
				return
			}
			tell(number, state != 0, at)
			number++
		}
		left -= n
	}
}
