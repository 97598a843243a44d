package livetest

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"callboard/internal/live"
	"callboard/internal/sfu"
	"callboard/internal/stage"
	"callboard/internal/store"
)

// Patience is how long tests wait for what must happen.
const Patience = 20 * time.Second

// World is all that a test of the floor needs.
type World struct {
	Service  *stage.Service
	Register *stage.Register
	Engine   *sfu.Engine
	Floor    *live.Floor
	Caller   stage.Caller
	Stop     func() error // ends the floor's Run and gives its error; called at the end of the test if not before

	t      testing.TB
	signer *signer      // nil until Another needs it
	passed atomic.Int64 // nanoseconds by which the store's clock is ahead
}

// Setting is what a test may want different.
type Setting struct {
	Live     live.Options                  // Register and Engine are filled in
	Store    func(stage.Store) stage.Store // puts something between the register and the store; nil does not
	Patience time.Duration                 // of the engine, for peers that are not connected yet; 0 is the usual one
}

// Open makes a world.
func Open(t testing.TB, s Setting) *World {
	t.Helper()
	w := &World{t: t, Caller: stage.Caller{Account: "123456789012", Region: "us-east-1"}}
	clock := func() time.Time { return time.Now().Add(time.Duration(w.passed.Load())) }
	facts, err := store.Open(t.Context(), store.Options{Now: clock})
	w.check(err)
	t.Cleanup(func() { w.check(facts.Close()) })
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	w.check(err)
	w.Engine, err = sfu.Open(sfu.Options{Conn: conn, Patience: s.Patience})
	w.check(err)
	t.Cleanup(func() { w.check(w.Engine.Close()) })

	var port stage.Store = facts
	if s.Store != nil {
		port = s.Store(port)
	}
	w.Service, w.Register, err = stage.Open(t.Context(), stage.Options{
		Store:     port,
		Now:       clock,
		Linger:    time.Hour,
		Endpoints: stage.Endpoints{Events: "ws://127.0.0.1/events", WHIP: "http://127.0.0.1/whip"},
	})
	w.check(err)
	s.Live.Register, s.Live.Engine = w.Register, w.Engine
	if testing.Verbose() && s.Live.Log == nil {
		s.Live.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	w.Floor = live.Open(s.Live)
	w.Service.UseFloor(w.Floor)
	w.run()
	return w
}

func (w *World) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	var err error
	go func() {
		defer close(ended)
		err = w.Floor.Run(ctx)
	}()
	w.Stop = func() error {
		cancel()
		<-ended
		return err
	}
	w.t.Cleanup(func() { w.Stop() })
}

// Pass lets time pass for the register; tokens last for 12 hours.
func (w *World) Pass(d time.Duration) { w.passed.Add(int64(d)) }

func (w *World) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// Context bounds what a test waits for.
func (w *World) Context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	w.t.Cleanup(cancel)
	return ctx
}

// Stage makes a stage.
func (w *World) Stage() stage.ARN {
	w.t.Helper()
	s, _, err := w.Service.CreateStage(w.t.Context(), w.Caller, stage.NewStage{})
	w.check(err)
	return s.ARN
}

// Token issues a token; without capabilities it allows everything.
func (w *World) Token(arn stage.ARN, capabilities ...stage.Capability) string {
	w.t.Helper()
	request := stage.TokenRequest{UserID: "somebody"}
	if len(capabilities) > 0 {
		request.Capabilities = &capabilities
	}
	issued, err := w.Service.CreateToken(w.t.Context(), w.Caller, arn, request)
	w.check(err)
	return issued.JWT
}

// Admit admits a newcomer; without capabilities its token allows everything.
func (w *World) Admit(arn stage.ARN, capabilities ...stage.Capability) stage.Admission {
	w.t.Helper()
	a, err := w.Register.Admit(w.t.Context(), w.Token(arn, capabilities...))
	w.check(err)
	return a
}

// Events are what was recorded about a participant in the stage's latest
// session, oldest first: the name, then publisher and error code if there are any.
func (w *World) Events(arn stage.ARN, id string) []string {
	w.t.Helper()
	session := w.session(arn)
	if session == "" {
		return nil
	}
	list, _, err := w.Service.Events(w.t.Context(), w.Caller, arn, session, id, stage.Page{Limit: 1000})
	w.check(err)
	var told []string
	for _, e := range list {
		words := fmt.Sprint(e.Name)
		if e.Remote != "" {
			words += " " + e.Remote
		}
		if e.Error != "" {
			words += " " + string(e.Error)
		}
		told = append(told, words)
	}
	slices.Reverse(told)
	return told
}

func (w *World) session(arn stage.ARN) string {
	list, _, err := w.Service.Sessions(w.t.Context(), w.Caller, arn, stage.Page{Limit: 1})
	w.check(err)
	if len(list) == 0 {
		return ""
	}
	return list[0].ID
}

// Connected lists who is CONNECTED in the stage's latest session.
func (w *World) Connected(arn stage.ARN) []string {
	w.t.Helper()
	yes := true
	list, _, err := w.Service.Participants(w.t.Context(), w.Caller, stage.Roll{
		Stage: arn, SessionID: w.session(arn), Connected: &yes, Page: stage.Page{Limit: 1000},
	})
	w.check(err)
	var ids []string
	for _, p := range list {
		ids = append(ids, p.ID)
	}
	return ids
}

// Client is what is known of a participant's software.
func (w *World) Client(arn stage.ARN, id string) stage.Client {
	w.t.Helper()
	p, err := w.Service.Participant(w.t.Context(), w.Caller, arn, w.session(arn), id)
	w.check(err)
	return p.Detail.Client
}

// WantEvents fails the test unless exactly these events are recorded.
func (w *World) WantEvents(arn stage.ARN, id string, want ...string) {
	w.t.Helper()
	if got := w.Events(arn, id); !slices.Equal(got, want) {
		w.t.Errorf("events are\n\t%s\nnot\n\t%s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

// AwaitEvents waits until exactly these events are recorded.
func (w *World) AwaitEvents(arn stage.ARN, id string, want ...string) {
	w.t.Helper()
	w.Await("events "+strings.Join(want, ", "), func() bool { return slices.Equal(w.Events(arn, id), want) }, func() any { return w.Events(arn, id) })
}

// Await waits until something is true. got, if not nil, tells what was found instead.
func (w *World) Await(what string, is func() bool, got func() any) {
	w.t.Helper()
	deadline := time.After(Patience)
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for !is() {
		select {
		case <-look.C:
		case <-deadline:
			if got != nil {
				w.t.Fatalf("waited in vain for %s; got %v", what, got())
			}
			w.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Wait waits until a channel is closed or gives something.
func Wait[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(Patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}
