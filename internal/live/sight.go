package live

import (
	"context"
	"slices"
	"time"

	"callboard/internal/sfu"
	"callboard/internal/stage"
)

// lookLimit bounds how long is waited for participants whose goroutine is busy.
const lookLimit = 2 * time.Second

// Inspect implements [stage.Floor]: what this process knows.
func (f *Floor) Inspect(ctx context.Context, arn stage.ARN, participantID string) (stage.Media, error) {
	here := func(k key) bool { return k.stage == arn && (participantID == "" || k.id == participantID) }
	found := f.examine(ctx, here)
	m := stage.Media{At: time.Now()}
	for _, p := range found {
		m.Participants = append(m.Participants, p)
	}
	return m, ctx.Err()
}

// InspectAll is Inspect of everybody here, by stage.
func (f *Floor) InspectAll(ctx context.Context) map[stage.ARN]stage.Media {
	all := make(map[stage.ARN]stage.Media)
	for k, p := range f.examine(ctx, func(key) bool { return true }) {
		m := all[k.stage]
		m.Participants = append(m.Participants, p)
		all[k.stage] = m
	}
	return all
}

// examine asks everybody who matches, and adds the legs that are carried here for participants of other processes.
func (f *Floor) examine(ctx context.Context, match func(key) bool) map[key]stage.ParticipantMedia {
	found := make(map[key]stage.ParticipantMedia)
	for k, failures := range f.mishaps.of(match) {
		found[k] = stage.ParticipantMedia{ID: k.id, Failures: failures}
	}
	asked, visits := f.ask(match)
	for _, v := range visits {
		k := key{v.wish.Stage, v.wish.Subscriber}
		p := found[k]
		p.ID = k.id
		leg := describe(v.Stats())
		leg.Publisher, leg.Process = v.wish.Publisher, f.Register.Process()
		p.Subscriptions = append(p.Subscriptions, leg)
		found[k] = p
	}
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	for k, q := range asked {
		p, answered := q.await(ctx)
		if !answered {
			p = stage.ParticipantMedia{ID: k.id, Process: f.Register.Process(), Busy: true}
		}
		if idle(p) && (found[k].ID == "" || found[k].Subscriptions != nil) {
			continue
		}
		p.Failures = found[k].Failures
		found[k] = p
	}
	return found
}

// idle tells that somebody has nothing here: a request may be on its way.
func idle(p stage.ParticipantMedia) bool {
	return !p.Connected && !p.Busy && p.Publication == nil && p.Subscriptions == nil
}

// ask has everybody who matches tell about themselves.
func (f *Floor) ask(match func(key) bool) (map[key]*question, []*Visit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	asked := make(map[key]*question)
	for k, p := range f.people {
		if match(k) {
			asked[k] = p.ask()
		}
	}
	var visits []*Visit
	for v := range f.visits {
		if match(key{v.wish.Stage, v.wish.Subscriber}) {
			visits = append(visits, v)
		}
	}
	return asked, visits
}

// question is put to a participant's goroutine once for all who ask before it gets round to it.
type question struct {
	answered chan struct{}
	told     stage.ParticipantMedia // before answered is closed
}

// await gives the answer, false if ctx ends without one.
func (q *question) await(ctx context.Context) (told stage.ParticipantMedia, answered bool) {
	select {
	case <-q.answered: // even if it is late already for somebody else
	default:
		select {
		case <-q.answered:
		case <-ctx.Done():
			return told, false
		}
	}
	told = q.told
	told.Subscriptions = slices.Clone(told.Subscriptions) // which whoever asked will sort
	return told, true
}

// ask has the participant tell about itself. The floor's lock is held.
func (p *participant) ask() *question {
	if p.question != nil {
		return p.question
	}
	q := &question{answered: make(chan struct{})}
	p.question = q
	p.requests++
	p.request(func() {
		p.floor.mu.Lock()
		p.question = nil // who asks from now on asks about what comes after this
		p.floor.mu.Unlock()
		q.told = p.tell()
		close(q.answered)
	})
	return q
}

// tell is what the participant knows of its media.
func (p *participant) tell() stage.ParticipantMedia {
	m := stage.ParticipantMedia{ID: p.key.id, Process: p.floor.Register.Process(), Connected: p.entry != nil, Socket: p.socket != nil}
	if p.self != nil {
		public := p.self.look()
		m.UserID, m.MayPublish, m.MaySubscribe = public.UserID, public.MayPublish, public.MaySubscribe
		m.Publishing, m.AudioMuted, m.VideoStopped = public.Publishing, public.AudioMuted, public.VideoStopped
	}
	youngest := make(map[string]*Media)
	for leg := range p.media {
		if other := youngest[leg.target]; other == nil || better(leg, other) {
			youngest[leg.target] = leg
		}
	}
	for target, leg := range youngest {
		told := leg.tell()
		if target == "" {
			m.Publication = &told
			continue
		}
		m.Subscriptions = append(m.Subscriptions, told)
	}
	return m
}

// better prefers a leg that is up to one that is to take its place.
func better(a, b *Media) bool {
	if a.up != b.up {
		return a.up
	}
	return a.number > b.number
}

func (m *Media) tell() stage.MediaLeg {
	var leg stage.MediaLeg
	switch peer := m.peer.(type) {
	case *sfu.Publication:
		s := peer.Stats()
		leg = describePeer(s.PeerStats, s.Streams)
	case *reception:
		leg = describe(peer.Stats())
	}
	leg.Publisher = m.target
	return leg
}

func describe(s sfu.SubscriptionStats) stage.MediaLeg {
	leg := describePeer(s.PeerStats, s.Streams)
	leg.Held, leg.AudioOnly, leg.Way = !s.Attached, s.AudioOnly, stage.Way(s.Way)
	return leg
}

var progresses = map[sfu.Progress]stage.Progress{
	sfu.Unreached: stage.Unreached, sfu.Checking: stage.Checking, sfu.Handshakes: stage.Handshakes,
	sfu.Refused: stage.Broken, sfu.Connected: stage.Up,
}

func describePeer(s sfu.PeerStats, streams []sfu.StreamStats) stage.MediaLeg {
	leg := stage.MediaLeg{
		Progress: progresses[s.Progress], Made: s.Made, Connected: s.Up, Heard: s.Heard, RTT: s.RTT,
		Streams: make([]stage.MediaStream, 0, len(streams)),
	}
	for _, s := range streams {
		leg.Streams = append(leg.Streams, stage.MediaStream{
			Kind: s.Kind, Codec: s.Codec, Layer: s.Layer, Bitrate: s.Bitrate, FrameRate: s.FrameRate, Width: s.Width, Height: s.Height,
			Packets: s.Packets, Lost: s.Lost, Loss: s.Loss, Jitter: s.Jitter, LastAt: s.LastAt, KeyFrame: s.KeyFrameAt,
			Awaited: s.Awaited, Waits: s.Waits, Reported: s.Reported, Retransmitted: s.Retransmitted, KeyFrameRequests: s.KeyFrameRequests,
		})
	}
	return leg
}

// look is what others may know of p.
func (p *person) look() Person {
	p.cast.mu.Lock()
	defer p.cast.mu.Unlock()
	return p.public
}
