package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"callboard/internal/stage"
)

// maxBatch is the most updates that share a commit.
const maxBatch = 4096

// run is the committer: it ends when the queue is closed and empty.
func (s *Store) run() {
	batch := make([]*update, 0, maxBatch)
	for {
		var more bool
		switch batch, more = s.queue.take(batch); {
		case !more:
			return
		case len(batch) == 0:
			if s.engine.shared() {
				s.look() // if it fails, the rolls know that they are not current, and it is tried again
			}
		default:
			s.commit(batch)
		}
		s.postings.count(len(batch))
		clear(batch)
		s.postWhenDue()
	}
}

// commit runs a batch of updates in one transaction, makes them durable and
// answers them all. If that fails as a whole, everybody gets to know.
func (s *Store) commit(batch []*update) {
	c, err := s.writer.get(context.Background())
	if err == nil {
		defer s.writer.put(c)
		s.viewTime.begin(s.time) // not before: whoever had the connection may have posted
		err = s.begin(c)
	}
	ran := batch[:0]
	for _, u := range batch {
		if !u.claim() {
			continue // whoever asked for it has gone
		}
		ran = append(ran, u)
		if err == nil {
			u.err, err = s.apply(c, u, s.journal != nil || len(batch) > 1)
		}
	}
	if err == nil {
		err = s.finish(c)
	}
	if err != nil && c != nil {
		s.lose(c)
	}
	s.dirty, s.changes = false, changes{}
	s.answer(ran, err)
}

// apply runs one update. The second error is that of the whole transaction:
// with it nothing of any update stays.
func (s *Store) apply(c conn, u *update, shared bool) (err, broken error) {
	before := s.numbers
	t := &tx{conn: c, now: s.advance(), writable: true, shared: shared, numbers: &s.numbers, ledger: &s.ledger}
	s.ledger.begin()
	err = call(u.fn, t)
	if err == nil {
		err = t.err // a statement failed, though fn did not say so
	}
	t.over()
	if err == nil && t.wrote && shared {
		err = c.flush()
	}
	switch {
	case !c.active():
		return err, fmt.Errorf("the transaction was lost: %w", err)
	case err != nil && !shared:
		return err, err
	case !t.wrote:
		return err, nil
	case err != nil:
		s.numbers = before
		s.ledger.undo()
		broken = c.undo()
	default:
		s.dirty = true
		u.change = t.change
		if s.engine.shared() {
			s.changes.add(&u.change)
		}
		if t.change.forgot {
			s.last.Store(0)
		}
	}
	if broken == nil && shared {
		broken = c.unmark()
	}
	return err, broken
}

// call runs fn; a panic of fn is an error of its caller only.
func call(fn func(stage.Tx) error, t *tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in an update: %v\n%s", p, debug.Stack())
		}
	}()
	return fn(t)
}

// finish notes the time and the numbers, and commits, or leaves that for later
// and writes the journal.
func (s *Store) finish(c conn) error {
	switch {
	case !s.dirty && s.postings.open.Load():
		return nil
	case !s.dirty:
		return c.commit()
	case s.journal != nil:
		s.numbers.now[clockAt] = s.last.Load()
		return s.write()
	}
	t := &tx{conn: c, writable: true}
	if err := s.ledger.write(t); err != nil {
		return err
	}
	s.numbers.now[clockAt] = s.last.Load()
	if s.engine.shared() {
		if err := s.record(t); err != nil {
			return err
		}
	}
	s.shown.begin(s.last.Load())
	if err := s.numbers.write(t); err != nil {
		return err
	}
	err := c.commit()
	if err != nil && s.engine.shared() && c.lost() {
		err = s.outcome(c, s.numbers.now[batchNo], err)
	}
	if err == nil {
		s.applied.Store(s.numbers.now[batchNo])
	}
	return err
}

// lastEventOf is the number of the feed's last event after a batch that is durable.
func lastEventOf(ran []*update, no int64) int64 {
	for _, u := range ran {
		switch {
		case u.err != nil:
		case u.change.event > 0:
			no = u.change.event
		case u.change.forgot:
			no = 0
		}
	}
	return no
}

// answer gives everybody their outcome.
func (s *Store) answer(ran []*update, broken error) {
	failed := 0
	for _, u := range ran {
		if broken != nil && u.err == nil {
			u.err = broken
			if !errors.Is(broken, ErrUnknown) {
				u.err = fmt.Errorf("nothing was stored: %w", broken)
			}
		}
		if u.err != nil {
			failed++
		}
	}
	if broken == nil {
		s.commits.Add(1)
	}
	s.updates.Add(uint64(len(ran)))
	s.failures.Add(uint64(failed))
	for _, u := range ran { // the rolls first, for whoever is answered may look at everybody's facts
		if u.err == nil {
			s.rolls.feed(&u.change)
		}
	}
	if !s.postings.open.Load() {
		s.viewTime.end()
	}
	s.shown.end()
	if broken == nil {
		last, _ := s.feedEnd.get()
		s.feedEnd.set(lastEventOf(ran, last))
	}
	for _, u := range ran {
		u.done <- u.err
	}
}
