package quota

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"callboard/internal/stage"
)

// watch is a meter with a clock that the test moves, and its log.
type watch struct {
	*Meter
	t   *testing.T
	now time.Time
	log bytes.Buffer
}

func newWatch(t *testing.T, p Profile) *watch {
	w := &watch{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	w.Meter = NewMeter(Options{Profile: p, Now: func() time.Time { return w.now }, Log: slog.New(slog.NewTextHandler(&w.log, nil))})
	return w
}

func (w *watch) pass(d time.Duration) { w.now = w.now.Add(d) }

// calls makes n calls and tells how many of them were within the rate.
func (w *watch) calls(n int, operation string) (within int) {
	for range n {
		if w.Call("123456789012", "eu-west-1", operation) {
			within++
		}
	}
	return within
}

func (w *watch) want(what string, got, want int) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("%s: %d, not %d", what, got, want)
	}
}

// lines gives what was logged since the last time.
func (w *watch) lines() []string {
	text := w.log.String()
	w.log.Reset()
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

func (w *watch) buckets() (n int) {
	for i := range w.shards {
		n += len(w.shards[i].buckets)
	}
	return n
}

func TestTwoSecondsWorthOfCallsMayComeAtOnceAndTheRestAtTheRate(t *testing.T) {
	t.Parallel()
	w := newWatch(t, AWS())
	w.want("at once", w.calls(30, "GetStage"), 10)
	w.pass(199 * time.Millisecond)
	w.want("too early", w.calls(1, "GetStage"), 0)
	w.pass(time.Millisecond)
	w.want("after a fifth of a second", w.calls(5, "GetStage"), 1)
	w.pass(time.Second)
	w.want("after a second", w.calls(30, "GetStage"), 5)
	w.pass(time.Hour)
	w.want("after an hour", w.calls(30, "GetStage"), 10)
}

func TestEachOperationHasTheRateThatAWSPublishes(t *testing.T) {
	t.Parallel()
	for operation, perSecond := range map[string]int{
		"CreateParticipantToken": 50,
		"ImportPublicKey":        3, "GetPublicKey": 3, "ListPublicKeys": 3, "DeletePublicKey": 3,
		"TagResource": 10, "UntagResource": 10, "ListTagsForResource": 10,
		"CreateStage": 5, "ListParticipants": 5, "StartComposition": 5,
	} {
		w := newWatch(t, AWS())
		w.want(operation+" at once", w.calls(1000, operation), 2*perSecond)
		for range 10 {
			w.pass(time.Second)
			w.want(operation+" a second later", w.calls(1000, operation), perSecond)
		}
	}
}

func TestAccountsRegionsAndOperationsDoNotShareABucket(t *testing.T) {
	t.Parallel()
	w := newWatch(t, AWS())
	w.calls(30, "GetStage")
	for _, c := range []caller{
		{"210987654321", "eu-west-1", "GetStage"}, {"123456789012", "us-east-1", "GetStage"}, {"123456789012", "eu-west-1", "ListStages"},
	} {
		if !w.Call(c.account, c.region, c.operation) {
			t.Errorf("%v is throttled for what another one did", c)
		}
	}
}

func TestAFractionOfACallPerSecondIsOneNowAndThen(t *testing.T) {
	t.Parallel()
	w := newWatch(t, read(t, "rates: {others: 0.1}"))
	w.want("at first", w.calls(3, "GetStage"), 1)
	w.pass(9 * time.Second)
	w.want("after 9 seconds", w.calls(3, "GetStage"), 0)
	w.pass(time.Second)
	w.want("after 10 seconds", w.calls(3, "GetStage"), 1)
}

func TestWithManyAtOnceNobodyGetsMoreThanTheBucketHas(t *testing.T) {
	t.Parallel()
	w := newWatch(t, AWS())
	var within atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { within.Add(int64(w.calls(100, "CreateParticipantToken"))) })
	}
	all.Wait()
	w.want("within the rate", int(within.Load()), 100)
	if got, want := w.Stats().Throttled, (map[Label]uint64{{"CreateParticipantToken", true}: 700}); !maps.Equal(got, want) {
		t.Errorf("counted as throttled: %v, not %v", got, want)
	}
}

