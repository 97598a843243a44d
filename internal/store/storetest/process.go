package storetest

import (
	"errors"
	"testing"

	"callboard/internal/stage"
)

func processes(t *testing.T, open opener) {
	list := func(tx stage.Tx) ([]stage.Process, error) { return tx.Processes() }

	t.Run("a process is kept whole, replaced by its id, and removed", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		equal(t, "at first", read(t, s, list), []stage.Process{})
		one := stage.Process{ID: "one", URL: "http://10.0.0.1:7480", Settings: `{"account":"abc"}`, Renewed: at(0), Expires: at(15)}
		two := stage.Process{ID: "two", URL: "http://10.0.0.2:7480", Renewed: at(1), Expires: at(16)}
		update(t, s, func(tx stage.Tx) error { return errors.Join(tx.PutProcess(two), tx.PutProcess(one)) })
		equal(t, "both", read(t, s, list), []stage.Process{one, two})
		one.Renewed, one.Expires = at(5), at(20)
		update(t, s, func(tx stage.Tx) error { return errors.Join(tx.PutProcess(one), tx.DeleteProcess("two")) })
		equal(t, "one, renewed", read(t, s, list), []stage.Process{one})
	})

	t.Run("who is running is not forgotten, whom it holds is", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		one := stage.Process{ID: "one", Renewed: at(0), Expires: at(15)}
		seat := stage.Seat{Stage: stageARN("a"), ParticipantID: "p", Process: "one"}
		update(t, s, func(tx stage.Tx) error { return errors.Join(tx.PutProcess(one), tx.PutSeat(seat)) })
		update(t, s, stage.Tx.Forget)
		equal(t, "processes", read(t, s, list), []stage.Process{one})
		equal(t, "seats", read(t, s, func(tx stage.Tx) ([]stage.Seat, error) { return tx.Seats("one", 10) }), []stage.Seat{})
	})
}

func seats(t *testing.T, open opener) {
	t.Run("a seat is one process's, and the last word holds", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		seat := stage.Seat{Stage: stageARN("a"), ParticipantID: "p"}
		for _, process := range []string{"one", "two"} {
			seat.Process = process
			update(t, s, func(tx stage.Tx) error { return tx.PutSeat(seat) })
			equal(t, "seat", read(t, s, func(tx stage.Tx) (stage.Seat, error) { return tx.Seat(seat.Stage, "p") }), seat)
		}
		equal(t, "seats of the first", read(t, s, func(tx stage.Tx) ([]stage.Seat, error) { return tx.Seats("one", 10) }), []stage.Seat{})
		update(t, s, func(tx stage.Tx) error {
			return errors.Join(tx.DeleteSeat(seat.Stage, "p"), tx.DeleteSeat(seat.Stage, "p"))
		})
		if err := s.View(t.Context(), func(tx stage.Tx) error { _, err := tx.Seat(seat.Stage, "p"); return err }); !errors.Is(err, stage.ErrNoRow) {
			t.Errorf("a removed seat: %v", err)
		}
	})

	t.Run("the seats of a process are listed up to a limit", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		var want []stage.Seat
		for i := range 5 {
			want = append(want, stage.Seat{Stage: stageARN("a"), ParticipantID: participantID(i), Process: "one"})
		}
		update(t, s, func(tx stage.Tx) error {
			err := tx.PutSeat(stage.Seat{Stage: stageARN("a"), ParticipantID: "other", Process: "two"})
			for _, seat := range want {
				err = errors.Join(err, tx.PutSeat(seat))
			}
			return err
		})
		for limit, n := range map[int]int{3: 3, 9: 5} {
			got := read(t, s, func(tx stage.Tx) ([]stage.Seat, error) { return tx.Seats("one", limit) })
			equal(t, "seats", got, want[:n])
		}
	})
}
