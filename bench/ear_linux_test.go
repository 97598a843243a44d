package bench

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/pion/interceptor/pkg/twcc"
	"golang.org/x/sys/unix"
)

// ears are the sockets of all viewers. One thread empties them, many datagrams at a time, and seldom: the kernel notes
// when each came. Media are counted by their headers, which are in the clear; the rest, and a sample of the media, is for
// the viewer's WebRTC. So hearing costs little beside what is measured.
type ears struct {
	epoll  int
	eager  atomic.Bool // somebody is joining: empty them at once
	closed atomic.Bool
	done   chan struct{}

	mu  sync.Mutex
	all map[int32]*ear
}

// ear is a viewer's socket, as the net.PacketConn of its WebRTC.
type ear struct {
	fd     int
	local  *net.UDPAddr
	in     chan datagram
	closed chan struct{}
	once   sync.Once
	open   atomic.Bool // hand everything on: the viewer does not know all tracks yet
	step   uint32      // one in so many packets of a stream is handed on

	mu      sync.Mutex
	streams []*heard
	first   int64 // when the first media came, in Unix nanoseconds
	diary   *twcc.Recorder
}

// datagram is one for WebRTC.
type datagram struct {
	bytes []byte
	from  *net.UDPAddr
}

// heard is what is known of a stream.
type heard struct {
	ssrc    uint32
	last    uint16
	packets uint64
	wait    uint32 // packets until one is handed on
	samples [64]sample
	next    int
}

// sample is a packet that was handed on.
type sample struct {
	seq     uint16
	at      int64  // when it came, in Unix nanoseconds
	packets uint64 // of its stream, so far
}

const (
	earMTU   = 1600
	earBatch = 64
	lazily   = 15 * time.Millisecond
)

func openEars(b *testing.B) *ears {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	must(b, err)
	e := &ears{epoll: fd, all: map[int32]*ear{}, done: make(chan struct{})}
	go e.listen()
	return e
}

func (e *ears) close() {
	e.closed.Store(true)
	<-e.done
	unix.Close(e.epoll)
}

// ear opens another socket.
func (e *ears) ear(step int) (*ear, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	name, err := unix.Getsockname(fd)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	a := name.(*unix.SockaddrInet4)
	o := &ear{fd: fd, local: &net.UDPAddr{IP: a.Addr[:], Port: a.Port}, in: make(chan datagram, 256), closed: make(chan struct{}), step: uint32(step)}
	o.open.Store(true)
	if tellsArrivals {
		o.diary = twcc.NewRecorder(1)
	}
	e.mu.Lock()
	e.all[int32(fd)] = o
	e.mu.Unlock()
	return o, unix.EpollCtl(e.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

// forget closes an ear for good.
func (e *ears) forget(o *ear) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.all, int32(o.fd))
	unix.Close(o.fd)
}

// stack is what one recvmmsg fills.
type stack struct {
	messages [earBatch]struct {
		header unix.Msghdr
		size   uint32
	}
	vectors  [earBatch]unix.Iovec
	names    [earBatch]unix.RawSockaddrInet4
	controls [earBatch][64]byte
	bytes    [earBatch][earMTU]byte
}

