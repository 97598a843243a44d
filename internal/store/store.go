package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"callboard/internal/stage"
)

// ErrClosed is the answer of a store that has been closed.
var ErrClosed = errors.New("the store is closed")

// Options say where the facts are kept.
type Options struct {
	Path string           // the database's file, or its URL (see [IsURL]); "" or "memory:" keeps nothing
	Now  func() time.Time // nil is time.Now
	Log  *slog.Logger     // nil discards

	// RollBytes bounds the memory of the participants that are kept there; 0 is
	// [DefaultRollBytes], less than 0 keeps none.
	RollBytes int64

	// JournalBytes is about how large the journal of a file may become before it is
	// begun anew; 0 is 16 MiB.
	JournalBytes int64
}

// DefaultRollBytes is room for about five million participants.
const DefaultRollBytes = 384 << 20

// Store is a [stage.Store] in SQLite or PostgreSQL. It may be used by many goroutines at once.
//
// In memory there is one connection for everybody, so there an Update must not
// be called from within a View.
type Store struct {
	queue   *queue
	writer  *pool // of one
	readers *pool // in memory the same as writer
	engine  engine
	journal *journal // nil if the engine has none
	rolls   *rolls
	feedEnd *feedEnd
	now     func() time.Time

	shown    shown
	viewTime viewTime

	committer sync.WaitGroup
	helpers   sync.WaitGroup     // who reads rolls, and who hears of other processes
	stop      context.CancelFunc // ends the helpers
	closing   sync.Once
	closeErr  error

	process string       // name of this one among those on the database
	opened  time.Time    // when this one began
	checked atomic.Int64 // how long after that the rolls were certainly current
	applied atomic.Int64 // number of the last batch that the rolls know; only the committer advances it

	last atomic.Int64 // the latest Now of an update, in milliseconds; only the committer advances it

	// The committer's.
	dirty   bool    // the commit under way has something to store
	changes changes // what it changes, for other processes
	known   bool    // numbers are those in the database
	numbers numbers
	ledger  ledger

	postings postings

	commits, updates, failures, views atomic.Uint64
}

var _ stage.Store = (*Store)(nil)

// Open opens the database, creating or migrating it as needed, and starts the
// committer. It fails if another server has the file, or if a newer version
// has written it. The store must be closed.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{
		queue: newQueue(), now: o.Now, opened: time.Now(), process: rand.Text(),
		feedEnd: newFeedEnd(), rolls: newRolls(cmp.Or(o.RollBytes, DefaultRollBytes)),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	if s.engine, err = openEngine(&o); err != nil {
		return nil, err
	}
	s.writer, s.readers = s.engine.pools()
	s.journal = s.engine.journal()
	s.postings.log, s.postings.fold = o.Log, make(chan struct{}, 1)
	s.postings.timer = time.AfterFunc(time.Hour, s.queue.wake)
	s.postings.timer.Stop()
	if err := s.prepare(ctx, o.Log); err != nil {
		return nil, errors.Join(err, s.closeFiles())
	}
	s.committer.Go(s.run)
	helping, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.helpers.Go(func() { s.build(helping, o.Log) })
	switch e := s.engine.(type) {
	case *pgEngine:
		s.helpers.Go(func() { s.follow(helping, e, o.Log) })
	case *sqliteEngine:
		if e.redo != nil {
			s.helpers.Go(func() { s.fold(helping, e, o.Log) })
		}
	}
	return s, nil
}

// prepare migrates the database and reads when it was last written.
func (s *Store) prepare(ctx context.Context, log *slog.Logger) error {
	c, err := s.writer.get(ctx)
	if err != nil {
		return err
	}
	defer s.writer.put(c)
	if err := migrate(ctx, c, migrations, s.now()); err != nil {
		return err
	}
	if s.journal != nil {
		if err := s.journal.begin(c.(*liteConn)); err != nil {
			return err
		}
	}
	if err := c.begin(ctx); err != nil {
		return err
	}
	defer c.rollback()
	t := &tx{conn: c}
	var n numbers
	if err := n.read(t); err != nil {
		return fmt.Errorf("read the counters: %w", err)
	}
	s.last.Store(n.now[clockAt])
	s.applied.Store(n.now[batchNo])
	s.feedEnd.set(n.now[eventNo])
	if ahead := fromMillis(s.last.Load()).Sub(s.now()); ahead > maxStep {
		log.Warn("the clock is behind the last stored fact: it was wrong then, or is now", "behind", ahead)
	}
	return nil
}

