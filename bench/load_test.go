package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
)

// BenchmarkUnderWrites measures pages of the mix while 64 callers write 2,000
// durable facts a second to the same session, in turns with pages while nobody
// does. "of-idle" is the ratio of the medians of pages a second, "p99-of-idle" that
// of the 99th percentiles of how long a page takes. The time until a write is
// acknowledged is compared with that of fdatasync, measured in between.
func BenchmarkUnderWrites(b *testing.B) {
	for _, size := range sizes(b) {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := startServer(b, fileHall(b, size), true)
			b.Cleanup(s.wait)
			s.loaded(b, s.prepare(b, mix(s.hall.questions(b))))
		})
	}
}

// turn is what was measured with or without writes.
type turn struct{ rate, took []time.Duration }

func (s *served) loaded(b *testing.B, requests [][]byte) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var idle, busy turn
	var syncs []time.Duration
	var writes, p50, p99 float64
	n := 0.0
	for b.Loop() {
		syncs = append(syncs, s.syncs(b, 100)...)
		idle.measure(b, s.express, requests)
		s.tell(b, "/write")
		for range 4 {
			busy.measure(b, s.express, requests)
		}
		var rate, half, most float64
		_, err := fmt.Sscan(s.tell(b, "/rest"), &rate, &half, &most)
		must(b, err)
		writes, p50, p99, n = writes+rate, p50+half, max(p99, most), n+1
	}
	slices.Sort(syncs)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(idle.median(), "idle-pages/s")
	b.ReportMetric(busy.median()/idle.median(), "of-idle")
	b.ReportMetric(busy.late().Seconds()/idle.late().Seconds(), "p99-of-idle")
	b.ReportMetric(writes/n, "writes/s")
	b.ReportMetric(p50/n, "ack-p50-us")
	b.ReportMetric(p99, "ack-p99-us")
	b.ReportMetric(float64(syncs[len(syncs)*99/100].Microseconds()), "sync-p99-us")
}

func (t *turn) measure(b *testing.B, url string, requests [][]byte) {
	t.rate = append(t.rate, rush(b, url, requests, func(d time.Duration) { t.took = append(t.took, d) })) // one thread runs all
}

// median is that of pages a second.
func (t *turn) median() float64 {
	slices.Sort(t.rate)
	return rushes * connections / t.rate[len(t.rate)/2].Seconds()
}

func (t *turn) late() time.Duration {
	slices.Sort(t.took)
	return t.took[len(t.took)*99/100]
}

// syncs makes n blocks of 4 KiB durable, on the disk that the store is on.
func (s *served) syncs(b *testing.B, n int) (took []time.Duration) {
	f, err := os.Create(filepath.Join(s.hall.dir, "sync"))
	must(b, err)
	defer f.Close()
	for range n {
		_, err := f.Write(make([]byte, 4096))
		must(b, err)
		began := time.Now()
		must(b, syscall.Fdatasync(int(f.Fd())))
		took = append(took, time.Since(began))
	}
	return took
}

// BenchmarkColdStart measures how long after its start a process answers the
// first page of a session that is not in memory yet.
func BenchmarkColdStart(b *testing.B) {
	for _, size := range sizes(b) {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			h := fileHall(b, size)
			var from, asked time.Duration
			n := 0
			for b.Loop() {
				s := startServer(b, h, false)
				began := time.Now()
				h.get(b, "ListParticipants", h.ask(""))
				from += time.Since(s.started)
				asked += time.Since(began)
				n++
				b.StopTimer()
				s.wait()
				b.StartTimer()
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(from.Milliseconds())/float64(n), "ms-from-start")
			b.ReportMetric(float64(asked.Microseconds())/1000/float64(n), "ms-of-page")
		})
	}
}
