package live

import (
	"testing"
	"time"
)

func TestNewestSocketHasTheWholeWindow(t *testing.T) {
	t.Parallel()
	p := newParticipant(Open(Options{ResumeWindow: time.Nanosecond}), key{})
	sockets := []*Attendance{{resume: "a", number: 1}, {resume: "b", number: 2}, {resume: "c", number: 3}}
	window := func(a *Attendance) (closes func()) {
		p.newest = a.number
		p.expectResume(a)
		return func() {
			<-p.mail.wake
			for _, fn := range p.mail.take() {
				fn()
			}
		}
	}
	p.claim(sockets[0], sockets[1])
	second := window(sockets[1])
	p.claim(sockets[1], sockets[2])
	p.newest = sockets[2].number
	second()
	if len(p.claims) != 2 {
		t.Fatalf("%d claims are left though the newest socket may still make them", len(p.claims))
	}
	window(sockets[2])()
	if len(p.claims) != 0 {
		t.Errorf("%d claims are left after the last window", len(p.claims))
	}
}

func TestClaimsAreBounded(t *testing.T) {
	t.Parallel()
	p := newParticipant(Open(Options{}), key{})
	for n := range uint64(3 * maxClaims) {
		p.claim(&Attendance{resume: "x"}, &Attendance{number: n})
	}
	if len(p.claims) != maxClaims {
		t.Errorf("there are %d", len(p.claims))
	}
}
