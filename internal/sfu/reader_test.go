package sfu

import (
	"testing"
	"time"
)

// woken makes a link that counts how often it was woken; a publisher's if serve is given.
func woken(n *int, serve func() bool) *link {
	return &link{wake: func() { *n++ }, serve: serve}
}

func TestTheReaderForwardsForAPublisherWhoIsAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name             string
		others, viewers  int
		leaves           bool
		served, wakesOwn int
	}{
		{"alone", 0, 0, false, 1, 0},
		{"beside reports of viewers", 0, 2, false, 1, 0},
		{"alone, but there is more to do than to forward", 0, 0, true, 1, 1},
		{"beside another publisher", 1, 0, false, 0, 1},
	} {
		served, own, other := 0, 0, 0
		p := &port{poll: func() {}}
		p.touched = append(p.touched, woken(&own, func() bool { served++; return !c.leaves }))
		for range c.others {
			p.touched = append(p.touched, woken(&other, func() bool { served++; return true }))
		}
		for range c.viewers {
			p.touched = append(p.touched, woken(&other, nil))
		}
		p.pass()
		if served != c.served || own != c.wakesOwn || other != c.others+c.viewers || len(p.touched) != 0 {
			t.Errorf("%s: served %d times, woken %d times, the others %d times", c.name, served, own, other)
		}
	}
}

func TestWhereTheSocketCannotBePolledTheReaderOnlyReads(t *testing.T) {
	t.Parallel()
	own := 0
	p := &port{}
	p.touched = []*link{woken(&own, func() bool { t.Error("forwarded"); return true })}
	if p.pass(); own != 1 {
		t.Errorf("woken %d times", own)
	}
}

func TestTheReaderLeavesTheRestToGoroutinesWhenAnotherPublisherSends(t *testing.T) {
	t.Parallel()
	own, other := 0, 0
	mine, second, viewer := woken(&own, func() bool { return true }), woken(&other, func() bool { return true }), woken(&other, nil)
	var come []*link
	p := &port{}
	p.poll = func() { p.touched = append(p.touched, come...) }
	for _, c := range []struct {
		come       []*link
		crowd      bool
		own, other int
	}{
		{nil, false, 0, 0},
		{[]*link{mine, viewer}, false, 0, 1},
		{[]*link{mine, second}, true, 1, 1},
		{[]*link{second}, true, 1, 1},
	} {
		own, other, come = 0, 0, c.come
		if crowd := p.look(mine); crowd != c.crowd || own != c.own || other != c.other {
			t.Errorf("%d links: crowd %v, woken %d times, others %d times", len(c.come), crowd, own, other)
		}
	}
}

func TestTimersThatHaveTimeFireTogether(t *testing.T) {
	t.Parallel()
	for i := range 200 {
		now := epoch.Add(time.Duration(i) * 7 * time.Millisecond)
		wait := together(now, time.Second)
		if wait < time.Second || wait > time.Second+beat || now.Add(wait).UnixNano()%int64(beat) != 0 {
			t.Errorf("%v after the epoch: %v", now.Sub(epoch), wait)
		}
		if wait := together(now, beat); wait != beat {
			t.Errorf("what is due soon waits for %v", wait)
		}
	}
}
