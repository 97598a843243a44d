package sfu

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// round is the delivery of a layer's run. The listeners have their turns one after the other, and each gets all that
// has come since its last: while the first packet of a frame goes to the first few, the rest of the
// frame arrives, and all others get it in one train.
type round struct {
	list *[]*outlet // as it was when the round began
	had  []int      // how much of the run each of them has got
	next int        // whose turn it is; nobody had a turn longer ago
	part part
}

// part is that part of a round which is worked at by several goroutines at once.
type part struct {
	layer   *layer
	taken   atomic.Int64 // listeners, of those from first to end
	first   int
	end     int
	workers sync.WaitGroup // those who help
}

const (
	turns      = 8    // listeners between looks at what has come meanwhile
	allTurns   = 256  // the same, when there is no more to come for the moment,
	allPackets = 2048 // and at most so many packets
	worth      = 24   // listeners for which it pays to wake somebody
	maxCrew    = 8    // goroutines that help
	maxCars    = 48   // packets for one listener at a time
	maxRun     = 256  // packets, before the round is brought to its end
)

// step gives the next few listeners their turn and tells whether anybody is still behind.
func (l *layer) step(b *batch) bool {
	r := &l.round
	if r.list == nil {
		r.list, r.next = l.listeners.Load(), 0
		r.had = slices.Grow(r.had[:0], len(*r.list))[:len(*r.list)]
		clear(r.had)
	}
	if len(r.had) == 0 || r.had[r.next] == len(l.run) {
		l.finish()
		return false
	}
	n := turns
	if l.whole() {
		n = max(turns, min(allTurns, allPackets/len(l.run)))
	}
	l.share(min(r.next+n, len(r.had)), b)
	return true
}

// whole tells whether the run ends where a frame does.
func (l *layer) whole() bool { return l.track.kind == audio || l.run[len(l.run)-1].marker }

// share gives all listeners before end their turn, with the help of whoever has nothing else to do if there are many.
func (l *layer) share(end int, b *batch) {
	r := &l.round
	s := &r.part
	s.layer, s.first, s.end = l, r.next, end
	s.taken.Store(0)
	for i := worth; i <= end-r.next && l.track.port.hire(s); i += worth {
	}
	s.work(b, &l.tally)
	s.workers.Wait()
	if r.next = end; end == len(r.had) {
		r.next = 0
	}
}

// work takes a few listeners at a time until there are none left.
func (s *part) work(b *batch, t *tally) {
	l := s.layer
	r := &l.round
	for {
		from := s.first + int(s.taken.Add(turns)) - turns
		if from >= s.end {
			return
		}
		for i := from; i < min(from+turns, s.end); i++ {
			l.serve((*r.list)[i], l.run[r.had[i]:], b, t)
			r.had[i] = len(l.run)
		}
		b.flush()
	}
}

// serve adds packets for one listener to b.
func (l *layer) serve(o *outlet, run []packet, b *batch, t *tally) {
	for part := range slices.Chunk(run, maxCars) {
		size := 0
		for i := range part {
			size += len(part[i].payload)
		}
		b.room(len(part), size)
		o.forward(l, part, b, t)
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

// hire has another goroutine work at s, if one is idle.
func (p *port) hire(s *part) bool {
	s.workers.Add(1)
	select {
	case p.parts <- s:
		return true
	default:
		s.workers.Done()
		return false
	}
}

// help works at parts of rounds until the port is closed. There is help for each core but one.
func (p *port) help() {
	for {
		select {
		case <-p.closed:
			return
		case s := <-p.parts:
			var t tally
			b := p.batch()
			s.work(b, &t)
			b.release()
			s.layer.track.count(t)
			s.workers.Done()
		}
	}
}

// crew is how many goroutines help.
func crew() int { return min(runtime.GOMAXPROCS(0)-1, maxCrew) }
