package stage

import (
	"context"
	"errors"
	"slices"
	"time"
)

const (
	// sweepBatch bounds what one transaction of a sweep touches.
	sweepBatch = 200
	// beatEvery is how often the register notes that it is alive while people
	// are connected: the precision of the time at which they left if it dies.
	beatEvery = 5 * time.Second
)

// Sweep does the register's housekeeping: it ends the participants of processes
// that have died and every session in which nobody has been connected for the
// linger; a process that is alone notes that it is alive while somebody is
// connected. To be called once a second or so.
func (r *Register) Sweep(ctx context.Context) error {
	if err := r.bury(ctx); err != nil {
		return err
	}
	busy, err := r.endAllIdle(ctx)
	if err == nil && busy && r.self.Load() == nil {
		err = r.beat(ctx)
	}
	return err
}

// endAllIdle ends every session whose linger has run out; busy tells whether anybody is connected.
func (r *Register) endAllIdle(ctx context.Context) (busy bool, err error) {
	var idle []Session
	err = eachLive(ctx, r.store, SessionQuery{}, func(tx Tx, s Session) error {
		busy = busy || s.Connected > 0
		if s.settle(tx.Now(), r.linger); !s.Ended.IsZero() {
			idle = append(idle, s)
		}
		return nil
	})
	if err != nil {
		return busy, err
	}
	for some := range slices.Chunk(idle, sweepBatch) {
		err := r.store.Update(ctx, func(tx Tx) error {
			for _, s := range some {
				if err := r.endIdle(tx, s); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return busy, err
		}
	}
	return busy, nil
}

// Orphans gives the stages that were deleted while a session of theirs has not ended: whoever deleted them is about
// to send everybody away, or has died before that was done.
func (r *Register) Orphans(ctx context.Context) (stages []ARN, err error) {
	err = eachLive(ctx, r.store, SessionQuery{Orphans: true}, func(_ Tx, s Session) error {
		stages = append(stages, s.Stage)
		return nil
	})
	return stages, err
}

// CloseOrphan ends the session of a stage that is no more, as soon as no process has anybody there. Nobody of
// this process may be there.
func (r *Register) CloseOrphan(ctx context.Context, arn ARN) error {
	return closeSession(ctx, r.store, arn, r.seated)
}

// beat notes that the server is alive, unless that was noted lately.
func (r *Register) beat(ctx context.Context) error {
	due := false
	err := r.store.View(ctx, func(tx Tx) error {
		last, err := tx.LastBeat()
		due = tx.Now().Sub(last) >= beatEvery
		return err
	})
	if err != nil || !due {
		return err
	}
	return r.store.Update(ctx, func(tx Tx) error { return tx.Beat() })
}

// endIdle ends a session that was seen idle, unless somebody came meanwhile.
func (r *Register) endIdle(tx Tx, seen Session) error {
	s, err := tx.Session(seen.Stage, seen.ID)
	if errors.Is(err, ErrNoRow) {
		return nil // everything was forgotten meanwhile
	}
	if err != nil {
		return err
	}
	if !s.Ended.IsZero() {
		return nil
	}
	if s.settle(tx.Now(), r.linger); s.Ended.IsZero() {
		return nil
	}
	return putEnded(tx, &s)
}

// eachLive shows fn every session without an end that q means, page by page.
func eachLive(ctx context.Context, store Store, q SessionQuery, fn func(Tx, Session) error) error {
	for q.Limit = sweepBatch; ; {
		n := 0
		err := store.View(ctx, func(tx Tx) error {
			list, err := tx.Sessions(q)
			if err != nil {
				return err
			}
			n = len(list)
			for _, s := range list {
				q.After = s.No
				if err := fn(tx, s); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || n < sweepBatch {
			return err
		}
	}
}

// Recover makes the facts true after a crash, before anybody is let in: whoever
// is still listed CONNECTED though no process that is alive holds it gets the STOPPED
// and LEFT events that are missing, at the last moment its process is known to have
// been alive, and sessions that such people are in end with it. A session that everybody
// had left, as they do when a server ends in order, goes on until its linger is over, which it may be by now.
// One process among others leaves it to Sweep to find out who is dead.
func (r *Register) Recover(ctx context.Context) error {
	me := r.self.Load()
	if err := r.bury(ctx); err != nil || me != nil && !me.first {
		return err
	}
	var left []Session
	err := eachLive(ctx, r.store, SessionQuery{}, func(_ Tx, s Session) error {
		if s.Connected > 0 {
			left = append(left, s)
		}
		return nil
	})
	if err != nil {
		return err
	}
	died, err := lastActivity(ctx, r.store)
	if err != nil {
		return err
	}
	for _, s := range left {
		if err := endSession(ctx, r.store, s, died, r.seated); err != nil {
			return err
		}
	}
	_, err = r.endAllIdle(ctx)
	return err
}

// seated tells whether a process holds the participant; those that have died hold nobody any more.
func (r *Register) seated(tx Tx, arn ARN, participantID string) (bool, error) {
	if r.self.Load() == nil {
		return false, nil
	}
	_, err := tx.Seat(arn, participantID)
	if errors.Is(err, ErrNoRow) {
		return false, nil
	}
	return true, err
}

// nobody is seated for whom a whole session is closed.
func nobody(Tx, ARN, string) (bool, error) { return false, nil }

// lastActivity is the last sign of life of the process before this one; never
// later than now, should the clock have been set back.
func lastActivity(ctx context.Context, store Store) (at time.Time, err error) {
	err = store.View(ctx, func(tx Tx) error {
		if at, err = tx.LastBeat(); err != nil {
			return err
		}
		if at.After(tx.Now()) {
			at = tx.Now()
		}
		return nil
	})
	return at, err
}

// closeSession ends the stage's live session, if it has one, now, unless somebody is seated.
func closeSession(ctx context.Context, store Store, arn ARN, seated func(Tx, ARN, string) (bool, error)) error {
	var live Session
	var now time.Time
	err := store.View(ctx, func(tx Tx) (err error) {
		now = tx.Now()
		live, err = tx.LiveSession(arn)
		return err
	})
	if errors.Is(err, ErrNoRow) {
		return nil
	}
	if err != nil {
		return err
	}
	return endSession(ctx, store, live, now, seated)
}

// endSession has everyone leave who is still listed as connected and not
// seated, a batch at a time, and ends the session if nobody stays. at is when they left.
func endSession(ctx context.Context, store Store, s Session, at time.Time, seated func(Tx, ARN, string) (bool, error)) error {
	for before, done := int64(0), false; !done; {
		err := store.Update(ctx, func(tx Tx) error {
			fresh, err := tx.Session(s.Stage, s.ID)
			if err != nil {
				return err
			}
			yes := true
			rows, err := tx.Participants(ParticipantQuery{Session: s.No, Connected: &yes, Before: before, Limit: sweepBatch})
			if err != nil {
				return err
			}
			for _, p := range rows {
				before = p.Seq
				stays, err := seated(tx, s.Stage, p.ID)
				if err != nil {
					return err
				}
				if stays {
					continue
				}
				last, err := leaveFor(tx, fresh, p, at)
				if err != nil {
					return err
				}
				fresh.Connected--
				fresh.LastLeft = latest(fresh.LastLeft, last)
			}
			if done = len(rows) < sweepBatch; !done || !fresh.Ended.IsZero() {
				return tx.PutSession(&fresh)
			}
			return endEmpty(tx, &fresh)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// endEmpty stores a session and ends it if nobody is connected. It looks, because
// another process may have let somebody in between two batches.
func endEmpty(tx Tx, s *Session) error {
	yes := true
	stay, err := tx.Participants(ParticipantQuery{Session: s.No, Connected: &yes, Limit: 1})
	if err != nil {
		return err
	}
	if len(stay) > 0 {
		return tx.PutSession(s)
	}
	s.Connected = 0
	s.Ended = latest(s.LastLeft, s.Started)
	return putEnded(tx, s)
}

// leaveFor writes the facts that a participant can no longer hand in itself:
// the end of what it was doing, then LEFT. Nothing is dated before the
// participant's last fact; the date is given back.
func leaveFor(tx Tx, s Session, p Participant, at time.Time) (time.Time, error) {
	open, last, err := openFacts(tx, p)
	if err != nil {
		return at, err
	}
	at = latest(at, last)
	for _, f := range append(open, Fact{Name: Left}) {
		err := tx.AppendEvent(&Event{At: at, Stage: s.Stage, Session: s.No, Participant: p.ID, Name: f.Name, Remote: f.Remote})
		if err != nil {
			return at, err
		}
	}
	p.Connected = false
	return at, tx.PutParticipant(&p)
}

// openFacts gives the facts that end what the participant began since it last
// joined and did not end, and the time of its last event.
func openFacts(tx Tx, p Participant) (open []Fact, last time.Time, err error) {
	ended := map[Fact]bool{}
	publishing := false
	err = backToJoining(tx, p, func(e Event) { // an end comes before its beginning
		last = latest(last, e.At)
		end, ends := endOf(e)
		if !ends {
			return
		}
		if e.Name == PublishStarted && !ended[end] {
			publishing = true
		}
		if e.Name == SubscribeStarted && !ended[end] {
			open = append(open, end)
		}
		ended[end] = true
	})
	if publishing {
		open = append(open, Fact{Name: PublishStopped})
	}
	return open, last, err
}

// backToJoining shows visit a participant's events, newest first, down to its
// last JOINED.
func backToJoining(tx Tx, p Participant, visit func(Event)) error {
	for before := int64(0); ; {
		page, err := tx.Events(EventQuery{Session: p.Session, Participant: p.ID, Before: before, Limit: sweepBatch})
		if err != nil {
			return err
		}
		for _, e := range page {
			visit(e)
			if e.Name == Joined {
				return nil
			}
			before = e.No
		}
		if len(page) < sweepBatch {
			return nil
		}
	}
}

// endOf gives the fact that ends what e begins, or e's own if it is an end.
func endOf(e Event) (Fact, bool) {
	switch e.Name {
	case PublishStarted, PublishStopped:
		return Fact{Name: PublishStopped}, true
	case SubscribeStarted, SubscribeStopped:
		return Fact{Name: SubscribeStopped, Remote: e.Remote}, true
	}
	return Fact{}, false
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
