package sfu

import (
	"math"
	"time"
)

// adaptation chooses layers for the subscriptions of a viewer who leaves that to us, by what the way to it takes: the lowest first, then
// a higher one whenever a probe has shown that it has room. In a jam lower ones at once; and if not even the lowest have room,
// no video of the youngest, so that audio is heard. A viewer of whom no reports come keeps what it began with. And
// whatever the way takes, all together stay within the limit.
type adaptation struct {
	estimate estimate
	shares   shares
	limit    float64 // bits a second; 0 is none

	jams   int           // those that were dealt with
	since  time.Time     // the last change, or failed try
	pause  time.Duration // from then to the next try; a quarter of it after a change upwards
	raised bool          // the last change was upwards, and has not proved itself yet
	vain   float64       // what all would have taken after the try that has failed; what takes less is tried first
	// forgive is until when a jam is the last probe's.
	forgive time.Time
	tight   time.Time // since when not even the lowest have room; zero if they have
	excess  time.Time // since when all take more than the limit; zero if they do not
	probe   probe
}

// probe is padding that is sent to find out whether there is room for more.
type probe struct {
	by          *share    // to which it is sent; nil: there is none
	began, last time.Time // last is when some was sent
	need        float64   // bits a second of what is sent besides
	base, rate  float64   // of all, at first and once it has grown
	grows       time.Duration
	seen        int // packets that had been reported when it began
}

const (
	firstPause  = time.Second
	blindPause  = 5 * time.Second  // instead, where a jam shows in receiver reports only
	jamPause    = 4 * time.Second  // after a jam; doubled with every try that fails
	probePause  = 6 * time.Second  // at most after padding, which is given up before it does harm
	maxPause    = 30 * time.Second // at most after a change that ended in a jam
	proved      = 20 * time.Second // a layer that has been shown for so long has room
	tightTime   = 2500 * time.Millisecond
	forgiveness = 2 * time.Second
	hopeless    = 0.6             // of what the lowest layers need: no use in waiting
	probeGrows  = time.Second     // in which what is sent doubles, with the padding; half of that while none has failed
	probeGrown  = 2 * time.Second // and in which it has grown in any case
	probeTime   = 4 * time.Second
	probeTick   = 15 * time.Millisecond
	probeOwed   = 50 * time.Millisecond // padding for a longer time is not sent at once
	probeMost   = 8_500_000             // bits a second of padding
	leastBase   = 32_000                // bits a second: from here on it grows
	probeRoom   = 1.2                   // of what is needed with the next layer is sent
	enoughRoom  = 1.08                  // of it has to arrive
)

// step takes notice of what the estimate says by now.
func (a *adaptation) step(now time.Time) {
	if a.since.IsZero() {
		a.since, a.pause = now, firstPause
	}
	if a.exceeds(now) {
		a.restrain(now)
		return
	}
	a.relent(now)
	jam := a.jams != a.estimate.jams
	a.jams = a.estimate.jams
	switch {
	case !a.estimate.heard || !a.shares.any((*share).video):
		a.probe = probe{}
	case jam:
		a.yield(now)
	default:
		if a.estimate.calm {
			a.tight = time.Time{}
		}
		a.rise(now)
	}
}

// yield makes room in a jam.
func (a *adaptation) yield(now time.Time) {
	if now.Before(a.forgive) {
		return
	}
	if a.pause = max(a.pause, jamPause); a.probe.by != nil {
		a.fail(now, probePause) // without the padding there is room for what was there before
		return
	}
	if a.raised {
		a.fail(now, maxPause)
	}
	if a.estimate.blind {
		a.forgive = now.Add(blindPause / 2) // the next reports may be about the same
	}
	a.raised, a.since, a.vain = false, now, 0
	a.lower(now)
}

// lower gives everybody what there is room for, but the lowest layers for a while although there is none.
func (a *adaptation) lower(now time.Time) {
	shown := make([]bool, len(a.shares))
	for i, s := range a.shares {
		shown[i] = s.shows() >= 0
	}
	a.shares.divide(min(a.estimate.rate, a.shares.need()), (*share).adapts)
	starved := false
	for i, s := range a.shares {
		starved = starved || shown[i] && s.waits()
	}
	if !starved {
		a.tight = time.Time{}
		return
	}
	granted := make([]int, len(a.shares))
	for i, s := range a.shares {
		if granted[i] = s.granted; shown[i] && s.adapts() {
			s.granted = 0
		}
	}
	if a.tight.IsZero() {
		a.tight = now
	}
	patience := tightTime
	if a.estimate.rate < hopeless*a.shares.need() {
		patience /= 3
	}
	if now.Sub(a.tight) >= patience {
		a.tight = time.Time{}
		for i, s := range a.shares {
			s.granted = granted[i]
		}
	}
}

