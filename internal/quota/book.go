package quota

import (
	"log/slog"
	"maps"
	"strings"
	"sync"

	"callboard/internal/stage"
)

// Label is what a count is kept under: the name of an operation or of a quota,
// and whether it was enforced or AWS alone would have refused.
type Label struct {
	Name     string
	Enforced bool
}

// Stats are the counts since the start.
type Stats struct {
	Throttled map[Label]uint64 // calls, by operation
	Exceeded  map[Label]uint64 // demands, by quota
}

// Stats gives a copy of the counts.
func (m *Meter) Stats() Stats {
	all := Stats{Throttled: make(map[Label]uint64)}
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		for label, n := range s.throttled {
			all.Throttled[label] += n
		}
		s.mu.Unlock()
	}
	m.book.mu.Lock()
	defer m.book.mu.Unlock()
	all.Exceeded = maps.Clone(m.book.exceeded)
	return all
}

// book keeps the demands that were too many, and which figures are passed at the moment.
type book struct {
	mu       sync.Mutex
	exceeded map[Label]uint64
	crossed  map[crossing]struct{}
}

// crossing is a figure that is passed.
type crossing struct{ quota, account, region, stage, participant string }

// maxCrossed bounds what is kept in mind of crossings, for regions are free
// text. Beyond it they are counted and not logged.
const maxCrossed = 10_000

// Demand counts a demand that is over the limit that is enforced, or over that
// of AWS, and writes a line when the figure is passed.
func (m *Meter) Demand(d stage.Demand) {
	allowed := m.aws.Limit(d.Quota)
	over := d.Refused() || d.Over(allowed)
	if !m.book.demand(d, over) {
		return
	}
	text := "a quota of AWS is passed, which would have refused this"
	if d.Refused() {
		text = "a quota is used up"
	}
	attrs := []any{"quota", d.Quota, "account", d.Account, "region", d.Region, "had", d.Had, "aws_limit", allowed}
	if d.Limit > 0 {
		attrs = append(attrs, "limit", d.Limit)
	}
	if d.Stage.ID != "" {
		attrs = append(attrs, slog.String("stage", d.Stage.String()))
	}
	if d.Participant != "" {
		attrs = append(attrs, "participant", d.Participant)
	}
	m.log.Warn(text, attrs...)
}

// demand tells whether this is the first demand over the limit since there was one below it.
func (b *book) demand(d stage.Demand, over bool) (first bool) {
	c := crossing{d.Quota, d.Account, d.Region, d.Stage.ID, d.Participant}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !over {
		delete(b.crossed, c)
		return false
	}
	b.exceeded[Label{d.Quota, d.Refused()}]++
	if _, known := b.crossed[c]; known || len(b.crossed) >= maxCrossed {
		return false
	}
	// The texts may be parts of a request that is long and soon forgotten.
	b.crossed[crossing{d.Quota, strings.Clone(c.account), strings.Clone(c.region), strings.Clone(c.stage), strings.Clone(c.participant)}] = struct{}{}
	return true
}
