package proof

import (
	"math"

	"callboard/internal/stage"
)

// The oracle is naive on purpose: it keeps, for each participant of a session,
// the list of its states, and for each change of state two moments between which
// it happened: when it was asked for and when it was answered. Moments are
// numbers of one counter, so of two that do not overlap the earlier is known.
//
// A page is true if, for each row, the participant may have been in that state
// at some moment between question and answer; and, for each participant whose
// place the page covers but who is not on it, if it may have been in a state
// that does not match. What a page shows narrows down when the changes were: who
// has been seen to have left cannot be seen connected by a later question, be it
// answered from memory or from the database.

// never is a moment after all others.
const never = math.MaxInt64

// state is what a participant looks like from some change on.
type state struct {
	from, by   int64 // the change happened between these moments
	exists     bool
	user       string
	connected  bool
	published  bool
	publishing bool
	events     int // how many of its line's events there are
}

// line is the life of one participant in one session.
type line struct {
	session, id string
	seq         int64
	entry       stage.Entry
	at          *post   // where it joined last
	states      []state // the first is that it does not exist
	events      []stage.EventName
}

func (l *line) last() *state { return &l.states[len(l.states)-1] }

// change appends a state that came between two moments.
func (l *line) change(from, by int64, events []stage.EventName, alter func(*state)) {
	next := *l.last()
	alter(&next)
	l.events = append(l.events, events...)
	next.from, next.by, next.events = from, by, len(l.events)
	l.states = append(l.states, next)
}

// seen says whether the line may have been in a state that fits at some moment
// from asked to told. If only one does, its beginning and end are known better
// from now on.
func (l *line) seen(asked, told int64, fits func(state) bool) bool {
	found := -1
	for k := len(l.states) - 1; k >= 0; k-- {
		until := int64(never)
		if k+1 < len(l.states) {
			until = l.states[k+1].by
		}
		if until < asked {
			break
		}
		if l.states[k].from > told || !fits(l.states[k]) {
			continue
		}
		if found >= 0 {
			return true // one of several
		}
		found = k
	}
	if found < 0 {
		return false
	}
	l.states[found].by = min(l.states[found].by, told)
	if found+1 < len(l.states) {
		l.states[found+1].from = max(l.states[found+1].from, asked)
	}
	return true
}

// always says whether the line was certainly in a state that fits from asked to told.
func (l *line) always(asked, told int64, fits func(state) bool) bool {
	for k, s := range l.states {
		until := int64(never)
		if k+1 < len(l.states) {
			until = l.states[k+1].by
		}
		if s.from <= told && until >= asked && !fits(s) {
			return false
		}
	}
	return true
}

// place is a stage.
type place struct {
	arn         stage.ARN
	deletedFrom int64 // never, until somebody asked
	deletedBy   int64
	doubtful    bool // it went while somebody did something on it of which nobody will know whether it happened
	sessions    map[string]*session
	joins       []joining // of this round
}

// session is one that somebody is known to have joined.
type session struct {
	lines   map[string]*line // by participant
	by      int64            // when it was there at the latest
	touched int64            // when something happened in it last
	ended   *ending          // once somebody has seen it ended
}

// joining is an acknowledged join.
type joining struct {
	from, by int64
	line     *line
	fresh    bool // it made the row
}

// ending is a session that has ended, and the moment by which that was seen.
type ending struct {
	session stage.Session
	by      int64
}

func newPlace(arn stage.ARN) *place {
	return &place{arn: arn, deletedFrom: never, deletedBy: never, sessions: map[string]*session{}}
}

// line gives somebody's life in a session, from now on if need be.
func (p *place) line(id, person string, by int64) *line {
	s := p.sessions[id]
	if s == nil {
		s = &session{lines: map[string]*line{}, by: by}
		p.sessions[id] = s
	}
	l := s.lines[person]
	if l == nil {
		l = &line{session: id, id: person, states: []state{{}}}
		s.lines[person] = l
	}
	s.touched = by
	return l
}

// leave notes that the server has had somebody leave.
func (p *place) leave(l *line, from, by int64) {
	if gone := departure(l.last()); len(gone.events) > 0 {
		l.change(from, by, gone.events, gone.alter)
		p.sessions[l.session].touched = by
	}
}

// known gives somebody's life in a session, nil if there was none.
func (p *place) known(id, person string) *line {
	if s := p.sessions[id]; s != nil {
		return s.lines[person]
	}
	return nil
}

func (p *place) dying(told int64) bool { return p.deletedFrom <= told }
func (p *place) dead(asked int64) bool { return p.deletedBy < asked }
