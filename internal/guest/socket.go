package guest

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync"
)

// socket is the UDP socket of one call on a cable. It can be moved to another address in mid-call.
type socket struct {
	net.PacketConn // the first one, whose address is known to the call
	cable          *cable

	mu     sync.Mutex
	now    net.PacketConn
	closed bool
}

func (c *cable) open(address string) (*socket, error) {
	conn, err := net.ListenPacket("udp4", address)
	if err != nil {
		return nil, err
	}
	s := &socket{PacketConn: conn, cable: c, now: conn}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sockets = append(c.sockets, s)
	return s, nil
}

// move gives the call another port, which it does not notice: as a NAT does that has forgotten it.
func (s *socket) move() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	host, _, err := net.SplitHostPort(s.LocalAddr().String())
	if err != nil {
		return err
	}
	conn, err := net.ListenPacket("udp4", net.JoinHostPort(host, "0"))
	if err != nil {
		return err
	}
	old := s.now
	s.now = conn
	return old.Close()
}

func (s *socket) current() net.PacketConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Close closes whatever the socket has become.
func (s *socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.now.Close()
}

// drops tells whether the next packet does not get through.
func (s *socket) drops() bool {
	loss := s.cable.loss.Load()
	return s.cable.cut.Load() || loss > 0 && rand.Int64N(1000) < loss
}

func (s *socket) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		conn := s.current()
		n, from, err := conn.ReadFrom(b)
		switch {
		case errors.Is(err, net.ErrClosed) && s.current() != conn: // it has moved
		case err != nil || !s.drops():
			return n, from, err
		}
	}
}

func (s *socket) WriteTo(b []byte, to net.Addr) (int, error) {
	if s.drops() {
		return len(b), nil
	}
	return s.current().WriteTo(b, to)
}
