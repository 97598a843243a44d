package storetest

import (
	"errors"
	"testing"

	"callboard/internal/stage"
)

func forgetting(t *testing.T, open opener) {
	t.Run("forgetting leaves the secrets and nothing else, and numbers begin anew", func(t *testing.T) {
		t.Parallel()
		s, fresh := open(t), open(t)
		update(t, s, Fill)
		update(t, s, stage.Tx.Forget)
		view(t, s, func(tx stage.Tx) error {
			secret, err := tx.Secret("name")
			equal(t, "the secret", string(secret), "value")
			return err
		})
		equal(t, "what is left", read(t, s, everything), read(t, fresh, everything))
		update(t, s, fillDocuments)
		update(t, fresh, fillDocuments)
		equal(t, "numbers afterwards", read(t, s, everything), read(t, fresh, everything))
	})

	t.Run("an update that fails after forgetting forgets nothing", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		update(t, s, Fill)
		before := read(t, s, everything)
		err := s.Update(t.Context(), func(tx stage.Tx) error { return errors.Join(tx.Forget(), errUndo) })
		if !errors.Is(err, errUndo) {
			t.Errorf("got %v", err)
		}
		equal(t, "what is there", read(t, s, everything), before)
	})
}

var errUndo = errors.New("undo this")

// Fill stores one thing of each kind in an empty store.
func Fill(tx stage.Tx) error {
	session := stage.Session{Stage: stageARN("a"), ID: "st-1", Started: at(0), NextSeq: 2, Connected: 1}
	if err := errors.Join(fillDocuments(tx), tx.PutSession(&session)); err != nil {
		return err
	}
	p := participant(session.No, 1)
	return errors.Join(tx.PutSecret("name", []byte("value")), tx.PutParticipant(&p), tx.Beat(),
		tx.PutPass(stage.Pass{Stage: stageARN("a"), ParticipantID: p.ID, Expires: at(60), Barred: true}),
		tx.AppendEvent(&stage.Event{At: at(1), Stage: stageARN("a"), Session: session.No, Participant: p.ID, Name: stage.Joined}))
}

func fillDocuments(tx stage.Tx) error {
	d := stage.Document{ARN: stageARN("a"), Name: "a", Body: []byte("{}")}
	return tx.PutDocument(&d)
}

// everything is a look at all that Fill stores but secrets, without
// times that depend on when it ran.
func everything(tx stage.Tx) ([]any, error) {
	docs, err1 := tx.Documents(stage.DocumentQuery{Type: stage.TypeStage, Account: "123456789012", Region: "eu-west-1", Limit: 10})
	for i := range docs {
		docs[i].Created = at(0)
	}
	sessions, err2 := tx.Sessions(stage.SessionQuery{Stage: stageARN("a"), Limit: 10})
	people, err3 := tx.Participants(stage.ParticipantQuery{Session: 1, Limit: 10})
	feed, err4 := tx.Feed(0, 10)
	beat, err5 := tx.LastBeat()
	_, unknown := tx.Pass(stageARN("a"), participantID(1))
	return []any{docs, sessions, people, feed, beat, unknown}, errors.Join(err1, err2, err3, err4, err5)
}
