package troupe_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"callboard/internal/live"
	"callboard/internal/live/livetest"
	"callboard/internal/stage"
	"callboard/internal/troupe"
)

func TestThePeopleOfAProcessThatDiesLeaveAndTheOthersSeeIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, b, arn := h.two()
	hostToken, host := a.token(arn)
	viewerToken, viewer := b.token(arn)
	a.publish(hostToken)
	seat := b.attend(viewerToken)
	seat.awaitPeople(host+"+", viewer)
	receiver, _ := b.subscribe(viewerToken, host)
	b.await("packets", func() bool { return receiver.Packets() > 5 })
	a.kill()
	b.awaitEvents(arn, viewer, "JOINED", "SUBSCRIBE_STARTED", "SUBSCRIBE_STOPPED")
	b.awaitEvents(arn, host, "JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "LEFT")
	seat.awaitPeople(viewer)
	if s := b.troupe.Stats(); s.Processes != 1 || s.Links != 0 {
		t.Errorf("left are %+v", s)
	}
	b.publish(hostToken) // at home where it comes now
	seat.awaitPeople(host+"+", viewer)
}

func TestAProcessThatWasTakenForDeadEndsEverybodyAndComesBackAsAnother(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, b, arn := h.two()
	jwt, id := a.token(arn)
	seat := a.attend(jwt)
	seat.awaitPeople(id)
	was := a.register.Process()
	a.stalled.set(true) // the database does not hear it any more
	b.awaitEvents(arn, id, "JOINED", "LEFT")
	again := b.attend(jwt)
	again.awaitPeople(id)
	a.stalled.set(false)
	seat.awaitEnd()
	a.await("another name", func() bool { return a.register.Process() != was })
	together(a, b)
	if got := b.events(arn, id); !slices.Equal(got, []string{"JOINED", "LEFT", "JOINED"}) {
		t.Errorf("events are %v", got)
	}
	if n := a.floor.Stats().Participants; n != 0 {
		t.Errorf("%d participants are still there", n)
	}
	other, second := a.token(arn)
	a.attend(other).awaitPeople(id, second)
}

// deathbed is the floor of a process that dies when it is to send everybody away.
type deathbed struct {
	stage.Floor
	die func()
}

func (d deathbed) Clear(context.Context, stage.ARN, stage.Reason) error {
	d.die()
	return errors.New("dead")
}

func TestADeletionThatWasCutOffIsBroughtToItsEndByTheOthers(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, b, arn := h.two()
	hostToken, host := a.token(arn)
	viewerToken, viewer := b.token(arn)
	a.publish(hostToken)
	seat := b.attend(viewerToken)
	seat.awaitPeople(host+"+", viewer)
	a.service.UseFloor(deathbed{die: a.kill})
	if err := a.service.DeleteStage(t.Context(), h.caller, arn); err == nil {
		t.Fatal("a dead process deletes stages")
	}
	seat.await("the goodbye", func(f state) bool { return f.Type == "LEFT" && f.Payload.Reason == "stage-deleted" })
	b.await("the end of the session", func() bool {
		err := h.store.View(t.Context(), func(tx stage.Tx) error {
			_, err := tx.LiveSession(arn)
			return err
		})
		return errors.Is(err, stage.ErrNoRow)
	})
	h.check(h.store.View(t.Context(), func(tx stage.Tx) error {
		here, err := alternate(tx)
		if here != 0 {
			t.Errorf("%d have not left", here)
		}
		return err
	}))
}

func TestALinkThatBreaksHidesNobody(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, b, arn := h.two()
	jwt, id := a.token(arn)
	otherToken, other := b.token(arn)
	a.attend(jwt)
	seat := b.attend(otherToken)
	before := seat.awaitPeople(id, other)
	third, thirdID := a.token(arn)
	b.breakLinks()
	a.attend(third)
	after := seat.awaitPeople(id, thirdID, other)
	if after.Payload.Version != before.Payload.Version+1 {
		t.Errorf("the version went from %d to %d: somebody was hidden meanwhile", before.Payload.Version, after.Payload.Version)
	}
}

func TestQuotasCountInAllProcesses(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	one := func(o *live.Options, _ *troupe.Options) { o.Quotas = stage.Quotas{PublishersPerStage: 1} }
	a, b := h.open(one), h.open(one)
	together(a, b)
	arn := a.stage()
	jwt, id := a.token(arn)
	p, _ := a.publish(jwt)
	a.awaitEvents(arn, id, "JOINED", "PUBLISH_STARTED")
	other, otherID := b.token(arn)
	seat := b.attend(other)
	seat.awaitPeople(id+"+", otherID)
	offer := livetest.Publisher(t).Offer()
	if resp, text := b.do("POST", "/whip/", other, "application/sdp", offer); resp.StatusCode != 503 {
		t.Errorf("a second publisher, in another process, gets %s %s", resp.Status, text)
	}
	p.Close()
	seat.awaitPeople(otherID)
	b.await("room", func() bool {
		resp, _ := b.do("POST", "/whip/", other, "application/sdp", livetest.Publisher(t).Offer())
		return resp.StatusCode == 201
	})
}
