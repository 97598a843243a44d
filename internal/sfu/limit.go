package sfu

import (
	"math"
	"time"
)

// The limit bounds what all subscriptions of a viewer take together, whatever their way does. Audio is always sent; then it is given
// out as in a jam. It is no reason to end anything.

const (
	excessTime = 2500 * time.Millisecond // for which the limit may be passed: encoders overshoot
	calmLimit  = 0.95                    // of it is given out
)

// most is what may be given out, in bits a second.
func (a *adaptation) most() float64 {
	if a.limit == 0 {
		return math.Inf(1)
	}
	return calmLimit * a.limit
}

// exceeds tells whether all have taken more than the limit for too long.
func (a *adaptation) exceeds(now time.Time) bool {
	switch {
	case a.limit == 0 || a.shares.need() <= a.limit:
		a.excess = time.Time{}
	case a.excess.IsZero():
		a.excess = now
	}
	return !a.excess.IsZero() && now.Sub(a.excess) >= excessTime
}

// restrain keeps the limit: what was named is lowered, too. What has just been raised is not tried again soon.
func (a *adaptation) restrain(now time.Time) {
	if a.pause = max(a.pause, jamPause); a.raised {
		a.pause = min(2*a.pause, maxPause)
	}
	a.raised, a.since, a.excess, a.probe = false, now, time.Time{}, probe{}
	for _, s := range a.shares {
		s.held = max(s.held, s.granted)
	}
	a.shares.divide(a.most(), (*share).video)
}

// relent gives back what the limit has taken from those who do not adapt to the way, a layer at a time.
func (a *adaptation) relent(now time.Time) {
	if now.Sub(a.since) < a.pause {
		return
	}
	for _, s := range a.shares {
		i := s.next()
		if s.granted < s.held && i >= 0 && (s.named || !a.estimate.heard) && a.shares.need()+s.more(i) <= a.most() {
			s.granted, a.since, a.raised = i, now, true
			return
		}
	}
}

// wants is what all take; with the next step, if nothing but the limit forbids every one.
func (a *adaptation) wants() float64 {
	need := a.shares.need()
	if a.shares.next(a.most()) == nil {
		if s := a.shares.next(math.Inf(1)); s != nil {
			return need + s.more(s.next())
		}
	}
	return need
}
