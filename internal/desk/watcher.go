package desk

import (
	"cmp"
	"context"
	"errors"
	"time"

	"callboard/internal/stage"
)

// watcher is one reader of a roll.
type watcher struct {
	desk   *Desk
	call   *call
	arn    stage.ARN
	only   string // id of the session that is watched; "" is whichever is live
	filter stage.Filter
	out    outlet
	tag    string // of every cursor

	// key is how far the watcher has been told, see [entry]. It is odd while no
	// session is open.
	key     int64
	session string // id of the session that is open, as far as is known
	resumed bool   // key comes from a cursor
	reset   bool   // there was a cursor, and it is of no use
	live    bool   // caught up
}

// flushAt is how many bytes are collected at most before they are sent.
const flushAt = 64 << 10

// errOver ends a watch in order.
var errOver = errors.New("the watch is over")

// run tells everything until the watcher goes, must go, or there is nothing more to
// tell. The reader of the feed never waits for it: the watcher comes to the strip of
// his stage when he is ready, and if that no longer reaches back, he reads the feed
// by himself until it does.
func (w *watcher) run(ctx context.Context) {
	defer w.out.close()
	var err error
	for err == nil {
		err = w.follow(ctx)
	}
	switch {
	case errors.Is(err, errOver), ctx.Err() != nil:
	case stage.KindOf(err) != stage.Internal:
		w.bye("gone")
	default:
		w.desk.o.Log.Error("a watch broke off", "stage", w.arn, "request", w.call.ID, "error", err)
	}
}

// follow is run for as long as the reader does not begin anew.
func (w *watcher) follow(ctx context.Context) error {
	s := w.desk.reader.attach(w.arn)
	defer w.desk.reader.detach(w.arn, s)
	err := w.start(ctx)
	for err == nil {
		list, upTo, later, ok := s.after(w.key)
		if !ok {
			err = w.catchUp(ctx, s)
			continue
		}
		err = w.goOn(list, upTo)
		if err == nil && !w.live {
			err = w.arrive(ctx)
		}
		if err == nil && w.key%2 == 0 {
			s.expect(w.session)
		}
		if err == nil {
			err = w.wait(ctx, later)
		}
	}
	if errors.Is(err, stage.ErrFeedBehind) {
		w.key, w.reset, w.live, w.resumed = -1, true, false, false
		return nil
	}
	return err
}

// start finds the place from which to go on. A cursor must be one of this feed.
func (w *watcher) start(ctx context.Context) error {
	switch {
	case w.key < 0:
		return w.snapshot(ctx)
	case w.live:
		return nil
	}
	return w.readOn(ctx)
}

// goOn tells what is on the strip.
func (w *watcher) goOn(list []*entry, upTo int64) error {
	for _, e := range list {
		if err := w.tell(e); err != nil {
			return err
		}
	}
	w.advance(upTo)
	return w.flush()
}

// arrive tells that the watcher has caught up, and that his session has ended, if
// nobody could tell him so far.
func (w *watcher) arrive(ctx context.Context) error {
	w.live = true
	w.out.add(caughtUp, w.id(w.key), appendJSON(nil, caughtUpMessage{w.key / 2}))
	if w.key%2 == 0 {
		s, err := w.desk.o.Service.FindSession(ctx, w.call.Caller, w.arn, cmp.Or(w.only, w.session, stage.LatestSession))
		if err != nil {
			return err
		}
		w.session = s.ID
		if !s.Ended.IsZero() {
			if err := w.end(w.key, s.ID); err != nil {
				return err
			}
		}
	}
	return w.flush()
}

// advance moves on past events that are of no concern here.
func (w *watcher) advance(no int64) {
	if no > w.key/2 {
		w.key = 2*no + w.key%2
	}
}

// wait waits for more, at least for the pause between two writes, and shows signs of
// life.
func (w *watcher) wait(ctx context.Context, later <-chan struct{}) error {
	r := &w.desk.rhythm
	pause := time.NewTimer(r.pause)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.desk.gallery.closing:
		return w.bye("stopping")
	}
	silence := time.NewTimer(r.heartbeat)
	defer silence.Stop()
	for {
		select {
		case <-later:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-w.desk.gallery.closing:
			return w.bye("stopping")
		case <-silence.C:
			return w.beat(ctx)
		}
	}
}

// beat tells that the server is alive and how far it is, after a look whether the
// watcher may stay and the stage is there.
func (w *watcher) beat(ctx context.Context) error {
	if err := w.call.Still(ctx, w.arn); err != nil {
		return w.bye("denied")
	}
	if _, err := w.desk.o.Service.Stage(ctx, w.call.Caller, w.arn); err != nil {
		return err
	}
	w.out.add(heartbeat, w.id(w.key))
	return w.flush()
}

// bye ends the watch with a reason. Clients come back with their cursor if there may
// be more.
func (w *watcher) bye(reason string) error {
	w.out.add(goodbye, "", appendJSON(nil, goodbyeMessage{reason}))
	w.flush()
	return errOver
}

// flush sends what there is to be sent.
func (w *watcher) flush() error {
	if w.out.size() == 0 {
		return nil
	}
	if err := w.out.flush(); err != nil {
		w.desk.gallery.dropped.Add(1)
		return errOver
	}
	return nil
}

