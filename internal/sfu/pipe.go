package sfu

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// A pipe is the TCP connection of a peer whose network lets no UDP through: ICE over TCP (RFC 6544), of which we are the passive
// side. Packets have their length in front (RFC 4571) and are then taken like datagrams; a pipe belongs to a link by
// the same checks as an address of the socket does. What is sent is queued, and lost when the queue is full: a reader
// that is slow, or reads nothing, delays nobody.
type pipe struct {
	port *port
	conn net.Conn
	from netip.AddrPort
	gone chan struct{} // closed when the pipe is not read any more

	ready chan struct{} // there is something to write, or to end
	mu    sync.Mutex
	queue []byte // framed
	owned bool   // by a link: then there is a writer
	ended bool
}

// overTCP is the zone of addresses at the other end of a pipe: by it the tables tell them from those on the
// socket. No interface has that name.
const overTCP = "/tcp"

const (
	maxPipes      = 10_000
	maxStrangers  = 1_000            // pipes that are nobody's yet
	strangerSpan  = 5 * time.Second  // for the first authentic check
	strangerBytes = 4 << 10          // up to it
	pipeBacklog   = 256 << 10        // bytes that wait to be written; and in the kernel
	stalledSpan   = 10 * time.Second // for which a pipe may take nothing
	farewellSpan  = time.Second      // for the last words
)

var (
	errPipeFull = errors.New("sfu: the connection takes no more at present")
	errFrame    = errors.New("sfu: a frame is too large")
)

func piped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(a.Addr().As16()).WithZone(overTCP), a.Port())
}

// listen begins to take TCP connections.
func (p *port) listen(l net.Listener, ips []net.IP) error {
	local, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return fmt.Errorf("sfu: %v is not a TCP address", l.Addr())
	}
	var err error
	if p.twins, err = announced(ips, local.IP, local.Port); err != nil {
		return err
	}
	p.listener = l
	p.workers.Go(p.welcome)
	return nil
}

// welcome accepts pipes until the port is closed.
func (p *port) welcome() {
	for {
		conn, err := p.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			if !p.pause() {
				return
			}
		case !p.connect(conn):
			_ = conn.Close()
		}
	}
}

// connect takes a pipe in, unless there are too many. Of strangers, whom it takes a moment to introduce themselves, the
// newest is let in and the oldest has to go.
func (p *port) connect(conn net.Conn) bool {
	from, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return false
	}
	c := &pipe{port: p, conn: conn, from: piped(from.AddrPort()), gone: make(chan struct{}), ready: make(chan struct{}, 1)}
	var oldest *pipe
	defer func() {
		if oldest != nil {
			_ = oldest.conn.Close()
		}
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closed:
		return false
	default:
	}
	if len(p.pipes) >= maxPipes || p.pipes[c.from] != nil {
		return false
	}
	if len(p.strangers) == maxStrangers {
		oldest = p.strangers[0]
		p.introduced(oldest)
	}
	p.pipes[c.from] = c
	p.strangers = append(p.strangers, c)
	p.workers.Go(c.run)
	return true
}

// introduced takes a pipe off the list of strangers. p.mu is held.
func (p *port) introduced(c *pipe) {
	p.strangers = slices.DeleteFunc(p.strangers, func(s *pipe) bool { return s == c })
}

// run is the pipe's life.
func (c *pipe) run() {
	if t, ok := c.conn.(*net.TCPConn); ok {
		_ = t.SetWriteBuffer(pipeBacklog)
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(strangerSpan))
	c.read(bufio.NewReaderSize(c.conn, 4*receiveMTU))
	_ = c.conn.Close()
	close(c.gone)
	c.depart()
}

// read takes what comes until the connection ends, or a stranger has said too much.
func (c *pipe) read(r *bufio.Reader) {
	for strange := 0; strange < strangerBytes; {
		b, err := frame(r)
		if err != nil {
			return
		}
		c.take(b, time.Now())
		if _, err = r.Discard(len(b)); err != nil {
			return
		}
		if !c.owned && !c.own() {
			strange += 2 + len(b)
		}
	}
}

// frame reads the next packet (RFC 4571). It is to be discarded once it has been used.
func frame(r *bufio.Reader) ([]byte, error) {
	head, err := r.Peek(2)
	if err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(head))
	if n > receiveMTU {
		return nil, errFrame
	}
	if _, err = r.Discard(2); err != nil {
		return nil, err
	}
	return r.Peek(n)
}

