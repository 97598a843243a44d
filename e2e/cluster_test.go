//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
	"github.com/coder/websocket"

	"callboard/internal/guest"
	"callboard/internal/store/storetest"
)

// several starts programs on one database and waits until all know each other.
func several(t *testing.T, n int) []*binary {
	t.Helper()
	database, files := storetest.OwnPostgres(t).Database(t), t.TempDir()
	first := newBinary(t)
	list := []*binary{first}
	for range n - 1 {
		p := &binary{path: first.path}
		p.settle(t)
		list = append(list, p)
	}
	for _, p := range list {
		p.dir, p.more = database, []string{"--files", files}
		p.start(t)
	}
	for _, p := range list {
		p.awaitMetric(t, "callboard_process_links", n-1)
	}
	return list
}

// awaitMetric waits until /metrics shows a number.
func (p *binary) awaitMetric(t *testing.T, name string, want int) {
	t.Helper()
	eventually(t, patience, func() string {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/metrics", nil)
		must(t, err)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		page, err := io.ReadAll(resp.Body)
		must(t, err)
		if line := fmt.Sprintf("\n%s %d\n", name, want); !strings.Contains(string(page), line) {
			return "no " + strings.TrimSpace(line) + " at " + p.url
		}
		return ""
	})
}

// history is a participant's JOINED and LEFT, oldest first, as this server tells it.
func (p *binary) history(t *testing.T, arn, session, id string) (names []string) {
	t.Helper()
	out, err := p.ListParticipantEvents(t.Context(), &sdk.ListParticipantEventsInput{StageArn: &arn, SessionId: &session, ParticipantId: &id})
	must(t, err)
	for _, e := range slices.Backward(out.Events) {
		if e.Name == types.EventNameJoined || e.Name == types.EventNameLeft {
			names = append(names, string(e.Name))
		}
	}
	return names
}

// connected lists who is CONNECTED, sorted, as this server tells it.
func (p *binary) connected(t *testing.T, arn, session string) (ids []string) {
	t.Helper()
	out, err := p.ListParticipants(t.Context(), &sdk.ListParticipantsInput{
		StageArn: &arn, SessionId: &session, FilterByState: types.ParticipantStateConnected, MaxResults: aws.Int32(100),
	})
	must(t, err)
	for _, one := range out.Participants {
		ids = append(ids, *one.ParticipantId)
	}
	slices.Sort(ids)
	return ids
}

// The people of a server that ends in order go on at another one, in their session.
func TestPeopleOfAServerThatEndsComeToAnother(t *testing.T) {
	t.Parallel()
	all := several(t, 2)
	a, b := all[0], all[1]
	ctx := deadline(t, 4*patience)
	arn, key := a.stage(t), importedKey(t, a.board)
	here, there := bearer(t, key.token(t, a.board, arn, "here")), b.guest(t, arn, "there")
	seat, other := attendance(t, here), attendance(t, there)
	_, err := here.Publish(ctx, guest.H264)
	must(t, err)
	_, err = other.Wait(ctx, func(s guest.State) bool { p, _ := s.Person(here.ID()); return p.IsPublishing })
	must(t, err)
	session := b.session(t, arn)
	a.stop(t)
	<-seat.Done()
	if code := websocket.CloseStatus(seat.Err()); code != websocket.StatusGoingAway {
		t.Errorf("the socket ended with %v, want code 1001", seat.Err())
	}
	_, err = other.Wait(ctx, func(s guest.State) bool { _, there := s.Person(here.ID()); return !there })
	must(t, err)
	equal(t, "the history, at once", b.history(t, arn, session, here.ID()), []string{"JOINED", "LEFT"})
	moved := bearer(t, key.token(t, b.board, arn, "here"))
	attendance(t, moved)
	_, err = moved.Publish(ctx, guest.H264)
	must(t, err)
	_, err = other.Wait(ctx, func(s guest.State) bool { p, _ := s.Person(here.ID()); return p.IsPublishing })
	must(t, err)
	equal(t, "the history", b.history(t, arn, session, here.ID()), []string{"JOINED", "LEFT", "JOINED"})
	equal(t, "the session", b.session(t, arn), session)
}

func TestThreeServersOnOneDatabaseAreOne(t *testing.T) {
	t.Parallel()
	all := several(t, 3)
	a, b, c := all[0], all[1], all[2]
	ctx := deadline(t, 4*patience)
	arn := a.stage(t)
	host, viewer, other := a.guest(t, arn, "host"), b.guest(t, arn, "viewer"), c.guest(t, arn, "other")
	seats := map[*guest.Guest]*guest.Attendance{}
	for _, g := range []*guest.Guest{host, viewer, other} {
		seats[g] = attendance(t, g)
	}
	publication, err := host.Publish(ctx, guest.H264)
	must(t, err)
	for _, g := range []*guest.Guest{viewer, other} {
		_, err := seats[g].Wait(ctx, func(s guest.State) bool {
			p, here := s.Person(host.ID())
			return here && p.IsPublishing && len(s.Participants) == 3
		})
		must(t, err)
		s, err := g.Subscribe(ctx, host.ID(), guest.SubscribeOptions{})
		must(t, err)
		must(t, s.WaitFrames(ctx, 25))
	}
	a.awaitMetric(t, "callboard_visits", 2)
	session := c.session(t, arn)
	want := []string{host.ID(), viewer.ID(), other.ID()}
	slices.Sort(want)
	for _, p := range all {
		equal(t, "who is connected", p.connected(t, arn, session), want)
	}

	// What belongs to a media session may be said to any server.
	place, err := url.Parse(publication.Resource())
	must(t, err)
	r, err := http.NewRequestWithContext(ctx, http.MethodDelete, b.url+place.Path, nil)
	must(t, err)
	if got := reply(t, r); got.status != http.StatusUnauthorized {
		t.Errorf("a DELETE without a token, through another server: %d", got.status)
	}
	b.awaitMetric(t, "callboard_process_requests_passed_total", 1)

	_, err = c.DisconnectParticipant(ctx, &sdk.DisconnectParticipantInput{StageArn: &arn, ParticipantId: aws.String(viewer.ID())})
	must(t, err)
	equal(t, "the viewer's history", b.history(t, arn, session, viewer.ID()), []string{"JOINED", "LEFT"})

	began := time.Now()
	a.kill()
	eventually(t, 30*time.Second, func() string {
		if got := b.connected(t, arn, session); !slices.Equal(got, []string{other.ID()}) {
			return fmt.Sprint("connected are ", got)
		}
		return ""
	})
	t.Logf("the people of a server that was killed had left after %v", time.Since(began))
	for _, p := range []*binary{b, c} {
		equal(t, "the host's history", p.history(t, arn, session, host.ID()), []string{"JOINED", "LEFT"})
		p.awaitMetric(t, "callboard_processes", 2)
	}
	_, err = seats[other].Wait(ctx, func(s guest.State) bool { return len(s.Participants) == 1 })
	must(t, err)

	a.start(t)
	back := attendance(t, a.guest(t, arn, "back"))
	_, err = seats[other].Wait(ctx, func(s guest.State) bool { return len(s.Participants) == 2 })
	must(t, err)
	must(t, back.Close(ctx))
}
