package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"zombiezen.com/go/sqlite/sqlitex"

	"callboard/internal/stage"
	"callboard/internal/store/storetest"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(crashPath); path != "" {
		writeUntilKilled(path)
	}
	goleak.VerifyTestMain(tests{m})
}

// tests end with the database server that some of them started.
type tests struct{ *testing.M }

func (m tests) Run() int {
	defer storetest.StopPostgres()
	return m.M.Run()
}

func openAt(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func filePath(t testing.TB) string { return filepath.Join(t.TempDir(), "data", "facts.db") }

func closeNow(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func mustUpdate(t testing.TB, s *Store, fn func(stage.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

var testStage = stage.ARN{Region: "eu-west-1", Account: "123456789012", Type: stage.TypeStage, ID: "abcdefghijkl"}

func note(tx stage.Tx) error {
	return tx.AppendEvent(&stage.Event{At: tx.Now(), Stage: testStage, Session: 1, Participant: "p", Name: stage.Joined})
}

// feedLen counts the events, up to 100,000.
func feedLen(t testing.TB, s *Store) (n int) {
	t.Helper()
	err := s.View(t.Context(), func(tx stage.Tx) error {
		list, err := tx.Feed(0, 100_000)
		n = len(list)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestStoreInAFile(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) stage.Store { return openAt(t, Options{Path: filePath(t)}) })
}

func TestStoreInMemory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) stage.Store { return openAt(t, Options{}) })
}

func TestFactsAreThereAfterReopening(t *testing.T) {
	t.Parallel()
	path := filePath(t)
	for i := range 3 {
		s := openAt(t, Options{Path: path})
		if got := feedLen(t, s); got != i {
			t.Fatalf("opening %d: %d events", i, got)
		}
		mustUpdate(t, s, note)
		closeNow(t, s)
	}
	if _, err := os.Stat(path + "-wal"); err == nil {
		t.Error("a closed store has left its log behind")
	}
}

func TestAStoreInMemoryKeepsNothing(t *testing.T) {
	t.Parallel()
	for range 2 {
		s := openAt(t, Options{Path: "memory:"})
		if got := feedLen(t, s); got != 0 {
			t.Fatalf("%d events at the start", got)
		}
		mustUpdate(t, s, note)
		closeNow(t, s)
	}
}

func TestOnlyTheOwnerCanReadTheFiles(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing here")
	}
	path := filePath(t)
	s := openAt(t, Options{Path: path})
	mustUpdate(t, s, note)
	modes := map[string]os.FileMode{
		filepath.Dir(path): 0o700, path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600, path + ".lock": 0o600, path + ".journal": 0o600,
	}
	for name, want := range modes {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", filepath.Base(name), got, want)
		}
	}
}

func TestAFileThatOthersCouldReadIsClosedToThem(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing here")
	}
	path := filePath(t)
	closeNow(t, openAt(t, Options{Path: path}))
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	openAt(t, Options{Path: path})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
}

func TestASecondServerOnTheSameFileIsRefused(t *testing.T) {
	t.Parallel()
	path := filePath(t)
	first := openAt(t, Options{Path: path})
	for range 3 {
		_, err := Open(t.Context(), Options{Path: path})
		if err == nil || !strings.Contains(err.Error(), "in use by another server") {
			t.Fatalf("the second one got %v", err)
		}
	}
	mustUpdate(t, first, note)
	closeNow(t, first)
	openAt(t, Options{Path: path})
}

func TestADatabaseOfANewerVersionIsRefused(t *testing.T) {
	t.Parallel()
	path := filePath(t)
	s := openAt(t, Options{Path: path})
	closeNow(t, s)
	conn, err := connect(path)
	if err != nil {
		t.Fatal(err)
	}
	err = sqlitex.ExecuteTransient(conn.Conn, "INSERT INTO migration (no, name, at) VALUES (99, 'x', 0)", nil)
	if err := errors.Join(err, conn.close()); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), Options{Path: path})
	if err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("got %v", err)
	}
}

func TestAFileThatIsNoDatabaseIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "letter.txt")
	text := strings.Repeat("Dear reader, this is not a database. ", 1000)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Path: path}); err == nil {
		t.Error("it was opened")
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != text {
		t.Errorf("the file was changed (%v)", err)
	}
}