// rise goes up when there is room, or finds out whether there is.
func (a *adaptation) rise(now time.Time) {
	if a.raised && now.Sub(a.since) > proved {
		a.raised, a.pause = false, firstPause
	}
	s := a.candidate()
	if s == nil {
		a.probe = probe{}
		return
	}
	next := s.next()
	need := a.shares.need() + s.more(next)
	room := a.estimate.rate >= enoughRoom*need
	by := a.prober(s)
	switch {
	case a.probe.by != nil && !room:
		judged := a.estimate.seen-a.probe.seen >= len(a.estimate.latest) // by what was sent since
		if now.Sub(a.probe.began) > probeTime || judged && a.estimate.grows() {
			a.vain = need
			a.fail(now, probePause)
		}
	case now.Sub(a.since) < a.patience() || !a.estimate.calm && a.shares.need() > 0:
	case room || by == nil:
		if need >= a.vain {
			a.vain = 0
		}
		s.granted, a.since, a.raised, a.probe, a.forgive = next, now, true, probe{}, time.Time{}
	default:
		a.begin(by, need, now)
	}
}

// begin begins a probe of whether there is room for what all need with the next layer.
func (a *adaptation) begin(by *share, need float64, now time.Time) {
	p := probe{by: by, began: now, last: now, need: a.shares.need(), seen: a.estimate.seen}
	p.base = max(p.need, leastBase)
	p.rate = max(p.base, min(probeRoom*need, p.base+probeMost))
	doublings := math.Log2(p.rate / p.base)
	if p.grows = time.Duration(doublings * float64(probeGrows)); a.pause == firstPause {
		p.grows /= 2
	}
	p.grows = max(probeTick, min(p.grows, probeGrown))
	a.probe = p
	by.wake()
}

// candidate is whose step upwards is to be tried; nil when there is nothing to try.
func (a *adaptation) candidate() *share {
	if a.vain > 0 {
		if s := a.shares.next(min(a.most(), a.vain-1)); s != nil {
			return s
		}
	}
	return a.shares.next(a.most())
}

// patience is for how long nothing is tried after a change.
func (a *adaptation) patience() time.Duration {
	switch {
	case a.estimate.blind:
		return max(a.pause, blindPause)
	case a.raised:
		return max(a.pause/4, firstPause)
	}
	return a.pause
}

// prober is the share to which padding is sent on behalf of s; nil if there is none.
func (a *adaptation) prober(s *share) *share {
	if s.pads {
		return s
	}
	for _, other := range a.shares {
		if other.pads {
			return other
		}
	}
	return nil
}

// fail lets more time pass until the next try, up to most.
func (a *adaptation) fail(now time.Time, most time.Duration) {
	if a.probe.by != nil {
		a.forgive = now.Add(forgiveness)
	}
	a.probe, a.since, a.pause = probe{}, now, max(a.pause, min(2*a.pause, most))
	if a.shares.uneven() {
		a.shares.divide(a.estimate.rate, (*share).adapts)
	}
}

// owes is how much padding is due to a share, in bytes.
func (a *adaptation) owes(s *share, now time.Time) int {
	p := &a.probe
	if p.by != s {
		return 0
	}
	elapsed := min(now.Sub(p.last), probeOwed)
	p.last = now
	grown := min(1, now.Sub(p.began).Seconds()/p.grows.Seconds())
	return int((p.base*math.Pow(p.rate/p.base, grown) - p.need) * elapsed.Seconds() / 8)
}

// told takes what a receiver itself estimates (draft-alvestrand-rmcat-remb), for want of reports. Each speaks of one connection.
func (a *adaptation) told(s *share, rate float64) {
	before := a.shares.told() - s.told
	known := s.told > 0
	s.told = rate
	a.estimate.told(before+rate, known)
}
