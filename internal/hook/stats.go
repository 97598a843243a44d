package hook

import (
	"sync"
	"time"

	"callboard/internal/stage"
)

// Stats are the counts of one hook since the process began, and how far it is
// behind, if this process delivers.
type Stats struct {
	Delivered, Failed uint64 // attempts
	Letters           uint64 // events given up
	Lag               int64  // events of the feed after the last one before which all is settled
	LagTime           time.Duration
}

// tally counts, by hook.
type tally struct {
	mu sync.Mutex
	of map[stage.ARN]*Stats
}

func (t *tally) change(hook stage.ARN, fn func(*Stats)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil {
		t.of = map[stage.ARN]*Stats{}
	}
	if t.of[hook] == nil {
		t.of[hook] = &Stats{}
	}
	fn(t.of[hook])
}

func (t *tally) count(hook stage.ARN, delivered bool) {
	t.change(hook, func(s *Stats) {
		if delivered {
			s.Delivered++
		} else {
			s.Failed++
		}
	})
}

func (t *tally) bury(hook stage.ARN) { t.change(hook, func(s *Stats) { s.Letters++ }) }

// Stats gives the counts of every hook that this process has delivered to, by ARN.
func (c *Courier) Stats() map[string]Stats {
	last, _ := c.service.Latest()
	now := c.o.Now()
	all := map[string]Stats{}
	c.tally.mu.Lock()
	for arn, s := range c.tally.of {
		all[arn.String()] = *s
	}
	c.tally.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	for arn, r := range c.rounds {
		s := all[arn.String()]
		s.Lag, s.LagTime = r.lag(last, now)
		all[arn.String()] = s
	}
	return all
}

// lag is how far the hook is behind the end of the feed.
func (r *round) lag(last int64, now time.Time) (events int64, age time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	settled := r.read
	oldest := time.Time{}
	older := func(at time.Time) {
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	if r.read < last {
		older(r.newest)
	}
	for _, l := range r.lanes {
		switch {
		case len(l.queue) > 0:
			older(l.queue[0].At)
			settled = min(settled, l.queue[0].No-1)
		case l.behind:
			settled = min(settled, l.scanned)
		}
	}
	if !oldest.IsZero() {
		age = max(0, now.Sub(oldest))
	}
	return max(0, last-settled), age
}
