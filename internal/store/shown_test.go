package store

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"callboard/internal/stage"
)

func TestWhoHasSeenAFactInTheDatabaseSeesItInTheRoll(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{Path: filePath(t)})
	session := fillSession(t, s, 1)
	var all sync.WaitGroup
	var over atomic.Bool
	all.Go(func() {
		defer over.Store(true)
		for n := range 400 {
			p := nobody(session.No, 1)
			p.UserID = strconv.Itoa(n)
			mustUpdate(t, s, func(tx stage.Tx) error { return tx.PutParticipant(p) })
		}
	})
	for range 3 {
		all.Go(func() {
			for !over.Load() {
				var stored, shown []stage.Participant
				err := s.View(t.Context(), func(tx stage.Tx) (err error) {
					stored, err = tx.Participants(stage.ParticipantQuery{Session: session.No, Limit: 1})
					return err
				})
				shown, hot := s.Roll(rollStage, rollSession, stage.ParticipantQuery{Limit: 1})
				if err != nil || !hot {
					t.Errorf("a page: %v, hot %v", err, hot)
					return
				}
				before, _ := strconv.Atoi(stored[0].UserID)
				if after, _ := strconv.Atoi(shown[0].UserID); after < before {
					t.Errorf("the database shows %d, later the roll shows %d", before, after)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestWhoWaitsForTheRollsWaitsNoLongerThanItsTime(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{Path: filePath(t)})
	fillSession(t, s, 1)
	ctx, cancel := context.WithCancel(t.Context())
	s.shown.begin(0) // a commit that hangs; whatever is read may be of it
	err := s.View(ctx, func(stage.Tx) error {
		time.AfterFunc(time.Millisecond, cancel)
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the view returned %v", err)
	}
	s.shown.end()
	if err := s.View(t.Context(), func(stage.Tx) error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestAViewIsOfNoLaterTimeThanAnUpdateItDoesNotSee(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	s := openAt(t, Options{Path: filePath(t), Now: func() time.Time { return time.UnixMilli(clock.Add(1)) }})
	mustUpdate(t, s, func(tx stage.Tx) error {
		return s.View(t.Context(), func(view stage.Tx) error { // begun while the update is under way
			if view.Now().After(tx.Now()) {
				t.Errorf("the update has the time %v, the view %v", tx.Now(), view.Now())
			}
			return nil
		})
	})
	before := clock.Load()
	err := s.View(t.Context(), func(view stage.Tx) error {
		if view.Now().UnixMilli() < before {
			t.Errorf("a view after the update has the time %v", view.Now())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAViewIsOfNoLaterTimeThanAnUpdateThatHadToWait(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	s := openAt(t, Options{Path: filePath(t), Now: func() time.Time { return time.UnixMilli(clock.Add(1)) }})
	c, err := s.writer.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	waits := &update{done: make(chan error, 1), fn: func(tx stage.Tx) error {
		if now := s.viewTime.now(s.time); now.After(tx.Now()) {
			t.Errorf("the update has the time %v, a view %v", tx.Now(), now)
		}
		return nil
	}}
	s.queue.put(waits)
	defer func() {
		s.writer.put(c)
		if err := <-waits.done; err != nil {
			t.Error(err)
		}
	}()
	waitFor(t, "the committer has the update", func() bool { return s.queue.len() == 0 })
	if err := s.begin(c); err != nil { // as a batch that is posted while the update waits
		t.Error(err)
	}
	s.postings.note()
	if err := s.post(c); err != nil {
		t.Error(err)
	}
}
