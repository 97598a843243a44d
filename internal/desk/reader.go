package desk

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"callboard/internal/stage"
)

// reader is the one reader of the feed, whose work all watchers share: it reads the
// events while somebody watches, and keeps the last changes of every watched stage on
// a strip. It waits for nobody and knows nobody: watchers come and look.
type reader struct {
	service *stage.Service
	log     *slog.Logger
	keep    int           // entries on a strip
	tick    time.Duration // how often sessions in which nobody is are looked at

	lag atomic.Int64 // events that are durable and not read yet

	mu     sync.Mutex
	at     int64 // position in the feed
	reads  int64 // begun
	strips map[stage.ARN]*strip
	begun  chan struct{} // room for one: there is somebody again
}

// strip is the last changes of one stage. The entries of a strip never change, so
// watchers share them.
type strip struct {
	reader   *reader
	watchers int
	joined   int64 // number of the read before which it came
	from     int64 // everything after this key is here
	entries  []*entry
	later    chan struct{} // closed when there is more
	gone     bool          // nothing will come any more: look for another strip
	open     string        // id of the session that has not ended, as far as is known
	quiet    bool          // perhaps nobody is in it
}

// entry is a change, or the end of a session. Its key is twice the number of the
// event, plus one for the end of a session, which has no event: it is after the last
// one of the session.
type entry struct {
	key     int64
	session string
	change  *stage.Change // nil for the end of a session
	data    []byte        // the change in JSON, but for its beginning
}

func newReader(s *stage.Service, log *slog.Logger, keep int, tick time.Duration) *reader {
	return &reader{service: s, log: log, keep: keep, tick: tick, strips: map[stage.ARN]*strip{}, begun: make(chan struct{}, 1)}
}

// attach gives the strip of a stage, for one watcher more.
func (r *reader) attach(arn stage.ARN) *strip {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.strips) == 0 {
		r.at, _ = r.service.Latest()
		select {
		case r.begun <- struct{}{}:
		default:
		}
	}
	s := r.strips[arn]
	if s == nil {
		s = &strip{reader: r, joined: r.reads, from: 2 * r.at, later: make(chan struct{})}
		r.strips[arn] = s
	}
	s.watchers++
	return s
}

// detach is the end of a watcher.
func (r *reader) detach(arn stage.ARN, s *strip) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.watchers--; s.watchers == 0 && !s.gone {
		delete(r.strips, arn)
	}
}

// forget takes what was told of people off the strips: somebody has been erased.
// Watchers who have not told it yet read the feed.
func (r *reader) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.strips {
		for _, e := range s.entries {
			if e.change != nil {
				s.from = e.key
			}
		}
		s.entries = slices.DeleteFunc(slices.Clone(s.entries), func(e *entry) bool { return e.key <= s.from })
	}
}

// restart begins anew with the feed. Watchers find their strips gone.
func (r *reader) restart() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for arn, s := range r.strips {
		s.gone = true
		close(s.later)
		delete(r.strips, arn)
	}
}

// ready is a channel that is closed.
var ready = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// run reads until ctx ends.
func (r *reader) run(ctx context.Context) {
	tick := time.NewTicker(r.tick)
	defer tick.Stop()
	for ctx.Err() == nil {
		last, later := r.service.Latest()
		at, busy := r.position()
		var err error
		switch {
		case !busy:
			later = nil
		case last != at:
			var read int
			if read, err = r.read(ctx, at); read > 0 {
				later = ready // there may be more, but sessions are looked at in between
			}
		}
		if errors.Is(err, stage.ErrFeedBehind) {
			r.restart()
			continue
		}
		if err != nil && ctx.Err() == nil {
			r.log.Error("the feed could not be read for watchers", "error", err)
			later = nil // and so not before the next tick
		}
		select {
		case <-ctx.Done():
		case <-r.begun:
		case <-later:
		case <-tick.C:
			r.lookAround(ctx)
		}
	}
}

// position is where the reader is, and whether anybody watches.
func (r *reader) position() (at int64, busy bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at, len(r.strips) > 0
}

