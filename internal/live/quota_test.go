package live_test

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"callboard/internal/live"
	"callboard/internal/live/livetest"
	"callboard/internal/sfu"
	"callboard/internal/stage"
)

// bounded is a house whose quotas are these.
func bounded(t *testing.T, q stage.Quotas) *house {
	t.Helper()
	return open(t, livetest.Setting{Live: live.Options{Quotas: q}})
}

// counted waits until the quotas count exactly this.
func (h *house) counted(want map[string]int) {
	h.t.Helper()
	h.Await("what the quotas count", func() bool { return maps.Equal(h.Floor.Counted(), want) }, func() any { return h.Floor.Counted() })
}

// full demands that a may not publish now.
func (h *house) full(a stage.Admission) {
	h.t.Helper()
	_, _, err := h.Floor.Publish(h.Context(), a, stage.Client{}, livetest.Publisher(h.t).Offer())
	wantKind(h.t, err, stage.Quota, stage.CodeStageAtCapacity)
	if err != nil && !strings.Contains(err.Error(), "; the limit is ") {
		h.t.Errorf("the refusal does not tell the limit: %v", err)
	}
}

func TestAStageHasOnlySoManyPublishersAndTheNextOneGetsAnEvent(t *testing.T) {
	t.Parallel()
	h := bounded(t, stage.Quotas{PublishersPerStage: 2})
	arn := h.Stage()
	h.publish(h.Admit(arn))
	second, late := h.Admit(arn), h.Admit(arn)
	media, _ := h.publish(second)
	h.attend(late)
	h.full(late)
	h.want(late, "JOINED", "PUBLISH_ERROR QUOTA_EXCEEDED")
	h.publish(h.Admit(h.Stage())) // another stage has a bound of its own
	if err := media.Close(h.Context()); err != nil {
		t.Fatal(err)
	}
	h.publish(late)
}

func TestPublishersOfARegionAreCountedOnAllItsStages(t *testing.T) {
	t.Parallel()
	h := bounded(t, stage.Quotas{Publishers: 2})
	h.publish(h.Admit(h.Stage()))
	last := h.Admit(h.Stage())
	h.publish(last)
	h.full(h.Admit(h.Stage()))
	here := h.Caller.Region
	h.Caller.Region = "eu-west-1" // which has a bound of its own
	h.publish(h.Admit(h.Stage()))
	h.Caller.Region = here
	if err := h.Floor.Disconnect(h.Context(), last.Stage, last.ParticipantID, stage.ReasonParticipantDisconnected, ""); err != nil {
		t.Fatal(err)
	}
	h.publish(h.Admit(h.Stage()))
}

func TestSubscribersAreCountedOnceAndSubscriptionsEach(t *testing.T) {
	t.Parallel()
	h := bounded(t, stage.Quotas{SubscribersPerStage: 2, Subscriptions: 3})
	arn := h.Stage()
	one, two := h.Admit(arn), h.Admit(arn)
	h.publish(one)
	h.publish(two)
	watcher, second, third := h.Admit(arn), h.Admit(arn), h.Admit(arn)
	h.attend(third) // who only joins is no subscriber
	h.subscribe(watcher, one.ParticipantID)
	media, _ := h.subscribe(watcher, two.ParticipantID)
	h.subscribe(second, one.ParticipantID)
	offer := livetest.Subscriber(t).Offer()
	refused := func(a stage.Admission, publisher string) {
		t.Helper()
		_, _, err := h.Floor.Subscribe(h.Context(), a, stage.Client{}, publisher, offer, sfu.SubscribeOptions{})
		wantKind(t, err, stage.Quota, stage.CodeStageAtCapacity)
	}
	refused(third, one.ParticipantID)
	h.want(third, "JOINED", "SUBSCRIBE_ERROR "+one.ParticipantID+" QUOTA_EXCEEDED")
	refused(second, two.ParticipantID) // the fourth subscription, though not a third subscriber
	if err := media.Close(h.Context()); err != nil {
		t.Fatal(err)
	}
	refused(third, two.ParticipantID) // a third subscriber, though not a fourth subscription
	h.subscribe(second, two.ParticipantID)
}

func TestReplacingOnesOwnPublicationOrSubscriptionDoesNotCountTwice(t *testing.T) {
	t.Parallel()
	h := bounded(t, stage.Quotas{PublishersPerStage: 1, Publishers: 1, SubscribersPerStage: 1, Subscriptions: 1})
	arn := h.Stage()
	host, guest := h.Admit(arn), h.Admit(arn)
	want := map[string]int{
		"publishers-per-stage " + arn.ID: 1, "publishers-per-region": 1,
		"subscribers-per-stage " + arn.ID: 1, "subscriptions-per-region": 1,
	}
	h.publish(host)
	h.subscribe(guest, host.ParticipantID)
	h.counted(want)
	h.publish(host)
	h.subscribe(guest, host.ParticipantID)
	h.counted(want)
	h.full(guest)
}

