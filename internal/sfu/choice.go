package sfu

import (
	"errors"
	"slices"
	"time"
)

// ErrNoLayer tells that the publication has no layer of this name.
var ErrNoLayer = errors.New("sfu: no such layer")

// Change is what a subscriber wants otherwise than before. What is nil stays as it is.
type Change struct {
	// Layer is "hi", "mid", "low" or a rid; "" leaves the choice to the engine.
	Layer *string
	// Video is false for audio alone.
	Video *bool
}

// View is what a subscriber may choose from, and what is chosen.
type View struct {
	Layers   []Layer // from the highest to the lowest; none without simulcast
	Selected string  // the label of what is sent; "" without simulcast, and while nothing is sent
	Auto     bool    // the choice is the engine's
	Video    bool    // is wanted
	Paused   bool    // it is wanted, but the way to the subscriber, or the limit, has no room for it
}

// Layer is one simulcast layer of a publication.
type Layer struct {
	Label         string  // hi, mid or low
	Width, Height int     // 0 while not known
	Active        bool    // it is received at present
	Bitrate       int     // bits per second, and
	FrameRate     float64 // frames per second, about; 0 if nothing comes
}

// Choose changes what is received, without renegotiation. Another layer begins with its next key frame, which is
// asked for; until then the old one goes on. A layer that is not received at present is waited for, with the next below it.
// With ErrNoLayer and ErrClosed nothing changes.
func (s *Subscription) Choose(c Change) error {
	s.sourceMu.Lock()
	defer s.sourceMu.Unlock()
	if s.ended {
		return ErrClosed
	}
	w := s.wish
	if c.Layer != nil {
		if w.layer = *c.Layer; w.layer != "" && find(s.choices(), w.layer) == nil {
			return ErrNoLayer
		}
	}
	switch {
	case w.layer != "":
		s.allowed = topRank
	case s.wish.layer != "":
		s.allowed = max(0, slices.Index(s.choices(), s.shows())) // it goes on from there
	}
	if c.Video != nil {
		w.none = !*c.Video
	}
	s.turn(w)
	s.allowance.choose(s.share, s.claim(), s.allowed)
	return nil
}

// choices are the layers that a subscriber may name. s.sourceMu is held.
func (s *Subscription) choices() []*layer {
	if s.src == nil || s.src.video == nil || len(s.src.video.layers) < 2 {
		return nil
	}
	return s.src.video.layers
}

// shows is the video layer that is sent; nil when none is.
func (s *Subscription) shows() *layer {
	for _, o := range s.outlets {
		if o.kind == video {
			return o.shows()
		}
	}
	return nil
}

// effective is the wish for video with what is allowed. s.sourceMu is held.
func (s *Subscription) effective() wish {
	w := s.wish
	if w.layer != "" && s.allowed >= min(s.most(), topRank-1) {
		return w
	}
	w.layer, w.none = "", w.none || s.allowed < 0
	if w.most = topRank; s.src != nil && s.src.video != nil && s.allowed >= 0 && s.allowed < len(s.src.video.layers) {
		w.most = s.src.video.layers[s.allowed].rank
	}
	return w
}

// most is the index of the layer that is wanted, topRank where the choice is ours or there is none; -1 if no video is. s.sourceMu is held.
func (s *Subscription) most() int {
	if s.wish.none || !slices.ContainsFunc(s.outlets, func(o *outlet) bool { return o.kind == video }) {
		return -1
	}
	if i := slices.Index(s.choices(), find(s.choices(), s.wish.layer)); i >= 0 {
		return i
	}
	return topRank
}

// claim tells what could be shown. s.sourceMu is held.
func (s *Subscription) claim() claim {
	c := claim{most: s.most(), named: s.wish.layer != ""}
	if s.listening() {
		c.supply = s.src.supply()
	}
	return c
}

// turn makes w the wish for video. s.sourceMu is held.
func (s *Subscription) turn(w wish) {
	s.wish = w
	w = s.effective()
	for _, o := range s.outlets {
		switch {
		case o.kind != video:
		case s.listening():
			s.src.turn(o, w)
		default:
			o.wish = w
		}
	}
}

// View tells what there is to choose from.
func (s *Subscription) View() View {
	s.sourceMu.Lock()
	defer s.sourceMu.Unlock()
	v := View{Auto: s.wish.layer == "", Video: !s.wish.none}
	now := time.Now()
	for i, l := range slices.Backward(s.choices()) {
		shown := Layer{Label: l.label, Active: l.alive(now, l.track.dead)}
		s.src.describe(i, &shown)
		v.Layers = append(v.Layers, shown)
	}
	if l := s.shows(); l != nil {
		v.Selected = l.label
	}
	v.Paused = v.Video && s.allowed < 0
	return v
}

// track takes a report of what has arrived.
func (s *Subscription) track(b []byte, now time.Time) {
	var a arrivals
	if s.tracking.ledger != nil && a.parse(b) {
		s.allowance.report(&s.tracking, &a, now)
	}
}

// adapt does what was decided about the subscription, and tells how long until there is more to do.
func (s *Subscription) adapt(now time.Time) time.Duration {
	s.sourceMu.Lock()
	defer s.sourceMu.Unlock()
	granted, owed, next := s.allowance.look(s.share, s.claim(), now)
	if granted != s.allowed {
		s.allowed = granted
		s.turn(s.wish)
	}
	if owed > 0 {
		s.pad(owed)
	}
	return next
}

// pad sends n bytes of padding.
func (s *Subscription) pad(n int) {
	b := s.engine.port.batch()
	defer b.release()
	for _, o := range s.outlets {
		if o.kind == video && o.rtx.ledger != nil {
			o.pad(n, b)
		}
	}
}
