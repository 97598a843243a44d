package bench

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"callboard/internal/api"
	"callboard/internal/express"
	"callboard/internal/stage"
)

// The child process of BenchmarkMix finds in this variable the directory of
// the store that it is to serve.
const serveVariable = "CALLBOARD_BENCH_SERVE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveVariable); dir != "" {
		if err := serveForParent(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// BenchmarkMix measures how many signed pages a second a server on one core
// answers to 16 connections that a process on another core keeps busy, and the
// same of a static net/http handler in the same server, in turns. "of-floor" is
// the ratio. The mix is 30 % first page, 20 % deep, 10 % each of the filters.
// CALLBOARD_BENCH_SIZES names other sizes than the usual two.
func BenchmarkMix(b *testing.B) {
	sizes := "1000 1000000"
	if s := os.Getenv("CALLBOARD_BENCH_SIZES"); s != "" {
		sizes = s
	}
	for _, text := range strings.Fields(sizes) {
		size, err := strconv.Atoi(text)
		must(b, err)
		b.Run(text, func(b *testing.B) {
			s := startServer(b, size)
			one := func(body string) []string { return []string{body} }
			for _, q := range s.hall.questions(b) {
				b.Run(q.name, func(b *testing.B) { s.compare(b, one(q.body)) })
			}
			b.Run("mix", func(b *testing.B) { s.compare(b, s.mix(b)) })
		})
	}
}

// served is a server in a process of its own.
type served struct {
	hall   *hall
	static string // URL
}

func startServer(b *testing.B, size int) *served {
	b.Helper()
	dir := b.TempDir()
	h := newHallAt(b, dir, size)
	must(b, h.store.Close())
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveVariable+"="+dir, "GOMAXPROCS=1", "GOGC=400")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe() // its end is the child's
	must(b, err)
	out, err := cmd.StdoutPipe()
	must(b, err)
	must(b, cmd.Start())
	b.Cleanup(func() { in.Close(); cmd.Wait() })
	fmt.Fprintln(in, h.stage, h.session)
	s := &served{hall: h}
	line, err := bufio.NewReader(out).ReadString('\n')
	must(b, err)
	_, err = fmt.Sscan(line, &h.url, &s.static)
	must(b, err)
	return s
}

// serveForParent serves a store and a static page until stdin ends.
func serveForParent(dir string) error {
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadString('\n')
	if err != nil {
		return err
	}
	arn, session, _ := strings.Cut(strings.TrimSpace(line), " ")
	h, err := openHouse(dir)
	if err != nil {
		return err
	}
	defer h.store.Close()
	where, err := stage.ParseARN(arn)
	if err != nil {
		return err
	}
	for {
		if _, hot := h.store.Roll(where, session, stage.ParticipantQuery{Limit: 1}); hot {
			break
		}
		runtime.Gosched()
	}
	runtime.GC()
	var page []byte
	paths := map[string]bool{}
	for _, name := range api.Operations() {
		paths["/"+name] = true
	}
	door := &http.Server{Handler: h.api, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute}
	url, err := listen(door, func(path string) bool { return paths[path] })
	if err != nil {
		return err
	}
	static, err := listen(&http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/set":
			page, _ = io.ReadAll(r.Body)
		case "/cpu":
			fmt.Fprint(w, processorTime().Microseconds())
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(page)))
		w.Write(page)
	})}, nil)
	if err != nil {
		return err
	}
	fmt.Println(url, static)
	_, err = io.Copy(io.Discard, in)
	return err
}

// listen serves until the process ends. Without takes it is net/http alone.
func listen(s *http.Server, takes func(path string) bool) (url string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	if takes != nil && os.Getenv("NOX") == "" {
		l = express.Listen(l, s, takes)
	}
	go s.Serve(l)
	return "http://" + l.Addr().String(), nil
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// processorTime asks the server what it has used so far.
func (s *served) processorTime(b *testing.B) time.Duration {
	answer, err := http.Get(s.static + "/cpu")
	must(b, err)
	defer answer.Body.Close()
	var us int64
	_, err = fmt.Fscan(answer.Body, &us)
	must(b, err)
	return time.Duration(us) * time.Microsecond
}

// mix is 100 different requests in the proportions of the mix.
func (s *served) mix(b *testing.B) []string {
	var all []string
	for range 10 {
		for _, q := range s.hall.questions(b) {
			n := map[string]int{"first": 3, "deep": 2}[q.name]
			for range max(1, n) {
				all = append(all, q.body)
			}
		}
	}
	return all
}

// compare asks the server and the floor in turns.
func (s *served) compare(b *testing.B, bodies []string) {
	var page []byte
	var requests [][]byte
	for _, body := range bodies {
		request := s.hall.request("ListParticipants", body)
		requests = append(requests, wire(request))
		if page == nil {
			page = s.hall.get(b, "ListParticipants", body)
		}
	}
	if len(bodies) > 1 { // as long as an answer is on average
		page = page[:len(page)*9/10]
	}
	_, err := http.Post(s.static+"/set", "application/json", strings.NewReader(string(page)))
	must(b, err)
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	var ours, floor, oursCPU, floorCPU time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		t0 := s.processorTime(b)
		floor += rush(b, s.static, requests)
		t1 := s.processorTime(b)
		b.StartTimer()
		ours += rush(b, s.hall.url, requests)
		b.StopTimer()
		floorCPU += t1 - t0
		oursCPU += s.processorTime(b) - t1
		b.StartTimer()
		n += rushes * connections
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(n)/ours.Seconds(), "pages/s")
	b.ReportMetric(float64(n)/floor.Seconds(), "floor/s")
	b.ReportMetric(floor.Seconds()/ours.Seconds(), "of-floor")
	b.ReportMetric(float64(oursCPU.Microseconds())/float64(n), "cpu-us")
	b.ReportMetric(float64(floorCPU.Microseconds())/float64(n), "floor-cpu-us")
	b.ReportMetric(floorCPU.Seconds()/oursCPU.Seconds(), "of-floor-cpu")
}

const (
	connections = 16
	rushes      = 250 // requests on each connection at a time
)

func rush(b *testing.B, url string, requests [][]byte) time.Duration {
	var lines sync.WaitGroup
	began := time.Now()
	for i := range connections {
		lines.Go(func() {
			c := dial(url)
			defer c.close()
			for k := range rushes {
				if _, err := c.do(requests[(i*rushes+k)%len(requests)]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	lines.Wait()
	return time.Since(began)
}
