package proof

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"callboard/internal/stage"
)

// page is one answer to one question, with the moments of both.
type page struct {
	place       *place
	q           ask
	asked, told int64
	since       int64 // what it shows was true at some moment from here on
	a           answer
}

func (p *page) String() string {
	from := "memory or database"
	if p.q.Stored {
		from = "database"
	}
	return fmt.Sprintf("%s of %s %s, filter %d, after %d, from %s, asked at %d, not older than %d, told at %d",
		p.q.Verb, p.q.Session, p.q.Person, p.q.Filter, p.q.After, from, p.asked, p.since, p.told)
}

// judge says what is wrong with the answers of a round that began at a moment.
func judge(places []*place, pages []*page, since int64) (wrong []string) {
	slices.SortFunc(pages, func(a, b *page) int { return cmp.Compare(a.told, b.told) })
	for _, p := range pages {
		if p.place.dead(p.since) {
			if n := len(p.a.People) + len(p.a.Sessions) + len(p.a.Events); n > 0 {
				wrong = append(wrong, fmt.Sprintf("%v: %d rows of a stage that was deleted", p, n))
			}
			continue
		}
		if p.place.doubtful {
			continue
		}
		if p.place.dying(p.told) && len(p.a.People)+len(p.a.Sessions)+len(p.a.Events) == 0 {
			continue
		}
		var fault string
		switch p.q.Verb {
		case "people":
			fault = p.people()
		case "events":
			fault = p.history()
		case "sessions":
			fault = p.sessions()
		case "walk":
			fault = p.walk()
		}
		if fault != "" {
			wrong = append(wrong, fmt.Sprintf("%v: %s", p, fault))
		}
	}
	for _, p := range places {
		if p.doubtful {
			continue // nobody will ask of it again
		}
		wrong = append(wrong, p.order()...)
		wrong = append(wrong, p.overlap(since)...)
		p.joins = nil
	}
	return wrong
}

// people judges a page of ListParticipants.
func (p *page) people() string {
	there := map[string]bool{}
	for _, row := range p.a.People {
		there[row.ID] = true
		l := p.place.known(p.q.Session, row.ID)
		if l == nil || l.seq != row.Seq {
			return fmt.Sprintf("%+v never joined, or at another place", row)
		}
		if !p.q.Filter.matches(row.UserID, row.Connected, row.Published) {
			return fmt.Sprintf("%+v does not match", row)
		}
		if !l.seen(p.since, p.told, func(s state) bool {
			return s.exists && s.user == row.UserID && s.connected == row.Connected && s.published == row.Published
		}) {
			return fmt.Sprintf("%+v is not true; it was %+v", row, l.states)
		}
		if !row.FirstJoin.Equal(l.entry.JoinedAt) {
			return fmt.Sprintf("%+v joined first at %v", row, l.entry.JoinedAt)
		}
	}
	low, high := int64(1), int64(never)
	if p.a.Next > 0 {
		low = p.a.Next
	}
	if p.q.After > 0 {
		high = p.q.After - 1
	}
	for _, l := range p.place.sessions[p.q.Session].lines {
		if l.seq < low || l.seq > high || there[l.id] {
			continue
		}
		if !l.seen(p.since, p.told, func(s state) bool {
			return !s.exists || !p.q.Filter.matches(s.user, s.connected, s.published)
		}) {
			return fmt.Sprintf("%s at place %d is missing; it was %+v", l.id, l.seq, l.states)
		}
	}
	return ""
}

// history judges a walk of ListParticipantEvents, whose moments are those of
// its first page: what came later is not on it, and the rest never changes.
func (p *page) history() string {
	l := p.place.known(p.q.Session, p.q.Person)
	got := make([]stage.EventName, 0, len(p.a.Events))
	for i, e := range slices.Backward(p.a.Events) {
		got = append(got, e.Name)
		if i > 0 && p.a.Events[i-1].No <= e.No {
			return fmt.Sprintf("event %d is listed before event %d", p.a.Events[i-1].No, e.No)
		}
	}
	if len(got) > len(l.events) || !slices.Equal(got, l.events[:len(got)]) {
		return fmt.Sprintf("it has %v, known are %v", got, l.events)
	}
	if !l.seen(p.asked, p.told, func(s state) bool { return s.events == len(got) }) {
		return fmt.Sprintf("it has %v; it was %+v", got, l.states)
	}
	return ""
}

// sessions judges a page of ListStageSessions.
func (p *page) sessions() string {
	there := map[string]bool{}
	for i, s := range p.a.Sessions {
		there[s.ID] = true
		if i > 0 && p.a.Sessions[i-1].No <= s.No {
			return "sessions are out of order"
		}
		if s.Ended.IsZero() && (i > 0 || p.q.After > 0) {
			return fmt.Sprintf("%s goes on, but is not the newest", s.ID)
		}
		if fault := p.session(s); fault != "" {
			return fault
		}
	}
	return ""
}

