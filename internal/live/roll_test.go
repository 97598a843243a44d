package live_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"callboard/internal/live"
	"callboard/internal/live/livetest"
	"callboard/internal/sfu"
	"callboard/internal/stage"
)

// gate is a store whose updates can be held up.
type gate struct {
	stage.Store
	mu      sync.Mutex
	held    chan struct{} // nil while open
	waiting chan struct{} // told about each update that is held up
}

func (g *gate) Update(ctx context.Context, fn func(stage.Tx) error) error {
	g.mu.Lock()
	held := g.held
	g.mu.Unlock()
	if held != nil {
		select {
		case g.waiting <- struct{}{}:
		default:
		}
		<-held
	}
	return g.Store.Update(ctx, fn)
}

func (g *gate) hold() (open func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	held := make(chan struct{})
	g.held, g.waiting = held, make(chan struct{}, 1)
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.held = nil
		close(held)
	})
}

func TestNobodyIsAnsweredBeforeTheirJoinIsRecorded(t *testing.T) {
	t.Parallel()
	var door gate
	h := open(t, livetest.Setting{Live: live.Options{Tick: time.Hour}, Store: func(s stage.Store) stage.Store {
		door.Store = s
		return &door
	}})
	arn := h.Stage()
	host, member, viewer := h.Admit(arn), h.Admit(arn), h.Admit(arn)
	h.publish(host)
	_, known := h.subscribe(member, host.ParticipantID)
	p := livetest.Subscriber(t)
	offer := p.Offer()

	release := door.hold()
	defer release()
	answers := make(chan string, 1)
	var asking sync.WaitGroup
	defer asking.Wait()
	asking.Go(func() {
		_, answer, err := h.Floor.Subscribe(h.Context(), viewer, stage.Client{}, host.ParticipantID, offer, sfu.SubscribeOptions{})
		if err != nil {
			t.Error(err)
		}
		answers <- answer
	})
	livetest.Wait(t, "the join", door.waiting)
	before := known.Packets()
	h.Await("packets for who is on the roll", func() bool { return known.Packets() > before+50 }, nil)
	if len(answers) > 0 {
		t.Error("the offer was answered before the join was recorded")
	}
	h.want(viewer)
	release()
	p.Connect(<-answers)
	h.await(viewer, "JOINED", "SUBSCRIBE_STARTED "+host.ParticipantID)
	h.Await("packets", func() bool { return p.Packets() > 10 }, nil)
}

func TestNobodyReceivesWhoseJoinIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	arn := h.Stage()
	host, viewer := h.Admit(arn), h.Admit(arn)
	h.publish(host)
	bar(h, viewer)
	_, _, err := h.Floor.Subscribe(h.Context(), viewer, stage.Client{}, host.ParticipantID, livetest.Subscriber(t).Offer(), sfu.SubscribeOptions{})
	wantKind(t, err, stage.Denied, stage.CodeParticipantDisconnected)
	h.Await("no peer but the publisher's", func() bool { return h.Engine.Stats().Peers == 1 }, nil)
	h.want(viewer)
}

// bar bars a participant behind the floor's back.
func bar(h *house, a stage.Admission) {
	h.t.Helper()
	h.Service.UseFloor(nobody{})
	defer h.Service.UseFloor(h.Floor)
	if err := h.Service.Disconnect(h.Context(), h.Caller, a.Stage, a.ParticipantID, ""); err != nil {
		h.t.Fatal(err)
	}
}

func TestAnOfferIsRefusedWhileTheJoinCannotBeRecorded(t *testing.T) {
	t.Parallel()
	var disk flaky
	h := openOn(t, &disk)
	a := h.Admit(h.Stage())
	disk.fail(1 << 30)
	if _, _, err := h.Floor.Publish(h.Context(), a, stage.Client{}, livetest.Publisher(t).Offer()); stage.KindOf(err) != stage.Internal {
		t.Errorf("the error is %v", err)
	}
	h.Await("no peers", func() bool { return h.Engine.Stats().Peers == 0 }, nil)
	disk.fail(0)
	h.want(a)
	h.publish(a)
	h.want(a, "JOINED", "PUBLISH_STARTED")
}

