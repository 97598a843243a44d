package proof

import (
	"math/rand/v2"
)

// walk has somebody read one list to its end, with or without pauses.
func (c *crowd) walk(rng *rand.Rand) {
	l := c.lobby(rng)
	if l == nil {
		return
	}
	c.mu.Lock()
	c.walks++
	var ids []string
	for id, s := range l.sessions {
		if s.touched > 0 {
			ids = append(ids, id)
		}
	}
	c.mu.Unlock()
	home := rng.IntN(8)
	if len(ids) == 0 || rng.IntN(6) == 0 {
		c.walkSessions(l, home, 1+rng.IntN(4))
		return
	}
	id := ids[rng.IntN(len(ids))]
	switch rng.IntN(6) {
	case 0:
		c.walkEvents(l, home, id, c.anybody(rng, l, id), 1+rng.IntN(4))
	case 1:
		c.ask(home, ask{Verb: "look", Stage: l.arn, Session: id})
	default:
		c.walkPeople(l, home, id, filter(rng.IntN(int(filters))), 1+rng.IntN(9), rng)
	}
}

func (c *crowd) anybody(rng *rand.Rand, l *lobby, session string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := rng.IntN(len(l.sessions[session].lines))
	for id := range l.sessions[session].lines {
		if at--; at < 0 {
			return id
		}
	}
	return ""
}

// turn asks for one page and keeps the answer for the oracle; false if there was none.
func (c *crowd) turn(l *lobby, home int, q ask) (*page, bool) {
	q.Stage = l.arn
	return c.turnAt(l, c.post(home), q, true)
}

// turnNow asks for a page that must not be late, from wherever it comes.
func (c *crowd) turnNow(l *lobby, home int, q ask) (*page, bool) {
	q.Stage = l.arn
	return c.turnAt(l, c.post(home), q, false)
}

func (c *crowd) turnAt(l *lobby, at *post, q ask, mayBeLate bool) (*page, bool) {
	p := &page{place: l.place, q: q}
	since := int64(never)
	if mayBeLate && q.Verb == "people" && !q.Stored {
		since = c.latest(at)
	}
	p.a, p.asked, p.told = c.askAt(at, q)
	p.since = min(since, p.asked)
	if p.a.Outcome == done && q.Verb != "events" {
		c.keep(p)
	}
	return p, p.a.Outcome == done
}

func (c *crowd) keep(p *page) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pages = append(c.pages, p)
}

// walkPeople reads a roll: the order never turns back, so nobody is listed twice.
// Pages are of different sizes, from memory or from the database as it comes.
func (c *crowd) walkPeople(l *lobby, home int, session string, f filter, limit int, rng *rand.Rand) {
	last := int64(never)
	for after := int64(0); ; {
		p, ok := c.turn(l, home+rng.IntN(2), ask{Verb: "people", Session: session, Filter: f, After: after, Limit: limit + rng.IntN(3), Stored: rng.IntN(2) == 0})
		if !ok {
			return
		}
		for _, row := range p.a.People {
			if row.Seq >= last {
				c.fault("%v: place %d is listed after place %d", p, row.Seq, last)
				return
			}
			last = row.Seq
		}
		if after = p.a.Next; after == 0 {
			return
		}
	}
}

func (c *crowd) walkSessions(l *lobby, home int, limit int) {
	whole := &page{place: l.place, q: ask{Verb: "walk", Stage: l.arn}}
	for after := int64(0); ; {
		p, ok := c.turn(l, home, ask{Verb: "sessions", After: after, Limit: limit})
		if !ok {
			return
		}
		if after == 0 {
			whole.asked, whole.since = p.asked, p.since
		}
		whole.told = p.told
		for _, s := range p.a.Sessions {
			if n := len(whole.a.Sessions); n > 0 && s.No >= whole.a.Sessions[n-1].No {
				c.fault("%v: session %d is listed after session %d", p, s.No, whole.a.Sessions[n-1].No)
				return
			}
			whole.a.Sessions = append(whole.a.Sessions, s)
		}
		if after = p.a.Next; after == 0 {
			break
		}
	}
	c.keepWhole(l, whole, whole.told)
}

// keepWhole keeps a walk, unless the stage may have gone on the way and cut it off.
func (c *crowd) keepWhole(l *lobby, p *page, end int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !l.dying(end) {
		c.pages = append(c.pages, p)
	}
}

// walkEvents reads somebody's events.
func (c *crowd) walkEvents(l *lobby, home int, session, person string, limit int) {
	var whole *page
	for after := int64(0); ; {
		p, ok := c.turn(l, home, ask{Verb: "events", Session: session, Person: person, After: after, Limit: limit})
		if !ok {
			return
		}
		if whole == nil {
			whole = p
		} else {
			whole.a.Events = append(whole.a.Events, p.a.Events...)
		}
		if after = p.a.Next; after == 0 {
			c.keepWhole(l, whole, p.told)
			return
		}
	}
}
