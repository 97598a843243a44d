package sfu

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"
)

// Notify is told what becomes of a peer. Functions may be nil. They are called from the
// engine's goroutines, one at a time for each peer and never under a lock; they
// must only post and return. They may be called before Publish or Subscribe has returned.
type Notify struct {
	// Connected: DTLS is up. At most once.
	Connected func()
	// Media: the first RTP packet was received (publication) or sent (subscription).
	// At most once, after Connected.
	Media func()
	// Closed: the end, exactly once, whatever the cause, for every peer that Publish or Subscribe
	// returned. nil means closed by this side or with a goodbye from the other.
	Closed func(error)
}

var (
	errNeverConnected = errors.New("sfu: the peer did not connect in time")
	errVanished       = errors.New("sfu: nothing was heard of the peer for too long")
)

// Peer is one WebRTC transport, seen as a [Publication] or a [Subscription]. One goroutine, run, looks after it and makes all calls of Notify;
// everybody else only wakes it.
type Peer struct {
	engine *Engine
	pc     *webrtc.PeerConnection
	offer  *offer
	notify Notify
	side   side

	wake  chan struct{} // something may have changed
	media atomic.Bool   // RTP flows or has flown
	up    atomic.Bool   // DTLS is or was up
	done  chan struct{}

	mu      sync.Mutex
	etag    string
	closing chan struct{}
	cause   error
	workers sync.WaitGroup // the goroutines of streams

	negotiation sync.Mutex // one Patch at a time
	candidates  int        // taken from the other side so far
}

// side is what differs between publications and subscriptions in a peer's life.
type side interface {
	connected()
	look(now time.Time) time.Duration // do what is due; how long until something may be due again
	closed()
}

// connect makes a peer for o and the complete answer to it. prepare is called before the negotiation.
func (e *Engine) connect(ctx context.Context, o *offer, n Notify, s side, p *Peer, r *interceptor.Registry, prepare func(*webrtc.PeerConnection) error) (string, error) {
	*p = Peer{
		engine: e, offer: o, notify: n, side: s, etag: rand.Text(),
		wake: make(chan struct{}, 1), done: make(chan struct{}), closing: make(chan struct{}),
	}
	if err := e.admit(p); err != nil {
		return "", err
	}
	answer, err := p.open(ctx, r, prepare)
	if err != nil {
		p.abandon()
		return "", err
	}
	go p.run()
	return answer, nil
}

func (p *Peer) open(ctx context.Context, r *interceptor.Registry, prepare func(*webrtc.PeerConnection) error) (string, error) {
	m, err := p.offer.mediaEngine()
	if err != nil {
		return "", refuse(Malformed, "the offer's payload types are in conflict")
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(r), webrtc.WithSettingEngine(p.engine.settings))
	p.pc, err = api.NewPeerConnection(webrtc.Configuration{Certificates: []webrtc.Certificate{p.engine.certificate}})
	if err != nil {
		return "", fmt.Errorf("sfu: new peer: %w", err)
	}
	p.pc.OnConnectionStateChange(func(webrtc.PeerConnectionState) { p.changed() })
	if err := prepare(p.pc); err != nil {
		return "", fmt.Errorf("sfu: new peer: %w", err)
	}
	answer, err := p.negotiate(ctx, p.offer.sdp(nil))
	if err != nil {
		return "", err
	}
	p.addCandidates(p.offer.candidates)
	return p.offer.finish(answer)
}

// negotiate gives the stack an offer and returns the answer with all candidates.
func (p *Peer) negotiate(ctx context.Context, offer string) (string, error) {
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		p.engine.log.Debug("offer not understood", "error", err)
		return "", refuse(Malformed, "the offer cannot be answered")
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	answer, err := p.pc.CreateAnswer(&webrtc.AnswerOptions{OfferAnswerOptions: webrtc.OfferAnswerOptions{ICETricklingSupported: true}})
	if err != nil {
		return "", fmt.Errorf("sfu: answer: %w", err)
	}
	if err := p.pc.SetLocalDescription(answer); err != nil {
		return "", fmt.Errorf("sfu: answer: %w", err)
	}
	select {
	case <-gathered:
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("sfu: gathering candidates: %w", err)
	}
	return p.pc.LocalDescription().SDP, nil
}

// abandon undoes connect.
func (p *Peer) abandon() {
	p.stop(nil)
	if p.pc != nil {
		_ = p.pc.GracefulClose()
	}
	p.workers.Wait()
	p.engine.depart(p, true)
	close(p.done)
}

// changed wakes the peer's goroutine. It never blocks.
func (p *Peer) changed() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// flowing notes that RTP flows.
func (p *Peer) flowing() {
	if !p.media.Swap(true) {
		p.changed()
	}
}

// work runs f in a goroutine that the peer's end waits for; not at all once the end has begun.
func (p *Peer) work(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closing:
	default:
		p.workers.Go(f)
	}
}

// stop begins the end.
func (p *Peer) stop(cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closing:
	default:
		p.cause = cause
		close(p.closing)
	}
}

// run is the peer's life from its answer to its end.
func (p *Peer) run() {
	flowing := false
	deadline := time.NewTimer(p.engine.timing.pending)
	defer deadline.Stop()
	next := time.NewTimer(time.Hour)
	defer next.Stop()
	for open := true; open; {
		select {
		case <-p.closing:
			open = false
			continue
		case <-deadline.C:
			if !p.up.Load() {
				p.stop(errNeverConnected)
			}
			continue
		case <-p.wake:
		case <-next.C:
		}
		if !p.up.Load() && (p.media.Load() || p.pc.ConnectionState() == webrtc.PeerConnectionStateConnected) {
			p.up.Store(true)
			p.engine.connected()
			call(p.notify.Connected)
			p.side.connected()
		}
		if !flowing && p.media.Load() {
			flowing = true
			call(p.notify.Media)
		}
		p.checkState()
		next.Reset(p.side.look(time.Now()))
	}
	p.finish()
}

// checkState ends a peer whose transport has ended.
func (p *Peer) checkState() {
	switch p.pc.ConnectionState() {
	case webrtc.PeerConnectionStateClosed: // not by us: the other side said goodbye
		p.stop(nil)
	case webrtc.PeerConnectionStateFailed:
		if p.up.Load() {
			p.stop(errVanished)
		} else {
			p.stop(errNeverConnected)
		}
	}
}

func (p *Peer) finish() {
	p.side.closed()
	if err := p.pc.GracefulClose(); err != nil {
		p.engine.log.Debug("closing a peer", "error", err)
	}
	p.workers.Wait()
	p.engine.depart(p, !p.up.Load())
	if p.notify.Closed != nil {
		p.notify.Closed(p.cause)
	}
	close(p.done)
}

func call(f func()) {
	if f != nil {
		f()
	}
}

// Close ends the peer with a goodbye. It does not wait for the end; Done does.
func (p *Peer) Close() { p.stop(nil) }

// Done is closed when nothing of the peer runs any more, after Notify.Closed.
func (p *Peer) Done() <-chan struct{} { return p.done }

// ETag identifies the ICE session (RFC 9725, section 4.3.1), without quotes. It changes
// with each ICE restart.
func (p *Peer) ETag() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.etag
}
