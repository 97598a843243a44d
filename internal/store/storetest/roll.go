package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"callboard/internal/stage"
)

// rolls examines that what a store has in memory is what it has stored.
func rolls(t *testing.T, open opener) {
	t.Run("a roll shows what the participant lists show, after every update", func(t *testing.T) {
		t.Parallel()
		for seed := range uint64(3) {
			newThrong(t, open(t), seed).live(300)
		}
	})

	t.Run("a roll does not show what was undone", func(t *testing.T) {
		t.Parallel()
		c := newThrong(t, open(t), 9)
		c.live(20)
		undone := errors.New("undone")
		err := c.Update(t.Context(), func(tx stage.Tx) error {
			for range 10 {
				if err := c.step(tx); err != nil {
					return err
				}
			}
			return undone
		})
		if !errors.Is(err, undone) {
			t.Errorf("the update failed with %v", err)
		}
		c.agree()
	})

	t.Run("no roll outlives a store that forgets everything", func(t *testing.T) {
		t.Parallel()
		c := newThrong(t, open(t), 11)
		c.live(20)
		update(t, c.Store, func(tx stage.Tx) error { return tx.Forget() })
		if list, hot := c.Roll(c.session.Stage, c.session.ID, stage.ParticipantQuery{Limit: 1}); hot {
			t.Errorf("what is forgotten has the roll %v", list)
		}
	})

	t.Run("the roll of a stage ends with its document", func(t *testing.T) {
		t.Parallel()
		c := newThrong(t, open(t), 10)
		c.live(20)
		if _, hot := c.Roll(c.session.Stage, c.session.ID, stage.ParticipantQuery{Limit: 1}); !hot {
			t.Error("a session that has just begun has no roll")
		}
		update(t, c.Store, func(tx stage.Tx) error { return tx.DeleteDocument(c.session.Stage) })
		if list, hot := c.Roll(c.session.Stage, c.session.ID, stage.ParticipantQuery{Limit: 1}); hot {
			t.Errorf("a stage that is gone has the roll %v", list)
		}
	})
}

// throng is a session to which things happen at random.
type throng struct {
	stage.Store
	t       *testing.T
	rng     *rand.Rand
	session stage.Session
	people  []stage.Participant
}

func newThrong(t *testing.T, s stage.Store, seed uint64) *throng {
	t.Helper()
	c := &throng{Store: s, t: t, rng: rand.New(rand.NewPCG(seed, 3))}
	c.session = stage.Session{Stage: stageARN("throng"), ID: "st-0123456789abc", Started: at(0), NextSeq: 1}
	update(t, s, func(tx stage.Tx) error {
		return errors.Join(tx.PutDocument(&stage.Document{ARN: c.session.Stage, Body: []byte("{}")}), tx.PutSession(&c.session))
	})
	return c
}

// live lets n updates of a few steps happen.
func (c *throng) live(n int) {
	c.t.Helper()
	for range n {
		update(c.t, c.Store, func(tx stage.Tx) error {
			for range 1 + c.rng.IntN(5) {
				if err := c.step(tx); err != nil {
					return err
				}
			}
			return nil
		})
		c.agree()
	}
}

func (c *throng) step(tx stage.Tx) error {
	if len(c.people) == 0 || c.rng.IntN(2) == 0 {
		seq := int64(len(c.people) + 1)
		c.people = append(c.people, stage.Participant{
			Session: c.session.No, Seq: seq, ID: fmt.Sprint("p", seq), UserID: c.userID(), Connected: true, FirstJoin: at(int(seq)),
		})
		return tx.PutParticipant(&c.people[seq-1])
	}
	p := c.people[c.rng.IntN(len(c.people))]
	switch c.rng.IntN(4) {
	case 0:
		p.Connected = !p.Connected
	case 1:
		p.Published = true
	case 2:
		p.Recording = stage.RecordingState(c.rng.IntN(6))
	case 3:
		p.UserID = c.userID()
	}
	c.people[p.Seq-1] = p
	return tx.PutParticipant(&p)
}

func (c *throng) userID() string { return []string{"", "ann", "bob", "zoë"}[c.rng.IntN(4)] }

func (c *throng) query() stage.ParticipantQuery {
	q := stage.ParticipantQuery{Session: c.session.No, Limit: c.rng.IntN(12)}
	if c.rng.IntN(2) == 0 {
		q.Before = c.rng.Int64N(int64(len(c.people) + 3))
	}
	switch c.rng.IntN(5) {
	case 0:
		q.UserID = new(c.userID())
	case 1:
		q.Connected = new(c.rng.IntN(2) == 0)
	case 2:
		q.Published = new(c.rng.IntN(2) == 0)
	case 3:
		q.Recording = new(stage.RecordingState(c.rng.IntN(6)))
	}
	return q
}

// agree compares some pages of the roll with those of the database.
func (c *throng) agree() {
	c.t.Helper()
	for range 3 {
		q := c.query()
		rows, hot := c.Roll(c.session.Stage, c.session.ID, q)
		if !hot {
			c.t.Fatal("the session has no roll")
		}
		stored := read(c.t, c.Store, func(tx stage.Tx) ([]stage.Participant, error) { return tx.Participants(q) })
		equal(c.t, fmt.Sprintf("the roll for %+v", q), rows, stored)
		if q.UserID != nil {
			continue
		}
		all := stage.WalkQuery{Session: q.Session, Through: c.session.NextSeq + int64(len(c.people)), Filter: stage.Filter{Connected: q.Connected, Published: q.Published, Recording: q.Recording}}
		counted, _ := c.CountRoll(c.session.Stage, c.session.ID, q)
		equal(c.t, fmt.Sprintf("the count for %+v", q), counted, read(c.t, c.Store, func(tx stage.Tx) (int64, error) { return tx.Count(all) }))
	}
}
