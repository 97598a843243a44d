package sfu

import (
	"math"
	"slices"
	"time"
)

// estimate finds out how much the way to a viewer takes, from what its reports say about packets' fates.
//
// Reports are summed up in laps, those of all its connections together. How much longer the fastest packet of a lap was on its way than the fastest of
// its connection in the last seconds, is how long the queue before the narrowest place is: single packets that are late, however late,
// say nothing. A queue that is long and does not get shorter, or packets that are lost in numbers, are a jam: then the way takes
// less than what arrives. Otherwise it takes at least what arrives. More than what was sent cannot be known; who wants to know
// has to send more (adapt.go).
type estimate struct {
	rate    float64 // bits a second that the way takes; 0 while nothing is known
	arrives float64 // bits a second, in the last laps
	jams    int     // so far
	heard   bool    // there were reports
	blind   bool    // of loss only
	calm    bool    // there is no sign of a jam

	lap    lap // the present one
	before lap // the one before
	spans  [5]span
	laps   int

	queue     int64    // microseconds, at the end of the last lap
	noise     int64    // microseconds that a packet waits where there is no queue
	longer    int64    // microseconds that the way has become longer by, so far
	latest    [8]int64 // how long the last packets waited
	seen      int      // packets
	stuck     int64    // when the jam began, by the sender's clock; 0 without one
	lost, all int      // of the packets whose fate is known
}

// lap sums up what came. Times are by our clock, in microseconds, as if without a queue packets came when they are sent.
type lap struct {
	packets, bytes int
	sent, came     int64 // the last
	fastest, sum   int64 // how long the fastest waited, and all together
}

// span is how much came in how long a time.
type span struct{ bytes, micros int64 }

const (
	lapTime     = 100_000 // microseconds, at least
	lapPackets  = 8       // as many, unless it takes longer than
	lapPatient  = 400_000
	shortQueue  = 40_000  // of no concern
	longQueue   = 80_000  // a jam, if it lasts for two laps
	hugeQueue   = 250_000 // a jam at once
	growing     = 40_000  // for the last packets, besides the noise: a sign of one
	draining    = 5_000   // by which a queue gets shorter in a lap
	leastPeriod = 10_000_000
	stuckTime   = 3_000_000 // after which a queue that does not change is none, but a longer way
	lossSample  = 100       // packets
	lossJam     = 15        // of them
	lossCalm    = 2         // of them: no sign of a jam
	lossFair    = 8         // of them: none either, where nothing else is known
	afterJam    = 0.85      // of what arrives in one
)

// came takes a packet that has arrived, and waited for so long more than the fastest ones.
func (e *estimate) came(sent, waited int64, size int) {
	r := &e.lap
	if r.packets == 0 {
		r.fastest = math.MaxInt64
	}
	r.packets++
	r.bytes += size
	r.sent, r.came = max(r.sent, sent), max(r.came, sent+waited)
	r.fastest, r.sum = min(r.fastest, waited), r.sum+min(waited, hugeQueue)
	e.latest[e.seen%len(e.latest)] = waited
	e.seen++
	e.heard, e.blind = true, false
}

// judge counts a packet whose fate is known.
func (e *estimate) judge(lost bool) {
	if e.all == lossSample {
		e.all, e.lost = 0, 0
	}
	e.all++
	if lost {
		e.lost++
	}
}

// conclude ends the lap if it is long enough.
func (e *estimate) conclude() {
	r := e.lap
	elapsed := r.sent - e.before.sent
	if r.packets == 0 || elapsed < lapTime || r.packets < lapPackets && elapsed < lapPatient {
		return
	}
	first := e.before.packets == 0
	e.lap = lap{sent: r.sent, came: r.came}
	queue, was := r.fastest, e.queue
	if e.queue, e.calm = queue, queue < shortQueue; e.calm {
		e.noise += (r.sum/int64(r.packets) - e.noise) / 4
	}
	if !first {
		e.spans[e.laps%len(e.spans)] = span{int64(r.bytes), max(r.came-e.before.came, elapsed/2)}
		e.laps++
		e.arrives = e.average()
		e.rule(queue, was, r.sent)
	}
	e.before = r
}

// grows tells early that the queue does: by the last packets, not by a whole lap. It may be mistaken.
func (e *estimate) grows() bool { return slices.Min(e.latest[:]) > growing+e.noise }

// average is what arrived in the last laps, in bits a second.
func (e *estimate) average() float64 {
	var sum span
	for _, s := range e.spans[:min(e.laps, len(e.spans))] {
		sum.bytes += s.bytes
		sum.micros += s.micros
	}
	return float64(8*sum.bytes) / (float64(sum.micros) / 1e6)
}

