package presence

import (
	"sync/atomic"
	"time"
)

// pulse remembers when the last sign of life came from a client.
type pulse struct {
	start time.Time
	last  atomic.Int64 // nanoseconds after start
}

func newPulse() *pulse { return &pulse{start: time.Now()} }

func (p *pulse) beat() { p.last.Store(int64(time.Since(p.start))) }

// silence is how long ago the last sign was.
func (p *pulse) silence() time.Duration {
	return time.Since(p.start) - time.Duration(p.last.Load())
}
