package desk

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"callboard/internal/sigv4"
	"callboard/internal/stage"
)

// BenchmarkWatchers has 2,000 watchers of one stage while 200 changes a second are
// made, for ten seconds, all in this process. One watcher in forty measures how long
// after a change was durable it has arrived.
func BenchmarkWatchers(b *testing.B) {
	const watchers, rate, measured = 2000, 200, 40
	how := usual
	w := newWorldWith(b, how, func(o *Options) { o.Watchers, o.AccountWatchers = watchers, watchers })
	base := w.serve()
	ann := w.join(w.newStage(), "ann")
	for range 50 {
		w.join(ann.Stage, "somebody")
	}
	var heard atomic.Int64
	var durable sync.Map // times by numbers
	var mu sync.Mutex
	var delays []time.Duration
	var watching, ready sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: watchers}}
	for i := range watchers {
		r, err := http.NewRequest("GET", base+watchPath(ann), nil)
		w.check(err)
		sigv4.Sign(r, nil, testKey, testRegion, "ivs", w.clock())
		ready.Add(1)
		watching.Go(func() {
			resp, err := client.Do(r)
			if err != nil {
				b.Error(err)
				ready.Done()
				return
			}
			defer resp.Body.Close()
			count(resp.Body, ready.Done, func(no int64) {
				heard.Add(1)
				if at, ok := durable.Load(no); ok && i%measured == 0 {
					d := time.Since(at.(time.Time))
					mu.Lock()
					delays = append(delays, d)
					mu.Unlock()
				}
			})
		})
	}
	ready.Wait()
	var before, after syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	began := time.Now()
	tick := time.NewTicker(time.Second / rate)
	name := stage.PublishStarted
	changes := 0
	for ; time.Since(began) < 10*time.Second; changes++ {
		<-tick.C
		w.record(ann, name)
		no, _ := w.service.Latest()
		durable.Store(no, time.Now())
		if name = stage.PublishStopped; changes%2 == 1 {
			name = stage.PublishStarted
		}
	}
	for heard.Load() < int64(changes*watchers) && w.WatchStats().Dropped == 0 {
		time.Sleep(time.Millisecond)
	}
	took := time.Since(began)
	syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	w.Desk.Close()
	watching.Wait()
	slices.Sort(delays)
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(changes)/took.Seconds(), "changes/s")
	b.ReportMetric(float64(heard.Load())/took.Seconds(), "messages/s")
	b.ReportMetric(float64(delays[len(delays)/2].Milliseconds()), "p50-ms")
	b.ReportMetric(float64(delays[len(delays)*99/100].Milliseconds()), "p99-ms")
	b.ReportMetric(cpu.Seconds()/took.Seconds(), "cores")
	b.ReportMetric(float64(w.WatchStats().Fallen+w.WatchStats().Dropped), "fallen")
}

// count reads a stream: it calls ready once the watch has caught up, and then heard for
// each id.
func count(body io.Reader, ready func(), heard func(no int64)) {
	var rest []byte
	buf := make([]byte, 64<<10)
	live := false
	for {
		n, err := body.Read(buf)
		rest = append(rest, buf[:n]...)
		for {
			line, more, ok := bytes.Cut(rest, []byte("\n"))
			if !ok {
				break
			}
			rest = more
			id, isID := bytes.CutPrefix(line, []byte("id: "))
			if !isID {
				continue
			}
			if !live {
				live = true
				ready()
				continue
			}
			if digits, _, ok := bytes.Cut(id, []byte("-")); ok {
				no, _ := strconv.ParseInt(string(digits), 10, 64)
				heard(no)
			}
		}
		rest = append([]byte(nil), rest...)
		if err != nil {
			return
		}
	}
}
