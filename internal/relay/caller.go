package relay

import (
	"net"
	"sync"
	"time"
)

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
		c := &caller{Conn: conn, relay: l.relay}
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
	once  sync.Once
}

// Read implements net.Conn.
func (c *caller) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(idleSpan)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

// Write implements net.Conn.
func (c *caller) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(stalledSpan)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
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