func TestIdleBucketsAreForgotten(t *testing.T) {
	t.Parallel()
	w := newWatch(t, AWS())
	for i := range 100 {
		w.Call("123456789012", fmt.Sprint("region-", i), "GetStage")
	}
	w.sweep(false)
	w.want("buckets in use", w.buckets(), 100)
	w.pass(200 * time.Millisecond)
	w.sweep(false)
	w.want("buckets when all are full again", w.buckets(), 0)
}

func TestRegionsWithoutNumberDoNotFillTheMemory(t *testing.T) {
	t.Parallel()
	w := newWatch(t, AWS())
	for i := range shards * maxBucket * 5 / 4 {
		w.Call("123456789012", fmt.Sprint("region-", i), "GetStage")
	}
	if n := w.buckets(); n > shards*maxBucket {
		t.Errorf("%d buckets are kept", n)
	}
}

func TestABurstIsOneLineOfTheLogWhenItIsOver(t *testing.T) {
	t.Parallel()
	w := newWatch(t, None())
	w.want("nothing is enforced", w.calls(12, "GetStage"), 12)
	w.pass(500 * time.Millisecond)
	w.want("nothing is enforced", w.calls(13, "GetStage"), 13)
	w.pass(time.Second)
	w.want("nothing is enforced", w.calls(10, "GetStage"), 10)
	w.pass(4 * time.Second)
	w.sweep(false)
	w.want("lines while it may go on", len(w.lines()), 0)
	w.pass(time.Second)
	w.sweep(false)
	lines := w.lines()
	if len(lines) != 1 {
		t.Fatalf("%d lines: %v", len(lines), lines)
	}
	for _, part := range []string{
		"level=WARN", "account=123456789012", "region=eu-west-1", "operation=GetStage", "calls=35", "throttled=0", "throttled_by_aws=18",
		"peak_per_second=25", "aws_per_second=5", "lasted=1.5s",
	} {
		if !strings.Contains(lines[0]+" ", part+" ") {
			t.Errorf("the line has no %s: %s", part, lines[0])
		}
	}
	if got, want := w.Stats().Throttled, (map[Label]uint64{{"GetStage", false}: 18}); !maps.Equal(got, want) {
		t.Errorf("counted: %v, not %v", got, want)
	}
	w.pass(time.Minute)
	w.sweep(false)
	w.want("lines after it was told", len(w.lines()), 0)
	w.want("buckets", w.buckets(), 0)
}

func TestCallsWithinTheRateOfAWSAreNotWorthALine(t *testing.T) {
	t.Parallel()
	w := newWatch(t, AWS())
	for range 600 {
		w.want("within the rate", w.calls(1, "GetStage"), 1)
		w.pass(200 * time.Millisecond)
		w.sweep(false)
	}
	w.sweep(true)
	w.want("lines", len(w.lines()), 0)
}

func TestABurstWithoutEndIsALineAMinute(t *testing.T) {
	t.Parallel()
	w := newWatch(t, AWS())
	for range 10 * 60 {
		w.calls(20, "GetStage")
		w.pass(time.Second)
		w.sweep(false)
	}
	lines := w.lines()
	w.want("lines in ten minutes", len(lines), 10)
	if !strings.Contains(lines[5], "calls=1200 throttled=900 throttled_by_aws=900 peak_per_second=20 aws_per_second=5 limit_per_second=5") {
		t.Errorf("one of them is %s", lines[5])
	}
}

func TestAProfileBeyondAWSStillTellsWhatAWSWouldDo(t *testing.T) {
	t.Parallel()
	w := newWatch(t, read(t, "rates: {GetStage: 10}"))
	w.want("within our rate", w.calls(25, "GetStage"), 20)
	if got, want := w.Stats().Throttled, (map[Label]uint64{{"GetStage", true}: 5, {"GetStage", false}: 10}); !maps.Equal(got, want) {
		t.Errorf("counted: %v, not %v", got, want)
	}
}

