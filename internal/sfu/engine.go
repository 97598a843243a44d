package sfu

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
)

// Options say what an Engine works with.
type Options struct {
	// Conn is the one UDP socket for all peers. The engine owns it and closes it.
	Conn net.PacketConn
	// IPs are announced in candidates in place of the socket's own addresses,
	// for hosts behind one-to-one NAT. Nil announces the socket's own.
	IPs []net.IP
	// Log may be nil.
	Log *slog.Logger
	// MaxPending bounds the peers that are not connected yet; 0 means 1000.
	MaxPending int

	timing timing // zero means the usual times
}

// timing is how patient the engine is.
type timing struct {
	pending      time.Duration // for the connection to come up
	disconnected time.Duration // of silence before the peer counts as disconnected
	failed       time.Duration // in that state before the peer counts as gone
	keepalive    time.Duration // between our connectivity checks
	dead         time.Duration // of silence before a layer is given up
	poll         time.Duration // between looks at a transport from which no news came
}

// The silence that ends a peer is 7 + 19 seconds, found out within 2: less than the 30
// after which consent expires (RFC 7675).
var usual = timing{
	pending: 15 * time.Second, disconnected: 7 * time.Second, failed: 19 * time.Second,
	keepalive: 2 * time.Second, dead: 2 * time.Second, poll: 2 * time.Second,
}

// ErrTooMany tells that too many peers are waiting for their connection.
var ErrTooMany = errors.New("sfu: too many pending peers")

// ErrClosed tells that the engine or the peer has been closed.
var ErrClosed = errors.New("sfu: closed")

// Engine answers offers and forwards media between the peers behind them.
// Its methods are safe for concurrent use.
type Engine struct {
	log         *slog.Logger
	mux         *mux
	settings    webrtc.SettingEngine
	certificate webrtc.Certificate
	maxPending  int
	timing      timing
	counters    counters

	mu      sync.Mutex
	closed  bool
	pending int
	peers   map[*Peer]struct{}
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
	o.timing.poll = cmp.Or(o.timing.poll, usual.poll)
	e := &Engine{log: o.Log, maxPending: o.MaxPending, timing: o.timing, peers: map[*Peer]struct{}{}}
	var err error
	if e.certificate, err = newCertificate(); err != nil {
		return nil, fmt.Errorf("sfu: certificate: %w", err)
	}
	if e.mux, err = newMux(o.Conn, o.IPs, o.Log); err != nil {
		return nil, err
	}
	if err := e.set(o); err != nil {
		return nil, errors.Join(err, e.mux.Close())
	}
	return e, nil
}

func (e *Engine) set(o Options) error {
	s := &e.settings
	s.LoggerFactory = logs{o.Log}
	s.SetICEUDPMux(e.mux)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	s.SetIncludeLoopbackCandidate(true) // mux decides which addresses there are
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetICETimeouts(o.timing.disconnected, o.timing.failed, o.timing.keepalive)
	s.SetReceiveMTU(receiveMTU)
	// As the DTLS server we choose the cipher. GCM costs an eighth of CM with SHA-1.
	s.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	pending := o.timing.pending
	s.SetDTLSConnectContextMaker(func() (context.Context, func()) {
		return context.WithTimeout(context.Background(), pending)
	})
	return s.SetAnsweringDTLSRole(webrtc.DTLSRoleServer)
}

// newCertificate makes the certificate for the DTLS connections of all peers. Peers check its
// fingerprint, nothing else; so it lives for as long as any process.
func newCertificate() (webrtc.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return webrtc.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return webrtc.Certificate{}, err
	}
	c, err := webrtc.NewCertificate(key, x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "WebRTC"},
		NotBefore: time.Now().AddDate(0, 0, -1), NotAfter: time.Now().AddDate(20, 0, 0),
	})
	if err != nil {
		return webrtc.Certificate{}, err
	}
	return *c, nil
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
	return e.mux.Close()
}

// Healthy tells whether the socket is read: false after Close, and while reading fails.
func (e *Engine) Healthy() bool {
	return !e.mux.IsClosed() && !e.mux.socket.failing(time.Now())
}

// admit takes a pending peer in; Peer.finish or Peer.abandon take it out again.
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
