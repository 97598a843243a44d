//go:build linux

package bench

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"net"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// BenchmarkFloor measures the least that a forwarded packet can cost: sealed by AES-GCM for its viewer and sent, by a
// system call for each packet or by one for a frame of six (UDP_SEGMENT), 30 frames a second to 200 viewers. us-cpu/packet is the
// processor time of the sending thread, in which the system also does the receiving half over loopback. "mix" is what Callboard sends:
// video by the frame, and the audio, a quarter of all packets, singly.
func BenchmarkFloor(b *testing.B) {
	const viewers, pieces, rounds = 200, 6, 90
	e := openEars(b)
	defer e.close()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(b, err)
	defer conn.Close()
	_ = conn.SetWriteBuffer(4 << 20)
	raw, err := conn.SyscallConn()
	must(b, err)
	var seats []seat
	for range viewers {
		o, err := e.ear(1)
		must(b, err)
		defer e.forget(o)
		o.open.Store(false)
		seats = append(seats, newSeat(b, o.local))
	}
	measure := func(b *testing.B, together int) time.Duration {
		var spent time.Duration
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		tick := time.NewTicker(time.Second / frames)
		defer tick.Stop()
		for range rounds {
			<-tick.C
			before := threadTime(b)
			must(b, raw.Control(func(fd uintptr) {
				for i := range seats {
					seats[i].send(int(fd), pieces, together)
				}
			}))
			spent += threadTime(b) - before
		}
		return spent / (rounds * pieces * viewers)
	}
	for b.Loop() {
		single, train := measure(b, 1), measure(b, pieces)
		b.ReportMetric(single.Seconds()*1e6, "us-cpu/packet-singly")
		b.ReportMetric(train.Seconds()*1e6, "us-cpu/packet-by-the-frame")
		share := audioBeats / (audioBeats + perFrame*frames)
		b.ReportMetric((share*single.Seconds()+(1-share)*train.Seconds())*1e6, "us-cpu/packet-mix")
	}
	b.ReportMetric(0, "ns/op")
}

// seat is a viewer as the floor knows it.
type seat struct {
	to    unix.RawSockaddrInet4
	aead  cipher.AEAD
	seq   uint16
	bytes []byte
}

func newSeat(b *testing.B, to *net.UDPAddr) seat {
	block, err := aes.NewCipher(make([]byte, 16))
	must(b, err)
	aead, err := cipher.NewGCM(block)
	must(b, err)
	s := seat{aead: aead, bytes: make([]byte, 0, 16<<10)}
	s.to.Family = unix.AF_INET
	s.to.Port = uint16(to.Port<<8 | to.Port>>8)
	copy(s.to.Addr[:], to.IP.To4())
	return s
}

var piece = make([]byte, pieceSize)

// send seals so many packets and sends together of them at a time.
func (s *seat) send(fd, packets, together int) {
	const header, tag = 12, 16
	for range packets / together {
		s.bytes = s.bytes[:0]
		for range together {
			s.seq++
			start := len(s.bytes)
			s.bytes = append(s.bytes, 0x80, 102, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
			binary.BigEndian.PutUint16(s.bytes[start+2:], s.seq)
			var nonce [12]byte
			copy(nonce[10:], s.bytes[start+2:])
			s.bytes = s.aead.Seal(s.bytes, nonce[:], piece, s.bytes[start:])
		}
		s.write(fd, header+pieceSize+tag)
	}
}

func (s *seat) write(fd, size int) {
	control := struct {
		unix.Cmsghdr
		size uint16
		_    [6]byte
	}{size: uint16(size)}
	control.Level, control.Type = unix.SOL_UDP, unix.UDP_SEGMENT
	control.SetLen(unix.CmsgLen(2))
	vector := unix.Iovec{Base: &s.bytes[0]}
	vector.SetLen(len(s.bytes))
	message := unix.Msghdr{Name: (*byte)(unsafe.Pointer(&s.to)), Namelen: unix.SizeofSockaddrInet4, Iov: &vector}
	message.SetIovlen(1)
	if len(s.bytes) > size {
		message.Control = (*byte)(unsafe.Pointer(&control))
		message.SetControllen(int(unsafe.Sizeof(control)))
	}
	_, _, _ = unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&message)), 0)
}
