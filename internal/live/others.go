package live

import (
	"context"
	"errors"
	"sync"

	"callboard/internal/sfu"
	"callboard/internal/stage"
)

// Others are the other processes on the same facts, as the floor needs them.
type Others interface {
	// Subscribe has another process answer an offer to receive what a publisher
	// that it holds sends. n is told what becomes of the peer, as
	// [sfu.Engine.Subscribe] does it; Closed, too, when the process is lost. Errors are those of [Floor.Host].
	Subscribe(ctx context.Context, home stage.Process, w Wish, n sfu.Notify) (Receiver, string, error)
}

// Wish is an offer to receive what a publisher sends.
type Wish struct {
	Stage      stage.ARN
	Publisher  string
	Subscriber string
	Offer      string
	Options    sfu.SubscribeOptions
}

// elsewhere gives the process that holds a participant if it is another one, nil if not.
func (f *Floor) elsewhere(ctx context.Context, arn stage.ARN, id string) (*stage.Process, error) {
	if f.Others == nil {
		return nil, nil
	}
	who := f.person(arn, id)
	if who != nil && who.home == "" || who == nil && f.arriving(arn, id) {
		return nil, nil
	}
	// A request of somebody elsewhere that is about to be passed on looks like an arrival.
	home, err := f.Register.Home(ctx, arn, id)
	if errors.Is(err, stage.ErrNoRow) || err == nil && home.ID == f.Register.Process() {
		return nil, nil
	}
	return &home, err
}

// Home makes this process the participant's, or tells which other one it is: a
// request of the participant belongs there. Otherwise nobody else gets to
// hold the participant before done is called.
func (f *Floor) Home(ctx context.Context, a stage.Admission) (elsewhere *stage.Process, done func(), err error) {
	if f.Others == nil {
		return nil, func() {}, f.open()
	}
	ctx, cancel := f.patiently(ctx)
	defer cancel()
	p, err := f.enter(a)
	if err != nil {
		return nil, nil, err
	}
	leave := sync.OnceFunc(func() {
		p.post(func() {
			f.mu.Lock()
			p.requests--
			f.mu.Unlock()
		})
	})
	var claim struct { // the goroutine's until it has closed claimed
		home stage.Process
		err  error
	}
	claimed := make(chan struct{})
	p.post(func() {
		defer close(claimed)
		claim.home, claim.err = p.comeHome(ctx, a)
	})
	if err := wait(ctx, claimed); err != nil {
		leave()
		return nil, nil, err
	}
	if claim.err != nil || claim.home.ID != f.Register.Process() {
		leave()
		return &claim.home, func() {}, claim.err
	}
	return nil, leave, nil
}

// comeHome takes the participant's seat unless another process has it.
func (p *participant) comeHome(ctx context.Context, a stage.Admission) (stage.Process, error) {
	me := p.floor.Register.Process()
	if p.claimed == me {
		return stage.Process{ID: me}, nil
	}
	home, err := p.floor.Register.Claim(ctx, p.key.stage, p.key.id)
	if err != nil {
		p.failing(ctx, a, err)
	} else if home.ID == me {
		p.claimed = me
	}
	return home, err
}

// mustHold claims the seat for a leg that can be nowhere else.
func (p *participant) mustHold(ctx context.Context, a stage.Admission) error {
	if p.floor.Others == nil {
		return nil
	}
	home, err := p.comeHome(ctx, a)
	if err == nil && home.ID != p.claimed {
		err = stage.ErrNotHeld
	}
	return err
}

// giveUp gives the seat back when the participant has nothing here any more, and
// no request on its way.
func (p *participant) giveUp() {
	p.floor.mu.Lock()
	wanted := p.requests > 0
	p.floor.mu.Unlock()
	if p.claimed == "" || wanted {
		return
	}
	p.claimed = ""
	if err := p.floor.Register.GiveUp(p.floor.facts, p.key.stage, p.key.id); err != nil {
		p.log.Warn("a seat could not be given back", "error", err)
	}
}

// Forsake ends everybody's presence because the others have taken this process
// for dead and have written so.
func (f *Floor) Forsake(ctx context.Context) error {
	f.endVisits()
	return f.dismiss(ctx, func(key) bool { return true }, func(p *participant) {
		p.claimed = ""
		p.endAll(stage.ReasonUnknown, "")
	})
}
