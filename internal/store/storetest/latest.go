package storetest

import (
	"errors"
	"testing"

	"callboard/internal/stage"
)

func latest(t *testing.T, open opener) {
	joined := func() *stage.Event {
		return &stage.Event{At: at(1), Stage: stageARN("a"), Session: 1, Participant: "p", Name: stage.Joined}
	}
	waits := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return false
		default:
			return true
		}
	}

	t.Run("the end of the feed is known when an update returns", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		no, later := s.Latest()
		equal(t, "an empty feed's end", no, 0)
		update(t, s, func(tx stage.Tx) error { return errors.Join(tx.AppendEvent(joined()), tx.AppendEvent(joined())) })
		<-later
		no, later = s.Latest()
		equal(t, "the end", no, 2)
		update(t, s, func(tx stage.Tx) error { return tx.Beat() })
		if !waits(later) {
			t.Error("an update without an event moved the end of the feed")
		}
	})

	t.Run("an event that is undone does not move it", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		_, later := s.Latest()
		undone := errors.New("undone")
		if err := s.Update(t.Context(), func(tx stage.Tx) error { return errors.Join(tx.AppendEvent(joined()), undone) }); !errors.Is(err, undone) {
			t.Errorf("update: %v", err)
		}
		if no, _ := s.Latest(); no != 0 || !waits(later) {
			t.Errorf("the end is %d", no)
		}
	})

	t.Run("forgetting sets it back", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		update(t, s, func(tx stage.Tx) error { return tx.AppendEvent(joined()) })
		_, later := s.Latest()
		update(t, s, func(tx stage.Tx) error { return tx.Forget() })
		<-later
		if no, _ := s.Latest(); no != 0 {
			t.Errorf("the end is %d", no)
		}
	})
}
