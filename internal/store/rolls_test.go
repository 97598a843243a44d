package store

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"time"

	"callboard/internal/stage"
)

var rollStage = stage.ARN{Region: "eu-west-1", Account: "123456789012", Type: stage.TypeStage, ID: "roll"}

const rollSession = "st-0123456789abc"

// fillSession makes a session of n participants.
func fillSession(t *testing.T, s *Store, n int) stage.Session {
	t.Helper()
	session := stage.Session{Stage: rollStage, ID: rollSession, Started: time.UnixMilli(1), NextSeq: int64(n + 1)}
	err := s.Update(t.Context(), func(tx stage.Tx) error {
		if err := tx.PutDocument(&stage.Document{ARN: rollStage, Body: []byte("{}")}); err != nil {
			return err
		}
		if err := tx.PutSession(&session); err != nil {
			return err
		}
		for i := range int64(n) {
			if err := tx.PutParticipant(nobody(session.No, i+1)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func TestARollThatCannotHoldSomebodyIsNotShown(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{})
	session := fillSession(t, s, 1)
	mustUpdate(t, s, func(tx stage.Tx) error { return tx.PutParticipant(nobody(session.No, 1<<32)) })
	if list, hot := s.Roll(rollStage, rollSession, stage.ParticipantQuery{Limit: 5}); hot {
		t.Errorf("the roll is %v", list)
	}
}

func nobody(session, seq int64) *stage.Participant {
	return &stage.Participant{
		Session: session, Seq: seq, ID: fmt.Sprint("p", seq), UserID: fmt.Sprint("u", seq%100), FirstJoin: time.UnixMilli(seq),
	}
}

// askUntilHot asks for a roll until it has been read.
func askUntilHot(t *testing.T, s *Store) {
	t.Helper()
	for t.Context().Err() == nil {
		if _, hot := s.Roll(rollStage, rollSession, stage.ParticipantQuery{Limit: 1}); hot {
			return
		}
		runtime.Gosched()
	}
	t.Fatal("the roll is not read")
}

func sameAsStored(t *testing.T, s *Store, session int64, n int64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	for range 100 {
		q := stage.ParticipantQuery{Session: session, Limit: 20, Before: rng.Int64N(n + 1), UserID: new(fmt.Sprint("u", rng.IntN(100)))}
		if rng.IntN(2) == 0 {
			q.UserID, q.Connected = nil, new(rng.IntN(2) == 0)
		}
		rows, hot := s.Roll(rollStage, rollSession, q)
		var stored []stage.Participant
		err := s.View(t.Context(), func(tx stage.Tx) (err error) {
			stored, err = tx.Participants(q)
			return err
		})
		if err != nil || !hot || !reflect.DeepEqual(rows, stored) {
			t.Fatalf("%+v (%v, %v):\n got %v\nwant %v", q, hot, err, rows, stored)
		}
	}
}

func TestARollIsReadWhileItsSessionGoesOn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "callboard.db")
	const n = 6000
	first := openAt(t, Options{Path: path})
	session := fillSession(t, first, n)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, Options{Path: path})
	if _, hot := s.Roll(rollStage, rollSession, stage.ParticipantQuery{Limit: 1}); hot {
		t.Error("a session of an earlier process has a roll at once")
	}
	var writers sync.WaitGroup
	stop := make(chan struct{})
	for w := range int64(4) {
		writers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 2))
			for next := int64(n) + w*100_000; ; next++ {
				select {
				case <-stop:
					return
				default:
				}
				err := s.Update(t.Context(), func(tx stage.Tx) error {
					flipped := nobody(session.No, 1+rng.Int64N(n))
					flipped.Connected = rng.IntN(2) == 0
					if err := tx.PutParticipant(flipped); err != nil {
						return err
					}
					return tx.PutParticipant(nobody(session.No, next+1))
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	askUntilHot(t, s)
	close(stop)
	writers.Wait()
	sameAsStored(t, s, session.No, 500_000)
}

func TestNoRollIsOpenedOfWhatWasRemovedSinceItWasLookedUp(t *testing.T) {
	t.Parallel()
	for how, remove := range map[string]func(stage.Tx) error{
		"the stage":  func(tx stage.Tx) error { return tx.DeleteDocument(rollStage) },
		"everything": stage.Tx.Forget,
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := openAt(t, Options{})
			fillSession(t, s, 10)
			ends := s.rolls.ends.Load()
			session, err := s.lookup(t.Context(), sessionName{rollStage, rollSession})
			if err != nil || session.No == 0 {
				t.Fatalf("looked up %+v, %v", session, err)
			}
			mustUpdate(t, s, remove)
			if s.rolls.open(sessionName{rollStage, rollSession}, session.No, false, ends) != nil {
				t.Error("a roll is opened")
			}
		})
	}
}

func TestNobodyIsAnsweredBeforeTheRollsShowTheWholeCommit(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{})
	session := fillSession(t, s, 1)
	done := make(chan error) // without room, so the committer waits here for its first caller
	first, second := &update{done: done}, &update{done: make(chan error, 1)}
	for seq := range int64(1000) {
		second.change.put = append(second.change.put, *nobody(session.No, seq+2))
	}
	go s.answer([]*update{first, second}, nil)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if list, _ := s.Roll(rollStage, rollSession, stage.ParticipantQuery{Limit: 2000}); len(list) != 1001 {
		t.Errorf("the first is answered when the roll has %d rows", len(list))
	}
	<-second.done
}

