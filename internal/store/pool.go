package store

import (
	"context"
	"errors"
	"sync"
)

// pool lends connections, each to one borrower at a time. The one given back
// last is lent first, so that few connections stay warm.
type pool struct {
	open   func(context.Context) (conn, error)
	seats  chan struct{} // one entry for each connection in use
	closed chan struct{}

	mu   sync.Mutex
	idle []conn
	size int // connections open
}

func newPool(size int, open func(context.Context) (conn, error)) *pool {
	return &pool{open: open, seats: make(chan struct{}, size), closed: make(chan struct{})}
}

// get lends a connection, opening one if need be; it waits until ctx ends.
func (p *pool) get(ctx context.Context) (conn, error) {
	select {
	case <-p.closed:
		return nil, ErrClosed
	default:
	}
	select {
	case p.seats <- struct{}{}:
	default:
		select {
		case p.seats <- struct{}{}:
		case <-p.closed:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if c := p.pop(); c != nil {
		return c, nil
	}
	c, err := p.open(ctx)
	if err != nil {
		<-p.seats
		return nil, err
	}
	p.mu.Lock()
	p.size++
	p.mu.Unlock()
	return c, nil
}

func (p *pool) pop() conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	c := p.idle[last]
	p.idle = p.idle[:last]
	return c
}

// put takes a connection back.
func (p *pool) put(c conn) {
	p.mu.Lock()
	p.idle = append(p.idle, c)
	p.mu.Unlock()
	<-p.seats
}

// close lends nothing more, waits for what is lent and closes all. It is
// called once.
func (p *pool) close() error {
	close(p.closed)
	for range cap(p.seats) {
		p.seats <- struct{}{}
	}
	var errs []error
	for _, c := range p.idle {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}

func (p *pool) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.size
}