func TestTimeDoesNotGoBackWithAClockThatIsSetBackALittle(t *testing.T) {
	t.Parallel()
	path := filePath(t)
	start := time.Date(2026, 5, 1, 12, 0, 0, 123_456_789, time.UTC)
	clock := start
	now := func(s *Store) (at time.Time) {
		mustUpdate(t, s, func(tx stage.Tx) error { at = tx.Now(); return note(tx) })
		return at
	}
	s := openAt(t, Options{Path: path, Now: func() time.Time { return clock }})
	want := start.Truncate(time.Millisecond)
	if got := now(s); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	clock = start.Add(-time.Minute)
	if got := now(s); !got.Equal(want) {
		t.Errorf("with the clock a minute back got %v, want %v", got, want)
	}
	closeNow(t, s)
	s = openAt(t, Options{Path: path, Now: func() time.Time { return clock }})
	if got := now(s); !got.Equal(want) {
		t.Errorf("after reopening got %v, want %v", got, want)
	}
	clock = start.Add(time.Hour)
	if got := now(s); !got.Equal(want.Add(time.Hour)) {
		t.Errorf("with the clock put right got %v", got)
	}
	clock = start.Add(-time.Minute)
	if got := now(s); !got.Equal(want.Add(-time.Minute)) {
		t.Errorf("after a time that was an hour wrong got %v", got)
	}
}

func TestUpdatesThatWaitTogetherShareACommit(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{Path: filePath(t)})
	running, proceed := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	ask := func(fn func(stage.Tx) error) {
		all.Go(func() {
			if err := s.Update(t.Context(), fn); err != nil {
				t.Error(err)
			}
		})
	}
	ask(func(stage.Tx) error { close(running); <-proceed; return nil })
	<-running
	for range 100 {
		ask(note)
	}
	for s.Stats().Queued < 100 {
		runtime.Gosched()
	}
	before := s.Stats()
	close(proceed)
	all.Wait()
	after := s.Stats()
	if commits := after.Commits - before.Commits; commits != 2 {
		t.Errorf("%d commits, want the one under way and one for all who waited", commits)
	}
	if after.Updates != 101 || after.Failures != 0 || after.Queued != 0 {
		t.Errorf("stats %+v", after)
	}
}

func TestACommitThatFailsFailsEverybodyInIt(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{Path: filePath(t)})
	mustUpdate(t, s, note)
	whole, closed := s.journal.file, closedFile(t)
	s.journal.file, s.journal.sync.file = closed, closed
	own := errors.New("its own error")
	var batch []*update
	for _, fn := range []func(stage.Tx) error{note, note, func(stage.Tx) error { return own }, note} {
		batch = append(batch, &update{fn: fn, done: make(chan error, 1)})
	}
	s.commit(slices.Clone(batch))
	for i, u := range batch {
		if err := <-u.done; err == nil || (i == 2) != (err == own) {
			t.Errorf("update %d got %v", i, err)
		}
	}
	if err := s.Update(t.Context(), note); err == nil {
		t.Error("something is stored though the journal cannot be read")
	}
	if err := s.View(t.Context(), note); err == nil {
		t.Error("something is shown though not all is known")
	}
	s.journal.file, s.journal.sync.file = whole, whole
	if got := feedLen(t, s); got != 1 {
		t.Errorf("%d events were stored, 1 was acknowledged", got)
	}
	mustUpdate(t, s, note)
	if got := feedLen(t, s); got != 2 {
		t.Errorf("after the failure %d of 2 events were stored", got)
	}
}

func closedFile(t *testing.T) *os.File {
	f, err := os.Create(filepath.Join(t.TempDir(), "closed"))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	return f
}