// read takes a batch of the feed and gives how many events that was.
func (r *reader) read(ctx context.Context, at int64) (int, error) {
	r.mu.Lock()
	r.reads++
	number := r.reads
	r.mu.Unlock()
	list, upTo, err := r.service.Changes(ctx, at, func(arn stage.ARN) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		s := r.strips[arn]
		return s != nil && s.joined < number
	})
	if err != nil {
		return 0, err
	}
	last, _ := r.service.Latest()
	r.lag.Store(max(0, last-upTo))
	r.publish(entries(list), at, upTo, number)
	return int(upTo - at), nil
}

// entries encodes changes.
func entries(list []stage.Change) []*entry {
	out := make([]*entry, len(list))
	for i := range list {
		c := &list[i]
		out[i] = &entry{key: 2 * c.No, session: c.SessionID, change: c, data: appendChange(nil, c)}
	}
	return out
}

// publish puts a batch on the strips. Those that came while it was read have not got
// theirs: for them it is the past.
func (r *reader) publish(batch []*entry, at, upTo, number int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at != at {
		return // everybody went and somebody came meanwhile
	}
	r.at = upTo
	for _, s := range r.strips {
		if s.joined >= number {
			s.from = 2 * upTo
		}
	}
	fresh := map[*strip]bool{}
	for _, e := range batch {
		if s := r.strips[e.change.Stage]; s != nil && s.joined < number {
			s.add(e)
			fresh[s] = true
		}
	}
	for s := range fresh {
		s.tell()
	}
}

// add puts an entry at the end and forgets old ones.
func (s *strip) add(e *entry) {
	if e.change != nil {
		s.open, s.quiet = e.session, e.change.Name == stage.Left
	}
	if len(s.entries) >= 2*s.reader.keep {
		old := len(s.entries) - s.reader.keep
		s.from = s.entries[old-1].key
		s.entries = append(make([]*entry, 0, cap(s.entries)), s.entries[old:]...)
	}
	s.entries = append(s.entries, e)
}

// tell wakes those who wait for more.
func (s *strip) tell() {
	close(s.later)
	s.later = make(chan struct{})
}

// after gives what is on the strip after a key, how far that reaches, and a channel
// that is closed when there is more. It is false if the strip does not reach back.
func (s *strip) after(key int64) (list []*entry, upTo int64, later <-chan struct{}, ok bool) {
	s.reader.mu.Lock()
	defer s.reader.mu.Unlock()
	if s.gone || key/2 < s.from/2 {
		return nil, 0, nil, false
	}
	i := sort.Search(len(s.entries), func(i int) bool { return s.entries[i].key > key })
	return s.entries[i:len(s.entries):len(s.entries)], s.reader.at, s.later, true
}

// begins is the number of the event after which everything is on the strip; false if
// it is gone.
func (s *strip) begins() (int64, bool) {
	s.reader.mu.Lock()
	defer s.reader.mu.Unlock()
	return s.from / 2, !s.gone
}

// expect has the strip tell the end of a session that a watcher believes open.
func (s *strip) expect(session string) {
	s.reader.mu.Lock()
	defer s.reader.mu.Unlock()
	if s.open == "" {
		s.open, s.quiet = session, true
	}
}

// lookAround looks for sessions that have ended. That is not an event: a session ends
// when nobody has come back for some time.
func (r *reader) lookAround(ctx context.Context) {
	for arn, id := range r.quiet() {
		s, err := r.service.FindSession(ctx, stage.Caller{Account: arn.Account, Region: arn.Region}, arn, id)
		switch {
		case stage.KindOf(err) == stage.NotFound, err == nil && !s.Ended.IsZero():
			r.conclude(arn, id, true)
		case err == nil && s.Connected > 0:
			r.conclude(arn, id, false)
		}
	}
}

// quiet gives the sessions that may end.
func (r *reader) quiet() map[stage.ARN]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[stage.ARN]string{}
	for arn, s := range r.strips {
		if s.open != "" && s.quiet {
			out[arn] = s.open
		}
	}
	return out
}

// conclude notes that a session has ended, or that somebody is in it.
func (r *reader) conclude(arn stage.ARN, id string, ended bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.strips[arn]
	if s == nil || s.open != id {
		return
	}
	s.quiet = false
	if ended {
		s.open = ""
		s.add(&entry{key: 2*r.at + 1, session: id})
		s.tell()
	}
}
