package sfu

import "time"

// adaptation chooses a layer for a subscriber who leaves that to us, by what the way to it takes: the lowest first, then
// a higher one whenever a probe has shown that it has room. In a jam a lower one at once; and if not even the lowest has room,
// no video, so that audio is heard. A subscriber of whom no reports come keeps what it began with.
type adaptation struct {
	estimate estimate
	pads     bool // padding can be sent, to probe

	index  int           // of the highest layer that is allowed, from the lowest; below 0 video waits
	jams   int           // those that were dealt with
	since  time.Time     // the last change, or failed try
	pause  time.Duration // from then to the next try
	raised bool          // the last change was upwards, and has not proved itself yet
	// forgive is until when a jam is the last probe's.
	forgive time.Time
	tight   time.Time // since when not even the lowest has room; zero if it has
	probe   probe
}

// probe is padding that is sent to find out whether there is room for more.
type probe struct {
	began, last time.Time // zero: there is none
	rate        float64   // bits a second, once it has grown to that
	seen        int       // packets that had been reported when it began
}

const (
	firstPause  = time.Second
	jamPause    = 4 * time.Second  // after a jam; doubled with every try that ends in one
	maxPause    = 60 * time.Second // at most
	darkPause   = 10 * time.Second // at most while there is no video
	proved      = 20 * time.Second // a layer that has been shown for so long has room
	tightTime   = 2500 * time.Millisecond
	forgiveness = time.Second
	hopeless    = 0.6 // of what the lowest layer needs: no use in waiting
	probeGrows  = time.Second
	probeTime   = 3 * time.Second
	probeTick   = 15 * time.Millisecond
	probeOwed   = 50 * time.Millisecond // padding for a longer time is not sent at once
	probeMost   = 8_500_000             // bits a second
	probeRoom   = 1.15                  // of what the next layer needs is sent
	enoughRoom  = 1.05                  // of it has to arrive
)

// supply is what a publication sends at present, in bits a second.
type supply struct {
	audio  int
	layers [maxLayers]int // from the lowest; 0 is not sent
	count  int            // of layers
}

// need is what layer i takes, with the audio; without a layer it is the audio.
func (s *supply) need(i int) float64 {
	if i < 0 {
		return float64(s.audio)
	}
	return float64(s.audio + s.layers[i])
}

// best is the highest layer up to most that is sent, or the lowest there is; -1 if most is, or nothing is sent.
func (s *supply) best(most int) int {
	if most < 0 {
		return -1
	}
	for i := min(most, s.count-1); i >= 0; i-- {
		if s.layers[i] > 0 {
			return i
		}
	}
	return s.above(-1)
}

// above is the next layer above i that is sent; -1 if there is none.
func (s *supply) above(i int) int {
	for i++; i < s.count; i++ {
		if s.layers[i] > 0 {
			return i
		}
	}
	return -1
}

// due tells whether there is something to do. While video waits nothing may be sent of
// which reports could come, so then it is for us to begin.
func (a *adaptation) due(reported bool) bool {
	return reported || !a.probe.began.IsZero() || a.index < 0
}

// step takes notice of what the estimate says by now.
func (a *adaptation) step(now time.Time, s supply) {
	if !a.estimate.heard || s.above(-1) < 0 {
		a.probe = probe{}
		return
	}
	if a.since.IsZero() {
		a.since, a.pause = now, firstPause
	}
	current := s.best(a.index)
	if a.jams != a.estimate.jams {
		a.jams = a.estimate.jams
		a.yield(now, &s, current)
		return
	}
	if a.estimate.queue < shortQueue {
		a.tight = time.Time{}
	}
	a.rise(now, &s, current)
}

// yield makes room in a jam.
func (a *adaptation) yield(now time.Time, s *supply, current int) {
	if a.pause = max(a.pause, jamPause); !a.probe.began.IsZero() {
		a.fail(now, current) // without the padding there is room for what was there before
		a.forgive = now.Add(forgiveness)
		return
	}
	if now.Before(a.forgive) {
		return
	}
	if a.raised {
		a.fail(now, current)
	}
	a.raised, a.since = false, now
	if current < 0 {
		return
	}
	for i := current; i >= 0; i-- {
		if s.layers[i] > 0 && s.need(i) <= a.estimate.rate {
			a.index, a.tight = i, time.Time{}
			return
		}
	}
	a.index = s.above(-1)
	switch {
	case a.tight.IsZero():
		a.tight = now
	case now.Sub(a.tight) >= tightTime, now.Sub(a.tight) >= tightTime/3 && a.estimate.rate < hopeless*s.need(a.index):
		a.index, a.tight = -1, time.Time{}
	}
}

// rise goes up when there is room, or finds out whether there is.
func (a *adaptation) rise(now time.Time, s *supply, current int) {
	if a.raised && now.Sub(a.since) > proved {
		a.raised, a.pause = false, firstPause
	}
	next := s.above(current)
	if next < 0 {
		a.probe = probe{}
		return
	}
	room := a.estimate.rate >= enoughRoom*s.need(next)
	switch {
	case !a.probe.began.IsZero() && !room:
		judged := a.estimate.seen-a.probe.seen >= len(a.estimate.latest) // by what was sent since
		if now.Sub(a.probe.began) > probeTime || judged && a.estimate.grows() {
			a.fail(now, current)
		}
	case now.Sub(a.since) < a.pause:
	case room || !a.pads:
		a.index, a.since, a.raised, a.probe, a.forgive = next, now, true, probe{}, time.Time{}
		a.pause = max(a.pause/4, firstPause)
	default:
		a.probe = probe{began: now, last: now, rate: min(probeRoom*s.need(next), probeMost) - s.need(current), seen: a.estimate.seen}
	}
}

// fail lets more time pass until the next try.
func (a *adaptation) fail(now time.Time, current int) {
	most := maxPause
	if current < 0 {
		most = darkPause
	}
	a.probe, a.since, a.pause = probe{}, now, min(2*a.pause, most)
}

// owes is how much padding is due, in bytes.
func (a *adaptation) owes(now time.Time) int {
	p := &a.probe
	if p.began.IsZero() {
		return 0
	}
	elapsed := min(now.Sub(p.last), probeOwed)
	p.last = now
	grown := min(1, 0.2+now.Sub(p.began).Seconds()/probeGrows.Seconds())
	return int(grown * p.rate * elapsed.Seconds() / 8)
}

// rest is for a time in which the subscriber chooses for itself.
func (a *adaptation) rest(now time.Time) {
	a.since, a.pause, a.raised, a.tight, a.probe = now, firstPause, false, time.Time{}, probe{}
	a.jams = a.estimate.jams
}
