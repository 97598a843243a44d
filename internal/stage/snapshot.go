package stage

import (
	"context"
)

// Bounds of one look at a roll.
const (
	mostLooked  = 5000 // rows of one view
	rowsAtATime = 500
)

// Snapshot is a part of a session's roll as it was at one position of the feed.
type Snapshot struct {
	Session Session
	No      int64 // the position
	Rows    []Participant
	Next    int64 // where the next part begins; 0 when there is none
}

// Snapshot reads a part of the roll of a session, named as in [Service.FindSession],
// together with the position of the feed that it belongs to: the newest joins that
// match the filter, from those before a join sequence on, 0 for the first part. A
// small session is one part; the parts of a large one may be of different positions.
// With the error of kind NotFound No is set all the same.
func (s *Service) Snapshot(ctx context.Context, c Caller, arn ARN, name string, f Filter, before int64) (snap Snapshot, err error) {
	last, _ := s.store.Latest()
	err = s.store.View(ctx, func(tx Tx) (err error) {
		snap = Snapshot{}
		if snap.No, err = feedEnd(tx, last); err != nil {
			return err
		}
		if snap.Session, err = s.findSession(tx, c, arn, name); err != nil {
			return err
		}
		snap.Rows, snap.Next, err = matching(tx, f, snap.Session.No, before)
		return err
	})
	return snap, err
}

// feedEnd is the position of the last event that a transaction sees, which is not
// before last.
func feedEnd(tx Tx, last int64) (int64, error) {
	for {
		list, err := tx.Feed(last, rowsAtATime)
		if err != nil {
			return 0, err
		}
		if len(list) > 0 {
			last = list[len(list)-1].No
		}
		if len(list) < rowsAtATime {
			return last, nil
		}
	}
}

// matching looks at a bounded number of rows and gives those that match. One
// condition the store can look up by itself; it does so where that leaves the fewest.
func matching(tx Tx, f Filter, session, before int64) (rows []Participant, next int64, err error) {
	q := ParticipantQuery{Session: session, Before: before, Limit: rowsAtATime}
	switch {
	case f.UserID != nil:
		q.UserID = f.UserID
	case f.Connected != nil:
		q.Connected = f.Connected
	case f.Published != nil:
		q.Published = f.Published
	}
	for range mostLooked / rowsAtATime {
		list, err := tx.Participants(q)
		if err != nil {
			return nil, 0, err
		}
		for _, p := range list {
			if f.Detailed() {
				if p, err = tx.Participant(session, p.ID); err != nil {
					return nil, 0, err
				}
			}
			if f.Match(&p) {
				rows = append(rows, p)
			}
		}
		if len(list) < rowsAtATime {
			return rows, 0, nil
		}
		q.Before = list[len(list)-1].Seq
	}
	return rows, q.Before, nil
}
