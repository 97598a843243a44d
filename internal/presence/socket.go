package presence

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/coder/websocket"

	"callboard/internal/live"
	"callboard/internal/stage"
)

const (
	maxMessage   = 64 << 10 // bytes of one client message
	maxPerSecond = 20       // client messages
)

// ending is why a socket ends, and how its client is told.
type ending struct {
	code   websocket.StatusCode // 0: the client is gone, or knows
	reason string
}

// socket is one open WebSocket.
type socket struct {
	endpoint *Endpoint
	conn     *websocket.Conn
	seat     *live.Attendance
	ivs      bool // it is told of its end in Amazon's words, too
	replies  chan []byte
	stopped  chan struct{} // closed when nobody writes replies any more
	heard    *pulse
	endings  chan ending // room for one of each goroutine

	audioMuted, videoStopped bool // as last told; belongs to read

	sent int64 // version of the last state; belongs to write
}

func newSocket(e *Endpoint, conn *websocket.Conn, heard *pulse, seat *live.Attendance, ivs bool) *socket {
	conn.SetReadLimit(maxMessage)
	local := seat.State().Local
	return &socket{
		endpoint:     e,
		conn:         conn,
		heard:        heard,
		seat:         seat,
		ivs:          ivs,
		replies:      make(chan []byte, 8),
		stopped:      make(chan struct{}),
		endings:      make(chan ending, 2),
		audioMuted:   local.AudioMuted,
		videoStopped: local.VideoStopped,
	}
}

// serve runs the socket until its end.
func (s *socket) serve(ctx context.Context) {
	s.heard.beat() // letting the client in may have taken a while, which is not its silence
	ctx, cancel := context.WithCancel(ctx)
	// Close below waits for the client's goodbye, but not when all must end.
	defer context.AfterFunc(ctx, func() { s.conn.CloseNow() })()
	var group sync.WaitGroup
	group.Go(func() { s.endings <- s.read(ctx) })
	group.Go(func() { s.endings <- s.ping(ctx) })
	end := s.write(ctx)
	close(s.stopped)
	s.seat.Lost() // before the goodbye, which may take a while
	if end.code != 0 {
		s.conn.Close(end.code, end.reason)
	}
	cancel()
	s.conn.CloseNow()
	group.Wait()
}

// write sends state, replies and the goodbye.
func (s *socket) write(ctx context.Context) ending {
	var changed <-chan struct{} // nil during the pause between two frames
	pause := time.NewTimer(s.endpoint.StateEvery)
	defer pause.Stop()
	for frame := s.news(); ; {
		if frame != nil {
			if err := s.send(ctx, frame); err != nil {
				return ending{}
			}
			frame = nil
		}
		select {
		case frame = <-s.replies:
		case end := <-s.endings:
			return end
		case <-s.seat.Done():
			return s.farewell(ctx)
		case <-pause.C:
			changed = s.seat.Changed()
		case <-changed:
			frame = s.news()
			changed = nil
			pause.Reset(s.endpoint.StateEvery)
		}
	}
}

// news is a frame with the present state, nil if the client has had it: a change
// may be in one frame already when the word of it comes. Numbers must grow.
func (s *socket) news() []byte {
	state := s.seat.State()
	if state.Version == s.sent {
		return nil
	}
	s.sent = state.Version
	return encodeState(s.seat, state)
}

func (s *socket) send(ctx context.Context, frame []byte) error {
	ctx, cancel := context.WithTimeout(ctx, s.endpoint.WriteTimeout)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, frame)
}

// farewell tells why the floor ended the seat, after what was to be said before.
func (s *socket) farewell(ctx context.Context) ending {
	for len(s.replies) > 0 {
		if err := s.send(ctx, <-s.replies); err != nil {
			return ending{}
		}
	}
	reason, text := s.seat.Reason()
	if goodbye(reason) == websocket.StatusGoingAway { // the client is to come back; LEFT would send it away
		return ending{code: websocket.StatusGoingAway, reason: "the server is going away; come back"}
	}
	if err := s.send(ctx, encode("LEFT", leftPayload{Reason: string(reason), Message: text})); err != nil {
		return ending{}
	}
	if frame := ivsGoodbye(reason); s.ivs && frame != nil {
		if err := s.send(ctx, frame); err != nil {
			return ending{}
		}
	}
	return ending{code: goodbye(reason), reason: string(reason)}
}

// ping asks for signs of life and ends when they fail to come.
func (s *socket) ping(ctx context.Context) ending {
	tick := time.NewTicker(s.endpoint.PingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ending{}
		case <-s.stopped:
			return ending{}
		case <-tick.C:
		}
		if s.heard.silence() >= s.endpoint.DeadAfter {
			return ending{code: closeDead, reason: "heartbeat timeout"}
		}
		wait, cancel := context.WithTimeout(ctx, s.endpoint.PingEvery/2) // so that no tick is missed; a ping that takes longer to send ends the connection
		s.conn.Ping(wait)                                                // a pong that comes later than that is heard too
		cancel()
	}
}

