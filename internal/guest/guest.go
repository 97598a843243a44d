package guest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Guest is one participant on its own piece of network. All methods are safe
// for concurrent use.
type Guest struct {
	token  string
	claims claims
	cable  *cable
	http   *http.Client

	mu     sync.Mutex
	legs   []leg // what is to be ended by Close, in the order it began
	closed bool
}

// leg is one thing a guest has on a stage.
type leg interface {
	Close(ctx context.Context) error
}

type claims struct {
	ID        string `json:"jti"`
	UserID    string `json:"user_id"`
	Topic     string `json:"topic"`
	Resource  string `json:"resource"`
	EventsURL string `json:"events_url"`
	WHIPURL   string `json:"whip_url"`
}

// ErrClosed is what a guest answers after Close.
var ErrClosed = errors.New("the guest has left")

// New makes a guest of a participant token. It reads the token's claims as a
// client does, without verifying them; nothing is sent yet.
func New(token string) (*Guest, error) {
	c, err := readClaims(token)
	if err != nil {
		return nil, fmt.Errorf("participant token: %w", err)
	}
	cable := new(cable)
	transport := &http.Transport{DialContext: cable.dial, MaxIdleConnsPerHost: 2}
	return &Guest{token: token, claims: c, cable: cable, http: &http.Client{Transport: transport}}, nil
}

func readClaims(token string) (c claims, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, errors.New("it does not have three parts")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return c, err
	}
	if c.ID == "" || c.EventsURL == "" || c.WHIPURL == "" {
		return c, errors.New("it lacks jti, events_url or whip_url")
	}
	return c, nil
}

// ID is the participant id that the token carries.
func (g *Guest) ID() string { return g.claims.ID }

// UserID is the user id that the token carries, "" if none.
func (g *Guest) UserID() string { return g.claims.UserID }

// Stage is the ARN of the stage that the token is for.
func (g *Guest) Stage() string { return g.claims.Resource }

// Close ends everything the guest has on the stage the polite way (DELETE for
// media, a close frame for presence) and releases its sockets. After
// [Guest.Vanish] nobody hears of it. A second Close does nothing.
func (g *Guest) Close(ctx context.Context) error {
	g.mu.Lock()
	legs, first := g.legs, !g.closed
	g.legs, g.closed = nil, true
	g.mu.Unlock()
	if !first {
		return nil
	}
	var errs []error
	for i := len(legs) - 1; i >= 0; i-- {
		errs = append(errs, legs[i].Close(ctx))
	}
	g.http.CloseIdleConnections()
	return errors.Join(append(errs, g.cable.release())...)
}

// Vanish cuts the guest off its network: from now on nothing it sends goes out
// and nothing it is sent comes in, while all its connections look open. The
// server has to find out by itself. Close is still needed to release the sockets.
func (g *Guest) Vanish() { g.cable.cut.Store(true) }

// OverTCP has the media of calls that begin from now on go over TCP alone, as in a network without UDP.
func (g *Guest) OverTCP() { g.cable.tcp.Store(true) }

// OverTURN has the media of calls that begin from now on go by the TURN servers of the stage's endpoint alone.
func (g *Guest) OverTURN() { g.cable.turn.Store(true) }

// Lose has that share of the UDP packets of media not get through, in both directions.
func (g *Guest) Lose(share float64) { g.cable.loss.Store(int64(1000 * share)) }

// Move gives the media of running calls other UDP ports, without a word to anybody.
func (g *Guest) Move() error {
	g.cable.mu.Lock()
	sockets := slices.Clone(g.cable.sockets)
	g.cable.mu.Unlock()
	var errs []error
	for _, s := range sockets {
		errs = append(errs, s.move())
	}
	return errors.Join(errs...)
}

// add notes a leg for Close; a guest that has left takes no more.
func (g *Guest) add(l leg) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrClosed
	}
	g.legs = append(g.legs, l)
	return nil
}

// left tells whether Close has been called.
func (g *Guest) left() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// drop forgets a leg that has ended by itself.
func (g *Guest) drop(gone leg) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, l := range g.legs {
		if l == gone {
			g.legs = append(g.legs[:i:i], g.legs[i+1:]...)
			return
		}
	}
}
