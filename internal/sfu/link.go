package sfu

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtcp"
	"github.com/pion/transport/v5/packetio"
)

// link is the way to one peer: ICE finds its address (ice.go), DTLS agrees on keys (handshake.go), SRTP
// protects the packets (srtp.go). It is made before the peer is known to exist; its port feeds it.
type link struct {
	port      *port
	handshake handshake
	wake      func()      // packets have come, or the state has changed; must not block
	serve     func() bool // see Publication.serve; nil for a link to a subscriber
	inbox     inbox
	remote    atomic.Pointer[address] // where media go; nil before ICE has found and proved it
	heard     atomic.Int64            // when something authentic came last, in Unix nanoseconds
	consent   atomic.Int64            // when the address that media go to agreed to it last
	stage     atomic.Int32            // a linkStage
	keys      atomic.Pointer[keys]    // set before the stage is linkUp
	trip      atomic.Int64            // the last round trip, in nanoseconds
	sends     bool                    // the peer does, and gets reports only: its media are an answer, too
	opened    opened                  // owned by whoever calls receive

	mu        sync.Mutex
	current   *session
	next      *session   // of an ICE restart, until the peer uses it
	known     []*address // from which authentic checks came, the oldest first
	candidate candidate  // chosen by the peer, not proved yet
	answers   ration
	rival     *address  // the peer checks from there, not from where it has chosen to be
	doubted   time.Time // since when it does
	closed    bool
	shook     int  // bytes of the peer's side of the handshake
	shaking   bool // the handshake has begun
	conn      *dtls.Conn
	records   *packetio.Buffer // DTLS that has come
	workers   sync.WaitGroup
}

// linkStage is how far a link has come.
type linkStage int32

const (
	linkNew  linkStage = iota
	linkUp             // keys are agreed on
	linkBye            // the other side has said goodbye
	linkLost           // the handshake has failed
)

// address is where a peer is.
type address struct {
	netip.AddrPort
	native nativeAddress
	pipe   *pipe // nil for UDP
	inquiry
}

var errNotConnected = errors.New("sfu: the peer is not connected")

// dial makes a link to whoever has these credentials and agrees to that handshake.
func (p *port) dial(remote credentials, h handshake, wake func(), serve func() bool) *link {
	l := &link{port: p, handshake: h, wake: wake, serve: serve, records: packetio.NewBuffer()}
	l.records.SetLimitSize(recordBacklog)
	now := time.Now().UnixNano()
	l.heard.Store(now)
	l.consent.Store(now)
	l.current = newSession(l, remote)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.links[l] = struct{}{}
	p.sessions[l.current.local.ufrag] = l.current
	return l
}

// state tells the stage, linkUp not before media can be sent.
func (l *link) state() linkStage {
	s := linkStage(l.stage.Load())
	if s == linkUp && l.remote.Load() == nil {
		return linkNew
	}
	return s
}

func (l *link) become(s linkStage) {
	l.stage.Store(int32(s))
	l.wake()
}

// silence is how long the address that media go to has not agreed to it. What the peer says from elsewhere does not break it.
func (l *link) silence(now time.Time) time.Duration {
	return time.Duration(now.UnixNano() - l.consent.Load())
}

// sendReports sends RTCP. It may be lost, so there is nothing to be done about errors.
func (l *link) sendReports(packets ...rtcp.Packet) error {
	to, k := l.remote.Load(), l.keys.Load()
	if to == nil || k == nil {
		return errNotConnected
	}
	plain, err := rtcp.Marshal(packets)
	if err != nil {
		return err
	}
	sealed, err := k.sealReports(plain)
	if err != nil {
		return err
	}
	return l.port.write(sealed, to.AddrPort)
}

// close says goodbye, and returns when nothing of the link runs any more.
func (l *link) close() {
	l.mu.Lock()
	l.closed = true
	conn := l.conn
	l.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
	_ = l.records.Close()
	l.workers.Wait()
	l.forget()
}

// forget takes the link out of the port's tables, and itself out of what is known of its addresses: batches may keep those for long.
func (l *link) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.port
	p.mu.Lock()
	delete(p.links, l)
	delete(p.sessions, l.current.local.ufrag)
	if l.next != nil {
		delete(p.sessions, l.next.local.ufrag)
	}
	for _, a := range l.known {
		p.release(l, a.AddrPort)
	}
	p.mu.Unlock()
	for _, a := range append(l.known, l.remote.Load()) {
		if a != nil {
			a.inquiry = inquiry{}
			a.leave()
		}
	}
}

// inbox holds the SRTP and SRTCP that the port's reader has got for a link, until the peer's goroutine
// takes it: all of it at once, so that who is late sends longer trains.
type inbox struct {
	mu    sync.Mutex
	bytes []byte
	ends  []arrival
}

// arrival is a packet's end in the inbox, its time, and whether it came from where media go to.
type arrival struct {
	end  int32
	home bool
	at   time.Time
}

const (
	mediaBacklog  = 512 << 10 // bytes; what comes while so much waits is dropped
	earlyBacklog  = 16 << 10  // before there are keys, so that those who never agree on any cost little
	recordBacklog = 64 << 10
	keptBacklog   = 64 << 10 // memory that an emptied inbox keeps
)

// put keeps a packet, and tells whether the peer is to be woken.
func (l *link) put(b []byte, from netip.AddrPort, now time.Time) bool {
	room := mediaBacklog
	if l.keys.Load() == nil {
		room = earlyBacklog
	}
	remote := l.remote.Load()
	return l.inbox.put(b, remote != nil && remote.AddrPort == from, now, room)
}

// put keeps a copy of b, unless more than room would wait, and tells whether the inbox was empty.
func (i *inbox) put(b []byte, home bool, now time.Time, room int) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.bytes)+len(b) > room {
		return false
	}
	i.bytes = append(i.bytes, b...)
	i.ends = append(i.ends, arrival{int32(len(i.bytes)), home, now})
	return len(i.ends) == 1
}

// swap takes everything, and gives memory for what will come.
func (i *inbox) swap(bytes []byte, ends []arrival) ([]byte, []arrival) {
	if cap(bytes) > keptBacklog {
		bytes = nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	gotBytes, gotEnds := i.bytes, i.ends
	i.bytes, i.ends = bytes[:0], ends[:0]
	return gotBytes, gotEnds
}
