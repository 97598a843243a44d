package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"callboard/internal/stage"
)

func sessionNo(s stage.Session) int64 { return s.No }

func sessions(t *testing.T, open opener) {
	get := func(t *testing.T, s stage.Store, arn stage.ARN, id string) stage.Session {
		t.Helper()
		return read(t, s, func(tx stage.Tx) (stage.Session, error) { return tx.Session(arn, id) })
	}

	t.Run("a session comes back as it was put, at each step of its life", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		session := stage.Session{Stage: stageARN("a"), ID: "st-1", Started: at(0), NextSeq: 1}
		update(t, s, func(tx stage.Tx) error { return tx.PutSession(&session) })
		if session.No == 0 {
			t.Fatal("the insert gave no number")
		}
		equal(t, "opened", get(t, s, session.Stage, "st-1"), session)

		session.Connected, session.NextSeq = 3, 4
		update(t, s, func(tx stage.Tx) error { return tx.PutSession(&session) })
		equal(t, "joined", get(t, s, session.Stage, "st-1"), session)
		live := read(t, s, func(tx stage.Tx) (stage.Session, error) { return tx.LiveSession(session.Stage) })
		equal(t, "live", live, session)

		session.Connected, session.LastLeft, session.Ended = 0, at(9), at(9)
		update(t, s, func(tx stage.Tx) error { return tx.PutSession(&session) })
		equal(t, "ended", get(t, s, session.Stage, "st-1"), session)

		session.LastLeft = at(10)
		update(t, s, func(tx stage.Tx) error { return tx.PutSession(&session) })
		equal(t, "put again", get(t, s, session.Stage, "st-1"), session)
	})

	t.Run("an unknown session is ErrNoRow", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		openSession(t, s, stageARN("a"), "st-1")
		view(t, s, func(tx stage.Tx) error {
			if _, err := tx.Session(stageARN("b"), "st-1"); !errors.Is(err, stage.ErrNoRow) {
				return fmt.Errorf("of another stage: %v", err)
			}
			if _, err := tx.Session(stageARN("a"), "ST-1"); !errors.Is(err, stage.ErrNoRow) {
				return fmt.Errorf("another id: %v", err)
			}
			if _, err := tx.LiveSession(stageARN("b")); !errors.Is(err, stage.ErrNoRow) {
				return fmt.Errorf("live: %v", err)
			}
			return nil
		})
	})

	t.Run("a stage has one live session at most, and each id once", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		first := stage.Session{Stage: stageARN("a"), ID: "st-1", Started: at(0), NextSeq: 1}
		update(t, s, func(tx stage.Tx) error { return tx.PutSession(&first) })
		second := stage.Session{Stage: stageARN("a"), ID: "st-2", Started: at(1), NextSeq: 1}
		if err := s.Update(t.Context(), func(tx stage.Tx) error { return tx.PutSession(&second) }); err == nil {
			t.Error("a second live session was accepted")
		}
		openSession(t, s, stageARN("b"), "st-1")

		first.Ended = at(2)
		same := stage.Session{Stage: stageARN("a"), ID: "st-1", Started: at(3), NextSeq: 1}
		update(t, s, func(tx stage.Tx) error { return tx.PutSession(&first) })
		if err := s.Update(t.Context(), func(tx stage.Tx) error { return tx.PutSession(&same) }); err == nil {
			t.Error("the same id was accepted again")
		}
		second.No = 0
		update(t, s, func(tx stage.Tx) error { return tx.PutSession(&second) })
		live := read(t, s, func(tx stage.Tx) (stage.Session, error) { return tx.LiveSession(stageARN("a")) })
		equal(t, "live", live, second)
		if second.No <= first.No {
			t.Errorf("the second session has number %d, the first %d", second.No, first.No)
		}
	})

	t.Run("lists go down a stage's sessions and up the live ones", sessionLists(open))
}

