package store

import "sync/atomic"

// shown keeps the database from telling what the rolls do not tell yet. A
// commit can be read from the moment it is durable, the rolls have it a little
// later; whoever had seen it in a view would miss it on a page from memory. So
// a view that has seen a commit whose facts are not yet in the rolls returns
// when they are.
type shown struct {
	under atomic.Pointer[showing] // the commit under way, nil if there is none
}

// showing is a commit from just before it until the rolls have it.
type showing struct {
	clock int64 // that it stores
	over  chan struct{}
}

// begin is called before a commit that stores this time as its clock.
func (s *shown) begin(clock int64) { s.under.Store(&showing{clock, make(chan struct{})}) }

// end is called when the rolls have been fed, or there was nothing to feed.
func (s *shown) end() {
	if was := s.under.Swap(nil); was != nil {
		close(was.over)
	}
}

// wait returns when the rolls have all that the view t has seen, or its time is
// over. Commits of the same millisecond cannot be told apart, so it may wait for one
// that t has not seen: for long, if the database hangs while it commits.
func (s *shown) wait(t *tx) {
	under := s.under.Load()
	if under == nil || t.err != nil {
		return
	}
	seen := int64(0)
	if err := t.one(counterValue, func(r row) { seen = r.int(0) }, "clock"); err != nil || seen < under.clock {
		return
	}
	select {
	case <-under.over:
	case <-t.ctx.Done():
		t.err = t.ctx.Err()
	}
}