func TestErrorEventsAreWrittenNowAndThenHoweverOftenAnAttemptFails(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	arn := h.Stage()
	seated, stranger := h.Admit(arn, stage.Subscribe), h.Admit(arn, stage.Subscribe)
	h.attend(seated)
	for range 20 {
		for _, a := range []stage.Admission{seated, stranger} {
			_, _, err := h.Floor.Publish(h.Context(), a, stage.Client{}, "")
			wantKind(t, err, stage.Denied, stage.CodeTokenNotAllowed)
		}
	}
	h.want(seated, "JOINED", "PUBLISH_ERROR INSUFFICIENT_CAPABILITIES")
	h.want(stranger, "PUBLISH_ERROR INSUFFICIENT_CAPABILITIES")
	for i := range 20 {
		_, _, err := h.Floor.Subscribe(h.Context(), stranger, stage.Client{}, strings.Repeat("x", i+1), "", sfu.SubscribeOptions{})
		wantKind(t, err, stage.NotFound, "")
	}
	if n := len(h.Events(arn, stranger.ParticipantID)); n != 10 {
		t.Errorf("%d events are written", n)
	}
}

func TestPanicOverAnOfferFailsThatRequestAlone(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	a := h.Admit(h.Stage())
	h.Floor.Engine = nil // whatever it is asked to do panics
	_, _, err := h.Floor.Publish(h.Context(), a, stage.Client{}, livetest.Publisher(t).Offer())
	if err == nil || stage.KindOf(err) != stage.Internal || !strings.Contains(err.Error(), "panicked") {
		t.Errorf("the error is %v", err)
	}
	h.attend(a)
	h.want(a, "JOINED")
}

func TestWhoseJoinIsOnRecordAlthoughItFailedLeaves(t *testing.T) {
	t.Parallel()
	disk := flaky{stores: true}
	h := openOn(t, &disk)
	arn := h.Stage()
	a, b := h.Admit(arn), h.Admit(arn)
	disk.fail(1)
	if _, err := h.Floor.Attend(h.Context(), a, stage.Client{}); err == nil {
		t.Error("joined, although nobody knows")
	}
	h.await(a, "JOINED", "LEFT", "JOIN_ERROR INTERNAL_SERVER_EXCEPTION")
	disk.fail(1)
	if _, _, err := h.Floor.Publish(h.Context(), b, stage.Client{}, livetest.Publisher(t).Offer()); err == nil {
		t.Error("joined, although nobody knows")
	}
	h.await(b, "JOINED", "LEFT", "JOIN_ERROR INTERNAL_SERVER_EXCEPTION")
}

func TestWhoCannotJoinForAFaultOfTheServerHasThatAmongItsEvents(t *testing.T) {
	t.Parallel()
	var disk flaky
	h := openOn(t, &disk)
	a := h.Admit(h.Stage())
	h.attend(h.Admit(a.Stage))
	disk.fail(2)
	if _, err := h.Floor.Attend(h.Context(), a, stage.Client{}); stage.KindOf(err) != stage.Internal {
		t.Errorf("the error is %v", err)
	}
	h.await(a, "JOIN_ERROR INTERNAL_SERVER_EXCEPTION")
	if m := h.media(a); m.ID != "" {
		t.Errorf("its media are %+v", m)
	}
	gone, leave := context.WithCancel(h.Context())
	leave()
	if _, err := h.Floor.Attend(gone, a, stage.Client{}); err == nil {
		t.Error("somebody joins who has gone")
	}
	h.attend(a)
	h.want(a, "JOIN_ERROR INTERNAL_SERVER_EXCEPTION", "JOINED")
}
