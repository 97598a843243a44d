package store

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"callboard/internal/roll"
	"callboard/internal/stage"
)

// rolls are the sessions whose participants are in memory. The committer feeds
// them what it has made durable, before anybody is told; so what they show is
// committed, and who has written something finds it there.
//
// A session has a roll from its first participant on. One that was opened
// before this process, or had to make room, is read from the database when it
// is asked for again and again; until then it is answered from there.
type rolls struct {
	limit int64 // bytes of all together

	mu        sync.RWMutex
	byName    map[sessionName]*hot
	bySession map[int64]*hot
	misses    map[sessionName]int // of sessions that have none; see miss

	ends   atomic.Int64 // how often a stage, or everything, was removed
	bytes  atomic.Int64
	wanted chan sessionName // of sessions whose roll is to be read
}

// sessionName is how callers name a session.
type sessionName struct {
	stage stage.ARN
	id    string
}

// hot is a session that has a roll, or is getting one.
type hot struct {
	*roll.Roll
	name    sessionName
	session int64
	used    atomic.Int64 // Unix time in milliseconds of the last page
	size    int64        // bytes when last weighed; written under rolls.mu, once ready only by the committer

	ready   atomic.Bool
	waiting []roll.Row // what was committed while the roll is read; guarded by rolls.mu
}

const (
	// wantAfter is how many pages of a session without a roll are worth reading all of it.
	wantAfter = 3
	// rowsOfPage is how many rows are read in the time that a page from memory
	// saves: a roll that had to go comes back when that has been paid for.
	rowsOfPage = 50
	// tooLarge is how many pages more it takes to look again at a session that
	// does not fit.
	tooLarge = 5000
	// maxMisses bounds how many sessions are counted at a time.
	maxMisses = 10_000
	scanBatch = 2000
	// hotBytes is about what a session takes beside its rows: names, places in the maps.
	hotBytes = 1200
)

func newRolls(limit int64) *rolls {
	return &rolls{
		limit:     limit,
		byName:    map[sessionName]*hot{},
		bySession: map[int64]*hot{},
		misses:    map[sessionName]int{},
		wanted:    make(chan sessionName, 64),
	}
}

// change is what one update did that others are shown once it is durable: the
// rolls, and readers of the feed.
type change struct {
	forgot  bool  // everything, before the rest was done
	event   int64 // number of the last one that was appended, 0 if none was
	opened  []stage.Session
	put     []stage.Participant
	deleted []stage.ARN // stages
	stale   []int64     // sessions of which a roll would show too much
}

// Roll gives a page of a session's participants from memory; false if the
// session is not there, which says nothing about whether it exists. The order
// and the filters are those of [stage.Tx.Participants]; q.Session is not looked at.
func (s *Store) Roll(arn stage.ARN, sessionID string, q stage.ParticipantQuery) ([]stage.Participant, bool) {
	h := s.rolls.find(sessionName{arn, sessionID})
	if h == nil || !s.current() {
		return nil, false
	}
	var some [128]roll.Row // on the stack for an ordinary page
	rows := h.Page(rollQuery(q), some[:0])
	list := make([]stage.Participant, len(rows))
	for i, row := range rows {
		list[i] = stage.Participant{
			Session: h.session, Seq: row.Seq, ID: row.ID, UserID: row.UserID, Connected: row.Connected, Published: row.Published,
			Recording: stage.RecordingState(row.Recording), FirstJoin: fromMillis(row.FirstJoin),
		}
	}
	return list, true
}

func rollQuery(q stage.ParticipantQuery) roll.Query {
	to := roll.Query{Before: q.Before, Limit: q.Limit, UserID: q.UserID, Connected: q.Connected, Published: q.Published}
	if q.Recording != nil {
		state := uint8(*q.Recording)
		to.Recording = &state
	}
	return to
}

func toRow(p *stage.Participant) roll.Row {
	return roll.Row{
		Seq: p.Seq, ID: p.ID, UserID: p.UserID, Connected: p.Connected, Published: p.Published,
		Recording: uint8(p.Recording), FirstJoin: millis(p.FirstJoin),
	}
}

// find gives a roll that is ready. Whoever asks for one that is not there often
// enough gets it made, and has it in use from then on.
func (r *rolls) find(name sessionName) *hot {
	r.mu.RLock()
	h := r.byName[name]
	r.mu.RUnlock()
	if h == nil {
		r.miss(name)
		return nil
	}
	h.used.Store(time.Now().UnixMilli())
	if !h.ready.Load() {
		return nil
	}
	return h
}

// miss counts a page that had to come from the database; those that are to be
// waited for first are counted below zero.
func (r *rolls) miss(name sessionName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count(name, 1); r.misses[name] < wantAfter {
		return
	}
	delete(r.misses, name)
	select {
	case r.wanted <- name:
	default: // the builder has enough to do; they will ask again
	}
}

// feed takes over what was committed. Only the committer calls it.
func (r *rolls) feed(c *change) {
	if c.forgot {
		r.forget(func(*hot) bool { return true })
	}
	for _, s := range c.opened {
		r.open(sessionName{s.Stage, s.ID}, s.No, true, r.ends.Load())
	}
	for i := range c.put {
		r.put(&c.put[i])
	}
	for _, arn := range c.deleted {
		r.forget(func(h *hot) bool { return h.name.stage == arn })
	}
	if len(c.stale) > 0 {
		r.forget(func(h *hot) bool { return slices.Contains(c.stale, h.session) })
	}
	if r.bytes.Load() > r.limit {
		r.makeRoom()
	}
}

// open makes an empty roll; nil if the session has one already, or if anything
// was removed after ends was read: it may have been this session, and its
// number may be another's by now.
func (r *rolls) open(name sessionName, session int64, ready bool, ends int64) *hot {
	h := &hot{Roll: roll.New(), name: name, session: session}
	h.ready.Store(ready)
	h.used.Store(time.Now().UnixMilli())
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bySession[session] != nil || r.ends.Load() != ends {
		return nil
	}
	r.byName[name], r.bySession[session] = h, h
	r.weigh(h)
	return h
}

func (r *rolls) put(p *stage.Participant) {
	r.mu.RLock()
	h := r.bySession[p.Session]
	r.mu.RUnlock()
	if h == nil {
		return
	}
	if p.Seq < 1 || p.Seq > roll.MaxSeq {
		r.drop(h) // it would be without this one
		return
	}
	if !h.ready.Load() && r.wait(h, toRow(p)) {
		return
	}
	h.Put(toRow(p))
	if h.weight() == h.size {
		return // as most often, and nobody who looks for a roll is held up
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.weigh(h)
}

// wait keeps a row for a roll that is being read; false if it has been read meanwhile.
func (r *rolls) wait(h *hot, row roll.Row) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h.ready.Load() {
		return false
	}
	h.waiting = append(h.waiting, row)
	return true
}

func (h *hot) weight() int64 { return hotBytes + int64(h.Bytes()) }

// weigh counts what a roll takes, unless it has been dropped. The lock is held.
func (r *rolls) weigh(h *hot) {
	if r.bySession[h.session] == h {
		size := h.weight()
		r.bytes.Add(size - h.size)
		h.size = size
	}
}

// has tells whether a session has a roll, or is getting one.
func (r *rolls) has(session int64) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.bySession[session] != nil
}

func (r *rolls) len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.bySession)
}
