package live

import (
	"slices"
	"sync"
	"time"

	"callboard/internal/stage"
)

const (
	mishapSpan = time.Hour // for which failures are kept in mind,
	mishapSize = 4         // so many of one participant,
	mishapMax  = 10_000    // of so many participants
)

// mishaps remembers attempts that came to nothing, for whoever asks why: a connection
// that never came up is no event, and who made it is not here any more. The zero value is ready for use.
type mishaps struct {
	mu    sync.Mutex
	kept  map[key][]stage.Failure // newest first
	swept time.Time
}

func (m *mishaps) note(k key, f stage.Failure) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f.At.Sub(m.swept) >= mishapSpan/4 {
		m.sweep(f.At)
	}
	before, known := m.kept[k]
	if !known && len(m.kept) >= mishapMax {
		return
	}
	m.kept[k] = slices.Insert(before[:min(len(before), mishapSize-1)], 0, f)
}

// sweep forgets what is old. The lock is held.
func (m *mishaps) sweep(now time.Time) {
	m.swept = now
	kept := make(map[key][]stage.Failure)
	for k, failures := range m.kept {
		if now.Sub(failures[0].At) < mishapSpan {
			kept[k] = failures
		}
	}
	m.kept = kept
}

// of gives the failures of those who match.
func (m *mishaps) of(match func(key) bool) map[key][]stage.Failure {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := make(map[key][]stage.Failure)
	for k, failures := range m.kept {
		recent := slices.DeleteFunc(slices.Clone(failures), func(f stage.Failure) bool { return time.Since(f.At) >= mishapSpan })
		if match(k) && len(recent) > 0 {
			found[k] = recent
		}
	}
	return found
}

// forget makes as if nothing had failed yet.
func (m *mishaps) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept, m.swept = nil, time.Time{}
}

// missed remembers a connection that never came up.
func (m *Media) missed() {
	f := stage.Failure{At: time.Now(), Publisher: m.target, Progress: m.tell().Progress}
	if f.Progress != "" { // another process knows
		m.owner.floor.mishaps.note(m.owner.key, f)
	}
}
