package stage

import (
	"context"
	"iter"
	"time"
)

// History is a session as of one position of the feed, to be read from one end
// to the other however long that takes. Who is in it, what they did, and whether they are
// connected, publishing or have published is what the events up to No say; names,
// attributes, recording states and software, which change without an event, are as
// they are when they are read.
type History struct {
	Session Session
	No      int64     // of the last event of the feed
	At      time.Time // until which what was under way is counted

	service *Service
	walk    *walk
}

// History takes a session as it is now.
func (s *Service) History(ctx context.Context, session Session) (*History, error) {
	no, _ := s.store.Latest()
	w, err := s.begin(ctx, session, Inquiry{})
	if err != nil {
		return nil, err
	}
	w.past, w.presence, w.detail, w.intervals, w.no = true, true, true, true, no
	return &History{Session: session, No: no, At: w.at, service: s, walk: w}, nil
}

// Size is how many participants there are at most.
func (h *History) Size() int64 { return h.walk.last }

// Attendances gives all participants in the order of joining, with all intervals.
// An error is the last thing it gives.
func (h *History) Attendances(ctx context.Context) iter.Seq2[Attendance, error] {
	return func(yield func(Attendance, error) bool) {
		err := h.walk.up(ctx, 0, func(a Attendance) bool { return yield(a, nil) })
		if err != nil {
			yield(Attendance{}, err)
		}
	}
}

// Events gives all events, the session's own first, of people who were refused as well: one participant
// after another, in the order of their ids, the events of each oldest first. An
// error is the last thing it gives.
func (h *History) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for last, full := (Event{}), true; full; {
			var list []Event
			err := h.service.view(ctx, func(tx Tx) (err error) {
				list, err = tx.SessionEvents(h.Session.No, last, eventBatch)
				return err
			})
			if err != nil {
				yield(Event{}, err)
				return
			}
			for _, e := range list {
				if e.No <= h.No && !yield(e, nil) {
					return
				}
				last = e
			}
			full = len(list) == eventBatch
		}
	}
}

// stays goes through the events of everybody up to a moment, which is the fastest
// way to learn what they say together, but has nobody's name. keep is shown each
// interval but those of subscriptions, and may be nil; done each presence.
func (h *History) stays(ctx context.Context, at time.Time, keep func(Interval), done func(Presence)) error {
	who, s := "", &stay{keep: keep}
	for e, err := range h.Events(ctx) {
		if err != nil {
			return err
		}
		if e.Participant != who {
			done(s.end(at))
			who, s = e.Participant, &stay{keep: keep}
		}
		if e.Name != SubscribeStarted && e.Name != SubscribeStopped && !e.At.After(at) {
			s.add(e)
		}
	}
	done(s.end(at))
	return nil
}
