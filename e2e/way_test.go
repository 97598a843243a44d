//go:build e2e

package e2e

import (
	"net/http"
	"strings"
	"testing"

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
			before := histories(t, b, arn, ann, bob, eve)
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
			equal(t, "events", histories(t, b, arn, ann, bob, eve), before)
		})
	}
}

// histories are everything that has happened to some people.
func histories(t *testing.T, b *board, arn string, people ...*guest.Guest) (all [][]string) {
	t.Helper()
	session := b.session(t, arn)
	for _, g := range people {
		all = append(all, history(t, b, arn, session, g.ID()))
	}
	return all
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

// Browsers find their way without UDP by themselves, and by TURN with what the answer tells them.
func TestBrowsersFindTheirWay(t *testing.T) {
	b := newBoard(t, func(c *server.Config) { c.TURN = "127.0.0.1:0" })
	origin := pages(t)
	for _, way := range []string{"tcp", "turn"} {
		t.Run(way, func(t *testing.T) {
			arn := b.stage(t)
			token := b.token(t, arn, "sender")
			sender, viewer := newTab(t, origin), newTab(t, origin)
			for _, tab := range []*tab{sender, viewer} {
				do[any](t, tab, "participant.way = %s", way)
			}
			do[any](t, sender, "participant.join(%s)", *token.Token)
			do[any](t, sender, "participant.publish(false)")
			do[any](t, viewer, "participant.join(%s)", *b.token(t, arn, "viewer").Token)
			do[any](t, viewer, "participant.sees(%s, (p) => p.isPublishing)", *token.ParticipantId)
			do[any](t, viewer, "participant.subscribe(%s, '')", *token.ParticipantId)
			for name, f := range map[string]flow{"publisher": sender.flow(t, "publish"), "subscriber": viewer.plays(t, *token.ParticipantId)} {
				t.Logf("%s: %s", name, f.Way)
				if way == "turn" && !strings.HasPrefix(f.Way, "relay ") || way == "tcp" && !strings.HasSuffix(f.Way, " tcp") {
					t.Errorf("the %s goes %s", name, f.Way)
				}
			}
		})
	}
}
