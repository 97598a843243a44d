package bench

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"callboard/internal/stage"
	"callboard/internal/token"
)

// BenchmarkGetStage measures the smallest call there is.
func BenchmarkGetStage(b *testing.B) {
	h := newHouse(b)
	made, _, err := h.service.CreateStage(b.Context(), caller, stage.NewStage{Name: "morning-show"})
	must(b, err)
	h.measure(b, "GetStage", fmt.Sprintf(`{"arn":%q}`, made.ARN))
}

// BenchmarkListStages measures a page of 50 among ten thousand stages.
func BenchmarkListStages(b *testing.B) {
	h := newHouse(b)
	for i := range 10_000 {
		_, _, err := h.service.CreateStage(b.Context(), caller, stage.NewStage{
			Name: fmt.Sprintf("stage-%05d", i), Tags: map[string]string{"team": "radio"},
		})
		must(b, err)
	}
	token := ""
	for range 100 {
		var page struct{ NextToken string }
		must(b, json.Unmarshal(h.get(b, "ListStages", fmt.Sprintf(`{"nextToken":%q}`, token)), &page))
		token = page.NextToken
	}
	b.Run("first", func(b *testing.B) { h.measure(b, "ListStages", `{}`) })
	b.Run("deep", func(b *testing.B) { h.measure(b, "ListStages", fmt.Sprintf(`{"nextToken":%q}`, token)) })
}

// BenchmarkCreateParticipantToken measures tokens against what they cannot do
// without: "us/sign" is the time that a token's ES384 signature alone takes, by
// as many callers at once, and "of-floor" its share.
func BenchmarkCreateParticipantToken(b *testing.B) {
	h := newHouse(b)
	made, _, err := h.service.CreateStage(b.Context(), caller, stage.NewStage{})
	must(b, err)
	request := wire(h.request("CreateParticipantToken", fmt.Sprintf(`{"stageArn":%q,"userId":"ann"}`, made.ARN)))
	private, err := token.NewKey()
	must(b, err)
	claims := token.Claims{ParticipantID: "abc", Stage: made.ARN.String(), Topic: made.ARN.ID, EventsURL: "ws://localhost/events", WHIPURL: "http://localhost/whip", IssuedAt: time.Now(), Expires: time.Now().Add(time.Hour)}
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			const run = 20
			var spent, signing time.Duration
			n := 0
			for b.Loop() {
				b.StopTimer()
				signing += together(callers, func() {
					for range run {
						if _, err := token.Mint(private, "k", claims); err != nil {
							b.Error(err)
						}
					}
				})
				b.StartTimer()
				spent += together(callers, func() {
					c := dial(h.url)
					defer c.close()
					for range run {
						if _, err := c.do(request); err != nil {
							b.Error(err)
						}
					}
				})
				n += run * callers
			}
			per := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(n) }
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(per(spent), "us/call")
			b.ReportMetric(per(signing), "us/sign")
			b.ReportMetric(per(signing)/per(spent), "of-floor")
		})
	}
}

// together has n do the same at once and tells how long it took.
func together(n int, do func()) time.Duration {
	var all sync.WaitGroup
	start := time.Now()
	for range n {
		all.Go(do)
	}
	all.Wait()
	return time.Since(start)
}
