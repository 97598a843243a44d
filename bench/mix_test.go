package bench

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// BenchmarkMix measures how many signed pages a second a server on one core
// answers to 16 connections that a process on another core keeps busy, and the
// same of a static net/http handler in the same server, in turns: "of-floor" is
// the ratio. "of-floor-cpu" is that of the processor time for a page, user and
// system, which says the same on a machine that others use, too. "nethttp" is the
// same API without the express lane, and "reading" is the floor when its handler
// reads the body of the request. The mix is 30 % first page, 20 % deep, 10 % each of the filters.
//
// CALLBOARD_BENCH_SIZES names other sizes than the usual two. Databases are kept
// in the directory that CALLBOARD_BENCH_KEEP names, for those of 1e7 take long to make.
func BenchmarkMix(b *testing.B) {
	for _, size := range sizes(b) {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := startServer(b, fileHall(b, size), true)
			b.Cleanup(s.wait)
			questions := s.hall.questions(b)
			for _, q := range questions {
				b.Run(q.name, func(b *testing.B) { s.compare(b, []string{q.body}) })
			}
			b.Run("mix", func(b *testing.B) { s.compare(b, mix(questions)) })
		})
	}
}

func sizes(b *testing.B) (all []int) {
	text := "1000 1000000"
	if s := os.Getenv("CALLBOARD_BENCH_SIZES"); s != "" {
		text = s
	}
	for _, word := range strings.Fields(text) {
		size, err := strconv.Atoi(word)
		must(b, err)
		all = append(all, size)
	}
	return all
}

// mix is 100 requests in the proportions of the mix.
func mix(questions []question) (all []string) {
	for range 10 {
		for _, q := range questions {
			n := map[string]int{"first": 3, "deep": 2}[q.name]
			for range max(1, n) {
				all = append(all, q.body)
			}
		}
	}
	return all
}

// side is one of the servers that are compared, and what it took.
type side struct {
	name, url string
	took, cpu time.Duration
}

// compare asks the doors of a server in turns.
func (s *served) compare(b *testing.B, bodies []string) {
	requests := s.prepare(b, bodies)
	sides := []side{{name: "floor", url: s.static}, {name: "pages", url: s.express}, {name: "nethttp", url: s.nethttp}, {name: "reading", url: s.reading}}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	n := 0
	for b.Loop() {
		for i := range sides {
			before := s.processorTime(b)
			sides[i].took += rush(b, sides[i].url, requests, nil)
			sides[i].cpu += s.processorTime(b) - before
		}
		n += rushes * connections
	}
	b.ReportMetric(0, "ns/op")
	floor, pages, nethttp, reading := &sides[0], &sides[1], &sides[2], &sides[3]
	for _, one := range sides[:2] {
		b.ReportMetric(float64(n)/one.took.Seconds(), one.name+"/s")
		b.ReportMetric(float64(one.cpu.Microseconds())/float64(n), one.name+"-cpu-us")
	}
	b.ReportMetric(floor.took.Seconds()/pages.took.Seconds(), "of-floor")
	b.ReportMetric(floor.cpu.Seconds()/pages.cpu.Seconds(), "of-floor-cpu")
	b.ReportMetric(reading.cpu.Seconds()/pages.cpu.Seconds(), "of-reading-cpu")
	b.ReportMetric(floor.cpu.Seconds()/nethttp.cpu.Seconds(), "nethttp-of-floor-cpu")
}

// prepare signs the requests, and has the floor send as much as the answers are
// long on average.
func (s *served) prepare(b *testing.B, bodies []string) (requests [][]byte) {
	var page []byte
	all := 0
	asked := map[string]int{}
	for _, body := range bodies {
		requests = append(requests, wire(s.hall.request("ListParticipants", body)))
		n, known := asked[body]
		if !known {
			page = slices.Clone(s.hall.get(b, "ListParticipants", body))
			n = len(page)
			asked[body] = n
		}
		all += n
	}
	average := all / len(bodies)
	page = append(page, bytes.Repeat([]byte{' '}, max(0, average-len(page)))...)[:average]
	answer, err := http.Post(s.static+"/set", "application/json", bytes.NewReader(page))
	must(b, err)
	must(b, answer.Body.Close())
	return requests
}

const (
	connections = 16
	rushes      = 250 // requests on each connection at a time
)

// rush has all connections ask at once. note, if there is one, is told how long
// each request took.
func rush(b *testing.B, url string, requests [][]byte, note func(time.Duration)) time.Duration {
	var lines sync.WaitGroup
	began := time.Now()
	for i := range connections {
		lines.Go(func() {
			c := dial(url)
			defer c.close()
			for k := range rushes {
				asked := time.Now()
				if _, err := c.do(requests[(i*rushes+k)%len(requests)]); err != nil {
					b.Error(err)
					return
				}
				if note != nil {
					note(time.Since(asked))
				}
			}
		})
	}
	lines.Wait()
	return time.Since(began)
}
