package sfu

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// port is the engine's one UDP socket, with the TCP connections of those who cannot use it (pipe.go), and the links behind
// both. Who sends to it is told by two tables: a connectivity check names its ICE session, and the addresses that such
// checks came from belong to the session's link from then on. Whatever else comes costs one look into a table.
type port struct {
	log       *slog.Logger
	conn      net.PacketConn
	local     *net.UDPAddr
	listener  net.Listener // nil without TCP
	announced []netip.AddrPort
	twins     []netip.AddrPort // announced for TCP
	identity  identity
	timing    timing

	failed   atomic.Int64                       // when a read failed last, in Unix nanoseconds
	refused  *atomic.Uint64                     // counts packets that the socket did not take
	lent     lent                               // batches
	parts    chan *part                         // of rounds, for those who help
	transmit func(*batch)                       // sends what is in a batch and empties it
	send     func([]byte, netip.AddrPort) error // sends a datagram and never waits; nil, like poll, where the system cannot do that
	poll     func()                             // reads what has come, and does not wait
	once     sync.Once
	closed   chan struct{}
	workers  sync.WaitGroup

	touched []*link // has got packets in the present read; owned by the reader

	mu        sync.Mutex // held for a look into the tables
	sessions  map[string]*session
	addresses map[netip.AddrPort]*link
	claims    map[netip.AddrPort]*link // to addresses that are another's
	pipes     map[netip.AddrPort]*pipe
	strangers []*pipe // that are nobody's yet, the oldest first
	links     map[*link]struct{}
}

const (
	socketBuffer = 4 << 20                // for the bursts of many publishers' frames; the kernel may grant less
	readPause    = 10 * time.Millisecond  // after a failed read
	failureSpan  = time.Second            // for which a failed read tells on the socket
	receiveMTU   = 2048                   // larger datagrams are no media
	tendEvery    = 100 * time.Millisecond // or more often, to look for links that need a check
)

func openPort(conn net.PacketConn, ips []net.IP, log *slog.Logger, t timing, refused *atomic.Uint64) (*port, error) {
	local, ok := conn.LocalAddr().(*net.UDPAddr)
	if !ok {
		return nil, fmt.Errorf("sfu: %v is not a UDP address", conn.LocalAddr())
	}
	p := &port{
		log: log, conn: conn, local: local, timing: t, refused: refused, closed: make(chan struct{}),
		sessions: map[string]*session{}, addresses: map[netip.AddrPort]*link{}, claims: map[netip.AddrPort]*link{}, links: map[*link]struct{}{},
		pipes: map[netip.AddrPort]*pipe{}, parts: make(chan *part),
	}
	var err error
	if p.identity, err = newIdentity(); err != nil {
		return nil, fmt.Errorf("sfu: certificate: %w", err)
	}
	if p.announced, err = announced(ips, local.IP, local.Port); err != nil {
		return nil, err
	}
	read := p.open()
	p.workers.Go(func() { p.run(read) })
	p.workers.Go(p.tend)
	for range crew() {
		p.workers.Go(p.help)
	}
	return p, nil
}

// open chooses how to read and write: many datagrams at a time where the system can do it.
func (p *port) open() (read func() error) {
	p.transmit = p.transmitSingly
	c, ok := p.conn.(*net.UDPConn)
	if !ok {
		return p.readAnyhow()
	}
	_ = c.SetReadBuffer(socketBuffer)
	_ = c.SetWriteBuffer(socketBuffer)
	if read := p.openBatched(c); read != nil {
		return read
	}
	return p.readSingly(c)
}

func (p *port) readAnyhow() func() error {
	b := make([]byte, receiveMTU)
	return func() error {
		n, from, err := p.conn.ReadFrom(b)
		if u, ok := from.(*net.UDPAddr); ok && err == nil {
			p.take(b[:n], unmapped(u.AddrPort()), time.Now())
		}
		return err
	}
}

func (p *port) readSingly(c *net.UDPConn) func() error {
	b := make([]byte, receiveMTU)
	return func() error {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if err == nil {
			p.take(b[:n], unmapped(from), time.Now())
		}
		return err
	}
}

func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// run reads until the port is closed. An error of a read ends nothing.
func (p *port) run(read func() error) {
	for {
		err := read()
		p.pass()
		if err != nil && !p.again(err) {
			return
		}
	}
}

// again tells whether to read again after err, having paused for a moment.
func (p *port) again(err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	p.failed.Store(time.Now().UnixNano())
	return p.pause()
}

// pause waits for a moment and tells whether the port is still open.
func (p *port) pause() bool {
	pause := time.NewTimer(readPause)
	defer pause.Stop()
	select {
	case <-pause.C:
		return true
	case <-p.closed:
		return false
	}
}

// healthy tells whether the socket is read.
func (p *port) healthy(now time.Time) bool {
	select {
	case <-p.closed:
		return false
	default:
		return now.UnixNano()-p.failed.Load() >= int64(failureSpan)
	}
}

// take passes a datagram on by its first byte (RFC 7983).
func (p *port) take(b []byte, from netip.AddrPort, now time.Time) {
	switch {
	case len(b) == 0:
	case b[0] < 4:
		p.takeCheck(b, from, now)
	case b[0] >= 20 && b[0] < 64:
		if l := p.at(from); l != nil {
			l.takeRecord(b)
		}
	case b[0] >= 128 && b[0] < 192:
		if l := p.at(from); l != nil && l.put(b, from, now) {
			p.touched = append(p.touched, l)
		}
	}
}

