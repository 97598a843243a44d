package store

import (
	"math"

	"callboard/internal/stage"
)

const (
	sessionColumns = `no, stage, id, started, ended, last_left, connected, next_seq`

	selectSession     = `SELECT ` + sessionColumns + ` FROM session WHERE stage = $1 AND id = $2`
	selectLiveSession = `SELECT ` + sessionColumns + ` FROM session WHERE stage = $1 AND ended = 0`
	listSessions      = `SELECT ` + sessionColumns + ` FROM session
		WHERE stage = $1 AND no < $2 ORDER BY stage DESC, no DESC LIMIT 0 + $3`
	listLiveSessions = `SELECT ` + sessionColumns + ` FROM session
		WHERE ended = 0 AND no > $1 ORDER BY ended, no LIMIT 0 + $2`
	listOrphans = `SELECT ` + sessionColumns + ` FROM session
		WHERE ended = 0 AND no > $1 AND NOT EXISTS (SELECT 1 FROM document WHERE arn = session.stage) ORDER BY ended, no LIMIT 0 + $2`
	listAllSessions = `SELECT ` + sessionColumns + ` FROM session WHERE no > $1 ORDER BY no LIMIT 0 + $2`
	// listLiveSessionsOf takes the stages of a page of documents as they are listed.
	listLiveSessionsOf = `SELECT ` + sessionColumns + ` FROM session /* by session_live */
		WHERE ended = 0 AND stage IN (SELECT arn FROM document
			WHERE type = $1 AND account = $2 AND region = $3 AND no > $4
			ORDER BY type, account, region, no LIMIT 0 + $5)`
	insertSession = `INSERT INTO session (no, stage, id, started, ended, last_left, connected, next_seq)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
	// updateSession leaves the end as it is, and with it the indexes of live sessions.
	updateSession = `UPDATE session SET started = $1, last_left = $2, connected = $3, next_seq = $4
		WHERE no = $5 AND ended = $6`
	endSession = `UPDATE session SET started = $1, last_left = $2, connected = $3, next_seq = $4, ended = $5
		WHERE no = $6`
)

func scanSession(r row) stage.Session {
	return stage.Session{
		No:        r.int(0),
		Stage:     readARN(r.text(1)),
		ID:        r.text(2),
		Started:   r.time(3),
		Ended:     r.time(4),
		LastLeft:  r.time(5),
		Connected: r.int(6),
		NextSeq:   r.int(7),
	}
}

// Session reads one session of a stage by its id.
func (t *tx) Session(arn stage.ARN, id string) (stage.Session, error) {
	if t.ledger != nil {
		if h := t.ledger.byName[sessionName{arn, id}]; h != nil {
			return h.Session, t.ready()
		}
	}
	return t.readSession(selectSession, arn.String(), id)
}

// LiveSession reads the one session of the stage that has not ended.
func (t *tx) LiveSession(arn stage.ARN) (stage.Session, error) {
	if t.ledger != nil {
		if h := t.ledger.live[arn]; h != nil {
			return h.Session, t.ready()
		}
	}
	return t.readSession(selectLiveSession, arn.String())
}

func (t *tx) readSession(sql string, args ...any) (s stage.Session, err error) {
	err = t.one(sql, func(r row) { s = scanSession(r) }, args...)
	if err == nil && t.ledger != nil {
		t.ledger.hold(s)
	}
	return s, err
}

// Sessions lists the sessions of a stage, those that are live, or all.
func (t *tx) Sessions(q stage.SessionQuery) ([]stage.Session, error) {
	list := page[stage.Session](q.Limit)
	scan := func(r row) { list = append(list, scanSession(r)) }
	if d := q.Of; d != (stage.DocumentQuery{}) {
		err := t.all(listLiveSessionsOf, scan, d.Type, d.Account, d.Region, d.After, limited(d.Limit))
		return list, err
	}
	if q.All {
		err := t.all(listAllSessions, scan, q.After, limited(q.Limit))
		return list, err
	}
	if q.Orphans {
		err := t.all(listOrphans, scan, q.After, limited(q.Limit))
		return list, err
	}
	if q.Stage == (stage.ARN{}) {
		err := t.all(listLiveSessions, scan, q.After, limited(q.Limit))
		return list, err
	}
	err := t.all(listSessions, scan, q.Stage.String(), before(q.Before), limited(q.Limit))
	return list, err
}

// PutSession inserts a session or replaces it, but for its stage and id, which never change.
func (t *tx) PutSession(s *stage.Session) error {
	if s.No == 0 {
		return t.insertSession(s)
	}
	if err := t.willWrite(); err != nil {
		return err
	}
	if t.ledger.put(s) {
		return nil
	}
	n, err := t.exec(updateSession, s.Started, s.LastLeft, s.Connected, s.NextSeq, s.No, s.Ended)
	if err == nil && n == 0 {
		n, err = t.exec(endSession, s.Started, s.LastLeft, s.Connected, s.NextSeq, s.Ended, s.No)
	}
	t.ledger.forget() // what was held of it is true no more
	if err == nil && n == 0 {
		err = stage.ErrNoRow
	}
	return err
}

func (t *tx) insertSession(s *stage.Session) error {
	no, err := t.next(sessionNo)
	if err != nil {
		return err
	}
	_, err = t.exec(insertSession, no, s.Stage.String(), s.ID, s.Started, s.Ended, s.LastLeft, s.Connected, s.NextSeq)
	if err == nil {
		s.No = no
		t.change.opened = append(t.change.opened, *s)
	}
	return err
}

// before is where a list that goes down begins: at the top when no is 0.
func before(no int64) int64 {
	if no == 0 {
		return math.MaxInt64
	}
	return no
}
