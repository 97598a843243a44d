package stage

import (
	"context"
	"errors"
	"time"
)

// bury ends the participants of processes that have died, at the last time each
// was known alive. After the database itself was away, all have been silent; so
// this process waits until it has held its own lease for a whole one, unless it
// was the first when it came.
func (r *Register) bury(ctx context.Context) error {
	me := r.self.Load()
	if me == nil {
		return nil
	}
	var dead []Process
	err := r.store.View(ctx, func(tx Tx) error {
		all, err := tx.Processes()
		for _, p := range all {
			if p.ID != me.ID && r.dead(me, p, tx.Now()) {
				dead = append(dead, p)
			}
		}
		return err
	})
	for _, p := range dead {
		for more := true; more && err == nil; {
			more, err = r.burySome(ctx, me, p.ID)
		}
	}
	return err
}

func (r *Register) dead(me *membership, p Process, now time.Time) bool {
	steady := now.Sub(me.since) >= r.lease || me.first && p.Expires.Before(me.since)
	return !p.Alive(now) && me.Alive(now) && steady
}

// burySome ends a batch of the participants of a process, and takes it off the list after the last.
func (r *Register) burySome(ctx context.Context, me *membership, id string) (more bool, err error) {
	err = r.store.Update(ctx, func(tx Tx) error {
		p, err := process(tx, id)
		if errors.Is(err, ErrNoRow) || err == nil && !r.dead(me, p, tx.Now()) {
			more = false // somebody else was quicker, or it lives after all
			return nil
		}
		seats, err2 := tx.Seats(id, sweepBatch)
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		for _, s := range seats {
			if err := r.unseat(tx, s, p.Renewed); err != nil {
				return err
			}
		}
		if more = len(seats) == sweepBatch; more {
			return nil
		}
		return tx.DeleteProcess(id)
	})
	return more, err
}

// unseat writes down that a participant left whose process has died, and frees the seat.
func (r *Register) unseat(tx Tx, seat Seat, died time.Time) error {
	s, err := tx.LiveSession(seat.Stage)
	if err == nil {
		err = r.leaveSession(tx, s, seat.ParticipantID, died)
	}
	if err != nil && !errors.Is(err, ErrNoRow) {
		return err
	}
	return tx.DeleteSeat(seat.Stage, seat.ParticipantID)
}

// Absent writes down that somebody is not on a stage of whom it is not known
// whether a join is on record. Errors: [ErrNotHeld] if another process has the participant by now.
func (r *Register) Absent(ctx context.Context, arn ARN, participantID string) error {
	return r.store.Update(ctx, func(tx Tx) error {
		if err := r.holds(tx, arn, participantID); err != nil {
			return err
		}
		s, err := tx.LiveSession(arn)
		if err == nil {
			err = r.leaveSession(tx, s, participantID, tx.Now())
		}
		if errors.Is(err, ErrNoRow) {
			return nil
		}
		return err
	})
}

// leaveSession has one participant leave a session if it is connected.
func (r *Register) leaveSession(tx Tx, s Session, participantID string, at time.Time) error {
	p, err := tx.Participant(s.No, participantID)
	if err != nil || !p.Connected {
		return err
	}
	last, err := leaveFor(tx, s, p, at)
	if err != nil {
		return err
	}
	if s.Connected--; s.Connected == 0 {
		s.LastLeft = latest(s.LastLeft, last)
	}
	return tx.PutSession(&s)
}
