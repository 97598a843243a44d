//go:build linux

package sfu

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pion/srtp/v3"
	"github.com/pion/webrtc/v4"
)

// BenchmarkForward measures what one forwarded packet costs the forwarding thread, real
// SRTP and real sockets included. One operation is one incoming packet; the receivers
// throw the media away as it arrives, on other threads.
func BenchmarkForward(b *testing.B) {
	for _, n := range []int{10, 100} {
		b.Run(fmt.Sprintf("1x%d", n), func(b *testing.B) { benchForward(b, n) })
	}
}

func benchForward(b *testing.B, n int) {
	e := openEngine(b, Options{})
	c := publish(b, e, cameraOptions{noAudio: true})
	wait(b, c.story.media, "media")
	var all []*viewer
	for range n {
		v := subscribe(b, e, c.pub, viewerOptions{codecs: offering(webrtc.MimeTypeOpus, webrtc.MimeTypeH264)})
		inOrder(b, v.video, 2)
		all = append(all, v)
	}
	l := c.pub.video.layers[0]
	c.muted[0].Store(true)
	for _, v := range all {
		media := func(p []byte) bool { return p[0]>>6 == 2 }
		v.wire.drop.Store(&media)
	}
	in := benchPacket(b, 1170)
	in[12] = 0x41
	seq := 40000
	sent := e.Stats().PacketsOut
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := threadTime(b)
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		seq++
		in[2], in[3] = byte(seq>>8), byte(seq)
		l.accept(in, time.Now())
	}
	b.StopTimer()
	used, packets := threadTime(b)-before, e.Stats().PacketsOut-sent
	b.ReportMetric(float64(used.Nanoseconds())/1e3/float64(packets), "us-cpu/packet")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e3/float64(packets), "us/packet")
}

// threadTime is the processor time this thread has used.
func threadTime(t testing.TB) time.Duration {
	t.Helper()
	const thread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	must(t, syscall.Getrusage(thread, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkMunge is forwarding without the transport: parsing, ring, list and renumbering.
func BenchmarkMunge(b *testing.B) {
	l, outlets := benchLayer(b, 100)
	in := benchPacket(b, 1170)
	seq := uint16(0)
	l.accept(in, epoch) // takes the ring's memory
	b.ReportAllocs()
	for b.Loop() {
		seq++
		in[2], in[3] = byte(seq>>8), byte(seq)
		l.accept(in, epoch)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(outlets)), "ns/packet")
}

// BenchmarkStranger is what the reader of the socket spends on a packet of somebody unknown, with the tables of a busy server.
func BenchmarkStranger(b *testing.B) {
	p, l, _ := iceLink()
	for i := range 2000 {
		other := p.dial(theirs, handshake{}, func() {}, nil)
		p.take(asks(other.current.local, theirs, true), netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1000), epoch)
	}
	for _, c := range []struct {
		name  string
		bytes []byte
	}{
		{"media", append([]byte{0x80, 96}, make([]byte, 1200)...)},
		{"DTLS", append([]byte{22, 254, 253}, make([]byte, 1200)...)},
		{"check of nobody", asks(credentials{"nobody", strings.Repeat("z", 32)}, theirs, true)},
		{"forged check", asks(credentials{l.current.local.ufrag, strings.Repeat("z", 32)}, theirs, true)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.take(c.bytes, abroad, epoch)
			}
		})
	}
}

// BenchmarkSeal is what one packet costs from renumbering to the batch, without and with a transport-wide number.
func BenchmarkSeal(b *testing.B) {
	for name, l := range map[string]*ledger{"plain": nil, "numbered": newLedger(epoch)} {
		b.Run(name, func(b *testing.B) {
			p := nowhere(func(*batch) {})
			s := &stream{link: benchLink(b, p, home, srtp.ProtectionProfileAeadAes128Gcm), ssrc: 7, ledger: l, extension: 3}
			out, seq, payload := newBatch(p), uint16(0), make([]byte, 1170)
			b.ReportAllocs()
			for b.Loop() {
				seq++
				out.room(1, len(payload))
				out.add(s, 96, &packet{}, seq, 1, payload)
			}
		})
	}
}
