package proof

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"callboard/internal/audit"
	"callboard/internal/stage"
	"callboard/internal/store"
)

// ask is one question to a house. It goes over a pipe if the house is a process.
type ask struct {
	ID      uint64
	Verb    string
	Stage   stage.ARN
	Session string
	Person  string
	User    string
	Entry   stage.Entry
	Facts   []stage.EventName
	Filter  filter
	Stored  bool // ask the database, not the rolls
	After   int64
	Limit   int
}

// outcome is what is known of a question.
type outcome int

const (
	done outcome = iota
	refused
	lost // no answer, or one that does not say whether it happened
)

// answer is what a house says.
type answer struct {
	ID       uint64
	Outcome  outcome
	Kind     stage.Kind
	Text     string
	Stage    stage.ARN
	Entry    stage.Entry
	People   []stage.Participant
	Sessions []stage.Session
	Events   []stage.Event
	Next     int64
}

// premises say what a house stands on.
type premises struct {
	Data         string
	Linger       time.Duration
	RollBytes    int64
	JournalBytes int64

	Among bool          // it is one of several on its data
	Ahead time.Duration // how far its clock has been set ahead
}

// lease is for how long one among several is taken for alive. Nobody waits that
// long: the clocks of those who survive are set ahead, twice by most of it, and
// they say in between that they are alive.
const (
	lease = 40 * time.Second
	leap  = lease * 6 / 10
)

// caller is who asks the control plane.
var caller = stage.Caller{Account: "123456789012", Region: "eu-west-1", ARN: "arn:aws:iam::123456789012:root", Action: "ivs:Any"}

// house is the product under test: everything but doors and media.
type house struct {
	store            *store.Store
	service, storing *stage.Service // storing never asks a roll
	register         *stage.Register
	ahead            atomic.Int64 // of its clock, in nanoseconds

	mu      sync.Mutex
	present map[key]*presence
}

type key struct {
	stage stage.ARN
	id    string
}

// presence is what the owner of a participant knows of it. The lock makes its
// facts come one after another.
type presence struct {
	sync.Mutex
	entry            stage.Entry
	here, publishing bool

	unsure bool // nobody knows whether the last facts were recorded
}

// rollless is a store that has nothing in memory.
type rollless struct{ stage.Store }

func (rollless) Roll(stage.ARN, string, stage.ParticipantQuery) ([]stage.Participant, bool) {
	return nil, false
}

