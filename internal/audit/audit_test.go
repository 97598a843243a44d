package audit

import (
	"errors"
	"strings"
	"testing"
	"time"

	"callboard/internal/stage"
	"callboard/internal/store"
)

var arn = stage.ARN{Region: "eu-west-1", Account: "123456789012", Type: stage.TypeStage, ID: "abcdefghijkl"}

// facts gives a store in which two people have joined and one has left.
func facts(t *testing.T) (*store.Store, *stage.Session, []*stage.Participant) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	session := &stage.Session{Stage: arn, ID: "st-0123456789abc", NextSeq: 3, Connected: 1}
	ann, bob := &stage.Participant{Seq: 1, ID: "ann", Connected: true}, &stage.Participant{Seq: 2, ID: "bob", Published: true}
	change(t, s, func(tx stage.Tx) error {
		session.Started = tx.Now()
		if err := tx.PutSession(session); err != nil {
			return err
		}
		for _, p := range []*stage.Participant{ann, bob} {
			p.Session, p.FirstJoin = session.No, tx.Now()
			if err := tx.PutParticipant(p); err != nil {
				return err
			}
		}
		for _, e := range []stage.Event{
			{Participant: "ann", Name: stage.Joined}, {Participant: "bob", Name: stage.Joined},
			{Participant: "bob", Name: stage.PublishStarted}, {Participant: "bob", Name: stage.PublishStopped}, {Participant: "bob", Name: stage.Left},
		} {
			e.Stage, e.Session, e.At = arn, session.No, tx.Now()
			if err := tx.AppendEvent(&e); err != nil {
				return err
			}
		}
		return nil
	})
	return s, session, []*stage.Participant{ann, bob}
}

func change(t *testing.T, s *store.Store, fn func(stage.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func TestFactsThatAgreeAreCounted(t *testing.T) {
	t.Parallel()
	s, _, _ := facts(t)
	r, err := Everything(t.Context(), s)
	if err != nil || r.Err() != nil {
		t.Fatal(err, r.Err())
	}
	if r.Events != 5 || r.Stages != 1 || r.Sessions != 1 || r.Participants != 2 {
		t.Errorf("counted are %+v", r)
	}
}

func TestEachContradictionIsTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		told  string
		spoil func(tx stage.Tx, s *stage.Session, people []*stage.Participant) error
	}{
		{"counts 2 connected participants, but has 1", func(tx stage.Tx, s *stage.Session, _ []*stage.Participant) error {
			s.Connected = 2
			return tx.PutSession(s)
		}},
		{"has ended with 1 connected", func(tx stage.Tx, s *stage.Session, _ []*stage.Participant) error {
			s.Ended = tx.Now()
			return tx.PutSession(s)
		}},
		{"place 2 of the roll follows place 4", func(tx stage.Tx, s *stage.Session, _ []*stage.Participant) error {
			s.NextSeq = 4
			return tx.PutSession(s)
		}},
		{"ann is connected: false, its events say true", func(tx stage.Tx, _ *stage.Session, people []*stage.Participant) error {
			people[0].Connected = false
			return tx.PutParticipant(people[0])
		}},
		{"ann has published: true, its events say false", func(tx stage.Tx, _ *stage.Session, people []*stage.Participant) error {
			people[0].Published = true
			return tx.PutParticipant(people[0])
		}},
		{"bob joined first at", func(tx stage.Tx, _ *stage.Session, people []*stage.Participant) error {
			people[1].FirstJoin = tx.Now().Add(time.Hour)
			return tx.PutParticipant(people[1])
		}},
		{"ann has JOINED twice", func(tx stage.Tx, s *stage.Session, _ []*stage.Participant) error {
			return tx.AppendEvent(&stage.Event{At: tx.Now(), Stage: arn, Session: s.No, Participant: "ann", Name: stage.Joined})
		}},
		{"bob has SUBSCRIBE_STARTED without being there", func(tx stage.Tx, s *stage.Session, _ []*stage.Participant) error {
			return tx.AppendEvent(&stage.Event{At: tx.Now(), Stage: arn, Session: s.No, Participant: "bob", Name: stage.SubscribeStarted})
		}},
		{`ann has user id "ann", and last exchanged its token for one with "erika"`, func(tx stage.Tx, s *stage.Session, people []*stage.Participant) error {
			people[0].UserID = "ann"
			x := &stage.Exchange{Previous: stage.Grant{UserID: "ann"}, New: stage.Grant{UserID: "erika"}}
			e := &stage.Event{At: tx.Now(), Stage: arn, Session: s.No, Participant: "ann", Name: stage.TokenExchanged, Exchange: x}
			return errors.Join(tx.PutParticipant(people[0]), tx.AppendEvent(e))
		}},
		{"ann exchanged its token, event 6, and it is not known for what", func(tx stage.Tx, s *stage.Session, _ []*stage.Participant) error {
			return tx.AppendEvent(&stage.Event{At: tx.Now(), Stage: arn, Session: s.No, Participant: "ann", Name: stage.TokenExchanged})
		}},
		{"the feed has 3 times JOINED, the participants have it 2 times", func(tx stage.Tx, s *stage.Session, _ []*stage.Participant) error {
			return tx.AppendEvent(&stage.Event{At: tx.Now(), Stage: arn, Session: s.No, Participant: "zoë", Name: stage.Joined})
		}},
		{"began before", func(tx stage.Tx, s *stage.Session, people []*stage.Participant) error {
			s.Ended, s.Connected = tx.Now().Add(time.Hour), 0
			if err := tx.PutSession(s); err != nil {
				return err
			}
			return tx.PutSession(&stage.Session{Stage: arn, ID: "st-another567890", Started: tx.Now(), NextSeq: 1})
		}},
	} {
		s, session, people := facts(t)
		change(t, s, func(tx stage.Tx) error { return c.spoil(tx, session, people) })
		r, err := Everything(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if r.Err() == nil || !strings.Contains(strings.Join(r.Problems, "\n"), c.told) {
			t.Errorf("told is not %q but %q", c.told, r.Problems)
		}
	}
}

func TestFactsOfWhichHistoryWasRemovedAgree(t *testing.T) {
	t.Parallel()
	s, session, people := facts(t)
	change(t, s, func(tx stage.Tx) error {
		left := stage.Event{At: tx.Now(), Stage: arn, Session: session.No, Participant: "ann", Name: stage.Left}
		people[0].Connected, session.Connected, session.Ended = false, 0, tx.Now()
		if err := tx.PutParticipant(people[0]); err != nil {
			return err
		}
		if err := tx.PutSession(session); err != nil {
			return err
		}
		return tx.AppendEvent(&left)
	})
	change(t, s, func(tx stage.Tx) error { return tx.Expire(*session) })
	for left := 1; left > 0; {
		change(t, s, func(tx stage.Tx) (err error) {
			left, err = tx.Sweep(100)
			return err
		})
	}
	r, err := Everything(t.Context(), s)
	if err != nil || r.Err() != nil || r.Events != 0 {
		t.Errorf("told is %q, %v; %d events are left", r.Problems, err, r.Events)
	}
}
