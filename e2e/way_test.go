//go:build e2e

package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"

	"callboard/internal/guest"
	"callboard/internal/server"
)

// Whatever lets packets through, people see each other, and a change of it in mid-call is no event.
func TestMediaFindTheirWay(t *testing.T) {
	t.Parallel()
	for name, walled := range map[string]func(*guest.Guest){
		"over UDP":  func(*guest.Guest) {},
		"over TCP":  (*guest.Guest).OverTCP,
		"over TURN": (*guest.Guest).OverTURN,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBoard(t, func(c *server.Config) { c.TURN = "127.0.0.1:0" })
			arn := b.stage(t)
			ann, bob, eve := b.guest(t, arn, "ann"), b.guest(t, arn, "bob"), b.guest(t, arn, "eve")
			walled(ann)
			walled(bob)
			camera, err := ann.Publish(deadline(t, patience), guest.H264)
			must(t, err)
			watching := []*guest.Subscription{b.subscribe(t, bob, ann), b.subscribe(t, eve, ann)}
			before := b.history(t, arn, ann, bob, eve)
			seen := func() {
				t.Helper()
				for _, s := range watching {
					must(t, s.WaitFrames(deadline(t, patience), 25))
				}
			}
			seen()
			for _, g := range []*guest.Guest{ann, bob, eve} { // moves what is UDP
				must(t, g.Move())
			}
			seen()
			must(t, camera.Restart(deadline(t, patience)))
			must(t, watching[0].Restart(deadline(t, patience)))
			must(t, eve.Move())
			must(t, watching[1].Restart(deadline(t, patience)))
			seen()
			equal(t, "events", b.history(t, arn, ann, bob, eve), before)
		})
	}
}

// history is everything that has happened to some people.
func (b *board) history(t *testing.T, arn string, people ...*guest.Guest) string {
	t.Helper()
	sessions, err := b.ListStageSessions(t.Context(), &sdk.ListStageSessionsInput{StageArn: &arn})
	must(t, err)
	var all []string
	for _, g := range people {
		out, err := b.ListParticipantEvents(t.Context(), &sdk.ListParticipantEventsInput{
			StageArn: &arn, SessionId: sessions.StageSessions[0].SessionId, ParticipantId: aws.String(g.ID()),
		})
		must(t, err)
		for _, e := range out.Events {
			all = append(all, g.UserID()+" "+string(e.Name))
		}
	}
	return strings.Join(all, "\n")
}

// subscribe subscribes as soon as there is something to subscribe to.
func (b *board) subscribe(t *testing.T, g, publisher *guest.Guest) *guest.Subscription {
	t.Helper()
	var s *guest.Subscription
	eventually(t, patience, func() string {
		var err error
		if s, err = g.Subscribe(deadline(t, patience), publisher.ID(), guest.SubscribeOptions{}); err != nil {
			return err.Error()
		}
		return ""
	})
	must(t, s.WaitFrames(deadline(t, patience), 1))
	return s
}

func TestTURNServersAreToldToWhoMayUseThem(t *testing.T) {
	t.Parallel()
	b := newBoard(t, func(c *server.Config) { c.TURN = "127.0.0.1:0" })
	token := *b.token(t, b.stage(t), "ann").Token
	links := func(header http.Header) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, b.url+"/whip", nil)
		must(t, err)
		r.Header = header
		resp, err := http.DefaultClient.Do(r)
		must(t, err)
		resp.Body.Close()
		return len(resp.Header.Values("Link"))
	}
	equal(t, "links with a token", links(http.Header{"Authorization": {"Bearer " + token}}), 2)
	equal(t, "links with a wrong token", links(http.Header{"Authorization": {"Bearer " + token + "x"}}), 0)
	equal(t, "links in a preflight", links(http.Header{"Access-Control-Request-Method": {"POST"}, "Origin": {"https://example.com"}}), 0)
}
