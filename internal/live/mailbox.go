package live

import "sync"

// mailbox is a queue of work for one goroutine, which may wait for the store for a long time. Posting never
// blocks, so it is allowed from anywhere, callbacks included. What bounds it is what is posted: requests are
// counted, each leg posts each of its turns once, and what comes over and over is posted by [newest].
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

// newest posts what is told over and over: what still waits gives way to what is told next. The zero value is ready for use.
type newest[T any] struct {
	mu    sync.Mutex
	waits bool
	told  T
}

// tell has do run with the value, or a newer one.
func (n *newest[T]) tell(post func(func()), value T, do func(T)) {
	n.add(post, func(T) T { return value }, do)
}

// add is tell for what goes on from what still waits, the zero value if nothing does.
func (n *newest[T]) add(post func(func()), change func(T) T, do func(T)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = change(n.told)
	if n.waits {
		return
	}
	n.waits = true
	post(func() { do(n.take()) })
}

func (n *newest[T]) take() T {
	n.mu.Lock()
	defer n.mu.Unlock()
	var none T
	value := n.told
	n.told, n.waits = none, false
	return value
}

// wake leaves a mark in a channel of capacity 1 unless one is there already.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
