package sfu

import (
	"slices"
	"sync"
	"time"
)

// allowance is what one viewer may be sent over all of its subscriptions. Each is a peer of its own, but they come together on
// the viewer's way to the internet at the latest: what one takes the others lack, and a jam is everybody's. So what the reports of all
// tell makes one estimate, one adaptation decides for all, and one probe at a time is sent.
//
// Reports come to the goroutines of the subscriptions, and whose comes decides; the others are woken and take over what was decided about them.
type allowance struct {
	viewer string
	uses   int // subscriptions; protected by the engine

	mu         sync.Mutex
	adaptation adaptation
	news       bool      // there were reports since the last decision
	decided    time.Time // the last one was made
}

// decideEvery is how often something is decided without reports.
const decideEvery = time.Second

// allow gives a share in its viewer's allowance.
func (e *Engine) allow(s *share, o SubscribeOptions) *allowance {
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.viewers[o.Viewer]
	if a == nil {
		a = &allowance{viewer: o.Viewer}
	}
	if a.uses++; o.Viewer != "" {
		e.viewers[o.Viewer] = a
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.adaptation.limit = float64(o.Limit)
	a.adaptation.shares = append(a.adaptation.shares, s)
	return a
}

// disallow ends what allow began.
func (e *Engine) disallow(a *allowance, s *share) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if a.uses--; a.uses == 0 && a.viewer != "" {
		delete(e.viewers, a.viewer)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.adaptation.leave(s)
}

// leave forgets a share.
func (a *adaptation) leave(s *share) {
	a.shares = slices.DeleteFunc(slices.Clone(a.shares), func(other *share) bool { return other == s })
	if s.told > 0 {
		a.estimate.rate = a.shares.told()
	}
	if a.probe.by == s {
		a.probe = probe{}
	}
}

// look takes what a subscription claims, decides if there is reason to, and tells the highest layer that is granted,
// how much padding is due, and how long until there is more to do.
func (a *allowance) look(s *share, c claim, now time.Time) (granted, owed int, next time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s.claim = c
	if a.news || a.adaptation.probe.by == s || now.Sub(a.decided) >= decideEvery {
		a.decide(now)
	}
	s.applied, next = s.granted, decideEvery
	if a.adaptation.probe.by == s {
		next = probeTick
	}
	return s.granted, a.adaptation.owes(s, now), next
}

// decide has the adaptation take its step. a.mu is held.
func (a *allowance) decide(now time.Time) {
	a.news, a.decided = false, now
	probe := a.adaptation.probe.by
	a.adaptation.step(now)
	for _, s := range a.adaptation.shares {
		if s.granted != s.applied || a.adaptation.probe.by == s && probe != s {
			s.wake()
		}
	}
}

// choose takes what a subscription claims after its subscriber has chosen otherwise than before.
func (a *allowance) choose(s *share, c claim, granted int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s.claim, s.granted, s.held, s.applied = c, granted, granted, granted
}

// report takes a report of what has arrived.
func (a *allowance) report(t *tracking, r *arrivals, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t.take(r, &a.adaptation.estimate, now)
	a.news = true
}

// waits is how long a packet waits on its way at present.
func (a *allowance) waits() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Duration(a.adaptation.estimate.queue) * time.Microsecond
}

// told takes a receiver's own estimate.
func (a *allowance) told(s *share, rate float64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.adaptation.told(s, rate)
	a.news = true
}

// counted takes how many packets a receiver misses, of how many, and what comes in bits a second.
func (a *allowance) counted(s *share, lost, all int, arrives float64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.told > 0 {
		return // it knows better
	}
	s.arrives = arrives
	a.adaptation.estimate.counted(lost, all, a.adaptation.shares.arrives())
	a.news = true
}
