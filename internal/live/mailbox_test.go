package live_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"callboard/internal/live"
	"callboard/internal/live/livetest"
	"callboard/internal/stage"
	"callboard/internal/token"
)

// hung gives a house in which a participant's goroutine waits for the store until release is called. next is
// another token of the participant.
func hung(t *testing.T) (h *house, a, next stage.Admission, seat *live.Attendance, release func()) {
	t.Helper()
	var door gate
	h = open(t, livetest.Setting{Live: live.Options{Tick: time.Hour}, Store: func(s stage.Store) stage.Store {
		door.Store = s
		return &door
	}})
	jwt := h.Token(h.Stage())
	a, next = h.AdmitAgain(jwt), h.AdmitAgain(h.Another(jwt, func(c *token.Claims) { c.UserID = "erika" }))
	seat = h.attend(a)
	release = door.hold()
	t.Cleanup(release)
	seat.Describe(stage.Client{SDKVersion: "1"})
	livetest.Wait(t, "the store to be asked", door.waiting)
	return h, a, next, seat, release
}

func TestWhatComesOverAndOverDoesNotPileUpWhileTheStoreHangs(t *testing.T) {
	t.Parallel()
	h, a, next, seat, release := hung(t)
	gone, leave := context.WithCancel(h.Context())
	leave()
	for i := range 1000 {
		h.Floor.Inspect(gone, a.Stage, a.ParticipantID)
		seat.Describe(stage.Client{SDKVersion: fmt.Sprint(i)})
		seat.Resume(fmt.Sprint(i))
		seat.Exchange(gone, next)
		seat.SetMute(true, i%2 == 0)
	}
	if n := h.Floor.Waiting(a.Stage, a.ParticipantID); n > 4 {
		t.Errorf("%d things wait", n)
	}
	wantKind(t, seat.Exchange(h.Context(), next), stage.Conflict, "")
	if s := seat.State().Local; !s.AudioMuted || s.VideoStopped {
		t.Errorf("shown is %+v, although that is nobody's to write down", s)
	}
	for range 1000 {
		seat.Leave()
		seat.Reject()
	}
	if n := h.Floor.Waiting(a.Stage, a.ParticipantID); n > 5 {
		t.Errorf("%d things wait", n)
	}
	release()
	livetest.Wait(t, "the end", seat.Done())
	if reason, _ := seat.Reason(); reason != stage.ReasonUserInitiated {
		t.Errorf("the reason is %s", reason)
	}
	h.await(a, "JOINED", "LEFT")
}

func TestOnlySoManyRequestsOfAParticipantWait(t *testing.T) {
	t.Parallel()
	h, a, _, seat, release := hung(t)
	gone, leave := context.WithCancel(h.Context())
	leave()
	var err error
	for i := 0; i <= live.MaxRequests && stage.KindOf(err) != stage.Quota; i++ {
		_, _, err = h.Floor.Publish(gone, a, stage.Client{}, "")
	}
	wantKind(t, err, stage.Quota, "")
	release()
	if reason, _ := seat.Reason(); reason != "" {
		t.Errorf("it has to go: %s", reason)
	}
	h.Await("that all is done", func() bool { return h.Floor.Waiting(a.Stage, a.ParticipantID) == 0 }, nil)
	h.publish(a)
	h.want(a, "JOINED", "PUBLISH_STARTED")
}

func TestARequestIsToldWhenItHasWaitedTooLong(t *testing.T) {
	t.Parallel()
	h, a, _, _, release := hung(t)
	h.Floor.Patience = time.Millisecond
	_, _, err := h.Floor.Publish(h.Context(), a, stage.Client{}, "")
	wantKind(t, err, stage.Quota, "")
	_, err = h.Floor.Attend(h.Context(), a, stage.Client{})
	wantKind(t, err, stage.Quota, "")
	impatient, giveUp := context.WithCancel(h.Context())
	giveUp()
	if _, _, err = h.Floor.Publish(impatient, a, stage.Client{}, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("who goes gets %v", err)
	}
	release()
	h.Await("that all is done", func() bool { return h.Floor.Waiting(a.Stage, a.ParticipantID) == 0 }, nil)
	h.want(a, "JOINED")
}
