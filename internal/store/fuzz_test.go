package store

import (
	"testing"

	"callboard/internal/stage"
)

func FuzzWhatAStrangerCallsThemselvesComesBackAndIsFound(f *testing.F) {
	for _, seed := range []string{"", "Zoë", "'", `"`, "%", "\x00", "a\x00b", "\xff", "$1", "--", "😀"} {
		f.Add(seed, seed)
	}
	s := openAt(f, Options{})
	f.Fuzz(func(t *testing.T, userID, id string) {
		want := stage.Participant{Session: 1, Seq: 1, ID: id, UserID: userID}
		mustUpdate(t, s, func(tx stage.Tx) error { return tx.PutParticipant(&want) })
		err := s.View(t.Context(), func(tx stage.Tx) error {
			list, err := tx.Participants(stage.ParticipantQuery{Session: 1, UserID: &userID, Limit: 2})
			if err != nil {
				return err
			}
			if len(list) != 1 || list[0] != want {
				t.Errorf("the list by user id is %+v", list)
			}
			got, err := tx.Participant(1, id)
			got.Detail = nil
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzAStoredARNReadsAsItWas(f *testing.F) {
	f.Add("arn:aws:ivs:eu-west-1:123456789012:stage/abcdefghijkl")
	f.Add("arn:aws:ivs:-:0:-/-")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		arn, err := stage.ParseARN(text)
		if err != nil {
			arn = stage.ARN{}
		}
		if got := readARN(arn.String()); got != arn {
			t.Errorf("%+v was read as %+v", arn, got)
		}
	})
}
