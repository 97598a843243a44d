package live

import (
	"maps"

	"callboard/internal/stage"
)

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

// Waiting is how much waits for a participant's goroutine.
func (f *Floor) Waiting(arn stage.ARN, id string) int {
	f.mu.Lock()
	p := f.people[key{arn, id}]
	f.mu.Unlock()
	if p == nil {
		return 0
	}
	p.mail.mu.Lock()
	defer p.mail.mu.Unlock()
	return len(p.mail.queue)
}

// MaxRequests is how many requests of one participant may wait.
const MaxRequests = maxRequests