func sessionLists(open opener) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		s := open(t)
		var all, ofA, live []int64
		update(t, s, func(tx stage.Tx) error {
			for i := range 40 {
				session := stage.Session{Stage: stageARN("a"), ID: fmt.Sprintf("st-%d", 100-i), Started: at(i), Ended: at(i + 1), NextSeq: 1}
				if i%4 == 1 {
					session.Stage = stageARN(fmt.Sprintf("other%d", i))
				}
				if i%4 == 1 || i == 39 {
					session.Ended = time.Time{}
				}
				if err := tx.PutSession(&session); err != nil {
					return err
				}
				all = append(all, session.No)
				if session.Stage == stageARN("a") {
					ofA = append(ofA, session.No)
				}
				if session.Ended.IsZero() {
					live = append(live, session.No)
				}
			}
			return nil
		})
		slices.Reverse(ofA)
		down := walk(t, s, ofA[0]+1, func(tx stage.Tx, no int64) ([]stage.Session, error) {
			return tx.Sessions(stage.SessionQuery{Stage: stageARN("a"), Before: no, Limit: 7})
		})
		equal(t, "a stage's sessions", down, ofA)
		up := walk(t, s, 0, func(tx stage.Tx, no int64) ([]stage.Session, error) {
			return tx.Sessions(stage.SessionQuery{After: no, Limit: 3})
		})
		equal(t, "live sessions", up, live)
		whole := walk(t, s, 0, func(tx stage.Tx, no int64) ([]stage.Session, error) {
			return tx.Sessions(stage.SessionQuery{All: true, After: no, Limit: 6})
		})
		equal(t, "all sessions", whole, all)
		top := read(t, s, func(tx stage.Tx) ([]stage.Session, error) {
			return tx.Sessions(stage.SessionQuery{Stage: stageARN("a"), Limit: 2})
		})
		equal(t, "the first page", numbers(top, sessionNo), ofA[:2])
		update(t, s, func(tx stage.Tx) error {
			for i := range 40 {
				if err := tx.PutDocument(&stage.Document{ARN: stageARN(fmt.Sprintf("other%d", i)), Body: []byte("{}")}); err != nil {
					return err
				}
			}
			return nil
		})
		some := read(t, s, func(tx stage.Tx) ([]stage.Session, error) {
			list := stage.DocumentQuery{Type: stage.TypeStage, Account: stageARN("").Account, Region: stageARN("").Region, After: 4, Limit: 10}
			docs, err := tx.Documents(list)
			if err != nil || len(docs) != 10 {
				t.Errorf("%d documents on a page of ten: %v", len(docs), err)
			}
			return tx.Sessions(stage.SessionQuery{Of: list})
		})
		var of []string
		for _, session := range some {
			of = append(of, session.Stage.ID)
		}
		slices.Sort(of)
		equal(t, "whose sessions a page of stages has", of, []string{"other13", "other5", "other9"})
		orphans := walk(t, s, 0, func(tx stage.Tx, no int64) ([]stage.Session, error) {
			return tx.Sessions(stage.SessionQuery{Orphans: true, After: no, Limit: 1})
		})
		equal(t, "live sessions of stages that are no more", orphans, all[39:])
		none := read(t, s, func(tx stage.Tx) ([]stage.Session, error) {
			return tx.Sessions(stage.SessionQuery{Stage: stageARN("nobody"), Limit: 2})
		})
		equal(t, "list of nothing", none, []stage.Session{})
	}
}

// walk reads pages from a number on until one is empty.
func walk(t *testing.T, s stage.Store, from int64, list func(stage.Tx, int64) ([]stage.Session, error)) (nos []int64) {
	t.Helper()
	for {
		rows := read(t, s, func(tx stage.Tx) ([]stage.Session, error) { return list(tx, from) })
		if len(rows) == 0 {
			return nos
		}
		nos = append(nos, numbers(rows, sessionNo)...)
		from = nos[len(nos)-1]
	}
}
