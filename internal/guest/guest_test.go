package guest_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"callboard/internal/guest"
	"callboard/internal/server/servertest"
)

func TestAGuestSeesAndHearsWhatAnotherPublishes(t *testing.T) {
	t.Parallel()
	for _, video := range []guest.Video{guest.H264, guest.VP8} {
		t.Run(string(video), func(t *testing.T) {
			t.Parallel()
			ctx := bounded(t)
			_, people := stage(ctx, t, "alice", "bob")
			alice, bob := people[0], people[1]
			if _, err := alice.Publish(ctx, video); err != nil {
				t.Fatal(err)
			}
			s := subscribe(ctx, t, bob, alice, guest.SubscribeOptions{})
			if err := s.WaitFrames(ctx, 10); err != nil {
				t.Error(err)
			}
			if got := s.Received(); got.Audio == 0 || got.Video < got.Frames || got.Bytes == 0 {
				t.Errorf("received %+v", got)
			}
			select {
			case <-s.FirstFrame():
			default:
				t.Error("frames have arrived, but no first one")
			}
		})
	}
}

func TestAudioAloneIsPublishedWithoutVideo(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	_, people := stage(ctx, t, "alice", "bob")
	if _, err := people[0].Publish(ctx, guest.NoVideo); err != nil {
		t.Fatal(err)
	}
	watch, err := people[1].Attend(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Wait(ctx, func(s guest.State) bool {
		alice, _ := s.Person(people[0].ID())
		return alice.IsPublishing && alice.VideoStopped && !alice.AudioMuted
	}); err != nil {
		t.Errorf("what others see of her: %v", err)
	}
	s := subscribe(ctx, t, people[1], people[0], guest.SubscribeOptions{})
	until(ctx, t, func() bool { return s.Received().Audio > 10 })
	if got := s.Received(); got.Video != 0 {
		t.Errorf("received %+v", got)
	}
}

func TestPresenceTellsWhoPublishesAndWhoHasLeft(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	_, people := stage(ctx, t, "alice", "bob")
	alice, bob := people[0], people[1]
	watch, err := bob.Attend(ctx)
	if err != nil {
		t.Fatal(err)
	}
	p, err := alice.Publish(ctx, guest.H264)
	if err != nil {
		t.Fatal(err)
	}
	see := func(what string, wanted func(guest.Person, bool) bool) {
		t.Helper()
		if _, err := watch.Wait(ctx, func(s guest.State) bool { return wanted(s.Person(alice.ID())) }); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	see("alice publishes", func(a guest.Person, here bool) bool { return here && a.IsPublishing && a.UserID == "alice" })
	presence, err := alice.Attend(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := presence.SetState(ctx, true, false); err != nil {
		t.Fatal(err)
	}
	see("alice is muted", func(a guest.Person, _ bool) bool { return a.AudioMuted && !a.VideoStopped })
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
	see("alice stopped publishing", func(a guest.Person, here bool) bool { return here && !a.IsPublishing })
	if err := alice.Close(ctx); err != nil {
		t.Fatal(err)
	}
	see("alice is gone", func(_ guest.Person, here bool) bool { return !here })
}

func TestARefusalSaysWhy(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	_, people := stage(ctx, t, "alice", "bob")
	_, err := people[0].Subscribe(ctx, "nobody", guest.SubscribeOptions{})
	if r, ok := errors.AsType[*guest.Refusal](err); !ok || r.Status != http.StatusNotFound {
		t.Errorf("subscribing to nobody: got %v, want a refusal with 404", err)
	}
	if _, err := people[1].Attend(ctx); err != nil {
		t.Fatal(err)
	}
	_, err = people[0].Subscribe(ctx, people[1].ID(), guest.SubscribeOptions{})
	if r, ok := errors.AsType[*guest.Refusal](err); !ok || r.Status != http.StatusConflict || r.RetryAfter == "" {
		t.Errorf("subscribing to somebody who does not publish: got %v, want a refusal with 409", err)
	}
}

func TestTheServerEndsAPresenceSocketWithItsOwnCode(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	s, people := stage(ctx, t, "alice")
	a, err := people[0].Attend(ctx)
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]any{"stageArn": people[0].Stage(), "participantId": people[0].ID()}
	if err := s.Call(ctx, "DisconnectParticipant", in, nil); err != nil {
		t.Fatal(err)
	}
	<-a.Done()
	if code := websocket.CloseStatus(a.Err()); code != 4003 {
		t.Errorf("the socket ended with %v (code %d), want 4003", a.Err(), code)
	}
	_, err = people[0].Attend(ctx)
	if r, ok := errors.AsType[*guest.Refusal](err); !ok || r.Status != http.StatusForbidden {
		t.Errorf("coming back: got %v, want a refusal with 403", err)
	}
}

func TestNothingGoesOutOrComesInAfterAGuestVanished(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	_, people := stage(ctx, t, "alice", "bob")
	alice, bob := people[0], people[1]
	if _, err := alice.Publish(ctx, guest.H264); err != nil {
		t.Fatal(err)
	}
	s := subscribe(ctx, t, bob, alice, guest.SubscribeOptions{})
	if _, err := bob.Attend(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.WaitFrames(ctx, 3); err != nil {
		t.Fatal(err)
	}
	bob.Vanish()
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	for s.WaitFrames(short, 5) == nil { // what was on its way
		cancel()
		short, cancel = context.WithTimeout(ctx, 300*time.Millisecond)
	}
	defer cancel()
	if err := ctx.Err(); err != nil {
		t.Error("frames still arrive")
	}
	if _, err := bob.Subscribe(short, alice.ID(), guest.SubscribeOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a new subscription: got %v, want a network that does not answer", err)
	}
	if err := bob.Close(ctx); err != nil {
		t.Errorf("closing after vanishing: %v", err)
	}
}

func TestAGuestThatHasLeftDoesNothingMore(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	_, people := stage(ctx, t, "alice")
	if err := errors.Join(people[0].Close(ctx), people[0].Close(ctx)); err != nil {
		t.Fatal(err)
	}
	if _, err := people[0].Attend(ctx); !errors.Is(err, guest.ErrClosed) {
		t.Errorf("attending: %v", err)
	}
	if _, err := people[0].Publish(ctx, guest.VP8); err == nil {
		t.Error("it still publishes")
	}
}

// stage gives a server and guests with tokens for the same stage.
func stage(ctx context.Context, t *testing.T, userIDs ...string) (*servertest.Server, []*guest.Guest) {
	t.Helper()
	s := servertest.Start(t, nil)
	arn, err := s.CreateStage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var people []*guest.Guest
	for _, userID := range userIDs {
		token, id, err := s.CreateToken(ctx, arn, userID)
		if err != nil {
			t.Fatal(err)
		}
		g, err := guest.New(token)
		if err != nil || g.ID() != id || g.UserID() != userID {
			t.Fatalf("the guest is %q (%q), the token's %q; %v", g.ID(), g.UserID(), id, err)
		}
		t.Cleanup(func() {
			if err := g.Close(context.WithoutCancel(ctx)); err != nil {
				t.Errorf("%s does not leave in order: %v", userID, err)
			}
		})
		people = append(people, g)
	}
	return s, people
}

// subscribe tries again while the publisher is not publishing yet.
func subscribe(ctx context.Context, t *testing.T, g, publisher *guest.Guest, o guest.SubscribeOptions) *guest.Subscription {
	t.Helper()
	for {
		s, err := g.Subscribe(ctx, publisher.ID(), o)
		if r, ok := errors.AsType[*guest.Refusal](err); ok && r.Status == http.StatusConflict {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func until(ctx context.Context, t *testing.T, so func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it did not come to be")
		}
	}
}

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestSimulcastIsReceivedInTheLayerThatIsAskedFor(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	_, people := stage(ctx, t, "alice", "bob")
	alice, bob := people[0], people[1]
	if _, err := alice.Publish(ctx, guest.H264, "hi", "mid", "low"); err != nil {
		t.Fatal(err)
	}
	size := make(map[string]int64)
	for _, layer := range []string{"low", "hi"} {
		s := subscribe(ctx, t, bob, alice, guest.SubscribeOptions{Query: "layer=" + layer})
		if err := s.WaitFrames(ctx, 60); err != nil { // more than one key frame apart
			t.Fatal(err)
		}
		size[layer] = s.Received().Bytes
		if err := s.Close(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if size["hi"] < 2*size["low"] {
		t.Errorf("60 frames have %v bytes", size)
	}
}
