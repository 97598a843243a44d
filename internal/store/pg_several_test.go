package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"callboard/internal/stage"
	"callboard/internal/store/storetest"
)

// two gives two stores on one database, as two processes have them.
func two(t *testing.T) (a, b *Store) {
	t.Helper()
	url := storetest.Postgres(t)
	return openAt(t, Options{Path: url}), openAt(t, Options{Path: url})
}

// waitFor waits until something is so.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came about that %s", what)
		}
	}
}

// level waits until both know all that both have stored.
func level(t *testing.T, a, b *Store) {
	t.Helper()
	waitFor(t, "both know the same", func() bool { return a.applied.Load() == b.applied.Load() && a.current() && b.current() })
}

func TestProcessesOnOneDatabaseShowTheSamePages(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	session := fillSession(t, a, 300)
	var both sync.WaitGroup
	for w, s := range []*Store{a, b, a, b} {
		both.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 3))
			for n := range 60 {
				p := nobody(session.No, 1+rng.Int64N(300))
				if n%3 == 0 {
					p = nobody(session.No, 301+int64(w)+4*int64(n))
				}
				p.Connected, p.Published = rng.IntN(2) == 0, rng.IntN(2) == 0
				p.Recording, p.UserID = stage.RecordingState(rng.IntN(3)), fmt.Sprint("u", rng.IntN(5))
				if err := s.Update(t.Context(), func(tx stage.Tx) error { return errors.Join(tx.PutParticipant(p), note(tx)) }); err != nil {
					t.Error(err)
					return
				}
				if rows, hot := s.Roll(rollStage, rollSession, stage.ParticipantQuery{Before: p.Seq + 1, Limit: 1, UserID: &p.UserID}); hot && len(rows) != 1 {
					t.Errorf("who stored %+v does not find it", p)
				}
			}
		})
	}
	both.Wait()
	level(t, a, b)
	rollIsStored(t, a, session)
	rollIsStored(t, b, session)
	events, _ := a.Latest()
	if other, _ := b.Latest(); events != 240 || other != 240 || feedLen(t, b) != 240 {
		t.Errorf("the feed ends with %d and %d", events, other)
	}
}

