package live

import (
	"maps"
	"slices"
)

// Tally is how many legs a quota counts in one process, for the others.
type Tally struct {
	Quota, Account, Region string
	Stage                  string // empty for quotas of a region
	N                      int
}

// Tallies gives counts that have changed since the last time, all of them at
// first, at most limit of them.
func (w *Watch) Tallies(limit int) []Tally {
	w.mu.Lock()
	var marked []share
	for s := range w.shares {
		if len(marked) == limit {
			wake(w.changed)
			break
		}
		marked = append(marked, s)
		delete(w.shares, s)
	}
	w.mu.Unlock()
	if marked == nil {
		return nil
	}
	t := &w.floor.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	tallies := make([]Tally, 0, len(marked))
	for _, s := range marked {
		tallies = append(tallies, Tally{s.quota, s.account, s.region, s.stage, t.counts[s]})
	}
	return tallies
}

func (w *Watch) markShare(s share) {
	w.mu.Lock()
	w.shares[s] = struct{}{}
	w.mu.Unlock()
	wake(w.changed)
}

// Tell notes what another process counts.
func (f *Floor) Tell(process string, tallies []Tally) {
	if len(tallies) == 0 {
		return
	}
	f.tally.mu.Lock()
	defer f.tally.mu.Unlock()
	counts := f.tally.others[process]
	if counts == nil {
		counts = make(map[share]int)
		f.tally.others[process] = counts
	}
	for _, t := range tallies {
		s := share{t.Quota, t.Account, t.Region, t.Stage}
		if counts[s] = t.N; t.N <= 0 {
			delete(counts, s)
		}
	}
}

// ForgetTallies is for a process that is gone, or begins to tell anew.
func (f *Floor) ForgetTallies(process string) {
	f.tally.mu.Lock()
	defer f.tally.mu.Unlock()
	delete(f.tally.others, process)
}

// shares lists what this process counts.
func (t *tally) shares() []share {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Keys(t.counts))
}
