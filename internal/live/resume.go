package live

import "time"

// maxClaims bounds the sockets that a later one may continue. It takes many
// reconnects within one window to get there.
const maxClaims = 8

// claim is a replaced socket's title to the media that is older than the socket
// that replaced it.
type claim struct {
	resume string // what proves it
	before uint64 // number of the socket that came instead
}

// claim keeps what old, which is replaced by a, may come back for.
func (p *participant) claim(old, a *Attendance) {
	if len(p.claims) == maxClaims {
		p.claims = p.claims[1:] // its media goes with that of the next one
	}
	p.claims = append(p.claims, claim{old.resume, a.number})
}

// resume: the socket continues the one with that value, and with it all that came after.
func (p *participant) resume(value string) {
	for i, c := range p.claims {
		if c.resume == value {
			p.claims = p.claims[:i]
			return
		}
	}
}

// expectResume ends media that is older than the sockets in between, unless a
// turns out to continue the one before them: a second tab and a reconnect look
// alike at first. A reconnect may take more than one attempt, so the newest
// socket inherits the claims and has the whole window.
func (p *participant) expectResume(a *Attendance) {
	if len(p.claims) == 0 {
		return
	}
	time.AfterFunc(p.floor.ResumeWindow, func() {
		p.post(func() {
			if p.newest == a.number {
				p.closeWindow()
			}
		})
	})
}

// closeWindow ends the media that nobody came back for.
func (p *participant) closeWindow() {
	if len(p.claims) == 0 {
		return
	}
	before := p.claims[len(p.claims)-1].before
	p.claims = nil
	var older []*Media
	for m := range p.media {
		if m.number < before {
			older = append(older, m)
		}
	}
	p.endMedia(older...)
}
