package stage

import (
	"context"
	"errors"
	"time"
)

// DefaultLease is for how long a process is taken for alive after it has said so.
const DefaultLease = 15 * time.Second

// Process is one of the servers that run on the same facts.
type Process struct {
	ID       string    // drawn anew at each start
	URL      string    // where the others reach it
	Settings string    // what must be the same everywhere, as prints of its values
	Renewed  time.Time // the last time it said that it is alive
	Expires  time.Time // it is taken for alive until then
}

// Alive tells whether the process is to be taken for alive.
func (p Process) Alive(now time.Time) bool { return p.Expires.After(now) }

// Seat says which process holds a participant: it has the participant's legs,
// and it alone writes the participant's facts.
type Seat struct {
	Stage         ARN
	ParticipantID string
	Process       string
}

// ErrNotHeld is the answer to a process that writes about a participant whom it
// does not hold, or not any more: it was silent for so long that the others took it for dead.
var ErrNotHeld = &Error{Kind: Quota, Message: "Another server holds this participant; try again in a moment"}

// Enlist makes this register one of several on the same facts: from now on it
// holds whom it lets in. Whoever calls it calls Renew every third of the lease.
// Calling it again begins anew, with nobody held.
func (r *Register) Enlist(ctx context.Context, url, settings string) (Process, error) {
	me := Process{ID: r.randomID(10), URL: url, Settings: settings}
	first := true
	err := r.store.Update(ctx, func(tx Tx) error {
		all, err := tx.Processes()
		for _, p := range all {
			first = first && r.gone(p, tx.Now())
		}
		if err != nil {
			return err
		}
		me.Renewed, me.Expires = tx.Now(), tx.Now().Add(r.lease)
		return tx.PutProcess(me)
	})
	if err != nil {
		return Process{}, err
	}
	r.self.Store(&membership{Process: me, first: first, since: me.Renewed})
	return me, nil
}

// membership is what a process knows of its own place. It is not changed once it is stored.
type membership struct {
	Process
	first bool      // nobody else had been alive for a while when it came
	since time.Time // the lease has been held without a gap since
}

// Process is the id under which this register is enlisted, "" if it is alone for good.
func (r *Register) Process() string {
	if me := r.self.Load(); me != nil {
		return me.ID
	}
	return ""
}

// Held tells whether the lease holds as far as this process knows at the time.
// It always does for one that is alone.
func (r *Register) Held(now time.Time) bool {
	me := r.self.Load()
	return me == nil || me.Alive(now)
}

// Renew says that this process is alive and gives all that are, this one
// included. [ErrNotHeld] says that the others have taken it for dead.
func (r *Register) Renew(ctx context.Context) (alive []Process, err error) {
	me := *r.self.Load()
	err = r.store.Update(ctx, func(tx Tx) error {
		alive = nil
		all, err := tx.Processes()
		if err != nil {
			return err
		}
		known, now := false, tx.Now()
		for _, p := range all {
			if p.ID == me.ID {
				known = true
				if !p.Alive(now) {
					me.since, me.first = now, false
				}
				me.Renewed, me.Expires = now, now.Add(r.lease)
				p = me.Process
			}
			if p.Alive(now) {
				alive = append(alive, p)
			}
		}
		if !known {
			return ErrNotHeld
		}
		return tx.PutProcess(me.Process)
	})
	if err != nil {
		return nil, err
	}
	r.self.Store(&me)
	return alive, nil
}

// Resign takes this process off the list, after everybody has left it.
func (r *Register) Resign(ctx context.Context) error {
	id := r.Process()
	return r.store.Update(ctx, func(tx Tx) error {
		rest, err := tx.Seats(id, 1)
		if err != nil || len(rest) > 0 { // let them be found
			return err
		}
		return tx.DeleteProcess(id)
	})
}

// Processes gives all processes that are alive.
func (r *Register) Processes(ctx context.Context) (alive []Process, err error) {
	err = r.store.View(ctx, func(tx Tx) error {
		all, err := tx.Processes()
		for _, p := range all {
			if p.Alive(tx.Now()) {
				alive = append(alive, p)
			}
		}
		return err
	})
	return alive, err
}

