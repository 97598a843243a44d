package live

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"callboard/internal/sfu"
	"callboard/internal/stage"
)

// Publish answers an offer to send. The participant has joined when the answer
// is there, and publishes from the first packet; who does not connect has left after a while. A publication that it has already
// ends when the new one is connected. Errors that are not the server's fault are
// [*stage.Error]; one about the offer wraps an [*sfu.OfferError].
func (f *Floor) Publish(ctx context.Context, a stage.Admission, c stage.Client, offer string) (*Media, string, error) {
	return f.negotiate(ctx, a, func(p *participant) (*Media, string, error) {
		return p.publish(ctx, a, c, offer)
	})
}

// negotiate has the participant answer an offer.
func (f *Floor) negotiate(ctx context.Context, a stage.Admission, answerTo func(*participant) (*Media, string, error)) (*Media, string, error) {
	ctx, cancel := f.patiently(ctx)
	defer cancel()
	p, err := f.enter(a)
	if err != nil {
		return nil, "", err
	}
	var answer struct {
		media *Media
		sdp   string
		err   error
	}
	err = p.do(ctx, func() {
		if answer.err = p.mayEnter(ctx, a); answer.err != nil {
			return
		}
		answer.media, answer.sdp, answer.err = p.survive(answerTo)
	})
	if err != nil {
		// Nobody will ever see the answer.
		p.post(func() {
			if answer.media != nil && !answer.media.ended {
				p.endMedia(answer.media)
			}
		})
		return nil, "", err
	}
	return answer.media, answer.sdp, answer.err
}

// survive has an offer answered. Offers come from strangers and are taken
// apart by much code, so a panic there fails this one request, not everybody.
func (p *participant) survive(answerTo func(*participant) (*Media, string, error)) (m *Media, answer string, err error) {
	defer func() {
		if what := recover(); what != nil {
			p.log.Error("answering an offer panicked", "panic", what, "stack", string(debug.Stack()))
			m, answer, err = nil, "", fmt.Errorf("answering an offer panicked: %v", what)
			p.settle(nil) // it may have joined for this
		}
	}()
	return answerTo(p)
}

func (p *participant) publish(ctx context.Context, a stage.Admission, c stage.Client, offer string) (*Media, string, error) {
	if !p.allowed(a).MayPublish {
		p.recordError(a, stage.Fact{Name: stage.PublishError, Error: stage.InsufficientCapabilities})
		return nil, "", notAllowed("publish")
	}
	m := p.newMedia(a, c, "")
	if err := p.seat(m); err != nil {
		p.recordError(a, stage.Fact{Name: stage.PublishError, Error: stage.QuotaExceeded})
		return nil, "", err
	}
	defer p.release(m)
	publication, answer, err := p.floor.Engine.Publish(ctx, offer, m.notify())
	if err != nil {
		return nil, "", p.refuseOffer(a, stage.Fact{Name: stage.PublishError}, err)
	}
	m.publication, m.peer = publication, publication
	if err := p.take(ctx, m); err != nil {
		return nil, "", err
	}
	return m, answer, nil
}

func notAllowed(what string) error {
	return &stage.Error{
		Kind:    stage.Denied,
		Code:    stage.CodeTokenNotAllowed,
		Message: "The token does not allow its participant to " + what,
	}
}

// refuseOffer turns an error of the engine into one for the caller, and records it as attempt if it is an event.
func (p *participant) refuseOffer(a stage.Admission, attempt stage.Fact, err error) error {
	if problem, ok := errors.AsType[*sfu.OfferError](err); ok {
		switch problem.Code {
		case sfu.NoVideoCodec:
			attempt.Error = stage.InvalidVideoCodec
		case sfu.NoAudioCodec:
			attempt.Error = stage.InvalidAudioCodec
		}
		if attempt.Error != "" {
			p.recordError(a, attempt)
		}
		return &stage.Error{Kind: stage.Invalid, Message: problem.Message, Err: problem}
	}
	return engineTrouble(err)
}

// engineTrouble says what an error of the engine that is not about the offer means to the caller.
func engineTrouble(err error) error {
	if errors.Is(err, sfu.ErrTooMany) || errors.Is(err, sfu.ErrClosed) {
		return &stage.Error{Kind: stage.Quota, Code: stage.CodeStageAtCapacity, Message: "The server takes no more media at the moment", Err: err}
	}
	return fmt.Errorf("answering an offer: %w", err)
}

// gauge is the counter of connected legs of m's kind.
func (m *Media) gauge() *atomic.Int64 {
	if m.target == "" {
		return &m.owner.floor.count.publications
	}
	return &m.owner.floor.count.subscriptions
}