// take passes a packet on. Unlike the socket's reader it wakes whom it is for at once.
func (c *pipe) take(b []byte, now time.Time) {
	if len(b) == 0 || b[0] < 128 {
		c.port.take(b, c.from, now)
		return
	}
	if l := c.port.at(c.from); l != nil && b[0] < 192 && l.put(b, c.from, now) {
		l.wake()
	}
}

// own tells whether the pipe is a link's by now. From then on it is written to.
func (c *pipe) own() bool {
	p := c.port
	p.mu.Lock()
	owned := p.addresses[c.from] != nil
	if owned {
		p.introduced(c)
	}
	p.mu.Unlock()
	if !owned {
		return false
	}
	_ = c.conn.SetReadDeadline(time.Time{})
	c.mu.Lock()
	c.owned = true
	c.mu.Unlock()
	p.workers.Go(c.write)
	return true
}

// depart takes the pipe out of the tables.
func (c *pipe) depart() {
	p := c.port
	p.mu.Lock()
	l := p.addresses[c.from]
	delete(p.pipes, c.from)
	delete(p.addresses, c.from)
	delete(p.claims, c.from)
	p.introduced(c)
	p.mu.Unlock()
	if l != nil {
		l.lose(c.from, time.Now())
	}
}

// put queues a packet and tells whether there was room.
func (c *pipe) put(b []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || len(c.queue)+2+len(b) > pipeBacklog {
		return false
	}
	c.queue = binary.BigEndian.AppendUint16(c.queue, uint16(len(b)))
	c.queue = append(c.queue, b...)
	c.wake()
	return true
}

func (c *pipe) wake() {
	select {
	case c.ready <- struct{}{}:
	default:
	}
}

// write writes what is queued until the pipe ends.
func (c *pipe) write() {
	var out []byte
	for {
		select {
		case <-c.ready:
		case <-c.gone:
			return
		}
		var ended bool
		out, ended = c.swap(out)
		if _, err := c.conn.Write(out); err != nil { // half a frame may be out; but what has come may be a goodbye
			_ = c.conn.SetReadDeadline(time.Now().Add(farewellSpan))
			return
		}
		if ended {
			c.hangUp()
			return
		}
		if cap(out) > keptBacklog {
			out = nil
		}
	}
}

// swap takes what is to be written, and whether it is the last, and gives memory for what will come.
func (c *pipe) swap(out []byte) (_ []byte, ended bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		_ = c.conn.SetWriteDeadline(time.Now().Add(stalledSpan))
	}
	out, c.queue = c.queue, out[:0]
	return out, c.ended
}

// hangUp ends our side and gives the other time to end its own: to close at once would destroy what it has not read yet.
func (c *pipe) hangUp() {
	if t, ok := c.conn.(*net.TCPConn); !ok || t.CloseWrite() != nil {
		_ = c.conn.Close()
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(farewellSpan))
}

// end ends the pipe once what is queued has been written, if that does not take long. It does not wait.
func (c *pipe) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended = true; !c.owned {
		_ = c.conn.Close()
		return
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(farewellSpan))
	c.wake()
}

// leave ends the connection that an address is at, if it is at one.
func (a *address) leave() {
	if a != nil && a.pipe != nil {
		a.pipe.end()
	}
}

// writePiped sends one packet that is not media over a pipe.
func (p *port) writePiped(b []byte, to netip.AddrPort) error {
	p.mu.Lock()
	c := p.pipes[to]
	p.mu.Unlock()
	if c == nil {
		return errNotConnected
	}
	if !c.put(b) {
		return errPipeFull
	}
	return nil
}

// closePipes ends all.
func (p *port) closePipes() {
	if p.listener != nil {
		_ = p.listener.Close()
	}
	p.mu.Lock()
	var all []*pipe
	for _, c := range p.pipes {
		all = append(all, c)
	}
	p.mu.Unlock()
	for _, c := range all {
		c.end()
	}
}

// pipe takes the trains out of a batch that go over TCP.
func (b *batch) pipe() {
	kept := b.trains[:0]
	for _, t := range b.trains {
		if t.to.pipe == nil {
			kept = append(kept, t)
			continue
		}
		for packet := range t.packets(b.bytes) {
			if !t.to.pipe.put(packet) {
				b.port.refused.Add(1)
			}
		}
	}
	b.trains, b.piped = kept, false
}
