package sfu

import (
	"encoding/binary"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// nativeAddress is an address as the system wants it.
type nativeAddress struct {
	bytes [unix.SizeofSockaddrInet6]byte
	size  uint32
}

// native converts an address for the family of the socket.
func (p *port) native(a netip.AddrPort) (n nativeAddress) {
	binary.BigEndian.PutUint16(n.bytes[2:], a.Port())
	if p.local.IP.To4() != nil && a.Addr().Is4() {
		ip := a.Addr().As4()
		binary.NativeEndian.PutUint16(n.bytes[:], unix.AF_INET)
		copy(n.bytes[4:], ip[:])
		n.size = unix.SizeofSockaddrInet4
		return n
	}
	ip := a.Addr().As16()
	binary.NativeEndian.PutUint16(n.bytes[:], unix.AF_INET6)
	copy(n.bytes[8:], ip[:])
	n.size = unix.SizeofSockaddrInet6
	return n
}

// portable is the opposite of native.
func portable(b *[unix.SizeofSockaddrInet6]byte) netip.AddrPort {
	number := binary.BigEndian.Uint16(b[2:])
	if binary.NativeEndian.Uint16(b[:]) == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), number)
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])).Unmap(), number)
}

// message is struct mmsghdr.
type message struct {
	header unix.Msghdr
	size   uint32
}

// readBatch is how many datagrams are read at a time.
const readBatch = 32

// inlet reads datagrams, many at a time.
type inlet struct {
	port     *port
	raw      syscall.RawConn
	messages [readBatch]message
	vectors  [readBatch]unix.Iovec
	sources  [readBatch][unix.SizeofSockaddrInet6]byte
	bytes    [readBatch][receiveMTU]byte
	got      int
	errno    syscall.Errno
	receive  func(fd uintptr) bool
	once     func(fd uintptr) // receive, whatever comes of it
}

// openBatched makes the port read and write many datagrams at a time; nil when that is not possible.
func (p *port) openBatched(c *net.UDPConn) func() error {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	in := &inlet{port: p, raw: raw}
	for i := range in.messages {
		h := &in.messages[i].header
		in.vectors[i].Base = &in.bytes[i][0]
		in.vectors[i].SetLen(receiveMTU)
		h.Iov = &in.vectors[i]
		h.SetIovlen(1)
		h.Name = &in.sources[i][0]
	}
	in.receive = func(fd uintptr) bool {
		for i := range in.messages {
			in.messages[i].header.Namelen = unix.SizeofSockaddrInet6
		}
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&in.messages[0])), readBatch, unix.MSG_DONTWAIT, 0, 0)
		in.got, in.errno = int(n), errno
		return errno != unix.EAGAIN && errno != unix.EINTR
	}
	in.once = func(fd uintptr) { in.receive(fd) }
	p.transmit = trainWriter{raw}.transmit
	p.send = func(b []byte, to netip.AddrPort) error { return sendOne(raw, b, p.native(to)) }
	p.poll = in.poll
	return in.read
}

// sendOne sends a datagram at once or not at all. The runtime does not know of the call: it would have its monitor look every
// 20 us, for a millisecond, whether the call lasts, and that costs more than the datagram.
func sendOne(raw syscall.RawConn, b []byte, to nativeAddress) error {
	var errno syscall.Errno
	err := raw.Control(func(fd uintptr) {
		_, _, errno = unix.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT,
			uintptr(unsafe.Pointer(&to.bytes[0])), uintptr(to.size))
	})
	if err == nil && errno != 0 {
		err = errno
	}
	return err
}

func (in *inlet) read() error {
	if err := in.raw.Read(in.receive); err != nil {
		return err
	}
	if in.errno != 0 {
		return in.errno
	}
	in.take()
	return nil
}

// poll reads what has come. An error is left to read.
func (in *inlet) poll() {
	if in.raw.Control(in.once) == nil && in.errno == 0 {
		in.take()
	}
}

func (in *inlet) take() {
	now := time.Now()
	for i := range in.got {
		in.port.take(in.bytes[i][:in.messages[i].size], portable(&in.sources[i]), now)
	}
}

// control is the control message that says how to take a train apart.
type control struct {
	header unix.Cmsghdr
	size   uint16
	_      [6]byte
}

// nativeBatch is what the system needs to send a batch.
type nativeBatch struct {
	messages [maxTrains]message
	vectors  [maxTrains]unix.Iovec
	controls [maxTrains]control
	first    int // the first train that is not sent yet
	sent     int
	errno    syscall.Errno
	send     func(fd uintptr)
}

// prepare fills in what never changes.
func (b *batch) prepare() {
	n := &b.native
	for i := range n.messages {
		h := &n.messages[i].header
		h.Iov = &n.vectors[i]
		h.SetIovlen(1)
		n.controls[i].header.Level = unix.SOL_UDP
		n.controls[i].header.Type = unix.UDP_SEGMENT
		n.controls[i].header.SetLen(unix.CmsgLen(2))
	}
	n.send = func(fd uintptr) {
		sent, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&n.messages[n.first])), uintptr(len(b.trains)-n.first), unix.MSG_DONTWAIT, 0, 0)
		n.sent, n.errno = int(sent), errno
	}
}

// trainWriter sends batches.
type trainWriter struct{ raw syscall.RawConn }

// transmit sends what is in b. What the socket does not take at once is dropped: nobody waits for anybody.
func (o trainWriter) transmit(b *batch) {
	n := &b.native
	for i := range b.trains {
		n.load(i, &b.trains[i], b.bytes)
	}
	for n.first = 0; n.first < len(b.trains); n.first += n.sent {
		n.sent, n.errno = 0, unix.EBADF
		if o.raw.Control(n.send) != nil {
			break
		}
		if n.errno != 0 {
			n.sent = 1
			b.port.failTrain(b, &b.trains[n.first], n.errno)
		}
	}
	runtime.KeepAlive(b)
}

func (n *nativeBatch) load(i int, t *train, bytes []byte) {
	h := &n.messages[i].header
	h.Name, h.Namelen = &t.to.native.bytes[0], t.to.native.size
	n.vectors[i].Base = &bytes[t.start]
	n.vectors[i].SetLen(t.end - t.start)
	h.Control = nil
	h.SetControllen(0)
	if t.count > 1 {
		n.controls[i].size = uint16(t.size)
		h.Control = (*byte)(unsafe.Pointer(&n.controls[i]))
		h.SetControllen(int(unsafe.Sizeof(n.controls[i])))
	}
}

// failTrain deals with a train that the system refused: a system that knows no trains gets the packets
// one by one; what it has no room for is lost.
func (p *port) failTrain(b *batch, t *train, errno syscall.Errno) {
	if t.count == 1 || errno == unix.EAGAIN || errno == unix.ENOBUFS {
		p.refused.Add(uint64(t.count))
		return
	}
	for packet := range t.packets(b.bytes) {
		if p.write(packet, t.to.AddrPort) != nil {
			p.refused.Add(1)
		}
	}
}