func TestRunWritesDownWhatIsOverAndAtItsEndTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		m := NewMeter(Options{Profile: AWS(), Log: slog.New(slog.NewTextHandler(&log, nil))})
		burst := func(operation string) {
			for range 11 {
				m.Call("123456789012", "eu-west-1", operation)
			}
		}
		var running sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		running.Go(func() { m.Run(ctx) })
		burst("GetStage")
		time.Sleep(7 * time.Second)
		synctest.Wait()
		if n := strings.Count(log.String(), "operation=GetStage"); n != 1 {
			t.Errorf("%d lines about a burst that is over", n)
		}
		burst("ListStages")
		stop()
		running.Wait()
		if n := strings.Count(log.String(), "operation=ListStages"); n != 1 {
			t.Errorf("%d lines about a burst at the end", n)
		}
	})
}

func TestAQuotaIsLoggedWhenItIsPassedAndAgainWhenItIsPassedAgain(t *testing.T) {
	t.Parallel()
	w := newWatch(t, None())
	demand := func(had int, change ...func(*stage.Demand)) {
		d := stage.Demand{Quota: "public-keys", Account: "123456789012", Region: "eu-west-1", Had: had}
		for _, f := range change {
			f(&d)
		}
		w.Demand(d)
	}
	for had := range 3 {
		demand(had)
	}
	w.want("lines within", len(w.lines()), 0)
	for had := range 20 {
		demand(3 + had)
	}
	lines := w.lines()
	if len(lines) != 1 || !strings.Contains(lines[0], "quota=public-keys account=123456789012 region=eu-west-1 had=3 aws_limit=3") {
		t.Errorf("when it is passed: %v", lines)
	}
	demand(3, func(d *stage.Demand) { d.Region = "us-east-1" })
	w.want("lines about another region", len(w.lines()), 1)
	demand(2)
	demand(3)
	w.want("lines when it is passed again", len(w.lines()), 1)
	demand(3, func(d *stage.Demand) { d.Limit = 3 })
	if got, want := w.Stats().Exceeded, (map[Label]uint64{{"public-keys", false}: 22, {"public-keys", true}: 1}); !maps.Equal(got, want) {
		t.Errorf("counted: %v, not %v", got, want)
	}
}

func TestAFullStageDoesNotSpeakForAnother(t *testing.T) {
	t.Parallel()
	w := newWatch(t, None())
	publish := func(id string, had int) {
		w.Demand(stage.Demand{Quota: "publishers-per-stage", Account: "123456789012", Region: "eu-west-1", Had: had,
			Stage: stage.ARN{Account: "123456789012", Region: "eu-west-1", Type: stage.TypeStage, ID: id}})
	}
	for range 5 {
		publish("crowded", 12)
		publish("empty", 0)
	}
	if lines := w.lines(); len(lines) != 1 || !strings.Contains(lines[0], "stage=arn:aws:ivs:eu-west-1:123456789012:stage/crowded") {
		t.Errorf("lines: %v", lines)
	}
}

func BenchmarkCall(b *testing.B) {
	for name, p := range map[string]Profile{"aws": AWS(), "none": None()} {
		b.Run(name, func(b *testing.B) {
			m := NewMeter(Options{Profile: p})
			b.ReportAllocs()
			for b.Loop() {
				m.Call("123456789012", "eu-west-1", "GetStage")
			}
		})
	}
}

// BenchmarkCallParallel is everybody at once: on one bucket, and each on one of his own.
func BenchmarkCallParallel(b *testing.B) {
	for _, regions := range []int{1, 64} {
		b.Run(fmt.Sprint("regions=", regions), func(b *testing.B) {
			m := NewMeter(Options{Profile: AWS()})
			var next atomic.Int64
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				region := fmt.Sprint("region-", next.Add(1)%int64(regions))
				for pb.Next() {
					m.Call("123456789012", region, "GetStage")
				}
			})
		})
	}
}

func TestRefilledBucketsAreAsAtTheStart(t *testing.T) {
	t.Parallel()
	w := newWatch(t, AWS())
	first := w.calls(100, "ListStages")
	w.want("calls when the bucket is empty", w.calls(1, "ListStages"), 0)
	w.Refill()
	w.want("calls after a refill", w.calls(100, "ListStages"), first)
	if text := w.log.String(); !strings.Contains(text, "throttled") {
		t.Errorf("of the burst before, the log says %q", text)
	}
}
