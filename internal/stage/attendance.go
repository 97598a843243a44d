package stage

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Order is how a list of participants is sorted.
type Order int

// The orders.
const (
	NewestFirst  Order = iota // the newest join first, as the roll
	OldestFirst               // the first join first
	LongestFirst              // who was connected longest first; of equals the newest join
)

// Spot is the place of a participant in a list; the zero Spot is before all.
type Spot struct {
	At  time.Time // the moment that the list is of, if it is of one
	Key int64     // what is sorted by, ascending
	Seq int64
}

// Listing asks for one page of the participants of a session.
type Listing struct {
	Inquiry
	Order     Order
	After     Spot // where the page before ended
	Limit     int
	Intervals int // at most this many of a participant
}

// Attendances lists those who are meant, with their presence; next is nil when
// nothing follows. An inquiry about now takes each participant as it is when its
// turn comes: somebody who is meant throughout is on one page, and nobody is on
// two. A list by presence is of one moment, which its first page chooses if the
// inquiry does not.
func (s *Service) Attendances(ctx context.Context, session Session, l Listing) (list []Attendance, next *Spot, err error) {
	fixed := l.Order == LongestFirst || !l.At.IsZero()
	w, err := s.begin(ctx, session, l.Inquiry)
	if err != nil {
		return nil, nil, err
	}
	w.past, w.detail, w.presence = fixed, true, true
	if fixed && !l.After.At.IsZero() {
		w.at = l.After.At
	}
	w.intervals, w.most = l.Intervals > 0, l.Intervals
	err = patient(ctx, func(ctx context.Context) error {
		add := func(a Attendance) bool {
			list = append(list, a)
			return len(list) <= l.Limit
		}
		switch l.Order {
		case NewestFirst:
			return w.down(ctx, l.After.Seq, add)
		case OldestFirst:
			return w.up(ctx, l.After.Seq, add)
		}
		list, err = w.longest(ctx, l)
		return err
	})
	if err != nil || len(list) <= l.Limit {
		return list, nil, err
	}
	list = list[:l.Limit]
	spot := w.spot(&list[l.Limit-1])
	return list, &spot, nil
}

// spot is the place of a participant in a list.
func (w *walk) spot(a *Attendance) Spot {
	if !w.past {
		return Spot{Seq: a.Seq}
	}
	return Spot{At: w.at, Key: -a.Presence.ConnectedFor.Milliseconds(), Seq: a.Seq}
}

// before tells which of two places comes first.
func (s Spot) before(other Spot) bool {
	if s.Key != other.Key {
		return s.Key < other.Key
	}
	return s.Seq > other.Seq
}

// longest gives a page, and one more, of those who were connected longest. It
// goes through everybody and keeps the first ones; only of those it reads the detail.
func (w *walk) longest(ctx context.Context, l Listing) (kept []Attendance, err error) {
	w.detail = false
	trim := func() {
		slices.SortFunc(kept, func(a, b Attendance) int {
			if w.spot(&a).before(w.spot(&b)) {
				return -1
			}
			return 1
		})
		kept = slices.Delete(kept, min(len(kept), l.Limit+1), len(kept))
	}
	err = w.down(ctx, 0, func(a Attendance) bool {
		if l.After.Seq == 0 || l.After.before(w.spot(&a)) {
			if kept = append(kept, a); len(kept) >= 2*l.Limit+1000 {
				trim()
			}
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	trim()
	return kept, w.service.view(ctx, func(tx Tx) error {
		for i := range kept {
			p, err := tx.Participant(w.session, kept[i].ID)
			if err != nil && !errors.Is(err, ErrNoRow) {
				return err
			}
			kept[i].Detail = p.Detail
		}
		return nil
	})
}
