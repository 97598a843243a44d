package sfu

import (
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// faulty is a socket whose reads fail from time to time, or all of them.
type faulty struct {
	net.PacketConn
	every           int64 // how many reads one fails; 0 for none
	reads, failures atomic.Int64
	broken          atomic.Bool
}

func (f *faulty) fail() error {
	if f.broken.Load() || f.every > 0 && f.reads.Add(1)%f.every == 0 {
		f.failures.Add(1)
		return syscall.ENOBUFS
	}
	return nil
}

func (f *faulty) ReadFrom(b []byte) (int, net.Addr, error) {
	if err := f.fail(); err != nil {
		return 0, nil, err
	}
	return f.PacketConn.ReadFrom(b)
}

// faultyFast has the methods that allocate nothing.
type faultyFast struct{ *faulty }

func (f faultyFast) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	if err := f.fail(); err != nil {
		return 0, netip.AddrPort{}, err
	}
	return f.PacketConn.(*net.UDPConn).ReadFromUDPAddrPort(b)
}

func (f faultyFast) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return f.PacketConn.(*net.UDPConn).WriteToUDPAddrPort(b, to)
}

func TestMediaSurvivesFailingReads(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(*faulty) net.PacketConn{
		"with addresses as the standard library has them": func(f *faulty) net.PacketConn { return f },
		"with addresses that allocate nothing":            func(f *faulty) net.PacketConn { return faultyFast{f} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.ListenPacket("udp", "127.0.0.1:0")
			must(t, err)
			f := &faulty{PacketConn: conn, every: 20}
			e := openEngine(t, Options{Conn: wrap(f)})
			c := publish(t, e, cameraOptions{})
			v := subscribe(t, e, c.pub, viewerOptions{})
			for range 200 {
				wait(t, v.video, "packet")
			}
			if f.failures.Load() < 5 {
				t.Error("only", f.failures.Load(), "reads failed")
			}
		})
	}
}

func TestTheEngineIsHealthyWhileItsSocketIsRead(t *testing.T) {
	t.Parallel()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	f := &faulty{PacketConn: conn}
	e := openEngine(t, Options{Conn: f})
	if !e.Healthy() {
		t.Error("not healthy from the beginning")
	}
	f.broken.Store(true)
	awaits := func(healthy bool) {
		t.Helper()
		poke, err := net.Dial("udp", conn.LocalAddr().String())
		must(t, err)
		defer poke.Close()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for end := time.Now().Add(patience); e.Healthy() != healthy; <-tick.C {
			_, _ = poke.Write([]byte("poke"))
			if time.Now().After(end) {
				t.Fatal("healthy is not", healthy)
			}
		}
	}
	awaits(false)
	f.broken.Store(false)
	awaits(true)
	must(t, e.Close())
	if e.Healthy() {
		t.Error("a closed engine is healthy")
	}
}

func TestAFailedReadTellsOnTheSocketForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &port{closed: make(chan struct{})}
		if !p.healthy(time.Now()) || p.again(net.ErrClosed) || !p.healthy(time.Now()) {
			t.Error("fails without a cause")
		}
		began := time.Now()
		if !p.again(errors.New("odd")) || time.Since(began) != readPause {
			t.Error("does not pause and go on")
		}
		if p.healthy(began) || !p.healthy(began.Add(failureSpan)) {
			t.Error("fails too long or too short")
		}
		close(p.closed)
		if p.again(errors.New("odd")) && time.Since(began) != 2*readPause {
			t.Error("pauses although closed")
		}
	})
}
