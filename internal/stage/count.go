package stage

import (
	"context"
	"strconv"
)

// countRange is how many places of a session are counted in one view: some
// milliseconds.
const countRange = 20_000

// manyGroups is how many groups a count can be split into.
const manyGroups = 1000

// CountParticipants counts those who are meant. A count by state, published or
// recording state alone, or of all, is of one moment if the session's roll is in
// memory; otherwise each participant is counted as it is when its turn comes. With
// At a count is of that moment.
func (s *Service) CountParticipants(ctx context.Context, session Session, q Inquiry) (n int64, err error) {
	w, err := s.begin(ctx, session, q)
	if err != nil {
		return 0, err
	}
	if roll, ok := q.asRoll(); ok {
		if n, hot := s.store.CountRoll(session.Stage, session.ID, roll); hot {
			return n, nil
		}
	}
	err = patient(ctx, func(ctx context.Context) error {
		if w.presence && q.ofEvents() && (w.past || !q.ofPresent()) {
			return w.countEvents(ctx, &n)
		}
		if w.presence || q.UserID != nil {
			return w.down(ctx, 0, func(Attendance) bool { n++; return true })
		}
		for above := int64(0); above < w.last; above += countRange {
			err := s.view(ctx, func(tx Tx) error {
				some, err := tx.Count(w.query(above, min(w.last, above+countRange)))
				n += some
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

// asRoll gives an inquiry as the roll knows it, if it asks for one thing at most.
func (q *Inquiry) asRoll() (ParticipantQuery, bool) {
	conditions := 0
	for _, set := range [...]bool{q.Connected != nil, q.Published != nil, q.Recording != nil} {
		if set {
			conditions++
		}
	}
	more := q.Publishing != nil || q.PresentOver > 0 || !q.At.IsZero() || q.UserID != nil || q.UserPrefix != "" || q.Detailed() ||
		!q.JoinedFrom.IsZero() || !q.JoinedBefore.IsZero()
	return ParticipantQuery{Connected: q.Connected, Published: q.Published, Recording: q.Recording}, conditions < 2 && !more
}

// ofEvents tells whether an inquiry asks for nothing that events do not tell.
func (q *Inquiry) ofEvents() bool {
	return q.UserID == nil && q.UserPrefix == "" && !q.Detailed() && q.Recording == nil && q.JoinedFrom.IsZero() && q.JoinedBefore.IsZero()
}

// ofPresent tells whether only people who are connected now can be meant: that they
// are is in their rows.
func (q *Inquiry) ofPresent() bool {
	return q.Connected != nil && *q.Connected || q.Publishing != nil && *q.Publishing
}

// countEvents counts without looking at the participants: as of the moment, or of
// the beginning of the walk.
func (w *walk) countEvents(ctx context.Context, n *int64) error {
	w.past = true
	h := &History{Session: Session{No: w.session}, No: w.no, service: w.service}
	return h.stays(ctx, w.at, nil, func(p Presence) {
		a := Attendance{Participant: Participant{Connected: p.Connected, Published: p.Published}, Presence: p}
		if w.means(&a) {
			*n++
		}
	})
}

// Group is what counts can be split by.
type Group struct {
	By        GroupBy
	Attribute string // the key, with ByAttribute
}

// GroupBy is a property of participants.
type GroupBy int

// The properties.
const (
	ByState GroupBy = iota
	ByPublished
	ByPublishing
	ByRecording
	ByProtocol
	ByAttribute
)

// CountGroups counts those who are meant by the values of a property: true and
// false for state (connected) and the like, the number of a [RecordingState]. Those without
// the attribute are in none of the groups; all counts everybody.
func (s *Service) CountGroups(ctx context.Context, session Session, q Inquiry, g Group) (groups map[string]int64, all int64, err error) {
	w, err := s.begin(ctx, session, q)
	if err != nil {
		return nil, 0, err
	}
	w.detail = g.By == ByProtocol || g.By == ByAttribute
	w.presence = w.presence || g.By == ByPublishing
	groups = map[string]int64{}
	err = patient(ctx, func(ctx context.Context) error {
		return w.down(ctx, 0, func(a Attendance) bool {
			all++
			if value, ok := g.of(&a); ok {
				groups[value]++
			}
			return len(groups) <= manyGroups
		})
	})
	if err == nil && len(groups) > manyGroups {
		err = fail(Invalid, "There are more than %d values to count by", manyGroups)
	}
	return groups, all, err
}

// of is the group of a participant, false if it is in none.
func (g Group) of(a *Attendance) (value string, ok bool) {
	switch g.By {
	case ByState:
		return strconv.FormatBool(a.Connected), true
	case ByPublished:
		return strconv.FormatBool(a.Published), true
	case ByPublishing:
		return strconv.FormatBool(a.Presence.Publishing), true
	case ByRecording:
		return strconv.Itoa(int(a.Recording)), true
	case ByProtocol:
		return string(a.Detail.Protocol), true
	}
	value, ok = a.Detail.Attributes[g.Attribute]
	return value, ok
}
