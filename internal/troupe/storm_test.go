package troupe_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"callboard/internal/stage"
)

// People come and go at random doors while processes hang for longer than their
// lease and come back. Afterwards JOINED and LEFT alternate for everybody, and
// every count is right.
func TestFactsAgreeWhateverProcessesAndPeopleDo(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	nodes := []*node{h.open(), h.open(), h.open()}
	together(nodes...)
	arn := nodes[0].stage()
	var tokens []string
	for range 12 {
		jwt, _ := nodes[0].token(arn)
		tokens = append(tokens, jwt)
	}
	ctx, stop := context.WithTimeout(t.Context(), 3*lease)
	defer stop()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() { come(ctx, nodes, tokens, rand.New(rand.NewPCG(uint64(i), 1))) })
	}
	all.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			n := nodes[1+i%2]
			n.stalled.set(true)
			pause(ctx, lease+lease/2)
			n.stalled.set(false)
			pause(ctx, lease/2)
		}
	})
	all.Wait()
	for _, n := range nodes {
		n.stalled.set(false)
	}
	together(nodes...)
	nodes[0].await("an empty stage", func() bool { return h.connected(arn) == 0 }) // those who gave up waiting may come and go still
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// come opens sockets of random people at random doors, and closes them.
func come(ctx context.Context, nodes []*node, tokens []string, random *rand.Rand) {
	for ctx.Err() == nil {
		n := nodes[random.IntN(len(nodes))]
		dialing, cancel := context.WithTimeout(ctx, lease)
		conn, _, err := websocket.Dial(dialing, n.server.URL+"/events/", &websocket.DialOptions{
			Subprotocols: []string{"callboard.events.v1", tokens[random.IntN(len(tokens))]}, HTTPClient: n.server.Client(),
		})
		cancel()
		if err != nil {
			continue
		}
		reading, cancel := context.WithTimeout(ctx, time.Duration(random.IntN(100))*time.Millisecond)
		for err == nil {
			_, _, err = conn.Read(reading)
		}
		cancel()
		conn.CloseNow()
	}
}

// connected is how many are on a stage: by the session's count, and by everybody's JOINED and LEFT, which alternate.
func (h *house) connected(arn stage.ARN) (n int64) {
	h.check(h.store.View(h.t.Context(), func(tx stage.Tx) error {
		s, err := tx.LiveSession(arn)
		if err != nil {
			return err
		}
		if n, err = alternate(tx); err == nil && n != s.Connected {
			err = fmt.Errorf("%d are connected, and %d counted", n, s.Connected)
		}
		return err
	}))
	return n
}

// alternate looks whether everybody's JOINED and LEFT do, and counts those who have not left.
func alternate(tx stage.Tx) (here int64, err error) {
	events, err := tx.Feed(0, 1_000_000)
	if err != nil {
		return 0, err
	}
	is := map[string]bool{}
	for _, e := range events {
		if e.Name != stage.Joined && e.Name != stage.Left {
			continue
		}
		if is[e.Participant] == (e.Name == stage.Joined) {
			return 0, fmt.Errorf("event %d: %s of %s, who is here: %v", e.No, e.Name, e.Participant, is[e.Participant])
		}
		if is[e.Participant] = e.Name == stage.Joined; is[e.Participant] {
			here++
		} else {
			here--
		}
	}
	if len(events) == 0 {
		return 0, errors.New("nobody came")
	}
	return here, nil
}
