package stage_test

import (
	"context"
	"errors"
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
		got = append(got, e.Participant)
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
	if len(got) != 2 || got[1] != "b" {
		t.Errorf("the feed gave %q", got)
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
