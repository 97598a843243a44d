package store

import (
	"sync"
	"sync/atomic"
)

// shown keeps the database from telling what the rolls do not tell yet. A
// commit can be read from the moment it is durable, the rolls have it a little
// later; whoever had seen it in a view would miss it on a page from memory. So
// a view that has seen a commit whose facts are not yet in the rolls returns
// when they are.
type shown struct {
	commit sync.RWMutex // held from before a commit until the rolls have it
	under  atomic.Int64 // one more than the clock the commit under way stores, 0 if there is none
}

// begin is called before a commit that stores this time as its clock.
func (s *shown) begin(clock int64) {
	s.commit.Lock()
	s.under.Store(clock + 1)
}

// end is called when the rolls have been fed, or there was nothing to feed.
func (s *shown) end() {
	if s.under.Swap(0) != 0 {
		s.commit.Unlock()
	}
}

// wait returns when the rolls have all that t has seen. Commits of the same
// millisecond cannot be told apart, so it may wait for one that t has not seen.
func (s *shown) wait(t *tx) {
	under := s.under.Load()
	if under == 0 || t.err != nil {
		return
	}
	seen := int64(0)
	if err := t.one(counterValue, func(r row) { seen = r.int(0) }, "clock"); err != nil || seen+1 < under {
		return
	}
	s.commit.RLock()
	defer s.commit.RUnlock()
}
