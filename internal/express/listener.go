package express

import (
	"context"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// Listener answers plain requests. As a [net.Listener] it gives, to the
// [http.Server] that serves it, the connections on which something else came.
type Listener struct {
	inner  net.Listener
	server *http.Server
	takes  func(path string) bool

	passed  chan net.Conn
	failed  chan error
	closed  chan struct{}
	once    sync.Once
	closing atomic.Bool
	running sync.WaitGroup // lines, and the loop that accepts them
	mu      sync.Mutex
	lines   map[*line]struct{}
}

// Listen begins to take connections from inner. Plain requests to the paths
// that takes knows, each the whole of a request's target, go to the server's
// handler; its timeouts and its log of errors hold for them as well. The caller
// must serve the Listener with that server, and at the end call Shutdown.
func Listen(inner net.Listener, server *http.Server, takes func(path string) bool) *Listener {
	l := &Listener{
		inner: inner, server: server, takes: takes,
		passed: make(chan net.Conn), failed: make(chan error), closed: make(chan struct{}),
		lines: map[*line]struct{}{},
	}
	l.running.Go(l.run)
	return l
}

// run takes connections. What goes wrong is told to the server, who knows how
// long to wait before the next try.
func (l *Listener) run() {
	for {
		c, err := l.inner.Accept()
		if err == nil {
			l.running.Go(func() { l.serve(newLine(l, c)) })
			continue
		}
		select {
		case l.failed <- err:
		case <-l.closed:
			return
		}
	}
}

func (l *Listener) serve(c *line) {
	l.mu.Lock()
	l.lines[c] = struct{}{}
	l.mu.Unlock()
	var rest net.Conn
	if !l.closing.Load() {
		rest = c.serve()
	}
	l.mu.Lock()
	delete(l.lines, c)
	l.mu.Unlock()
	if rest != nil {
		select {
		case l.passed <- rest:
			return
		case <-l.closed:
		}
	}
	c.conn.Close()
}

// Accept gives a connection on which something came that is not plain.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.passed:
		return c, nil
	case err := <-l.failed:
		return nil, err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Addr is the address of the listener below.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }

// Close takes no more connections and ends those that wait for a request. It
// does not wait for requests that are being answered.
func (l *Listener) Close() (err error) {
	l.once.Do(func() {
		l.closing.Store(true)
		close(l.closed)
		err = l.inner.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		for c := range l.lines {
			if c.state.CompareAndSwap(idle, ended) {
				c.conn.Close()
			}
		}
	})
	return err
}

// Shutdown closes the listener and waits until the requests that are being
// answered are done. When ctx ends before, their connections are cut off and the
// error is that of ctx; handlers may be running still.
func (l *Listener) Shutdown(ctx context.Context) error {
	err := l.Close()
	done := make(chan struct{})
	go func() { l.running.Wait(); close(done) }()
	select {
	case <-done:
		return err
	case <-ctx.Done():
		l.mu.Lock()
		defer l.mu.Unlock()
		for c := range l.lines {
			c.conn.Close()
		}
		return ctx.Err()
	}
}

func (l *Listener) log(format string, args ...any) {
	if l.server.ErrorLog != nil {
		l.server.ErrorLog.Printf(format, args...)
		return
	}
	log.Printf(format, args...)
}