// View runs fn on one snapshot of what is committed; see [stage.Store]. It
// waits for a free connection until ctx ends, and ctx is looked at again
// before each statement.
func (s *Store) View(ctx context.Context, fn func(stage.Tx) error) error {
	err := s.posted(ctx)
	for err == errHeld {
		if err = s.viewHeld(ctx, fn); err != errHeld {
			return err
		}
		err = s.posted(ctx)
	}
	if err != nil {
		return fmt.Errorf("begin a view: %w", err)
	}
	c, err := s.readers.get(ctx)
	if err != nil {
		return err
	}
	defer s.readers.put(c)
	s.views.Add(1)
	now := s.viewTime.now(s.time) // before the snapshot
	if err := c.begin(ctx); err != nil {
		return fmt.Errorf("begin a view: %w", err)
	}
	defer c.rollback() // cannot fail: there is nothing to undo
	t := &tx{conn: c, ctx: ctx, now: now}
	defer t.over()
	err = fn(t)
	s.shown.wait(t)
	return cmp.Or(err, t.err)
}

// Update runs fn on the committer and returns when it is durable; see
// [stage.Store]. A panic of fn is returned as an error.
func (s *Store) Update(ctx context.Context, fn func(stage.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	u := &update{fn: fn, done: make(chan error, 1)}
	if !s.queue.put(u) {
		return ErrClosed
	}
	select {
	case err := <-u.done:
		return err
	case <-ctx.Done():
		if u.claim() {
			return ctx.Err()
		}
		return <-u.done
	}
}

// maxStep is how far a clock may be set back without facts going back in time.
// One that was wrong by more is believed again once it is right: otherwise a
// moment of a far future would stop time until it has come.
const maxStep = time.Minute

// time is the clock's, but never before the last update within maxStep.
func (s *Store) time() time.Time {
	now, last := s.now().UnixMilli(), s.last.Load()
	if last > now && last-now <= maxStep.Milliseconds() {
		now = last
	}
	return fromMillis(now)
}

// advance gives the time of the next update.
func (s *Store) advance() time.Time {
	now := s.time()
	s.last.Store(now.UnixMilli())
	return now
}

// Close takes no more work, waits until what was accepted is stored and every
// View is over, and closes the database.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.stop()
		s.helpers.Wait()
		s.queue.close()
		s.committer.Wait()
		s.closeErr = errors.Join(s.closeJournal(), s.closeFiles())
	})
	return s.closeErr
}

// closeFiles closes what Open opened; the last connection to go folds the
// log into the file.
func (s *Store) closeFiles() error {
	var errs []error
	if s.readers != s.writer {
		errs = append(errs, s.readers.close())
	}
	errs = append(errs, s.writer.close())
	return errors.Join(append(errs, s.engine.close())...)
}

// Stats are counts since the store was opened, and its present state.
type Stats struct {
	Commits  uint64 // transactions that were committed; about Updates divided by the size of a batch
	Updates  uint64 // updates that were run
	Failures uint64 // of these, the ones that left nothing
	Views    uint64
	Queued   int // updates that wait now
	Readers  int // connections open for views

	Rolls     int   // sessions whose participants are in memory
	RollBytes int64 // what they take
}

// Stats gives the store's counters.
func (s *Store) Stats() Stats {
	return Stats{
		Commits:  s.commits.Load(),
		Updates:  s.updates.Load(),
		Failures: s.failures.Load(),
		Views:    s.views.Load(),
		Queued:   s.queue.len(),
		Readers:  s.readers.len(),

		Rolls:     s.rolls.len(),
		RollBytes: s.rolls.bytes.Load(),
	}
}
