package store

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

const (
	// lookEvery is how often a process looks whether others have stored
	// something, although nobody told it.
	lookEvery = time.Second
	// staleAfter is how long the rolls answer after it was last certain that
	// they show what the database has.
	staleAfter = 3 * time.Second
	// reachTime is how long updates wait for a database that is away, and
	// outcomeTime how long those do that it may have stored.
	reachTime   = 10 * time.Second
	outcomeTime = 30 * time.Second
)

// current tells whether the rolls show what the database has, or had a moment
// ago: others may have stored something, and only the database knows.
func (s *Store) current() bool {
	return !s.engine.shared() || time.Since(s.opened)-time.Duration(s.checked.Load()) <= staleAfter
}

// certain notes that the rolls showed what the database had at that moment.
func (s *Store) certain(at time.Time) { s.checked.Store(int64(at.Sub(s.opened))) }

// look catches up with the other processes. Only the committer calls it.
func (s *Store) look() error {
	ctx, cancel := context.WithTimeout(context.Background(), reachTime)
	defer cancel()
	c, err := s.writer.get(ctx)
	if err != nil {
		return err
	}
	defer s.writer.put(c)
	at := time.Now()
	if err := c.begin(ctx); err != nil {
		return err
	}
	defer c.rollback()
	t, n := &tx{conn: c}, numbers{}
	if err := n.read(t); err != nil {
		return err
	}
	if err := s.catchUp(t, &n); err != nil {
		return err
	}
	s.certain(at)
	return nil
}

// follow hears of what others commit, until ctx ends. Notifications may be
// lost; looking once a second finds what they were about.
func (s *Store) follow(ctx context.Context, e *pgEngine, log *slog.Logger) {
	quiet := false
	for ctx.Err() == nil {
		err := s.listen(ctx, e, func() {
			if quiet {
				log.Info("other servers on the database are heard again")
			}
			quiet = false
		})
		if err != nil && ctx.Err() == nil && !quiet {
			log.Warn("other servers on the database are not heard: rolls come from the database meanwhile", "error", err)
			quiet = true
		}
		pause(ctx, lookEvery/4)
	}
}

// listen waits for notifications on a connection of its own until that is lost.
func (s *Store) listen(ctx context.Context, e *pgEngine, heard func()) error {
	l, err := e.listen(ctx)
	if err != nil {
		return err
	}
	defer l.close()
	for {
		at := time.Now()
		last, err := l.lastBatch(ctx)
		if err != nil {
			return err
		}
		heard()
		if last == s.applied.Load() {
			s.certain(at)
		} else {
			s.queue.wake()
		}
		for until := at.Add(l.every); ; {
			process, err := l.wait(ctx, until)
			if err != nil {
				return err
			}
			if process == "" {
				break
			}
			if process != s.process {
				s.queue.wake()
			}
		}
	}
}

// begin takes the right to write, and with it all that others have stored, unless
// there is a transaction that earlier batches have left open. A database that is
// away is waited for a while.
func (s *Store) begin(c conn) error {
	if err := s.mend(c); err != nil {
		return err
	}
	if s.journal != nil {
		s.journal.draft.reset()
	}
	if c.active() {
		return nil
	}
	s.ledger.reset()
	for wait, until := 20*time.Millisecond, time.Now().Add(reachTime); ; wait = min(2*wait, time.Second) {
		err := s.tryBegin(c)
		if err == nil || !c.lost() || time.Now().After(until) {
			return err
		}
		time.Sleep(wait)
	}
}

func (s *Store) tryBegin(c conn) error {
	at := time.Now()
	if err := c.beginWrite(); err != nil {
		return err
	}
	t := &tx{conn: c}
	if !s.known {
		if err := s.numbers.read(t); err != nil {
			return err
		}
		s.known = !s.engine.shared()
	}
	if !s.engine.shared() {
		return nil
	}
	if err := s.catchUp(t, &s.numbers); err != nil {
		return err
	}
	s.last.Store(max(s.last.Load(), s.numbers.now[clockAt]))
	s.certain(at)
	return nil
}

// outcome finds out, after a commit was answered with nothing but a lost
// connection, whether it was stored. With the right to write it knows: a commit
// that is still on its way holds that right itself.
func (s *Store) outcome(c conn, no int64, lost error) error {
	for wait, until := 20*time.Millisecond, time.Now().Add(outcomeTime); ; wait = min(2*wait, time.Second) {
		stored, err := s.stored(c, no)
		c.rollback()
		switch {
		case err == nil && stored:
			return nil
		case err == nil:
			return lost
		case time.Now().After(until):
			return fmt.Errorf("%w: %w", ErrUnknown, lost)
		}
		time.Sleep(wait)
	}
}

// stored tells whether a batch of this process has this number.
func (s *Store) stored(c conn, no int64) (found bool, err error) {
	if err := c.beginWrite(); err != nil {
		return false, err
	}
	t, n := &tx{conn: c}, numbers{}
	if err := n.read(t); err != nil {
		return false, err
	}
	if n.now[batchNo]-no >= keptBatches {
		return false, fmt.Errorf("%d batches were stored since", n.now[batchNo]-no)
	}
	err = t.all(selectBatch, func(r row) { found = r.text(0) == s.process }, no)
	return found, err
}

// pause waits, but no longer than ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
