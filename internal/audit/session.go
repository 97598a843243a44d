package audit

import (
	"errors"

	"callboard/internal/stage"
)

// sitting is one session under examination, in one snapshot.
type sitting struct {
	*Report
	tx      stage.Tx
	session stage.Session
	names   tally
}

func (x *sitting) examine() error {
	everybody, connected, published := int64(0), int64(0), int64(0)
	next := x.session.NextSeq - 1
	err := x.rows(stage.ParticipantQuery{}, func(p stage.Participant) error {
		if p.Seq != next {
			x.wrong("%s: place %d of the roll follows place %d", x.session.ID, p.Seq, next+1)
		}
		next = p.Seq - 1
		everybody++
		if p.Connected {
			connected++
		}
		if p.Published {
			published++
		}
		return x.participant(p)
	})
	if err != nil {
		return err
	}
	x.Participants += everybody
	if next != 0 {
		x.wrong("%s: the roll ends with place %d", x.session.ID, next+1)
	}
	if connected != x.session.Connected {
		x.wrong("%s counts %d connected participants, but has %d", x.session.ID, x.session.Connected, connected)
	}
	if !x.session.Ended.IsZero() && connected > 0 {
		x.wrong("%s has ended with %d connected participants", x.session.ID, connected)
	}
	if !x.session.Ended.IsZero() && x.session.Ended.Before(x.session.Started) {
		x.wrong("%s ended before it began", x.session.ID)
	}
	return x.filters(everybody, connected, published)
}

// filters reads the lists of every filter that has few values: each has exactly
// the rows that match, so together they have everybody once.
func (x *sitting) filters(everybody, connected, published int64) error {
	yes, no := true, false
	recorded := int64(0)
	for state := stage.RecordingDisabled; state <= stage.RecordingFailed; state++ {
		n, err := x.count(stage.ParticipantQuery{Recording: &state}, func(p stage.Participant) bool { return p.Recording == state })
		if err != nil {
			return err
		}
		recorded += n
	}
	if recorded != everybody {
		x.wrong("%s has %d participants, by recording state they are %d", x.session.ID, everybody, recorded)
	}
	for _, f := range []struct {
		name  string
		query stage.ParticipantQuery
		match func(stage.Participant) bool
		want  int64
	}{
		{"connected", stage.ParticipantQuery{Connected: &yes}, func(p stage.Participant) bool { return p.Connected }, connected},
		{"disconnected", stage.ParticipantQuery{Connected: &no}, func(p stage.Participant) bool { return !p.Connected }, everybody - connected},
		{"published", stage.ParticipantQuery{Published: &yes}, func(p stage.Participant) bool { return p.Published }, published},
		{"not published", stage.ParticipantQuery{Published: &no}, func(p stage.Participant) bool { return !p.Published }, everybody - published},
	} {
		n, err := x.count(f.query, f.match)
		if err != nil {
			return err
		}
		if n != f.want {
			x.wrong("%s: %d participants are listed as %s, %d are", x.session.ID, n, f.name, f.want)
		}
	}
	return nil
}

func (x *sitting) count(q stage.ParticipantQuery, match func(stage.Participant) bool) (n int64, err error) {
	err = x.rows(q, func(p stage.Participant) error {
		n++
		if !match(p) {
			x.wrong("%s: %s is listed by a filter that it does not match", x.session.ID, p.ID)
		}
		return nil
	})
	return n, err
}

// rows shows visit the participants that match, newest first.
func (x *sitting) rows(q stage.ParticipantQuery, visit func(stage.Participant) error) error {
	q.Session, q.Limit = x.session.No, batch
	for n := batch; n == batch; {
		list, err := x.tx.Participants(q)
		if err != nil {
			return err
		}
		for _, p := range list {
			if q.Before > 0 && p.Seq >= q.Before {
				x.wrong("%s: place %d of the roll is listed after %d", x.session.ID, p.Seq, q.Before)
				return nil // it would never end
			}
			q.Before = p.Seq
			if err := visit(p); err != nil {
				return err
			}
		}
		n = len(list)
	}
	return nil
}

// participant compares a row with its own page and with its events.
func (x *sitting) participant(p stage.Participant) error {
	whole, err := x.tx.Participant(x.session.No, p.ID)
	if err != nil && !errors.Is(err, stage.ErrNoRow) {
		return err
	}
	whole.Detail = nil
	if err != nil || whole != p {
		x.wrong("%s: %s is listed as %+v and read as %+v (%v)", x.session.ID, p.ID, p, whole, err)
	}
	events, err := x.history(p.ID)
	if err != nil {
		return err
	}
	x.compare(p, events)
	return nil
}

// history gives all events of a participant, newest first.
func (x *sitting) history(id string) (all []stage.Event, err error) {
	q := stage.EventQuery{Session: x.session.No, Participant: id, Limit: batch}
	for n := batch; n == batch; {
		list, err := x.tx.Events(q)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
		if n = len(list); n > 0 {
			q.Before = list[n-1].No
		}
	}
	return all, nil
}

// compare goes through somebody's events from the oldest on.
func (x *sitting) compare(p stage.Participant, events []stage.Event) {
	here, published := false, false
	var held *stage.Exchange // by which the participant is who it is
	for i := len(events) - 1; i >= 0; i-- {
		e := events[i]
		if x.names != nil {
			x.names[e.Name]++
		}
		switch {
		case e.Name == stage.Joined && here, e.Name == stage.Left && !here:
			x.wrong("%s: %s has %s twice, event %d", x.session.ID, p.ID, e.Name, e.No)
		case e.Error == "" && e.Name != stage.Joined && !here:
			x.wrong("%s: %s has %s without being there, event %d", x.session.ID, p.ID, e.Name, e.No)
		}
		if i < len(events)-1 && e.No <= events[i+1].No {
			x.wrong("%s: %s has event %d after event %d", x.session.ID, p.ID, e.No, events[i+1].No)
		}
		if e.Stage != x.session.Stage {
			x.wrong("%s: event %d is one of %s", x.session.ID, e.No, e.Stage)
		}
		switch {
		case e.Name == stage.TokenExchanged && e.Exchange == nil:
			x.wrong("%s: %s exchanged its token, event %d, and it is not known for what", x.session.ID, p.ID, e.No)
		case e.Name == stage.TokenExchanged:
			held = e.Exchange
		case e.Name == stage.Joined:
			held = nil
		}
		here = here && e.Name != stage.Left || e.Name == stage.Joined
		published = published || e.Name == stage.PublishStarted
	}
	if here != p.Connected {
		x.wrong("%s: %s is connected: %v, its events say %v", x.session.ID, p.ID, p.Connected, here)
	}
	if held != nil && held.New.UserID != p.UserID {
		x.wrong("%s: %s has user id %q, and last exchanged its token for one with %q", x.session.ID, p.ID, p.UserID, held.New.UserID)
	}
	if published != p.Published {
		x.wrong("%s: %s has published: %v, its events say %v", x.session.ID, p.ID, p.Published, published)
	}
	if len(events) == 0 {
		x.wrong("%s: %s has no event", x.session.ID, p.ID)
	} else if first := events[len(events)-1]; first.Name == stage.Joined && !first.At.Equal(p.FirstJoin) {
		x.wrong("%s: %s joined first at %v, its first event is of %v", x.session.ID, p.ID, p.FirstJoin, first.At)
	}
}