func openHouse(ctx context.Context, p premises) (*house, error) {
	h := &house{present: map[key]*presence{}}
	h.ahead.Store(int64(p.Ahead))
	s, err := store.Open(ctx, store.Options{Path: p.Data, RollBytes: p.RollBytes, JournalBytes: p.JournalBytes, Now: h.now})
	if err != nil {
		return nil, err
	}
	h.store = s
	o := stage.Options{Store: s, Linger: p.Linger, Now: h.now, Lease: lease}
	h.service, h.register, err = stage.Open(ctx, o)
	if err == nil {
		o.Store = rollless{s}
		h.storing, _, err = stage.Open(ctx, o)
	}
	if err == nil && p.Among {
		_, err = h.register.Enlist(ctx, "", "")
	}
	if err == nil {
		h.service.UseFloor(h)
		err = h.register.Recover(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return h, nil
}

func (h *house) now() time.Time { return time.Now().Add(time.Duration(h.ahead.Load())) }

// renew says that it is alive, if it is one among several.
func (h *house) renew(ctx context.Context) (err error) {
	if h.register.Process() != "" {
		_, err = h.register.Renew(ctx)
	}
	return err
}

func (h *house) presence(k key) *presence {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.present[k] == nil {
		h.present[k] = &presence{}
	}
	return h.present[k]
}

// Disconnect is the floor's: the owner records the leaving.
func (h *house) Disconnect(ctx context.Context, arn stage.ARN, id string, _ stage.Reason, _ string) error {
	p := h.presence(key{arn, id})
	p.Lock()
	defer p.Unlock()
	if err := h.ascertain(ctx, p, id); err != nil || !p.here {
		return err
	}
	var facts []stage.Fact
	if p.publishing {
		facts = append(facts, stage.Fact{Name: stage.PublishStopped})
	}
	p.here, p.publishing = false, false
	return h.register.Record(ctx, p.entry, append(facts, stage.Fact{Name: stage.Left})...)
}

// ascertain finds out what is stored of somebody, if that is not known.
func (h *house) ascertain(ctx context.Context, p *presence, id string) error {
	if !p.unsure {
		return nil
	}
	list, _, err := h.service.Events(ctx, caller, p.entry.Stage, p.entry.SessionID, id, stage.Page{Limit: 1000})
	if err != nil {
		return err
	}
	p.unsure, p.publishing, p.here = false, false, len(list) > 0 && list[0].Name != stage.Left
	for _, e := range list { // the newest first
		switch e.Name {
		case stage.PublishStarted:
			p.publishing = true
			return nil
		case stage.PublishStopped, stage.Left, stage.Joined:
			return nil
		}
	}
	return nil
}

// Clear is the floor's. It leaves out some people, as if they came in this
// very moment: they are the service's to end.
func (h *house) Clear(ctx context.Context, arn stage.ARN, reason stage.Reason) error {
	var errs []error
	for i, id := range h.peopleOf(arn) {
		if i%3 != 0 {
			errs = append(errs, h.Disconnect(ctx, arn, id, reason, ""))
		}
	}
	return errors.Join(errs...)
}

func (h *house) Inspect(context.Context, stage.ARN, string) (m stage.Media, err error) { return m, nil }

func (h *house) peopleOf(arn stage.ARN) (ids []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for k := range h.present {
		if k.stage == arn {
			ids = append(ids, k.id)
		}
	}
	return ids
}

// do answers a question.
func (h *house) do(ctx context.Context, q ask) answer {
	var a answer
	err := h.act(ctx, q, &a)
	if e, ok := errors.AsType[*stage.Error](err); ok && e.Kind != stage.Internal {
		a.Outcome, a.Kind, a.Text = refused, e.Kind, e.Message
	} else if err != nil {
		a.Outcome, a.Text = lost, err.Error()
	}
	a.ID = q.ID
	return a
}

func (h *house) act(ctx context.Context, q ask, a *answer) (err error) {
	service := h.service
	if q.Stored {
		service = h.storing
	}
	page := stage.Page{After: q.After, Limit: q.Limit}
	switch q.Verb {
	case "create":
		var made stage.Stage
		made, _, err = h.service.CreateStage(ctx, caller, stage.NewStage{})
		a.Stage = made.ARN
	case "delete":
		err = h.service.DeleteStage(ctx, caller, q.Stage)
	case "exists":
		_, err = h.service.Stage(ctx, caller, q.Stage)
	case "join":
		a.Entry, err = h.join(ctx, q)
	case "record":
		err = h.record(ctx, q)
	case "kick":
		err = h.service.Disconnect(ctx, caller, q.Stage, q.Person, "")
	case "eject": // as another house orders that has barred somebody
		err = h.Disconnect(ctx, q.Stage, q.Person, "", "")
	case "later":
		h.ahead.Add(int64(leap))
		err = h.renew(ctx)
	case "sweep":
		err = cmp.Or(h.renew(ctx), h.register.Sweep(ctx))
	case "people":
		a.People, a.Next, err = service.Participants(ctx, caller, q.Filter.roll(q.Stage, q.Session, page))
	case "sessions":
		a.Sessions, a.Next, err = h.service.Sessions(ctx, caller, q.Stage, page)
	case "events":
		a.Events, a.Next, err = h.service.Events(ctx, caller, q.Stage, q.Session, q.Person, page)
	case "look": // one session, others writing meanwhile
		r := &audit.Report{}
		err = cmp.Or(r.Session(ctx, h.store, q.Stage, q.Session, nil), r.Err())
	case "same":
		if differs := h.same(ctx, q.Stage, q.Session); differs != nil {
			a.Text = differs.Error()
		}
	case "audit": // all there is, nobody writing
		var r *audit.Report
		if r, err = audit.Everything(ctx, h.store); err == nil {
			err = cmp.Or(r.Err(), h.store.Integrity(ctx))
		}
		a.Text = fmt.Sprintf("%d events, %d sessions, %d participants", r.Events, r.Sessions, r.Participants)
	case "close":
		err = h.store.Close()
	default:
		panic("no such verb: " + q.Verb)
	}
	return err
}

func (h *house) join(ctx context.Context, q ask) (stage.Entry, error) {
	p := h.presence(key{q.Stage, q.Person})
	p.Lock()
	defer p.Unlock()
	e, err := h.register.Join(ctx, stage.Admission{
		Stage: q.Stage, ParticipantID: q.Person, UserID: q.User, Expires: h.now().Add(24 * time.Hour),
	}, stage.Client{})
	if err == nil {
		p.entry, p.here = e, true
	}
	return e, err
}

func (h *house) record(ctx context.Context, q ask) error {
	p := h.presence(key{q.Stage, q.Person})
	p.Lock()
	defer p.Unlock()
	var facts []stage.Fact
	for _, name := range q.Facts {
		facts = append(facts, stage.Fact{Name: name, Protocol: stage.ProtocolWHIP})
		switch name {
		case stage.PublishStarted, stage.PublishStopped:
			p.publishing = name == stage.PublishStarted
		case stage.Left:
			p.here = false
		}
	}
	err := h.register.Record(ctx, q.Entry, facts...)
	p.unsure = p.unsure || err != nil && stage.KindOf(err) == stage.Internal
	return err
}

// same holds the roll of a session against the database, nobody writing.
func (h *house) same(ctx context.Context, arn stage.ARN, id string) error {
	for f := range filters {
		for _, before := range []int64{0, 2, 5, 17, 40} {
			for _, limit := range []int{1, 6, 500} {
				q := f.query(before, limit)
				rows, hot := h.store.Roll(arn, id, q)
				if !hot {
					continue
				}
				var stored []stage.Participant
				err := h.store.View(ctx, func(tx stage.Tx) error {
					session, err := tx.Session(arn, id)
					if err == nil {
						q.Session = session.No
						stored, err = tx.Participants(q)
					}
					return err
				})
				if err != nil || !reflect.DeepEqual(rows, stored) {
					return fmt.Errorf("%s, %+v: the roll has %+v, the database %+v (%v)", id, f, rows, stored, err)
				}
			}
		}
	}
	return nil
}
