package live

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"callboard/internal/sfu"
	"callboard/internal/stage"
)

// Options are what a Floor is built from. Zero numbers stand for the defaults.
type Options struct {
	Register *stage.Register
	Engine   *sfu.Engine
	Log      *slog.Logger // nil logs nothing
	Others   Others       // nil if there can be none

	// Quotas bound who publishes and subscribes at once; the others are not the floor's.
	Quotas stage.Quotas
	// AWS are the quotas of AWS: media that pass them are told of, and go on.
	AWS stage.Quotas
	// Demanded is told of every demand that these quotas may bound, from the
	// goroutines of participants, so it must be quick. nil tells nobody.
	Demanded func(stage.Demand)

	// ListViewersUpTo is the number of connected participants up to which people
	// who do not publish are shown to others; 100 by default, negative for never.
	ListViewersUpTo int
	// MaxSubscriptions bounds what one participant may watch at once; 64 by default.
	MaxSubscriptions int
	// Hold is how long a subscription waits for its publisher to publish again; 10 s by default.
	Hold time.Duration
	// ResumeWindow is how long a second socket has to prove that it continues the first; 2 s by default.
	ResumeWindow time.Duration
	// Patience is how long a request waits for its participant, who may be waiting for the store; 15 s by default.
	Patience time.Duration
	// Tick is how often [stage.Register.Sweep] is called; 1 s by default.
	Tick time.Duration
	// Farewell bounds how long Run takes to write down that everybody left; 10 s by default.
	Farewell time.Duration
}

func (o Options) withDefaults() Options {
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	o.ListViewersUpTo = cmp.Or(o.ListViewersUpTo, 100)
	o.MaxSubscriptions = cmp.Or(o.MaxSubscriptions, 64)
	o.Hold = cmp.Or(o.Hold, 10*time.Second)
	o.ResumeWindow = cmp.Or(o.ResumeWindow, 2*time.Second)
	o.Patience = cmp.Or(o.Patience, 15*time.Second)
	o.Tick = cmp.Or(o.Tick, time.Second)
	o.Farewell = cmp.Or(o.Farewell, 10*time.Second)
	return o
}

// key names one participant of one stage.
type key struct {
	stage stage.ARN
	id    string
}

// Floor is everybody who is here. Its methods are safe for concurrent use. It
// implements [stage.Floor].
type Floor struct {
	Options
	facts   context.Context // for writing facts; ends when Run gives up on writing them
	giveUp  context.CancelFunc
	actors  sync.WaitGroup
	count   struct{ participants, sockets, publications, subscriptions atomic.Int64 }
	errors  ration // of error events
	mishaps mishaps
	tally   tally

	mu      sync.Mutex
	closed  bool // for good
	vacated bool // for a while
	people  map[key]*participant
	casts   map[stage.ARN]*cast
	media   map[string]*Media
	visits  map[*Visit]struct{}
	watches map[*Watch]struct{}
	watched atomic.Int32 // how many watches; not guarded
	highest int64        // the last version of any cast that is no more
}

var _ stage.Floor = (*Floor)(nil)

// Open makes an empty floor. Run must be called for it to end.
func Open(o Options) *Floor {
	f := &Floor{
		Options: o.withDefaults(),
		people:  make(map[key]*participant),
		casts:   make(map[stage.ARN]*cast),
		media:   make(map[string]*Media),
		visits:  make(map[*Visit]struct{}),
		watches: make(map[*Watch]struct{}),
		tally:   tally{counts: make(map[share]int), others: make(map[string]map[share]int)},
	}
	f.tally.note = func(s share) { f.eachWatch(func(w *Watch) { w.markShare(s) }) }
	f.facts, f.giveUp = context.WithCancel(context.Background())
	return f
}

// Run has the register sweep now and then until ctx ends, and sends everybody away whose stage was deleted. Then it lets nobody in
// any more, ends everybody's presence with [stage.ReasonUnknown], and returns
// when their leaving is recorded, or an error if that took too long.
func (f *Floor) Run(ctx context.Context) error {
	tick := time.NewTicker(f.Tick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return f.farewell()
		case <-tick.C:
			if err := errors.Join(f.Register.Sweep(ctx), f.closeOrphans(ctx)); err != nil && ctx.Err() == nil {
				f.Log.Error("sweeping failed", "error", err)
			}
		}
	}
}

// closeOrphans does what is left to do on stages whose deletion did not come to its end, because the process that
// was asked died.
func (f *Floor) closeOrphans(ctx context.Context) error {
	ctx, cancel := f.patiently(ctx)
	defer cancel()
	orphans, err := f.Register.Orphans(ctx)
	for _, arn := range orphans {
		if err := f.Clear(ctx, arn, stage.ReasonStageDeleted); err != nil {
			return err
		}
		if err := f.Register.CloseOrphan(ctx, arn); err != nil {
			return err
		}
	}
	return err
}

