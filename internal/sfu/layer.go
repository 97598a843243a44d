package sfu

import (
	"slices"
	"sync/atomic"
	"time"
)

const (
	videoHistory = 1024 // packets kept for retransmission
	audioHistory = 256
)

// layer is one incoming RTP stream. The publication's goroutine owns everything but the fields that say otherwise.
type layer struct {
	track *track
	rid   string
	label string // how subscribers may call it besides rid
	rank  int    // 0 is the lowest
	ring  *ring
	clock clock
	plea  plea

	listeners atomic.Pointer[[]*outlet] // replaced as a whole by track
	heard     atomic.Int64              // when the last packet came, in Unix nanoseconds
	ssrc      atomic.Uint32
	welcome   atomic.Bool // an outlet waits to begin

	taken     bool // a stream has been found for the layer
	reception reception
	meter     meter
	next      uint16   // number of the packet after the newest
	run       []packet // has come and is not delivered to all
	round     round
	tally     tally
	key       packet // the last key frame's first packet, without its payload
	scratch   []byte // of one packet from the ring
}

func newLayer(t *track, rid, label string, rank int) *layer {
	size := audioHistory
	if t.kind == video {
		size = videoHistory
	}
	l := &layer{track: t, rid: rid, label: label, rank: rank, ring: newRing(size), reception: reception{rate: t.codec.clock}}
	l.listeners.Store(&[]*outlet{})
	return l
}

// alive tells whether packets came lately.
func (l *layer) alive(now time.Time, dead time.Duration) bool {
	heard := l.heard.Load()
	return heard != 0 && now.UnixNano()-heard < int64(dead)
}

// take takes one packet on its way: into the ring, and into the run that is to be delivered. size is the
// packet's in bytes.
func (l *layer) take(p *packet, size int) {
	l.tally.packetsIn++
	l.tally.bytesIn += size
	switch l.ring.put(p) {
	case past:
		return // browsers probe for bandwidth by sending old packets again
	case renumbered:
		l.deliver()
		l.restart()
		l.next = p.seq
	}
	if p.key = startsKeyFrame(l.track.codec.mime, p.payload); p.key {
		l.begin(p)
	}
	l.clock.tick(p.ts, p.at)
	if !p.key && l.welcome.Load() {
		l.deliver()
		l.greet(p.seq, p.at)
	}
	if int16(p.seq-l.next) >= 0 || l.heard.Load() == 0 {
		l.next = p.seq + 1
	}
	l.run = append(l.run, *p)
	if before := l.heard.Swap(p.at.UnixNano()); p.at.UnixNano()-before > int64(l.track.dead) {
		l.track.changed() // the layer has begun or come back
	}
}

// restart lets all who listen begin anew, as with another layer: the publisher's numbers
// have gone back.
func (l *layer) restart() {
	l.key = packet{}
	l.clock.restart()
	for _, o := range *l.listeners.Load() {
		o.again(l)
	}
	l.welcome.Store(true)
}

// begin notes the first packet of a key frame. The frame may have several packets with
// which a decoder could begin: parameter sets, then the picture.
func (l *layer) begin(p *packet) {
	l.plea.answer()
	l.welcome.Store(false)
	if l.key.at.IsZero() || l.key.ts != p.ts {
		l.key = packet{seq: p.seq, ts: p.ts, at: p.at}
	}
}

// meet greets those who have come while no packet did: they need not wait for one.
func (l *layer) meet(now time.Time) {
	if l.welcome.Load() && len(l.run) == 0 {
		l.greet(l.next, now)
	}
}

// maxReplay bounds what is sent to a newcomer at once, in packets.
const maxReplay = videoHistory / 2

// greet lets waiting outlets begin. When the last key frame is so young that the publisher must not be asked
// for another yet, those who have shown nothing so far get what came since, up to next; the others get the next key frame.
func (l *layer) greet(next uint16, now time.Time) {
	l.welcome.Store(false)
	run := next - l.key.seq
	fresh := !l.key.at.IsZero() && now.Sub(l.key.at) < keyFrameInterval && run < maxReplay
	asked := false
	for _, o := range *l.listeners.Load() {
		switch {
		case !o.waits(l):
		case fresh && o.join(l, &l.key, now):
			l.replay(o, run, now)
		case !asked:
			asked = true
			l.ask()
		}
	}
}

// replay sends o the run of packets that began with the last key frame.
func (l *layer) replay(o *outlet, run uint16, now time.Time) {
	if l.scratch == nil {
		l.scratch = make([]byte, slotSize)
	}
	b := l.track.port.batch()
	for i := range run {
		if old, ok := l.ring.get(l.key.seq+i, l.scratch); ok {
			old.at = now
			b.room(1, len(old.payload))
			o.forward(l, []packet{old}, b, &l.tally)
		}
	}
	b.release()
}

// ask wishes for a key frame.
func (l *layer) ask() {
	if l.track.kind == video && l.plea.ask() {
		l.track.changed()
	}
}

// wish is what a subscriber is to see.
type wish struct {
	layer string // its name; "" is the best that is allowed
	most  int    // the highest rank that is allowed where no layer is named
	none  bool   // nothing at all
}

// topRank allows every layer.
const topRank = maxLayers

// pick chooses a layer for w among those that flow, which are ordered from the lowest to the highest: the named one, else
// the best that is allowed; in its absence the next below, or the lowest there is. Nil when nothing flows.
func pick(flowing, all []*layer, w wish) *layer {
	if len(flowing) == 0 || w.none {
		return nil
	}
	most := w.most
	if named := find(all, w.layer); named != nil {
		most = named.rank
	}
	best := flowing[0]
	for _, l := range flowing {
		if l.rank <= most {
			best = l
		}
	}
	return best
}

// find gives the layer that subscribers call so; nil when there is none.
func find(all []*layer, name string) *layer {
	i := slices.IndexFunc(all, func(l *layer) bool { return name != "" && (l.rid == name || l.label == name) })
	if i < 0 {
		return nil
	}
	return all[i]
}

// labels ranks rids and names them: by their own names if these are the usual ones, otherwise
// by their order, the first being the highest.
func labels(rids []string) (ranks []int, names []string) {
	usual := []string{"low", "mid", "hi"}
	own := !slices.ContainsFunc(rids, func(rid string) bool { return !slices.Contains(usual, rid) })
	for i, rid := range rids {
		rank := len(rids) - 1 - i
		if own {
			rank = slices.Index(usual, rid)
		}
		name := usual[min(rank, 2)]
		if !own && len(rids) == 2 && rank == 1 {
			name = "hi"
		}
		ranks, names = append(ranks, rank), append(names, name)
	}
	return ranks, names
}