func TestNothingIsAcceptedAfterCloseAndWhatWasAcceptedIsStored(t *testing.T) {
	t.Parallel()
	path := filePath(t)
	s := openAt(t, Options{Path: path})
	running, proceed := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		if err := s.Update(t.Context(), func(tx stage.Tx) error { close(running); <-proceed; return note(tx) }); err != nil {
			t.Error(err)
		}
	})
	<-running
	for range 10 {
		all.Go(func() {
			if err := s.Update(t.Context(), note); err != nil {
				t.Error(err)
			}
		})
	}
	for s.Stats().Queued < 10 {
		runtime.Gosched()
	}
	all.Go(func() { closeNow(t, s) })
	for !isClosed(s.queue) {
		runtime.Gosched()
	}
	close(proceed)
	all.Wait()
	if err := s.Update(t.Context(), note); !errors.Is(err, ErrClosed) {
		t.Errorf("an update got %v", err)
	}
	if err := s.View(t.Context(), func(stage.Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("a view got %v", err)
	}
	if got := feedLen(t, openAt(t, Options{Path: path})); got != 11 {
		t.Errorf("%d of 11 events were stored", got)
	}
}

func isClosed(q *queue) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

func TestAViewIsWaitedForByCloseAndNoLongerThanItsContextForAConnection(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{Path: filePath(t)})
	ctx, cancel := context.WithCancel(t.Context())
	proceed := make(chan struct{})
	var all sync.WaitGroup
	for range cap(s.readers.seats) {
		entered := make(chan struct{})
		all.Go(func() {
			err := s.View(t.Context(), func(tx stage.Tx) error {
				close(entered)
				<-proceed
				_, err := tx.Feed(0, 1)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-entered
	}
	all.Go(cancel)
	if err := s.View(ctx, func(stage.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("with every connection taken a view got %v", err)
	}
	mustUpdate(t, s, note) // nobody who reads holds up a writer
	if got := s.Stats().Readers; got != cap(s.readers.seats) {
		t.Errorf("%d connections, want %d", got, cap(s.readers.seats))
	}
	all.Go(func() { closeNow(t, s) })
	<-s.readers.closed
	close(proceed)
	all.Wait()
}

func TestExpiredPassesAreForgotten(t *testing.T) {
	t.Parallel()
	clock := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	s := openAt(t, Options{Now: func() time.Time { return clock }})
	put := func(from, n int) {
		mustUpdate(t, s, func(tx stage.Tx) error {
			for i := range n {
				p := stage.Pass{Stage: testStage, ParticipantID: fmt.Sprint(from + i), Expires: tx.Now().Add(time.Minute)}
				if err := tx.PutPass(p); err != nil {
					return err
				}
			}
			return nil
		})
	}
	put(0, 100)
	clock = clock.Add(time.Hour)
	put(100, 30)
	var left int64
	err := s.View(t.Context(), func(x stage.Tx) error {
		return x.(*tx).one("SELECT COUNT(*) FROM pass", func(r row) { left = r.int(0) })
	})
	if err != nil || left != 30 {
		t.Errorf("%d passes are left, want 30 (%v)", left, err)
	}
}

func TestTheLogStaysSmallWhileOthersRead(t *testing.T) {
	t.Parallel()
	path := filePath(t)
	s := openAt(t, Options{Path: path})
	ctx, cancel := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	for range 4 {
		reading.Go(func() {
			for ctx.Err() == nil {
				err := s.View(t.Context(), func(tx stage.Tx) error {
					_, err := tx.Feed(0, 100)
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	defer reading.Wait()
	defer cancel()
	body := []byte(strings.Repeat("x", 1<<20))
	for i := range 150 {
		arn := testStage
		arn.ID = fmt.Sprint(i)
		mustUpdate(t, s, func(tx stage.Tx) error { return tx.PutDocument(&stage.Document{ARN: arn, Body: body}) })
	}
	info, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if size := info.Size() >> 20; size > 80 {
		t.Errorf("after 150 MiB of writes the log has %d MiB", size)
	}
}

func TestForgettingLetsTheClockGoBack(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	clock := noon.Add(10 * time.Second) // less than a clock may be wrong by
	s := openAt(t, Options{Now: func() time.Time { return clock }})
	mustUpdate(t, s, func(tx stage.Tx) error { return tx.Beat() })
	mustUpdate(t, s, func(tx stage.Tx) error {
		clock = noon
		return tx.Forget()
	})
	for range 2 {
		mustUpdate(t, s, func(tx stage.Tx) error {
			if !tx.Now().Equal(noon) {
				t.Errorf("it is %v", tx.Now())
			}
			return tx.Beat()
		})
	}
}
