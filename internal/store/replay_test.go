package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"callboard/internal/stage"
)

// whim is an update that does a few things at random, some of which fail.
func whim(rng *rand.Rand) func(stage.Tx) error {
	return func(tx stage.Tx) error {
		var errs []error
		for range 1 + rng.IntN(5) {
			if err := act(tx, rng); err != nil && !errors.Is(err, stage.ErrNoRow) {
				errs = append(errs, err)
			}
		}
		if rng.IntN(4) == 0 {
			errs = append(errs, errors.New("on second thought"))
		}
		return errors.Join(errs...)
	}
}

func act(tx stage.Tx, rng *rand.Rand) error {
	one := testStage
	one.ID = fmt.Sprint("stage", rng.IntN(3))
	id := fmt.Sprint("p", rng.IntN(20))
	live, err := tx.LiveSession(one)
	if errors.Is(err, stage.ErrNoRow) {
		live = stage.Session{Stage: one, ID: fmt.Sprint("st-", rng.Uint64()), Started: tx.Now(), NextSeq: 1}
		return tx.PutSession(&live)
	}
	if err != nil {
		return err
	}
	switch n := rng.IntN(100); {
	case n < 30: // somebody comes, or changes
		p, err := tx.Participant(live.No, id)
		if errors.Is(err, stage.ErrNoRow) {
			p = stage.Participant{Session: live.No, Seq: live.NextSeq, ID: id, FirstJoin: tx.Now()}
			live.NextSeq++
		}
		live.Connected++
		p.Connected, p.UserID = rng.IntN(2) == 0, fmt.Sprint("u", rng.IntN(5))
		if p.Detail = nil; rng.IntN(2) == 0 {
			p.Detail = &stage.Detail{Attributes: map[string]string{"n": fmt.Sprint(n)}}
		}
		return errors.Join(tx.PutParticipant(&p), tx.PutSession(&live))
	case n < 45:
		return tx.AppendEvent(&stage.Event{At: tx.Now(), Stage: one, Session: live.No, Participant: id, Name: stage.Joined})
	case n < 55:
		live.LastLeft, live.Connected = tx.Now(), 0
		return tx.PutSession(&live)
	case n < 62:
		_, err := tx.Sessions(stage.SessionQuery{Limit: 10})
		return err
	case n < 70:
		return tx.PutPass(stage.Pass{Stage: one, ParticipantID: id, Expires: tx.Now().Add(time.Duration(rng.IntN(5)-2) * time.Millisecond)})
	case n < 76:
		d, err := tx.Document(one)
		if err != nil {
			d = stage.Document{ARN: one, Links: []stage.ARN{testStage}}
		}
		d.Body = fmt.Append(nil, n, rng.Uint64())
		return tx.PutDocument(&d)
	case n < 79:
		return tx.DeleteDocument(one)
	case n < 84:
		live.Ended = tx.Now()
		return tx.PutSession(&live)
	case n < 88:
		all, err := tx.Sessions(stage.SessionQuery{All: true, Limit: 100})
		for _, s := range all {
			if err == nil && !s.Ended.IsZero() {
				return tx.Expire(s)
			}
		}
		return err
	case n < 93:
		_, err := tx.Sweep(3)
		return err
	case n < 96:
		return tx.Erase(live.No, 1+rng.Int64N(5))
	case n < 98:
		return errors.Join(tx.Beat(), tx.PutSecret(fmt.Sprint(rng.IntN(9)), []byte{0, byte(n)}))
	case rng.IntN(5) == 0:
		return tx.Forget()
	}
	return nil
}

// moment is the files of SQLite as they were once.
type moment struct{ file, log []byte }

// happen has batches of whims run, some of which are posted and some lost on the way to
// the file. It gives the files as a power cut at the end could leave them: SQLite has
// lost any of the commits that came after the journal was last begun anew.
func happen(t *testing.T, s *Store, path string, rng *rand.Rand) (list []moment) {
	t.Helper()
	for range 40 {
		var batch []*update
		for range 1 + rng.IntN(4) {
			batch = append(batch, &update{fn: whim(rng), done: make(chan error, 1)})
		}
		s.commit(batch)
		switch n := rng.IntN(6); {
		case n < 2:
			loseAndCompare(t, s)
		case n < 4:
			continue
		}
		c, err := s.borrow(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s.journal.end == 0 {
			list = nil
		}
		list = append(list, moment{read(t, path), read(t, path+"-wal")})
		s.writer.put(c)
	}
	return list
}

// loseAndCompare has the journal say again what the open transaction has.
func loseAndCompare(t *testing.T, s *Store) {
	t.Helper()
	c, err := s.writer.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.writer.put(c)
	if !c.active() || !s.postings.open.Load() {
		return
	}
	x := &tx{conn: c, writable: true}
	s.numbers.now[journalNo] = s.journal.last
	if err := errors.Join(s.ledger.write(x), s.numbers.write(x), c.flush()); err != nil {
		t.Fatal(err)
	}
	want := rowsOf(t, c)
	s.lose(c)
	if err := s.post(c); err != nil {
		t.Fatal(err)
	}
	compare(t, rowsOf(t, c), want)
}

func compare(t *testing.T, got, want map[string][]string) {
	t.Helper()
	for table := range want {
		if !slices.Equal(got[table], want[table]) {
			t.Errorf("%s is %q, want %q", table, got[table], want[table])
		}
	}
}

func TestTheJournalSaysWhatTheDatabaseDid(t *testing.T) {
	t.Parallel()
	for range 2 {
		seed := rand.Uint64()
		rng := rand.New(rand.NewPCG(seed, 0))
		path := filePath(t)
		closeNow(t, openAt(t, Options{Path: path}))
		s := openAt(t, Options{Path: path, JournalBytes: 40 * block})
		s.queue.close() // nothing is posted but by the test
		s.committer.Wait()
		list := happen(t, s, path, rng)
		for range 3 {
			s.commit([]*update{{fn: whim(rng), done: make(chan error, 1)}})
		}
		c, err := s.writer.get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		journal := read(t, path+".journal")
		s.writer.put(c)
		closeNow(t, s)
		want := dump(t, path)
		for _, m := range list {
			cut := laid(t, m.file, journal)
			if err := os.WriteFile(cut+"-wal", m.log, 0o600); err != nil {
				t.Fatal(err)
			}
			compare(t, dump(t, cut), want)
		}
		if t.Failed() {
			t.Fatal("seed ", seed)
		}
	}
}
