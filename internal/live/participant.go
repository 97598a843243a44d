package live

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"callboard/internal/stage"
)

// participant is one participant's presence in this process. Its goroutine
// lives from the first request until there is no leg left.
type participant struct {
	floor *Floor
	key   key
	log   *slog.Logger
	mail  mailbox

	requests int       // on their way through the mailbox; guarded by floor.mu
	question *question // what nobody has begun to answer yet; guarded by floor.mu

	// All below belongs to run.
	entry     *stage.Entry     // nil while not connected
	failed    *stage.Admission // whose join came to nothing, or is on record all the same
	held      stage.Admission  // by which it is connected
	exchanged int64            // number of the event by which it got that; 0 if by joining

	exchanges, descriptions allowance
	self                    *person      // nil while not connected
	client                  stage.Client // what was told about the software so far
	socket                  *Attendance  // nil without one
	media                   map[*Media]struct{}
	seats                   map[string]int // legs that the quotas count, by target
	last                    uint64         // number of the youngest leg
	shut                    bool           // lets no leg in any more
	claims                  []claim        // of sockets that were replaced, oldest first, until the window closes
	newest                  uint64         // number of the latest socket, which opened the window

	hoards  bool   // it receives more than a quota says
	claimed string // this process's id while the seat is known to be its
}

func newParticipant(f *Floor, k key) *participant {
	return &participant{
		floor: f,
		key:   k,
		log:   f.Log.With("stage", k.stage.String(), "participant", k.id),
		mail:  newMailbox(),
		media: make(map[*Media]struct{}),
		seats: make(map[string]int),
	}
}

func (p *participant) run() {
	for {
		for _, fn := range p.mail.take() {
			fn()
		}
		if p.socket == nil && len(p.media) == 0 {
			p.takeBack()
			p.giveUp()
			if p.floor.retire(p) {
				return // what is posted from now on concerns legs that have ended
			}
		}
		<-p.mail.wake
	}
}

// post has fn run by the participant's goroutine; not at all if there is no leg left.
func (p *participant) post(fn func()) { p.mail.post(fn) }

// request posts fn for a request that enter or find has announced.
func (p *participant) request(fn func()) <-chan struct{} {
	done := make(chan struct{})
	p.post(func() {
		defer close(done)
		fn()
		p.floor.mu.Lock()
		p.requests--
		p.floor.mu.Unlock()
	})
	return done
}

// do is request and wait. When ctx ends first its error is returned; fn runs all the same.
func (p *participant) do(ctx context.Context, fn func()) error {
	return wait(ctx, p.request(fn))
}

func wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// mayEnter looks whether a leg may come in, for which somebody waits still.
func (p *participant) mayEnter(ctx context.Context, a stage.Admission) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if p.shut {
		return errClosed
	}
	return p.mustHold(ctx, a)
}

// join makes the participant connected if it is not.
func (p *participant) join(ctx context.Context, a stage.Admission, c stage.Client) error {
	if p.entry != nil {
		p.describe(c)
		return nil
	}
	entry, err := p.floor.Register.Join(ctx, a, c)
	if err != nil {
		p.failing(ctx, a, err)
		return err
	}
	p.failed = nil
	p.entry, p.client, p.held, p.exchanged = &entry, c, a, 0
	p.self = p.floor.show(p.key.stage, Person{
		ID:           a.ParticipantID,
		UserID:       a.UserID,
		Attributes:   a.Attributes,
		MayPublish:   a.MayPublish,
		MaySubscribe: a.MaySubscribe,
		SessionID:    entry.SessionID,
		JoinedAt:     entry.JoinedAt,
	})
	p.floor.count.participants.Add(1)
	p.log.Info("participant joined", "session", entry.SessionID)
	return nil
}

// failing notes that somebody could not join for a fault of ours, unless nothing was begun because ctx had ended.
func (p *participant) failing(ctx context.Context, a stage.Admission, err error) {
	if !hopeless(err) && err != ctx.Err() {
		p.failed = &a
	}
}

// takeBack has somebody leave who is not here, of whom nobody knows whether a
// join that failed, or the seat for it, is on record; and writes down that it failed.
func (p *participant) takeBack() {
	if p.failed == nil {
		return
	}
	err := p.insist("it is not known whether a join was recorded", func(bool) error {
		return p.floor.Register.Absent(p.floor.facts, p.key.stage, p.key.id)
	})
	if err == nil {
		p.claimed = p.floor.Register.Process() // to be given back
	}
	if err == nil || hopeless(err) {
		p.recordError(*p.failed, stage.Fact{Name: stage.JoinError, Error: stage.InternalServerException})
		p.failed = nil
	}
}

// describe writes down what is new in c about the participant's software.
func (p *participant) describe(c stage.Client) {
	told := overlay(p.client, c)
	if p.entry == nil || told == p.client || !p.descriptions.take(time.Now()) {
		return
	}
	if err := p.floor.Register.Describe(p.floor.facts, *p.entry, c); err != nil {
		p.log.Warn("client information could not be recorded", "error", err)
		return
	}
	p.client = told
}

