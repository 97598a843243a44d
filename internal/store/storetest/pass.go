package storetest

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"callboard/internal/stage"
)

func secrets(t *testing.T, open opener) {
	t.Run("a secret is kept to the byte, under its name only, and never replaced", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		value := []byte{0, 1, 0xff, '\'', 0, 'x'}
		update(t, s, func(tx stage.Tx) error { return tx.PutSecret("signing", value) })
		got := read(t, s, func(tx stage.Tx) ([]byte, error) { return tx.Secret("signing") })
		if !bytes.Equal(got, value) {
			t.Errorf("got %v, want %v", got, value)
		}
		if err := s.View(t.Context(), func(tx stage.Tx) error { _, err := tx.Secret("Signing"); return err }); !errors.Is(err, stage.ErrNoRow) {
			t.Errorf("another name: %v", err)
		}
		if err := s.Update(t.Context(), func(tx stage.Tx) error { return tx.PutSecret("signing", []byte("other")) }); err == nil {
			t.Error("a second value was accepted")
		}
		got = read(t, s, func(tx stage.Tx) ([]byte, error) { return tx.Secret("signing") })
		if !bytes.Equal(got, value) {
			t.Errorf("after the refused one got %v, want %v", got, value)
		}
	})
}

func passes(t *testing.T, open opener) {
	pass := func(t *testing.T, s stage.Store, arn stage.ARN, id string) (p stage.Pass, err error) {
		t.Helper()
		err = s.View(t.Context(), func(tx stage.Tx) (err error) { p, err = tx.Pass(arn, id); return err })
		return p, err
	}
	later := time.Now().Add(time.Hour).Truncate(time.Millisecond).UTC()

	t.Run("a pass is known on its stage, and the last word holds", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		p := stage.Pass{Stage: stageARN("a"), ParticipantID: "one", Expires: later}
		for _, barred := range []bool{false, true} {
			p.Barred = barred
			p.Expires = p.Expires.Add(time.Second)
			update(t, s, func(tx stage.Tx) error { return tx.PutPass(p) })
			got, err := pass(t, s, p.Stage, "one")
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "pass", got, p)
		}
		if _, err := pass(t, s, stageARN("b"), "one"); !errors.Is(err, stage.ErrNoRow) {
			t.Errorf("on another stage: %v", err)
		}
		if _, err := pass(t, s, p.Stage, "One"); !errors.Is(err, stage.ErrNoRow) {
			t.Errorf("another participant: %v", err)
		}
	})

	t.Run("a pass that has not expired stays, whatever is put after it", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		kept := stage.Pass{Stage: stageARN("a"), ParticipantID: "kept", Expires: later, Barred: true}
		endless := stage.Pass{Stage: stageARN("a"), ParticipantID: "endless"}
		update(t, s, func(tx stage.Tx) error { return errors.Join(tx.PutPass(kept), tx.PutPass(endless)) })
		update(t, s, func(tx stage.Tx) error {
			for i := range 50 {
				if err := tx.PutPass(stage.Pass{Stage: stageARN("a"), ParticipantID: participantID(i), Expires: at(0).AddDate(-1, 0, 0)}); err != nil {
					return err
				}
			}
			return nil
		})
		for _, want := range []stage.Pass{kept, endless} {
			got, err := pass(t, s, want.Stage, want.ParticipantID)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "pass", got, want)
		}
	})
}
