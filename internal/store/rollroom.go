package store

import (
	"cmp"
	"slices"
)

// postpone has n pages come from the database before a session is read again.
func (r *rolls) postpone(name sessionName, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count(name, -n)
}

// count adds to the misses of a session. The lock is held.
func (r *rolls) count(name sessionName, n int) {
	if len(r.misses) >= maxMisses {
		clear(r.misses)
	}
	r.misses[name] += n
}

// makeRoom drops rolls until a tenth of the limit is free: those first that can
// never leave it free, then those that nobody has looked at for longest.
func (r *rolls) makeRoom() {
	r.mu.RLock()
	var all, large []*hot
	for _, h := range r.bySession {
		switch {
		case !h.ready.Load():
		case h.size > r.limit/10*9:
			large = append(large, h)
		default:
			all = append(all, h)
		}
	}
	r.mu.RUnlock()
	slices.SortFunc(all, func(a, b *hot) int { return cmp.Compare(a.used.Load(), b.used.Load()) })
	for _, h := range append(large, all...) {
		if r.bytes.Load() <= r.limit/10*9 {
			return
		}
		r.drop(h)
		if n := h.Len() / rowsOfPage; n > 0 {
			r.postpone(h.name, n)
		}
	}
}

func (r *rolls) drop(h *hot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bySession[h.session] == h {
		delete(r.byName, h.name)
		delete(r.bySession, h.session)
		r.bytes.Add(-h.size)
	}
}

// forget drops all rolls that match. It is counted before it looks: what is
// opened on older knowledge is either found here or not opened at all.
func (r *rolls) forget(match func(*hot) bool) {
	r.ends.Add(1)
	r.mu.RLock()
	var gone []*hot
	for _, h := range r.bySession {
		if match(h) {
			gone = append(gone, h)
		}
	}
	r.mu.RUnlock()
	for _, h := range gone {
		r.drop(h)
	}
}
