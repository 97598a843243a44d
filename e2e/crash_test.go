//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"sync"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
	"github.com/coder/websocket"
)

var kills = flag.Int("e2e.kills", 8, "how often the crash test kills the server")

// crowd are people who join as fast as they can, over sockets of their own.
type crowd struct {
	binary *binary
	key    *keyPair
	stage  string

	readers sync.WaitGroup // one for each open socket

	mu     sync.Mutex
	rounds []map[string]bool // whose joins were acknowledged, by the kill that came next
	total  int
	wanted int           // acknowledged joins at which enough is closed
	enough chan struct{} // nil when nobody waits
}

// note takes down that the server has acknowledged a join.
func (c *crowd) note(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rounds[len(c.rounds)-1][id] = true
	if c.total++; c.enough != nil && c.total >= c.wanted {
		close(c.enough)
		c.enough = nil
	}
}

// round begins a round; it is over, for the channel, after n acknowledged joins.
func (c *crowd) round(n int) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rounds = append(c.rounds, map[string]bool{})
	c.wanted, c.enough = c.total+n, make(chan struct{})
	return c.enough
}

// rush has workers let people join until ctx ends. Some leave at once, some
// come again later, most stay until the server is gone.
func (c *crowd) rush(ctx context.Context, t *testing.T, round int) *sync.WaitGroup {
	workers := new(sync.WaitGroup)
	for w := range 8 {
		workers.Go(func() {
			var open []*websocket.Conn
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprintf("r%d-w%d-%d", round, w, i)
				if i%5 == 4 { // somebody of the round before, or of this one
					id = fmt.Sprintf("r%d-w%d-%d", max(0, round-i%2), w, rand.IntN(i))
				}
				socket := c.join(ctx, t, id)
				if socket == nil {
					break // the server is gone
				}
				if i%3 == 0 {
					socket.Close(websocket.StatusNormalClosure, "")
					continue
				}
				open = append(open, socket)
			}
			for _, socket := range open {
				socket.CloseNow()
			}
		})
	}
	return workers
}

// join opens a presence socket and waits for the first state: from then on the
// join must be found, whatever happens. It gives nil when the server went away.
func (c *crowd) join(ctx context.Context, t *testing.T, id string) *websocket.Conn {
	token := c.key.token(t, c.binary.board, c.stage, id)
	socket, _, err := websocket.Dial(ctx, c.binary.url+"/events", &websocket.DialOptions{Subprotocols: []string{token}})
	if err != nil {
		return nil
	}
	socket.SetReadLimit(16 << 20)
	_, data, err := socket.Read(ctx)
	var frame struct{ Type string }
	if err != nil || json.Unmarshal(data, &frame) != nil || frame.Type != "STAGE_STATE" {
		socket.CloseNow()
		return nil
	}
	c.note(id)
	c.readers.Go(func() { // takes in all further states until either side closes
		for {
			if _, _, err := socket.Read(context.WithoutCancel(ctx)); err != nil {
				return
			}
		}
	})
	return socket
}

func TestNoAcknowledgedJoinIsLostHoweverOftenTheServerIsKilled(t *testing.T) {
	t.Parallel()
	p := newBinary(t)
	p.start(t)
	c := &crowd{binary: p, key: importedKey(t, p.board), stage: p.stage(t)}
	for round := range *kills {
		c.killed(t, round, 20+rand.IntN(180))
		p.start(t)
		c.found(t, round, 0) // the newest
		if t.Failed() {
			t.Fatalf("after kill %d the server said:\n%s", round+1, p.end())
		}
	}
	for i := range *kills {
		c.found(t, *kills-1, i)
	}
	p.kill()
	out, err := exec.Command(p.path, "verify", "--data", p.dir).CombinedOutput()
	if err != nil {
		t.Errorf("the facts do not agree: %v\n%s", err, out)
	}
	t.Logf("%d acknowledged joins survived %d kills; verified are %s", c.total, *kills, out)
}

// killed has the server die after n acknowledged joins, in the middle of others.
func (c *crowd) killed(t *testing.T, round, n int) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	enough := c.round(n)
	workers := c.rush(ctx, t, round)
	select {
	case <-enough:
	case <-deadline(t, 3*patience).Done():
		t.Errorf("round %d: fewer than %d joins", round, n)
	}
	c.binary.kill()
	stop()
	workers.Wait()
	c.readers.Wait()
}

// found checks the session that is the i-th newest after a round: whoever was
// told to have joined is there, and everybody has left as often as they came.
func (c *crowd) found(t *testing.T, round, i int) {
	t.Helper()
	sessions := c.sessions(t)
	if live := c.binary.session(t, c.stage); live != "" || len(sessions) != round+1 {
		t.Fatalf("after kill %d there are %d sessions; live is %q", round+1, len(sessions), live)
	}
	s := sessions[i]
	if s.EndTime == nil || s.EndTime.Before(*s.StartTime) {
		t.Errorf("session %s began %v and ended %v", *s.SessionId, s.StartTime, s.EndTime)
	}
	there := map[string]bool{}
	for _, p := range c.participants(t, *s.SessionId) {
		if there[*p.ParticipantId] {
			t.Errorf("%s is listed twice", *p.ParticipantId)
		}
		there[*p.ParticipantId] = true
		if p.State != types.ParticipantStateDisconnected {
			t.Errorf("after kill %d %s is %s in session %s", round+1, *p.ParticipantId, p.State, *s.SessionId)
		}
		c.balanced(t, *s.SessionId, *p.ParticipantId)
	}
	for id := range c.rounds[round-i] {
		if !there[id] {
			t.Errorf("%s was told that it had joined, but after kill %d it is not in session %s", id, round+1, *s.SessionId)
		}
	}
}

// balanced checks somebody's events in a session: JOINED and LEFT in turns.
func (c *crowd) balanced(t *testing.T, session, id string) {
	t.Helper()
	events := history(t, c.binary.board, c.stage, session, id)
	if len(events) == 0 || len(events)%2 != 0 {
		t.Errorf("%s in %s has these events: %v", id, session, events)
	}
	for i, e := range events {
		if want := []string{"JOINED", "LEFT"}[i%2]; e != want {
			t.Errorf("%s in %s: event %d is %s, want %s: %v", id, session, i, e, want, events)
		}
	}
}

func (c *crowd) sessions(t *testing.T) (all []types.StageSessionSummary) {
	t.Helper()
	in := &sdk.ListStageSessionsInput{StageArn: &c.stage}
	for {
		out, err := c.binary.ListStageSessions(t.Context(), in)
		must(t, err)
		all = append(all, out.StageSessions...)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return all
		}
	}
}

func (c *crowd) participants(t *testing.T, session string) (all []types.ParticipantSummary) {
	t.Helper()
	in := &sdk.ListParticipantsInput{StageArn: &c.stage, SessionId: &session}
	for {
		out, err := c.binary.ListParticipants(t.Context(), in)
		must(t, err)
		all = append(all, out.Participants...)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return all
		}
	}
}
