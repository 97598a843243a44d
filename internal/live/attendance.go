package live

import (
	"context"
	"sync"
	"sync/atomic"

	"callboard/internal/stage"
)

// Attendance is a participant's presence socket, as the floor sees it. Its
// methods are safe for concurrent use and do not block. Whoever got it from
// Attend must end it with Leave or Lost.
type Attendance struct {
	owner   *participant
	self    *person
	resume  string
	changed chan struct{}
	done    chan struct{}

	reason stage.Reason // both readable after done
	text   string

	number uint64 // age among the owner's legs

	resumed    newest[string]
	described  newest[stage.Client]
	exchanging atomic.Bool // one at a time
	ending     sync.Once
}

// Attend lets a participant in through a presence socket: JOINED is committed
// when it returns. A socket that the participant has already ends with
// [stage.ReasonTokenReused], and so does media older than the new
// socket, unless Resume is called with the right value soon enough, on this
// socket or on one that takes its place meanwhile.
func (f *Floor) Attend(ctx context.Context, a stage.Admission, c stage.Client) (*Attendance, error) {
	ctx, cancel := f.patiently(ctx)
	defer cancel()
	p, err := f.enter(a)
	if err != nil {
		return nil, err
	}
	var result struct {
		attendance *Attendance
		err        error
	}
	if err := p.do(ctx, func() { result.attendance, result.err = p.attend(ctx, a, c) }); err != nil {
		// Nobody will ever take this seat.
		p.post(func() {
			if result.attendance != nil {
				p.lose(result.attendance)
			}
		})
		return nil, err
	}
	return result.attendance, result.err
}

func (p *participant) attend(ctx context.Context, admission stage.Admission, c stage.Client) (*Attendance, error) {
	if err := p.mayEnter(ctx, admission); err != nil {
		return nil, err
	}
	if err := p.join(ctx, admission, c); err != nil {
		return nil, err
	}
	a := &Attendance{
		owner:   p,
		self:    p.self,
		resume:  unguessable(),
		changed: make(chan struct{}, 1),
		done:    make(chan struct{}),
		number:  p.number(),
	}
	if old := p.socket; old != nil {
		p.endSocket(stage.ReasonTokenReused, "")
		p.claim(old, a)
	}
	p.newest = a.number
	p.expectResume(a)
	p.socket = a
	p.self.cast.watch(p.self, a)
	p.floor.count.sockets.Add(1)
	return a, nil
}

// Changed is ready when State is not what it was. Readiness is not counted:
// after many changes there may be one signal.
func (a *Attendance) Changed() <-chan struct{} { return a.changed }

// State is what the participant sees now.
func (a *Attendance) State() State { return a.self.cast.state(a.self) }

// Stage is where the participant is.
func (a *Attendance) Stage() stage.ARN { return a.owner.key.stage }

// ResumeValue proves to a later socket of the same participant that it continues this one.
func (a *Attendance) ResumeValue() string { return a.resume }

// Resume claims that this socket continues the one whose resume value is given.
func (a *Attendance) Resume(value string) {
	a.resumed.tell(a.post, value, a.owner.resume)
}

// SetMute shows others whether audio is muted and video stopped.
func (a *Attendance) SetMute(audioMuted, videoStopped bool) {
	a.self.mute(a, audioMuted, videoStopped)
}

// Describe adds what the participant's software tells about itself.
func (a *Attendance) Describe(c stage.Client) {
	a.described.add(a.post, func(told stage.Client) stage.Client { return overlay(told, Sanitize(c)) }, a.owner.describe)
}

// Leave ends everything the participant has here, by its own will.
func (a *Attendance) Leave() { a.endAll(stage.ReasonUserInitiated) }

func (a *Attendance) endAll(reason stage.Reason) {
	a.ending.Do(func() {
		a.post(func() { a.owner.endAll(reason, "") })
	})
}

// Lost ends this socket alone; media goes on.
func (a *Attendance) Lost() {
	a.owner.post(func() { a.owner.lose(a) })
}

// Done is closed when the socket has to go. Its leaving is recorded soon after.
func (a *Attendance) Done() <-chan struct{} { return a.done }

// Reason is why, once Done is closed, and the text of whoever did it, if any.
func (a *Attendance) Reason() (stage.Reason, string) {
	select {
	case <-a.done:
		return a.reason, a.text
	default:
		return "", ""
	}
}

// post has fn run while a is the participant's socket.
func (a *Attendance) post(fn func()) {
	a.owner.post(func() {
		if a.owner.socket == a {
			fn()
		}
	})
}

func (p *participant) lose(a *Attendance) {
	if p.socket == a {
		p.endSocket(stage.ReasonUnknown, "")
		p.settle(nil)
	}
}

func (a *Attendance) finish(reason stage.Reason, text string) {
	a.reason, a.text = reason, text
	close(a.done)
}
