package proof

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"callboard/internal/stage"
)

// crowd is everybody who asks a house for something, and their record of it.
type crowd struct {
	t      testing.TB
	homes  int // how many of the posts people come to; the others only answer
	moment atomic.Int64
	acts   atomic.Int64 // acknowledged
	ruin   atomic.Bool  // answers may be lost from now on
	names  atomic.Int64

	mu      sync.Mutex
	posts   []*post // of one database; who has joined at one acts there
	hands   []hand
	places  []*lobby
	pages   []*page
	unknown []*attempt
	faults  []string // what was wrong at once
	walks   int
}

// lobby is a stage and the people who want to be on it. The oracle's part of it
// is guarded by the crowd's lock.
type lobby struct {
	*place
	size int

	mu     sync.Mutex
	people []*person
}

// person does one thing at a time, under its lock.
type person struct {
	sync.Mutex
	lobby  *lobby
	id     string
	at     *post // where it joined last
	line   *line // in the session it joined last
	barred bool
	stuck  bool // nobody knows whether what it did last has happened
}

// attempt is an act of unknown outcome.
type attempt struct {
	verb   string
	at     *post // that records it
	lobby  *lobby
	person *person
	from   int64
	user   string // of a join
	effect effect // of the others
}

// effect is what an act does to a line.
type effect struct {
	events []stage.EventName
	alter  func(*state)
}

func (c *crowd) tick() int64 { return c.moment.Add(1) }