// record writes facts of a connected participant. The book must not miss one, nor have it twice.
func (p *participant) record(facts ...stage.Fact) {
	err := p.insist("facts could not be recorded", func(again bool) error {
		if again {
			return p.floor.Register.RecordAgain(p.floor.facts, *p.entry, facts...)
		}
		return p.floor.Register.Record(p.floor.facts, *p.entry, facts...)
	})
	if err != nil && !errors.Is(err, stage.ErrNotHeld) {
		p.log.Error("facts are not on record", "facts", len(facts), "error", err)
	}
}

// insist writes what must be written: it tries again until it works, the register says that it
// never will, or the floor closes. What failed may be on record all the same.
func (p *participant) insist(failed string, write func(again bool) error) error {
	for pause, again := firstPause, false; ; pause, again = longer(pause), true {
		err := write(again)
		if err == nil {
			return nil
		}
		if errors.Is(err, stage.ErrNotHeld) {
			p.forsake()
			return err
		}
		if hopeless(err) {
			return err
		}
		p.log.Error(failed, "error", err)
		select {
		case <-p.floor.facts.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// forsake ends everything here, soon, because another process has the participant by now.
func (p *participant) forsake() {
	if p.entry == nil {
		return
	}
	p.log.Warn("another process has taken over, so everything ends here")
	entry := p.entry
	p.post(func() {
		if p.entry == entry { // and not somebody who has come back meanwhile
			p.endAll(stage.ReasonUnknown, "")
		}
	})
}

// firstPause is how long to wait before the store is asked again for the first time.
const firstPause = 50 * time.Millisecond

// longer is the pause that comes after another.
func longer(pause time.Duration) time.Duration { return min(2*pause, 5*time.Second) }

func hopeless(err error) bool {
	return errors.Is(err, stage.ErrNoRow) || stage.KindOf(err) != stage.Internal
}

// recordError writes that an attempt failed, once: an error event more or less
// is not worth holding up the participant. Nor is it worth filling the book, so
// who fails over and over is written down now and then.
func (p *participant) recordError(a stage.Admission, f stage.Fact) {
	if f.Name != stage.JoinError {
		p.floor.mishaps.note(p.key, stage.Failure{At: time.Now(), Publisher: f.Remote, Error: f.Error})
	}
	if !p.floor.errors.allow(p.key, f, time.Now()) {
		p.log.Debug("an error event was left out, there are too many", "event", string(f.Name), "code", string(f.Error))
		return
	}
	var err error
	if p.entry != nil {
		err = p.floor.Register.Record(p.floor.facts, *p.entry, f)
	} else {
		err = p.floor.Register.Refuse(p.floor.facts, a, f)
	}
	if err != nil {
		p.log.Error("an error event could not be recorded", "event", string(f.Name), "error", err)
	}
}

// alive tells whether there is any leg.
func (p *participant) alive() bool {
	return p.socket != nil || len(p.media) > 0
}

// endAll ends every leg.
func (p *participant) endAll(reason stage.Reason, text string) {
	p.endSocket(reason, text)
	legs := make([]*Media, 0, len(p.media))
	for m := range p.media {
		legs = append(legs, m)
	}
	p.endMedia(legs...)
}

// endSocket ends the socket; settle must follow.
func (p *participant) endSocket(reason stage.Reason, text string) {
	if p.socket == nil {
		return
	}
	p.self.cast.unwatch(p.self)
	p.socket.finish(reason, text)
	p.socket = nil
	p.floor.count.sockets.Add(-1)
}

// endMedia ends media and writes down what that means.
func (p *participant) endMedia(legs ...*Media) {
	for _, m := range legs {
		m.end()
	}
	p.settle(legs)
}

// settle writes down, in one transaction, what follows from the end of legs,
// and only then tells the stage.
func (p *participant) settle(ended []*Media) {
	if p.entry == nil {
		return
	}
	facts, unpublished := departures(ended)
	left := !p.alive()
	if left {
		facts = append(facts, stage.Fact{Name: stage.Left})
	}
	if len(facts) > 0 {
		p.record(facts...)
	}
	if left {
		p.floor.hide(p.key.stage, p.self)
		p.floor.count.participants.Add(-1)
		p.log.Info("participant left", "session", p.entry.SessionID)
		p.entry, p.self, p.claimed = nil, nil, ""
	} else if unpublished {
		p.self.unpublish()
	}
}

// departures are the facts that follow from the end of media: first what was
// watched, then what was sent.
func departures(ended []*Media) (facts []stage.Fact, unpublished bool) {
	var fault stage.ErrorCode
	for _, m := range ended {
		if m.fault != "" && m.target == "" {
			fault = m.fault
		} else if m.fault != "" {
			facts = append(facts, stage.Fact{Name: stage.SubscribeError, Remote: m.target, Error: m.fault})
		}
		switch {
		case !m.started:
		case m.target == "":
			unpublished = true
		default:
			facts = append(facts, stage.Fact{Name: stage.SubscribeStopped, Remote: m.target})
		}
	}
	if fault != "" {
		facts = append(facts, stage.Fact{Name: stage.PublishError, Error: fault})
	}
	if unpublished {
		facts = append(facts, stage.Fact{Name: stage.PublishStopped})
	}
	return facts, unpublished
}
