package live

import (
	"sync"
	"time"

	"callboard/internal/stage"
)

const (
	rationSpan  = time.Minute     // within which
	rationSize  = 10              // so many events of one participant are written down,
	rationPause = 5 * time.Second // equal ones no closer than this
	rationMax   = 10_000          // participants kept in mind at the same time
)

// ration says which error events are written down. It remembers participants
// that have gone, for those who never joined fail the most. When it has
// no room for another one, that one's events are left out until there is. The zero
// value is ready for use.
type ration struct {
	mu    sync.Mutex
	eaten map[key][]portion // oldest first, none empty
	swept time.Time
}

// portion is an event that was written down.
type portion struct {
	fact stage.Fact
	at   time.Time
}

// allow tells whether the event is to be written down, and counts it if it is.
func (r *ration) allow(k key, f stage.Fact, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.swept) >= rationSpan {
		r.sweep(now)
	}
	before, known := r.eaten[k]
	recent := since(before, now)
	if len(recent) >= rationSize || !known && len(r.eaten) >= rationMax {
		return false
	}
	for _, p := range recent {
		if p.fact == f && now.Sub(p.at) < rationPause {
			return false
		}
	}
	r.eaten[k] = append(recent, portion{f, now})
	return true
}

// forget makes as if nothing had been written down yet.
func (r *ration) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.eaten, r.swept = make(map[key][]portion), time.Time{}
}

// sweep forgets who has had nothing for a span. The lock is held.
func (r *ration) sweep(now time.Time) {
	r.swept = now
	kept := make(map[key][]portion)
	for k, portions := range r.eaten {
		if recent := since(portions, now); len(recent) > 0 {
			kept[k] = recent
		}
	}
	r.eaten = kept
}

// since gives the portions that still count.
func since(portions []portion, now time.Time) []portion {
	for len(portions) > 0 && now.Sub(portions[0].at) >= rationSpan {
		portions = portions[1:]
	}
	return portions
}

const (
	allowanceSize  = 10              // so much of something a participant may have at once,
	allowanceEvery = 5 * time.Second // and one more each time this has passed
)

// allowance bounds what one participant has written down without any need. The zero value is a full one.
type allowance struct {
	used time.Time // when all that was taken will have come back
}

// take tells whether there is one left, and takes it.
func (a *allowance) take(now time.Time) bool {
	used := a.used
	if used.Before(now) {
		used = now
	}
	used = used.Add(allowanceEvery)
	if used.Sub(now) > allowanceSize*allowanceEvery {
		return false
	}
	a.used = used
	return true
}
