package presence_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"callboard/internal/live/livetest"
	"callboard/internal/presence"
)

func TestMessagesThatWantAnAnswerGetOne(t *testing.T) {
	t.Parallel()
	d := open(t, livetest.Setting{}, presence.Options{})
	arn := d.Stage()
	jwt, _ := d.issue(arn)
	s := d.attend(arn, jwt)
	s.send(`{"type":"SOMETHING_NEW","payload":[1,2]}`)
	s.send(`{"type":"PING"}`)
	s.await("the pong", kind("PONG"))
	s.send(`{"type":"PING","id":"x7"}`)
	if f := s.await("the pong", kind("PONG")); string(f.ID) != `"x7"` {
		t.Errorf("the pong is %+v", f)
	}
}

func TestSocketsOfClientsThatMisbehaveAreClosed(t *testing.T) {
	t.Parallel()
	d := open(t, livetest.Setting{}, presence.Options{})
	arn := d.Stage()
	for name, c := range map[string]struct {
		act  func(s *seat)
		code websocket.StatusCode
	}{
		"no JSON":           {func(s *seat) { s.send(`hello`) }, 4400},
		"no object":         {func(s *seat) { s.send(`[]`) }, 4400},
		"no type":           {func(s *seat) { s.send(`{}`) }, 4400},
		"a wrong type":      {func(s *seat) { s.send(`{"type":"SET_STATE","audioMuted":"yes"}`) }, 4400},
		"a long message":    {func(s *seat) { s.send(`{"type":"` + strings.Repeat("x", 65<<10) + `"}`) }, websocket.StatusMessageTooBig},
		"too many messages": {func(s *seat) { s.flood() }, 4429},
	} {
		t.Run(name, func(t *testing.T) {
			jwt, id := d.issue(arn)
			s := d.attend(arn, jwt)
			s.await("the state", kind("STAGE_STATE"))
			c.act(s)
			if _, code := s.end(); code != c.code {
				t.Errorf("the close code is %d, not %d", code, c.code)
			}
			d.AwaitEvents(arn, id, "JOINED", "LEFT")
		})
	}
}

// flood sends as fast as it can until it cannot any more.
func (s *seat) flood() {
	for range 1000 {
		if s.conn.Write(s.ctx, websocket.MessageText, []byte(`{"type":"NOTHING"}`)) != nil {
			return
		}
	}
}

func TestClientThatIsSilentIsDead(t *testing.T) {
	t.Parallel()
	d := open(t, livetest.Setting{}, presence.Options{PingEvery: 200 * time.Millisecond, DeadAfter: 500 * time.Millisecond})
	arn := d.Stage()
	jwt, id := d.issue(arn)
	s := d.attend(arn, jwt) // nobody reads, so nobody answers pings
	d.AwaitEvents(arn, id, "JOINED", "LEFT")
	if _, code := s.end(); code != 4408 {
		t.Errorf("the close code is %d", code)
	}
}

func TestClientThatAnswersPingsLives(t *testing.T) {
	t.Parallel()
	d := open(t, livetest.Setting{}, presence.Options{PingEvery: 200 * time.Millisecond, DeadAfter: 2 * time.Second})
	arn := d.Stage()
	quiet, quietID := d.issue(arn)
	jwt, id := d.issue(arn)
	s := d.attend(arn, jwt)
	d.attend(arn, quiet) // and is never read
	s.await("the other", func(f frame) bool { _, ok := f.person(quietID); return ok })
	s.await("the other's end", func(f frame) bool { _, ok := f.person(quietID); return !ok })
	d.WantEvents(arn, id, "JOINED")
}

// pipes is a network without any buffer: a write waits for the other side's read.
type pipes chan net.Conn

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p <- theirs
	return ours, nil
}

func (p pipes) Accept() (net.Conn, error) {
	conn, open := <-p
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

func TestSlowReaderIsGivenUpAndHoldsUpNobody(t *testing.T) {
	t.Parallel()
	d := open(t, livetest.Setting{}, presence.Options{StateEvery: time.Millisecond, WriteTimeout: 500 * time.Millisecond, PingEvery: time.Hour})
	network := make(pipes)
	server := &http.Server{Handler: d.endpoint}
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(network) })
	t.Cleanup(func() { close(network); server.Close(); serving.Wait() })

	arn := d.Stage()
	slow, slowID := d.issue(arn)
	jwt, id := d.issue(arn)
	_, _, err := websocket.Dial(d.Context(), "http://stage/events/", &websocket.DialOptions{ // and never read
		HTTPClient:   &http.Client{Transport: &http.Transport{DialContext: network.dial}},
		Subprotocols: []string{slow},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := d.attend(arn, jwt)
	for i := range 15 {
		muted := i%2 == 0
		text := `{"type":"SET_STATE","audioMuted":false,"videoStopped":false}`
		if muted {
			text = `{"type":"SET_STATE","audioMuted":true,"videoStopped":false}`
		}
		s.send(text)
		s.await("the mute", func(f frame) bool { p, _ := f.person(id); return p.AudioMuted == muted })
	}
	d.AwaitEvents(arn, slowID, "JOINED", "LEFT")
}
