//go:build linux

package bench

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

const (
	window  = 8 * time.Second       // for which media are measured
	settles = 2 * time.Second       // after the last join
	joining = 20 * time.Millisecond // between two joins
	samples = 2000                  // packets a second that are opened
)

// BenchmarkMedia measures what forwarding costs a media server, which runs as a process of its own: Callboard, and its
// peers if there are any ([peers]), one after the other at each size, so that ratios can be taken. Each publisher
// sends 1.5 Mbit/s of H.264, 30 frames a second of five or six packets, and Opus; each viewer is a WebRTC connection with a socket of its
// own over loopback. 50 of them join a second. One iteration is one such conference:
//
//	go test -run '^$' -bench 'Media/1x400' -benchtime 1x ./bench
//
// us-cpu/packet is the server's processor time, with the system's share, by the packets that arrived. p50-ms and p99-ms are from just
// before the publisher's write until the kernel had the packet for the viewer, loss-% is by the numbers that
// publishers put into packets. join-ms is from the offer to the first packet, join-cpu-ms and KB/viewer what a
// join and a viewer cost the server. A figure counts only if other-cores, what else the machine was doing, is near 0;
// absent viewers did not get both tracks, and late are the frames that the publishers themselves sent late.
func BenchmarkMedia(b *testing.B) {
	others := peers(b)
	for _, c := range []struct{ publishers, viewers int }{{1, 10}, {1, 100}, {1, 400}, {10, 10}, {1, 800}, {1, 1500}} {
		b.Run(fmt.Sprintf("%dx%d", c.publishers, c.viewers), func(b *testing.B) {
			b.Run("callboard", func(b *testing.B) { confer(b, callboard, c.publishers, c.viewers) })
			for _, name := range slices.Sorted(maps.Keys(others)) {
				b.Run(name, func(b *testing.B) { confer(b, others[name], c.publishers, c.viewers) })
			}
		})
	}
}

// conference is one that goes on.
type conference struct {
	venue      *venue
	ears       *ears
	publishers []*publisher
	viewers    []*viewer
}

// meter is what has been used and received until a moment.
type meter struct {
	at                time.Time
	server, all, self time.Duration
	packets           uint64
}

// confer holds a conference at a venue and reports on it.
func confer(b *testing.B, h host, publishers, viewers int) {
	for b.Loop() {
		c := &conference{venue: h(b, publishers, viewers), ears: openEars(b)}
		for p := range publishers {
			c.publishers = append(c.publishers, publish(b, p, c.venue))
		}
		time.Sleep(settles)
		before, rss := c.read(b), residentMB(c.venue.pid)
		c.gather(b, viewers)
		n := float64(len(c.viewers))
		b.ReportMetric((c.read(b).server-before.server).Seconds()*1e3/n, "join-cpu-ms")
		c.measure(b)
		b.ReportMetric((residentMB(c.venue.pid)-rss)*1024/n, "KB/viewer")
		c.end()
	}
	b.ReportMetric(0, "ns/op")
}

// gather has so many viewers join each publisher, one after another at a steady pace.
func (c *conference) gather(b *testing.B, each int) {
	c.ears.eager.Store(true)
	defer c.ears.eager.Store(false)
	total := each * len(c.publishers)
	packets := perFrame*frames + audioBeats
	step := max(1, int(packets*float64(total)/samples))
	c.viewers = make([]*viewer, total)
	var g sync.WaitGroup
	tick := time.NewTicker(joining)
	defer tick.Stop()
	for i := range total {
		<-tick.C
		g.Go(func() {
			v, err := newViewer(c.ears, step)
			if err == nil {
				err = c.venue.watch(v, i%len(c.publishers), i/len(c.publishers))
			}
			if err != nil {
				b.Error(err)
				return
			}
			c.viewers[i] = v
			select {
			case <-v.whole:
			case <-time.After(20 * time.Second): // too slow: counted, and measured all the same
				v.ear.open.Store(false)
			}
		})
	}
	g.Wait()
	if b.Failed() {
		b.FailNow()
	}
}

// measure waits until all is calm, and reports on what happens then.
func (c *conference) measure(b *testing.B) {
	stop := make(chan struct{})
	var reports sync.WaitGroup
	reports.Go(func() { c.report(stop) })
	time.Sleep(settles)
	from := c.read(b)
	measuring.Store(true)
	time.Sleep(window)
	measuring.Store(false)
	to := c.read(b)
	close(stop)
	reports.Wait()
	span := to.at.Sub(from.at).Seconds()
	server, self := (to.server - from.server).Seconds(), (to.self - from.self).Seconds()
	b.ReportMetric(server*1e6/float64(to.packets-from.packets), "us-cpu/packet")
	b.ReportMetric(server/span, "cores")
	b.ReportMetric(self/span, "own-cores")
	b.ReportMetric((to.all-from.all).Seconds()/span-(server+self)/span, "other-cores")
	c.judge(b)
}

// judge reports on what has arrived.
func (c *conference) judge(b *testing.B) {
	var lags, waits []time.Duration
	var lost, expected, absent, late int
	for _, v := range c.viewers {
		v.mu.Lock()
		l, e := v.lost()
		lost, expected = lost+l, expected+e
		lags, waits = append(lags, v.lags...), append(waits, v.waited())
		v.mu.Unlock()
		if v.tracks.Load() < tracks {
			absent++
		}
	}
	for _, p := range c.publishers {
		late += int(p.late.Load())
	}
	b.ReportMetric(100*float64(lost)/float64(expected), "loss-%")
	b.ReportMetric(milliseconds(lags, 0.5), "p50-ms")
	b.ReportMetric(milliseconds(lags, 0.99), "p99-ms")
	b.ReportMetric(milliseconds(waits, 0.5), "join-ms")
	b.ReportMetric(milliseconds(waits, 0.99), "join-p99-ms")
	b.ReportMetric(float64(absent), "absent")
	b.ReportMetric(float64(late), "late")
}

// tellsArrivals has viewers agree on transport-wide congestion control, and report for it ten times a second.
var tellsArrivals = os.Getenv("CALLBOARD_BENCH_TRANSPORT_CC") != ""

// report has each viewer report once a second, and tell of arrivals as often as browsers do.
func (c *conference) report(stop chan struct{}) {
	tick := time.NewTicker(time.Second / 50)
	defer tick.Stop()
	for i, beat := 0, 0; ; {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		for range (len(c.viewers) + 49) / 50 {
			c.viewers[i%len(c.viewers)].report()
			i++
		}
		for n := beat % 5; n < len(c.viewers); n += 5 {
			c.viewers[n].tell()
		}
		beat++
	}
}

func (c *conference) read(b *testing.B) meter {
	m := meter{at: time.Now(), server: cpuTime(b, c.venue.pid), self: cpuTime(b, os.Getpid()), all: busyTime(b)}
	for _, v := range c.viewers {
		m.packets += v.ear.heard()
	}
	return m
}

func (c *conference) end() {
	var g sync.WaitGroup
	for _, v := range c.viewers {
		g.Go(func() { v.close(c.ears) })
	}
	for _, p := range c.publishers {
		g.Go(p.close)
	}
	g.Wait()
	c.ears.close()
}

func milliseconds(all []time.Duration, share float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return float64(all[min(int(share*float64(len(all))), len(all)-1)].Microseconds()) / 1e3
}
