package rehearsal

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// maxAhead bounds how far a clock is set ahead: far enough for every expiry, and
// what is computed with its times stays a time that tokens and facts can hold.
const maxAhead = 100 * 365 * 24 * time.Hour

// Clock is the time of the facts: the machine's, plus what it was set ahead. It
// is safe for concurrent use; the zero value is the machine's clock.
type Clock struct{ ahead atomic.Int64 }

// Now is the time by this clock.
func (c *Clock) Now() time.Time { return time.Now().Add(c.Ahead()) }

// Ahead is how far the clock is before the machine's.
func (c *Clock) Ahead() time.Duration { return time.Duration(c.ahead.Load()) }

// Advance sets the clock ahead by d.
func (c *Clock) Advance(d time.Duration) error {
	for {
		ahead := c.ahead.Load()
		switch {
		case d < 0:
			return errors.New("the clock only goes forward; a reset sets it back to the time of day")
		case d > maxAhead-time.Duration(ahead):
			return fmt.Errorf("the clock goes at most %d years ahead", maxAhead/(365*24*time.Hour))
		case c.ahead.CompareAndSwap(ahead, ahead+int64(d)):
			return nil
		}
	}
}

// Reset makes it the machine's clock again.
func (c *Clock) Reset() { c.ahead.Store(0) }
