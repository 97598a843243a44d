package sfu

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
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
	// returned. nil means closed by this side or with a goodbye from the other. The peer's transport
	// may take a moment longer to wind up: see Done.
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

	streams     atomic.Int32 // that the other side has sent so far
	negotiation sync.Mutex   // one Patch at a time
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

func (p *Peer) open(ctx context.Context, r *interceptor.Registry, prepare func(*webrtc.PeerConnection) error) (answer string, err error) {
	defer p.engine.survive(&err)
	m, err := p.offer.mediaEngine()
	if err != nil {
		return "", refuse(Malformed, "the offer's payload types are in conflict")
	}
	settings := p.engine.settings
	settings.BufferFactory = p.buffer
	api := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(r), webrtc.WithSettingEngine(settings))
	p.pc, err = api.NewPeerConnection(webrtc.Configuration{Certificates: []webrtc.Certificate{p.engine.certificate}})
	if err != nil {
		return "", fmt.Errorf("sfu: new peer: %w", err)
	}
	p.pc.OnConnectionStateChange(func(webrtc.PeerConnectionState) { p.changed() })
	p.pc.OnICEConnectionStateChange(func(webrtc.ICEConnectionState) { p.changed() })
	if err := prepare(p.pc); err != nil {
		return "", fmt.Errorf("sfu: new peer: %w", err)
	}
	if answer, err = p.negotiate(ctx, p.offer.sdp(nil)); err != nil {
		return "", err
	}
	return p.offer.finish(answer)
}

// negotiate gives the stack an offer and returns the answer with all candidates.
func (p *Peer) negotiate(ctx context.Context, offer string) (_ string, err error) {
	defer p.engine.survive(&err)
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

// survive, deferred, turns a panic over what a stranger has sent into a refusal: it must
// not end everybody else's call. It is a bug of ours or of the stack, so it is logged.
func (e *Engine) survive(err *error) {
	if r := recover(); r != nil {
		e.log.Error("an offer caused a panic", "panic", r, "stack", string(debug.Stack()))
		*err = refuse(Malformed, "the offer cannot be answered")
	}
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

// run is the peer's life from its answer to its end. Not every change of the transports wakes
// it for sure, so it looks for itself now and then.
func (p *Peer) run() {
	flowing, late := false, false
	deadline := time.NewTimer(p.engine.timing.pending)
	defer deadline.Stop()
	next := time.NewTimer(p.engine.timing.poll)
	defer next.Stop()
	for open := true; open; {
		select {
		case <-p.closing:
			open = false
			continue
		case <-deadline.C:
			late = true
		case <-p.wake:
		case <-next.C:
		}
		if !p.up.Load() && (p.media.Load() || p.isConnected()) {
			p.up.Store(true)
			p.engine.connected()
			call(p.notify.Connected)
			p.side.connected()
		}
		if !flowing && p.media.Load() {
			flowing = true
			call(p.notify.Media)
		}
		p.checkState(late)
		next.Reset(min(p.side.look(time.Now()), p.engine.timing.poll))
	}
	p.finish()
}

// isConnected asks both transports. The peer connection's own state is not to be
// trusted here: it is computed in two goroutines and the older result may win.
func (p *Peer) isConnected() bool {
	ice := p.pc.ICEConnectionState()
	return (ice == webrtc.ICEConnectionStateConnected || ice == webrtc.ICEConnectionStateCompleted) &&
		p.pc.SCTP().Transport().State() == webrtc.DTLSTransportStateConnected
}

// checkState ends a peer whose transports have ended, or are not up when it is too late.
func (p *Peer) checkState(late bool) {
	goodbye, failed := ended(p.pc.ICEConnectionState(), p.pc.SCTP().Transport().State())
	up := p.up.Load()
	switch {
	case goodbye:
		p.stop(nil)
	case failed && up:
		p.stop(errVanished)
	case failed || late && !up:
		p.stop(errNeverConnected)
	}
}

// ended tells by the states of the transports whether the other side has said goodbye, or else whether
// it cannot be reached.
func ended(ice webrtc.ICEConnectionState, dtls webrtc.DTLSTransportState) (goodbye, failed bool) {
	if dtls == webrtc.DTLSTransportStateClosed { // not by us: we have not begun to close yet
		return true, false
	}
	return false, ice == webrtc.ICEConnectionStateFailed || dtls == webrtc.DTLSTransportStateFailed
}

// finish tells the owner first: winding up the transport may take long.
func (p *Peer) finish() {
	p.side.closed()
	if p.notify.Closed != nil {
		p.notify.Closed(p.cause)
	}
	if err := p.pc.GracefulClose(); err != nil {
		p.engine.log.Debug("closing a peer", "error", err)
	}
	p.workers.Wait()
	p.engine.depart(p, !p.up.Load())
	close(p.done)
}

// exhausted tells whether a stream has ended by this error from reading it. All others are
// about a single packet.
func exhausted(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe)
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