// walk judges all pages of a walk of ListStageSessions together: it has every
// session that was there when it began.
func (p *page) walk() string {
	there := map[string]bool{}
	for _, s := range p.a.Sessions {
		there[s.ID] = true
	}
	for id, s := range p.place.sessions {
		if s.by < p.asked && !there[id] {
			return fmt.Sprintf("%s is missing", id)
		}
	}
	return ""
}

// session judges one row: somebody has opened it, it does not end while
// somebody is connected, and once it has ended it stays as it is.
func (p *page) session(row stage.Session) string {
	s := p.place.sessions[row.ID]
	if s == nil {
		return fmt.Sprintf("nobody has opened %s", row.ID)
	}
	opened := false
	for _, l := range s.lines {
		opened = opened || l.states[1].from <= p.told
		if !row.Ended.IsZero() && l.always(p.asked, p.told, func(s state) bool { return s.connected }) {
			return fmt.Sprintf("%s has ended although %s is connected: %+v", row.ID, l.id, l.states)
		}
	}
	if !opened {
		return fmt.Sprintf("nobody has opened %s yet", row.ID)
	}
	if s.ended != nil && s.ended.by < p.asked && s.ended.session != row {
		return fmt.Sprintf("%+v was seen to end as %+v", row, s.ended.session)
	}
	if s.ended == nil && !row.Ended.IsZero() {
		s.ended = &ending{row, p.told}
	}
	return ""
}

// order says who has a place before somebody who had joined already.
func (p *place) order() (wrong []string) {
	latest := map[string]joining{} // of each session, the one that was asked for last so far
	fresh := slices.DeleteFunc(slices.Clone(p.joins), func(j joining) bool { return !j.fresh })
	slices.SortFunc(fresh, func(a, b joining) int {
		return cmp.Or(cmp.Compare(a.line.session, b.line.session), cmp.Compare(a.line.seq, b.line.seq))
	})
	for i, j := range fresh {
		if i > 0 && fresh[i-1].line.session == j.line.session && fresh[i-1].line.seq == j.line.seq {
			wrong = append(wrong, fmt.Sprintf("%s and %s have the same place in %s", fresh[i-1].line.id, j.line.id, j.line.session))
		}
		before, ok := latest[j.line.session]
		if ok && j.by < before.from {
			wrong = append(wrong, fmt.Sprintf("%s is placed before %s in %s, but came later", before.line.id, j.line.id, j.line.session))
		}
		if !ok || j.from > before.from {
			latest[j.line.session] = j
		}
	}
	return wrong
}

// overlap says who joined a session while another one certainly went on.
func (p *place) overlap(since int64) (wrong []string) {
	for id, s := range p.sessions {
		for _, l := range s.lines {
			if s.touched < since && !l.last().connected {
				continue // it was over before this round
			}
			for _, j := range p.joins {
				if id != j.line.session && l.always(j.from, j.by, func(s state) bool { return s.connected }) {
					wrong = append(wrong, fmt.Sprintf("%s joined %s while %s was in %s", j.line.id, j.line.session, l.id, l.session))
				}
			}
		}
	}
	return wrong
}

// TestNobodyIsJudgedByWhatCannotBeKnown: somebody comes again under another
// name, the answer is lost, and the stage is deleted before anybody can ask.
func TestNobodyIsJudgedByWhatCannotBeKnown(t *testing.T) {
	c := &crowd{t: t}
	l := &lobby{place: newPlace(stage.ARN{})}
	p := c.newcomer(l)
	p.at = &post{}
	entry := stage.Entry{SessionID: "st-1", Seq: 1, JoinedAt: time.Now()}
	c.joined(p, p.at, entry, c.tick(), c.tick(), "ann")
	c.unsure(&attempt{verb: "join", at: p.at, lobby: l, person: p, from: c.tick(), user: "bob"})
	bob := &page{place: l.place, q: ask{Verb: "people", Session: entry.SessionID}, asked: c.tick(), told: c.tick(), a: answer{
		People: []stage.Participant{{ID: p.id, UserID: "bob", Seq: 1, Connected: true, FirstJoin: entry.JoinedAt}}}}
	bob.since = bob.asked
	if wrong := judge([]*place{l.place}, []*page{bob}, 0); len(wrong) != 1 {
		t.Errorf("of a page that shows what nobody is known to have done is said: %v", wrong)
	}
	l.deletedFrom, l.deletedBy = c.tick(), c.tick()
	c.resolve(c.tick())
	if wrong := judge([]*place{l.place}, []*page{bob}, 0); len(wrong) != 0 {
		t.Errorf("of a page that may be true is said: %v", wrong)
	}
}
