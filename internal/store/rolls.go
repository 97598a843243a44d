package store

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math"
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
	wanted chan wish
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

// wish asks for the roll of a session that has none.
type wish struct{ name sessionName }

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
		wanted:    make(chan wish, 64),
	}
}

// change is what one update did that concerns rolls.
type change struct {
	forgot  bool // everything, before the rest was done
	opened  []stage.Session
	put     []stage.Participant
	deleted []stage.ARN // stages
}

// Roll gives a page of a session's participants from memory; false if the
// session is not there, which says nothing about whether it exists. The order
// and the filters are those of [stage.Tx.Participants]; q.Session is not looked at.
func (s *Store) Roll(arn stage.ARN, sessionID string, q stage.ParticipantQuery) ([]stage.Participant, bool) {
	h := s.rolls.find(sessionName{arn, sessionID})
	if h == nil {
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
	case r.wanted <- wish{name}:
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

// postpone has n pages come from the database before a session is read again.
func (r *rolls) postpone(name sessionName, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count(name, -n)
}

// count adds to the misses of a session. The lock is held.
func (r *rolls) count(name sessionName, n int) {
	if len(r.misses) >= maxMisses {
		clear(r.misses)
	}
	r.misses[name] += n
}

// makeRoom drops rolls until a tenth of the limit is free: those first that can
// never leave it free, then those that nobody has looked at for longest.
func (r *rolls) makeRoom() {
	r.mu.RLock()
	var all, large []*hot
	for _, h := range r.bySession {
		switch {
		case !h.ready.Load():
		case h.size > r.limit/10*9:
			large = append(large, h)
		default:
			all = append(all, h)
		}
	}
	r.mu.RUnlock()
	slices.SortFunc(all, func(a, b *hot) int { return cmp.Compare(a.used.Load(), b.used.Load()) })
	for _, h := range append(large, all...) {
		if r.bytes.Load() <= r.limit/10*9 {
			return
		}
		r.drop(h)
		if n := h.Len() / rowsOfPage; n > 0 {
			r.postpone(h.name, n)
		}
	}
}

func (r *rolls) drop(h *hot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bySession[h.session] == h {
		delete(r.byName, h.name)
		delete(r.bySession, h.session)
		r.bytes.Add(-h.size)
	}
}

// forget drops all rolls that match. It is counted before it looks: what is
// opened on older knowledge is either found here or not opened at all.
func (r *rolls) forget(match func(*hot) bool) {
	r.ends.Add(1)
	r.mu.RLock()
	var gone []*hot
	for _, h := range r.bySession {
		if match(h) {
			gone = append(gone, h)
		}
	}
	r.mu.RUnlock()
	for _, h := range gone {
		r.drop(h)
	}
}

// build reads the rolls that are wanted, one after another, until ctx ends.
func (s *Store) build(ctx context.Context, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case w := <-s.rolls.wanted:
			if err := s.read(ctx, w.name); err != nil && ctx.Err() == nil {
				log.Error("the roll of a session could not be read", "stage", w.name.stage, "session", w.name.id, "error", err)
			}
		}
	}
}

// read makes the roll of one session. It reads in several snapshots; what is
// committed from its beginning on is applied afterwards in the order of the
// commits, so the last word on every row is the newest.
func (s *Store) read(ctx context.Context, name sessionName) error {
	ends := s.rolls.ends.Load()
	session, err := s.lookup(ctx, name)
	if err != nil || session.No == 0 {
		return err
	}
	if session.NextSeq > roll.MaxSeq || session.NextSeq*rowBytes > s.rolls.limit {
		s.rolls.postpone(name, tooLarge)
		return nil
	}
	h := s.rolls.open(name, session.No, false, ends)
	if h == nil {
		return nil
	}
	fits, err := s.scan(ctx, h, session.NextSeq)
	switch {
	case err != nil:
		s.rolls.drop(h)
	case !fits:
		s.rolls.drop(h)
		s.rolls.postpone(name, tooLarge)
	default:
		s.rolls.finish(h)
	}
	return err
}

// lookup finds the session of a stage that is there; without a number if there is none.
func (s *Store) lookup(ctx context.Context, name sessionName) (session stage.Session, err error) {
	err = s.View(ctx, func(tx stage.Tx) error {
		_, err := tx.Document(name.stage)
		if err == nil {
			session, err = tx.Session(name.stage, name.id)
		}
		if errors.Is(err, stage.ErrNoRow) {
			return nil
		}
		return err
	})
	return session, err
}

// rowBytes is about what a row takes, with a user id of ordinary length.
const rowBytes = 80

const scanParticipants = `SELECT ` + participantColumns + ` FROM participant
	WHERE session = $1 AND seq > $2 ORDER BY session, seq LIMIT 0 + $3`

// scan puts all rows of a session into its roll; false if that will not fit.
func (s *Store) scan(ctx context.Context, h *hot, nextSeq int64) (bool, error) {
	for after, n := int64(0), scanBatch; n == scanBatch && after < math.MaxInt64; {
		n = 0
		err := s.View(ctx, func(view stage.Tx) error {
			return view.(*tx).all(scanParticipants, func(r row) {
				p := scanParticipant(r, h.session)
				h.Put(toRow(&p))
				after = p.Seq
				n++
			}, h.session, after, limited(scanBatch))
		})
		if err != nil || !s.rolls.fits(h, after, nextSeq) {
			return false, err
		}
	}
	return true, nil
}

// fits counts what a roll takes of which the rows up to some Seq have been read,
// and tells whether it can stay when all are: otherwise it would be read, make
// everybody else go, go itself, and be read again.
func (r *rolls) fits(h *hot, read, nextSeq int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.weigh(h)
	return float64(h.size)*max(1, float64(nextSeq)/float64(max(read, 1))) <= 0.9*float64(r.limit)
}

// finish applies what was committed while the roll was read, and shows it.
func (r *rolls) finish(h *hot) {
	for rows := r.waited(h); len(rows) > 0; rows = r.waited(h) {
		for _, row := range rows {
			h.Put(row)
		}
	}
	if r.bytes.Load() > r.limit {
		r.makeRoom()
	}
}

// waited gives what was committed since it was asked for last. When that is
// nothing, the roll is shown from now on.
func (r *rolls) waited(h *hot) []roll.Row {
	r.mu.Lock()
	defer r.mu.Unlock()
	rows := h.waiting
	h.waiting = nil
	if len(rows) == 0 {
		r.weigh(h)
		h.ready.Store(true)
	}
	return rows
}

func (r *rolls) len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.bySession)
}
