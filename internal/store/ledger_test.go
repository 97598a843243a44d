package store

import (
	"errors"
	"testing"

	"callboard/internal/stage"
)

func TestWhoHoldsAParticipantIsStoredWithoutWritingItsSessionEarly(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{})
	session := fillSession(t, s, 1)
	mustUpdate(t, s, func(x stage.Tx) error {
		found, err := x.Session(session.Stage, session.ID)
		if err != nil {
			return err
		}
		found.Connected++
		err = x.PutSession(&found)
		seat := stage.Seat{Stage: session.Stage, ParticipantID: "p", Process: "one"}
		_, listed := x.Processes()
		_, free := x.Seat(seat.Stage, seat.ParticipantID)
		if !errors.Is(free, stage.ErrNoRow) {
			t.Errorf("the seat is taken: %v", free)
		}
		err = errors.Join(err, listed, x.PutProcess(stage.Process{ID: "one"}), x.PutSeat(seat), x.DeleteSeat(seat.Stage, seat.ParticipantID))
		if n := x.(*tx).ledger.waiting; n != 1 {
			t.Errorf("%d sessions wait to be written", n)
		}
		return err
	})
	err := s.View(t.Context(), func(x stage.Tx) error {
		found, err := x.Session(session.Stage, session.ID)
		if found.Connected != session.Connected+1 {
			t.Errorf("%d are connected after %d and one more", found.Connected, session.Connected)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWhatIsPutAfterEverythingWasForgottenIsThere(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{})
	session := fillSession(t, s, 1)
	mustUpdate(t, s, func(x stage.Tx) error {
		rows, err := x.Participants(stage.ParticipantQuery{Session: session.No, Limit: 1})
		if err != nil {
			return err
		}
		p, err := x.Participant(session.No, rows[0].ID)
		return errors.Join(err, x.Forget(), x.PutParticipant(&p))
	})
	err := s.View(t.Context(), func(x stage.Tx) error {
		rows, err := x.Participants(stage.ParticipantQuery{Session: session.No, Limit: 2})
		if len(rows) != 1 {
			t.Errorf("%d participants are there", len(rows))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
