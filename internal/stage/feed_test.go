package stage_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"callboard/internal/stage"
)

func TestAFeedGivesWhatWasThenWhatComesAndEndsWithItsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.stage()
	join := func(id string) {
		t.Helper()
		_, err := w.Join(t.Context(), stage.Admission{Stage: arn, ParticipantID: id, Expires: w.clock().Add(1e12)}, stage.Client{})
		w.check(err)
	}
	join("a")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var got []string
	for e, err := range w.Feed(ctx, 0) {
		w.check(err)
		got = append(got, string(e.Name)+e.Participant)
		switch e.Participant {
		case "a":
			join("b") // is only durable after this reader has waited
		case "b":
			stop()
		}
		if e.No != int64(len(got)) {
			t.Errorf("event %d has number %d", len(got), e.No)
		}
	}
	if want := []string{"SESSION_STARTED", "JOINEDa", "JOINEDb"}; !slices.Equal(got, want) {
		t.Errorf("the feed gave %q", got)
	}
}

func TestTheFeedTellsOnceThatASessionStartedAndEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.stage()
	a := w.join(arn, "")
	w.record(a, stage.Left)
	w.pass(2 * linger)
	b := w.join(arn, "") // who finds that the session has ended
	w.record(b, stage.Left)
	w.pass(2 * linger)
	w.check(w.Sweep(t.Context()))
	w.check(w.Sweep(t.Context()))
	w.join(arn, "")
	w.check(w.DeleteStage(t.Context(), w.caller, arn))
	var got []string
	w.check(w.store.View(t.Context(), func(tx stage.Tx) error {
		list, err := tx.Feed(0, 100)
		for _, e := range list {
			got = append(got, string(e.Name))
			if (e.Participant == "") != strings.HasPrefix(string(e.Name), "SESSION_") || e.Session == 0 {
				t.Errorf("%+v", e)
			}
		}
		return err
	}))
	one := []string{"SESSION_STARTED", "JOINED", "LEFT", "SESSION_ENDED"}
	if want := slices.Repeat(one, 3); !slices.Equal(got, want) {
		t.Errorf("the feed is %q", got)
	}
}

func TestAReaderWhosePositionIsNotOfThisFeedIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, err := range w.Feed(t.Context(), 77) {
		if !errors.Is(err, stage.ErrFeedBehind) {
			t.Errorf("the reader got %v", err)
		}
		return
	}
	t.Error("the feed ended without a word")
}
