package bench

import (
	"encoding/json"
	"fmt"
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

// BenchmarkCreateParticipantToken measures a token against what it cannot do
// without: "us/sign" is the time of the ES384 signature alone, "us/commit" that
// of an empty durable transaction, both in the same run.
func BenchmarkCreateParticipantToken(b *testing.B) {
	h := newHouse(b)
	made, _, err := h.service.CreateStage(b.Context(), caller, stage.NewStage{})
	must(b, err)
	ours, request := dial(h.url), wire(h.request("CreateParticipantToken", fmt.Sprintf(`{"stageArn":%q,"userId":"ann"}`, made.ARN)))
	defer ours.close()
	private, err := token.NewKey()
	must(b, err)
	claims := token.Claims{ParticipantID: "abc", Stage: made.ARN.String(), Topic: made.ARN.ID, EventsURL: "ws://localhost/events", WHIPURL: "http://localhost/whip", IssuedAt: time.Now(), Expires: time.Now().Add(time.Hour)}

	const run = 20
	var spent, signing, committing time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		signing += each(run, func() error { _, err := token.Mint(private, "k", claims); return err }, b)
		committing += each(run, func() error { return h.store.Update(b.Context(), func(tx stage.Tx) error { return tx.Beat() }) }, b)
		b.StartTimer()
		spent += timed(b, ours, request, run)
		n += run
	}
	per := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(n) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(per(spent), "us/call")
	b.ReportMetric(per(signing), "us/sign")
	b.ReportMetric(per(committing), "us/commit")
	b.ReportMetric(per(signing+committing)/per(spent), "of-floor")
}

func each(n int, do func() error, b *testing.B) time.Duration {
	start := time.Now()
	for range n {
		must(b, do())
	}
	return time.Since(start)
}