// rule draws the conclusion of a lap.
func (e *estimate) rule(queue, was, now int64) {
	long := queue > hugeQueue || queue > longQueue && was > longQueue
	delayed := long && queue > was-draining
	switch {
	case e.lost >= lossJam:
		e.jam()
	case delayed && e.stuck != 0 && now-e.stuck > stuckTime && e.lost <= lossCalm:
		e.longer += queue
		e.queue, e.stuck = 0, 0
	case delayed:
		if e.stuck == 0 {
			e.stuck = now
		}
		e.jam()
	case e.calm:
		e.stuck = 0
		e.rate = max(e.rate, e.arrives)
	case !long:
		e.stuck = 0
	}
}

func (e *estimate) jam() {
	e.calm = false
	e.jams++
	e.lost, e.all = 0, 0
	if less := afterJam * e.arrives; e.rate == 0 || less < e.rate {
		e.rate = less
	}
}

// told takes what the receiver itself estimates. One that gets smaller tells of a jam, if it was known before.
func (e *estimate) told(rate float64, known bool) {
	if e.calm = !known || e.rate == 0 || rate >= 0.97*e.rate; !e.calm {
		e.jams++
	}
	e.rate, e.arrives, e.heard, e.blind = rate, rate, true, false
}

// counted takes how many packets were lost of how many, for want of better reports, and what arrives.
func (e *estimate) counted(lost, all int, arrives float64) {
	e.arrives, e.heard, e.blind = arrives, true, true
	e.lost, e.all = e.lost+lost, e.all+all
	switch {
	case e.all < lossSample:
		return
	case e.lost*lossSample >= lossJam*e.all:
		e.jam()
	case e.lost*lossSample <= lossFair*e.all:
		e.rate, e.calm = max(e.rate, arrives), true
	}
	e.lost, e.all = 0, 0
}

// tracking relates reports to the ledger. Its viewer's allowance protects it.
type tracking struct {
	ledger    *ledger
	reference int64  // of the last report, unwrapped, in its units
	begun     bool   // there was a report
	now, sent int64  // the present, and when the latest packet reported was sent, in microseconds by the ledger's clock
	judged    uint16 // the next packet to be judged

	least  [2]int64 // the fastest way, by both sides' clocks: in the present period, and in the one before
	period int64    // when the present one began
	longer int64    // that the way has become longer by, as was noticed
}

// unknown is longer than any way.
const unknown = math.MaxInt64 / 2

// reorder is for how long a packet may be overtaken until it counts as lost.
const reorder = 200 * time.Millisecond

// take takes a report.
func (t *tracking) take(a *arrivals, e *estimate, now time.Time) {
	const bits = 24
	t.now = now.Sub(t.ledger.base).Microseconds()
	if !t.begun {
		t.begun, t.reference, t.judged = true, int64(a.reference), a.first
		t.least, t.longer = [2]int64{unknown, unknown}, e.longer
	} else if more := e.longer - t.longer; more > 0 {
		t.least, t.longer = [2]int64{t.least[0] + more, t.least[0] + more}, e.longer
	}
	t.reference += int64(int32(uint32(a.reference-int32(t.reference))<<(32-bits)) >> (32 - bits))
	a.each(func(number uint16, came bool, at int64) {
		if !came {
			return
		}
		if p, ok := t.ledger.came(number); ok {
			sent := t.unwrap(p.at)
			t.sent = max(t.sent, sent)
			e.came(sent, t.waited(sent, t.reference*referenceUnit+at), p.size)
		}
	})
	t.judge(e, a.first+uint16(a.count))
	e.conclude()
}

// waited tells how much longer a packet was on its way than the fastest.
func (t *tracking) waited(sent, at int64) int64 {
	trip := at - sent
	if sent-t.period > leastPeriod {
		t.least, t.period = [2]int64{trip, t.least[0]}, sent
	}
	t.least[0] = min(t.least[0], trip)
	return trip - min(t.least[0], t.least[1])
}

// unwrap extends a time of the ledger, which is not long ago.
func (t *tracking) unwrap(at uint32) int64 { return t.now + int64(int32(at-uint32(t.now))) }

// judge finds out which of the packets before end are lost.
func (t *tracking) judge(e *estimate, end uint16) {
	if end-t.judged > ledgerSize && int16(end-t.judged) > 0 {
		t.judged = end - ledgerSize
	}
	for int16(end-t.judged) > 0 {
		p, ok := t.ledger.look(t.judged)
		if ok && t.sent-t.unwrap(p.at) < reorder.Microseconds() {
			return
		}
		if ok {
			e.judge(!p.came)
		}
		t.judged++
	}
}
