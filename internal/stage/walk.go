package stage

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"
)

// Inquiry asks which participants of a session are meant. With At, all of it is
// about that moment: who had joined by then, was connected or publishing or had
// published.
type Inquiry struct {
	Filter
	Publishing  *bool         // at the moment
	PresentOver time.Duration // connected for longer than this in all, up to the moment
	At          time.Time     // the zero time is now
}

// Attendance is a participant as of a moment, with what its events say.
type Attendance struct {
	Participant
	Presence  Presence
	Intervals []Interval // by their beginning
	Dropped   int64      // intervals that are left out
}

const (
	// A walk takes few participants at first, for most pages end soon, and then
	// ever more, so that a long one has little to do beside.
	walkFirst = 128
	walkMost  = 4096
	// manyEvents is when a walk that reads events takes fewer participants.
	manyEvents = 20_000
	// walksAtOnce is how many batches of walks are read at a time: the rest of
	// the machine is for those who call the roll.
	walksAtOnce = 2
	// patience is how long a question may take.
	patience = 25 * time.Second
)

// walk goes through the participants of a session in the order of joining. It
// reads them in batches, each in a view of its own, and holds nothing while it
// shows them.
type walk struct {
	service   *Service
	session   int64
	last      int64 // Seq of the last participant
	inquiry   Inquiry
	past      bool      // it is about one moment: what events say, not the rows as they are
	at        time.Time // the moment; of each batch its own if it is not one
	no        int64     // of the last event that counts
	detail    bool      // wants details, whatever the filter needs
	presence  bool      // wants presences
	intervals bool      // and the intervals they consist of,
	most      int       // as many of a participant as this; 0 is all
}

// begin looks at a session as it is now.
func (s *Service) begin(ctx context.Context, session Session, q Inquiry) (*walk, error) {
	if !q.At.IsZero() && q.Recording != nil {
		return nil, fail(Invalid, "The recording state of an earlier moment is not known: leave it out, or the time")
	}
	w := &walk{service: s, session: session.No, inquiry: q, no: math.MaxInt64, past: !q.At.IsZero()}
	w.presence = w.past || q.Publishing != nil || q.PresentOver > 0
	return w, s.view(ctx, func(tx Tx) error {
		now, err := tx.Session(session.Stage, session.ID)
		if errors.Is(err, ErrNoRow) {
			return fail(NotFound, "Session %s does not exist on stage %s", session.ID, session.Stage)
		}
		w.at, w.last = tx.Now(), now.NextSeq-1
		if w.past && q.At.Before(w.at) {
			w.at = q.At
		}
		return err
	})
}

// view is one batch of a walk.
func (s *Service) view(ctx context.Context, fn func(Tx) error) error {
	select {
	case s.walks <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.walks }()
	return s.store.View(ctx, fn)
}

// patient bounds the time of a question that has no pages.
func patient(ctx context.Context, ask func(context.Context) error) error {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := ask(within)
	if err != nil && ctx.Err() == nil && within.Err() != nil {
		return &Error{Kind: Invalid, Message: "This question takes too long in a session of this size: ask for less of it", Err: err}
	}
	return err
}

// down shows visit those who are meant, the newest join below before first (0 is
// the very first), until it says no.
func (w *walk) down(ctx context.Context, before int64, visit func(Attendance) bool) error {
	through := w.last
	if before > 0 {
		through = min(through, before-1)
	}
	for size := int64(walkFirst); through > 0; size = min(4*size, walkMost) {
		list, above, err := w.below(ctx, through, size)
		if err != nil {
			return err
		}
		for _, a := range slices.Backward(list) {
			if !visit(a) {
				return nil
			}
		}
		through = above
	}
	return nil
}

// below reads some who are meant, Seq ascending and at most through, and tells
// where the rest begins. A user id has an index.
func (w *walk) below(ctx context.Context, through, size int64) (list []Attendance, above int64, err error) {
	above = max(0, through-size)
	err = w.service.view(ctx, func(tx Tx) error {
		if w.inquiry.UserID == nil {
			list, err = w.batch(tx, above, through)
			return err
		}
		rows, err := tx.Participants(ParticipantQuery{Session: w.session, UserID: w.inquiry.UserID, Before: through + 1, Limit: walkFirst})
		above = 0
		if len(rows) == walkFirst {
			above = rows[walkFirst-1].Seq - 1
		}
		for _, p := range slices.Backward(rows) {
			some, err := w.batch(tx, p.Seq-1, p.Seq)
			if err != nil {
				return err
			}
			list = append(list, some...)
		}
		return err
	})
	return list, above, err
}

