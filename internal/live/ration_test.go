package live

import (
	"fmt"
	"testing"
	"time"

	"callboard/internal/stage"
)

func TestRationOfErrorEvents(t *testing.T) {
	t.Parallel()
	start := time.Now()
	somebody := key{id: "somebody"}
	absent := func(n int) stage.Fact {
		return stage.Fact{Name: stage.SubscribeError, Remote: fmt.Sprint(n), Error: stage.PublisherNotFound}
	}
	want := func(t *testing.T, r *ration, k key, f stage.Fact, after time.Duration, want bool) {
		t.Helper()
		if got := r.allow(k, f, start.Add(after)); got != want {
			t.Errorf("%s about %q after %v is allowed: %v", k.id, f.Remote, after, got)
		}
	}
	t.Run("the same event is written once in five seconds", func(t *testing.T) {
		var r ration
		want(t, &r, somebody, absent(1), 0, true)
		want(t, &r, somebody, absent(1), rationPause-1, false)
		want(t, &r, somebody, absent(2), rationPause-1, true)
		want(t, &r, somebody, absent(1), rationPause, true)
		want(t, &r, key{id: "another"}, absent(1), rationPause, true)
	})
	t.Run("ten events are written in a minute", func(t *testing.T) {
		var r ration
		for n := range rationSize {
			want(t, &r, somebody, absent(n), time.Duration(n)*time.Second, true)
		}
		want(t, &r, somebody, absent(rationSize), rationSpan-1, false)
		want(t, &r, somebody, absent(rationSize), rationSpan, true)
		want(t, &r, somebody, absent(rationSize+1), rationSpan, false)
	})
	t.Run("a crowd does not take more memory than it may, nor for longer than it must", func(t *testing.T) {
		var r ration
		for n := range rationMax {
			want(t, &r, key{id: fmt.Sprint(n)}, absent(n), 0, true)
		}
		want(t, &r, somebody, absent(1), time.Second, false)
		want(t, &r, key{id: "1"}, absent(2), time.Second, true)
		want(t, &r, somebody, absent(1), rationSpan, true)
		if len(r.eaten) != 2 {
			t.Errorf("%d participants are remembered", len(r.eaten))
		}
	})
}

func TestAnAllowanceComesBackBitByBit(t *testing.T) {
	t.Parallel()
	var a allowance
	start := time.Now()
	for i, c := range []struct {
		after time.Duration
		times int
	}{{0, allowanceSize}, {allowanceEvery - 1, 0}, {allowanceEvery, 1}, {4 * allowanceEvery, 3}, {time.Hour, allowanceSize}} {
		got := 0
		for a.take(start.Add(c.after)) {
			got++
		}
		if got != c.times {
			t.Errorf("%d: after %v there are %d, not %d", i, c.after, got, c.times)
		}
	}
}
