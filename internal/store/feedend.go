package store

import "sync"

// feedEnd is how far the feed is durable. Whoever waits for more holds the
// channel; the committer closes it, so nobody who waits ever holds up anybody.
type feedEnd struct {
	mu    sync.Mutex
	no    int64
	later chan struct{}
}

func newFeedEnd() *feedEnd { return &feedEnd{later: make(chan struct{})} }

// get gives the number of the last event and a channel that is closed when
// that is no longer so.
func (f *feedEnd) get() (int64, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.no, f.later
}

// set makes no the last number; it is less than before only when everything
// was forgotten.
func (f *feedEnd) set(no int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if no == f.no {
		return
	}
	f.no = no
	close(f.later)
	f.later = make(chan struct{})
}

// Latest gives the number of the last durable event, 0 if there is none, and a
// channel that is closed as soon as that number is another.
func (s *Store) Latest() (no int64, later <-chan struct{}) { return s.feedEnd.get() }
