package express

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"
)

const (
	longest = 4 << 10 // bytes of a plain request
	pieces  = 4       // in which it may arrive; who sends it drop by drop is net/http's
)

// line is a connection whose requests have all been plain so far.
type line struct {
	listener *Listener
	server   *http.Server
	conn     net.Conn
	state    atomic.Int32 // idle, busy or ended
	request  request
	answer   answer
	body     body
	in       [longest]byte
	n        int // bytes in in

	readBy, writeBy time.Time // deadlines as they are set
}

const (
	idle int32 = iota
	busy
	ended
)

func newLine(l *Listener, c net.Conn) *line {
	n := &line{listener: l, server: l.server, conn: c}
	n.request.header, n.answer.header = http.Header{}, http.Header{}
	ctx := context.WithValue(context.Background(), http.ServerContextKey, l.server)
	ctx = context.WithValue(ctx, http.LocalAddrContextKey, c.LocalAddr())
	n.request.http = *(&http.Request{RemoteAddr: c.RemoteAddr().String()}).WithContext(ctx)
	return n
}

// serve answers requests until the connection ends or is net/http's. Then it
// gives what net/http has to begin with; nil if there is nothing to be done.
func (c *line) serve() net.Conn {
	patience := c.server.ReadHeaderTimeout // with who has not said a word yet
	for reads := 0; ; {
		v := c.request.parse(c.in[:c.n], longest, c.listener.takes)
		switch {
		case v == whole:
			if !c.respond() {
				return nil
			}
			reads, patience = 0, c.server.IdleTimeout
		case v == other || reads == pieces:
			return c.release()
		case !c.read(patience):
			return nil
		default:
			reads, patience = reads+1, c.server.ReadHeaderTimeout
		}
	}
}

// read waits for some more bytes.
func (c *line) read(patience time.Duration) bool {
	c.readBy = extend(c.readBy, time.Now(), patience, c.conn.SetReadDeadline)
	n, err := c.conn.Read(c.in[c.n:])
	c.n += n
	return n > 0 || err == nil
}

// extend moves a deadline, unless it is about where it should be: that costs
// more than to look at a clock.
func extend(old, now time.Time, by time.Duration, set func(time.Time) error) time.Time {
	if by <= 0 {
		return old
	}
	next := now.Add(by)
	if ahead := next.Sub(old); ahead >= 0 && ahead < by/32 {
		return old
	}
	set(next) // if it fails, so will what follows
	return next
}

// respond answers the request that has been read; false if it was the last.
func (c *line) respond() bool {
	if !c.state.CompareAndSwap(idle, busy) {
		return false
	}
	r := c.request.http // a copy, since what has it may change it
	if r.Body = http.NoBody; r.ContentLength > 0 {
		c.body.Reset(c.in[c.request.size-int(r.ContentLength) : c.request.size])
		r.Body = &c.body
	}
	c.answer.reset()
	if !c.handle(&r) {
		return false
	}
	last := c.listener.closing.Load() || c.answer.closing()
	now := time.Now()
	out := c.answer.done(now, last)
	c.writeBy = extend(c.writeBy, now, c.server.WriteTimeout, c.conn.SetWriteDeadline)
	if _, err := c.conn.Write(out); err != nil || last {
		return false
	}
	c.n = copy(c.in[:], c.in[c.request.size:c.n])
	return c.state.CompareAndSwap(busy, idle) && !c.listener.closing.Load()
}

// handle runs the handler; false if it panicked, which net/http takes for the
// end of the connection, too.
func (c *line) handle(r *http.Request) (fine bool) {
	defer func() {
		if p := recover(); p != nil {
			if err, _ := p.(error); !errors.Is(err, http.ErrAbortHandler) {
				c.listener.log("panic serving %v: %v\n%s", c.conn.RemoteAddr(), p, debug.Stack())
			}
			fine = false
		}
	}()
	c.server.Handler.ServeHTTP(&c.answer, r)
	return true
}

// release gives the connection with what was read and not answered.
func (c *line) release() net.Conn {
	if !c.state.CompareAndSwap(idle, ended) || c.conn.SetDeadline(time.Time{}) != nil {
		return nil
	}
	return &begun{Conn: c.conn, read: bytes.Clone(c.in[:c.n])}
}

// begun is a connection of which something has been read already.
type begun struct {
	net.Conn
	read []byte
}

func (c *begun) Read(p []byte) (int, error) {
	if len(c.read) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.read)
	c.read = c.read[n:]
	return n, nil
}

// body is the body of a request.
type body struct{ bytes.Reader }

func (*body) Close() error { return nil }

var _ io.ReadCloser = (*body)(nil)
