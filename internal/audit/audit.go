// Package audit reads everything a store holds and says where facts contradict
// each other: a count that is not the number of rows, a LEFT without a JOINED,
// two sessions of a stage at once. It knows how facts must agree and nothing of
// how they are kept, so it examines every engine, in tests, after a crash, and
// for an operator who wants to know.
package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"callboard/internal/stage"
)

// maxProblems is how many contradictions a report spells out.
const maxProblems = 100

// batch is how many rows are asked for at a time.
const batch = 500

// patience is how long the end of the feed may be announced late.
const patience = 10 * time.Second

// Report is what was read, and what is wrong with it.
type Report struct {
	Events, Stages, Sessions, Participants int64

	Problems []string // the first hundred
	Wrong    int64    // how many there are
}

// Err is nil if nothing is wrong, and else tells of the first contradictions.
func (r *Report) Err() error {
	if r.Wrong == 0 {
		return nil
	}
	some := r.Problems[:min(len(r.Problems), 5)]
	return fmt.Errorf("%d contradictions: %q", r.Wrong, some)
}

func (r *Report) wrong(format string, args ...any) {
	r.Wrong++
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}

// tally counts the facts that the feed and the lists of participants must both have.
type tally map[stage.EventName]int64

// counted are the facts that only somebody with a row in a session can have.
var counted = []stage.EventName{stage.Joined, stage.Left, stage.PublishStarted, stage.PublishStopped, stage.SubscribeStarted, stage.SubscribeStopped}

// Everything examines all that is stored: the feed from its first event to its
// last, and every session of every stage that the feed or a live session names,
// those of stages that were deleted included. Nobody may write meanwhile. An
// error says that it could not read, not that something is wrong.
func Everything(ctx context.Context, s stage.Store) (*Report, error) {
	r := &Report{}
	inFeed, stages, err := r.feed(ctx, s)
	if err != nil {
		return r, err
	}
	inLists := tally{}
	for arn := range stages {
		if err := r.stage(ctx, s, arn, inLists); err != nil {
			return r, err
		}
	}
	r.Stages = int64(len(stages))
	for _, name := range counted {
		if inFeed[name] != inLists[name] {
			r.wrong("the feed has %d times %s, the participants have it %d times", inFeed[name], name, inLists[name])
		}
	}
	return r, nil
}

// announced tells whether the store says that the feed ends with this event. It
// may find out a moment later, about a commit whose answer was lost.
func announced(ctx context.Context, s stage.Store, end int64) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		last, later := s.Latest()
		if last >= end {
			return last == end
		}
		select {
		case <-ctx.Done():
			return false
		case <-later:
		}
	}
}

// feed reads the feed: its numbers have no gap but where history was removed, and
// its end is known.
func (r *Report) feed(ctx context.Context, s stage.Store) (tally, map[stage.ARN]bool, error) {
	names, stages := tally{}, map[stage.ARN]bool{}
	for at, n, oldest := int64(0), batch, int64(0); n == batch; {
		err := s.View(ctx, func(tx stage.Tx) (err error) {
			if oldest, err = tx.Oldest(); err != nil {
				return err
			}
			list, err := tx.Feed(at, batch)
			n = len(list)
			for _, e := range list {
				if e.No != at+1 && at > 0 && e.No > oldest+1 {
					r.wrong("event %d follows event %d", e.No, at)
				}
				at = e.No
				names[e.Name]++
				stages[e.Stage] = true
				r.Events++
			}
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		if n < batch && !announced(ctx, s, max(at, oldest)) { // history that was removed may have been all there was
			r.wrong("the feed ends with event %d, and another number is announced", at)
		}
	}
	err := s.View(ctx, func(tx stage.Tx) error {
		for after, n := int64(0), batch; n == batch; {
			list, err := tx.Sessions(stage.SessionQuery{After: after, Limit: batch})
			if err != nil {
				return err
			}
			for _, live := range list {
				stages[live.Stage], after = true, live.No
			}
			n = len(list)
		}
		return nil
	})
	return names, stages, err
}

// stage examines the sessions of a stage, the newest first.
func (r *Report) stage(ctx context.Context, s stage.Store, arn stage.ARN, names tally) error {
	var later *stage.Session
	for before, n := int64(0), batch; n == batch; {
		var list []stage.Session
		err := s.View(ctx, func(tx stage.Tx) (err error) {
			list, err = tx.Sessions(stage.SessionQuery{Stage: arn, Before: before, Limit: batch})
			return err
		})
		if err != nil {
			return err
		}
		for i := range list {
			r.follow(list[i], later)
			later, before = &list[i], list[i].No
			if err := r.Session(ctx, s, arn, list[i].ID, names); err != nil {
				return err
			}
		}
		n = len(list)
	}
	return nil
}

// follow compares a session with the one after it, if there is one.
func (r *Report) follow(s stage.Session, later *stage.Session) {
	switch {
	case later == nil:
	case s.Ended.IsZero():
		r.wrong("session %s of %s goes on although %s came after it", s.ID, s.Stage, later.ID)
	case later.Started.Before(s.Ended):
		r.wrong("session %s of %s began before %s ended (or the clock was set back)", later.ID, s.Stage, s.ID)
	}
}

// Session examines one session in one snapshot, so others may write meanwhile.
// The events of its participants are added to names, which may be nil.
func (r *Report) Session(ctx context.Context, s stage.Store, arn stage.ARN, id string, names tally) error {
	return s.View(ctx, func(tx stage.Tx) error {
		session, err := tx.Session(arn, id)
		if errors.Is(err, stage.ErrNoRow) {
			r.wrong("session %s of %s is listed, but not there", id, arn)
			return nil
		}
		if err != nil {
			return err
		}
		r.Sessions++
		return (&sitting{Report: r, tx: tx, session: session, names: names}).examine()
	})
}
