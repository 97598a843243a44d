package relay

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

var errFrame = errors.New("relay: a frame is longer than any that makes sense")

// patient is the UDP socket as the TURN server sees it, which would end at the first error of a read.
type patient struct {
	net.PacketConn
	relay *Relay
}

// ReadFrom implements net.PacketConn.
func (p patient) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := p.PacketConn.ReadFrom(b)
		switch {
		case err == nil && p.relay.astray(b[:n]):
		case err == nil || errors.Is(err, net.ErrClosed):
			return n, from, err
		default:
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// callers is the listener as the TURN server sees it: it admits only so many strangers at a time.
type callers struct {
	net.Listener
	relay *Relay
}

// Accept implements net.Listener.
func (l callers) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			if e, ok := err.(interface{ Temporary() bool }); ok && e.Temporary() { // such as too many open files
				time.Sleep(10 * time.Millisecond)
				continue
			}
			return nil, err
		}
		c := &caller{Conn: conn, relay: l.relay, in: bufio.NewReaderSize(conn, 2048)}
		if l.relay.admit(c) {
			return c, nil
		}
		_ = conn.Close()
	}
}

// admit lets a caller in, a stranger as yet.
func (r *Relay) admit(c *caller) bool {
	a, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return false
	}
	c.from = a.AddrPort()
	var oldest *caller
	defer func() { oldest.end() }()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	oldest = r.estrange(c)
	r.callers[c.from] = c
	r.open.Add(1)
	return true
}

// estrange puts a caller among the strangers, whom it takes a moment to come by an allocation; when there are too many of them, the
// oldest has to go. r.mu is held.
func (r *Relay) estrange(c *caller) (oldest *caller) {
	if len(r.strangers) >= maxStrangers {
		oldest = r.strangers[0]
		r.strangers = slices.Delete(r.strangers, 0, 1)
	}
	c.until = time.Now().Add(strangerSpan)
	r.strangers = append(r.strangers, c)
	return oldest
}

// introduced takes a caller off the list of strangers. r.mu is held.
func (r *Relay) introduced(c *caller) {
	r.strangers = slices.DeleteFunc(r.strangers, func(s *caller) bool { return s == c })
	c.until = time.Time{}
}

// find finds a caller; nil when it came over UDP. r.mu is held.
func (r *Relay) find(from net.Addr) *caller {
	if a, ok := from.(*net.TCPAddr); ok {
		return r.callers[a.AddrPort()]
	}
	return nil
}

// allocated is told of a new allocation. There is one for each connection, so they are bounded as places are.
func (r *Relay) allocated(from, _ net.Addr, _, _, _ string, _ net.Addr, _ int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.find(from); c != nil {
		r.introduced(c)
	}
}

// deallocated is told of the end of an allocation. Who has none any more may get another.
func (r *Relay) deallocated(from, _ net.Addr, _, _, _ string) {
	var oldest *caller
	defer func() { oldest.end() }()
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.find(from); c != nil {
		r.introduced(c)
		oldest = r.estrange(c)
	}
}

// caller is a client's TCP connection. Media that flow are heard of every few seconds; who is quiet for longer, or
// takes nothing, is gone. So is a stranger who remains one, whatever it says.
type caller struct {
	net.Conn
	relay *Relay
	from  netip.AddrPort
	until time.Time // may it be a stranger; zero for one with an allocation; protected by the relay's mutex
	in    *bufio.Reader
	last  time.Time // the end of what is read, once a write has failed; protected by the relay's mutex
	once  sync.Once
}

// patience is until when the next frame has to be here.
func (c *caller) patience() time.Time {
	c.relay.mu.Lock()
	defer c.relay.mu.Unlock()
	switch {
	case !c.last.IsZero():
		return c.last
	case !c.until.IsZero():
		return c.until
	}
	return time.Now().Add(idleSpan)
}

// end closes the connection, if there is one.
func (c *caller) end() {
	if c != nil {
		_ = c.Close()
	}
}

// Read gives one whole frame, a STUN message or ChannelData (RFC 8656, section 12.5), for which there is as much time as
// for silence: pion keeps what is incomplete, and recurses for each piece of it.
func (c *caller) Read(b []byte) (int, error) {
	for {
		n, err := c.frame(b)
		if err != nil || !c.relay.astray(b[:n]) {
			return n, err
		}
	}
}

func (c *caller) frame(b []byte) (int, error) {
	if err := c.SetReadDeadline(c.patience()); err != nil {
		return 0, err
	}
	head, err := c.in.Peek(4)
	if err != nil {
		return 0, err
	}
	n := int(binary.BigEndian.Uint16(head[2:]))
	if head[0]>>6 == 0 {
		n += 20
	} else {
		n = 4 + (n+3)&^3
	}
	if n > len(b) {
		return 0, errFrame
	}
	return io.ReadFull(c.in, b[:n])
}

// Write implements net.Conn.
func (c *caller) Write(b []byte) (int, error) {
	if c.mute() {
		return 0, net.ErrClosed
	}
	if err := c.SetWriteDeadline(time.Now().Add(stalledSpan)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(b)
	if err != nil {
		c.fail()
	}
	return n, err
}

// fail has nothing more written, because half a frame may be out. What has come is read for a moment still: it may be a goodbye.
func (c *caller) fail() {
	c.relay.mu.Lock()
	defer c.relay.mu.Unlock()
	if c.last.IsZero() {
		c.last = time.Now().Add(farewellSpan)
		_ = c.SetReadDeadline(c.last)
	}
}

// mute tells whether nothing can be written any more.
func (c *caller) mute() bool {
	c.relay.mu.Lock()
	defer c.relay.mu.Unlock()
	return !c.last.IsZero()
}

// Close implements net.Conn.
func (c *caller) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.relay.mu.Lock()
		defer c.relay.mu.Unlock()
		if c.relay.callers[c.from] == c {
			delete(c.relay.callers, c.from)
		}
		c.relay.introduced(c)
		c.relay.open.Done()
	})
	return err
}