func (c *crowd) fault(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

// ask asks one of the posts and notes both moments.
func (c *crowd) ask(home int, q ask) (a answer, asked, told int64) { return c.askAt(c.post(home), q) }

func (c *crowd) askAt(at *post, q ask) (a answer, asked, told int64) {
	asked = c.tick()
	a = at.do(context.Background(), q)
	told = c.tick()
	if a.Outcome == lost && !c.ruin.Load() && !at.falls() {
		c.fault("%s of %s %s failed: %s", q.Verb, q.Session, q.Person, a.Text)
	}
	if a.Outcome == done && (q.Verb == "join" || q.Verb == "record") {
		c.mu.Lock()
		at.abreast = max(at.abreast, asked)
		c.mu.Unlock()
	}
	return a, asked, told
}

// establish makes a stage for some people.
func (c *crowd) establish(size int) {
	a, _, _ := c.ask(int(c.moment.Load()), ask{Verb: "create"})
	if a.Outcome != done {
		return // a stage whose name nobody knows
	}
	l := &lobby{place: newPlace(a.Stage), size: size}
	for range size {
		l.people = append(l.people, c.newcomer(l))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.places = append(c.places, l)
}

func (c *crowd) newcomer(l *lobby) *person {
	return &person{lobby: l, id: fmt.Sprintf("p%d", c.names.Add(1))}
}

// lobby gives any stage, nil if there is none.
func (c *crowd) lobby(rng *rand.Rand) *lobby {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.places) == 0 {
		return nil
	}
	return c.places[rng.IntN(len(c.places))]
}

// act has somebody do something.
func (c *crowd) act(rng *rand.Rand) {
	l := c.lobby(rng)
	if l == nil {
		c.establish(12)
		return
	}
	if rng.IntN(l.size*40) == 0 {
		c.demolish(l, rng.IntN(len(c.posts)))
		c.establish(l.size)
		return
	}
	l.mu.Lock()
	p := l.people[rng.IntN(len(l.people))]
	l.mu.Unlock()
	if !p.TryLock() {
		return
	}
	defer p.Unlock()
	if p.barred && rng.IntN(3) == 0 {
		l.replace(c, p)
	}
	at := c.post(rng.IntN(c.homes))
	switch here := p.here(); {
	case p.stuck:
	case p.line != nil && !p.barred && rng.IntN(40) == 0:
		c.kick(p, rng.IntN(len(c.posts)))
	case !here || p.at.falls() || rng.IntN(40) == 0:
		c.join(p, at, users[rng.IntN(len(users))])
	case rng.IntN(12) == 0:
		c.join(p, p.at, users[rng.IntN(len(users))])
	default:
		c.record(p, p.whim(rng))
	}
}

func (p *person) here() bool { return p.line != nil && p.line.last().connected }

// whim is what somebody who is there hands in.
func (p *person) whim(rng *rand.Rand) []stage.EventName {
	start, stop, leave := stage.PublishStarted, stage.PublishStopped, stage.Left
	options := [][]stage.EventName{{start}, {start}, {leave}, {start, stop, leave}, {start, stop}}
	if p.line.last().publishing {
		options = [][]stage.EventName{{stop}, {stop, leave}, {stop, leave}, {stop, start}}
	}
	return options[rng.IntN(len(options))]
}

// effectOf is what facts do to the state of one who is connected.
func effectOf(facts []stage.EventName) effect {
	return effect{facts, func(s *state) {
		for _, f := range facts {
			switch f {
			case stage.PublishStarted:
				s.published, s.publishing = true, true
			case stage.PublishStopped:
				s.publishing = false
			case stage.Left:
				s.connected = false
			}
		}
	}}
}

// departure is what the server does to a state when it has somebody leave.
func departure(s *state) effect {
	var facts []stage.EventName
	if s.connected && s.publishing {
		facts = append(facts, stage.PublishStopped)
	}
	if s.connected {
		facts = append(facts, stage.Left)
	}
	return effectOf(facts)
}

// arrival is what a join does to a state.
func arrival(s *state, user string) effect {
	var facts []stage.EventName
	if !s.connected {
		facts = append(facts, stage.Joined)
	}
	return effect{facts, func(s *state) { s.exists, s.connected, s.user = true, true, user }}
}

func (c *crowd) join(p *person, at *post, user string) {
	a, asked, told := c.askAt(at, ask{Verb: "join", Stage: p.lobby.arn, Person: p.id, User: user})
	c.mu.Lock()
	defer c.mu.Unlock()
	elsewhere := p.here() && at != p.at
	switch {
	case a.Outcome == lost:
		c.unsure(&attempt{verb: "join", at: at, lobby: p.lobby, person: p, from: asked, user: user})
	case elsewhere && a.Outcome == refused && a.Text == stage.ErrNotHeld.Message:
	case elsewhere && a.Outcome == done && !p.at.falls() && !p.lobby.dying(told):
		c.faults = append(c.faults, p.id+" is held by one server and comes to another")
	case a.Outcome == refused && !p.barred && !p.lobby.dying(told):
		c.faults = append(c.faults, fmt.Sprintf("%s may not join: %s", p.id, a.Text))
	case a.Outcome == done && p.barred:
		c.faults = append(c.faults, p.id+" was sent away and comes again")
	case a.Outcome == done && p.lobby.dead(asked):
		c.faults = append(c.faults, p.id+" joins a stage that was deleted")
	case a.Outcome == done:
		c.acts.Add(1)
		c.joined(p, at, a.Entry, asked, told, user)
	}
}

// joined notes an arrival. The lock is held.
func (c *crowd) joined(p *person, at *post, e stage.Entry, asked, told int64, user string) {
	if p.here() && at != p.at { // whoever held it had died, and this was found out now at the latest
		p.lobby.leave(p.line, p.at.fell.Load(), told)
	}
	l := p.lobby.line(e.SessionID, p.id, told)
	fresh := l.seq == 0
	if fresh {
		l.seq, l.entry = e.Seq, e
	} else if l.seq != e.Seq || l.entry.Session != e.Session {
		c.faults = append(c.faults, fmt.Sprintf("%s had place %d in %s, and comes again at %d", p.id, l.seq, e.SessionID, e.Seq))
	}
	came := arrival(l.last(), user)
	l.change(asked, told, came.events, came.alter)
	p.line, p.at, l.at = l, at, at
	p.lobby.joins = append(p.lobby.joins, joining{asked, told, l, fresh})
}

func (c *crowd) record(p *person, facts []stage.EventName) {
	q := ask{Verb: "record", Stage: p.lobby.arn, Person: p.id, Entry: p.line.entry, Facts: facts}
	a, asked, told := c.askAt(p.at, q)
	c.settle(a, &attempt{verb: "record", at: p.at, lobby: p.lobby, person: p, from: asked, effect: effectOf(facts)}, told)
}

// kick disconnects somebody by any post. It is ordered away where it is, as
// servers do it among themselves.
func (c *crowd) kick(p *person, home int) {
	at := c.post(home)
	a, asked, told := c.askAt(at, ask{Verb: "kick", Stage: p.lobby.arn, Person: p.id})
	p.barred = true
	x := &attempt{verb: "kick", at: p.at, lobby: p.lobby, person: p, from: asked, effect: effectOf(nil)}
	if at == p.at || a.Outcome == done {
		x.effect = departure(p.line.last())
	}
	if at != p.at && a.Outcome == done {
		a, _, told = c.askAt(p.at, ask{Verb: "eject", Stage: p.lobby.arn, Person: p.id})
	}
	c.settle(a, x, told)
}

// settle notes the outcome of what somebody did who has a line.
func (c *crowd) settle(a answer, x *attempt, told int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch a.Outcome {
	case lost:
		c.unsure(x)
	case done:
		c.acts.Add(1)
		x.happened(told)
	case refused:
		if !x.lobby.dying(told) {
			c.faults = append(c.faults, fmt.Sprintf("%s of %s is refused: %s", x.verb, x.person.id, a.Text))
		}
	}
}

// happened notes that an attempt had its effect.
func (x *attempt) happened(by int64) {
	if len(x.effect.events) > 0 {
		x.lobby.sessions[x.person.line.session].touched = by
		x.person.line.change(x.from, by, x.effect.events, x.effect.alter)
	}
}

// unsure notes an attempt of unknown outcome. The lock is held.
func (c *crowd) unsure(x *attempt) {
	if x.person != nil {
		x.person.stuck = true
	}
	c.unknown = append(c.unknown, x)
}

// demolish deletes a stage while people are on it. The oracle keeps it for the
// rest of the round. A stage stays on which something of unknown outcome was
// done: one that is gone cannot be asked.
func (c *crowd) demolish(l *lobby, home int) {
	c.mu.Lock()
	if l.deletedFrom != never || slices.ContainsFunc(c.unknown, func(x *attempt) bool { return x.lobby == l }) {
		c.mu.Unlock()
		return
	}
	l.deletedFrom = c.tick()
	c.mu.Unlock()
	at := c.post(home)
	a, asked, told := c.askAt(at, ask{Verb: "delete", Stage: l.arn})
	c.mu.Lock()
	defer c.mu.Unlock()
	switch a.Outcome {
	case done:
		c.acts.Add(1)
		l.deletedBy = told
	case refused:
		c.faults = append(c.faults, fmt.Sprintf("%s cannot be deleted: %s", l.arn, a.Text))
	case lost:
		c.unsure(&attempt{verb: "delete", at: at, lobby: l, from: asked})
	}
}
