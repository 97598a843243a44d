package store

import (
	"context"
	"errors"
	"log/slog"
	"math"

	"callboard/internal/roll"
	"callboard/internal/stage"
)

// build reads the rolls that are wanted, one after another, until ctx ends.
func (s *Store) build(ctx context.Context, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case name := <-s.rolls.wanted:
			if err := s.read(ctx, name); err != nil && ctx.Err() == nil {
				log.Error("the roll of a session could not be read", "stage", name.stage, "session", name.id, "error", err)
			}
		}
	}
}

// read makes the roll of one session. It reads in several snapshots; what is
// committed from its beginning on is applied afterwards in the order of the
// commits, so the last word on every row is the newest.
func (s *Store) read(ctx context.Context, name sessionName) error {
	ends := s.rolls.ends.Load()
	session, err := s.lookup(ctx, name)
	if err != nil || session.No == 0 {
		return err
	}
	if session.NextSeq > roll.MaxSeq || session.NextSeq*rowBytes > s.rolls.limit {
		s.rolls.postpone(name, tooLarge)
		return nil
	}
	h := s.rolls.open(name, session.No, false, ends)
	if h == nil {
		return nil
	}
	fits, err := s.scan(ctx, h, session.NextSeq)
	switch {
	case err != nil:
		s.rolls.drop(h)
	case !fits:
		s.rolls.drop(h)
		s.rolls.postpone(name, tooLarge)
	default:
		s.rolls.finish(h)
	}
	return err
}

// lookup finds the session of a stage that is there; without a number if there is none.
func (s *Store) lookup(ctx context.Context, name sessionName) (session stage.Session, err error) {
	err = s.View(ctx, func(tx stage.Tx) error {
		_, err := tx.Document(name.stage)
		if err == nil {
			session, err = tx.Session(name.stage, name.id)
		}
		if errors.Is(err, stage.ErrNoRow) {
			return nil
		}
		return err
	})
	return session, err
}

// rowBytes is about what a row takes, with a user id of ordinary length.
const rowBytes = 80

const scanParticipants = `SELECT ` + participantColumns + ` FROM participant
	WHERE session = $1 AND seq > $2 ORDER BY session, seq LIMIT 0 + $3`

// scan puts all rows of a session into its roll; false if that will not fit.
func (s *Store) scan(ctx context.Context, h *hot, nextSeq int64) (bool, error) {
	for after, n := int64(0), scanBatch; n == scanBatch && after < math.MaxInt64; {
		n = 0
		err := s.View(ctx, func(view stage.Tx) error {
			return view.(*tx).all(scanParticipants, func(r row) {
				p := scanParticipant(r, h.session)
				h.Put(toRow(&p))
				after = p.Seq
				n++
			}, h.session, after, limited(scanBatch))
		})
		if err != nil || !s.rolls.fits(h, after, nextSeq) {
			return false, err
		}
	}
	return true, nil
}

// fits counts what a roll takes of which the rows up to some Seq have been read,
// and tells whether it can stay when all are: otherwise it would be read, make
// everybody else go, go itself, and be read again.
func (r *rolls) fits(h *hot, read, nextSeq int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.weigh(h)
	return float64(h.size)*max(1, float64(nextSeq)/float64(max(read, 1))) <= 0.9*float64(r.limit)
}

// finish applies what was committed while the roll was read, and shows it.
func (r *rolls) finish(h *hot) {
	for rows := r.waited(h); len(rows) > 0; rows = r.waited(h) {
		for _, row := range rows {
			h.Put(row)
		}
	}
	if r.bytes.Load() > r.limit {
		r.makeRoom()
	}
}

// waited gives what was committed since it was asked for last. When that is
// nothing, the roll is shown from now on.
func (r *rolls) waited(h *hot) []roll.Row {
	r.mu.Lock()
	defer r.mu.Unlock()
	rows := h.waiting
	h.waiting = nil
	if len(rows) == 0 {
		r.weigh(h)
		h.ready.Store(true)
	}
	return rows
}
