package sfu

import "slices"

// round is the delivery of a layer's run. The listeners have their turns one after the other, and each gets all that
// has come since its last: while the first packet of a frame goes to the first few, the rest of the
// frame arrives, and all others get it in one train.
type round struct {
	list *[]*outlet // as it was when the round began
	had  []int      // how much of the run each of them has got
	next int        // whose turn it is; nobody had a turn longer ago
}

const (
	turns   = 8   // listeners between looks at what has come meanwhile
	maxCars = 48  // packets for one listener at a time
	maxRun  = 256 // packets, before the round is brought to its end
)

// step gives the next few listeners their turn and tells whether anybody is still behind.
func (l *layer) step(b *batch) bool {
	r := &l.round
	if r.list == nil {
		r.list, r.next = l.listeners.Load(), 0
		r.had = slices.Grow(r.had[:0], len(*r.list))[:len(*r.list)]
		clear(r.had)
	}
	for range turns {
		if len(r.had) == 0 || r.had[r.next] == len(l.run) {
			l.finish()
			return false
		}
		l.serve((*r.list)[r.next], l.run[r.had[r.next]:], b)
		r.had[r.next] = len(l.run)
		if r.next++; r.next == len(r.had) {
			r.next = 0
		}
	}
	b.flush()
	return true
}

// serve adds packets for one listener to b.
func (l *layer) serve(o *outlet, run []packet, b *batch) {
	for part := range slices.Chunk(run, maxCars) {
		size := 0
		for i := range part {
			size += len(part[i].payload)
		}
		b.room(len(part), size)
		o.forward(l, part, b, &l.tally)
	}
}

// finish ends the round. Who began to listen meanwhile may have missed the key frame that all waited for.
func (l *layer) finish() {
	if l.listeners.Load() != l.round.list {
		l.welcome.Store(true)
	}
	l.round.list = nil
	clear(l.run)
	l.run = l.run[:0]
	l.track.count(l.tally)
	l.tally = tally{}
}

// deliver brings the round to its end.
func (l *layer) deliver() {
	if len(l.run) == 0 {
		return
	}
	b := l.track.port.batch()
	for l.step(b) {
	}
	b.release()
}
