package live_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"callboard/internal/live"
	"callboard/internal/live/livetest"
	"callboard/internal/sfu"
	"callboard/internal/stage"
)

func TestPublicationAloneMakesAParticipant(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	a := h.Admit(h.Stage())
	p := livetest.Publisher(t)
	m, answer, err := h.Floor.Publish(h.Context(), a, stage.Client{BrowserName: "Box"}, p.Offer())
	if err != nil {
		t.Fatal(err)
	}
	h.want(a, "JOINED") // before the connection is up
	p.Connect(answer)
	if got := h.Client(a.Stage, a.ParticipantID).BrowserName; got != "Box" {
		t.Errorf("the browser is %q", got)
	}
	p.Play()
	h.await(a, "JOINED", "PUBLISH_STARTED")
	if got := h.Floor.Stats(); got != (live.Stats{Participants: 1, Publications: 1}) {
		t.Errorf("on the floor: %+v", got)
	}
	if err := m.Close(h.Context()); err != nil {
		t.Fatal(err)
	}
	h.want(a, "JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "LEFT")
	livetest.Wait(t, "the peer's end", p.Down())
	if _, ok := h.Floor.Media(m.ID()); ok {
		t.Error("the media session can still be found")
	}
	if err := m.Close(h.Context()); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if got := h.Floor.Stats(); got != (live.Stats{}) {
		t.Errorf("left on the floor: %+v", got)
	}
}

func TestWhoHasAnAnswerIsOnTheRollAndLeavesIfItIsClosed(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	arn := h.Stage()
	host, a, viewer := h.Admit(arn), h.Admit(arn), h.Admit(arn)
	h.publish(host)
	m, _, err := h.Floor.Publish(h.Context(), a, stage.Client{}, livetest.Publisher(t).Offer())
	if err != nil {
		t.Fatal(err)
	}
	h.want(a, "JOINED")
	watch, _ := h.ask(viewer, host.ParticipantID, livetest.Subscriber(t))
	h.want(viewer, "JOINED")
	if got := h.Connected(arn); len(got) != 3 {
		t.Errorf("connected are %v", got)
	}
	for _, m := range []*live.Media{m, watch} {
		if err := m.Close(h.Context()); err != nil {
			t.Fatal(err)
		}
	}
	h.want(a, "JOINED", "LEFT")
	h.want(viewer, "JOINED", "LEFT")
}

func TestPeerThatNeverConnectsLeavesWithoutAnError(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{Patience: 50 * time.Millisecond})
	arn := h.Stage()
	alone, seated := h.Admit(arn), h.Admit(arn)
	seat := h.attend(seated)
	for _, a := range []stage.Admission{alone, seated} {
		m, _, err := h.Floor.Publish(h.Context(), a, stage.Client{}, livetest.Publisher(t).Offer())
		if err != nil {
			t.Fatal(err)
		}
		h.Await("the end of the media session", func() bool { _, there := h.Floor.Media(m.ID()); return !there }, nil)
	}
	h.await(alone, "JOINED", "LEFT")
	h.want(seated, "JOINED") // by its socket
	seat.Leave()
	h.await(seated, "JOINED", "LEFT")
	h.Await("an empty floor", func() bool { return h.Floor.Stats() == live.Stats{} }, func() any { return h.Floor.Stats() })
}

func TestAnOfferThatIsRefusedJoinsNobody(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	a := h.Admit(h.Stage())
	if _, _, err := h.Floor.Publish(h.Context(), a, stage.Client{}, "v=0"); err == nil {
		t.Fatal("such an offer was answered")
	}
	h.want(a)
}

