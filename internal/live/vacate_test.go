package live_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"callboard/internal/live"
	"callboard/internal/live/livetest"
	"callboard/internal/stage"
)

func TestAVacatedFloorIsEmptyForAWhileAndThenOpenAgain(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	here, there := h.Stage(), h.Stage()
	host, guest, late := h.Admit(here), h.Admit(there), h.Admit(there)
	_, sending := h.publish(host)
	seat := h.attend(guest)
	during := errors.New("of what was done meanwhile")
	err := h.Floor.Vacate(h.Context(), func() error {
		h.want(host, "JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "LEFT")
		h.want(guest, "JOINED", "LEFT")
		if s := h.Floor.Stats(); s != (live.Stats{}) {
			t.Errorf("on the empty floor are %+v", s)
		}
		_, err := h.Floor.Attend(h.Context(), late, stage.Client{})
		wantKind(t, err, stage.Quota, "")
		return during
	})
	if !errors.Is(err, during) {
		t.Errorf("it gives %v", err)
	}
	livetest.Wait(t, "the publication's end", sending.Down())
	if reason, _ := seat.Reason(); reason != stage.ReasonStageDeleted {
		t.Errorf("the socket ended with %q", reason)
	}
	h.attend(late)
	h.want(late, "JOINED")
}

func TestWhoIsOnTheWayInWhenTheFloorIsVacatedIsNotThereMeanwhile(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	arn := h.Stage()
	var coming sync.WaitGroup
	for range 20 {
		a := h.Admit(arn)
		coming.Go(func() {
			for range 20 {
				seat, err := h.Floor.Attend(h.Context(), a, stage.Client{})
				if err != nil {
					wantKind(t, err, stage.Quota, "")
					continue
				}
				seat.Lost()
			}
		})
	}
	for range 20 {
		err := h.Floor.Vacate(h.Context(), func() error {
			if there := h.Connected(arn); len(there) > 0 {
				t.Errorf("%v are there", there)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	coming.Wait()
}

func TestAFloorThatDoesNotEmptyInTimeIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	a := h.Admit(h.Stage())
	h.attend(a)
	over, end := context.WithCancel(t.Context())
	end()
	err := h.Floor.Vacate(over, func() error {
		t.Error("it was taken for empty")
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it gives %v", err)
	}
	h.await(a, "JOINED", "LEFT")
}
