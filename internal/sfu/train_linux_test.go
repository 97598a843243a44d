package sfu

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// fallback is a port on a socket of its own, with a friend who listens.
func fallback(t *testing.T) (p *port, conn, friend *net.UDPConn) {
	t.Helper()
	open := func() *net.UDPConn {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		must(t, err)
		t.Cleanup(func() { c.Close() })
		return c
	}
	conn, friend = open(), open()
	p = &port{log: discard, conn: conn, local: conn.LocalAddr().(*net.UDPAddr), refused: &atomic.Uint64{}, addresses: map[netip.AddrPort]*link{}}
	return p, conn, friend
}

func TestWhereTheKernelKnowsNoTrainsPacketsGoOneByOne(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(*port, *batch){
		"refused": func(p *port, b *batch) { p.failTrain(b, &b.trains[0], unix.EIO) },
		"unknown": (*port).transmitSingly,
	} {
		t.Run(name, func(t *testing.T) {
			p, _, friend := fallback(t)
			b := newBatch(p)
			to := &address{AddrPort: friend.LocalAddr().(*net.UDPAddr).AddrPort()}
			for _, packet := range []string{"one", "two", "6"} {
				n := copy(b.bytes[b.used:], packet)
				b.couple(to, n)
				b.used += n
			}
			if len(b.trains) != 1 {
				t.Fatalf("%d trains, not one", len(b.trains))
			}
			send(p, b)
			for _, want := range []string{"one", "two", "6"} {
				got := make([]byte, 100)
				n, err := friend.Read(got)
				must(t, err)
				if string(got[:n]) != want {
					t.Errorf("%q, not %q", got[:n], want)
				}
			}
			if p.refused.Load() != 0 {
				t.Error("packets are said to be lost")
			}
		})
	}
}

func TestWhatTheSocketHasNoRoomForIsCounted(t *testing.T) {
	t.Parallel()
	p, _, friend := fallback(t)
	b := newBatch(p)
	to := &address{AddrPort: friend.LocalAddr().(*net.UDPAddr).AddrPort()}
	for range 3 {
		b.couple(to, 10)
		b.used += 10
	}
	p.failTrain(b, &b.trains[0], unix.EAGAIN)
	if n := p.refused.Load(); n != 3 {
		t.Errorf("%d packets lost, not 3", n)
	}
}

func TestDatagramsCanBeReadOneByOne(t *testing.T) {
	t.Parallel()
	p, conn, friend := fallback(t)
	from := friend.LocalAddr().(*net.UDPAddr).AddrPort()
	l := &link{port: p, wake: func() {}}
	p.addresses[from] = l
	read := p.readSingly(conn)
	for range 2 {
		_, err := friend.WriteToUDP([]byte{2 << 6, 102, 0, 1}, p.local)
		must(t, err)
		must(t, read())
	}
	if len(l.inbox.ends) != 2 || len(p.touched) != 1 {
		t.Errorf("%d packets have come, %d links are to be woken; not 2 and 1", len(l.inbox.ends), len(p.touched))
	}
}
