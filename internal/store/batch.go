package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"callboard/internal/stage"
)

// Where other processes write to the same database, every commit leaves a row
// that says what it changed. Its number is the next of a counter, so nobody can
// miss one, whatever becomes of a notification; and a process whose connection
// broke while it committed finds out by it whether it did.

// keptBatches is how many are kept. Whoever is further behind begins anew.
const keptBatches = 4096

const (
	insertBatch = `INSERT INTO batch (no, process, changes) VALUES ($1, $2, $3)`
	deleteBatch = `DELETE FROM batch WHERE no = $1`
	listBatches = `SELECT no, changes FROM batch WHERE no > $1 AND no <= $2 ORDER BY no`
	selectBatch = `SELECT process FROM batch WHERE no = $1`
)

// ErrUnknown is the answer to an update when the database was lost while it
// was being stored, and for so long that nobody knows whether it was; or when its
// record could neither be synced nor taken out of the journal.
var ErrUnknown = errors.New("the database was lost while this was stored: it is not known whether it was")

// changes are what some updates did, one after another, as far as the rolls of
// other processes need it. It names participants; it does not repeat what is
// known of them.
type changes struct {
	Forgot  bool           `json:"forgot,omitempty"` // everything, before the rest
	Opened  []openedRecord `json:"opened,omitempty"`
	Put     [][2]int64     `json:"put,omitempty"`     // session and Seq
	Deleted []string       `json:"deleted,omitempty"` // ARNs of stages
	Stale   []int64        `json:"stale,omitempty"`   // sessions whose rolls are to be read anew
}

type openedRecord struct {
	No    int64  `json:"no"`
	Stage string `json:"stage"`
	ID    string `json:"id"`
}

// add appends what an update did.
func (c *changes) add(u *change) {
	if u.forgot {
		*c = changes{Forgot: true}
	}
	for _, s := range u.opened {
		c.Opened = append(c.Opened, openedRecord{s.No, s.Stage.String(), s.ID})
	}
	for i := range u.put {
		c.Put = append(c.Put, [2]int64{u.put[i].Session, u.put[i].Seq})
	}
	for _, arn := range u.deleted {
		c.Deleted = append(c.Deleted, arn.String())
	}
	c.Stale = append(c.Stale, u.stale...)
}

// append appends what a later commit did.
func (c *changes) append(later changes) {
	if later.Forgot {
		*c = later
		return
	}
	c.Opened = append(c.Opened, later.Opened...)
	c.Put = append(c.Put, later.Put...)
	c.Deleted = append(c.Deleted, later.Deleted...)
	c.Stale = append(c.Stale, later.Stale...)
}

// record stores what the batch changed, under the next number.
func (s *Store) record(t *tx) error {
	text, err := json.Marshal(&s.changes)
	if err != nil {
		return err
	}
	s.numbers.now[batchNo]++
	no := s.numbers.now[batchNo]
	if err := t.write(insertBatch, no, s.process, string(text)); err != nil {
		return err
	}
	if err := t.write(deleteBatch, no-keptBatches); err != nil {
		return err
	}
	if err := t.conn.announce(s.process + " " + strconv.FormatInt(no, 10)); err != nil {
		return t.fail(err)
	}
	return nil
}

// catchUp applies what other processes have committed, up to the numbers that
// were read in the same transaction.
func (s *Store) catchUp(t *tx, n *numbers) error {
	last, applied := n.now[batchNo], s.applied.Load()
	if last == applied {
		return nil
	}
	c, whole, err := s.changesUpTo(t, applied, last)
	if err != nil {
		return err
	}
	if whole {
		s.rolls.feed(c)
	} else {
		s.rolls.forget(func(*hot) bool { return true })
	}
	if !whole || c.forgot {
		s.last.Store(0)
	}
	s.applied.Store(last)
	s.feedEnd.set(n.now[eventNo])
	return nil
}

// changesUpTo reads what the commits after one number did, as the rolls want
// it; false if not all of them are kept.
func (s *Store) changesUpTo(t *tx, applied, last int64) (*change, bool, error) {
	if last < applied || last-applied > keptBatches {
		return nil, false, nil
	}
	var sum changes
	var bad error
	next := applied + 1
	err := t.all(listBatches, func(r row) {
		var c changes
		if r.int(0) == next {
			next++
		}
		bad = errors.Join(bad, json.Unmarshal([]byte(r.text(1)), &c))
		sum.append(c)
	}, applied, last)
	if err := errors.Join(err, bad); err != nil {
		return nil, false, fmt.Errorf("what other servers have stored cannot be read: %w", err)
	}
	if next != last+1 {
		return nil, false, nil
	}
	c, err := s.resolve(t, &sum)
	return c, true, err
}

// resolve reads the participants that changes name, of sessions whose roll is here.
func (s *Store) resolve(t *tx, sum *changes) (*change, error) {
	c := &change{forgot: sum.Forgot, stale: sum.Stale}
	wanted := map[int64]bool{}
	for _, o := range sum.Opened {
		c.opened = append(c.opened, stage.Session{No: o.No, Stage: readARN(o.Stage), ID: o.ID})
		wanted[o.No] = true
	}
	for _, arn := range sum.Deleted {
		c.deleted = append(c.deleted, readARN(arn))
	}
	var sessions, seqs []string
	for _, p := range sum.Put {
		if wanted[p[0]] || s.rolls.has(p[0]) {
			sessions = append(sessions, strconv.FormatInt(p[0], 10))
			seqs = append(seqs, strconv.FormatInt(p[1], 10))
		}
	}
	if len(seqs) == 0 {
		return c, nil
	}
	err := t.all(pgNamedParticipants, func(r row) {
		c.put = append(c.put, scanParticipant(r, r.int(7)))
	}, "{"+strings.Join(sessions, ",")+"}", "{"+strings.Join(seqs, ",")+"}")
	return c, err
}
