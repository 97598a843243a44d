package store

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"callboard/internal/stage"
	"callboard/internal/store/storetest"
)

func TestWhatWasAcknowledgedInPostgreSQLSurvivesAKill(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	acknowledged := map[int64]bool{}
	for round := range 3 {
		killWriter(t, url, 100+100*round, acknowledged)
		checkAfterKill(t, url, acknowledged)
	}
	t.Logf("%d acknowledged, none lost", len(acknowledged))
}

// TestNoAcknowledgedWriteIsLostWithTheServer crashes the database while two
// processes write. What was acknowledged is there, once; what was said not to
// be stored is not.
func TestNoAcknowledgedWriteIsLostWithTheServer(t *testing.T) {
	t.Parallel()
	server := storetest.OwnPostgres(t)
	url := server.Database(t)
	stores := []*Store{openAt(t, Options{Path: url}), openAt(t, Options{Path: url})}
	var mu sync.Mutex
	acknowledged, refused, unknown := map[int64]bool{}, 0, 0
	var stop atomic.Bool
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for !stop.Load() {
				e := stage.Event{Stage: testStage, Session: 1, Participant: "p", Name: stage.Joined}
				err := stores[w%2].Update(t.Context(), func(tx stage.Tx) error { e.At = tx.Now(); return tx.AppendEvent(&e) })
				mu.Lock()
				switch {
				case err == nil && acknowledged[e.No]:
					t.Errorf("number %d was given twice", e.No)
				case err == nil:
					acknowledged[e.No] = true
				case errors.Is(err, ErrUnknown):
					unknown++
				default:
					refused++
				}
				mu.Unlock()
			}
		})
	}
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(acknowledged) }
	for range 3 {
		want := count() + 50
		waitFor(t, "more is stored", func() bool { return count() >= want })
		server.Kill()
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
	}
	want := count() + 50
	waitFor(t, "more is stored after the last crash", func() bool { return count() >= want })
	stop.Store(true)
	writers.Wait()
	stored := feedLen(t, stores[0])
	for no := range acknowledged {
		if no > int64(stored) {
			t.Errorf("number %d was acknowledged, but the feed ends with %d", no, stored)
		}
	}
	if stored < len(acknowledged) || stored > len(acknowledged)+unknown {
		t.Errorf("%d are stored, %d were acknowledged, of %d nobody knows", stored, len(acknowledged), unknown)
	}
	level(t, stores[0], stores[1])
	t.Logf("%d acknowledged, %d not stored, %d unknown", len(acknowledged), refused, unknown)
}

func TestRollsAreSilentAndNothingHangsWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	server := storetest.OwnPostgres(t)
	s := openAt(t, Options{Path: server.Database(t)})
	fillSession(t, s, 10)
	hot := func() bool { _, hot := s.Roll(rollStage, rollSession, stage.ParticipantQuery{Limit: 1}); return hot }
	waitFor(t, "there is a roll", hot)
	server.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := s.View(ctx, func(tx stage.Tx) error { _, err := tx.Feed(0, 1); return err }); err == nil {
		t.Error("a view succeeded")
	}
	if err := s.Update(ctx, note); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an update whose caller has two seconds got %v", err)
	}
	if err := s.Update(t.Context(), note); err == nil || errors.Is(err, ErrUnknown) {
		t.Errorf("an update got %v", err)
	}
	if hot() {
		t.Error("the roll answers although nobody knows whether it is true")
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the roll answers again", hot)
	mustUpdate(t, s, note)
	if n := feedLen(t, s); n != 1 {
		t.Errorf("%d events are stored", n)
	}
}

// faulty passes bytes between a store and the server, and breaks the first
// connection that sends the word fragile, before or after the server has heard it.
type faulty struct {
	to     string
	after  bool
	broken atomic.Bool
}

func (f *faulty) serve(t *testing.T) (dir string) {
	dir, err := os.MkdirTemp("", "cb")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait(); os.RemoveAll(dir) })
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { f.pass(c, &all) })
		}
	})
	return dir
}

func (f *faulty) pass(c net.Conn, all *sync.WaitGroup) {
	defer c.Close()
	server, err := net.Dial("unix", f.to)
	if err != nil {
		return
	}
	defer server.Close()
	all.Go(func() { io.Copy(c, server); c.Close() })
	buffer := make([]byte, 1<<20)
	for {
		n, err := c.Read(buffer)
		if err != nil {
			return
		}
		if strings.Contains(string(buffer[:n]), "fragile") && f.broken.CompareAndSwap(false, true) {
			c.Close()
			if f.after {
				server.Write(buffer[:n])
				server.(*net.UnixConn).CloseWrite() // what it has heard it does
				io.Copy(io.Discard, server)
			}
			return
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func TestACommitThatNobodyConfirmedIsLookedUp(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]bool{"the server has heard of": true, "got lost": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			direct := storetest.Postgres(t)
			u, err := url.Parse(direct)
			if err != nil {
				t.Fatal(err)
			}
			f := &faulty{to: filepath.Join(u.Query().Get("host"), ".s.PGSQL.5432"), after: after}
			s := openAt(t, Options{Path: "postgres://callboard@" + u.Path + "?host=" + f.serve(t)})
			mustUpdate(t, s, note)
			err = s.Update(t.Context(), func(tx stage.Tx) error {
				return tx.AppendEvent(&stage.Event{Participant: "fragile", Name: stage.Joined})
			})
			if !f.broken.Load() {
				t.Fatal("nothing was broken")
			}
			if (err == nil) != after || errors.Is(err, ErrUnknown) {
				t.Errorf("the update got %v", err)
			}
			want := 1
			if after {
				want = 2
			}
			if got := feedLen(t, s); got != want {
				t.Errorf("%d events are stored, want %d", got, want)
			}
			mustUpdate(t, s, note)
			if no, _ := s.Latest(); no != int64(want+1) {
				t.Errorf("the feed ends with %d", no)
			}
		})
	}
}
