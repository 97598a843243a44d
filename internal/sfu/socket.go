package sfu

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
)

// socket is the engine's socket, read until it is closed. The stack would take the
// first error of a read for the end, and with it all peers would fall silent.
type socket struct {
	net.PacketConn
	failed atomic.Int64 // when a read failed last, in Unix nanoseconds
	once   sync.Once
	closed chan struct{}
}

const (
	readPause   = 10 * time.Millisecond // after a failed read
	failureSpan = time.Second           // for which a failed read tells on the socket
)

func newSocket(conn net.PacketConn) *socket {
	return &socket{PacketConn: conn, closed: make(chan struct{})}
}

// fast returns the socket for the stack, with the methods that allocate nothing if it can have them.
func (s *socket) fast() net.PacketConn {
	switch c := s.PacketConn.(type) {
	case *net.UDPConn:
		return &fastSocket{s, udp{c}}
	case ice.AddrPortReaderWriter:
		return &fastSocket{s, c}
	}
	return s
}

// failing tells whether reads fail at present.
func (s *socket) failing(now time.Time) bool {
	return now.UnixNano()-s.failed.Load() < int64(failureSpan)
}

// again tells whether to read again after err, having paused for a moment.
func (s *socket) again(err error) bool {
	if err == nil || errors.Is(err, net.ErrClosed) {
		return false
	}
	s.failed.Store(time.Now().UnixNano())
	pause := time.NewTimer(readPause)
	defer pause.Stop()
	select {
	case <-pause.C:
		return true
	case <-s.closed:
		return false
	}
}

// ReadFrom implements net.PacketConn.
func (s *socket) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		if n, from, err := s.PacketConn.ReadFrom(b); !s.again(err) {
			return n, from, err
		}
	}
}

// Close implements net.PacketConn.
func (s *socket) Close() error {
	s.once.Do(func() { close(s.closed) })
	return s.PacketConn.Close()
}

// fastSocket implements ice.AddrPortReaderWriter as well.
type fastSocket struct {
	*socket
	conn ice.AddrPortReaderWriter
}

// ReadFromAddrPort implements ice.AddrPortReaderWriter.
func (s *fastSocket) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		if n, from, err := s.conn.ReadFromAddrPort(b); !s.again(err) {
			return n, from, err
		}
	}
}

// WriteToAddrPort implements ice.AddrPortReaderWriter.
func (s *fastSocket) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return s.conn.WriteToAddrPort(b, to)
}

// udp gives the methods of a UDP socket the names that the stack knows.
type udp struct{ *net.UDPConn }

// ReadFromAddrPort implements ice.AddrPortReaderWriter.
func (u udp) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) { return u.ReadFromUDPAddrPort(b) }

// WriteToAddrPort implements ice.AddrPortReaderWriter.
func (u udp) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return u.WriteToUDPAddrPort(b, to)
}
