package troupe

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// BreakLinks gives what closes all connections that a process has made to others
// so far. It is to be called before Run.
func (t *Troupe) BreakLinks() func() {
	transport := t.client.Transport.(*http.Transport)
	dial := transport.DialContext
	var mu sync.Mutex
	var made []net.Conn
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			made = append(made, c)
		}
		return c, err
	}
	return func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range made {
			c.Close()
		}
		made = nil
	}
}

// Seal is what proves who speaks.
type Seal struct{ *seal }

// NewSeal makes one with a clock.
func NewSeal(secret string, now func() time.Time) Seal {
	s := newSeal([]byte(secret))
	s.now = now
	return Seal{s}
}

// Put puts a proof on a request.
func (s Seal) Put(r *http.Request, from, to string) {
	r.Header.Set(sealHeader, s.proof(r.Method, pathOf(r), from, to))
}

// Check reads it.
func (s Seal) Check(r *http.Request, me string) (string, error) { return s.check(r, me) }

// Differing is differing.
var Differing = differing

// Parse takes everything apart that another process may send.
func Parse(data []byte) (understood bool) {
	_, _, err := readFrame(data)
	w, bad := parseWord(data)
	if bad == nil {
		w.wish()
		w.Refusal.err()
	}
	return err == nil || bad == nil
}
