package sfu

// Way is what is known of the way to a subscriber, and what that means for its video, as of the last second.
type Way struct {
	Takes  int    // bits per second that it is known to take, of all subscriptions of the viewer together; 0 while nothing is known
	Aim    string // the layer that is to be sent: hi, mid or low; empty without layers and without video
	Chosen bool   // by the subscriber, so that it is sent whatever the way takes
	Paused bool   // video is wanted, and waits because not even the lowest layer has room
	// Lacks is what there was no room for when it was last tried, in bits per second of all subscriptions together: with the next layer
	// above the aim, or with what was chosen; 0 if nothing.
	Lacks   int
	Limited bool // it is the limit that has no room for it, and not the way
}

// mostTaken bounds what a receiver may say of itself.
const mostTaken = 1e12

// outlook tells what the adaptation has come to, and what all subscriptions of the viewer take. It is called by the subscription's goroutine.
func (s *Subscription) outlook() (w Way, wants float64) {
	s.sourceMu.Lock()
	defer s.sourceMu.Unlock()
	s.allowance.mu.Lock()
	defer s.allowance.mu.Unlock()
	a := &s.allowance.adaptation
	w, wants = Way{Takes: int(min(a.estimate.rate, mostTaken)), Chosen: s.wish.layer != ""}, a.wants()
	if s.wish.none || s.src == nil || s.src.video == nil {
		return w, wants
	}
	w.Paused = s.allowed < 0
	if i, choices := s.share.shows(), s.choices(); i >= 0 && i < len(choices) {
		w.Aim = choices[i].label
	}
	lacks, limited := a.lacks(s.share)
	w.Lacks, w.Limited = int(lacks), limited
	return w, wants
}

// lacks tells what has no room: all with the share's next layer, or all with what was chosen; and whether that is for the limit.
func (a *adaptation) lacks(s *share) (_ float64, limited bool) {
	rate, need, next := a.estimate.rate, a.shares.need(), s.next()
	more := 0.0
	if next >= 0 {
		more = s.more(next)
	}
	switch {
	case next >= 0 && need+more > a.most():
		return need + more, true
	case rate == 0:
	case s.named && s.shows() >= 0 && rate < afterJam*need: // a single frame may be larger than usual
		return need, false
	case !s.named && next >= 0 && (s.shows() < 0 || a.pause > firstPause) && rate < enoughRoom*(need+more):
		return need + more, false
	}
	return 0, false
}
