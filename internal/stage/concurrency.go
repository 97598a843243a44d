package stage

import (
	"cmp"
	"context"
	"slices"
	"time"
)

const (
	// eventBatch is how many events are read in one view.
	eventBatch = 5000
	// mostBuckets is how many a curve can have, fewBuckets how many it has at most
	// if nobody says how wide they are.
	mostBuckets = 10_000
	fewBuckets  = 120
)

// widths are those of buckets that nobody has chosen; the last is repeated.
var widths = [...]time.Duration{
	time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
	time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour,
}

// Curve is how many were connected, and publishing, in the course of a session.
type Curve struct {
	From, To              time.Time // the beginning of the session, and its end or now
	Width                 time.Duration
	Buckets               []Bucket
	Connected, Publishing Peak
}

// Bucket is what a curve shows of one stretch of time; the last one ends with the curve.
type Bucket struct {
	From                  time.Time
	Connected, Publishing Range
}

// Range is what a count was in a stretch of time.
type Range struct{ Min, Max, Last int64 }

// Peak is the highest count and when it was first reached.
type Peak struct {
	Count int64
	At    time.Time
}

// Concurrency counts who was connected and who was publishing at once. The counts
// are exact for every millisecond: those of all that happened up to it. width is
// that of a bucket, 0 for one that suits the length of the session.
func (s *Service) Concurrency(ctx context.Context, session Session, width time.Duration) (c Curve, err error) {
	h, err := s.History(ctx, session)
	if err != nil {
		return Curve{}, err
	}
	c = Curve{From: session.Started, To: h.At, Width: width}
	if !h.Session.Ended.IsZero() {
		c.To = h.Session.Ended
	}
	length := c.To.Sub(c.From)
	if width == 0 {
		c.Width = suits(length)
	}
	if c.Width < time.Millisecond || length/c.Width >= mostBuckets {
		return Curve{}, fail(Invalid, "The resolution must leave at most %d buckets", mostBuckets)
	}
	var steps steps
	err = patient(ctx, func(ctx context.Context) error { return h.steps(ctx, &steps) })
	if err != nil {
		return Curve{}, err
	}
	c.draw(steps.sum())
	return c, nil
}

// suits gives buckets of a usual width, not too many of them.
func suits(length time.Duration) time.Duration {
	for _, width := range widths {
		if length/width < fewBuckets {
			return width
		}
	}
	day := widths[len(widths)-1]
	return (length/day/fewBuckets + 1) * day
}

// steps collects by how much counts change. What happened in one millisecond is
// one step, so it takes memory for the moments in which something happened.
type steps struct {
	list   []step
	summed int // length after the last sum
}

type step struct {
	at                    int64 // milliseconds since 1970
	connected, publishing int64
}

func (s *steps) add(next step) {
	s.list = append(s.list, next)
	if len(s.list) >= 2*s.summed+1<<16 {
		s.sum()
	}
}

// sum puts the steps in order, one for each moment.
func (s *steps) sum() []step {
	slices.SortFunc(s.list, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	kept := s.list[:0]
	for _, next := range s.list {
		if last := len(kept) - 1; last >= 0 && kept[last].at == next.at {
			kept[last].connected += next.connected
			kept[last].publishing += next.publishing
			continue
		}
		kept = append(kept, next)
	}
	s.list, s.summed = kept, len(kept)
	return kept
}

// steps goes through the events of everybody.
func (h *History) steps(ctx context.Context, to *steps) error {
	count := func(at time.Time, activity Activity, by int64) {
		switch activity {
		case Connected:
			to.add(step{at: at.UnixMilli(), connected: by})
		case Publishing:
			to.add(step{at: at.UnixMilli(), publishing: by})
		}
	}
	return h.stays(ctx, h.At, func(i Interval) {
		count(i.From, i.Activity, 1)
		if !i.Open {
			count(i.To, i.Activity, -1)
		}
	}, func(Presence) {})
}

// draw goes along the steps and fills in the buckets and the peaks.
func (c *Curve) draw(list []step) {
	var now step
	c.Connected.At, c.Publishing.At = c.From, c.From
	take := func() {
		now.connected += list[0].connected
		now.publishing += list[0].publishing
		now.at = list[0].at
		c.Connected.see(now.connected, now.at)
		c.Publishing.see(now.publishing, now.at)
		list = list[1:]
	}
	for from := c.From; !from.After(c.To); from = from.Add(c.Width) {
		b := Bucket{From: from}
		for len(list) > 0 && list[0].at <= from.UnixMilli() {
			take()
		}
		b.Connected, b.Publishing = level(now.connected), level(now.publishing)
		for end := from.Add(c.Width).UnixMilli(); len(list) > 0 && list[0].at < end; {
			take()
			b.Connected.see(now.connected)
			b.Publishing.see(now.publishing)
		}
		c.Buckets = append(c.Buckets, b)
	}
}

func level(n int64) Range { return Range{Min: n, Max: n, Last: n} }

func (r *Range) see(n int64) { r.Min, r.Max, r.Last = min(r.Min, n), max(r.Max, n), n }

func (p *Peak) see(n, at int64) {
	if n > p.Count {
		*p = Peak{Count: n, At: time.UnixMilli(at).UTC()}
	}
}
