package stage

import (
	"context"
	"errors"
)

// Change is what one event did to the roll of its session. Five kinds of events do
// something: [Joined], [Left], [PublishStarted], [PublishStopped] and [TokenExchanged].
//
// Old and New are the participant's row before and after. Whether somebody was
// connected and had published is told exactly as of the event. User id and
// attributes are those of now, but for the change that [TokenExchanged] itself makes.
type Change struct {
	Event
	SessionID string
	New, Old  Participant // with their Detail
	Known     bool        // the participant was in the roll before; else Old means nothing

	// Began tells that the session began with this event; Previous is the id of the
	// session that the stage had before, "" if none.
	Began    bool
	Previous string
}

// Changes gives the changes of the stages that are asked for among the events after
// a position, in order. It looks at a bounded number of events; upTo is the last it
// has seen, or the position itself if there is nothing new. The position must be one
// of this feed's, else the error is [ErrFeedBehind].
func (s *Service) Changes(ctx context.Context, after int64, of func(ARN) bool) (list []Change, upTo int64, err error) {
	upTo = after
	err = s.store.View(ctx, func(tx Tx) error {
		list = nil
		events, err := tx.Feed(after, feedBatch)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			return reaches(tx, after)
		}
		if events[0].No != after+1 {
			return ErrFeedBehind
		}
		h := history{tx: tx, latest: map[seat]*Change{}, sessions: map[int64]string{}}
		for _, e := range events {
			if e.Name.changes() && of(e.Stage) {
				if err := h.add(e); err != nil {
					return err
				}
			}
		}
		list, upTo = h.list, events[len(events)-1].No
		return nil
	})
	return list, upTo, err
}

// changes tells whether events of this name do something to the roll.
func (n EventName) changes() bool {
	return n == Joined || n == Left || n == PublishStarted || n == PublishStopped || n == TokenExchanged
}

// seat is one participant of one session.
type seat struct {
	session     int64
	participant string
}

// history makes changes of events. Rows are those of the transaction, which may be
// ahead of an event; what they were then is told by the events before it.
type history struct {
	tx       Tx
	list     []Change
	latest   map[seat]*Change // by whom, to begin the next one with; nil has no row
	sessions map[int64]string // ids by numbers
}

func (h *history) add(e Event) error {
	who := seat{e.Session, e.Participant}
	before, seen := h.latest[who]
	if !seen {
		var err error
		if before, err = h.past(e); err != nil {
			return err
		}
	}
	if before == nil { // erased since
		h.latest[who] = nil
		return nil
	}
	c := Change{Event: e, Old: before.New, New: before.New, Known: before.Known}
	c.New.apply(e.Name)
	if e.Exchange != nil {
		c.Old.hold(e.Exchange.Previous)
		c.New.hold(e.Exchange.New)
	}
	c.Began = e.Name == Joined && !c.Known && c.New.Seq == 1
	if err := h.place(&c); err != nil {
		return err
	}
	h.list = append(h.list, c)
	c.Known = true
	h.latest[who] = &c
	return nil
}

// apply does to a row what an event does to it.
func (p *Participant) apply(name EventName) {
	switch name {
	case Joined:
		p.Connected = true
	case Left:
		p.Connected = false
	case PublishStarted:
		p.Published = true
	}
}

// hold has a row say what it says while its participant holds a token.
func (p *Participant) hold(g Grant) {
	p.UserID = g.UserID
	if p.Detail != nil {
		detail := *p.Detail
		detail.Attributes = g.Attributes
		p.Detail = &detail
	}
}

// past gives, as New of a change that is none, the row of the event's participant
// before the event. Nil if there is no row at all.
func (h *history) past(e Event) (*Change, error) {
	row, err := h.tx.Participant(e.Session, e.Participant)
	if errors.Is(err, ErrNoRow) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	was := &Change{New: row, Known: e.Name != Joined}
	was.New.Connected = e.Name != Joined
	if row.Published || e.Name == Joined {
		known, published, err := h.earlier(e)
		if err != nil {
			return nil, err
		}
		was.Known, was.New.Published = was.Known || known, published
	}
	return was, nil
}

// earlierBatch is how many events of one participant are looked at in one go.
const earlierBatch = 20

// earlier tells whether the participant had joined before the event, and whether it
// had published.
func (h *history) earlier(e Event) (joined, published bool, err error) {
	for before := e.No; ; {
		list, err := h.tx.Events(EventQuery{Session: e.Session, Participant: e.Participant, Before: before, Limit: earlierBatch})
		if err != nil {
			return false, false, err
		}
		for _, past := range list {
			joined = joined || past.Name.changes()
			if past.Name == PublishStarted || past.Name == PublishStopped {
				return true, true, nil
			}
		}
		if len(list) < earlierBatch {
			return joined, false, nil
		}
		before = list[len(list)-1].No
	}
}

// place fills in the session, and the one before it.
func (h *history) place(c *Change) error {
	id, known := h.sessions[c.Session]
	if !known || c.Began {
		list, err := h.tx.Sessions(SessionQuery{Stage: c.Stage, Before: c.Session + 1, Limit: 2})
		if err != nil {
			return err
		}
		if len(list) > 0 {
			id = list[0].ID
		}
		if len(list) > 1 && c.Began {
			c.Previous = list[1].ID
		}
		h.sessions[c.Session] = id
	}
	c.SessionID = id
	return nil
}
