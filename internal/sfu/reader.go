package sfu

import "time"

// Who has got packets is to take them. To wake a peer's goroutine, which may mean a thread and a core, costs more than a packet for
// a few listeners. So when a read has brought something for one publisher alone, the reader forwards it, and reads again between the
// turns of the listeners. As soon as something has come for another, it leaves the rest to the goroutines, and only reads.

// pass has the peers take what the last read has brought.
func (p *port) pass() {
	l := p.lone()
	p.wakeBut(l)
	if l != nil && !l.serve() {
		l.wake()
	}
}

// lone is the link of the only publisher whom the last read has brought something; nil if there is none, or another.
func (p *port) lone() (lone *link) {
	for _, l := range p.touched {
		switch {
		case l.serve == nil || p.poll == nil:
		case lone != nil:
			return nil
		default:
			lone = l
		}
	}
	return lone
}

// wakeBut wakes all whom the last read has brought something, but one, and tells whether publishers were among them.
func (p *port) wakeBut(one *link) (publishers bool) {
	for _, l := range p.touched {
		if l != one {
			l.wake()
			publishers = publishers || l.serve != nil
		}
	}
	clear(p.touched)
	p.touched = p.touched[:0]
	return publishers
}

// look reads what has come while the reader forwards for mine. If there is something for another publisher, too, it wakes both and
// says so.
func (p *port) look(mine *link) (crowd bool) {
	p.poll()
	if crowd = p.wakeBut(mine); crowd {
		mine.wake()
	}
	return crowd
}

// serve forwards what has come, and tells whether that was possible and leaves nothing for the peer's goroutine. It is for the
// port's reader.
func (p *Publication) serve() bool {
	if !p.media.Load() || !p.duty.TryLock() {
		return false
	}
	defer p.duty.Unlock()
	p.guest = true
	err := p.forward()
	p.guest = false
	if err != nil {
		p.stop(err)
		return false
	}
	return !p.stirred(time.Now())
}

// stirred tells whether what was received has given look something to do before its time.
func (p *Publication) stirred(now time.Time) bool {
	for _, l := range p.layers {
		if len(l.reception.missing) > 0 {
			return true
		}
	}
	return p.arrivals.PacketsHeld() > 0 && !now.Before(p.arrivalsDue) || p.reading.silent != [2]bool{}
}
