package sfu

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Notify is told what becomes of a peer. Functions may be nil. They are called from the
// engine's goroutines, one at a time for each peer and never under a lock that a method takes; they
// must only post and return. They may be called before Publish or Subscribe has returned.
type Notify struct {
	// Connected: DTLS is up. At most once.
	Connected func()
	// Media: the first RTP packet was received (publication) or sent (subscription).
	// At most once, after Connected.
	Media func()
	// Load: what a publication sent within the last window, every five seconds.
	Load func(Load)
	// Taken: what all subscriptions of a subscription's viewer take, every five seconds.
	Taken func(Taken)
	// Silent: whether audio and video have stopped, for lack of packets in five seconds, when that has changed.
	Silent func(audio, video bool)
	// Closed: the end, exactly once, whatever the cause, for every peer that Publish or Subscribe
	// returned. nil means closed by this side or with a goodbye from the other. The peer's transport
	// may take a moment longer to wind up: see Done.
	Closed func(error)
}

var (
	errNeverConnected = errors.New("sfu: the peer did not connect in time")
	errVanished       = errors.New("sfu: nothing was heard of the peer for too long")
)

// Peer is one WebRTC transport, seen as a [Publication] or a [Subscription]. One goroutine, run, looks after it, forwards what it sends and
// makes all calls of Notify; everybody else only wakes it. The port's reader alone may forward in its place.
type Peer struct {
	engine *Engine
	link   *link
	offer  *offer
	notify Notify
	side   side

	duty  sync.Mutex    // held by who forwards or looks after the peer, and for good once it has ended
	wake  chan struct{} // something may have changed
	media atomic.Bool   // RTP flows or has flowed
	up    atomic.Bool   // DTLS is or was up
	made  time.Time
	upAt  atomic.Int64 // when DTLS came up, in Unix nanoseconds
	rtt   atomic.Int64 // as the receiver's reports tell it, in nanoseconds
	done  chan struct{}

	mu      sync.Mutex
	etag    string
	closing chan struct{}
	cause   error

	negotiation sync.Mutex // one Patch at a time
}

// side is what differs between publications and subscriptions in a peer's life.
type side interface {
	receiver
	deliver() error // pass on what was received
	connected()
	look(now time.Time) time.Duration // do what is due; how long until something may be due again
	closed()
}

// connect makes a peer for o and the complete answer to it. Its goroutine is for the caller to start.
// serve is for its link.
func (e *Engine) connect(ctx context.Context, o *offer, n Notify, s side, p *Peer, serve func() bool) (string, error) {
	*p = Peer{
		engine: e, offer: o, notify: n, side: s, etag: rand.Text(),
		made: time.Now(), wake: make(chan struct{}, 1), done: make(chan struct{}), closing: make(chan struct{}),
	}
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("sfu: new peer: %w", err)
	}
	if err := e.admit(p); err != nil {
		return "", err
	}
	p.link = e.port.dial(credentials{o.ufrag, o.pwd}, o.handshake, p.changed, serve)
	answer, err := p.answer()
	if err != nil {
		p.stop(nil)
		p.link.close()
		e.depart(p, true)
		close(p.done)
		return "", err
	}
	return answer, nil
}

// answer writes the answer to the peer's offer.
func (p *Peer) answer() (_ string, err error) {
	defer p.engine.survive(&err)
	return p.offer.answer(p.link.current.local, p.engine.port)
}

// survive, deferred, turns a panic over what a stranger has sent into a refusal: it must
// not end everybody else's call. It is a bug of ours, so it is logged.
func (e *Engine) survive(err *error) {
	if r := recover(); r != nil {
		e.log.Error("an offer caused a panic", "panic", r, "stack", string(debug.Stack()))
		*err = refuse(Malformed, "the offer cannot be answered")
	}
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
	if !p.media.Load() && !p.media.Swap(true) {
		p.changed()
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
		p.duty.Lock()
		err := p.forward()
		p.duty.Unlock()
		if err != nil {
			p.stop(err)
			continue
		}
		if !p.up.Load() && (p.media.Load() || p.link.state() == linkUp) {
			p.upAt.Store(time.Now().UnixNano())
			p.up.Store(true)
			p.engine.connected()
			call(p.notify.Connected)
			p.side.connected()
		}
		if !flowing && p.media.Load() {
			flowing = true
			call(p.notify.Media)
		}
		now := time.Now()
		p.check(now, late)
		p.duty.Lock()
		wait := p.side.look(now)
		p.duty.Unlock()
		next.Reset(together(now, min(wait, p.engine.timing.poll)))
	}
	p.duty.Lock()
	p.finish()
}

// beat is what timers wait for that have time, so that the process wakes up once for many peers.
const beat = 50 * time.Millisecond

// together puts off to the next beat what is not due soon.
func together(now time.Time, wait time.Duration) time.Duration {
	if wait <= beat {
		return wait
	}
	return wait + beat - time.Duration(now.Add(wait).UnixNano())%beat
}

// forward takes what has come and passes it on.
func (p *Peer) forward() error {
	if err := p.link.receive(p.side); err != nil {
		return err
	}
	return p.side.deliver()
}

// check ends a peer whose link has ended, or is not up when it is too late.
func (p *Peer) check(now time.Time, late bool) {
	up, patience := p.up.Load(), p.engine.timing.disconnected+p.engine.timing.failed
	switch stage := p.link.state(); {
	case stage == linkBye:
		p.stop(nil)
	case stage == linkLost || late && !up:
		p.stop(errNeverConnected)
	case up && p.link.silence(now) > patience:
		p.stop(errVanished)
	}
}

// finish tells the owner first: winding up the link may take long.
func (p *Peer) finish() {
	p.side.closed()
	if p.notify.Closed != nil {
		p.notify.Closed(p.cause)
	}
	p.link.close()
	p.engine.depart(p, !p.up.Load())
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
