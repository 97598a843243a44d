package live

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"callboard/internal/sfu"
	"callboard/internal/stage"
)

// Subscribe answers an offer to receive what a publisher on the same stage
// sends. StreamID of o is set to the publisher's id. The participant joins as by
// Publish. A subscription to the same publisher that it has already ends when
// the new one is connected. Errors are as for Publish; a publisher who is not here is
// NotFound, one who does not publish at the moment is Conflict.
func (f *Floor) Subscribe(ctx context.Context, a stage.Admission, c stage.Client, publisher, offer string, o sfu.SubscribeOptions) (*Media, string, error) {
	o.StreamID = publisher
	w := Wish{Stage: a.Stage, Publisher: publisher, Subscriber: a.ParticipantID, Offer: offer, Options: o}
	return f.negotiate(ctx, a, func(p *participant) (*Media, string, error) {
		return p.subscribe(ctx, a, c, w)
	})
}

func (p *participant) subscribe(ctx context.Context, a stage.Admission, c stage.Client, w Wish) (*Media, string, error) {
	if err := p.checkWish(a, w.Publisher); err != nil {
		return nil, "", err
	}
	receive, err := p.lookUp(ctx, w)
	if err != nil {
		return nil, "", p.refuseWish(a, w.Publisher, err)
	}
	if err := p.checkWatching(a, w.Publisher); err != nil {
		return nil, "", err
	}
	m := p.newMedia(a, c, w.Publisher)
	if err := p.seat(m); err != nil {
		p.recordError(a, stage.Fact{Name: stage.SubscribeError, Remote: w.Publisher, Error: stage.QuotaExceeded})
		return nil, "", err
	}
	defer p.release(m)
	answer, err := receive(ctx, m)
	if err != nil {
		return nil, "", p.refuseWish(a, w.Publisher, err)
	}
	m.peer = m.receiver
	if r, ok := m.receiver.(*reception); ok {
		r.begin()
	}
	if m.ended { // before it was taken: who is refused does not join
		return nil, "", p.refuseWish(a, w.Publisher, notHere(w.Publisher))
	}
	if err := p.take(ctx, m); err != nil {
		return nil, "", err
	}
	return m, answer, nil
}

// checkWish refuses what needs no look at the publisher.
func (p *participant) checkWish(a stage.Admission, publisher string) error {
	switch {
	case !p.allowed(a).MaySubscribe:
		p.recordError(a, stage.Fact{Name: stage.SubscribeError, Remote: publisher, Error: stage.InsufficientCapabilities})
		return notAllowed("subscribe")
	case publisher == a.ParticipantID:
		return &stage.Error{Kind: stage.Invalid, Message: "A participant cannot subscribe to itself"}
	case !plausible(publisher):
		return notHere(publisher)
	}
	return nil
}

func (p *participant) checkWatching(a stage.Admission, publisher string) error {
	if p.watching(publisher) < p.floor.MaxSubscriptions {
		return nil
	}
	p.recordError(a, stage.Fact{Name: stage.SubscribeError, Remote: publisher, Error: stage.QuotaExceeded})
	return &stage.Error{Kind: stage.Quota, Code: stage.CodeStageAtCapacity, Message: fmt.Sprintf("At most %d subscriptions are allowed at a time", p.floor.MaxSubscriptions)}
}

// lookUp finds the publisher and gives the way to receive from it: of this
// process's engine, or of the process that holds it.
func (p *participant) lookUp(ctx context.Context, w Wish) (func(context.Context, *Media) (string, error), error) {
	home, err := p.floor.elsewhere(ctx, w.Stage, w.Publisher)
	if err != nil {
		return nil, err
	}
	if home != nil {
		return func(ctx context.Context, m *Media) (answer string, err error) {
			m.receiver, answer, err = p.floor.Others.Subscribe(ctx, *home, w, m.notify())
			return answer, err
		}, nil
	}
	who, source, err := p.floor.publisher(w)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, m *Media) (string, error) {
		r, answer, err := p.floor.receive(ctx, who, source, w, m.notify())
		if err != nil {
			return "", err
		}
		r.post, r.end = p.post, func(err error) { p.lostSource(m, err) }
		m.receiver = r
		return answer, nil
	}, nil
}

// lostSource: the subscription cannot go on with what its publisher does now.
func (p *participant) lostSource(m *Media, err error) {
	if err != nil {
		p.log.Info("a subscription cannot go on with the new publication", "publisher", m.target, "error", err)
	}
	p.endMedia(m)
}

// publisher finds what somebody here publishes.
func (f *Floor) publisher(w Wish) (*person, *sfu.Publication, error) {
	who := f.person(w.Stage, w.Publisher)
	if who == nil && f.arriving(w.Stage, w.Publisher) {
		return nil, nil, notPublishing(w.Publisher)
	}
	if who == nil || who.home != "" { // elsewhere, the facts say, it is no more
		return nil, nil, notHere(w.Publisher)
	}
	source, gone := who.source()
	switch {
	case gone:
		return nil, nil, notHere(w.Publisher)
	case source == nil:
		return nil, nil, notPublishing(w.Publisher)
	}
	return who, source, nil
}

// receive has the engine answer a wish; post, end and begin of the result are for the caller.
func (f *Floor) receive(ctx context.Context, who *person, source *sfu.Publication, w Wish, n sfu.Notify) (*reception, string, error) {
	o := w.Options
	o.Viewer, o.Limit = w.Stage.String()+"/"+w.Subscriber, f.Quotas.DownloadBitrate
	s, answer, err := f.Engine.Subscribe(ctx, w.Offer, source, o, n)
	if err != nil {
		return nil, "", err
	}
	return &reception{Subscription: s, publisher: who, source: source, patience: f.Hold}, answer, nil
}

// refuseWish is refuseOffer for a subscription; that there is no such publisher is recorded, too.
func (p *participant) refuseWish(a stage.Admission, publisher string, err error) error {
	attempt := stage.Fact{Name: stage.SubscribeError, Remote: publisher}
	if _, offer := errors.AsType[*sfu.OfferError](err); !offer && stage.KindOf(err) != stage.Internal {
		if stage.KindOf(err) == stage.NotFound {
			attempt.Error = stage.PublisherNotFound
			p.recordError(a, attempt)
		}
		return err
	}
	return p.refuseOffer(a, attempt, err)
}

func notPublishing(publisher string) error {
	return &stage.Error{Kind: stage.Conflict, Message: fmt.Sprintf("Participant %s does not publish at the moment", publisher)}
}

func notHere(publisher string) error {
	return &stage.Error{Kind: stage.NotFound, Message: fmt.Sprintf("No participant %.64q is on this stage", publisher)}
}

// plausible tells whether an id has the form of a participant's (the jti of a
// participant token). What has not is nothing to keep events about.
func plausible(id string) bool {
	return id != "" && len(id) <= 64 && !strings.ContainsFunc(id, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_')
	})
}

// watching counts subscriptions to others than except, whose would be replaced.
func (p *participant) watching(except string) int {
	n := 0
	for m := range p.media {
		if m.target != "" && m.target != except {
			n++
		}
	}
	return n
}
