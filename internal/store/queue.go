package store

import (
	"sync"
	"sync/atomic"

	"callboard/internal/stage"
)

// update is one call of Update on its way through the committer.
type update struct {
	fn      func(stage.Tx) error
	claimed atomic.Bool // by the committer, which then runs fn, or by a caller who gives up
	err     error       // the committer's, as is change
	change  change
	done    chan error // gets the outcome; never blocks the committer
}

// claim decides, once, who has the update.
func (u *update) claim() bool { return u.claimed.CompareAndSwap(false, true) }

// queue is where updates wait for the committer. It needs no bound: whoever
// put an update in is waiting for its outcome.
type queue struct {
	mu      sync.Mutex
	filled  sync.Cond
	waiting []*update
	woken   bool // there is something to look at, though perhaps nothing waits
	closed  bool
}

func newQueue() *queue {
	q := &queue{}
	q.filled.L = &q.mu
	return q
}

// put appends u and tells whether it will be answered.
func (q *queue) put(u *update) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.waiting = append(q.waiting, u)
	q.filled.Signal()
	return true
}

// take moves everything that waits, but not more than fits, into batch,
// waiting for the first, or for wake. After close it empties the queue, then
// gives nothing and false.
func (q *queue) take(batch []*update) ([]*update, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 && !q.closed && !q.woken {
		q.filled.Wait()
	}
	q.woken = false
	n := min(len(q.waiting), cap(batch))
	batch = append(batch[:0], q.waiting[:n]...)
	rest := copy(q.waiting, q.waiting[n:])
	clear(q.waiting[rest:])
	q.waiting = q.waiting[:rest]
	return batch, n > 0 || !q.closed
}

// wake has take return, with nothing if nothing waits.
func (q *queue) wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.woken = true
	q.filled.Signal()
}

// close lets nothing more in.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.filled.Signal()
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}
