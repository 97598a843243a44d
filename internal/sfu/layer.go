package sfu

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

const (
	videoHistory = 1024 // packets kept for retransmission
	audioHistory = 256
	receiveMTU   = 1600
)

// layer is one incoming RTP stream. Its reader owns everything but the fields that say otherwise.
type layer struct {
	track *track
	rid   string
	label string // how subscribers may call it besides rid
	rank  int    // 0 is the lowest
	ring  *ring
	clock clock
	plea  plea

	listeners atomic.Pointer[[]*outlet] // replaced as a whole by track
	taken     atomic.Bool               // a stream has been found for the layer
	heard     atomic.Int64              // when the last packet came, in Unix nanoseconds
	ssrc      atomic.Uint32
	welcome   atomic.Bool // an outlet waits to begin

	packet  packet
	header  rtp.Header // lent to one outlet after the other
	key     packet     // the last key frame's first packet, without its payload
	old     packet     // one from the ring
	scratch []byte
}

func newLayer(t *track, rid, label string, rank int) *layer {
	size := audioHistory
	if t.kind == webrtc.RTPCodecTypeVideo {
		size = videoHistory
	}
	l := &layer{track: t, rid: rid, label: label, rank: rank, ring: newRing(size), scratch: make([]byte, slotSize)}
	l.listeners.Store(&[]*outlet{})
	return l
}

// alive tells whether packets came lately.
func (l *layer) alive(now time.Time, dead time.Duration) bool {
	heard := l.heard.Load()
	return heard != 0 && now.UnixNano()-heard < int64(dead)
}

// read forwards the stream until it ends.
func (l *layer) read(t *webrtc.TrackRemote) {
	b := make([]byte, receiveMTU)
	for {
		n, _, err := t.Read(b)
		switch {
		case err == nil:
			l.accept(b[:n], time.Now())
		case exhausted(err):
			return
		} // any other error: a malformed packet, or a payload type that was not agreed on
	}
}

// accept takes one RTP packet on its way: into the ring, then to all who listen.
func (l *layer) accept(b []byte, now time.Time) {
	p := &l.packet
	if p.parse(b) != nil {
		return
	}
	switch l.ring.put(p) {
	case past:
		l.track.count(len(b), 0, 0)
		return // browsers probe for bandwidth by sending old packets again
	case renumbered:
		l.restart()
	}
	p.at = now
	if p.key = startsKeyFrame(l.track.codec.mime, p.payload); p.key {
		l.begin(p)
	}
	l.clock.tick(p.ts, now)
	sent := 0
	if !p.key && l.welcome.Load() {
		sent += l.greet(p)
	}
	for _, o := range *l.listeners.Load() {
		if o.forward(l, p, &l.header) {
			sent++
		}
	}
	l.track.count(len(b), sent, sent*len(p.payload))
	if before := l.heard.Swap(now.UnixNano()); now.UnixNano()-before > int64(l.track.dead) {
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

// maxRun bounds what is sent to a newcomer at once, in packets.
const maxRun = videoHistory / 2

// greet lets waiting outlets begin. When the last key frame is so young that the publisher must not be asked
// for another yet, those who have shown nothing so far get what came since; the others get the next one.
func (l *layer) greet(p *packet) (sent int) {
	l.welcome.Store(false)
	run := p.seq - l.key.seq
	fresh := !l.key.at.IsZero() && p.at.Sub(l.key.at) < keyFrameInterval && run < maxRun
	asked := false
	for _, o := range *l.listeners.Load() {
		switch {
		case !o.waits(l):
		case fresh && o.join(l, &l.key, p.at):
			sent += l.replay(o, run, p.at)
		case !asked:
			asked = true
			l.ask()
		}
	}
	return sent
}

// replay sends o the run of packets that began with the last key frame.
func (l *layer) replay(o *outlet, run uint16, now time.Time) (sent int) {
	for i := range run {
		if old, ok := l.ring.get(l.key.seq+i, l.scratch); ok {
			old.at = now
			l.old = old
			if o.forward(l, &l.old, &l.header) {
				sent++
			}
		}
	}
	return sent
}

// readReports keeps the RTCP of the stream flowing, which the stack's own reports need too.
func (l *layer) readReports(r *webrtc.RTPReceiver) {
	for {
		packets, _, err := r.ReadSimulcastRTCP(l.rid)
		if exhausted(err) {
			return
		}
		for _, p := range packets {
			if report, ok := p.(*rtcp.SenderReport); ok {
				l.clock.report(report.NTPTime, report.RTPTime, l.track.skew, time.Now())
			}
		}
	}
}

// ask wishes for a key frame.
func (l *layer) ask() {
	if l.track.kind == webrtc.RTPCodecTypeVideo && l.plea.ask() {
		l.track.changed()
	}
}

// wish is what a subscriber wants to see.
type wish struct {
	layer   string
	highest bool
}

// pick chooses a layer for w among those that flow, which are ordered from the
// lowest to the highest: the named one or the next below it, else the lowest, or the highest if wished. Nil when nothing flows.
func pick(flowing, all []*layer, w wish) *layer {
	if len(flowing) == 0 {
		return nil
	}
	named := slices.IndexFunc(all, func(l *layer) bool { return w.layer != "" && (l.rid == w.layer || l.label == w.layer) })
	if named < 0 {
		if w.highest {
			return flowing[len(flowing)-1]
		}
		return flowing[0]
	}
	best := flowing[0]
	for _, l := range flowing {
		if l.rank <= all[named].rank {
			best = l
		}
	}
	return best
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
