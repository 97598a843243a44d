package proof

import (
	"slices"
	"sync/atomic"
	"time"
)

// late is how old a page from the memory of one among several may be: for so
// long a server that has not heard of the others believes its rolls. It is the
// server that looks at its clock, so this holds however busy the machine is.
const late = 3 * time.Second

// post is one of the houses on a database, until it falls.
type post struct {
	keeper
	fell atomic.Int64 // the moment before it was killed, 0 while it stands

	// Guarded by the crowd's lock.
	abreast    int64 // when the newest act was asked for that it has acknowledged: its rolls are no older
	by, buried int64 // once it fell: it did nothing after by, and everybody has left it by buried
}

func (p *post) falls() bool { return p.fell.Load() > 0 }

// hand is a moment and what the clock said then, or a little later.
type hand struct {
	moment int64
	at     time.Time
}

func (c *crowd) post(home int) *post {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.posts[home%len(c.posts)]
}

// latest gives the moment from which on, at the latest, what a page shows was
// true that a post is about to be asked for, and may give from memory.
func (c *crowd) latest(at *post) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.posts) == 1 {
		return never
	}
	now := time.Now()
	if n := len(c.hands); n == 0 || now.Sub(c.hands[n-1].at) > time.Millisecond {
		c.hands = append(c.hands, hand{c.moment.Load(), time.Now()})
	}
	n, _ := slices.BinarySearchFunc(c.hands, now.Add(-late), func(h hand, t time.Time) int { return h.at.Compare(t) })
	if n == 0 {
		return at.abreast
	}
	return max(at.abreast, c.hands[n-1].moment)
}
