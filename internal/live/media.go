package live

import (
	"context"
	"strings"
	"sync"
	"time"

	"callboard/internal/sfu"
	"callboard/internal/stage"
)

// Media is one WebRTC leg of a participant: its publication, or a subscription
// to one publisher. Its methods are safe for concurrent use.
type Media struct {
	id     string
	owner  *participant
	target string // the publisher's id; "" for the owner's publication
	number uint64 // age among the owner's legs
	peer   peer

	admission stage.Admission
	client    stage.Client

	receiver Receiver // of a subscription; set before the leg is known to others, like peer

	// All below belongs to the owner's goroutine.
	up      bool // DTLS is
	started bool // it is recorded that RTP flows
	ended   bool
	seated  bool // the quotas count it

	bitrate int             // in the last window
	limited bool            // video waits for the quota of what is received
	passed  map[string]bool // quotas
	timers  []*time.Timer   // that look after how long it lasts
	silent  [2]bool         // audio, video: no packets come
	fault   stage.ErrorCode // for which it was ended

	publication *sfu.Publication // of a publication

	loads    newest[sfu.Load]
	takings  newest[sfu.Taken]
	silences newest[[2]bool]
	closing  func() <-chan struct{} // has the owner close it, once
}

// peer is what publications and subscriptions have in common.
type peer interface {
	Close()
	Patch(sfu.Fragment) (sfu.Fragment, error)
	ETag() string
}

// ID is the unguessable name of this media session.
func (m *Media) ID() string { return m.id }

// ETag identifies the ICE session, without quotes.
func (m *Media) ETag() string { return m.peer.ETag() }

// Patch adds remote candidates or restarts ICE; see [sfu.Fragment].
func (m *Media) Patch(f sfu.Fragment) (sfu.Fragment, error) { return m.peer.Patch(f) }

// Receives says whether this is a subscription.
func (m *Media) Receives() bool { return m.receiver != nil }

// Choose changes what a subscription receives; see [sfu.Subscription.Choose].
func (m *Media) Choose(ctx context.Context, c sfu.Change) error { return m.receiver.Choose(ctx, c) }

// View tells what a subscription has to choose from.
func (m *Media) View(ctx context.Context) (sfu.View, error) { return m.receiver.View(ctx) }

// OpenedWith says whether jwt is the very token that this session was opened with.
func (m *Media) OpenedWith(jwt string) bool { return m.admission.GivenFor(jwt) }

// Owner names the participant that it belongs to.
func (m *Media) Owner() (stage.ARN, string) { return m.owner.key.stage, m.owner.key.id }

// Close ends the leg and returns after what follows from it is recorded.
func (m *Media) Close(ctx context.Context) error {
	return wait(ctx, m.closing())
}

func (m *Media) close() <-chan struct{} {
	p := m.owner.floor.find(m.owner.key)
	if p == nil {
		done := make(chan struct{})
		close(done)
		return done
	}
	return p.request(func() {
		if p == m.owner && !m.ended {
			p.endMedia(m)
		}
	})
}

// notify has what the peer tells posted to the owner.
func (m *Media) notify() sfu.Notify {
	p := m.owner
	return sfu.Notify{
		Connected: func() { p.post(func() { p.connected(m) }) },
		Media:     func() { p.post(func() { p.flowing(m) }) },
		Load:      func(l sfu.Load) { m.loads.tell(p.post, l, m.weigh) },
		Taken:     func(t sfu.Taken) { m.takings.tell(p.post, t, m.received) },
		Silent:    func(audio, video bool) { m.silences.tell(p.post, [2]bool{audio, video}, m.fell) },
		Closed:    func(err error) { p.post(func() { p.closed(m, err) }) },
	}
}

func (p *participant) newMedia(a stage.Admission, c stage.Client, target string) *Media {
	m := &Media{
		id:        p.floor.mediaID(),
		owner:     p,
		target:    target,
		number:    p.number(),
		admission: a,
		client:    c,
	}
	m.closing = sync.OnceValue(m.close)
	return m
}

// mediaID names a new media session. Where there are several processes the name
// begins with the one that has it.
func (f *Floor) mediaID() string {
	if process := f.Register.Process(); process != "" {
		return process + "." + unguessable()
	}
	return unguessable()
}

// ProcessOf tells which process has the media session of this name, as far as the name says.
func ProcessOf(mediaID string) string {
	process, _, several := strings.Cut(mediaID, ".")
	if !several {
		return ""
	}
	return process
}

// number gives legs their age.
func (p *participant) number() uint64 {
	p.last++
	return p.last
}

// take makes m one of the participant's legs, which it counts as from now on: the
// participant has joined when take returns, and that is durable. So whoever gets the answer to its
// offer is on the roll already, and may receive as soon as it is connected. An older leg for the same
// purpose that is still not connected has no use any more.
func (p *participant) take(ctx context.Context, m *Media) error {
	if err := p.join(ctx, m.admission, m.client); err != nil {
		m.end()
		return err
	}
	var stale []*Media
	for other := range p.media {
		if other.target == m.target && !other.up {
			stale = append(stale, other)
		}
	}
	p.media[m] = struct{}{}
	p.floor.list(m)
	p.endMedia(stale...)
	if m.receiver != nil {
		m.receiver.Start()
	}
	return nil
}

// connected: DTLS is up. The leg takes the place of an older one.
func (p *participant) connected(m *Media) {
	if m.ended {
		return
	}
	m.up = true
	m.gauge().Add(1)
	p.watchTime(m)
	var surplus []*Media
	for other := range p.media {
		if other == m || other.target != m.target {
			continue
		}
		if other.number < m.number {
			surplus = append(surplus, other)
		} else if other.up {
			surplus = append(surplus, m)
		}
	}
	p.endMedia(surplus...)
}

// flowing: the first packet came in, or went out.
func (p *participant) flowing(m *Media) {
	if m.ended || m.started {
		return
	}
	if m.target != "" {
		p.record(stage.Fact{Name: stage.SubscribeStarted, Remote: m.target})
		m.started = true
		return
	}
	p.record(stage.Fact{Name: stage.PublishStarted, Protocol: stage.ProtocolWHIP})
	m.started = true
	p.self.publish(m.publication)
	p.self.silence(m.publication, m.silent)
}

// closed: the peer ended by itself.
func (p *participant) closed(m *Media, err error) {
	if m.ended {
		return
	}
	if err != nil {
		p.log.Debug("media lost", "publisher", m.target, "error", err)
		if !m.up {
			m.missed()
		}
	}
	p.endMedia(m)
}

// end closes the peer and forgets the leg; what follows from that is for the caller to record.
func (m *Media) end() {
	if m.ended {
		return
	}
	m.ended = true
	if m.up {
		m.gauge().Add(-1)
	}
	m.unmeasure()
	m.peer.Close()
	delete(m.owner.media, m)
	m.owner.vacate(m)
	m.owner.floor.unlist(m)
	if m.target != "" && m.owner.watching("") == 0 {
		m.owner.hoard(0)
	}
}
