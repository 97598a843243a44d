package store

import (
	"cmp"
	"context"
	"errors"

	"callboard/internal/stage"
)

// While the disk is full, or fails, what was acknowledged cannot be put into the
// file; the journal has it. Nothing more is stored then. But all of it must be
// seen, so it is run again in a transaction that stays open, in memory, and
// views look there, one after another, until a try to post has succeeded.

// errHeld sends a view there.
var errHeld = errors.New("what was stored is held in memory")

// hold runs what only the journal has, to show it. If that fails as well, nothing is shown.
func (s *Store) hold(c *liteConn) {
	if !s.postings.open.Load() {
		return // everything is in the file
	}
	err := c.run("PRAGMA cache_spill = OFF") // for which there may be no room
	if err == nil {
		err = c.beginWrite()
	}
	if err == nil {
		err = s.journal.replay(c)
	}
	if err != nil {
		c.rollback()
		return
	}
	s.postings.held.Store(true)
}

// release ends hold, before another try.
func (s *Store) release(c *liteConn) {
	if s.postings.held.Swap(false) {
		c.rollback()
		c.run("PRAGMA cache_spill = ON") // or what is large stays in memory
	}
}

// mend posts what could not be posted before a batch is run on it, if it is
// time to try again.
func (s *Store) mend(c conn) error {
	p := &s.postings
	p.lost = p.lost || p.open.Load() && !c.active()
	if !p.lost && !p.doubt.Load() {
		return nil
	}
	if p.held.Load() && !p.due() {
		return p.wrong
	}
	if err := s.post(c); err != nil {
		return err
	}
	s.viewTime.begin(s.time)
	return nil
}

// viewHeld is View while something is held.
func (s *Store) viewHeld(ctx context.Context, fn func(stage.Tx) error) error {
	c, err := s.writer.get(ctx)
	if err != nil {
		return err
	}
	defer s.writer.put(c)
	if !s.postings.held.Load() {
		return errHeld
	}
	s.views.Add(1)
	t := &tx{conn: c, ctx: ctx, now: s.viewTime.now(s.time)}
	defer t.over()
	err = fn(t)
	if !c.active() { // a disk that fails has ended the transaction
		s.release(c.(*liteConn))
	}
	return cmp.Or(err, t.err)
}