func TestWhateverTheEndItIsCountedOnce(t *testing.T) {
	t.Parallel()
	ctx := func(h *house) context.Context { return h.Context() }
	for name, end := range map[string]func(*house, stage.Admission, *live.Media, *livetest.Peer) error{
		"by the participant": func(h *house, _ stage.Admission, m *live.Media, _ *livetest.Peer) error { return m.Close(ctx(h)) },
		"by the participant, twice at once": func(h *house, _ stage.Admission, m *live.Media, _ *livetest.Peer) error {
			var both sync.WaitGroup
			both.Go(func() { m.Close(ctx(h)) })
			both.Go(func() { m.Close(ctx(h)) })
			both.Wait()
			return nil
		},
		"by the peer": func(_ *house, _ stage.Admission, _ *live.Media, p *livetest.Peer) error { p.Close(); return nil },
		"by the server": func(h *house, a stage.Admission, _ *live.Media, _ *livetest.Peer) error {
			return h.Floor.Disconnect(ctx(h), a.Stage, a.ParticipantID, stage.ReasonParticipantDisconnected, "")
		},
		"with the stage": func(h *house, a stage.Admission, _ *live.Media, _ *livetest.Peer) error {
			return h.Service.DeleteStage(ctx(h), h.Caller, a.Stage)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := bounded(t, stage.Quotas{PublishersPerStage: 1})
			a := h.Admit(h.Stage())
			m, p := h.publish(a)
			if err := end(h, a, m, p); err != nil {
				t.Fatal(err)
			}
			h.counted(map[string]int{})
		})
	}
}

func TestAnOfferThatComesToNothingIsNotCounted(t *testing.T) {
	t.Parallel()
	h := bounded(t, stage.Quotas{PublishersPerStage: 1, SubscribersPerStage: 1})
	arn := h.Stage()
	a := h.Admit(arn)
	if _, _, err := h.Floor.Publish(h.Context(), a, stage.Client{}, "hello"); err == nil {
		t.Fatal("hello is no offer")
	}
	gone, cancel := context.WithCancel(h.Context())
	cancel()
	if _, _, err := h.Floor.Publish(gone, a, stage.Client{}, livetest.Publisher(t).Offer()); err == nil {
		t.Fatal("answered somebody who had gone")
	}
	h.counted(map[string]int{})
	h.publish(a)
	if _, _, err := h.Floor.Subscribe(h.Context(), h.Admit(arn), stage.Client{}, a.ParticipantID, "hello", sfu.SubscribeOptions{}); err == nil {
		t.Fatal("hello is no offer")
	}
	h.counted(map[string]int{"publishers-per-stage " + arn.ID: 1, "publishers-per-region": 1})
}

func TestEveryDemandIsToldWithHowManyThereWere(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var told []stage.Demand
	h := open(t, livetest.Setting{Live: live.Options{Quotas: stage.Quotas{PublishersPerStage: 1}, Demanded: func(d stage.Demand) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, d)
	}}})
	arn := h.Stage()
	h.publish(h.Admit(arn))
	h.full(h.Admit(arn))
	demand := func(quota string, where stage.ARN, had, limit int) stage.Demand {
		return stage.Demand{Quota: quota, Account: arn.Account, Region: arn.Region, Stage: where, Had: had, Limit: limit}
	}
	want := []stage.Demand{
		demand("publishers-per-stage", arn, 0, 1), demand("publishers-per-region", stage.ARN{}, 0, 0),
		demand("publishers-per-stage", arn, 1, 1), // and what was refused is not told as if it were the region's
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(told, want) {
		t.Errorf("told %+v, not %+v", told, want)
	}
}

// Many people at once do all that can be done, often to themselves, and the
// bounds hold at every moment; when all have gone nothing is counted.
func TestTheCountDoesNotDriftHoweverPeopleComeAndGo(t *testing.T) {
	t.Parallel()
	h := bounded(t, stage.Quotas{PublishersPerStage: 3, Publishers: 4, SubscribersPerStage: 3, Subscriptions: 5})
	limits := map[string]int{"publishers-per-stage": 3, "publishers-per-region": 4, "subscribers-per-stage": 3, "subscriptions-per-region": 5}
	stages := []stage.ARN{h.Stage(), h.Stage()}
	hosts := make([]stage.Admission, len(stages))
	for i, arn := range stages {
		hosts[i] = h.Admit(arn)
		h.publish(hosts[i])
	}
	publish, subscribe := livetest.Publisher(t).Offer(), livetest.Subscriber(t).Offer()
	var people sync.WaitGroup
	for n := range 8 {
		a, host := h.Admit(stages[n%2]), hosts[n%2]
		people.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(n)))
			var mine []*live.Media
			for range 60 {
				var m *live.Media
				ctx, cancel := context.WithCancel(h.Context())
				switch random.IntN(8) {
				case 0, 1:
					m, _, _ = h.Floor.Publish(ctx, a, stage.Client{}, publish)
				case 2, 3:
					m, _, _ = h.Floor.Subscribe(ctx, a, stage.Client{}, host.ParticipantID, subscribe, sfu.SubscribeOptions{})
				case 4:
					h.Floor.Publish(ctx, a, stage.Client{}, "nonsense")
				case 5:
					go cancel()
					m, _, _ = h.Floor.Publish(ctx, a, stage.Client{}, publish)
				case 6:
					h.Floor.Disconnect(ctx, a.Stage, a.ParticipantID, stage.ReasonUnknown, "")
				case 7:
					if len(mine) > 0 {
						mine[random.IntN(len(mine))].Close(ctx)
					}
				}
				cancel()
				if m != nil {
					mine = append(mine, m)
				}
				for name, n := range h.Floor.Counted() {
					quota, _, _ := strings.Cut(name, " ")
					if n < 1 || n > limits[quota] {
						t.Errorf("%s counts %d", name, n)
					}
				}
			}
			h.Floor.Disconnect(h.Context(), a.Stage, a.ParticipantID, stage.ReasonUnknown, "")
		})
	}
	people.Wait()
	h.counted(map[string]int{
		"publishers-per-stage " + stages[0].ID: 1, "publishers-per-stage " + stages[1].ID: 1, "publishers-per-region": 2,
	})
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	h.counted(map[string]int{})
}
