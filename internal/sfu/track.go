package sfu

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// track is the audio or the video of a publication and those who listen to it.
type track struct {
	kind      kind
	codec     codec
	ssrc      uint32 // as declared; 0 when not
	rtxSSRC   uint32
	wantsNACK bool     // the publisher answers NACKs
	layers    []*layer // from the lowest to the highest, fixed
	port      *port
	skew      *skew
	dead      time.Duration // silence after which a layer is given up
	changed   func()        // makes the publication look after its layers
	count     func(tally)

	mu      sync.Mutex
	outlets []*outlet
}

func newTrack(s *section, p *port, skew *skew, dead time.Duration) *track {
	t := &track{
		kind: s.kind, codec: s.codec, ssrc: s.ssrc, rtxSSRC: s.rtx, wantsNACK: slices.Contains(s.codec.feedback, "nack"),
		port: p, skew: skew, dead: dead,
	}
	if len(s.rids) == 0 {
		t.layers = []*layer{newLayer(t, "", "", 0)}
		return t
	}
	ranks, names := labels(s.rids)
	for i, rid := range s.rids {
		t.layers = append(t.layers, newLayer(t, rid, names[i], ranks[i]))
	}
	slices.SortFunc(t.layers, func(a, b *layer) int { return cmp.Compare(a.rank, b.rank) })
	return t
}

// layer finds the layer of an incoming stream.
func (t *track) layer(rid string) *layer {
	i := slices.IndexFunc(t.layers, func(l *layer) bool { return l.rid == rid })
	if i < 0 {
		return nil
	}
	return t.layers[i]
}

// add makes o listen.
func (t *track) add(o *outlet, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.outlets = append(t.outlets, o)
	t.review(now)
}

// remove makes o silent: when it returns nothing more is forwarded to o but what is being written already.
func (t *track) remove(o *outlet) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o.release()
	t.outlets = slices.DeleteFunc(t.outlets, func(other *outlet) bool { return other == o })
	t.relist()
}

// turn gives o another wish.
func (t *track) turn(o *outlet, w wish, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o.wish = w
	t.review(now)
}

// look reviews who listens to which layer, where there is a choice.
func (t *track) look(now time.Time) {
	if len(t.layers) == 1 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.review(now)
}

// review gives each outlet the layer it wants among those that flow. t.mu is held.
func (t *track) review(now time.Time) {
	flowing := t.layers
	if len(t.layers) > 1 {
		flowing = slices.DeleteFunc(slices.Clone(t.layers), func(l *layer) bool { return !l.alive(now, t.dead) })
	}
	var waiting []*layer
	for _, o := range t.outlets {
		if o.wish.none {
			o.release()
		}
		if l := pick(flowing, t.layers, o.wish); l != nil && o.aim(l) {
			waiting = append(waiting, l)
		}
	}
	t.relist()
	for _, l := range waiting { // only now: what comes from now on reaches the outlets
		l.welcome.Store(true)
	}
	if len(waiting) > 0 {
		t.changed()
	}
}

// relist tells each layer whom to serve. t.mu is held.
func (t *track) relist() {
	for _, l := range t.layers {
		var list []*outlet
		for _, o := range t.outlets {
			if o.uses(l) {
				list = append(list, o)
			}
		}
		if old := *l.listeners.Load(); !slices.Equal(old, list) {
			l.listeners.Store(&list)
		}
	}
}