func TestGoodbyeOfThePeerEndsThePublication(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	a := h.Admit(h.Stage())
	_, p := h.publish(a)
	p.Close()
	h.await(a, "JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "LEFT")
}

func TestMediaOutlivesALostSocket(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	a := h.Admit(h.Stage())
	seat := h.attend(a)
	m, _ := h.publish(a)
	seat.Lost()
	livetest.Wait(t, "the socket's end", seat.Done())
	h.want(a, "JOINED", "PUBLISH_STARTED")
	if err := m.Close(h.Context()); err != nil {
		t.Fatal(err)
	}
	h.want(a, "JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "LEFT")
}

func TestSecondPublicationTakesTheFirstOnesPlaceWhenItIsConnected(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	a := h.Admit(h.Stage())
	_, first := h.publish(a)
	second := livetest.Publisher(t)
	_, answer, err := h.Floor.Publish(h.Context(), a, stage.Client{}, second.Offer())
	if err != nil {
		t.Fatal(err)
	}
	h.want(a, "JOINED", "PUBLISH_STARTED")
	second.Connect(answer)
	h.await(a, "JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED")
	livetest.Wait(t, "the first one's end", first.Down())
	second.Play()
	h.await(a, "JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "PUBLISH_STARTED")
}

func TestNewerOfferReplacesOneThatNeverConnected(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	a := h.Admit(h.Stage())
	first, _, err := h.Floor.Publish(h.Context(), a, stage.Client{}, livetest.Publisher(t).Offer())
	if err != nil {
		t.Fatal(err)
	}
	h.publish(a)
	if _, ok := h.Floor.Media(first.ID()); ok {
		t.Error("the first one is still there")
	}
	h.want(a, "JOINED", "PUBLISH_STARTED")
}

func TestSubscriptionIsAFactOfTheSubscriber(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	arn := h.Stage()
	host, viewer := h.Admit(arn), h.Admit(arn, stage.Subscribe)
	h.publish(host)
	m, p := h.subscribe(viewer, host.ParticipantID)
	h.Await("packets", func() bool { return p.Packets() > 10 }, nil)
	if got := h.Floor.Stats(); got != (live.Stats{Participants: 2, Publications: 1, Subscriptions: 1}) {
		t.Errorf("on the floor: %+v", got)
	}
	if err := m.Close(h.Context()); err != nil {
		t.Fatal(err)
	}
	h.want(viewer, "JOINED", "SUBSCRIBE_STARTED "+host.ParticipantID, "SUBSCRIBE_STOPPED "+host.ParticipantID, "LEFT")
	h.want(host, "JOINED", "PUBLISH_STARTED")
}

func TestSecondSubscriptionToAPublisherTakesTheFirstOnesPlace(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	arn := h.Stage()
	host, viewer := h.Admit(arn), h.Admit(arn)
	h.publish(host)
	_, first := h.subscribe(viewer, host.ParticipantID)
	_, second := h.subscribe(viewer, host.ParticipantID)
	livetest.Wait(t, "the first one's end", first.Down())
	started, stopped := "SUBSCRIBE_STARTED "+host.ParticipantID, "SUBSCRIBE_STOPPED "+host.ParticipantID
	h.want(viewer, "JOINED", started, stopped, started)
	h.Await("packets", func() bool { return second.Packets() > 10 }, nil)
}

func TestSubscriptionGoesOnWhenItsPublisherPublishesAgain(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{Live: live.Options{Hold: time.Hour}})
	arn := h.Stage()
	host, viewer := h.Admit(arn), h.Admit(arn)
	h.attend(host)
	m, _ := h.publish(host)
	_, p := h.subscribe(viewer, host.ParticipantID)
	if err := m.Close(h.Context()); err != nil {
		t.Fatal(err)
	}
	h.publish(host)
	h.await(host, "JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "PUBLISH_STARTED")
	before := p.Packets()
	h.Await("packets of the second publication", func() bool { return p.Packets() > before+50 }, nil)
	h.want(viewer, "JOINED", "SUBSCRIBE_STARTED "+host.ParticipantID)
}

func TestSubscriptionGoesOnWhenThePublicationIsReplaced(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{Live: live.Options{Hold: time.Hour}})
	arn := h.Stage()
	host, viewer := h.Admit(arn), h.Admit(arn)
	h.publish(host)
	_, p := h.subscribe(viewer, host.ParticipantID)
	h.publish(host)
	before := p.Packets()
	h.Await("packets of the second publication", func() bool { return p.Packets() > before+50 }, nil)
	h.want(viewer, "JOINED", "SUBSCRIBE_STARTED "+host.ParticipantID)
}

func TestSubscriptionEndsWhenItsPublisherDoesNotPublishAgain(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{Live: live.Options{Hold: 10 * time.Millisecond}})
	arn := h.Stage()
	host, viewer := h.Admit(arn), h.Admit(arn)
	h.attend(host)
	m, _ := h.publish(host)
	_, p := h.subscribe(viewer, host.ParticipantID)
	if err := m.Close(h.Context()); err != nil {
		t.Fatal(err)
	}
	livetest.Wait(t, "the subscription's end", p.Down())
	h.await(viewer, "JOINED", "SUBSCRIBE_STARTED "+host.ParticipantID, "SUBSCRIBE_STOPPED "+host.ParticipantID, "LEFT")
}

func TestSubscriptionEndsAtOnceWhenItsPublisherLeaves(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{Live: live.Options{Hold: time.Hour}})
	arn := h.Stage()
	host, viewer := h.Admit(arn), h.Admit(arn)
	m, _ := h.publish(host)
	_, p := h.subscribe(viewer, host.ParticipantID)
	if err := m.Close(h.Context()); err != nil {
		t.Fatal(err)
	}
	livetest.Wait(t, "the subscription's end", p.Down())
	h.await(viewer, "JOINED", "SUBSCRIBE_STARTED "+host.ParticipantID, "SUBSCRIBE_STOPPED "+host.ParticipantID, "LEFT")
}

func TestSubscribingIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{Live: live.Options{MaxSubscriptions: 1}})
	arn := h.Stage()
	host, second, silent := h.Admit(arn), h.Admit(arn), h.Admit(arn)
	h.publish(host)
	h.publish(second)
	h.attend(silent)
	offer := livetest.Subscriber(t).Offer()
	subscribe := func(a stage.Admission, publisher, offer string) error {
		_, _, err := h.Floor.Subscribe(h.Context(), a, stage.Client{}, publisher, offer, sfu.SubscribeOptions{})
		return err
	}
	t.Run("to somebody who is not here", func(t *testing.T) {
		a := h.Admit(arn)
		wantKind(t, subscribe(a, "nobody", offer), stage.NotFound, "")
		h.want(a, "SUBSCRIBE_ERROR nobody PUBLISHER_NOT_FOUND")
	})
	t.Run("to what cannot be an id, without an event", func(t *testing.T) {
		a := h.Admit(arn)
		wantKind(t, subscribe(a, strings.Repeat("x", 65), offer), stage.NotFound, "")
		wantKind(t, subscribe(a, "a b", offer), stage.NotFound, "")
		h.want(a)
	})
	t.Run("on a stage where nobody is", func(t *testing.T) {
		wantKind(t, subscribe(h.Admit(h.Stage()), host.ParticipantID, offer), stage.NotFound, "")
	})
	t.Run("to somebody who does not publish, without an event", func(t *testing.T) {
		a := h.Admit(arn)
		wantKind(t, subscribe(a, silent.ParticipantID, offer), stage.Conflict, "")
		h.want(a)
	})
	t.Run("to oneself", func(t *testing.T) {
		wantKind(t, subscribe(host, host.ParticipantID, offer), stage.Invalid, "")
	})
	t.Run("without the capability", func(t *testing.T) {
		a := h.Admit(arn, stage.Publish)
		h.attend(a)
		wantKind(t, subscribe(a, host.ParticipantID, offer), stage.Denied, stage.CodeTokenNotAllowed)
		h.want(a, "JOINED", "SUBSCRIBE_ERROR "+host.ParticipantID+" INSUFFICIENT_CAPABILITIES")
	})
	t.Run("with codecs that do not fit", func(t *testing.T) {
		a := h.Admit(arn)
		wantKind(t, subscribe(a, host.ParticipantID, strings.ReplaceAll(offer, " opus/", " speex/")), stage.Invalid, "")
		h.want(a, "SUBSCRIBE_ERROR "+host.ParticipantID+" INVALID_AUDIO_CODEC")
	})
	t.Run("to too many", func(t *testing.T) {
		a := h.Admit(arn)
		h.subscribe(a, host.ParticipantID)
		wantKind(t, subscribe(a, second.ParticipantID, offer), stage.Quota, stage.CodeStageAtCapacity)
		h.want(a, "JOINED", "SUBSCRIBE_STARTED "+host.ParticipantID, "SUBSCRIBE_ERROR "+second.ParticipantID+" QUOTA_EXCEEDED")
	})
}

func TestPublishingIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	arn := h.Stage()
	h.attend(h.Admit(arn)) // events belong to a session
	offer := livetest.Publisher(t).Offer()
	publish := func(a stage.Admission, offer string) error {
		_, _, err := h.Floor.Publish(h.Context(), a, stage.Client{}, offer)
		return err
	}
	t.Run("without the capability", func(t *testing.T) {
		a := h.Admit(arn, stage.Subscribe)
		wantKind(t, publish(a, offer), stage.Denied, stage.CodeTokenNotAllowed)
		h.want(a, "PUBLISH_ERROR INSUFFICIENT_CAPABILITIES")
	})
	t.Run("with something that is no offer, without an event", func(t *testing.T) {
		a := h.Admit(arn)
		wantKind(t, publish(a, "hello"), stage.Invalid, "")
		h.want(a)
	})
	t.Run("without a codec that can be forwarded", func(t *testing.T) {
		a := h.Admit(arn)
		foreign := strings.NewReplacer(" H264/", " H261/", " VP8/", " VP7/", " VP9/", " VP10/", " AV1/", " AV2/", " H265/", " H263/").Replace(offer)
		wantKind(t, publish(a, foreign), stage.Invalid, "")
		h.want(a, "PUBLISH_ERROR INVALID_VIDEO_CODEC")
	})
	if n := h.Engine.Stats().Peers; n != 0 {
		t.Errorf("%d peers are left", n)
	}
}

func TestAnswerThatNobodyWaitsForAnyMoreLeavesNothing(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	a := h.Admit(h.Stage())
	offer := livetest.Publisher(t).Offer()
	ctx, cancel := context.WithCancel(h.Context())
	cancel()
	if _, _, err := h.Floor.Publish(ctx, a, stage.Client{}, offer); err == nil {
		t.Fatal("answered somebody who had gone")
	}
	h.Await("no peers", func() bool { return h.Engine.Stats().Peers == 0 }, nil)
	h.want(a)
}
