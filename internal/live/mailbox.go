package live

import "sync"

// mailbox is an unbounded queue of work for one goroutine. Posting never
// blocks, so it is allowed from anywhere, callbacks included.
type mailbox struct {
	wake chan struct{} // capacity 1

	mu    sync.Mutex
	queue []func()
}

func newMailbox() mailbox {
	return mailbox{wake: make(chan struct{}, 1)}
}

func (m *mailbox) post(fn func()) {
	m.mu.Lock()
	m.queue = append(m.queue, fn)
	m.mu.Unlock()
	wake(m.wake)
}

// take gives everything that was posted since, nil if nothing was.
func (m *mailbox) take() []func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	work := m.queue
	m.queue = nil
	return work
}

// wake leaves a mark in a channel of capacity 1 unless one is there already.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
