package stage

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"sync/atomic"
	"time"

	"callboard/internal/token"
)

// Register is the book at the stage door: it lets people in and writes down
// what they do. Facts of one participant must be handed in one after another,
// by whoever owns that participant.
type Register struct {
	*lottery
	store     Store
	linger    time.Duration
	serverKey *ecdsa.PublicKey
	known     *token.Known
	now       func() time.Time // the clock tokens are judged by
	lease     time.Duration
	self      atomic.Pointer[membership] // nil while alone on these facts
}

// Entry is one participant's presence in a session, given by [Register.Join]
// and handed back with every further fact.
type Entry struct {
	Stage         ARN
	Session       int64
	SessionID     string
	Seq           int64
	ParticipantID string
	JoinedAt      time.Time
}

// Fact is something that happened to a participant who has an [Entry].
type Fact struct {
	Name     EventName
	Remote   string    // publisher, with the subscribe facts
	Error    ErrorCode // with the error facts
	Protocol Protocol  // with PublishStarted
}

// Join marks the participant CONNECTED and appends JOINED, opening a session
// if none is live. It fails like Admit when the stage went or the id was
// barred since, and with [ErrNotHeld] while another process holds the participant.
func (r *Register) Join(ctx context.Context, a Admission, c Client) (e Entry, err error) {
	err = r.store.Update(ctx, func(tx Tx) error {
		if err := checkDoor(tx, a); err != nil {
			return err
		}
		if err := r.hold(tx, a.Stage, a.ParticipantID); err != nil {
			return err
		}
		if err := remember(tx, a); err != nil {
			return err
		}
		session, err := r.openSession(tx, a.Stage)
		if err != nil {
			return err
		}
		p, err := newcomer(tx, &session, a)
		if err != nil {
			return err
		}
		e = Entry{
			Stage:         a.Stage,
			Session:       session.No,
			SessionID:     session.ID,
			Seq:           p.Seq,
			ParticipantID: p.ID,
			JoinedAt:      tx.Now(),
		}
		return connect(tx, &session, &p, a, c)
	})
	return e, err
}

// newcomer gives the participant's row in the session, a new one at its first join.
func newcomer(tx Tx, s *Session, a Admission) (Participant, error) {
	p, err := tx.Participant(s.No, a.ParticipantID)
	if !errors.Is(err, ErrNoRow) {
		return p, err
	}
	p = Participant{
		Session:   s.No,
		Seq:       s.NextSeq,
		ID:        a.ParticipantID,
		FirstJoin: tx.Now(),
		Detail:    &Detail{Protocol: ProtocolUnknown},
	}
	s.NextSeq++
	return p, nil
}

// remember keeps the id for as long as a token for it is good, so that it can
// be barred after its participant has gone. That matters for tokens that this
// server did not issue; its own are remembered since they were.
func remember(tx Tx, a Admission) error {
	pass, err := tx.Pass(a.Stage, a.ParticipantID)
	if errors.Is(err, ErrNoRow) || err == nil && pass.Expires.Before(a.Expires) {
		return tx.PutPass(Pass{Stage: a.Stage, ParticipantID: a.ParticipantID, Expires: a.Expires})
	}
	return err
}

func connect(tx Tx, s *Session, p *Participant, a Admission, c Client) error {
	p.UserID = a.UserID
	p.Detail.Attributes = a.Attributes
	p.Detail.Client.merge(c)
	if !p.Connected {
		p.Connected = true
		s.Connected++
		if err := tx.AppendEvent(&Event{At: tx.Now(), Stage: s.Stage, Session: s.No, Participant: p.ID, Name: Joined}); err != nil {
			return err
		}
	}
	if err := tx.PutParticipant(p); err != nil {
		return err
	}
	return tx.PutSession(s)
}

// Record appends facts in one transaction, in the given order. Left marks the
// participant DISCONNECTED; facts about one who is not connected are dropped,
// but for errors. It fails with [ErrNotHeld] if this process does not hold the participant any more.
func (r *Register) Record(ctx context.Context, e Entry, facts ...Fact) error {
	return r.recordAll(ctx, e, func(Tx, Participant) ([]Fact, error) { return facts, nil })
}

// recordAll appends the facts that are left when all that is stored is known.
func (r *Register) recordAll(ctx context.Context, e Entry, left func(Tx, Participant) ([]Fact, error)) error {
	return r.store.Update(ctx, func(tx Tx) error {
		if err := r.holds(tx, e.Stage, e.ParticipantID); err != nil {
			return err
		}
		p, err := tx.Participant(e.Session, e.ParticipantID)
		if err != nil {
			return err
		}
		facts, err := left(tx, p)
		if err != nil {
			return err
		}
		before, protocol := p, p.Detail.Protocol
		for _, f := range facts {
			if err := r.record(tx, e, &p, f); err != nil {
				return err
			}
		}
		if p.Connected == before.Connected && p.Published == before.Published && p.Detail.Protocol == protocol {
			return nil
		}
		return tx.PutParticipant(&p)
	})
}

func (r *Register) record(tx Tx, e Entry, p *Participant, f Fact) error {
	if !p.Connected && f.Error == "" {
		return nil
	}
	switch f.Name {
	case PublishStarted:
		p.Published = true
		p.Detail.Protocol = f.Protocol
	case Left:
		p.Connected = false
	}
	err := tx.AppendEvent(&Event{
		At:          tx.Now(),
		Stage:       e.Stage,
		Session:     e.Session,
		Participant: e.ParticipantID,
		Name:        f.Name,
		Remote:      f.Remote,
		Error:       f.Error,
	})
	if err == nil && f.Name == Left {
		err = r.depart(tx, e)
	}
	return err
}

// depart counts one participant out of its session and gives up its seat.
func (r *Register) depart(tx Tx, e Entry) error {
	s, err := tx.Session(e.Stage, e.SessionID)
	if err != nil {
		return err
	}
	s.Connected--
	live := s.Ended.IsZero()
	if s.Connected == 0 {
		s.LastLeft = tx.Now()
		s.settle(tx.Now(), r.linger)
	}
	if r.self.Load() != nil {
		if err := tx.DeleteSeat(e.Stage, e.ParticipantID); err != nil {
			return err
		}
	}
	if live && !s.Ended.IsZero() {
		return putEnded(tx, &s)
	}
	return tx.PutSession(&s)
}

// Describe fills in what a participant's software told about itself after the
// join; empty members change nothing.
func (r *Register) Describe(ctx context.Context, e Entry, c Client) error {
	return r.store.Update(ctx, func(tx Tx) error {
		if err := r.holds(tx, e.Stage, e.ParticipantID); err != nil {
			return err
		}
		p, err := tx.Participant(e.Session, e.ParticipantID)
		if err != nil {
			return err
		}
		p.Detail.Client.merge(c)
		return tx.PutParticipant(&p)
	})
}

// Refuse appends an error fact for an admitted participant that holds no entry
// (a publish without the capability, say). It creates neither a session nor a
// row; when no session is live there is nowhere to write it.
func (r *Register) Refuse(ctx context.Context, a Admission, f Fact) error {
	return r.store.Update(ctx, func(tx Tx) error {
		live, err := tx.LiveSession(a.Stage)
		if errors.Is(err, ErrNoRow) {
			return nil // nobody could ever read it
		}
		if err != nil {
			return err
		}
		return tx.AppendEvent(&Event{
			At:          tx.Now(),
			Stage:       a.Stage,
			Session:     live.No,
			Participant: a.ParticipantID,
			Name:        f.Name,
			Remote:      f.Remote,
			Error:       f.Error,
		})
	})
}
