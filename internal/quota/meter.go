package quota

import (
	"cmp"
	"context"
	"hash/maphash"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	shards    = 64
	maxBucket = 1024        // in one shard
	sweepPace = time.Second // between two sweeps
)

// Options are what a Meter is built from.
type Options struct {
	Profile Profile
	Now     func() time.Time // nil is time.Now
	Log     *slog.Logger     // nil is silence
}

// Meter counts calls and demands, and says which calls are too many. Its methods
// are safe for concurrent use.
type Meter struct {
	profile, aws Profile
	now          func() time.Time
	epoch        time.Time // times are kept as what has passed since, which no clock sets back
	log          *slog.Logger
	seed         maphash.Seed
	shards       [shards]shard
	book         book
}

// caller is whose calls share a bucket.
type caller struct{ account, region, operation string }

// shard is a part of the buckets, so that few callers meet at one lock.
type shard struct {
	mu        sync.Mutex
	buckets   map[caller]*bucket
	throttled map[Label]uint64 // calls
	_         [40]byte         // the next lock is on another cache line
}

// NewMeter makes a meter. Run should be called, or buckets are kept for good.
func NewMeter(o Options) *Meter {
	m := &Meter{
		profile: o.Profile,
		aws:     AWS(),
		now:     o.Now,
		log:     cmp.Or(o.Log, slog.New(slog.DiscardHandler)),
		seed:    maphash.MakeSeed(),
		book:    book{exceeded: make(map[Label]uint64), crossed: make(map[crossing]struct{})},
	}
	if m.now == nil {
		m.now = time.Now
	}
	m.epoch = m.now()
	for i := range m.shards {
		m.shards[i].buckets = make(map[caller]*bucket)
		m.shards[i].throttled = make(map[Label]uint64)
	}
	return m
}

// Call counts a call and tells whether it is within the rate that is enforced.
// The account must be known to be the caller's.
func (m *Meter) Call(account, region, operation string) bool {
	who := caller{account, region, operation}
	s := &m.shards[maphash.Comparable(m.seed, who)%shards]
	now := m.now().Sub(m.epoch)
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[who]
	if b == nil {
		b = m.add(s, who)
	}
	ours, aws := b.call(now)
	if !ours || !aws {
		s.throttled[Label{operation, !ours}]++
	}
	return ours
}

// add makes a bucket. A region is free text, so a shard that is full forgets
// any other one: who can fill it needs no bucket to last.
func (m *Meter) add(s *shard, who caller) *bucket {
	if len(s.buckets) >= maxBucket {
		for any := range s.buckets {
			delete(s.buckets, any)
			break
		}
	}
	b := &bucket{
		ours: newGauge(m.profile.Rate(who.operation), m.profile.burst),
		aws:  newGauge(m.aws.Rate(who.operation), burst),
	}
	// The texts may be parts of a request that is long and soon forgotten.
	who = caller{strings.Clone(who.account), strings.Clone(who.region), strings.Clone(who.operation)}
	s.buckets[who] = b
	return b
}

// Run forgets idle buckets and writes down bursts that are over, until ctx ends.
func (m *Meter) Run(ctx context.Context) {
	tick := time.NewTicker(sweepPace)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			m.sweep(false)
		case <-ctx.Done():
			m.sweep(true)
			return
		}
	}
}

// Refill makes all buckets as full as at the start; what was counted stays.
func (m *Meter) Refill() {
	m.sweep(true)
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		clear(s.buckets)
		s.mu.Unlock()
	}
}

// sweep looks at all buckets. atOnce writes down bursts that are not over, too.
func (m *Meter) sweep(atOnce bool) {
	now := m.now().Sub(m.epoch)
	for i := range m.shards {
		for who, r := range m.shards[i].sweep(now, atOnce) {
			m.tell(who, r)
		}
	}
}

func (s *shard) sweep(now time.Duration, atOnce bool) (over map[caller]run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for who, b := range s.buckets {
		if r, ok := b.finish(now, atOnce); ok {
			if over == nil {
				over = make(map[caller]run)
			}
			over[who] = r
		}
		if b.idle(now) {
			delete(s.buckets, who)
		}
	}
	return over
}

// tell writes the one line of a burst.
func (m *Meter) tell(who caller, r run) {
	text := "calls were over the rate of AWS, which would have throttled some"
	if r.refused > 0 {
		text = "calls were throttled"
	}
	attrs := []slog.Attr{
		slog.String("account", who.account), slog.String("region", who.region), slog.String("operation", who.operation),
		slog.Int("calls", r.calls), slog.Int("throttled", r.refused), slog.Int("throttled_by_aws", r.overAWS),
		slog.Int("peak_per_second", r.peak), slog.Float64("aws_per_second", m.aws.Rate(who.operation)),
	}
	if limit := m.profile.Rate(who.operation); limit > 0 {
		attrs = append(attrs, slog.Float64("limit_per_second", limit))
	}
	attrs = append(attrs, slog.Duration("lasted", (r.last-r.began).Round(time.Millisecond)))
	m.log.LogAttrs(context.Background(), slog.LevelWarn, text, attrs...)
}
