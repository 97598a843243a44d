package sfu

import (
	"sync"
	"sync/atomic"
	"time"
)

// clock relates the stream's timestamps to our time: by the publisher's reports, which
// are alike for audio and video, or else by when packets came.
type clock struct {
	mu       sync.Mutex
	skew     *skew
	sent     time.Time // by the publisher's clock
	sentTS   uint32
	came     time.Time
	cameTS   uint32
	reported bool
}

func (c *clock) tick(ts uint32, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if int32(ts-c.cameTS) > 0 || c.came.IsZero() {
		c.came, c.cameTS = now, ts
	}
}

func (c *clock) restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.came, c.reported = time.Time{}, false
}

func (c *clock) report(ntp uint64, ts uint32, s *skew, now time.Time) {
	sent := fromNTP(ntp)
	s.note(now.Sub(sent))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent, c.sentTS, c.skew, c.reported = sent, ts, s, true
}

// at estimates the timestamp of media that would arrive now.
func (c *clock) at(now time.Time, rate uint32) (uint32, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	base, ts := c.came, c.cameTS
	if c.reported {
		base, ts = c.sent.Add(c.skew.get()), c.sentTS
	}
	elapsed := int64(now.Sub(base).Seconds() * float64(rate))
	return ts + uint32(elapsed), !base.IsZero()
}

// skew is the shortest difference seen between our clock and the publisher's when a report came in.
type skew struct{ nanos atomic.Int64 }

func (s *skew) note(d time.Duration) {
	for {
		old := s.nanos.Load()
		if old != 0 && old <= int64(d) || s.nanos.CompareAndSwap(old, int64(d)) {
			return
		}
	}
}

func (s *skew) get() time.Duration { return time.Duration(s.nanos.Load()) }

// ntpEpoch is 1900-01-01 in Unix seconds.
const ntpEpoch = -2208988800

func fromNTP(t uint64) time.Time {
	nanos := (t & 0xffffffff) * uint64(time.Second) >> 32
	return time.Unix(int64(t>>32)+ntpEpoch, int64(nanos))
}

func toNTP(t time.Time) uint64 {
	return uint64(t.Unix()-ntpEpoch)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}
