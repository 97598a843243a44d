package store

import "callboard/internal/stage"

// ledger is the sessions that were read or changed in the transaction under way.
// Nobody else writes before it is over, so what it holds is true. A session that
// a hundred people join in one commit is read once and written once.
//
// A change waits here until the commit, or until a statement runs that may look
// at sessions: see apart.
type ledger struct {
	held    map[int64]*held
	byName  map[sessionName]*held
	live    map[stage.ARN]*held
	waiting int     // sessions that are not written
	changed []*held // since the journal was told last; some of them more than once
	steps   []func()
}

// held is a session as it is now.
type held struct {
	stage.Session
	waits  bool
	untold bool // the journal does not have it as it is
}

// reset forgets everything, at the begin of a commit.
func (l *ledger) reset() {
	*l = ledger{held: map[int64]*held{}, byName: map[sessionName]*held{}, live: map[stage.ARN]*held{}}
}

// begin and undo bring the ledger back to where an update began that did not stay.
func (l *ledger) begin() { l.steps = l.steps[:0] }

func (l *ledger) undo() {
	for i := len(l.steps) - 1; i >= 0; i-- {
		l.steps[i]()
	}
	l.steps = l.steps[:0]
}

// hold takes in a session as it is stored.
func (l *ledger) hold(s stage.Session) {
	name := sessionName{s.Stage, s.ID}
	h := &held{Session: s}
	l.held[s.No], l.byName[name] = h, h
	if s.Ended.IsZero() {
		l.live[s.Stage] = h
	}
	l.steps = append(l.steps, func() { l.drop(h) })
}

func (l *ledger) drop(h *held) {
	delete(l.held, h.No)
	delete(l.byName, sessionName{h.Stage, h.ID})
	if l.live[h.Stage] == h {
		delete(l.live, h.Stage)
	}
}

// put changes a session that is held and whose end stays as it is; false if it
// is not such a one.
func (l *ledger) put(s *stage.Session) bool {
	if l == nil {
		return false
	}
	h := l.held[s.No]
	if h == nil || millis(h.Ended) != millis(s.Ended) {
		return false
	}
	old, waiting := *h, l.waiting
	l.steps = append(l.steps, func() { *h, l.waiting = old, waiting })
	h.Started, h.LastLeft = fromMillis(millis(s.Started)), fromMillis(millis(s.LastLeft)) // as it would be read
	h.Connected, h.NextSeq = s.Connected, s.NextSeq
	if !h.waits {
		h.waits = true
		l.waiting++
	}
	if !h.untold {
		h.untold = true
		l.changed = append(l.changed, h)
	}
	return true
}

// tell notes what has changed in the journal's next record. There a session is
// written once for each batch, which is nothing; in the database, when it must be.
func (l *ledger) tell(d *draft) {
	for _, h := range l.changed {
		if h.untold {
			d.add(updateSession, h.update()...)
			h.untold = false
		}
	}
	clear(l.changed)
	l.changed = l.changed[:0]
}

func (h *held) update() []any {
	return []any{h.Started, h.LastLeft, h.Connected, h.NextSeq, h.No, h.Ended}
}

// forget lets go of all sessions, which have been written or are to go.
func (l *ledger) forget() {
	if l == nil {
		return
	}
	old := *l
	l.reset()
	l.steps = append(old.steps, func() {
		l.held, l.byName, l.live, l.waiting, l.changed = old.held, old.byName, old.live, old.waiting, old.changed
	})
}

// write writes what waits. It would have to be written again if the update under
// way did not stay.
func (l *ledger) write(t *tx) error {
	for _, h := range l.held {
		if !h.waits {
			continue
		}
		untold := h.untold
		l.steps = append(l.steps, func() { h.waits, h.untold = true, untold; l.waiting++ })
		h.waits, h.untold = false, false // the journal has what is run
		l.waiting--
		err := t.conn.later(updateSession, h.update())
		if err != nil {
			return t.fail(err)
		}
	}
	return nil
}

// apart are the statements of those who join, leave and publish, and of who holds
// them. They look at no session, or at one that is not held, so changes of others
// need not be written before them.
var apart = map[string]bool{
	selectSession: true, selectLiveSession: true, selectDocument: true, selectPass: true, putPass: true, forgetPasses: true,
	selectParticipantID: true, selectParticipantSeq: true, selectDetail: true, insertNew: true, insertIfAbsent: true, putDetail: true,
	updateConnected: true, updatePublished: true, updateRecording: true, updateUserID: true, updateIdentity: true,
	insertEvent: true, setCounter: true,
	listProcesses: true, putProcess: true, selectSeat: true, putSeat: true, deleteSeat: true,
}

// ahead writes what a statement must find.
func (t *tx) ahead(sql string) error {
	if t.ledger == nil || t.ledger.waiting == 0 || apart[sql] {
		return nil
	}
	return t.ledger.write(t)
}
