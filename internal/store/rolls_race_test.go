package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"callboard/internal/stage"
)

// TestRollsAreTrueWhileTheyComeAndGo has three sessions in the memory for two,
// so that rolls are read, fed and dropped all the time, while stages are removed.
func TestRollsAreTrueWhileTheyComeAndGo(t *testing.T) {
	t.Parallel()
	const size, limit = 400, 42 << 10
	s := openAt(t, Options{Path: filepath.Join(t.TempDir(), "callboard.db"), RollBytes: limit})
	sessions := make([]stage.Session, 3)
	mustUpdate(t, s, func(tx stage.Tx) error {
		for i := range sessions {
			arn := rollStage
			arn.ID = fmt.Sprint("stage", i)
			sessions[i] = stage.Session{Stage: arn, ID: rollSession, Started: time.UnixMilli(1), NextSeq: size + 1}
			if err := tx.PutDocument(&stage.Document{ARN: arn, Body: []byte("{}")}); err != nil {
				return err
			}
			if err := tx.PutSession(&sessions[i]); err != nil {
				return err
			}
			for seq := range int64(size) {
				if err := tx.PutParticipant(nobody(sessions[i].No, seq+1)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	until := time.Now().Add(time.Second)
	var everybody sync.WaitGroup
	hits, misses := make([]int, 4), make([]int, 4)
	for w := range 4 {
		everybody.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 5))
			for time.Now().Before(until) && !t.Failed() {
				in := sessions[rng.IntN(len(sessions))]
				p := nobody(in.No, int64(w+1)+4*rng.Int64N(size/3)) // each has rows of its own, old and new
				p.Connected, p.UserID = rng.IntN(2) == 0, fmt.Sprint("u", rng.IntN(5))
				if err := s.Update(t.Context(), func(tx stage.Tx) error { return tx.PutParticipant(p) }); err != nil {
					t.Error(err)
					return
				}
				q := stage.ParticipantQuery{Before: p.Seq + 1, Limit: 1, UserID: &p.UserID}
				for range 20 {
					list, hot := s.Roll(in.Stage, in.ID, q)
					if !hot {
						misses[w]++
					} else if hits[w]++; len(list) != 1 || list[0].ID != p.ID || list[0].Connected != p.Connected {
						t.Errorf("after %+v was stored, the roll shows %+v", p, list)
						return
					}
				}
			}
		})
	}
	everybody.Go(func() {
		for n := 0; time.Now().Before(until); n++ {
			arn := rollStage
			arn.ID = fmt.Sprint("brief", n)
			err := s.Update(t.Context(), func(tx stage.Tx) error {
				return errors.Join(tx.PutDocument(&stage.Document{ARN: arn, Body: []byte("{}")}), tx.DeleteDocument(arn))
			})
			if err != nil {
				t.Error(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	everybody.Wait()
	t.Logf("%v pages from memory, %v not, rolls: %+v", hits, misses, s.Stats())
	for _, session := range sessions {
		rollIsStored(t, s, session)
	}
	s.rolls.mu.Lock()
	defer s.rolls.mu.Unlock()
	counted := int64(0)
	for _, h := range s.rolls.bySession {
		counted += h.size
		if h.ready.Load() && h.size != h.weight() {
			t.Errorf("a roll of %d bytes is counted as %d", h.weight(), h.size)
		}
	}
	if bytes := s.rolls.bytes.Load(); bytes != counted || len(s.rolls.byName) != len(s.rolls.bySession) {
		t.Errorf("%d rolls (%d have names) take %d bytes, counted are %d", len(s.rolls.bySession), len(s.rolls.byName), counted, bytes)
	}
}

// rollIsStored compares the whole roll of a session with the database, through
// every kind of filter.
func rollIsStored(t *testing.T, s *Store, session stage.Session) {
	t.Helper()
	for _, q := range []stage.ParticipantQuery{
		{}, {UserID: new("u3")}, {Connected: new(true)}, {Connected: new(false)}, {Published: new(false)},
		{Recording: new(stage.RecordingDisabled)},
	} {
		q.Session, q.Limit = session.No, 1_000_000
		rows, hot := s.Roll(session.Stage, session.ID, q)
		for asked := 0; !hot && asked < 10_000; asked++ {
			time.Sleep(time.Millisecond)
			rows, hot = s.Roll(session.Stage, session.ID, q)
		}
		var stored []stage.Participant
		err := s.View(t.Context(), func(tx stage.Tx) (err error) {
			stored, err = tx.Participants(q)
			return err
		})
		if err != nil || !hot || !reflect.DeepEqual(rows, stored) {
			t.Fatalf("%+v (%v, %v): %d rows, stored are %d, and they differ", q, hot, err, len(rows), len(stored))
		}
	}
}
