package storetest

import (
	"errors"
	"testing"
	"time"

	"callboard/internal/stage"
)

// history examines what removes facts: Expire, Sweep, Oldest and Erase.
func history(t *testing.T, open opener) {
	oldest := func(s stage.Store) int64 {
		return read(t, s, func(tx stage.Tx) (int64, error) { return tx.Oldest() })
	}
	t.Run("an expired session is gone at once, its rows go in steps", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		gone, kept := bygone(t, s, "a", 25), bygone(t, s, "b", 3)
		equal(t, "the oldest position at first", oldest(s), 0)
		update(t, s, func(tx stage.Tx) error { return tx.Expire(gone) })
		view(t, s, func(tx stage.Tx) error {
			if _, err := tx.Session(gone.Stage, gone.ID); !errors.Is(err, stage.ErrNoRow) {
				t.Errorf("the session: %v", err)
			}
			list, err := tx.Sessions(stage.SessionQuery{Stage: gone.Stage, Limit: 10})
			equal(t, "sessions", list, []stage.Session{})
			return err
		})
		if _, hot := s.Roll(gone.Stage, gone.ID, stage.ParticipantQuery{Limit: 10}); hot {
			t.Error("the roll is still there")
		}
		for steps, n := 0, 1; n > 0; steps++ {
			update(t, s, func(tx stage.Tx) (err error) { n, err = tx.Sweep(10); return err })
			if n > 10 || steps > 30 {
				t.Fatalf("step %d removed %d rows", steps, n)
			}
		}
		view(t, s, func(tx stage.Tx) error {
			people, err1 := tx.Participants(stage.ParticipantQuery{Session: gone.No, Limit: 100})
			feed, err2 := tx.Feed(0, 100)
			equal(t, "participants", people, []stage.Participant{})
			equal(t, "events", numbers(feed, eventNo), []int64{26, 27, 28})
			stays, err3 := tx.Participants(stage.ParticipantQuery{Session: kept.No, Limit: 100})
			equal(t, "participants of the other", len(stays), 3)
			_, err4 := tx.Session(kept.Stage, kept.ID)
			return errors.Join(err1, err2, err3, err4)
		})
		equal(t, "the oldest position", oldest(s), 25)
	})

	t.Run("a live session cannot expire", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		no := openSession(t, s, stageARN("a"), "st-1")
		err := s.Update(t.Context(), func(tx stage.Tx) error {
			return tx.Expire(stage.Session{No: no, Stage: stageARN("a"), ID: "st-1"})
		})
		if !errors.Is(err, stage.ErrNoRow) {
			t.Errorf("got %v", err)
		}
		live := read(t, s, func(tx stage.Tx) (stage.Session, error) { return tx.LiveSession(stageARN("a")) })
		equal(t, "the live session", live.No, no)
	})

	t.Run("passes whose time is over are swept", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		update(t, s, func(tx stage.Tx) error {
			for i := range 10 {
				if err := tx.PutPass(stage.Pass{Stage: stageARN("a"), ParticipantID: participantID(i), Expires: tx.Now().Add(-1e9 + 1e9*3600*time.Duration(i%2))}); err != nil {
					return err
				}
			}
			return nil
		})
		for n := 1; n > 0; {
			update(t, s, func(tx stage.Tx) (err error) { n, err = tx.Sweep(2); return err })
		}
		view(t, s, func(tx stage.Tx) error {
			for i := range 10 {
				if _, err := tx.Pass(stageARN("a"), participantID(i)); errors.Is(err, stage.ErrNoRow) != (i%2 == 0) {
					t.Errorf("pass %d: %v", i, err)
				}
			}
			return nil
		})
	})

	t.Run("an erased participant has no user id, no attributes and no client", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		session := bygone(t, s, "a", 3)
		update(t, s, func(tx stage.Tx) error { return tx.Erase(session.No, 2) })
		view(t, s, func(tx stage.Tx) error {
			p, err := tx.Participant(session.No, participantID(2))
			want := participant(session.No, 2)
			want.UserID, want.Detail.Attributes, want.Detail.Client = "", map[string]string{}, stage.Client{}
			equal(t, "the participant", p, want)
			name := participant(session.No, 2).UserID
			list, err2 := tx.Participants(stage.ParticipantQuery{Session: session.No, UserID: &name, Limit: 5})
			equal(t, "who is found", list, []stage.Participant{})
			return errors.Join(err, err2)
		})
		if list, hot := s.Roll(session.Stage, session.ID, stage.ParticipantQuery{Limit: 10}); hot {
			for _, p := range list {
				if p.Seq == 2 && p.UserID != "" {
					t.Error("the roll still knows it")
				}
			}
		}
		err := s.Update(t.Context(), func(tx stage.Tx) error { return tx.Erase(session.No, 9) })
		if !errors.Is(err, stage.ErrNoRow) {
			t.Errorf("of nobody: %v", err)
		}
		for _, wholly := range []bool{false, true} {
			if err := s.Scrub(t.Context(), wholly); err != nil {
				t.Errorf("scrub: %v", err)
			}
		}
	})
}

// bygone stores a session that has ended, with n participants and an event of each.
func bygone(t *testing.T, s stage.Store, id string, n int) stage.Session {
	t.Helper()
	session := stage.Session{Stage: stageARN(id), ID: "st-1", Started: at(0), NextSeq: int64(n + 1)}
	update(t, s, func(tx stage.Tx) error {
		if err := tx.PutSession(&session); err != nil {
			return err
		}
		for i := 1; i <= n; i++ {
			p := participant(session.No, int64(i))
			p.ID = participantID(i)
			if err := tx.PutParticipant(&p); err != nil {
				return err
			}
			if err := tx.AppendEvent(&stage.Event{At: at(i), Stage: session.Stage, Session: session.No, Participant: p.ID, Name: stage.Joined}); err != nil {
				return err
			}
		}
		session.Ended = at(n + 1)
		return tx.PutSession(&session)
	})
	return session
}
