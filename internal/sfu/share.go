package sfu

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

// claim is what a subscription could show.
type claim struct {
	supply supply // of its publication; nothing while nothing is sent
	most   int    // the highest layer that is wanted, from the lowest; below 0 no video is
	named  bool   // by the subscriber: most is sent whatever the way takes
}

// share is what one subscription has of all that its viewer may get.
type share struct {
	claim
	granted int    // the highest layer that is allowed; below 0 video waits
	held    int    // what was granted before the limit took it
	applied int    // what was granted when its goroutine looked last
	pads    bool   // padding can be sent to it
	wake    func() // its goroutine; must not block

	told    float64 // bits a second that the receiver says the way takes
	arrives float64 // bits a second that come, for all that the receiver says
}

// shows is the layer that is sent.
func (s *share) shows() int { return s.supply.best(min(s.granted, s.most)) }

// next is the layer above that; -1 if there is none, or it is not wanted.
func (s *share) next() int {
	if i := s.supply.above(s.shows()); i <= s.most {
		return i
	}
	return -1
}

// need is what the share takes.
func (s *share) need() float64 { return s.supply.need(s.shows()) }

// more is what layer i takes more than that.
func (s *share) more(i int) float64 { return s.supply.need(i) - s.need() }

// video tells whether there is any to be sent.
func (s *share) video() bool { return s.most >= 0 && s.supply.above(-1) >= 0 }

// shares are those of all subscriptions of one viewer, the oldest first.
type shares []*share

func (all shares) need() (sum float64) {
	for _, s := range all {
		sum += s.need()
	}
	return sum
}

// next is the step upwards whose turn it is: of those that show least, the oldest share's. Nil when none fits, and all
// together would take more than most.
func (all shares) next(most float64) (next *share) {
	now := all.need()
	for _, s := range all {
		i := s.next()
		if i >= 0 && (next == nil || s.shows() < next.shows()) && now+s.more(i) <= most {
			next = s
		}
	}
	return next
}

// divide gives rate out anew among those that are free: everybody's audio first, then the lowest layer of each, then the next of each, and so
// on; where not all get one, the oldest do.
func (all shares) divide(rate float64, free func(*share) bool) {
	for _, s := range all {
		if free(s) {
			s.granted = -1
		}
	}
	left := rate - all.need()
	for more := true; more; {
		more = false
		for _, s := range all {
			if i := s.next(); i >= 0 && free(s) && s.more(i) <= left {
				left -= s.more(i)
				s.granted, more = i, true
			}
		}
	}
}

// uneven tells whether one shows so much less than another that both could show something in between.
func (all shares) uneven() bool {
	for _, low := range all {
		if low.next() < 0 || low.named {
			continue
		}
		for _, high := range all {
			if !high.named && high.shows() > low.next() {
				return true
			}
		}
	}
	return false
}

// any tells whether one of them is so.
func (all shares) any(is func(*share) bool) bool {
	for _, s := range all {
		if is(s) {
			return true
		}
	}
	return false
}

// adapts tells whether a share is to agree with the way.
func (s *share) adapts() bool { return s.video() && !s.named }

// waits tells whether there is no room for the lowest layer.
func (s *share) waits() bool { return s.video() && s.shows() < 0 }

// told is what all receivers say together that the way takes.
func (all shares) told() (sum float64) {
	for _, s := range all {
		sum += s.told
	}
	return sum
}

// arrives is what comes to all receivers, as they report.
func (all shares) arrives() (sum float64) {
	for _, s := range all {
		sum += s.arrives
	}
	return sum
}
