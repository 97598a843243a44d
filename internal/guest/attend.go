package guest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"sync"

	"github.com/coder/websocket"
)

// State is a stage as its presence socket describes it.
type State struct {
	SequenceNumber int64    `json:"sequenceNumber"`
	Participants   []Person `json:"participants"`
}

// Person is one participant in a [State].
type Person struct {
	ID           string            `json:"id"`
	UserID       string            `json:"userId"`
	Attributes   map[string]string `json:"attributes"`
	IsPublishing bool              `json:"isPublishing"`
	AudioMuted   bool              `json:"audioMuted"`
	VideoStopped bool              `json:"videoStopped"`
}

// Person finds a participant by id.
func (s State) Person(id string) (Person, bool) {
	for _, p := range s.Participants {
		if p.ID == id {
			return p, true
		}
	}
	return Person{}, false
}

// Attendance is a guest's presence socket.
type Attendance struct {
	guest  *Guest
	socket *websocket.Conn
	states chan State    // holds the newest state only
	seated chan struct{} // closed with the first state
	once   sync.Once
	done   chan struct{}

	mu    sync.Mutex
	ended error
}

// Attend opens the presence socket and reads it until either side closes it. It
// returns with the first state, when the guest is listed. A refusal of the
// upgrade is a [*Refusal].
func (g *Guest) Attend(ctx context.Context) (*Attendance, error) {
	if g.left() {
		return nil, ErrClosed
	}
	address, err := url.JoinPath(g.claims.EventsURL, g.claims.Topic)
	if err != nil {
		return nil, err
	}
	socket, resp, err := websocket.Dial(ctx, address, &websocket.DialOptions{HTTPClient: g.http, Subprotocols: []string{g.token}})
	if err != nil {
		if resp != nil {
			return nil, refusal(resp)
		}
		return nil, err
	}
	socket.SetReadLimit(16 << 20)
	a := &Attendance{guest: g, socket: socket, states: make(chan State, 1), seated: make(chan struct{}), done: make(chan struct{})}
	if err := g.add(a); err != nil {
		socket.CloseNow()
		return nil, err
	}
	go a.read(context.WithoutCancel(ctx))
	select {
	case <-a.seated:
		return a, nil
	case <-a.done:
		err = fmt.Errorf("the presence socket ended: %w", a.Err())
	case <-ctx.Done():
		err = ctx.Err()
	}
	return nil, errors.Join(err, a.Close(ctx))
}

// read ends when the socket does, at the latest by Close, which waits for it.
func (a *Attendance) read(ctx context.Context) {
	defer close(a.done)
	for {
		_, data, err := a.socket.Read(ctx)
		if err == nil {
			err = a.take(data)
		}
		if err != nil {
			a.mu.Lock()
			a.ended = err
			a.mu.Unlock()
			return
		}
	}
}

func (a *Attendance) take(data []byte) error {
	var frame struct {
		Type    string          `json:"type"`
		Payload json.RawMessage `json:"payload"`
	}
	if err := json.Unmarshal(data, &frame); err != nil {
		return fmt.Errorf("a frame that is not JSON: %w", err)
	}
	if frame.Type != "STAGE_STATE" {
		return nil
	}
	var state State
	if err := json.Unmarshal(frame.Payload, &state); err != nil {
		return fmt.Errorf("a state that is not understood: %w", err)
	}
	select {
	case <-a.states: // nobody has looked at the one before
	default:
	}
	a.states <- state
	a.once.Do(func() { close(a.seated) })
	return nil
}

// States gives the newest state each time there is one that was not read yet.
// States in between are skipped, as each one is whole.
func (a *Attendance) States() <-chan State { return a.states }

// Wait reads states until one is as wanted.
func (a *Attendance) Wait(ctx context.Context, wanted func(State) bool) (State, error) {
	for {
		select {
		case s := <-a.states:
			if wanted(s) {
				return s, nil
			}
		case <-a.done:
			return State{}, fmt.Errorf("the presence socket ended: %w", a.Err())
		case <-ctx.Done():
			return State{}, ctx.Err()
		}
	}
}

// SetState tells whether the guest's own audio and video are off.
func (a *Attendance) SetState(ctx context.Context, audioMuted, videoStopped bool) error {
	data, err := json.Marshal(map[string]any{
		"type": "SET_STATE", "version": "0", "audioMuted": audioMuted, "videoStopped": videoStopped,
	})
	if err != nil {
		return err
	}
	return a.socket.Write(ctx, websocket.MessageText, data)
}

// Done is closed when the socket has ended, whoever ended it.
func (a *Attendance) Done() <-chan struct{} { return a.done }

// Err tells how the socket ended, nil while it is open. [websocket.CloseStatus]
// gives the close code.
func (a *Attendance) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ended
}

// Close leaves with a close frame and waits until the socket is gone. A socket
// that has ended before is not an error.
func (a *Attendance) Close(context.Context) error {
	a.guest.drop(a)
	if a.guest.cable.cut.Load() {
		a.socket.CloseNow()
	} else {
		a.socket.Close(websocket.StatusNormalClosure, "")
	}
	<-a.done
	return nil
}
