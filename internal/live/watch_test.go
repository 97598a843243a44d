package live_test

import (
	"testing"
	"time"

	"callboard/internal/live"
	"callboard/internal/live/livetest"
	"callboard/internal/stage"
)

func TestWhoIsShownByAnotherProcessThatHasTheSeatEndsHere(t *testing.T) {
	t.Parallel()
	var facts stage.Store
	h := open(t, livetest.Setting{Store: func(s stage.Store) stage.Store { facts = s; return s }})
	if _, err := h.Register.Enlist(t.Context(), "http://10.0.0.1", ""); err != nil {
		t.Fatal(err)
	}
	arn := h.Stage()
	moved, stays := h.Admit(arn), h.Admit(arn)
	gone, here := h.attend(moved), h.attend(stays)
	err := facts.Update(t.Context(), func(tx stage.Tx) error {
		return tx.PutSeat(stage.Seat{Stage: arn, ParticipantID: moved.ParticipantID, Process: "another"})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []stage.Admission{stays, moved} {
		h.Floor.See("another", live.Sighting{Stage: arn, ID: a.ParticipantID, Person: &live.Person{
			ID: a.ParticipantID, JoinedAt: time.Now().Add(time.Minute),
		}})
	}
	livetest.Wait(t, "the end of who is elsewhere", gone.Done())
	h.Await("the floor without who is elsewhere", func() bool { return h.Floor.Stats().Participants == 1 }, nil)
	h.want(moved, "JOINED") // the rest is for the other process to write
	select {
	case <-here.Done():
		t.Error("who is held here was sent away on mere hearsay")
	default:
	}
}
