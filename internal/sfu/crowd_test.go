package sfu

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// crowd is people who do what they should not, again and again until the test ends.
type crowd struct {
	t     *testing.T
	ctx   context.Context
	group sync.WaitGroup
}

func newCrowd(t *testing.T) *crowd {
	ctx, stop := context.WithCancel(t.Context())
	c := &crowd{t: t, ctx: ctx}
	t.Cleanup(func() { stop(); c.group.Wait() })
	return c
}

// each has somebody do it every few milliseconds.
func (c *crowd) each(do func()) {
	c.group.Go(func() {
		tick := time.NewTicker(3 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				do()
			case <-c.ctx.Done():
				return
			}
		}
	})
}

// roomy is a client whose socket holds what comes while the machine is busy.
func roomy(t *testing.T) *client {
	c := newClient(t)
	must(t, c.wire.PacketConn.(*net.UDPConn).SetReadBuffer(4<<20))
	return c
}

func TestHostilePeersCostNobodyElseAPacket(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{Listener: listenTCP(t)})
	c := publish(t, e, cameraOptions{})
	wait(t, c.story.media, "media")
	good := subscribe(t, e, c.pub, viewerOptions{client: roomy(t)})
	inOrder(t, good.video, 10)
	mob := newCrowd(t)
	mob.flooder(e, c)
	mob.babbler(e, c)
	mob.sleeper(e, c)
	for range 3 {
		impostor(t, e)
	}
	missing := missing(t, good.video, 300)
	dropped := dropped(t, e.port.conn.LocalAddr()) + dropped(t, good.wire.now().LocalAddr())
	t.Logf("%d packets are missing, the kernel had no room for %d", missing, dropped)
	if missing > dropped {
		t.Error("somebody hostile has cost a packet")
	}
	if len(c.closed) > 0 || len(good.closed) > 0 {
		t.Error("somebody good has ended")
	}
	late := subscribe(t, e, c.pub, viewerOptions{client: roomy(t)}) // there is still room for others
	for range 50 {
		wait(t, late.video, "packet")
	}
}

// missing waits until n packets should have come, whatever their order, and counts those that have not.
func missing(t *testing.T, from <-chan *rtp.Packet, n int) int {
	t.Helper()
	first := wait(t, from, "packet").SequenceNumber
	come := map[uint16]bool{first: true}
	for last := first; last-first < uint16(n); {
		p := wait(t, from, "packet")
		if p.SequenceNumber-first <= uint16(n) {
			come[p.SequenceNumber] = true
		}
		if int16(p.SequenceNumber-last) > 0 {
			last = p.SequenceNumber
		}
	}
	return n + 1 - len(come)
}

// dropped gives how many packets to a UDP address the kernel threw away, for want
// of room in the socket's buffer: on a busy machine a flood fills it before anybody
// comes to read, and whom that hits is not ours to choose. It is 0 where nobody tells.
func dropped(t *testing.T, at net.Addr) (n int) {
	t.Helper()
	port := at.(*net.UDPAddr).Port
	for _, table := range []string{"/proc/net/udp", "/proc/net/udp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) { // local address in the second column, drops in the last
			if f := strings.Fields(line); len(f) > 12 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
				drops, err := strconv.Atoi(f[len(f)-1])
				must(t, err)
				n += drops
			}
		}
	}
	return n
}

// flooder asks for everything again, and for key frames, all the time.
func (c *crowd) flooder(e *Engine, from *camera) {
	v := subscribe(c.t, e, from.pub, viewerOptions{})
	p := wait(c.t, v.video, "packet")
	var all []uint16
	for i := range uint16(1000) {
		all = append(all, p.SequenceNumber+i)
	}
	c.each(func() {
		_ = v.WriteRTCP([]rtcp.Packet{
			&rtcp.TransportLayerNack{MediaSSRC: p.SSRC, Nacks: rtcp.NackPairsFromSequenceNumbers(all)},
			&rtcp.PictureLossIndication{MediaSSRC: p.SSRC}, &rtcp.FullIntraRequest{MediaSSRC: p.SSRC, FIR: []rtcp.FIREntry{{SSRC: p.SSRC}}},
		})
	})
}

// babbler sends reports that are none, sealed and in the clear.
func (c *crowd) babbler(e *Engine, from *camera) {
	v := subscribe(c.t, e, from.pub, viewerOptions{})
	p := wait(c.t, v.video, "packet")
	bad := malformed(p.SSRC)
	to := e.port.conn.LocalAddr()
	c.each(func() {
		_ = v.WriteRTCP([]rtcp.Packet{&bad[0], &bad[1]})
		junk := make([]byte, 20+rand.IntN(1000))
		for i := range junk {
			junk[i] = byte(rand.Uint32())
		}
		_, _ = v.wire.WriteTo(junk, to)
	})
}

// sleeper is there and reads nothing, over UDP and over TCP.
func (c *crowd) sleeper(e *Engine, from *camera) {
	v := subscribe(c.t, e, from.pub, viewerOptions{})
	wait(c.t, v.video, "packet")
	deaf := func(b []byte) bool { return b[0] >= 128 }
	v.wire.drop.Store(&deaf)
	l := e.port.dial(theirs, handshake{}, func() {}, nil)
	c.t.Cleanup(l.close)
	telephone(c.t, e).settle(l)
	a, packet := l.remote.Load(), make([]byte, 1200)
	c.each(func() {
		b := e.port.batch()
		defer b.release()
		for range 50 {
			b.room(1, len(packet))
			b.couple(a, copy(b.bytes[b.used:], packet))
			b.used += len(packet)
		}
	})
}

// impostor publishes streams that nobody has heard of, until it is thrown out.
func impostor(t *testing.T, e *Engine) {
	p := publish(t, e, cameraOptions{noAudio: true})
	wait(t, p.story.media, "media") // its keys are in use
	for i := range uint32(5 * maxStreams) {
		_ = p.WriteRTCP([]rtcp.Packet{&rtcp.SenderReport{SSRC: 1 + i}}) // fails once it is out
	}
	wait(t, p.closed, "end")
}
