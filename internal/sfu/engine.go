package sfu

import (
	"cmp"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Options say what an Engine works with.
type Options struct {
	// Conn is the one UDP socket for all peers. The engine owns it and closes it.
	Conn net.PacketConn
	// Listener takes the TCP connections of peers whose network lets no UDP through; nil for none. It is the engine's, like Conn.
	Listener net.Listener
	// IPs are announced in candidates in place of the socket's own addresses,
	// for hosts behind one-to-one NAT. Nil announces the socket's own.
	IPs []net.IP
	// Log may be nil.
	Log *slog.Logger
	// MaxPending bounds the peers that are not connected yet; 0 means 1000.
	MaxPending int
	// Patience is how long a peer may take to get connected; 0 means 15 s.
	Patience time.Duration

	timing timing // zero means the usual times
}

// timing is how patient the engine is.
type timing struct {
	pending      time.Duration // for the connection to come up
	disconnected time.Duration // of silence before the peer counts as disconnected
	failed       time.Duration // in that state before the peer counts as gone
	keepalive    time.Duration // between checks that the address which media go to agrees to it
	dead         time.Duration // of silence before a layer is given up
	poll         time.Duration // between looks at a peer from which no news came
}

// rest is how long an address that has answered is left alone: keepalive, give or take a fifth, so that checks do not keep step (RFC 7675, section 5.1).
func (t timing) rest() time.Duration {
	return t.keepalive*4/5 + rand.N(t.keepalive*2/5)
}

// The silence of where media go to that ends a peer is 7 + 19 seconds, found out within 2: less than the 30
// after which consent expires (RFC 7675). Checks about five seconds apart, as that RFC has them.
var usual = timing{
	pending: 15 * time.Second, disconnected: 7 * time.Second, failed: 19 * time.Second,
	keepalive: 5 * time.Second, dead: 2 * time.Second, poll: 2 * time.Second,
}

// ErrTooMany tells that too many peers are waiting for their connection.
var ErrTooMany = errors.New("sfu: too many pending peers")

// ErrClosed tells that the engine or the peer has been closed.
var ErrClosed = errors.New("sfu: closed")

// Engine answers offers and forwards media between the peers behind them.
// Its methods are safe for concurrent use.
type Engine struct {
	log        *slog.Logger
	port       *port
	maxPending int
	timing     timing
	counters   counters

	mu      sync.Mutex
	closed  bool
	pending int
	peers   map[*Peer]struct{}
	viewers map[string]*allowance // by name
}

// Open starts an engine on the socket in o.
func Open(o Options) (*Engine, error) {
	if o.Conn == nil {
		return nil, errors.New("sfu: no socket")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxPending == 0 {
		o.MaxPending = 1000
	}
	if o.timing == (timing{}) {
		o.timing = usual
	}
	o.timing.pending = cmp.Or(o.Patience, o.timing.pending)
	o.timing.poll = cmp.Or(o.timing.poll, usual.poll)
	e := &Engine{log: o.Log, maxPending: o.MaxPending, timing: o.timing, peers: map[*Peer]struct{}{}, viewers: map[string]*allowance{}}
	var err error
	if e.port, err = openPort(o.Conn, o.IPs, o.Log, o.timing, &e.counters.writeErrors); err != nil {
		return nil, err
	}
	if o.Listener != nil {
		if err = e.port.listen(o.Listener, o.IPs); err != nil {
			return nil, errors.Join(err, e.port.close())
		}
	}
	return e, nil
}

// Close closes all peers and the socket, and returns when nothing of the engine
// runs any more.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closed = true
	var left []*Peer
	for p := range e.peers {
		left = append(left, p)
	}
	e.mu.Unlock()
	for _, p := range left {
		p.Close()
	}
	for _, p := range left {
		<-p.Done()
	}
	return e.port.close()
}

// Addresses are those that candidates announce for UDP, the best first.
func (e *Engine) Addresses() []netip.AddrPort { return slices.Clone(e.port.announced) }

// Healthy tells whether the socket is read: false after Close, and while reading fails.
func (e *Engine) Healthy() bool {
	return e.port.healthy(time.Now())
}

// admit takes a pending peer in; Peer.finish or connect take it out again.
func (e *Engine) admit(p *Peer) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return ErrClosed
	}
	if e.pending >= e.maxPending {
		return ErrTooMany
	}
	e.pending++
	e.peers[p] = struct{}{}
	return nil
}

func (e *Engine) connected() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pending--
}

func (e *Engine) depart(p *Peer, pending bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.peers, p)
	if pending {
		e.pending--
	}
}
