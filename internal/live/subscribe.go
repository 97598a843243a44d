package live

import (
	"context"
	"fmt"
	"strings"
	"time"

	"callboard/internal/sfu"
	"callboard/internal/stage"
)

// Subscribe answers an offer to receive what a publisher on the same stage
// sends. StreamID of o is set to the publisher's id. The participant joins when the peer is
// connected. A subscription to the same publisher that it has already ends when
// the new one is connected. Errors are as for Publish; a publisher who is not here is
// NotFound, one who does not publish at the moment is Conflict.
func (f *Floor) Subscribe(ctx context.Context, a stage.Admission, c stage.Client, publisher, offer string, o sfu.SubscribeOptions) (*Media, string, error) {
	o.StreamID = publisher
	return f.negotiate(ctx, a, func(p *participant) (*Media, string, error) {
		return p.subscribe(ctx, a, c, publisher, offer, o)
	})
}

func (p *participant) subscribe(ctx context.Context, a stage.Admission, c stage.Client, publisher, offer string, o sfu.SubscribeOptions) (*Media, string, error) {
	who, source, err := p.lookUp(a, publisher)
	if err != nil {
		return nil, "", err
	}
	m := p.newMedia(a, c, publisher)
	if err := p.seat(m); err != nil {
		p.recordError(a, stage.Fact{Name: stage.SubscribeError, Remote: publisher, Error: stage.QuotaExceeded})
		return nil, "", err
	}
	defer p.release(m)
	subscription, answer, err := p.floor.Engine.Subscribe(ctx, offer, source, o, m.notify())
	if err != nil {
		return nil, "", p.refuseOffer(a, stage.Fact{Name: stage.SubscribeError, Remote: publisher}, err)
	}
	m.subscription, m.peer = subscription, subscription
	m.publisher, m.source = who, source
	who.follow(m)
	p.take(m)
	p.follow(m) // the publisher may have changed its mind meanwhile
	if m.ended {
		return nil, "", p.publisherNotFound(a, publisher)
	}
	return m, answer, nil
}

// lookUp finds the publication to subscribe to, if a may.
func (p *participant) lookUp(a stage.Admission, publisher string) (*person, *sfu.Publication, error) {
	attempt := stage.Fact{Name: stage.SubscribeError, Remote: publisher}
	if !a.MaySubscribe {
		attempt.Error = stage.InsufficientCapabilities
		p.recordError(a, attempt)
		return nil, nil, notAllowed("subscribe")
	}
	if publisher == a.ParticipantID {
		return nil, nil, &stage.Error{Kind: stage.Invalid, Message: "A participant cannot subscribe to itself"}
	}
	if !plausible(publisher) {
		return nil, nil, notHere(publisher)
	}
	who := p.floor.person(p.key.stage, publisher)
	if who == nil && p.floor.arriving(p.key.stage, publisher) {
		return nil, nil, notPublishing(publisher)
	}
	if who == nil {
		return nil, nil, p.publisherNotFound(a, publisher)
	}
	source, gone := who.source()
	switch {
	case gone:
		return nil, nil, p.publisherNotFound(a, publisher)
	case source == nil:
		return nil, nil, notPublishing(publisher)
	case p.watching(publisher) >= p.floor.MaxSubscriptions:
		attempt.Error = stage.QuotaExceeded
		p.recordError(a, attempt)
		return nil, nil, &stage.Error{Kind: stage.Quota, Code: stage.CodeStageAtCapacity, Message: fmt.Sprintf("At most %d subscriptions are allowed at a time", p.floor.MaxSubscriptions)}
	}
	return who, source, nil
}

func (p *participant) publisherNotFound(a stage.Admission, publisher string) error {
	p.recordError(a, stage.Fact{Name: stage.SubscribeError, Remote: publisher, Error: stage.PublisherNotFound})
	return notHere(publisher)
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

// follow makes a subscription agree with what its publisher does now.
func (p *participant) follow(m *Media) {
	if m.ended {
		return
	}
	source, gone := m.publisher.source()
	switch {
	case gone:
		p.endMedia(m)
	case source == m.source:
	case source == nil:
		m.source = nil
		m.subscription.Detach()
		p.holdOn(m)
	default:
		m.stopHolding()
		m.source = source
		if err := m.subscription.Attach(source); err != nil {
			p.log.Info("a subscription cannot go on with the new publication", "publisher", m.target, "error", err)
			p.endMedia(m)
		}
	}
}

// holdOn ends a subscription if its publisher does not publish again soon.
func (p *participant) holdOn(m *Media) {
	m.waits++
	wait := m.waits
	m.hold = time.AfterFunc(p.floor.Hold, func() {
		p.post(func() {
			if !m.ended && m.source == nil && m.waits == wait {
				p.endMedia(m)
			}
		})
	})
}

func (m *Media) stopHolding() {
	if m.hold != nil {
		m.hold.Stop()
		m.hold = nil
	}
}
