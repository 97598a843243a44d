package stage_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"callboard/internal/stage"
)

// Many people come and go at once, on stages that are deleted meanwhile, while
// idle sessions are swept. Afterwards every count is right, JOINED and LEFT
// alternate, and no stage has two live sessions.
func TestFactsAgreeWhateverHappensAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stages := []stage.ARN{w.stage(), w.stage(), w.stage()}
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 7))
			for range 25 {
				arn := stages[random.IntN(len(stages))]
				a := stage.Admission{Stage: arn, ParticipantID: fmt.Sprintf("p%d", i), Expires: w.clock().Add(time.Hour)}
				e, err := w.Join(t.Context(), a, stage.Client{})
				if err != nil {
					if stage.KindOf(err) != stage.NotFound {
						t.Error(err)
					}
					continue
				}
				if err := w.Record(t.Context(), e, stage.Fact{Name: stage.PublishStarted}, stage.Fact{Name: stage.PublishStopped}, stage.Fact{Name: stage.Left}); err != nil {
					t.Error(err)
				}
				w.pass(time.Duration(random.IntN(10)) * time.Second)
			}
		})
	}
	all.Go(func() {
		for range 30 {
			if err := w.Sweep(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if err := w.DeleteStage(t.Context(), w.caller, stages[0]); err != nil {
			t.Error(err)
		}
	})
	all.Wait()
	w.check(w.store.View(t.Context(), func(tx stage.Tx) error { return errors.Join(countsAgree(tx), eventsAlternate(tx)) }))
}

func countsAgree(tx stage.Tx) error {
	live, err := tx.Sessions(stage.SessionQuery{Limit: 100})
	if err != nil {
		return err
	}
	seen := map[stage.ARN]bool{}
	yes := true
	for _, s := range live {
		rows, err := tx.Participants(stage.ParticipantQuery{Session: s.No, Connected: &yes, Limit: 100})
		if err != nil {
			return err
		}
		if int64(len(rows)) != s.Connected || seen[s.Stage] {
			return fmt.Errorf("session %s counts %d, %d are connected; second live one of its stage: %v", s.ID, s.Connected, len(rows), seen[s.Stage])
		}
		seen[s.Stage] = true
	}
	return nil
}

func eventsAlternate(tx stage.Tx) error {
	events, err := tx.Feed(0, 100_000)
	here := map[string]bool{}
	for i, e := range events {
		if e.No != int64(i+1) {
			return fmt.Errorf("event %d has number %d", i+1, e.No)
		}
		if e.Participant == "" {
			continue // of the session itself
		}
		who := fmt.Sprint(e.Session, e.Participant)
		if e.Name == stage.Joined == here[who] {
			return fmt.Errorf("%s of %s, who is here: %v", e.Name, who, here[who])
		}
		if e.Name == stage.Joined || e.Name == stage.Left {
			here[who] = e.Name == stage.Joined
		}
	}
	return err
}

func TestDeletedStageLeavesNobodyConnectedWhomTheFloorDoesNotKnow(t *testing.T) {
	w := newWorld(t)
	e := w.join(w.stage(), "")
	w.record(e, stage.PublishStarted)
	w.check(w.DeleteStage(t.Context(), w.caller, e.Stage))
	w.check(w.store.View(t.Context(), func(tx stage.Tx) error {
		p, err := tx.Participant(e.Session, e.ParticipantID)
		if p.Connected {
			t.Error("still connected")
		}
		events, err2 := tx.Events(stage.EventQuery{Session: e.Session, Participant: e.ParticipantID, Limit: 10})
		if len(events) != 4 || events[0].Name != stage.Left || events[1].Name != stage.PublishStopped {
			t.Errorf("events are %+v", events)
		}
		_, err3 := tx.LiveSession(e.Stage)
		if !errors.Is(err3, stage.ErrNoRow) {
			t.Errorf("live session: %v", err3)
		}
		return errors.Join(err, err2)
	}))
}
