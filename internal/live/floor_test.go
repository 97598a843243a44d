package live_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"callboard/internal/live"
	"callboard/internal/live/livetest"
	"callboard/internal/sfu"
	"callboard/internal/stage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is a world with the steps that these tests are made of.
type house struct {
	*livetest.World
	t *testing.T
}

func open(t *testing.T, s livetest.Setting) *house {
	t.Helper()
	return &house{livetest.Open(t, s), t}
}

func (h *house) attend(a stage.Admission) *live.Attendance {
	h.t.Helper()
	seat, err := h.Floor.Attend(h.Context(), a, stage.Client{})
	if err != nil {
		h.t.Fatal(err)
	}
	return seat
}

// publish has a take a publication and waits until it is known to publish.
func (h *house) publish(a stage.Admission) (*live.Media, *livetest.Peer) {
	h.t.Helper()
	p := livetest.Publisher(h.t)
	m, answer, err := h.Floor.Publish(h.Context(), a, stage.Client{}, p.Offer())
	if err != nil {
		h.t.Fatal(err)
	}
	before := h.count(a, "PUBLISH_STARTED")
	p.Connect(answer)
	p.Play()
	h.Await("a publication", func() bool { return h.count(a, "PUBLISH_STARTED") > before }, nil)
	return m, p
}

// subscribe has a watch publisher and waits until it is known to.
func (h *house) subscribe(a stage.Admission, publisher string) (*live.Media, *livetest.Peer) {
	h.t.Helper()
	p := livetest.Subscriber(h.t)
	m, answer := h.ask(a, publisher, p)
	before := h.count(a, "SUBSCRIBE_STARTED "+publisher)
	p.Connect(answer)
	h.Await("a subscription", func() bool { return h.count(a, "SUBSCRIBE_STARTED "+publisher) > before }, nil)
	return m, p
}

// ask has a's offer to watch publisher answered.
func (h *house) ask(a stage.Admission, publisher string, p *livetest.Peer) (m *live.Media, answer string) {
	h.t.Helper()
	offer := p.Offer()
	h.Await("a publication to subscribe to", func() bool {
		var err error
		m, answer, err = h.Floor.Subscribe(h.Context(), a, stage.Client{}, publisher, offer, sfu.SubscribeOptions{})
		if err != nil && stage.KindOf(err) != stage.Conflict { // it is shown a moment after it is recorded
			h.t.Fatal(err)
		}
		return err == nil
	}, nil)
	return m, answer
}

func (h *house) count(a stage.Admission, event string) int {
	n := 0
	for _, e := range h.Events(a.Stage, a.ParticipantID) {
		if e == event {
			n++
		}
	}
	return n
}

func (h *house) want(a stage.Admission, events ...string) {
	h.t.Helper()
	h.WantEvents(a.Stage, a.ParticipantID, events...)
}

func (h *house) await(a stage.Admission, events ...string) {
	h.t.Helper()
	h.AwaitEvents(a.Stage, a.ParticipantID, events...)
}

func wantKind(t *testing.T, err error, kind stage.Kind, code string) {
	t.Helper()
	e, ok := errors.AsType[*stage.Error](err)
	if !ok || e.Kind != kind || e.Code != code {
		t.Errorf("the error is %v, not of kind %d with code %q", err, kind, code)
	}
}

func TestDisconnectEndsEverythingInOrderAndForGood(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	arn := h.Stage()
	host, guest := h.Admit(arn), h.Admit(arn)
	h.publish(host)
	seat := h.attend(guest)
	_, sending := h.publish(guest)
	_, receiving := h.subscribe(guest, host.ParticipantID)

	if err := h.Service.Disconnect(h.Context(), h.Caller, arn, guest.ParticipantID, "too loud"); err != nil {
		t.Fatal(err)
	}
	h.want(guest, "JOINED", "PUBLISH_STARTED", "SUBSCRIBE_STARTED "+host.ParticipantID,
		"SUBSCRIBE_STOPPED "+host.ParticipantID, "PUBLISH_STOPPED", "LEFT")
	livetest.Wait(t, "the socket's end", seat.Done())
	if reason, text := seat.Reason(); reason != stage.ReasonParticipantDisconnected || text != "too loud" {
		t.Errorf("the socket ended with %q, %q", reason, text)
	}
	livetest.Wait(t, "the publication's end", sending.Down())
	livetest.Wait(t, "the subscription's end", receiving.Down())

	_, err := h.Floor.Attend(h.Context(), guest, stage.Client{})
	wantKind(t, err, stage.Denied, stage.CodeParticipantDisconnected)
	if got := h.Connected(arn); !slices.Equal(got, []string{host.ParticipantID}) {
		t.Errorf("connected are %v", got)
	}
}

