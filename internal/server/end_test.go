package server_test

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"callboard/internal/guest"
	"callboard/internal/server"
	"callboard/internal/server/servertest"
)

func TestAtTheEndEverybodyLeavesAndTheListSaysSo(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	data := filepath.Join(t.TempDir(), "data")
	onDisk := func(c *server.Config) { c.Data = data }
	first := servertest.Start(t, onDisk)
	arn, err := first.CreateStage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	alice, bob := enter(ctx, t, first, arn), enter(ctx, t, first, arn)
	if _, err := alice.Publish(ctx, guest.H264); err != nil {
		t.Fatal(err)
	}
	watch, err := bob.Attend(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Wait(ctx, func(s guest.State) bool { p, _ := s.Person(alice.ID()); return p.IsPublishing }); err != nil {
		t.Fatal(err)
	}
	session := liveSession(ctx, t, first, arn)
	first.Close()
	<-watch.Done()
	if code := websocket.CloseStatus(watch.Err()); code != websocket.StatusGoingAway {
		t.Errorf("bob's socket ended with %v, want code 1001", watch.Err())
	}

	second := servertest.Start(t, onDisk)
	want := map[string]bool{alice.ID(): true, bob.ID(): false}
	got := roll(ctx, t, second, arn, session)
	if len(got) != len(want) {
		t.Errorf("the list has %+v", got)
	}
	for _, p := range got {
		if published, ok := want[p.ParticipantID]; !ok || p.State != "DISCONNECTED" || p.Published != published {
			t.Errorf("the list has %+v", p)
		}
	}
}

func TestGuestsWhoVanishedDoNotHoldUpTheEnd(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	s := servertest.Start(t, nil)
	arn, err := s.CreateStage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	alice, bob := enter(ctx, t, s, arn), enter(ctx, t, s, arn)
	if _, err := alice.Publish(ctx, guest.VP8); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Attend(ctx); err != nil {
		t.Fatal(err)
	}
	alice.Vanish()
	bob.Vanish()
	s.Close() // fails the test if the end is not orderly, or takes longer than it may
}

func TestMediaAndPresenceWorkUnderThePathOfThePublicURL(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	port := freePort(t)
	base := "http://127.0.0.1:" + port + "/live/board"
	s := servertest.Start(t, func(c *server.Config) { c.Listen, c.PublicURL = "127.0.0.1:"+port, base })
	arn, err := s.CreateStage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	alice, bob := enter(ctx, t, s, arn), enter(ctx, t, s, arn)
	if _, err := bob.Attend(ctx); err != nil {
		t.Fatal(err)
	}
	p, err := alice.Publish(ctx, guest.H264)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(p.Resource(), base+"/whip/sessions/") {
		t.Errorf("the session is at %s", p.Resource())
	}
	if err := p.Close(ctx); err != nil {
		t.Errorf("deleting it: %v", err)
	}
}

func TestMetricsCountWhoIsHere(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	s := servertest.Start(t, nil)
	arn, err := s.CreateStage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	alice, bob := enter(ctx, t, s, arn), enter(ctx, t, s, arn)
	if _, err := alice.Publish(ctx, guest.H264); err != nil {
		t.Fatal(err)
	}
	watch, err := bob.Attend(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Wait(ctx, func(s guest.State) bool { p, _ := s.Person(alice.ID()); return p.IsPublishing }); err != nil {
		t.Fatal(err)
	}
	sub, err := bob.Subscribe(ctx, alice.ID(), guest.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.WaitFrames(ctx, 2); err != nil {
		t.Fatal(err)
	}
	status, page := get(t, s, s.URL()+"/metrics")
	for strings.Contains(page, "\ncallboard_media_packets_out_total 0\n") && ctx.Err() == nil { // counted a moment after they are sent
		status, page = get(t, s, s.URL()+"/metrics")
	}
	for _, line := range []string{
		"callboard_participants 2", "callboard_presence_sockets 1", "callboard_publications 1", "callboard_subscriptions 1",
		"callboard_media_peers 2", "go_goroutines ", "process_open_fds ",
		`callboard_api_request_seconds_count{operation="CreateStage"} 1`,
	} {
		if status != http.StatusOK || !strings.Contains(page, "\n"+line) {
			t.Errorf("%q is not on the page (%d)", line, status)
		}
	}
	for _, name := range []string{"callboard_media_packets_in_total", "callboard_media_packets_out_total", "callboard_store_commits_total", "callboard_store_updates_total"} {
		if strings.Contains(page, "\n"+name+" 0\n") || !strings.Contains(page, "\n"+name+" ") {
			t.Errorf("%s does not count", name)
		}
	}
}

// listed is a row of the roll call.
type listed struct {
	ParticipantID, State string
	Published            bool
}

func roll(ctx context.Context, t *testing.T, s *servertest.Server, arn, session string) []listed {
	t.Helper()
	var out struct{ Participants []listed }
	if err := s.Call(ctx, "ListParticipants", map[string]any{"stageArn": arn, "sessionId": session}, &out); err != nil {
		t.Fatal(err)
	}
	return out.Participants
}

func liveSession(ctx context.Context, t *testing.T, s *servertest.Server, arn string) string {
	t.Helper()
	var out struct {
		Stage struct{ ActiveSessionID string }
	}
	if err := s.Call(ctx, "GetStage", map[string]any{"arn": arn}, &out); err != nil {
		t.Fatal(err)
	}
	return out.Stage.ActiveSessionID
}

func enter(ctx context.Context, t *testing.T, s *servertest.Server, arn string) *guest.Guest {
	t.Helper()
	token, _, err := s.CreateToken(ctx, arn, "")
	if err != nil {
		t.Fatal(err)
	}
	g, err := guest.New(token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close(context.WithoutCancel(ctx)) }) // the server may be gone by then
	return g
}

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
