package sfu

import "slices"

// Way is what is known of the way to a subscriber, and what that means for its video, as of the last second.
type Way struct {
	Takes  int    // bits per second that it is known to take; 0 while nothing is known
	Aim    string // the layer that is to be sent: hi, mid or low; empty without layers and without video
	Chosen bool   // by the subscriber, so that it is sent in any case
	Paused bool   // video is wanted, and waits because not even the lowest layer has room
	// Lacks is what there was no room for when it was last tried, in bits per second with the audio: the next layer
	// above the aim, or what was chosen; 0 if nothing.
	Lacks int
}

// mostTaken bounds what a receiver may say of itself.
const mostTaken = 1e12

// outlook tells what the adaptation has come to. It is called by the subscription's goroutine.
func (s *Subscription) outlook() Way {
	a := &s.adaptation
	s.sourceMu.Lock()
	defer s.sourceMu.Unlock()
	w := Way{Takes: int(min(a.estimate.rate, mostTaken)), Chosen: s.wish.layer != ""}
	if s.wish.none || s.src == nil || s.src.video == nil {
		return w
	}
	supply := s.src.supply()
	current := supply.best(s.aimed())
	w.Paused = !w.Chosen && s.allowed < 0
	if choices := s.choices(); current >= 0 && choices != nil {
		w.Aim = choices[current].label
	}
	w.Lacks = int(a.lacks(&supply, current, w.Chosen))
	return w
}

// aimed is the index of the layer that is named, or else allowed. s.sourceMu is held.
func (s *Subscription) aimed() int {
	if s.wish.layer == "" {
		return s.allowed
	}
	return max(0, slices.Index(s.choices(), find(s.choices(), s.wish.layer)))
}

// lacks tells what has no room: the next layer, or the current one if it is chosen.
func (a *adaptation) lacks(s *supply, current int, chosen bool) float64 {
	rate := a.estimate.rate
	next := s.above(current)
	switch {
	case rate == 0:
	case chosen && current >= 0 && rate < afterJam*s.need(current): // a single frame may be larger than usual
		return s.need(current)
	case !chosen && next >= 0 && (current < 0 || a.pause > firstPause) && rate < enoughRoom*s.need(next):
		return s.need(next)
	}
	return 0
}