func TestUpdatesOfAllProcessesAreOneAfterAnother(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	session := stage.Session{Stage: testStage, ID: "st-1", Started: time.UnixMilli(1), NextSeq: 1}
	mustUpdate(t, a, func(tx stage.Tx) error { return tx.PutSession(&session) })
	var all sync.WaitGroup
	const callers, each = 8, 40
	for w := range callers {
		all.Go(func() {
			var last time.Time
			for range each {
				err := []*Store{a, b}[w%2].Update(t.Context(), func(tx stage.Tx) error {
					if tx.Now().Before(last) {
						return fmt.Errorf("%v after %v", tx.Now(), last)
					}
					last = tx.Now()
					live, err := tx.LiveSession(testStage)
					if err != nil {
						return err
					}
					p := nobody(live.No, live.NextSeq)
					live.NextSeq++
					return errors.Join(tx.PutParticipant(p), tx.PutSession(&live), note(tx))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	var at time.Time
	err := a.View(t.Context(), func(tx stage.Tx) error {
		list, err := tx.Feed(0, 1000)
		for i, e := range list {
			if e.No != int64(i+1) || e.At.Before(at) {
				t.Errorf("at place %d: number %d of %v after %v", i, e.No, e.At, at)
			}
			at = e.At
		}
		people, err2 := tx.Participants(stage.ParticipantQuery{Session: session.No, Limit: 1000})
		if len(list) != callers*each || len(people) != callers*each {
			t.Errorf("%d events, %d participants", len(list), len(people))
		}
		return errors.Join(err, err2)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatOneProcessStoresWakesTheReadersOfTheOther(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	for no := range int64(20) {
		_, later := b.Latest()
		mustUpdate(t, a, note)
		<-later
		if got, _ := b.Latest(); got != no+1 {
			t.Fatalf("the feed ends with %d, want %d", got, no+1)
		}
	}
	mustUpdate(t, a, stage.Tx.Forget)
	waitFor(t, "everything is forgotten", func() bool { no, _ := b.Latest(); return no == 0 })
}

func TestARollEndsInEveryProcessWithItsStageAndWithEverything(t *testing.T) {
	t.Parallel()
	for how, remove := range map[string]func(stage.Tx) error{
		"the stage":  func(tx stage.Tx) error { return tx.DeleteDocument(rollStage) },
		"everything": stage.Tx.Forget,
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			a, b := two(t)
			fillSession(t, a, 10)
			hot := func() bool { _, hot := b.Roll(rollStage, rollSession, stage.ParticipantQuery{Limit: 1}); return hot }
			waitFor(t, "the other has the roll", hot)
			mustUpdate(t, a, remove)
			waitFor(t, "the roll has gone", func() bool { return !hot() })
		})
	}
}

func TestWhoIsTooFarBehindReadsTheRollsAnew(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	session := fillSession(t, a, 10)
	level(t, a, b)
	mustUpdate(t, a, func(x stage.Tx) error {
		p := nobody(session.No, 3)
		p.Connected = true
		return errors.Join(x.PutParticipant(p), x.(*tx).write("DELETE FROM batch"))
	})
	mustUpdate(t, a, func(x stage.Tx) error { return x.(*tx).write("DELETE FROM batch WHERE no = 2") })
	level(t, a, b)
	rollIsStored(t, b, session)
}

func TestPagesAreTheSameInBothDatabases(t *testing.T) {
	t.Parallel()
	lite, pg := openAt(t, Options{}), openAt(t, Options{Path: storetest.Postgres(t)})
	var pages [2][]stage.Participant
	for i, s := range []*Store{lite, pg} {
		session := fillSession(t, s, 500)
		for _, q := range []stage.ParticipantQuery{{}, {Before: 250}, {UserID: new("u7")}, {Connected: new(false)}, {Published: new(true)}} {
			q.Session, q.Limit = session.No, 51
			err := s.View(t.Context(), func(tx stage.Tx) error {
				list, err := tx.Participants(q)
				pages[i] = append(pages[i], list...)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if !reflect.DeepEqual(pages[0], pages[1]) {
		t.Error("they differ")
	}
}

// TestPostgreSQLWalksTheIndexMadeForAList holds the planner to it with a table
// of which it has heard nothing, and again when it knows all about it.
func TestPostgreSQLWalksTheIndexMadeForAList(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{Path: storetest.Postgres(t)})
	wanted := map[string]string{
		listParticipants: "participant_pkey", listByUserID: "participant_user_id", listByConnected: "participant_connected",
		listByPublished: "participant_published", listByRecording: "participant_recording", selectParticipantID: "participant_id",
		listDocuments: "document_order", listLinked: "link_target", listSessions: "session_order",
		listFeed: "event_pkey", listOf: "event_participant",
	}
	check := func(when string) {
		c, err := s.readers.get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer s.readers.put(c)
		for sql, index := range wanted {
			plan := pgPlan(t, c, sql)
			if !strings.Contains(plan, "using "+index+" ") || strings.Contains(plan, "Sort") || strings.Contains(plan, "Seq Scan") {
				t.Errorf("%s, %s goes by\n%s", when, sql, plan)
			}
		}
	}
	check("empty")
	session := fillSession(t, s, 2000)
	mustUpdate(t, s, func(x stage.Tx) error {
		for seq := int64(7); seq < 2000; seq += 200 {
			p := nobody(session.No, seq)
			p.Connected, p.Recording = true, stage.RecordingFailed
			if err := x.PutParticipant(p); err != nil {
				return err
			}
		}
		return nil
	})
	mustUpdate(t, s, func(x stage.Tx) error { return x.(*tx).write("ANALYZE") })
	check("full")
}

func pgPlan(t *testing.T, c conn, sql string) string {
	t.Helper()
	if err := c.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer c.rollback()
	n := strings.Count(sql, "$")
	sql = pgDialect.Replace(sql)
	name := fmt.Sprintf("plan%d", rand.Uint32())
	var lines []string
	if _, err := c.rows("PREPARE "+name+" AS "+sql, nil, 0, nil); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	args := strings.TrimSuffix(strings.Repeat("'1',", n), ",")
	_, err := c.rows("EXPLAIN EXECUTE "+name+"("+args+")", nil, maxRows, func(r row) { lines = append(lines, r.text(0)) })
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return strings.Join(lines, "\n")
}

func TestServersThatStartAtOnceMakeOneSchema(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	stores := make([]*Store, 4)
	var all sync.WaitGroup
	for i := range stores {
		all.Go(func() {
			var err error
			if stores[i], err = Open(t.Context(), Options{Path: url}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, s := range stores {
		if s != nil {
			mustUpdate(t, s, note)
			closeNow(t, s)
		}
	}
}