// read takes in what the client says.
func (s *socket) read(ctx context.Context) ending {
	var second time.Time
	var messages int
	for {
		kind, data, err := s.conn.Read(ctx)
		if errors.Is(err, websocket.ErrMessageTooBig) {
			return ending{code: websocket.StatusMessageTooBig, reason: "message too big"}
		}
		if err != nil {
			return ending{}
		}
		s.heard.beat()
		if now := time.Now(); now.Sub(second) >= time.Second {
			second, messages = now, 0
		}
		if messages++; messages > maxPerSecond {
			return ending{code: closeTooMany, reason: "too many messages"}
		}
		m, err := decode(data)
		if kind != websocket.MessageText || err != nil {
			return ending{code: closeMalformed, reason: "malformed message"}
		}
		s.obey(ctx, m)
	}
}

// obey does what a message asks for.
func (s *socket) obey(ctx context.Context, m message) {
	switch m.kind {
	case "PING":
		s.reply(encodeID("PONG", nil, m.id))
	case "SET_STATE", "MUTE":
		if m.AudioMuted != nil {
			s.audioMuted = *m.AudioMuted
		}
		if m.VideoStopped != nil {
			s.videoStopped = *m.VideoStopped
		}
		s.seat.SetMute(s.audioMuted, s.videoStopped)
	case "HELLO":
		if m.Resume != "" {
			s.seat.Resume(m.Resume)
		}
		s.seat.Describe(m.client())
	case "LEAVE":
		s.seat.Leave()
	case "EXCHANGE_TOKEN":
		s.exchange(ctx, m.Token, func(e *errorPayload) []byte {
			if e == nil {
				return encodeID("TOKEN_EXCHANGED", exchangedPayload{ID: m.id}, m.id)
			}
			return encodeID("ERROR", e, m.id)
		})
	case ivsExchange:
		s.exchange(ctx, m.NewToken, func(e *errorPayload) []byte { return ivsAnswer(m, e) })
	}
}

// exchangeTime is how long an exchange may take: nothing else that the client
// says is heard meanwhile, not even that it is alive.
const exchangeTime = 5 * time.Second

// exchange has the client go on with another token. One that does not hold ends
// its presence; trouble of ours leaves it with the one that it has.
func (s *socket) exchange(ctx context.Context, token string, answer func(*errorPayload) []byte) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTime)
	defer cancel()
	next, err := s.endpoint.Register.Admit(ctx, token)
	if err == nil {
		err = s.seat.Exchange(ctx, next)
	}
	if err == nil {
		s.reply(answer(nil))
		return
	}
	p := explain(err)
	if p.status == internalError && ctx.Err() == nil {
		s.endpoint.Log.Error("a token could not be exchanged", "error", err)
	}
	s.reply(answer(&errorPayload{Code: cmp.Or(p.code, "FAILED"), Category: "JOIN_ERROR", Message: p.detail}))
	switch stage.KindOf(err) {
	case stage.Internal, stage.Quota, stage.Conflict:
	default:
		s.seat.Reject()
	}
}

// reply hands a frame to write, unless that has ended.
func (s *socket) reply(frame []byte) {
	select {
	case s.replies <- frame:
	case <-s.stopped:
	}
}

// turnAway tells a client that has been let through the handshake why it cannot stay.
func (e *Endpoint) turnAway(conn *websocket.Conn, client handshake, err error) {
	p := explain(err)
	if p.status == internalError {
		e.Log.Error("a presence socket could not be opened", "error", err)
	}
	ctx, cancel := context.WithTimeout(e.cut, e.WriteTimeout)
	defer cancel()
	frame := encode("ERROR", errorPayload{Code: p.code, Category: "JOIN_ERROR", Message: p.detail})
	if refusal, final := ivsRefusal(p); client.ivs && final {
		frame = refusal
	}
	if conn.Write(ctx, websocket.MessageText, frame) == nil {
		conn.Close(p.close, p.code)
	}
}

// goodbye is the close code for a reason.
func goodbye(reason stage.Reason) websocket.StatusCode {
	switch reason {
	case stage.ReasonUserInitiated:
		return websocket.StatusNormalClosure
	case stage.ReasonTokenReused:
		return closeReused
	case stage.ReasonStageDeleted:
		return closeDeleted
	case stage.ReasonParticipantDisconnected:
		return closeDisconnected
	case stage.ReasonFailedExchange:
		return closeExchange
	}
	return websocket.StatusGoingAway
}
