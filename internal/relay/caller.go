package relay

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

var errFrame = errors.New("relay: a frame is longer than any that makes sense")

// patient is the UDP socket as the TURN server sees it, which would end at the first error of a read.
type patient struct{ net.PacketConn }

// ReadFrom implements net.PacketConn.
func (p patient) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := p.PacketConn.ReadFrom(b)
		if err == nil || errors.Is(err, net.ErrClosed) {
			return n, from, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// callers is the listener as the TURN server sees it: it admits only so many connections at a time.
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

func (r *Relay) admit(c *caller) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || len(r.callers) >= maxCallers {
		return false
	}
	r.callers[c] = struct{}{}
	r.open.Add(1)
	return true
}

// caller is a client's TCP connection. Media that flow are heard of every few seconds; who is quiet for longer, or
// takes nothing, is gone.
type caller struct {
	net.Conn
	relay *Relay
	in    *bufio.Reader
	once  sync.Once
}

// Read gives one whole frame, a STUN message or ChannelData (RFC 8656, section 12.5), for which there is as much time as
// for silence: pion keeps what is incomplete, and recurses for each piece of it.
func (c *caller) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(idleSpan)); err != nil {
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
	if err := c.SetWriteDeadline(time.Now().Add(stalledSpan)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(b)
	if err != nil {
		_ = c.Close() // half a frame may be out
	}
	return n, err
}

// Close implements net.Conn.
func (c *caller) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.relay.mu.Lock()
		defer c.relay.mu.Unlock()
		delete(c.relay.callers, c)
		c.relay.open.Done()
	})
	return err
}