// Home gives the process that holds a participant and is alive. [ErrNoRow]
// if there is none.
func (r *Register) Home(ctx context.Context, arn ARN, participantID string) (home Process, err error) {
	err = r.store.View(ctx, func(tx Tx) error {
		seat, err := tx.Seat(arn, participantID)
		if err != nil {
			return err
		}
		p, err := process(tx, seat.Process)
		if err == nil && !p.Alive(tx.Now()) {
			err = ErrNoRow
		}
		home = p
		return err
	})
	return home, err
}

// Claim takes the participant's seat for this process, unless another one that
// is alive has it. It gives the one that has it now.
func (r *Register) Claim(ctx context.Context, arn ARN, participantID string) (home Process, err error) {
	err = r.store.Update(ctx, func(tx Tx) error {
		home, err = r.claim(tx, arn, participantID)
		return err
	})
	return home, err
}

// GiveUp gives back the seat of a participant who has nothing here any more.
func (r *Register) GiveUp(ctx context.Context, arn ARN, participantID string) error {
	return r.store.Update(ctx, func(tx Tx) error {
		err := r.holds(tx, arn, participantID)
		if errors.Is(err, ErrNotHeld) {
			return nil // it is no longer ours to give
		}
		if err != nil {
			return err
		}
		return tx.DeleteSeat(arn, participantID)
	})
}

// claim is Claim within a transaction. If the one who held the participant has died, its
// facts are completed first.
func (r *Register) claim(tx Tx, arn ARN, participantID string) (Process, error) {
	me := r.self.Load()
	if _, err := process(tx, me.ID); err != nil {
		return Process{}, asNotHeld(err)
	}
	mine := Seat{Stage: arn, ParticipantID: participantID, Process: me.ID}
	seat, err := tx.Seat(arn, participantID)
	switch {
	case errors.Is(err, ErrNoRow):
		return me.Process, tx.PutSeat(mine)
	case err != nil || seat == mine:
		return me.Process, err
	}
	home, err := process(tx, seat.Process)
	if err == nil && home.Alive(tx.Now()) {
		return home, nil
	}
	if err != nil && !errors.Is(err, ErrNoRow) {
		return Process{}, err
	}
	if err := r.unseat(tx, seat, home.Renewed); err != nil {
		return Process{}, err
	}
	return me.Process, tx.PutSeat(mine)
}

// hold is claim for a register that may be alone, when nothing but this process will do.
func (r *Register) hold(tx Tx, arn ARN, participantID string) error {
	me := r.self.Load()
	if me == nil {
		return nil
	}
	home, err := r.claim(tx, arn, participantID)
	if err == nil && home.ID != me.ID {
		err = ErrNotHeld
	}
	return err
}

// holds fails with [ErrNotHeld] unless this process holds the participant. Facts are
// written after asking it in the same transaction: so whoever was taken for
// dead, and is not, cannot write as if nothing had happened.
func (r *Register) holds(tx Tx, arn ARN, participantID string) error {
	me := r.self.Load()
	if me == nil {
		return nil
	}
	seat, err := tx.Seat(arn, participantID)
	if err == nil && seat.Process != me.ID {
		err = ErrNoRow
	}
	return asNotHeld(err)
}

// asNotHeld gives what it means that this process or its seat is not there.
func asNotHeld(err error) error {
	if errors.Is(err, ErrNoRow) {
		return ErrNotHeld
	}
	return err
}

func process(tx Tx, id string) (Process, error) {
	all, err := tx.Processes()
	if err != nil {
		return Process{}, err
	}
	for _, p := range all {
		if p.ID == id {
			return p, nil
		}
	}
	return Process{}, ErrNoRow
}

// gone tells whether a process has been silent for twice as long as it takes to be
// taken for dead.
func (r *Register) gone(p Process, now time.Time) bool { return !p.Alive(now.Add(-r.lease)) }
