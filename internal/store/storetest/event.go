package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"callboard/internal/stage"
)

func eventNo(e stage.Event) int64 { return e.No }

func events(t *testing.T, open opener) {
	t.Run("an event comes back as it was put", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		want := []stage.Event{
			{At: at(1), Stage: stageARN("a"), Session: 5, Participant: "p", Name: stage.Joined},
			{At: at(1), Stage: stageARN("a"), Session: 5, Participant: "p", Name: stage.SubscribeStarted, Remote: "q"},
			{At: at(0), Stage: stageARN("b"), Participant: "p", Name: stage.PublishError, Error: stage.InsufficientCapabilities},
		}
		update(t, s, func(tx stage.Tx) error {
			for i := range want {
				if err := tx.AppendEvent(&want[i]); err != nil {
					return err
				}
			}
			return nil
		})
		feed := read(t, s, func(tx stage.Tx) ([]stage.Event, error) { return tx.Feed(0, 10) })
		equal(t, "feed", feed, want)
		equal(t, "numbers", numbers(feed, eventNo), []int64{1, 2, 3})
	})

	t.Run("a participant's events are its own of that session, newest first", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		var want []int64
		update(t, s, func(tx stage.Tx) error {
			for i := range 200 {
				e := stage.Event{At: at(0), Stage: stageARN("a"), Session: int64(1 + i%3), Participant: fmt.Sprintf("p%d", i%4), Name: stage.Joined}
				if err := tx.AppendEvent(&e); err != nil {
					return err
				}
				if e.Session == 2 && e.Participant == "p1" {
					want = append(want, e.No)
				}
			}
			return nil
		})
		slices.Reverse(want)
		for _, limit := range []int{1, 3, 50} {
			var got []int64
			q := stage.EventQuery{Session: 2, Participant: "p1", Limit: limit}
			for {
				list := read(t, s, func(tx stage.Tx) ([]stage.Event, error) { return tx.Events(q) })
				if len(list) == 0 {
					break
				}
				got = append(got, numbers(list, eventNo)...)
				q.Before = got[len(got)-1]
			}
			equal(t, fmt.Sprintf("walk by %d", limit), got, want)
		}
		none := read(t, s, func(tx stage.Tx) ([]stage.Event, error) {
			return tx.Events(stage.EventQuery{Session: 2, Participant: "nobody", Limit: 5})
		})
		equal(t, "list of nothing", none, []stage.Event{})
	})

	t.Run("a number that was not committed is given again", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		appendOne := func(fail error) func(stage.Tx) error {
			return func(tx stage.Tx) error {
				if err := tx.AppendEvent(&stage.Event{At: at(0), Stage: stageARN("a"), Participant: "p", Name: stage.Joined}); err != nil {
					return err
				}
				return fail
			}
		}
		update(t, s, appendOne(nil))
		if err := s.Update(t.Context(), appendOne(errRefused)); err != errRefused {
			t.Errorf("the failing update returned %v", err)
		}
		update(t, s, appendOne(nil))
		feed := read(t, s, func(tx stage.Tx) ([]stage.Event, error) { return tx.Feed(0, 10) })
		equal(t, "numbers", numbers(feed, eventNo), []int64{1, 2})
	})

	t.Run("the feed has no gaps and is read in order while 32 write", feedOrder(open))

	t.Run("the last beat is the later of the last beat and the last event of a participant", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		last := func() time.Time { return read(t, s, func(tx stage.Tx) (time.Time, error) { return tx.LastBeat() }) }
		if !last().IsZero() {
			t.Errorf("in an empty store: %v", last())
		}
		update(t, s, func(tx stage.Tx) error {
			return tx.AppendEvent(&stage.Event{At: at(0), Stage: stageARN("a"), Participant: "p", Name: stage.Joined})
		})
		equal(t, "after an event", last(), at(0))
		var now time.Time
		update(t, s, func(tx stage.Tx) error { now = tx.Now(); return tx.Beat() })
		equal(t, "after a beat", last(), now)
		update(t, s, func(tx stage.Tx) error {
			return tx.AppendEvent(&stage.Event{At: at(1), Stage: stageARN("a"), Participant: "p", Name: stage.Left})
		})
		equal(t, "after an event of the past", last(), now)
		update(t, s, func(tx stage.Tx) error {
			return tx.AppendEvent(&stage.Event{At: now.Add(time.Hour), Stage: stageARN("a"), Session: 1, Name: stage.SessionEnded})
		})
		equal(t, "after a session's own event", last(), now)
	})
}

// feedOrder has a reader follow the feed from its cursor while many write; a
// number that became visible after a higher one would be missed.
func feedOrder(open opener) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		s := open(t)
		const writers, each = 32, 30
		var writing sync.WaitGroup
		for w := range writers {
			writing.Go(func() {
				for i := range each {
					err := s.Update(t.Context(), func(tx stage.Tx) error {
						e := stage.Event{At: tx.Now(), Stage: stageARN("a"), Session: 1, Participant: participantID(w), Name: stage.Joined}
						if err := tx.AppendEvent(&e); err != nil || i%7 == 3 {
							return err
						}
						e.Name = stage.Left
						return tx.AppendEvent(&e)
					})
					if err != nil {
						t.Error(err)
						return
					}
					if i%5 == 0 {
						s.Update(t.Context(), func(tx stage.Tx) error {
							tx.AppendEvent(&stage.Event{At: tx.Now(), Stage: stageARN("a"), Participant: "x", Name: stage.JoinError})
							return errRefused
						})
					}
				}
			})
		}
		done := make(chan struct{})
		go func() { writing.Wait(); close(done) }()

		last := stage.Event{}
		for finished := false; ; {
			select {
			case <-done:
				finished = true
			default:
			}
			list := read(t, s, func(tx stage.Tx) ([]stage.Event, error) {
				return tx.Feed(last.No, 25)
			})
			for _, e := range list {
				if e.No != last.No+1 || e.At.Before(last.At) || e.Name == stage.JoinError {
					t.Fatalf("after %+v came %+v", last, e)
				}
				last = e
			}
			if finished && len(list) == 0 {
				break
			}
		}
		var lefts int64
		for i := range each {
			if i%7 != 3 {
				lefts++
			}
		}
		equal(t, "events", last.No, writers*(each+lefts))
	}
}
