package live

import "maps"

// Counted is what the quotas count at the moment, by quota; the stage is added
// to the name of those per stage.
func (f *Floor) Counted() map[string]int {
	f.tally.mu.Lock()
	defer f.tally.mu.Unlock()
	counted := make(map[string]int)
	for s, n := range maps.All(f.tally.counts) {
		name := s.quota
		if s.stage != "" {
			name += " " + s.stage
		}
		counted[name] = n
	}
	return counted
}