func TestDisconnectOfSomebodyAbsentReturnsAtOnce(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	if err := h.Floor.Disconnect(h.Context(), h.Stage(), "nobody", stage.ReasonUnknown, ""); err != nil {
		t.Error(err)
	}
}

func TestDisconnectWhileJoiningLeavesNobodyBehind(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	arn := h.Stage()
	for range 20 {
		a := h.Admit(arn)
		var both sync.WaitGroup
		both.Go(func() {
			seat, err := h.Floor.Attend(h.Context(), a, stage.Client{})
			if err != nil {
				wantKind(t, err, stage.Denied, stage.CodeParticipantDisconnected)
				return
			}
			livetest.Wait(t, "the end of a barred participant", seat.Done())
		})
		both.Go(func() {
			if err := h.Service.Disconnect(h.Context(), h.Caller, arn, a.ParticipantID, ""); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
		if got := h.Events(arn, a.ParticipantID); len(got) != 0 && !slices.Equal(got, []string{"JOINED", "LEFT"}) {
			t.Errorf("events are %v", got)
		}
	}
	if got := h.Connected(arn); len(got) != 0 {
		t.Errorf("still connected: %v", got)
	}
}

func TestDisconnectEndsMediaThatIsNotConnectedYet(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	a := h.Admit(h.Stage())
	m, _, err := h.Floor.Publish(h.Context(), a, stage.Client{}, livetest.Publisher(t).Offer())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Service.Disconnect(h.Context(), h.Caller, a.Stage, a.ParticipantID, ""); err != nil {
		t.Fatal(err)
	}
	if _, ok := h.Floor.Media(m.ID()); ok {
		t.Error("the media session is still there")
	}
	h.want(a, "JOINED", "LEFT")
	h.Await("no peers", func() bool { return h.Engine.Stats().Peers == 0 }, nil)
}

// nobody is a floor on which nobody is.
type nobody struct{}

func (nobody) Disconnect(context.Context, stage.ARN, string, stage.Reason, string) error { return nil }
func (nobody) Clear(context.Context, stage.ARN, stage.Reason) error                      { return nil }
func (nobody) Inspect(context.Context, stage.ARN, string) (m stage.Media, err error)     { return m, nil }

func TestAnOfferAfterTheBarIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	a := h.Admit(h.Stage())
	bar(h, a) // after it was admitted
	_, _, err := h.Floor.Publish(h.Context(), a, stage.Client{}, livetest.Publisher(t).Offer())
	wantKind(t, err, stage.Denied, stage.CodeParticipantDisconnected)
	h.Await("no peers", func() bool { return h.Engine.Stats().Peers == 0 }, nil)
	h.want(a)
}

func TestDeletedStageIsClearedOfEverybody(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	arn, elsewhere := h.Stage(), h.Stage()
	staying := h.attend(h.Admit(elsewhere))
	var seats []*live.Attendance
	for range 20 {
		seats = append(seats, h.attend(h.Admit(arn)))
	}
	host := h.Admit(arn)
	_, peer := h.publish(host)
	if err := h.Service.DeleteStage(h.Context(), h.Caller, arn); err != nil {
		t.Fatal(err)
	}
	for _, seat := range seats {
		livetest.Wait(t, "a socket's end", seat.Done())
		if reason, _ := seat.Reason(); reason != stage.ReasonStageDeleted {
			t.Errorf("the reason is %q", reason)
		}
	}
	livetest.Wait(t, "the publication's end", peer.Down())
	_, err := h.Floor.Attend(h.Context(), host, stage.Client{})
	wantKind(t, err, stage.NotFound, stage.CodeStageDeleted)
	if got := h.Floor.Stats(); got != (live.Stats{Participants: 1, Sockets: 1}) {
		t.Errorf("left on the floor: %+v", got)
	}
	select {
	case <-staying.Done():
		t.Error("somebody on another stage had to go")
	default:
	}
}

func TestEverybodyLeavesWhenTheFloorCloses(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	arn := h.Stage()
	a, b := h.Admit(arn), h.Admit(arn)
	seat := h.attend(a)
	_, peer := h.publish(b)
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	h.want(a, "JOINED", "LEFT")
	h.want(b, "JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "LEFT")
	livetest.Wait(t, "the socket's end", seat.Done())
	if reason, _ := seat.Reason(); reason != stage.ReasonUnknown {
		t.Errorf("the reason is %q", reason)
	}
	livetest.Wait(t, "the publication's end", peer.Down())
	_, err := h.Floor.Attend(h.Context(), a, stage.Client{})
	wantKind(t, err, stage.Quota, "")
	_, _, err = h.Floor.Publish(h.Context(), a, stage.Client{}, "")
	wantKind(t, err, stage.Quota, "")
}

func TestRequestsAndTheClosingOfTheFloorDoNotMissEachOther(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	arn := h.Stage()
	var admitted []stage.Admission
	for range 30 {
		admitted = append(admitted, h.Admit(arn))
	}
	var crowd sync.WaitGroup
	for _, a := range admitted {
		crowd.Go(func() {
			seat, err := h.Floor.Attend(context.Background(), a, stage.Client{})
			if err != nil {
				wantKind(t, err, stage.Quota, "")
				return
			}
			livetest.Wait(t, "the end of a socket", seat.Done())
		})
	}
	if err := h.Stop(); err != nil {
		t.Error(err)
	}
	crowd.Wait()
	if got := h.Connected(arn); len(got) != 0 {
		t.Errorf("still connected: %v", got)
	}
}

// flaky is a store whose updates fail for a while, having stored or not.
type flaky struct {
	stage.Store
	mu     sync.Mutex
	fails  int
	stores bool // although it says that it failed
}

func (f *flaky) Update(ctx context.Context, fn func(stage.Tx) error) error {
	f.mu.Lock()
	failing, stores := f.fails > 0, f.stores
	if failing {
		f.fails--
	}
	f.mu.Unlock()
	if failing && !stores {
		return errors.New("the disk is full")
	}
	err := f.Store.Update(ctx, fn)
	if failing && err == nil {
		err = errors.New("nobody knows whether it was stored")
	}
	return err
}

func (f *flaky) fail(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails = n
}

// openOn opens a house whose store is behind a disk, and where nothing is swept up meanwhile.
func openOn(t *testing.T, disk *flaky) *house {
	t.Helper()
	return open(t, livetest.Setting{Live: live.Options{Tick: time.Hour}, Store: func(s stage.Store) stage.Store {
		disk.Store = s
		return disk
	}})
}

func TestLeavingIsRecordedEvenIfTheStoreFailsForAWhile(t *testing.T) {
	t.Parallel()
	var disk flaky
	h := openOn(t, &disk)
	a := h.Admit(h.Stage())
	seat := h.attend(a)
	disk.fail(3)
	seat.Lost()
	h.await(a, "JOINED", "LEFT")
	h.attend(a)
	h.want(a, "JOINED", "LEFT", "JOINED")
}

func TestFactsWhoseAnswerWasLostAreRecordedOnce(t *testing.T) {
	t.Parallel()
	disk := flaky{stores: true}
	h := openOn(t, &disk)
	a := h.Admit(h.Stage())
	h.attend(a)
	disk.fail(3)
	m, _ := h.publish(a)
	h.await(a, "JOINED", "PUBLISH_STARTED")
	disk.fail(3)
	if err := m.Close(h.Context()); err != nil {
		t.Fatal(err)
	}
	h.await(a, "JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED")
}

func TestClosingDoesNotWaitForeverForAStoreThatFails(t *testing.T) {
	t.Parallel()
	var disk flaky
	h := open(t, livetest.Setting{Live: live.Options{Farewell: 100 * time.Millisecond}, Store: func(s stage.Store) stage.Store {
		disk.Store = s
		return &disk
	}})
	a := h.Admit(h.Stage())
	h.attend(a)
	disk.fail(1 << 30)
	if err := h.Stop(); err == nil {
		t.Error("Run says that everybody's leaving is recorded")
	}
	h.want(a, "JOINED")
}

func TestJoinedAndLeftAlternateWhateverHappensAtOnce(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{Live: live.Options{ResumeWindow: time.Millisecond}})
	a := h.Admit(h.Stage())
	var crowd sync.WaitGroup
	for i := range 6 {
		crowd.Go(func() {
			for range 20 {
				seat, err := h.Floor.Attend(h.Context(), a, stage.Client{})
				if err != nil {
					t.Error(err)
					return
				}
				switch i % 3 {
				case 0:
					seat.Lost()
				case 1:
					seat.Leave()
				default:
					if err := h.Floor.Disconnect(h.Context(), a.Stage, a.ParticipantID, stage.ReasonUnknown, ""); err != nil {
						t.Error(err)
					}
				}
				livetest.Wait(t, "a socket's end", seat.Done())
			}
		})
	}
	crowd.Go(func() {
		for range 5 {
			p := livetest.Publisher(t)
			m, answer, err := h.Floor.Publish(h.Context(), a, stage.Client{}, p.Offer())
			if err != nil {
				t.Error(err)
				return
			}
			p.Accept(answer)
			p.Play()
			if err := m.Close(h.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	crowd.Wait()
	h.Await("an empty floor", func() bool { return h.Floor.Stats() == live.Stats{} }, func() any { return h.Floor.Stats() })
	here := false
	for i, e := range h.Events(a.Stage, a.ParticipantID) {
		if e != "JOINED" && e != "LEFT" {
			continue
		}
		if (e == "JOINED") == here {
			t.Fatalf("event %d is %s again", i, e)
		}
		here = !here
	}
	if here {
		t.Error("LEFT is missing")
	}
}