func (e *ears) listen() {
	defer close(e.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s := new(stack)
	for i := range s.messages {
		h := &s.messages[i].header
		s.vectors[i].Base = &s.bytes[i][0]
		s.vectors[i].SetLen(earMTU)
		h.Iov, h.Name, h.Control = &s.vectors[i], (*byte)(unsafe.Pointer(&s.names[i])), &s.controls[i][0]
		h.SetIovlen(1)
	}
	events := make([]unix.EpollEvent, 1024)
	for !e.closed.Load() {
		wait := 2
		if !e.eager.Load() {
			time.Sleep(lazily)
			wait = 0
		}
		n, _ := unix.EpollWait(e.epoll, events, wait)
		for _, event := range events[:max(n, 0)] {
			e.mu.Lock()
			if o := e.all[event.Fd]; o != nil {
				for o.empty(s) {
				}
			}
			e.mu.Unlock()
		}
	}
}

// empty reads what is there and tells whether there may be more.
func (o *ear) empty(s *stack) bool {
	for i := range s.messages {
		s.messages[i].header.Namelen = unix.SizeofSockaddrInet4
		s.messages[i].header.SetControllen(len(s.controls[i]))
	}
	got, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(o.fd), uintptr(unsafe.Pointer(&s.messages[0])), earBatch, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range int(got) {
		b := s.bytes[i][:min(s.messages[i].size, earMTU)]
		if !o.count(b, arrivalOf(s.controls[i][:s.messages[i].header.Controllen])) {
			continue
		}
		a := &s.names[i]
		from := &net.UDPAddr{IP: net.IPv4(a.Addr[0], a.Addr[1], a.Addr[2], a.Addr[3]), Port: int(a.Port<<8 | a.Port>>8)}
		select {
		case o.in <- datagram{append([]byte(nil), b...), from}:
		default: // as lost as on any network
		}
	}
	return got == earBatch
}

// arrivalOf is the kernel's note.
func arrivalOf(control []byte) int64 {
	messages, err := unix.ParseSocketControlMessage(control)
	for _, m := range messages {
		if err == nil && m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= 16 {
			return int64(binary.NativeEndian.Uint64(m.Data))*1e9 + int64(binary.NativeEndian.Uint64(m.Data[8:]))
		}
	}
	return time.Now().UnixNano()
}

// count takes note of a datagram and tells whether WebRTC is to see it. o.mu is held.
func (o *ear) count(b []byte, at int64) bool {
	const firstReport, lastReport = 192, 223 // RFC 5761
	if len(b) < 12 || b[0]>>6 != 2 || b[1] >= firstReport && b[1] <= lastReport {
		return len(b) > 0
	}
	if o.first == 0 {
		o.first = at
	}
	h := o.stream(binary.BigEndian.Uint32(b[8:]))
	h.last = binary.BigEndian.Uint16(b[2:])
	if o.diary != nil {
		if number, ok := transportNumber(b); ok {
			o.diary.Record(h.ssrc, number, at/1000)
		}
	}
	if padding := b[0]&0x20 != 0; padding {
		return o.open.Load() // a probe, of no use to anybody
	}
	h.packets++
	pass := o.open.Load()
	if !pass && h.wait == 0 { // by uneven steps, so that no place in a frame is favoured
		h.wait, pass = rand.Uint32N(2*o.step), true
	} else if !pass {
		h.wait--
	}
	if pass {
		h.samples[h.next%len(h.samples)] = sample{h.last, at, h.packets}
		h.next++
	}
	return pass
}

// transportNumber is a packet's number for congestion control: no other header extension of two bytes has been agreed on.
func transportNumber(b []byte) (uint16, bool) {
	at := 12 + 4*int(b[0]&0x0f)
	if b[0]&0x10 == 0 || len(b) < at+4 || binary.BigEndian.Uint16(b[at:]) != 0xbede {
		return 0, false
	}
	end := min(at+4+4*int(binary.BigEndian.Uint16(b[at+2:])), len(b))
	for at += 4; at+2 < end; {
		size := int(b[at]&0x0f) + 1
		switch {
		case b[at] == 0:
			at++
			continue
		case size == 2:
			return binary.BigEndian.Uint16(b[at+1:]), true
		}
		at += 1 + size
	}
	return 0, false
}

func (o *ear) stream(ssrc uint32) *heard {
	for _, h := range o.streams {
		if h.ssrc == ssrc {
			return h
		}
	}
	h := &heard{ssrc: ssrc}
	o.streams = append(o.streams, h)
	return h
}

// note finds what is known of a packet that was handed on.
func (o *ear) note(ssrc uint32, seq uint16) (sample, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, h := range o.streams {
		for _, s := range h.samples {
			if h.ssrc == ssrc && s.seq == seq && s.at != 0 {
				return s, true
			}
		}
	}
	return sample{}, false
}

// heard is how many media packets have come.
func (o *ear) heard() (n uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, h := range o.streams {
		n += h.packets
	}
	return n
}

// ReadFrom implements net.PacketConn.
func (o *ear) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-o.in:
		return copy(b, d.bytes), d.from, nil
	case <-o.closed:
		return 0, nil, net.ErrClosed
	}
}

// WriteTo implements net.PacketConn.
func (o *ear) WriteTo(b []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok || u.IP.To4() == nil {
		return 0, errors.New("not an IPv4 address")
	}
	return len(b), unix.Sendto(o.fd, b, 0, &unix.SockaddrInet4{Port: u.Port, Addr: [4]byte(u.IP.To4())})
}

// Close implements net.PacketConn. The socket is [ears.forget]'s to close.
func (o *ear) Close() error {
	o.once.Do(func() { close(o.closed) })
	return nil
}

// LocalAddr implements net.PacketConn.
func (o *ear) LocalAddr() net.Addr { return o.local }

// SetDeadline implements net.PacketConn.
func (o *ear) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.PacketConn.
func (o *ear) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.PacketConn.
func (o *ear) SetWriteDeadline(time.Time) error { return nil }
