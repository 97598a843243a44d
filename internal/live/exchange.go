package live

import (
	"context"
	"fmt"
	"time"

	"callboard/internal/stage"
)

// Exchange has the participant hold another token of its own from now on. When it
// returns that is recorded, what the new token does not allow has ended, and others
// are told. One at a time is accepted. To come with the token that is held already changes nothing, nor does an error; errors are those of
// [stage.Register.Exchange].
func (a *Attendance) Exchange(ctx context.Context, next stage.Admission) error {
	if !a.exchanging.CompareAndSwap(false, true) {
		return errExchanging
	}
	done := make(chan error, 1)
	a.owner.post(func() { done <- a.exchange(ctx, next) })
	select {
	case err := <-done:
		return err
	case <-a.done: // nobody may be there any more to do it
		return errNoSocket
	case <-ctx.Done():
		return ctx.Err()
	}
}

// exchange is over before anybody has its answer, who may come with the next.
func (a *Attendance) exchange(ctx context.Context, next stage.Admission) error {
	defer a.exchanging.Store(false)
	if a.owner.socket != a {
		return errNoSocket
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return a.owner.exchange(next)
}

// Reject ends everything the participant has here because it came with a token that does not hold.
func (a *Attendance) Reject() { a.endAll(stage.ReasonFailedExchange) }

var (
	errNoSocket   = &stage.Error{Kind: stage.Conflict, Message: "The participant has another presence socket by now"}
	errExchanging = &stage.Error{Kind: stage.Conflict, Message: "The exchange before this one is not over yet; try again in a moment"}
)

var errTooManyExchanges = &stage.Error{
	Kind: stage.Quota, Code: stage.CodeStageAtCapacity,
	Message: fmt.Sprintf("The token was exchanged too often; try again in %v", allowanceEvery),
}

func (p *participant) exchange(next stage.Admission) error {
	if next.Same(p.held) {
		return nil
	}
	if !p.exchanges.take(time.Now()) {
		return errTooManyExchanges
	}
	no, err := p.recordExchange(next)
	if err != nil {
		return err
	}
	p.held, p.exchanged = next, no
	p.self.become(next)
	var lost []*Media
	for m := range p.media {
		if m.target == "" && !next.MayPublish || m.target != "" && !next.MaySubscribe {
			lost = append(lost, m)
		}
	}
	p.endMedia(lost...)
	p.log.Info("token exchanged")
	return nil
}

// recordExchange writes it down once, whether or not the client still waits: others are to see what is on record.
func (p *participant) recordExchange(next stage.Admission) (no int64, err error) {
	err = p.insist("an exchange of tokens could not be recorded", func(again bool) (err error) {
		if again {
			no, err = p.floor.Register.ExchangeAgain(p.floor.facts, *p.entry, p.exchanged, p.held, next)
			return err
		}
		no, err = p.floor.Register.Exchange(p.floor.facts, *p.entry, p.held, next)
		return err
	})
	return no, err
}

// allowed gives an admission with what the participant may do by now. Once it has
// exchanged its token, that says so, whichever of its tokens it shows.
func (p *participant) allowed(a stage.Admission) stage.Admission {
	if p.entry != nil && p.exchanged > 0 {
		a.MayPublish, a.MaySubscribe = p.held.MayPublish, p.held.MaySubscribe
	}
	return a
}

// become shows who as another token of its own describes it.
func (p *person) become(a stage.Admission) {
	c := p.cast
	c.mu.Lock()
	defer c.mu.Unlock()
	p.public.UserID, p.public.Attributes = a.UserID, a.Attributes
	p.public.MayPublish, p.public.MaySubscribe = a.MayPublish, a.MaySubscribe
	c.changed(p, c.shown(p))
}