func (p *port) takeCheck(b []byte, from netip.AddrPort, now time.Time) {
	var m stunMessage
	if !m.parse(b) {
		return
	}
	switch m.kind {
	case bindingRequest:
		ours, theirs, _ := cutByte(m.username, ':')
		p.mu.Lock()
		s := p.sessions[string(ours)]
		p.mu.Unlock()
		if s != nil {
			s.link.asked(s, &m, theirs, from, now)
		}
	case bindingSuccess:
		p.takeAnswer(&m, from, now)
	}
}

// takeAnswer takes the answer to a check. It makes an address that was another link's the property of who claimed it.
func (p *port) takeAnswer(m *stunMessage, from netip.AddrPort, now time.Time) {
	p.mu.Lock()
	owner, claimant := p.addresses[from], p.claims[from]
	p.mu.Unlock()
	if claimant == nil || !claimant.answered(m, from, now) {
		if owner != nil {
			owner.answered(m, from, now)
		}
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.claims[from] == claimant { // it may have ended meanwhile
		p.addresses[from] = claimant
		delete(p.claims, from)
	}
}

// release gives up an address. p.mu is held.
func (p *port) release(l *link, a netip.AddrPort) {
	if p.addresses[a] == l {
		delete(p.addresses, a)
	}
	if p.claims[a] == l {
		delete(p.claims, a)
	}
}

func cutByte(b []byte, sep byte) (before, after []byte, found bool) {
	if i := slices.Index(b, sep); i >= 0 {
		return b[:i], b[i+1:], true
	}
	return b, nil, false
}

// at finds the link that an address belongs to.
func (p *port) at(from netip.AddrPort) *link {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.addresses[from]
}

// tend has each link make the connectivity checks that are due.
func (p *port) tend() {
	tick := time.NewTicker(min(p.timing.keepalive, tendEvery))
	defer tick.Stop()
	var all []*link
	for {
		select {
		case <-p.closed:
			return
		case <-tick.C:
		}
		p.mu.Lock()
		for l := range p.links {
			all = append(all, l)
		}
		p.mu.Unlock()
		now := time.Now()
		for _, l := range all {
			l.tend(now)
		}
		clear(all)
		all = all[:0]
	}
}

// write sends one datagram that is not media.
func (p *port) write(b []byte, to netip.AddrPort) error {
	if to.Addr().Zone() == overTCP {
		return p.writePiped(b, to)
	}
	if p.send != nil {
		return p.send(b, to)
	}
	var err error
	if c, ok := p.conn.(*net.UDPConn); ok {
		_, err = c.WriteToUDPAddrPort(b, to)
	} else {
		_, err = p.conn.WriteTo(b, net.UDPAddrFromAddrPort(to))
	}
	return err
}

// transmitSingly sends a batch datagram by datagram.
func (p *port) transmitSingly(b *batch) {
	for i := range b.trains {
		for packet := range b.trains[i].packets(b.bytes) {
			if p.write(packet, b.trains[i].to.AddrPort) != nil {
				p.refused.Add(1)
			}
		}
	}
}

// close ends the reading. All links must be closed.
func (p *port) close() (err error) {
	p.once.Do(func() {
		close(p.closed)
		err = p.conn.Close()
		p.closePipes()
	})
	p.workers.Wait()
	return err
}

// candidates are the values of the a=candidate lines that announce the port.
func (p *port) candidates() []string {
	var all []string
	for i, a := range p.announced {
		priority := 126<<24 | (65535-i)<<8 | 255 // RFC 8445, section 5.1.2
		all = append(all, fmt.Sprintf("%d 1 udp %d %s %d typ host", i+1, priority, a.Addr(), a.Port()))
	}
	for i, a := range p.twins {
		priority := 90<<24 | (4<<13|(8191-i))<<8 | 255 // RFC 6544, section 4.2: below all of UDP
		all = append(all, fmt.Sprintf("%d 1 tcp %d %s %d typ host tcptype passive", len(p.announced)+i+1, priority, a.Addr(), a.Port()))
	}
	return all
}

// announced are the addresses that candidates tell of a socket: ips, if there are any, in place of its own.
func announced(ips []net.IP, local net.IP, port int) ([]netip.AddrPort, error) {
	if len(ips) == 0 {
		var err error
		if ips, err = interfaces(local); err != nil {
			return nil, err
		}
	}
	var all []netip.AddrPort
	for _, ip := range ips {
		if a, ok := netip.AddrFromSlice(ip); ok {
			all = append(all, netip.AddrPortFrom(a.Unmap(), uint16(port)))
		}
	}
	return all, nil
}

// interfaces lists the addresses under which a local socket is reached: its own, or for a socket on all
// interfaces those of the interfaces. Loopback is the last resort.
func interfaces(local net.IP) ([]net.IP, error) {
	if !local.IsUnspecified() {
		return []net.IP{local}, nil
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("sfu: interface addresses: %w", err)
	}
	var outer, loopback []net.IP
	for _, a := range all {
		n, ok := a.(*net.IPNet)
		switch {
		case !ok || n.IP.IsLinkLocalUnicast() || local.To4() != nil && n.IP.To4() == nil:
		case n.IP.IsLoopback():
			loopback = append(loopback, n.IP)
		default:
			outer = append(outer, n.IP)
		}
	}
	if len(outer) == 0 {
		return loopback, nil
	}
	return outer, nil
}
