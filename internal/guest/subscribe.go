package guest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// Subscription is one publisher as a guest receives it.
type Subscription struct {
	*call
	publisher string
	packet    func(*rtp.Packet)

	audio, video, bytes, frames atomic.Int64
	first                       chan struct{}
	firstOnce                   sync.Once
	loops                       sync.WaitGroup

	mu      sync.Mutex
	closing bool // no new loops
	wanted  []wait
}

// wait is somebody who waits for a number of frames.
type wait struct {
	frames int64
	done   chan struct{}
}

// SubscribeOptions are what a subscription may ask for.
type SubscribeOptions struct {
	Query  string            // of the WHEP URL, such as "audio=only" or "layer=hi"
	Packet func(*rtp.Packet) // called with every packet of audio or video as it arrives; may be nil
}

// Subscribe receives what the participant of that id publishes, until it is
// closed. It returns when the connection is up; the first media may follow a
// moment later. A refusal is a [*Refusal], 409 if the participant is not
// publishing.
func (g *Guest) Subscribe(ctx context.Context, publisher string, o SubscribeOptions) (*Subscription, error) {
	c, err := g.newCall()
	if err != nil {
		return nil, err
	}
	s := &Subscription{call: c, publisher: publisher, packet: o.Packet, first: make(chan struct{})}
	if err := s.open(ctx, o.Query); err != nil {
		return nil, errors.Join(err, s.Close(context.WithoutCancel(ctx)))
	}
	return s, nil
}

func (s *Subscription) open(ctx context.Context, query string) error {
	s.peer.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.closing {
			s.loops.Go(func() { s.receive(track) })
		}
	})
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		init := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}
		if _, err := s.peer.AddTransceiverFromKind(kind, init); err != nil {
			return err
		}
	}
	endpoint, err := s.guest.endpoint("subscribe", s.publisher)
	if err != nil {
		return err
	}
	if query != "" {
		endpoint += "?" + strings.TrimPrefix(query, "?")
	}
	if err := s.start(ctx, endpoint); err != nil {
		return err
	}
	return s.guest.add(s)
}

// receive counts the packets of one track until it ends.
func (s *Subscription) receive(track *webrtc.TrackRemote) {
	for {
		packet, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		if s.packet != nil {
			s.packet(packet)
		}
		s.count(track.Kind(), packet)
	}
}

func (s *Subscription) count(kind webrtc.RTPCodecType, packet *rtp.Packet) {
	if len(packet.Payload) == 0 {
		return // padding, which probes the bandwidth
	}
	s.bytes.Add(int64(len(packet.Payload)))
	if kind == webrtc.RTPCodecTypeAudio {
		s.audio.Add(1)
		return
	}
	s.video.Add(1)
	if packet.Marker {
		s.frame(s.frames.Add(1))
	}
}

func (s *Subscription) frame(n int64) {
	s.firstOnce.Do(func() { close(s.first) })
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := 0; i < len(s.wanted); i++ {
		if s.wanted[i].frames <= n {
			close(s.wanted[i].done)
			s.wanted = append(s.wanted[:i], s.wanted[i+1:]...)
			i--
		}
	}
}

// FirstFrame is closed when the first whole picture has arrived.
func (s *Subscription) FirstFrame() <-chan struct{} { return s.first }

// Received is what a subscription has received so far. Padding is not counted.
type Received struct {
	Audio, Video int64 // packets
	Frames       int64 // last packets of pictures
	Bytes        int64 // payload
}

// Received gives the counters.
func (s *Subscription) Received() Received {
	return Received{s.audio.Load(), s.video.Load(), s.frames.Load(), s.bytes.Load()}
}

// WaitFrames returns when n more pictures have arrived than when it was called.
func (s *Subscription) WaitFrames(ctx context.Context, n int64) error {
	w := wait{done: make(chan struct{})}
	s.mu.Lock()
	w.frames = s.frames.Load() + n
	s.wanted = append(s.wanted, w)
	s.mu.Unlock()
	select {
	case <-w.done:
		return nil
	case <-s.down:
		return fmt.Errorf("the subscription to %s ended", s.publisher)
	case <-ctx.Done():
		return fmt.Errorf("waiting for %d frames of %s, got %+v: %w", n, s.publisher, s.Received(), ctx.Err())
	}
}

// Close ends the subscription with a DELETE and waits until nothing of it is left.
func (s *Subscription) Close(ctx context.Context) error {
	s.guest.drop(s)
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	err := s.end(ctx)
	s.loops.Wait()
	return err
}

// Choose asks for a simulcast layer while the subscription goes on; "auto" leaves it to the server. A refusal is a
// [*Refusal], 409 if there is no such layer.
func (s *Subscription) Choose(ctx context.Context, layer string) error {
	body, err := json.Marshal(map[string]string{"layer": layer})
	if err != nil {
		return err
	}
	resp, err := s.request(ctx, http.MethodPut, s.resource+"/layer", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return refusal(resp)
	}
	return nil
}