// catchUp reads the feed up to where the strip begins.
func (w *watcher) catchUp(ctx context.Context, s *strip) error {
	g := w.desk.gallery
	if w.live {
		g.fallen.Add(1)
	}
	g.behind.Add(1)
	defer g.behind.Add(-1)
	for {
		begins, ok := s.begins()
		if !ok || begins-w.key/2 > w.desk.rhythm.farthest {
			return stage.ErrFeedBehind
		}
		if w.key/2 >= begins {
			return nil
		}
		if err := w.readOn(ctx); err != nil {
			return err
		}
	}
}

// readOn reads one batch of the feed and tells it. Only a few watchers read at a time,
// so that those who fall behind do not take the machine from the others.
func (w *watcher) readOn(ctx context.Context) error {
	var list []stage.Change
	upTo := w.key / 2
	err := w.inTurn(ctx, func() (err error) {
		list, upTo, err = w.desk.o.Service.Changes(ctx, upTo, func(arn stage.ARN) bool { return arn == w.arn })
		return err
	})
	if err != nil {
		return err
	}
	for _, e := range entries(list) {
		if err := w.tell(e); err != nil {
			return err
		}
	}
	w.advance(upTo)
	return w.flush()
}

// inTurn runs what reads facts when it is this watcher's turn.
func (w *watcher) inTurn(ctx context.Context, read func() error) error {
	select {
	case w.desk.gallery.reading <- struct{}{}:
		defer func() { <-w.desk.gallery.reading }()
		return read()
	case <-ctx.Done():
		return ctx.Err()
	case <-w.desk.gallery.closing:
		return w.bye("stopping")
	}
}

// snapshot tells the roll as it is.
func (w *watcher) snapshot(ctx context.Context) error {
	name := w.only
	if name == "" {
		name = stage.LiveSession
	}
	first := true
	for before, part := int64(0), 1; first || before != 0; first = false {
		var snap stage.Snapshot
		err := w.inTurn(ctx, func() (err error) {
			snap, err = w.desk.o.Service.Snapshot(ctx, w.call.Caller, w.arn, name, w.filter, before)
			return err
		})
		nobody := w.only == "" && first && stage.KindOf(err) == stage.NotFound
		if err != nil && !nobody {
			return err
		}
		if first {
			w.begin(&snap, nobody)
		}
		name = snap.Session.ID
		if part, err = w.tellPart(&snap, part); err != nil {
			return err
		}
		before = snap.Next
	}
	w.reset = false
	return nil
}

// begin takes the place in the feed of the first part of a snapshot. What happens
// while others are read is told after them.
func (w *watcher) begin(snap *stage.Snapshot, nobody bool) {
	w.key, w.session = 2*snap.No, snap.Session.ID
	if nobody {
		w.key++
	}
}

// tellPart tells one part in messages of a bounded size and gives the number of the
// next message.
func (w *watcher) tellPart(snap *stage.Snapshot, part int) (int, error) {
	rows := snap.Rows
	for {
		n := min(len(rows), w.desk.rhythm.part)
		m := snapshotMessage{No: w.key / 2, Part: part, Reset: w.reset && part == 1, SessionID: w.session, Participants: make([]rollEntry, n)}
		for i := range n {
			m.Participants[i] = toRollEntry(&rows[i])
		}
		w.out.add(snapshotPart, "", appendJSON(nil, m))
		rows, part = rows[n:], part+1
		if w.out.size() > flushAt || len(rows) == 0 {
			if err := w.flush(); err != nil {
				return part, err
			}
		}
		if len(rows) == 0 {
			return part, nil
		}
	}
}

// tell tells one entry, if it is of any concern here.
func (w *watcher) tell(e *entry) error {
	ended := e.session // by the end of it, or by the beginning of the next one
	if e.change != nil {
		ended = e.change.Previous
	}
	if w.key%2 == 0 && ended != "" && (w.only == "" || w.only == ended) {
		if err := w.end(e.key-1, ended); err != nil {
			return err
		}
	}
	if e.change == nil || w.only != "" && e.session != w.only {
		return nil
	}
	w.tellChange(e)
	w.key, w.session = e.key, e.session
	if w.out.size() > flushAt {
		return w.flush()
	}
	return nil
}

// end tells that a session has ended, after the event of a key. With it ends the watch
// of that session.
func (w *watcher) end(key int64, session string) error {
	w.key, w.session = key|1, ""
	w.out.add(sessionEnded, w.id(w.key), appendJSON(nil, sessionMessage{w.key / 2, session}))
	if w.only != "" {
		return w.bye("ended")
	}
	return nil
}

func (w *watcher) tellChange(e *entry) {
	c := e.change
	if c.Began {
		w.out.add(sessionStarted, "", appendJSON(nil, sessionMessage{c.No, e.session}))
	}
	if view := w.view(c); view != "" {
		w.out.add(changeNames[c.Name], w.id(e.key), []byte(`{"view":"`), []byte(view), e.data)
	}
}

// view is what a change means for who sees only those who match the filter; "" is
// nothing. A rejoin with another token may bring another user id and other attributes,
// and what they were is not known: whoever might have matched by them is taken away.
func (w *watcher) view(c *stage.Change) string {
	is := w.filter.Match(&c.New)
	was := c.Known && (w.filter.Match(&c.Old) || c.Name == stage.Joined && w.filter.Personal())
	switch {
	case is && was:
		return changed
	case is:
		return entered
	case was:
		return exited
	}
	return ""
}