func TestSmallSessionsTakeNoMoreMemoryThanIsCounted(t *testing.T) {
	r := newRolls(1 << 40)
	const sessions = 5000
	before := heap()
	for no := range int64(sessions) {
		arn := rollStage
		arn.ID = fmt.Sprintf("stage%07d", no)
		p := nobody(no, 1)
		p.UserID = "a-user-id-of-thirty-six-bytes-000000"
		r.feed(&change{
			opened: []stage.Session{{No: no, Stage: arn, ID: fmt.Sprintf("st-%013d", no)}},
			put:    []stage.Participant{*p},
		})
	}
	took, counted := heap()-before, r.bytes.Load()
	if took > counted*11/10 || counted > took*3/2 {
		t.Errorf("%d sessions take %d bytes, counted are %d", r.len(), took, counted)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestRollsMakeRoomForEachOther(t *testing.T) {
	t.Parallel()
	const limit = 160 << 10
	s := openAt(t, Options{RollBytes: limit})
	session := fillSession(t, s, 1000)
	other := stage.Session{Stage: rollStage, ID: "st-another567890", Started: time.UnixMilli(1), Ended: time.UnixMilli(2), NextSeq: 1}
	for next, full := int64(1), false; !full; {
		err := s.Update(t.Context(), func(tx stage.Tx) error {
			if other.No == 0 {
				if err := tx.PutSession(&other); err != nil {
					return err
				}
			}
			for range 250 {
				if err := tx.PutParticipant(nobody(other.No, next)); err != nil {
					return err
				}
				next++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		full = s.Stats().Rolls < 2
		s.Roll(rollStage, other.ID, stage.ParticipantQuery{Limit: 1})
	}
	if _, hot := s.Roll(rollStage, rollSession, stage.ParticipantQuery{Limit: 1}); hot {
		t.Error("the roll that was looked at last had to go, not the other")
	}
	if bytes := s.Stats().RollBytes; bytes > limit {
		t.Errorf("rolls take %d bytes, more than %d", bytes, limit)
	}
	askUntilHot(t, s) // in turn the other one goes
	sameAsStored(t, s, session.No, 1000)
}

func TestASessionThatGetsTooLargeGoesItself(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{RollBytes: 100 << 10})
	fillSession(t, s, 10)
	large := stage.Session{Stage: rollStage, ID: "st-another567890", Started: time.UnixMilli(1), Ended: time.UnixMilli(2), NextSeq: 1}
	for next := int64(1); large.No == 0 || s.rolls.len() > 1; {
		mustUpdate(t, s, func(tx stage.Tx) error {
			if large.No == 0 {
				if err := tx.PutSession(&large); err != nil {
					return err
				}
			}
			for end := next + 125; next < end; next++ {
				if err := tx.PutParticipant(nobody(large.No, next)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if _, hot := s.Roll(rollStage, rollSession, stage.ParticipantQuery{Limit: 1}); !hot {
		t.Error("the small one had to go")
	}
}

func TestASessionThatDoesNotFitIsNotReadAgainAndAgain(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{RollBytes: 1 << 20})
	session := fillSession(t, s, 1)
	session.NextSeq = 10_001 // of which the first few hundred will do
	mustUpdate(t, s, func(tx stage.Tx) error {
		for seq := range int64(300) {
			p := nobody(session.No, seq+1)
			p.UserID = fmt.Sprintf("%0128d", seq) // more than rows usually take
			if err := tx.PutParticipant(p); err != nil {
				return err
			}
		}
		return tx.PutSession(&session)
	})
	s.rolls.drop(s.rolls.bySession[session.No])
	views := s.Stats().Views
	if err := s.read(t.Context(), sessionName{rollStage, rollSession}); err != nil {
		t.Fatal(err)
	}
	if n := s.Stats().Views - views; n > 2 {
		t.Errorf("it took %d views to see that it does not fit", n)
	}
	for range 100 {
		s.Roll(rollStage, rollSession, stage.ParticipantQuery{Limit: 1})
	}
	if n := len(s.rolls.wanted); n > 0 || s.Stats().Views > views+2 || s.Stats().RollBytes > 0 {
		t.Errorf("it is wanted again %d times, of %+v", n, s.Stats())
	}
}

func TestARollThatIsWaitedForIsInUse(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{})
	session := fillSession(t, s, 10)
	name := sessionName{rollStage, rollSession}
	s.rolls.drop(s.rolls.byName[name])
	h := s.rolls.open(name, session.No, false, s.rolls.ends.Load())
	h.used.Store(0)
	if _, hot := s.Roll(rollStage, rollSession, stage.ParticipantQuery{Limit: 1}); hot || h.used.Load() == 0 {
		t.Errorf("shown %v, last used at %d", hot, h.used.Load())
	}
}

func TestNoRollIsKeptWithoutMemoryForIt(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{RollBytes: -1})
	fillSession(t, s, 10)
	for range 10 {
		if list, hot := s.Roll(rollStage, rollSession, stage.ParticipantQuery{Limit: 1}); hot {
			t.Errorf("there is the roll %v", list)
		}
	}
}
