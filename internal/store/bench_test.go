package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"callboard/internal/stage"
)

// join is what is written when somebody joins: a participant with detail, the
// session and an event, after reading whether the participant was there.
func join(tx stage.Tx, n int64) error {
	session, err := tx.LiveSession(testStage)
	if errors.Is(err, stage.ErrNoRow) {
		session = stage.Session{Stage: testStage, ID: "st-benchmark00", Started: tx.Now(), NextSeq: 1}
		err = tx.PutSession(&session)
	}
	if err != nil {
		return err
	}
	p := attendee(session.No, session.NextSeq, n)
	if _, err := tx.Participant(session.No, p.ID); !errors.Is(err, stage.ErrNoRow) {
		return fmt.Errorf("%s was there: %w", p.ID, err)
	}
	p.Connected, p.FirstJoin = true, tx.Now()
	p.Detail = &stage.Detail{
		Attributes: map[string]string{"displayName": "Somebody With A Name", "avatar": "https://cdn.example.com/avatars/4f3c2b1a.png", "role": "guest"},
		Client:     stage.Client{OSName: "Android", OSVersion: "16", BrowserName: "Chrome", BrowserVersion: "150.0.1.2", SDKVersion: "1.34.0"},
		Protocol:   stage.ProtocolUnknown,
	}
	session.NextSeq++
	session.Connected++
	e := stage.Event{At: tx.Now(), Stage: testStage, Session: session.No, Participant: p.ID, Name: stage.Joined}
	return errors.Join(tx.AppendEvent(&e), tx.PutParticipant(&p), tx.PutSession(&session))
}

// attendee is one of a large audience: 0.1 % are connected, 30 % have
// published, 0.8 % failed to be recorded, three share a user id.
func attendee(session, seq, n int64) stage.Participant {
	p := stage.Participant{
		Session:   session,
		Seq:       seq,
		ID:        fmt.Sprintf("%012x", uint64(n)*0x9E3779B97F4A7C15>>16), // in no order
		UserID:    fmt.Sprintf("user-%028d", n*7919%(n/3+1)),
		Connected: n%1000 == 7,
		Published: n%10 < 3,
		FirstJoin: time.UnixMilli(1_770_000_000_000 + n),
	}
	switch n % 125 {
	case 3:
		p.Recording = stage.RecordingFailed
	case 4, 5:
		p.Recording = stage.RecordingStopped
	}
	return p
}

func BenchmarkJoin(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := openAt(b, Options{Path: filePath(b)})
			for i := range 1000 {
				benchJoins(b, s, 1, int64(i), int64(i+1))
			}
			syncs := benchSyncs(b, 500)
			before := s.Stats()
			used := processorTime()
			b.ResetTimer()
			took := benchJoins(b, s, callers, 1000, 1000+int64(b.N))
			b.StopTimer()
			b.ReportMetric(float64((processorTime()-used).Microseconds())/float64(b.N), "cpu-us")
			syncs = append(syncs, benchSyncs(b, 500)...)
			slices.Sort(took)
			slices.Sort(syncs)
			b.ReportMetric(float64(syncs[len(syncs)*99/100].Microseconds()), "sync-p99-us")
			after := s.Stats()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "joins/s")
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
			b.ReportMetric(float64(after.Updates-before.Updates)/float64(after.Commits-before.Commits), "joins/commit")
		})
	}
}

// benchSyncs is how long the disk takes to make a small write durable, n times.
func benchSyncs(b *testing.B, n int) []time.Duration {
	f, err := os.Create(filepath.Join(b.TempDir(), "synced"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	block, disk := make([]byte, 4096), newSyncer(f)
	defer disk.close()
	if err := errors.Join(f.Truncate(1<<20), f.Sync()); err != nil {
		b.Fatal(err)
	}
	took := make([]time.Duration, n)
	for i := range took {
		began := time.Now()
		_, err := f.WriteAt(block, int64(i%256)*4096)
		if err = errors.Join(err, disk.sync()); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(began)
	}
	return took
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// benchJoins has callers write the joins from..to and gives how long each took.
func benchJoins(b *testing.B, s *Store, callers int, from, to int64) []time.Duration {
	took := make([]time.Duration, to-from)
	var next atomic.Int64
	errs := make(chan error, callers)
	for range callers {
		go func() {
			for {
				n := next.Add(1) - 1
				if n >= to-from {
					errs <- nil
					return
				}
				start := time.Now()
				if err := s.Update(context.Background(), func(tx stage.Tx) error { return join(tx, from+n) }); err != nil {
					errs <- err
					return
				}
				took[n] = time.Since(start)
			}
		}()
	}
	for range callers {
		if err := <-errs; err != nil {
			b.Fatal(err)
		}
	}
	return took
}

// BenchmarkPage reads pages of 50. Rows of 1e6 take minutes to write; they are
// kept in the directory that CALLBOARD_STORE_BENCH names, and left out without it.
func BenchmarkPage(b *testing.B) {
	for _, rows := range []int64{1e3, 1e5, 1e6} {
		b.Run(fmt.Sprintf("rows=%.0e", float64(rows)), func(b *testing.B) {
			path := filePath(b)
			if rows == 1e6 {
				dir := os.Getenv("CALLBOARD_STORE_BENCH")
				if dir == "" {
					b.Skip("CALLBOARD_STORE_BENCH names no directory")
				}
				path = filepath.Join(dir, "1e6.db")
			}
			s := openAt(b, Options{Path: path})
			fill(b, s, rows)
			for name, q := range benchQueries(rows) {
				b.Run(name, func(b *testing.B) { benchPage(b, s, q) })
			}
		})
	}
}

func fill(b *testing.B, s *Store, rows int64) {
	b.Helper()
	for from := int64(1); from <= rows; from += 5000 {
		mustUpdate(b, s, func(tx stage.Tx) error {
			if list, err := tx.Participants(stage.ParticipantQuery{Session: 1, Limit: 1}); err != nil || len(list) == 1 && list[0].Seq >= from {
				return err
			}
			for n := from; n < min(from+5000, rows+1); n++ {
				p := attendee(1, n, n)
				if err := tx.PutParticipant(&p); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func benchQueries(rows int64) map[string]stage.ParticipantQuery {
	yes, no, failed := true, false, stage.RecordingFailed
	user := attendee(1, rows/2, rows/2).UserID
	return map[string]stage.ParticipantQuery{
		"first":        {},
		"deep":         {Before: rows / 2},
		"userID":       {UserID: &user},
		"connected":    {Connected: &yes},
		"disconnected": {Connected: &no, Before: rows / 2},
		"published":    {Published: &yes, Before: rows / 2},
		"failed":       {Recording: &failed, Before: rows / 2},
	}
}

func benchPage(b *testing.B, s *Store, q stage.ParticipantQuery) {
	q.Session, q.Limit = 1, 51
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		err := s.View(b.Context(), func(tx stage.Tx) error {
			list, err := tx.Participants(q)
			n = len(list)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n), "rows/page")
}
