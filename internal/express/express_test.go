package express

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
)

// world is a server behind a Listener, and the same without one.
type world struct {
	listener *Listener
	address  string
	plain    string // address without a Listener
	logged   bytes.Buffer
}

func takes(path string) bool {
	switch path {
	case "/Echo", "/Odd", "/Empty", "/Silent", "/Panic", "/Last", "/Wait", "/Large":
		return true
	}
	return false
}

func open(t *testing.T, h http.Handler) *world {
	t.Helper()
	w := &world{}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, WriteTimeout: time.Minute, ErrorLog: log.New(&w.logged, "", 0)}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.address = inner.Addr().String()
	w.listener = Listen(inner, server, takes)
	served := make(chan error, 1)
	go func() { served <- server.Serve(w.listener) }()
	t.Cleanup(func() {
		if err := w.listener.Shutdown(t.Context()); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		server.Close()
		<-served
	})
	bare := httptest.NewServer(h)
	t.Cleanup(bare.Close)
	w.plain = bare.Listener.Addr().String()
	return w
}

// tell is a handler with many habits.
func tell(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch r.URL.Path {
	case "/Echo":
		w.Header()["X-Lower"] = []string{"b", "a"}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, "%s %s %s %s %d %q %v %s", r.Method, r.Host, r.RequestURI, r.URL, r.ContentLength, r.Header, r.TransferEncoding, body)
	case "/Odd":
		w.Header().Set("X-Injected", "one\r\nX-Evil: two")
		w.Header()["Not A Name"] = []string{"x"}
		w.WriteHeader(http.StatusTeapot)
		w.Header().Set("X-Late", "x")
		w.WriteHeader(http.StatusOK)
		io.WriteString(w, "<html>")
	case "/Empty":
		w.WriteHeader(http.StatusNoContent)
		if _, err := io.WriteString(w, "x"); !errors.Is(err, http.ErrBodyNotAllowed) {
			panic("a body where none may be")
		}
	case "/Silent":
	case "/Panic":
		panic("on purpose")
	case "/Last":
		w.Header().Set("Connection", "close")
	case "/Large":
		w.Header().Set("X-Large", strings.Repeat("x", 3*room))
		w.Header().Set("Content-Length", "100000") // without it net/http sends chunks
		w.Write(bytes.Repeat([]byte("0123456789"), 10_000))
	default:
		fmt.Fprintf(w, "by net/http: %s %s %s", r.Method, r.URL, body)
	}
}

func post(path, body string, header ...string) string {
	lines := append([]string{"POST " + path + " HTTP/1.1", "Host: example.com", fmt.Sprint("Content-Length: ", len(body))}, header...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

// speak sends some bytes and gives all that comes back until the other side, or
// the deadline of a test, ends it.
func speak(t *testing.T, address, said string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, said); err != nil {
		t.Fatal(err)
	}
	heard, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("%q: %v after %q", said, err, heard)
	}
	return dated.ReplaceAllString(string(heard), "Date: now\r\n")
}

var dated = regexp.MustCompile(`Date: [^\r]*\r\n`)

// end is a request after which the connection ends.
const end = "GET /end HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"

// conversations are what both servers have to answer alike, to the byte.
var conversations = map[string]string{
	"a plain request":               post("/Echo", `{"a":1}`, "Content-Type: application/json", "X-Amz-Date:20260101T000000Z", "a-b:  \t c \t ", "Accept: x", "accept: y", "Connection: Keep-Alive"),
	"no body":                       post("/Echo", ""),
	"one after another":             post("/Echo", "one") + post("/Silent", "two") + post("/Echo", "three"),
	"odd answers":                   post("/Odd", "x"),
	"an answer without a body":      post("/Empty", "x"),
	"a large answer":                post("/Large", "x"),
	"another path":                  post("/Other", "x") + post("/Echo", "y"),
	"a query":                       post("/Echo?x=1", "x"),
	"an escaped path":               post("/%45cho", "x"),
	"a body that is too large":      post("/Echo", strings.Repeat("x", longest)),
	"a head that is too large":      post("/Echo", "x", "X-A: "+strings.Repeat("x", longest)),
	"chunks":                        "POST /Echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	"chunks and a length":           post("/Echo", "0\r\n\r\n", "Transfer-Encoding: chunked"),
	"two lengths":                   post("/Echo", "x", "Content-Length: 1"),
	"two different lengths":         post("/Echo", "x", "Content-Length: 2"),
	"a signed length":               "POST /Echo HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\nx",
	"a length with zeros":           "POST /Echo HTTP/1.1\r\nHost: h\r\nContent-Length: 001\r\n\r\nx",
	"no length":                     "POST /Echo HTTP/1.1\r\nHost: h\r\n\r\n",
	"expectation":                   post("/Echo", "x", "Expect: 100-continue"),
	"no host":                       "POST /Echo HTTP/1.1\r\nContent-Length: 1\r\n\r\nx",
	"two hosts":                     post("/Echo", "x", "Host: other"),
	"a strange host":                "POST /Echo HTTP/1.1\r\nHost: a b\r\nContent-Length: 1\r\n\r\nx",
	"lines that end in line feeds":  "POST /Echo HTTP/1.1\nHost: h\nContent-Length: 1\n\nx",
	"some lines end in line feeds":  "POST /Echo HTTP/1.1\r\nHost: h\nContent-Length: 1\r\n\r\nx",
	"a folded line":                 post("/Echo", "x", "X-A: a", " b"),
	"space before the colon":        post("/Echo", "x", "X-A : a"),
	"a name with a strange letter":  post("/Echo", "x", "X-\u00e9: a"),
	"a value that is not ASCII":     post("/Echo", "x", "X-A: é"),
	"a value with a null":           post("/Echo", "x", "X-A: \x00"),
	"HTTP/1.0":                      "POST /Echo HTTP/1.0\r\nHost: h\r\nContent-Length: 1\r\n\r\nx",
	"HTTP/2":                        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"a whole URL":                   "POST http://h/Echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx",
	"two spaces":                    "POST  /Echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx",
	"no cache":                      post("/Echo", "x", "Pragma: no-cache"),
	"an upgrade":                    post("/Echo", "x", "Connection: Upgrade", "Upgrade: websocket"),
	"the last one, says the client": post("/Echo", "x", "Connection: close"),
	"the last one, says the server": post("/Last", "x"),
	"nonsense":                      "\r\n\r\nnonsense\r\n\r\n",
	"nothing":                       "",
}

