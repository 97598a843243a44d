package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"callboard/internal/api"
	"callboard/internal/express"
	"callboard/internal/stage"
)

// A child process finds in this variable the directory of the store that it is
// to serve.
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

// served is a server in a process of its own, which has one core to itself.
// It answers by four doors.
type served struct {
	hall *hall

	express string // URL of the API as it is in use
	nethttp string // the same API on net/http alone
	static  string // a static page of net/http
	reading string // the same, of a handler that reads the request's body
	wait    func()
	started time.Time
}

// startServer serves what is in the directory of a hall. With hot it first
// waits for the session to be in memory.
func startServer(b *testing.B, h *hall, hot bool) *served {
	b.Helper()
	s := &served{hall: h, started: time.Now()}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveVariable+"="+h.dir, "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe() // its end is the child's
	must(b, err)
	out, err := cmd.StdoutPipe()
	must(b, err)
	must(b, cmd.Start())
	s.wait = func() { in.Close(); cmd.Wait() }
	fmt.Fprintln(in, h.stage, h.session, hot)
	line, err := bufio.NewReader(out).ReadString('\n')
	must(b, err)
	_, err = fmt.Sscan(line, &s.express, &s.nethttp, &s.static, &s.reading)
	must(b, err)
	h.url = s.express
	return s
}

// serveForParent serves a store and a static page until stdin ends.
func serveForParent(dir string) error {
	in := bufio.NewReader(os.Stdin)
	var arn, session string
	var hot bool
	if _, err := fmt.Fscanln(in, &arn, &session, &hot); err != nil {
		return err
	}
	h, err := openHouse(dir)
	if err != nil {
		return err
	}
	defer h.store.Close()
	where, err := stage.ParseARN(arn)
	if err != nil {
		return err
	}
	for hot {
		if _, there := h.store.Roll(where, session, stage.ParticipantQuery{Limit: 1}); there {
			break
		}
		runtime.Gosched()
	}
	urls, err := openDoors(h, &writers{store: h.store, stage: where, session: session})
	if err != nil {
		return err
	}
	fmt.Println(strings.Join(urls, " "))
	_, err = io.Copy(io.Discard, in)
	return err
}

// openDoors opens the four doors of [served].
func openDoors(h house, w *writers) (urls []string, err error) {
	paths := map[string]bool{}
	for _, name := range api.Operations() {
		paths["/"+name] = true
	}
	page := new([]byte)
	for _, door := range []struct {
		handler http.Handler
		takes   func(path string) bool
	}{
		{h.api, func(path string) bool { return paths[path] }},
		{handler: h.api},
		{handler: static(page, false, w)},
		{handler: static(page, true, w)},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		urls = append(urls, "http://"+l.Addr().String())
		s := &http.Server{Handler: door.handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute}
		if door.takes != nil {
			l = express.Listen(l, s, door.takes)
		}
		go s.Serve(l) // until the process ends
	}
	return urls, nil
}

// static sends a page that the parent has set, and does a few other things for it.
func static(page *[]byte, reading bool, w *writers) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/set":
			*page, _ = io.ReadAll(r.Body)
			runtime.GC()
		case "/cpu":
			fmt.Fprint(rw, processorTime().Microseconds())
			return
		case "/write":
			w.start(context.Background(), writesASecond)
			return
		case "/rest":
			fmt.Fprint(rw, w.stop())
			return
		}
		if reading {
			io.Copy(io.Discard, r.Body)
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Content-Length", strconv.Itoa(len(*page)))
		rw.Write(*page)
	})
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
	us, err := strconv.Atoi(s.tell(b, "/cpu"))
	must(b, err)
	return time.Duration(us) * time.Microsecond
}

// tell asks something of the child that is not measured.
func (s *served) tell(b *testing.B, path string) string {
	answer, err := http.Get(s.static + path)
	must(b, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(b, err)
	return string(text)
}
