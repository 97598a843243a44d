package proof

import (
	"fmt"
	"slices"
	"time"

	"callboard/internal/stage"
)

// newest is how many sessions of a stage an act of unknown outcome can be in:
// more than there are actors, each of whom may have opened one meanwhile.
const newest = 12

// resolve finds out what became of the acts of unknown outcome, nobody acting.
// Each has happened wholly or not at all, and not later than by. If a post has
// fallen, nothing happened there after that, and everybody has left it by the
// time that it was buried.
func (c *crowd) resolve(by int64) {
	unknown := c.unknown
	c.unknown = nil
	for _, x := range unknown {
		if x.verb != "delete" {
			continue
		}
		switch a, _, _ := c.ask(0, ask{Verb: "exists", Stage: x.lobby.arn}); a.Outcome {
		case done:
			x.lobby.deletedFrom = never
		case refused:
			x.lobby.deletedBy = by
		}
	}
	for _, x := range unknown {
		by, buried := by, int64(0)
		if x.at.falls() {
			by, buried = x.at.by, x.at.buried
		}
		switch {
		case x.lobby.deletedFrom != never:
			x.lobby.doubtful = x.lobby.doubtful || x.person != nil
			continue
		case x.person == nil:
			continue
		case x.verb == "join":
			c.resolveJoin(x, by, buried)
		default:
			x.resolve(c, c.lookUp(x.lobby, x.person.line.session, x.person.id), by, buried)
		}
		x.person.stuck = false
		if x.verb == "kick" {
			x.lobby.replace(c, x.person) // barred or not: nobody knows
		}
	}
	for _, l := range c.places {
		for _, s := range l.sessions {
			for _, line := range s.lines {
				if line.at != nil && line.at.falls() {
					l.leave(line, line.at.by, line.at.buried)
				}
			}
		}
	}
}

func (l *lobby) replace(c *crowd, p *person) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at := slices.Index(l.people, p); at >= 0 {
		l.people[at] = c.newcomer(l)
	}
}

// truth is what is stored of somebody in a session.
type truth struct {
	events []stage.EventName
	row    *stage.Participant
}

func (c *crowd) lookUp(l *lobby, session, person string) (is truth) {
	events, _, _ := c.ask(0, ask{Verb: "events", Stage: l.arn, Session: session, Person: person, Limit: 10_000})
	for _, e := range slices.Backward(events.Events) {
		is.events = append(is.events, e.Name)
	}
	people, _, _ := c.ask(0, ask{Verb: "people", Stage: l.arn, Session: session, Limit: 10_000, Stored: true})
	for i, row := range people.People {
		if row.ID == person {
			is.row = &people.People[i]
		}
	}
	return is
}

// fits says whether this is what is stored after some effects on a line.
func (is truth) fits(l *line, recovered bool, effects ...effect) bool {
	s, events := *l.last(), slices.Clone(l.events)
	for _, e := range effects {
		e.alter(&s)
		events = append(events, e.events...)
	}
	if recovered {
		gone := departure(&s)
		gone.alter(&s)
		events = append(events, gone.events...)
	}
	if !slices.Equal(events, is.events) || s.exists != (is.row != nil) {
		return false
	}
	return !s.exists || is.row.UserID == s.user && is.row.Connected == s.connected && is.row.Published == s.published
}

// resolve finds out about a fact or a kick.
func (x *attempt) resolve(c *crowd, is truth, by, opened int64) {
	l := x.person.line
	with, without := is.fits(l, opened > 0, x.effect), is.fits(l, opened > 0)
	switch {
	case with && without: // the house did the same when it was opened, which may have been before this was asked
		x.from = min(x.from, by)
		x.happened(max(by, opened))
	case with:
		x.happened(by)
	case !without:
		c.fault("%s %v of %s in %s has happened in part: %+v, before it %+v", x.verb, x.effect.events, x.person.id, l.session, is, l.last())
	}
}

// resolveJoin looks for a join in all sessions where it may be.
func (c *crowd) resolveJoin(x *attempt, by, opened int64) {
	p := x.person
	all, _, _ := c.ask(0, ask{Verb: "sessions", Stage: x.lobby.arn, Limit: newest})
	found := ""
	for _, s := range all.Sessions {
		l := x.lobby.known(s.ID, p.id)
		if l == nil {
			l = &line{session: s.ID, id: p.id, states: []state{{}}}
		}
		is := c.lookUp(x.lobby, s.ID, p.id)
		with, without := is.fits(l, opened > 0, arrival(l.last(), x.user)), is.fits(l, l.at != nil && l.at.falls())
		switch {
		case !with && !without:
			c.fault("the join of %s in %s has happened in part: %+v, before it %+v", p.id, s.ID, is, l.last())
		case with && !without && found != "":
			c.fault("the join of %s has happened in %s and in %s", p.id, found, s.ID)
		case with && !without:
			found = s.ID
			c.joined(p, x.at, stage.Entry{
				Stage: x.lobby.arn, Session: s.No, SessionID: s.ID, Seq: is.row.Seq, ParticipantID: p.id, JoinedAt: is.row.FirstJoin,
			}, x.from, by, x.user)
		}
	}
}

// confirm reads everything there is on the stages that are left, nobody acting:
// every acknowledged fact is found, and nothing else.
func (c *crowd) confirm(since int64) {
	rest := time.Now()
	for _, l := range c.places {
		c.walkSessions(l, 0, 10_000)
		for id, s := range l.sessions {
			if s.touched < since && int(since)%8 != len(s.lines)%8 { // of the old ones some
				continue
			}
			for person := range s.lines {
				c.walkEvents(l, 0, id, person, 10_000)
			}
			for i := range c.posts {
				c.level(i, ask{Verb: "same", Stage: l.arn, Session: id}, rest)
				for _, stored := range []bool{true, false} {
					for _, f := range []filter{0, filter(since) % filters} {
						c.turnNow(l, i, ask{Verb: "people", Session: id, Filter: f, Limit: 10_000, Stored: stored})
					}
				}
			}
		}
	}
	c.mustAnswer(0, ask{Verb: "audit"})
}

// level waits until a post's rolls are what the database has. They have had
// their time if nobody has acted for as long as a page may be late.
func (c *crowd) level(home int, q ask, rest time.Time) {
	for {
		over := len(c.posts) == 1 || time.Since(rest) > late
		a, _, _ := c.ask(home, q)
		if a.Outcome == done && a.Text == "" {
			return
		}
		if over {
			c.fault("%s at post %d, nobody having acted for %v: %s", q.Verb, home, time.Since(rest), a.Text)
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func (c *crowd) mustAnswer(home int, q ask) string {
	a, _, _ := c.ask(home, q)
	if a.Outcome == refused {
		c.fault("%s: %s", q.Verb, a.Text)
	}
	return a.Text
}

// verdict gives what the oracle says of a round, and forgets the stages that are gone.
func (c *crowd) verdict(since int64) error {
	var places []*place
	for _, l := range c.places {
		places = append(places, l.place)
	}
	wrong := append(c.faults, judge(places, c.pages, since)...)
	c.faults, c.pages = nil, nil
	c.places = slices.DeleteFunc(c.places, func(l *lobby) bool { return l.deletedFrom != never })
	if len(wrong) > 0 {
		return fmt.Errorf("%d answers cannot be true, among them:\n%s", len(wrong), join(wrong[:min(4, len(wrong))]))
	}
	return nil
}

func join(lines []string) (text string) {
	for _, line := range lines {
		text += line + "\n"
	}
	return text
}
