package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"callboard/internal/stage"
	"callboard/internal/store/storetest"
)

// BenchmarkPostgreSQLJoin is BenchmarkJoin with the database of a server.
func BenchmarkPostgreSQLJoin(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := openAt(b, Options{Path: storetest.Postgres(b)})
			benchJoins(b, s, 64, 0, 1000)
			before := s.Stats()
			b.ResetTimer()
			took := benchJoins(b, s, callers, 1000, 1000+int64(b.N))
			b.StopTimer()
			slices.Sort(took)
			after := s.Stats()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "joins/s")
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
			b.ReportMetric(float64(after.Updates-before.Updates)/float64(after.Commits-before.Commits), "joins/commit")
		})
	}
}

// BenchmarkPostgreSQLPage reads pages of 50 by SQL, and the first one from a roll.
func BenchmarkPostgreSQLPage(b *testing.B) {
	const rows = 20_000
	s := openAt(b, Options{Path: storetest.Postgres(b)})
	session := stage.Session{Stage: rollStage, ID: rollSession, Started: time.UnixMilli(1), NextSeq: rows + 1}
	mustUpdate(b, s, func(tx stage.Tx) error { return tx.PutSession(&session) })
	fill(b, s, rows)
	mustUpdate(b, s, func(x stage.Tx) error { return x.(*tx).write("ANALYZE") })
	for name, q := range benchQueries(rows) {
		b.Run(name, func(b *testing.B) { benchPage(b, s, q) })
	}
	b.Run("roll", func(b *testing.B) {
		for b.Loop() {
			if _, hot := s.Roll(rollStage, rollSession, stage.ParticipantQuery{Limit: 51}); !hot {
				b.Fatal("there is no roll")
			}
		}
	})
}

// BenchmarkPostgreSQLStaleness is how long after one process was told that
// something is stored another shows it.
func BenchmarkPostgreSQLStaleness(b *testing.B) {
	url := storetest.Postgres(b)
	one, other := openAt(b, Options{Path: url}), openAt(b, Options{Path: url})
	for i := range 5 {
		mustUpdate(b, one, note)
		for no, _ := other.Latest(); no <= int64(i); no, _ = other.Latest() {
			time.Sleep(time.Millisecond)
		}
	}
	var late []time.Duration
	for b.Loop() {
		mustUpdate(b, one, note)
		at := time.Now()
		want, _ := one.Latest()
		for {
			no, later := other.Latest()
			if no >= want {
				break
			}
			<-later
		}
		late = append(late, time.Since(at))
	}
	slices.Sort(late)
	b.ReportMetric(float64(late[len(late)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(late[len(late)*99/100].Microseconds()), "p99-us")
}
