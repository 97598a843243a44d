package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"callboard/internal/stage"
)

const (
	deleteSession = `DELETE FROM session WHERE no = $1 AND ended > 0`
	insertExpired = `INSERT INTO expired (session) VALUES ($1)`
	selectExpired = `SELECT session FROM expired WHERE session > 0 ORDER BY session LIMIT 1`
	deleteExpired = `DELETE FROM expired WHERE session = $1`

	someEvents    = `SELECT no FROM event WHERE session = $1 ORDER BY session, participant, no LIMIT 0 + $2`
	lastOfEvents  = `SELECT COALESCE(MAX(no), 0) FROM (` + someEvents + `) few`
	deleteEvents  = `DELETE FROM event WHERE no IN (` + someEvents + `)`
	raiseOldest   = `UPDATE counter SET value = $1 WHERE name = 'oldest' AND value < $2`
	deleteDetails = `DELETE FROM participant_detail WHERE session = $1 AND seq IN
		(SELECT seq FROM participant_detail WHERE session = $2 ORDER BY session, seq LIMIT 0 + $3)`
	deletePeople = `DELETE FROM participant WHERE session = $1 AND seq IN
		(SELECT seq FROM participant WHERE session = $2 ORDER BY session, seq LIMIT 0 + $3)`
	sweepPasses = `DELETE FROM pass WHERE (stage, participant) IN
		(SELECT stage, participant FROM pass WHERE expires > 0 AND expires < $1 ORDER BY expires LIMIT 0 + $2)`

	eraseUserID = `UPDATE participant SET user_id = '' WHERE session = $1 AND seq = $2`
	eraseDetail = `UPDATE participant_detail SET attributes = '{}', os_name = '', os_version = '',
			browser_name = '', browser_version = '', sdk_version = '' WHERE session = $1 AND seq = $2`
)

// Expire removes a session that has ended and leaves its rows to Sweep.
func (t *tx) Expire(s stage.Session) error {
	n, err := t.exec(deleteSession, s.No)
	if err == nil && n == 0 {
		err = stage.ErrNoRow
	}
	if err == nil {
		_, err = t.exec(insertExpired, s.No)
	}
	t.change.stale = append(t.change.stale, s.No)
	t.ledger.forget() // it may hold the session
	return err
}

// Sweep removes at most limit rows of expired sessions, and passes whose time is over.
func (t *tx) Sweep(limit int) (int, error) {
	var session int64
	err := t.one(selectExpired, func(r row) { session = r.int(0) })
	if errors.Is(err, stage.ErrNoRow) {
		return t.exec(sweepPasses, t.now, limited(limit))
	}
	if err != nil {
		return 0, err
	}
	if n, err := t.sweepEvents(session, limit); err != nil || n > 0 {
		return n, err
	}
	for _, sql := range []string{deleteExchanges, deleteDetails, deletePeople} {
		if n, err := t.exec(sql, session, session, limited(limit)); err != nil || n > 0 {
			return n, err
		}
	}
	return t.exec(deleteExpired, session)
}

// sweepEvents removes events of a session. The feed begins after the last of them.
func (t *tx) sweepEvents(session int64, limit int) (int, error) {
	var last int64
	err := t.one(lastOfEvents, func(r row) { last = r.int(0) }, session, limited(limit))
	if err != nil || last == 0 {
		return 0, err
	}
	if _, err := t.exec(raiseOldest, last, last); err != nil {
		return 0, err
	}
	return t.exec(deleteEvents, session, limited(limit))
}

// Oldest is the position before the first event from which on the feed is whole.
func (t *tx) Oldest() (no int64, err error) {
	err = t.one(counterValue, func(r row) { no = r.int(0) }, "oldest")
	return no, err
}

// Erase takes from a participant what says who it was. Its session's roll is
// made anew: it would keep the text for a while.
func (t *tx) Erase(session, seq int64) error {
	n, err := t.exec(eraseUserID, session, seq)
	if err == nil && n == 0 {
		err = stage.ErrNoRow
	}
	if err == nil {
		_, err = t.exec(eraseDetail, session, seq)
	}
	if err == nil {
		_, err = t.exec(eraseExchanges, session, session, seq)
	}
	t.change.stale = append(t.change.stale, session)
	t.met = met{} // may be the same
	return err
}

// Scrub lets nothing that was removed or erased stay in the log of the files that
// the store has or, wholly, anywhere in them. It waits for views that began before.
//
// Nobody writes while the files are made anew: seconds for a gigabyte.
func (s *Store) Scrub(ctx context.Context, wholly bool) error {
	if wholly {
		if err := s.rewrite(ctx); err != nil {
			return fmt.Errorf("make the database anew: %w", err)
		}
	}
	for {
		busy, err := s.scrubOnce(ctx)
		if err != nil || !busy {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond): // nobody tells when a view is over
		}
	}
}

func (s *Store) rewrite(ctx context.Context) error {
	c, err := s.borrow(ctx)
	if err != nil {
		return err
	}
	defer s.writer.put(c)
	return s.engine.rewrite(ctx, c)
}

func (s *Store) scrubOnce(ctx context.Context) (busy bool, err error) {
	c, err := s.borrow(ctx)
	if err != nil {
		return false, err
	}
	defer s.writer.put(c)
	if err := s.clearJournal(c); err != nil {
		return false, err
	}
	return s.engine.scrub(c)
}
