package store

import (
	"sync"
	"time"
)

// viewTime is the time of views. While a batch is under way, or not posted, it
// stands still at the beginning of the first such batch: what depends on the time, such as whether a session
// is over, must not be told from a later moment than that of a fact that is not
// visible yet and decides otherwise.
type viewTime struct {
	mu    sync.Mutex
	still time.Time // zero when no batch is under way
}

// begin is called before a batch; every update of it gets a time that is not
// before any that a view has had.
func (v *viewTime) begin(clock func() time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.still.IsZero() {
		v.still = clock()
	}
}

// end is called when the batches are visible, or never will be.
func (v *viewTime) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.still = time.Time{}
}

func (v *viewTime) now(clock func() time.Time) time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.still.IsZero() {
		return clock()
	}
	return v.still
}