func TestAnswersAreThoseOfNetHTTPToTheByte(t *testing.T) {
	t.Parallel()
	w := open(t, http.HandlerFunc(tell))
	for name, said := range conversations {
		t.Run(name, func(t *testing.T) {
			want := speak(t, w.plain, said+end)
			if got := speak(t, w.address, said+end); got != want {
				t.Errorf("got\n%.2000q\nwant\n%.2000q", got, want)
			}
		})
	}
}

func TestARequestMayArriveInPieces(t *testing.T) {
	t.Parallel()
	w := open(t, http.HandlerFunc(tell))
	said := post("/Echo", "body") + end
	want := speak(t, w.plain, said)
	for _, size := range []int{1, 7, 30, 60} {
		c, err := net.Dial("tcp", w.address)
		if err != nil {
			t.Fatal(err)
		}
		for rest := said; rest != ""; { // how they arrive is the system's business; the answer must be the same
			n := min(size, len(rest))
			io.WriteString(c, rest[:n])
			rest = rest[n:]
		}
		got, err := io.ReadAll(c)
		c.Close()
		if text := dated.ReplaceAllString(string(got), "Date: now\r\n"); err != nil || text != want {
			t.Errorf("in pieces of %d: %v, got\n%q\nwant\n%q", size, err, text, want)
		}
	}
}

func TestAPanicEndsTheConnectionAndIsLogged(t *testing.T) {
	t.Parallel()
	w := open(t, http.HandlerFunc(tell))
	if got := speak(t, w.address, post("/Panic", "x")); got != "" {
		t.Errorf("answered %q", got)
	}
	if err := w.listener.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(w.logged.String(), "on purpose") {
		t.Errorf("logged %q", &w.logged)
	}
}

func TestShutdownWaitsForWhatIsBeingAnsweredAndNoLonger(t *testing.T) {
	t.Parallel()
	began, proceed := make(chan struct{}), make(chan struct{})
	w := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/Wait" {
			close(began)
			<-proceed
		}
		io.WriteString(w, "done")
	}))
	idler, err := net.Dial("tcp", w.address)
	if err != nil {
		t.Fatal(err)
	}
	defer idler.Close()
	io.WriteString(idler, post("/Echo", ""))
	in := bufio.NewReader(idler)
	if _, err := http.ReadResponse(in, nil); err != nil {
		t.Fatal(err)
	}
	answered := make(chan string)
	go func() { answered <- speak(t, w.address, post("/Wait", "")) }()
	<-began
	ended := make(chan error)
	go func() { ended <- w.listener.Shutdown(context.Background()) }()
	io.ReadAll(in) // which ends because the idle connection does
	select {
	case err := <-ended:
		t.Fatal("did not wait:", err)
	default:
	}
	close(proceed)
	if text := <-answered; !strings.HasSuffix(text, "done") || !strings.Contains(text, "Connection: close\r\n") {
		t.Errorf("answered %q", text)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestShutdownCutsOffWhenPatienceEnds(t *testing.T) {
	t.Parallel()
	began, stuck := make(chan struct{}), make(chan struct{})
	w := open(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(began)
		<-stuck
	}))
	answered := make(chan string)
	go func() { answered <- speak(t, w.address, post("/Wait", "")) }()
	<-began
	over, cancel := context.WithCancel(context.Background())
	cancel()
	if err := w.listener.Shutdown(over); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if text := <-answered; text != "" {
		t.Errorf("answered %q", text)
	}
	close(stuck)
}

func TestWhoSaysNothingIsCutOffInTime(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(tell), ReadHeaderTimeout: 50 * time.Millisecond, IdleTimeout: 50 * time.Millisecond}
	l := Listen(inner, server, takes)
	go server.Serve(l)
	defer server.Close()
	defer l.Shutdown(context.Background())
	for _, said := range []string{"", "POST /Ec", post("/Echo", "x"), post("/Echo", "x") + "POST"} {
		got := speak(t, inner.Addr().String(), said) // which returns because the other side hangs up
		if whole := strings.Contains(said, "\r\n\r\n"); whole != strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") {
			t.Errorf("%q was answered %q", said, got)
		}
	}
}

func TestTroubleWithTheListenerIsToldToTheServer(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Listen(inner, &http.Server{}, takes)
	inner.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	l.Shutdown(t.Context())
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestAnOperationWhoseCallerHangsUpIsFinished(t *testing.T) {
	t.Parallel()
	began, gone, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	w := open(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-gone
		done <- r.Context().Err()
	}))
	c, err := net.Dial("tcp", w.address)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, post("/Wait", ""))
	<-began
	c.Close()
	close(gone)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
