package presence

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"callboard/internal/live"
	"callboard/internal/stage"
)

// Options are what an Endpoint is built from. Zero durations stand for the defaults.
type Options struct {
	Register *stage.Register
	Floor    *live.Floor
	Log      *slog.Logger // nil logs nothing

	// PassOn has another process answer, false if it is not there. nil if there
	// can be no other.
	PassOn func(w http.ResponseWriter, r *http.Request, process string) bool

	// Prefix is the path under which requests arrive, such as "/events".
	Prefix string
	// PingEvery is the pause between pings; 5 s by default.
	PingEvery time.Duration
	// DeadAfter is how long nothing may be heard from a client; 15 s by default.
	DeadAfter time.Duration
	// StateEvery is the least time between two frames of state; 50 ms by default.
	StateEvery time.Duration
	// WriteTimeout bounds the writing of one frame; 10 s by default.
	WriteTimeout time.Duration
}

// Endpoint serves {prefix}/?topic={topic}/publishers and {prefix}/{topic}. It is
// safe for concurrent use.
type Endpoint struct {
	Options
	cut  context.Context // ends when sockets must not live on
	stop context.CancelFunc

	mu      sync.Mutex
	closed  bool
	sockets sync.WaitGroup
}

// New makes an endpoint. Close ends it.
func New(o Options) *Endpoint {
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	o.Prefix = strings.TrimRight(o.Prefix, "/")
	o.PingEvery = cmp.Or(o.PingEvery, 5*time.Second)
	o.DeadAfter = cmp.Or(o.DeadAfter, 15*time.Second)
	o.StateEvery = cmp.Or(o.StateEvery, 50*time.Millisecond)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 10*time.Second)
	e := &Endpoint{Options: o}
	e.cut, e.stop = context.WithCancel(context.Background())
	return e
}

// Close lets nobody in any more and returns when no socket is open. Sockets
// end when the floor closes; those that have not when ctx ends are cut off.
func (e *Endpoint) Close(ctx context.Context) error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	none := make(chan struct{})
	go func() { // ends with the last socket, which stop below makes sure of
		defer close(none)
		e.sockets.Wait()
	}()
	defer e.stop()
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		e.stop()
		<-none
		return ctx.Err()
	}
}

func (e *Endpoint) enter() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.sockets.Add(1)
	}
	return !e.closed
}

// ServeHTTP implements [http.Handler]. It returns when the socket has ended.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !e.enter() {
		e.refuse(w, r, &stage.Error{Kind: stage.Quota, Message: "The server is shutting down"})
		return
	}
	defer e.sockets.Done()
	topic, ok := topicOf(r.URL.Path, e.Prefix, r.URL.Query().Get("topic"))
	if !ok {
		e.refuse(w, r, &stage.Error{Kind: stage.NotFound, Message: "There is nothing at this address"})
		return
	}
	hello := readHandshake(r)
	admission, err := e.admit(r.Context(), hello.jwt, topic)
	arrived := func() {}
	if err == nil {
		var passedOn bool
		if passedOn, arrived, err = e.bringHome(w, r, admission); passedOn {
			return
		}
	}
	defer arrived()
	if err != nil && !hello.hears(err) {
		e.refuse(w, r, err)
		return
	}
	heard := newPulse()
	conn, acceptErr := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols:       hello.choice(),
		InsecureSkipVerify: true, // whatever the origin: the token is the authority
		OnPingReceived:     func(context.Context, []byte) bool { heard.beat(); return true },
		OnPongReceived:     func(context.Context, []byte) { heard.beat() },
	})
	if acceptErr != nil {
		return // the client has been told
	}
	defer conn.CloseNow()
	if err != nil {
		e.turnAway(conn, hello, err)
		return
	}
	client := live.ClientOf(r.UserAgent(), r.Header.Get("X-Stages-Sdk"), r.Header.Get("X-Stages-Platform"))
	seat, err := e.Floor.Attend(e.cut, admission, client)
	arrived()
	if err != nil {
		e.turnAway(conn, hello, err)
		return
	}
	newSocket(e, conn, heard, seat, hello.ivs).serve(e.cut)
}

// bringHome has the participant's home answer if that is another process. If
// not, the participant stays here until arrived is called, which it may be more than once.
func (e *Endpoint) bringHome(w http.ResponseWriter, r *http.Request, a stage.Admission) (passedOn bool, arrived func(), err error) {
	elsewhere, done, err := e.Floor.Home(r.Context(), a)
	if err != nil {
		return false, func() {}, err
	}
	if elsewhere == nil {
		return false, done, nil
	}
	if e.PassOn(w, r, elsewhere.ID) {
		return true, done, nil
	}
	return false, done, stage.ErrNotHeld
}

// admit verifies the token and that it is for the stage that the address names, if it names one.
func (e *Endpoint) admit(ctx context.Context, jwt, topic string) (stage.Admission, error) {
	if jwt == "" {
		return stage.Admission{}, &stage.Error{
			Kind:    stage.Unauthenticated,
			Code:    stage.CodeTokenMalformed,
			Message: "A participant token is needed, as a subprotocol or as Authorization: Bearer <token>",
		}
	}
	admission, err := e.Register.Admit(ctx, jwt)
	if err == nil && topic != "" && topic != admission.Stage.ID {
		err = &stage.Error{Kind: stage.Denied, Code: stage.CodeTokenNotAllowed, Message: "The token is for another stage than the address"}
	}
	return admission, err
}
