package stage

import (
	"context"
	"errors"
	"time"
)

// Session is one continuous period in which a stage had participants. It ends
// when nobody has been connected for the linger; its end is the last leaving. It lasts until that is written
// down, for a join may be under way, at another server perhaps, that keeps it open.
type Session struct {
	No        int64 // order of opening, unique over all sessions
	Stage     ARN
	ID        string // "st-" and 13 characters
	Started   time.Time
	Ended     time.Time // zero while live
	LastLeft  time.Time // when the number of connected participants last fell to zero; zero if never
	Connected int64     // participants connected now
	NextSeq   int64     // the join sequence number the next newcomer gets; starts at 1
}

// settle ends a session whose linger has run out; whoever calls it writes that down, in the same transaction.
func (s *Session) settle(now time.Time, linger time.Duration) {
	if s.Ended.IsZero() && s.Connected == 0 && !s.LastLeft.IsZero() && !now.Before(s.LastLeft.Add(linger)) {
		s.Ended = s.LastLeft
	}
}

// openSession gives the stage's live session, beginning one if there is none.
func (r *Register) openSession(tx Tx, arn ARN) (Session, error) {
	live, err := tx.LiveSession(arn)
	if err != nil && !errors.Is(err, ErrNoRow) {
		return Session{}, err
	}
	if err == nil {
		live.settle(tx.Now(), r.linger)
		if live.Ended.IsZero() {
			return live, nil
		}
		if err := putEnded(tx, &live); err != nil {
			return Session{}, err
		}
	}
	fresh := Session{Stage: arn, ID: "st-" + r.randomID(13), Started: tx.Now(), NextSeq: 1}
	if err := tx.PutSession(&fresh); err != nil {
		return Session{}, err
	}
	return fresh, tellSession(tx, fresh, SessionStarted)
}

// putEnded stores a session whose end was found out just now.
func putEnded(tx Tx, s *Session) error {
	if err := tx.PutSession(s); err != nil {
		return err
	}
	return tellSession(tx, *s, SessionEnded)
}

func tellSession(tx Tx, s Session, name EventName) error {
	return tx.AppendEvent(&Event{At: tx.Now(), Stage: s.Stage, Session: s.No, Name: name})
}

// Session reads one session of a stage.
func (s *Service) Session(ctx context.Context, c Caller, arn ARN, id string) (found Session, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		found, err = s.session(tx, c, arn, id)
		return err
	})
	return found, err
}

func (s *Service) session(tx Tx, c Caller, arn ARN, id string) (Session, error) {
	if _, err := document(tx, c, arn); err != nil {
		return Session{}, err
	}
	found, err := tx.Session(arn, id)
	if errors.Is(err, ErrNoRow) {
		return Session{}, fail(NotFound, "Session %s does not exist on stage %s", id, arn)
	}
	return found, err
}

// Sessions lists a stage's sessions, newest first; empty for an unknown stage.
func (s *Service) Sessions(ctx context.Context, c Caller, arn ARN, p Page) (list []Session, next int64, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		known, err := exists(tx, c, arn)
		if err != nil || !known {
			return err
		}
		list, err = tx.Sessions(SessionQuery{Stage: arn, Before: p.After, Limit: p.Limit + 1})
		if err != nil {
			return err
		}
		list, next = cut(list, p.Limit, func(x Session) int64 { return x.No })
		return nil
	})
	return list, next, err
}

// Names that stand for a session in [Service.FindSession].
const (
	LiveSession   = "live"   // the one that has not ended
	LatestSession = "latest" // the one that began last
)

// FindSession reads one session of a stage by its id or by one of the names that
// stand for one.
func (s *Service) FindSession(ctx context.Context, c Caller, arn ARN, name string) (found Session, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		found, err = s.findSession(tx, c, arn, name)
		return err
	})
	return found, err
}

func (s *Service) findSession(tx Tx, c Caller, arn ARN, name string) (Session, error) {
	if name != LiveSession && name != LatestSession {
		return s.session(tx, c, arn, name)
	}
	if _, err := document(tx, c, arn); err != nil {
		return Session{}, err
	}
	list, err := tx.Sessions(SessionQuery{Stage: arn, Limit: 1})
	if err != nil {
		return Session{}, err
	}
	if len(list) == 0 {
		return Session{}, fail(NotFound, "Stage %s has had no session", arn)
	}
	found := list[0]
	if name == LiveSession && !found.Ended.IsZero() {
		return Session{}, fail(NotFound, "Stage %s has no live session", arn)
	}
	return found, nil
}
