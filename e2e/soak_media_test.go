//go:build e2e

package e2e

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"

	"callboard/internal/guest"
)

// TestSoakMediaStayFlat runs the program for as long as CALLBOARD_SOAK says, as TestSoakMemoryStaysFlat does, with people whose
// networks are bad: they come and go, some vanish, they lose packets, change layers, mute, move to other addresses in mid-call, restart
// ICE, and some have only TCP, or TURN. All must receive pictures all the time. Besides memory and goroutines, file descriptors
// must stay where they were.
func TestSoakMediaStayFlat(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("CALLBOARD_SOAK"))
	if err != nil {
		t.Skip("CALLBOARD_SOAK is not set to a duration such as 30m")
	}
	p := newBinary(t)
	p.more = []string{"--media-tcp", freeAddress(t), "--turn", freeAddress(t)}
	p.start(t)
	ctx, stop := context.WithTimeout(t.Context(), length)
	defer stop()
	s := &mediaSoak{soak: &soak{binary: p}}
	before := s.sample(t)
	var wg sync.WaitGroup
	for i := range 3 {
		n := i
		wg.Go(func() { s.repeat(ctx, t, time.Second, func() { s.scene(t, n); n++ }) })
	}
	samples := s.watch(ctx, t, max(length/180, time.Second))
	wg.Wait()
	t.Logf("%d calls, %d people, %d publications, %d subscriptions, %d restarts, %d moves, %d changes of layer, %d vanished in %v",
		s.calls.Load(), s.joined.Load(), s.published.Load(), s.watched.Load(), s.restarts.Load(), s.moves.Load(), s.flips.Load(), s.vanished.Load(), length)
	flat(t, samples)
	eventually(t, 2*time.Minute, func() string {
		http.DefaultClient.CloseIdleConnections()
		switch now := s.sample(t); {
		case now.goroutines > before.goroutines+8:
			return "there are more goroutines than before"
		case now.files > before.files+8:
			return "there are more open files than before"
		}
		return ""
	})
	after := s.sample(t)
	t.Logf("at rest: goroutines %.0f before, %.0f after; open files %.0f before, %.0f after", before.goroutines, after.goroutines, before.files, after.files)
}

type mediaSoak struct {
	*soak
	watched, restarts, moves, flips, vanished atomic.Int64
}

// scene is one publisher and three viewers, and what befalls them. n picks who is how.
func (s *mediaSoak) scene(t *testing.T, n int) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	made, err := s.CreateStage(ctx, &sdk.CreateStageInput{ParticipantTokenConfigurations: make([]types.ParticipantTokenConfiguration, 4)})
	if s.ok(t, "CreateStage", err, ""); err != nil {
		return
	}
	defer func() {
		_, err := s.DeleteStage(ctx, &sdk.DeleteStageInput{Arn: made.Stage.Arn})
		s.ok(t, "DeleteStage", err, "")
	}()
	var people []*guest.Guest
	for i, token := range made.ParticipantTokens {
		g, err := guest.New(*token.Token)
		if err != nil {
			t.Error(err)
			return
		}
		defer g.Close(ctx)
		switch (n + i) % 8 {
		case 3, 7:
			g.OverTCP()
		case 5:
			g.OverTURN()
		}
		people = append(people, g)
		s.joined.Add(1)
	}
	if err := s.act(ctx, people, n); err != nil {
		t.Errorf("scene %d: %v", n, err)
	}
}

func (s *mediaSoak) act(ctx context.Context, people []*guest.Guest, n int) error {
	video, rids := guest.H264, []string{"hi", "mid", "low"}
	if n%3 == 1 {
		video, rids = guest.VP8, nil
	}
	camera, err := people[0].Publish(ctx, video, rids...)
	if err != nil {
		return err
	}
	s.published.Add(1)
	present, err := people[0].Attend(ctx)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	outcome := make([]error, 3)
	for i, viewer := range people[1:] {
		wg.Go(func() { outcome[i] = s.view(ctx, viewer, people[0].ID(), n+i) })
	}
	people[0].Lose(0.02)
	outcome = append(outcome, s.befall(ctx, camera, present, people[0]))
	wg.Wait()
	return errors.Join(outcome...)
}

// befall is what happens to a publisher.
func (s *mediaSoak) befall(ctx context.Context, camera *guest.Publication, present *guest.Attendance, g *guest.Guest) error {
	for i := range 3 {
		if err := present.SetState(ctx, true, i%2 == 0); err != nil {
			return err
		}
		camera.Pause()
		if err := pass(ctx, 300*time.Millisecond); err != nil {
			return err
		}
		camera.Resume()
		if err := present.SetState(ctx, false, false); err != nil {
			return err
		}
		if err := s.disturb(ctx, camera, g); err != nil {
			return err
		}
	}
	return nil
}

// disturb moves a guest to another address and restarts ICE.
func (s *mediaSoak) disturb(ctx context.Context, call interface{ Restart(context.Context) error }, g *guest.Guest) error {
	if err := g.Move(); err != nil {
		return err
	}
	s.moves.Add(1)
	if err := pass(ctx, 2*time.Second); err != nil {
		return err
	}
	s.restarts.Add(1)
	return call.Restart(ctx)
}

// view watches in one layer after another, and through disturbances.
func (s *mediaSoak) view(ctx context.Context, g *guest.Guest, publisher string, n int) error {
	g.Lose(0.05)
	for _, layer := range []string{"low", "hi", "auto"} {
		sub, err := s.follow(ctx, g, publisher, "layer="+layer)
		if err != nil {
			return err
		}
		if err := s.flip(ctx, sub); err != nil {
			return err
		}
		if err := s.disturb(ctx, sub, g); err != nil {
			return err
		}
		if err := sub.WaitFrames(ctx, 25); err != nil {
			return err
		}
		if n%5 == 0 && layer == "auto" {
			s.vanished.Add(1)
			g.Vanish()
			return nil
		}
		if err := sub.Close(ctx); err != nil {
			return err
		}
	}
	return nil
}

// flip goes through the layers, if there are any.
func (s *mediaSoak) flip(ctx context.Context, sub *guest.Subscription) error {
	for _, layer := range []string{"mid", "hi", "low", "auto"} {
		err := sub.Choose(ctx, layer)
		if r, ok := errors.AsType[*guest.Refusal](err); ok && r.Status == http.StatusConflict {
			continue
		}
		if err != nil {
			return err
		}
		s.flips.Add(1)
		if err := sub.WaitFrames(ctx, 5); err != nil {
			return err
		}
	}
	return nil
}

// follow subscribes, again if that was too early.
func (s *mediaSoak) follow(ctx context.Context, g *guest.Guest, publisher, query string) (*guest.Subscription, error) {
	for {
		sub, err := g.Subscribe(ctx, publisher, guest.SubscribeOptions{Query: query})
		if r, ok := errors.AsType[*guest.Refusal](err); ok && r.Status == http.StatusConflict {
			err = pass(ctx, 50*time.Millisecond)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		s.watched.Add(1)
		return sub, sub.WaitFrames(ctx, 10)
	}
}

// pass lets time pass, during which things are as they are.
func pass(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
