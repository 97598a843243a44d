package quota

import "time"

// gauge is a token bucket that is kept as the moment at which it will be full
// again (GCRA). A pace of 0 bounds nothing.
type gauge struct {
	pace  time.Duration // how long one token takes to come
	depth time.Duration // how long it takes to fill
	full  time.Duration // when it will be full; long past for one that is
}

// newGauge makes a full bucket of rate times burst tokens, at least one.
func newGauge(rate, burst float64) gauge {
	if rate == 0 {
		return gauge{}
	}
	pace := float64(time.Second) / rate
	return gauge{pace: time.Duration(pace), depth: time.Duration(pace * max(1, rate*burst))}
}

// take takes a token, if there is one.
func (g *gauge) take(now time.Duration) bool {
	if g.pace == 0 {
		return true
	}
	full := max(g.full, now) + g.pace
	if full-now > g.depth {
		return false
	}
	g.full = full
	return true
}

// bucket is what is known of one account's calls of one operation in one region.
// It can be forgotten when it is idle.
type bucket struct {
	ours, aws gauge

	second   time.Duration // when the current second of counting began
	inSecond int
	burst    run
}

// run is a number of calls that were too many, and the others between them.
type run struct {
	began, last time.Duration // last is that of the latest call over a rate
	calls       int           // since it began, all of them
	refused     int           // by this server
	overAWS     int           // that AWS would have refused
	peak        int           // most calls in one second
}

// call counts a call, and says whether it is within the rate that is enforced
// and within that of AWS.
func (b *bucket) call(now time.Duration) (ours, aws bool) {
	if b.inSecond == 0 || now-b.second >= time.Second {
		b.second, b.inSecond = now, 0
	}
	b.inSecond++
	ours, aws = b.ours.take(now), b.aws.take(now)
	switch over := !ours || !aws; {
	case b.burst.calls > 0:
		b.burst.calls++
	case over: // it began a moment before it showed
		b.burst = run{began: b.second, calls: b.inSecond}
	default:
		return ours, aws
	}
	if !ours {
		b.burst.refused++
	}
	if !aws {
		b.burst.overAWS++
	}
	if !ours || !aws {
		b.burst.last = now
	}
	b.burst.peak = max(b.burst.peak, b.inSecond)
	return ours, aws
}

const (
	quiet   = 5 * time.Second // without a call too many ends a burst
	longest = time.Minute     // after which one line is written and the next begun
)

// finish gives a burst that is over, or has gone on for long enough, and
// forgets it. The second result is false if there is none.
func (b *bucket) finish(now time.Duration, atOnce bool) (run, bool) {
	r := b.burst
	if r.calls == 0 || !atOnce && now-r.last < quiet && now-r.began < longest {
		return run{}, false
	}
	b.burst = run{}
	return r, true
}

// idle tells that a new bucket would be just the same.
func (b *bucket) idle(now time.Duration) bool {
	return b.ours.full <= now && b.aws.full <= now && b.burst.calls == 0
}