// up is down the other way: those with Seq greater than above, oldest join first.
func (w *walk) up(ctx context.Context, above int64, visit func(Attendance) bool) error {
	for size := int64(walkFirst); above < w.last; {
		through := min(w.last, above+size)
		var list []Attendance
		err := w.service.view(ctx, func(tx Tx) (err error) {
			list, err = w.batch(tx, above, through)
			return err
		})
		if err != nil {
			return err
		}
		events := int64(0)
		for _, a := range list {
			events += int64(len(a.Intervals))
			if !visit(a) {
				return nil
			}
		}
		above = through
		if size = min(4*size, walkMost); events > manyEvents {
			size = max(1, size/16)
		}
	}
	return nil
}

// batch reads those with Seq greater than above and at most through who are meant.
func (w *walk) batch(tx Tx, above, through int64) ([]Attendance, error) {
	if !w.past {
		w.at = tx.Now()
	}
	rows, err := tx.Walk(w.query(above, through))
	if err != nil {
		return nil, err
	}
	list := make([]Attendance, len(rows))
	for i := range rows {
		list[i].Participant = rows[i]
	}
	if !w.presence {
		return list, nil
	}
	if err := w.attend(tx, list); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(a Attendance) bool { return !w.means(&a) }), nil
}

// query is what the rows alone can be asked.
func (w *walk) query(above, through int64) WalkQuery {
	q := WalkQuery{Session: w.session, Above: above, Through: through, Filter: w.inquiry.Filter, Detail: w.detail}
	if !w.past {
		if yes := w.inquiry.Publishing; yes != nil && *yes { // which takes both
			q.Filter.Connected, q.Filter.Published = yes, yes
		}
		return q
	}
	q.Filter.Connected, q.Filter.Published = nil, nil
	if next := w.at.Add(time.Millisecond); q.Filter.JoinedBefore.IsZero() || next.Before(q.Filter.JoinedBefore) {
		q.Filter.JoinedBefore = next
	}
	return q
}

// means asks what the rows alone do not tell. Whoever joined later is not meant.
func (w *walk) means(a *Attendance) bool {
	q := &w.inquiry
	return (!w.past || a.Presence.Joins > 0) &&
		(q.Connected == nil || *q.Connected == a.Connected) &&
		(q.Published == nil || *q.Published == a.Published) &&
		(q.Publishing == nil || *q.Publishing == a.Presence.Publishing) &&
		(q.PresentOver == 0 || a.Presence.ConnectedFor > q.PresentOver)
}

// attend reads the events of those listed and what they say. Few of a large
// range are looked up one by one.
func (w *walk) attend(tx Tx, list []Attendance) error {
	if len(list) == 0 {
		return nil
	}
	first, last := list[0].Seq, list[len(list)-1].Seq
	if int64(len(list)) > (last-first)/8 {
		return w.attendRange(tx, list, first-1, last)
	}
	for i := range list {
		if err := w.attendRange(tx, list[i:i+1], list[i].Seq-1, list[i].Seq); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) attendRange(tx Tx, list []Attendance, above, through int64) error {
	i, s := 0, w.stay(&list[0])
	next := func() {
		w.finish(&list[i], s)
		if i++; i < len(list) {
			s = w.stay(&list[i])
		}
	}
	err := tx.Histories(w.session, above, through, func(seq int64, e Event) {
		for i < len(list) && list[i].Seq < seq {
			next()
		}
		if i < len(list) && list[i].Seq == seq && e.No <= w.no && !e.At.After(w.at) {
			s.add(e)
		}
	})
	for i < len(list) {
		next()
	}
	return err
}

// stay makes what a participant's events are added to.
func (w *walk) stay(a *Attendance) *stay {
	if !w.intervals {
		return &stay{}
	}
	return &stay{keep: func(i Interval) {
		if w.most > 0 && len(a.Intervals) >= w.most {
			a.Dropped++
			return
		}
		a.Intervals = append(a.Intervals, i)
	}}
}

func (w *walk) finish(a *Attendance, s *stay) {
	a.Presence = s.end(w.at)
	slices.SortStableFunc(a.Intervals, func(x, y Interval) int { return x.From.Compare(y.From) })
	if w.past {
		a.Connected, a.Published = a.Presence.Connected, a.Presence.Published
	}
}
