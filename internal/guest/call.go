package guest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/pion/webrtc/v4"
)

// Refusal is the server's answer to something it would not do.
type Refusal struct {
	Status     int    // of HTTP
	Code       string // as in the problem details (RFC 9457), "" if there were none
	Detail     string
	RetryAfter string // header, as it was sent
}

// Error tells status, code and detail.
func (r *Refusal) Error() string {
	return strings.TrimSpace(fmt.Sprintf("refused with %d %s %s", r.Status, r.Code, r.Detail))
}

// call is one WHIP or WHEP session: a peer connection and its resource.
type call struct {
	guest    *Guest
	peer     *webrtc.PeerConnection
	resource string // URL of the session
	up       chan struct{}
	down     chan struct{} // closed when the connection has failed or was closed
	once     sync.Once
}

func (g *Guest) newCall() (*call, error) {
	if g.left() {
		return nil, ErrClosed
	}
	api, err := g.cable.webrtc(g.claims.WHIPURL)
	if err != nil {
		return nil, fmt.Errorf("opening a media socket: %w", err)
	}
	o, err := g.configuration()
	if err != nil {
		return nil, err
	}
	peer, err := api.NewPeerConnection(o)
	if err != nil {
		return nil, err
	}
	c := &call{guest: g, peer: peer, up: make(chan struct{}), down: make(chan struct{})}
	var connected sync.Once
	peer.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		switch s {
		case webrtc.PeerConnectionStateConnected:
			connected.Do(func() { close(c.up) })
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			c.once.Do(func() { close(c.down) })
		}
	})
	return c, nil
}

// start offers, posts the offer to the endpoint, takes the answer and waits
// until packets can flow.
func (c *call) start(ctx context.Context, endpoint string) error {
	offer, err := c.peer.CreateOffer(nil)
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(c.peer)
	if err := c.peer.SetLocalDescription(offer); err != nil {
		return err
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return ctx.Err()
	}
	answer, err := c.post(ctx, endpoint, c.peer.LocalDescription().SDP)
	if err != nil {
		return err
	}
	if err := c.peer.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		return err
	}
	select {
	case <-c.up:
		return nil
	case <-c.down:
		return errors.New("the media connection failed")
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *call) post(ctx context.Context, endpoint, offer string) (answer string, err error) {
	resp, err := c.request(ctx, http.MethodPost, endpoint, strings.NewReader(offer))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return "", refusal(resp)
	}
	location, err := resp.Location()
	if err != nil {
		return "", fmt.Errorf("answer to the offer: %w", err)
	}
	c.resource = location.String()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return string(body), err
}

func (c *call) request(ctx context.Context, method, endpoint string, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, endpoint, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.guest.token)
	r.Header.Set("User-Agent", "callboard-guest")
	switch {
	case method == http.MethodPatch:
		r.Header.Set("Content-Type", "application/trickle-ice-sdpfrag")
		r.Header.Set("If-Match", "*")
	case method == http.MethodPut:
		r.Header.Set("Content-Type", "application/json")
	case body != nil:
		r.Header.Set("Content-Type", "application/sdp")
	}
	return c.guest.http.Do(r)
}

func refusal(resp *http.Response) error {
	r := &Refusal{Status: resp.StatusCode, RetryAfter: resp.Header.Get("Retry-After")}
	var problem struct{ Code, Detail string }
	if json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(&problem) == nil {
		r.Code, r.Detail = problem.Code, problem.Detail
	}
	return r
}

// end deletes the resource and closes the connection. A resource that is gone
// already is as good as deleted.
func (c *call) end(ctx context.Context) error {
	c.guest.http.CloseIdleConnections() // one that the server has closed would fail the request
	err := c.delete(ctx)
	return errors.Join(err, c.peer.GracefulClose())
}

func (c *call) delete(ctx context.Context) error {
	if c.resource == "" || c.guest.cable.cut.Load() {
		return nil
	}
	resp, err := c.request(ctx, http.MethodDelete, c.resource, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 && resp.StatusCode != http.StatusNotFound {
		return refusal(resp)
	}
	return nil
}

// Resource is the URL of the WHIP or WHEP session.
func (c *call) Resource() string { return c.resource }

// Done is closed when the media connection has ended, whoever ended it.
func (c *call) Done() <-chan struct{} { return c.down }

func (g *Guest) endpoint(parts ...string) (string, error) {
	return url.JoinPath(g.claims.WHIPURL, parts...)
}