func (f *Floor) farewell() error {
	ctx, cancel := context.WithTimeout(context.Background(), f.Farewell)
	defer cancel()
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	err := f.dismiss(ctx, func(key) bool { return true }, func(p *participant) {
		p.shut = true
		p.endAll(stage.ReasonUnknown, "")
	})
	if err != nil {
		err = fmt.Errorf("recording that everybody left: %w", err)
	}
	f.endVisits()
	f.giveUp()
	f.actors.Wait()
	return err
}

// Disconnect implements [stage.Floor].
func (f *Floor) Disconnect(ctx context.Context, arn stage.ARN, participantID string, reason stage.Reason, text string) error {
	p := f.find(key{arn, participantID})
	if p == nil {
		return nil
	}
	return p.do(ctx, func() { p.endAll(reason, text) })
}

// Clear implements [stage.Floor].
func (f *Floor) Clear(ctx context.Context, arn stage.ARN, reason stage.Reason) error {
	here := func(k key) bool { return k.stage == arn }
	return f.dismiss(ctx, here, func(p *participant) { p.endAll(reason, "") })
}

// dismiss has everybody who matches end their presence, all at the same time, and waits.
func (f *Floor) dismiss(ctx context.Context, match func(key) bool, end func(*participant)) error {
	f.mu.Lock()
	var matching []*participant
	for k, p := range f.people {
		if match(k) {
			p.requests++
			matching = append(matching, p)
		}
	}
	f.mu.Unlock()
	var pending []<-chan struct{}
	for _, p := range matching {
		pending = append(pending, p.request(func() { end(p) }))
	}
	for _, done := range pending {
		if err := wait(ctx, done); err != nil {
			return err
		}
	}
	return nil
}

// Media finds a publication or subscription by its id while it lasts.
func (f *Floor) Media(id string) (*Media, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, ok := f.media[id]
	return m, ok
}

// Stats says how many of what are here now.
type Stats struct {
	Participants  int // connected
	Sockets       int
	Publications  int // with DTLS up
	Subscriptions int // with DTLS up
	Visits        int // subscriptions of participants whom other processes hold
}

// Stats counts who is here.
func (f *Floor) Stats() Stats {
	f.mu.Lock()
	visits := len(f.visits)
	f.mu.Unlock()
	return Stats{
		Visits:        visits,
		Participants:  int(f.count.participants.Load()),
		Sockets:       int(f.count.sockets.Load()),
		Publications:  int(f.count.publications.Load()),
		Subscriptions: int(f.count.subscriptions.Load()),
	}
}

var (
	errClosed = &stage.Error{Kind: stage.Quota, Message: "The server is shutting down"}
	errBusy   = &stage.Error{Kind: stage.Quota, Message: "Too many requests of this participant are waiting; try again in a moment"}
	errLate   = &stage.Error{Kind: stage.Quota, Message: "The server cannot write down at the moment who comes; try again in a moment"}
)

// maxRequests is how many requests of one participant may be on their way at the same time. A client that comes back
// may ask for all its subscriptions at once.
const maxRequests = 256

// enter finds or starts the participant's goroutine for a request that comes in.
func (f *Floor) enter(a stage.Admission) (*participant, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.shut(); err != nil {
		return nil, err
	}
	k := key{a.Stage, a.ParticipantID}
	p := f.people[k]
	if p == nil {
		p = newParticipant(f, k)
		f.people[k] = p
		f.actors.Go(p.run)
	}
	if p.requests >= maxRequests {
		return nil, errBusy
	}
	p.requests++
	return p, nil
}

// patiently bounds how long a request that is made in ctx waits.
func (f *Floor) patiently(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, f.Patience, errLate)
}

// shut tells why nobody is let in. The lock is held.
func (f *Floor) shut() error {
	switch {
	case f.closed:
		return errClosed
	case f.vacated:
		return errVacated
	}
	return nil
}

// open fails if nobody is let in at the moment.
func (f *Floor) open() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.shut()
}

// find is enter for requests that make sense only for someone who is here; nil if not.
func (f *Floor) find(k key) *participant {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.people[k]
	if p != nil {
		p.requests++
	}
	return p
}

// retire takes an idle participant off the floor, unless a request is on its way to it.
func (f *Floor) retire(p *participant) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.requests > 0 {
		return false
	}
	delete(f.people, p.key)
	return true
}

func (f *Floor) list(m *Media) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.media[m.id] = m
}

func (f *Floor) unlist(m *Media) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.media, m.id)
}

// unguessable gives 128 random bits as text that is safe in a URL.
func unguessable() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
