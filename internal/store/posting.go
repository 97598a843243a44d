package store

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// With a journal a batch is durable, and answered, before SQLite has committed
// it. The transaction stays open and takes in what comes; to post it is to
// commit it, after which the file itself tells what the journal told. That is
// done for every view, which must see what was acknowledged before it began; at
// the latest postAfter after the first of its batches, for other programs that
// read the file and so that the transaction stays small; and whenever somebody
// else needs the connection.
//
// Everything here belongs to whoever has the connection that writes.

// postAfter is how much later than its answer an update is in the file.
const postAfter = 50 * time.Millisecond

// postings are what has to be posted, and who waits for it.
type postings struct {
	open  atomic.Bool // something was acknowledged that is not posted
	timer *time.Timer // wakes the committer when it is time
	lost  bool        // the transaction went without being committed: the journal has what there was
	doubt atomic.Bool // the disk may not have all of SQLite's log: see fold.go
	held  atomic.Bool // what cannot be posted is shown all the same: see held.go
	log   *slog.Logger
	wrong error // of the last try, which was logged

	counted int           // updates since the log was folded last
	fold    chan struct{} // has it folded

	mu      sync.Mutex
	since   time.Time     // when the first of what is open was acknowledged, or the last try was
	wait    time.Duration // from then on until the next try; 0 is postAfter
	waiting []chan error
	closed  bool
}

// posted returns when all that was acknowledged before is in the file.
func (s *Store) posted(ctx context.Context) error {
	if !s.postings.open.Load() {
		return nil
	}
	if s.postings.held.Load() {
		return errHeld
	}
	done := make(chan error, 1)
	if err := s.postings.ask(done); err != nil {
		return err
	}
	s.queue.wake()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ask has done told when what is open now is posted.
func (p *postings) ask(done chan error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return ErrClosed
	case !p.open.Load():
		done <- nil
	default:
		p.waiting = append(p.waiting, done)
	}
	return nil
}

// over says how posting went, and tells everybody who waits.
func (p *postings) over(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.open.Store(false)
		p.timer.Stop()
		p.wait = 0
	} else {
		p.since, p.wait = time.Now(), min(max(2*p.wait, postAfter), time.Second)
		p.timer.Reset(p.wait)
	}
	if p.held.Load() {
		err = errHeld
	}
	for _, done := range p.waiting {
		done <- err
	}
	p.waiting = nil
}

// close is over for good.
func (p *postings) close(err error) {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.over(err)
	p.timer.Stop()
}

// due tells whether it is time.
func (p *postings) due() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting) > 0 || (p.open.Load() || p.doubt.Load()) && time.Since(p.since) >= max(p.wait, postAfter)
}

// note says that a batch was acknowledged.
func (p *postings) note() {
	if p.open.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open.Store(true)
	p.since = time.Now()
	p.timer.Reset(postAfter)
}

// write makes the batch under way durable in the journal.
func (s *Store) write() error {
	s.ledger.tell(&s.journal.draft)
	s.numbers.tell(&s.journal.draft)
	if err := s.journal.write(); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	s.postings.note()
	return nil
}

// postWhenDue is called between two batches.
func (s *Store) postWhenDue() {
	if !s.postings.due() {
		return
	}
	c, err := s.writer.get(context.Background())
	if err != nil {
		s.postings.over(err)
		return
	}
	defer s.writer.put(c)
	s.post(c) // who waits for it is told if it fails, and it is tried again
}

// post commits the open transaction, if there is one, or has the file take over
// the journal after one was lost, or when SQLite's log is in doubt. What fails is
// tried again: until it has succeeded nothing is stored, and views are held.
func (s *Store) post(c conn) error {
	p := &s.postings
	if s.journal == nil || !p.open.Load() && !p.lost && !p.doubt.Load() {
		return nil
	}
	lite := c.(*liteConn)
	s.release(lite)
	err := s.tryPost(lite)
	if err == nil {
		p.lost = false
		s.viewTime.end()
	} else {
		s.lose(c)
		p.doubt.Store(true)
		if p.wrong == nil {
			p.log.Error("what was stored cannot be put into the database: it is safe in the journal, and tried again", "error", err)
		}
		s.hold(lite)
	}
	p.wrong = err
	p.over(err)
	return err
}

func (s *Store) tryPost(c *liteConn) error {
	if s.postings.doubt.Load() {
		s.lose(c)
	}
	if s.postings.lost {
		return s.takeOver(c)
	}
	t := &tx{conn: c, writable: true}
	if err := s.ledger.write(t); err != nil {
		return err
	}
	s.numbers.now[journalNo] = s.journal.last
	if err := s.numbers.write(t); err != nil {
		return err
	}
	if err := c.commit(); err != nil {
		return err
	}
	s.tidy(c)
	return nil
}

func (s *Store) takeOver(c *liteConn) error {
	if err := s.journal.takeOver(c, s.postings.doubt.Load()); err != nil {
		return err
	}
	s.postings.doubt.Store(false)
	return c.syncing(false)
}

// tidy keeps journal and log short. When it fails, all is in the file nevertheless, and
// shown; but the log is in doubt, so the journal stays as it is.
func (s *Store) tidy(c *liteConn) {
	if c.tooLong() {
		s.foldOnce(c, s.postings.log)
	}
	if !s.journal.full() || s.postings.doubt.Load() {
		return
	}
	if err := s.secure(c); err != nil {
		s.lose(c)
		s.postings.doubt.Store(true)
		s.postings.log.Error("the journal cannot be begun anew", "error", err)
		return
	}
	s.journal.restart()
}

// lose gives up the transaction, with what the journal has and what it has not.
func (s *Store) lose(c conn) {
	if s.postings.held.Load() {
		return // it was lost before
	}
	c.rollback() // there is no other way on
	s.known = false
	s.postings.lost = s.journal != nil
}

// secure makes durable all that was committed, by a commit that is. It has to
// change something: SQLite writes nothing for a value that is there, and then syncs nothing.
func (s *Store) secure(c *liteConn) error {
	err := c.syncing(true)
	if err == nil {
		err = c.beginWrite()
	}
	for _, no := range []int64{s.journal.last - 1, s.journal.last} {
		if err == nil {
			_, err = c.change(setCounter, []any{no, counted[journalNo]})
		}
	}
	if err == nil {
		err = c.commit()
	}
	if err == nil {
		err = c.syncing(false)
	}
	return err
}

// borrow lends the connection that writes, with everything posted and no
// transaction open. Meanwhile no update is run.
func (s *Store) borrow(ctx context.Context) (conn, error) {
	c, err := s.writer.get(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.post(c); err != nil {
		s.writer.put(c)
		return nil, err
	}
	return c, nil
}

// clearJournal leaves nothing in the journal; the connection is borrowed.
func (s *Store) clearJournal(c conn) error {
	if s.journal == nil || s.journal.size == 0 {
		return nil
	}
	if err := s.secure(c.(*liteConn)); err != nil {
		s.lose(c)
		s.postings.doubt.Store(true)
		return err
	}
	return s.journal.empty()
}

// closeJournal puts everything into the file, after the last update.
func (s *Store) closeJournal() error {
	c, err := s.writer.get(context.Background())
	if err == nil {
		defer s.writer.put(c)
		err = s.post(c)
	}
	if err == nil {
		err = s.clearJournal(c)
	}
	if s.journal != nil && c != nil {
		s.release(c.(*liteConn))
	}
	s.postings.close(err)
	return err
}
