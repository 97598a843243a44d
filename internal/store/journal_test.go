package store

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"callboard/internal/stage"
)

// crashed has updates run one after another and gives what is left of the
// files if SQLite's log, which nobody has synced, is lost: the file as it was
// before and the journal.
func crashed(t *testing.T, updates ...func(stage.Tx) error) (file, journal []byte) {
	t.Helper()
	return crashedAt(t, filePath(t), updates...)
}

func crashedAt(t *testing.T, path string, updates ...func(stage.Tx) error) (file, journal []byte) {
	t.Helper()
	s := openAt(t, Options{Path: path})
	if err := s.Scrub(t.Context(), false); err != nil { // what opening has changed is synced
		t.Fatal(err)
	}
	for _, fn := range updates {
		mustUpdate(t, s, fn)
	}
	return read(t, path), read(t, path+".journal")
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// laid puts files where a store can be opened on them.
func laid(t *testing.T, file, journal []byte) (path string) {
	t.Helper()
	path = filePath(t)
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, file, 0o600), os.WriteFile(path+".journal", journal, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatOnlyTheJournalHasIsTakenOver(t *testing.T) {
	t.Parallel()
	person := stage.Participant{Session: 1, Seq: 1, ID: "p", UserID: "u", Connected: true, Detail: &stage.Detail{Attributes: map[string]string{"a": "b"}}}
	file, journal := crashed(t, note, func(tx stage.Tx) error {
		s := stage.Session{Stage: testStage, ID: "st-journal", Started: tx.Now(), NextSeq: 1}
		return errors.Join(tx.PutSession(&s), tx.PutParticipant(&person))
	}, func(tx stage.Tx) error {
		s, err := tx.LiveSession(testStage)
		s.NextSeq++
		s.Connected++
		return errors.Join(err, tx.PutSession(&s), note(tx))
	})
	path := laid(t, file, journal)
	for range 2 { // whoever takes over and comes no further has done no harm
		e, err := openSQLite(path, 0)
		if err == nil {
			err = e.close()
		}
		if err := errors.Join(err, os.WriteFile(path+".journal", journal, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		s := openAt(t, Options{Path: path})
		if got := feedLen(t, s); got != 2 {
			t.Errorf("%d of 2 events are there", got)
		}
		err := s.View(t.Context(), func(tx stage.Tx) error {
			one, err := tx.LiveSession(testStage)
			if one.Connected != 1 || one.NextSeq != 2 {
				t.Errorf("the session is %+v", one)
			}
			p, again := tx.Participant(1, "p")
			if p.UserID != "u" || p.Detail == nil || p.Detail.Attributes["a"] != "b" {
				t.Errorf("the participant is %+v", p)
			}
			return errors.Join(err, again)
		})
		if err != nil {
			t.Error(err)
		}
		closeNow(t, s)
		if left := read(t, path+".journal"); len(left) > 0 {
			t.Errorf("a closed store has left %d bytes in the journal", len(left))
		}
	}
}

func TestAJournalOfACopyIsRefused(t *testing.T) {
	t.Parallel()
	path := filePath(t)
	closeNow(t, openAt(t, Options{Path: path}))
	var left [2]struct{ file, journal []byte } // by a crash of each of two servers
	for i := range left {
		left[i].file, left[i].journal = crashedAt(t, laid(t, read(t, path), nil), note)
	}
	for i := range left {
		s, err := Open(t.Context(), Options{Path: laid(t, left[i].file, left[1-i].journal)})
		if err == nil {
			closeNow(t, s)
		}
		if err == nil || !strings.Contains(err.Error(), "of another database") {
			t.Errorf("the journal of the one beside the file of the other: %v", err)
		}
	}
}

func TestATornRecordEndsTheJournal(t *testing.T) {
	t.Parallel()
	file, journal := crashed(t, note, note, note)
	for _, cut := range []int{2 * block, 2*block + 1, 2*block + recordHead, 2*block + 100} {
		s := openAt(t, Options{Path: laid(t, file, journal[:cut])})
		if got := feedLen(t, s); got != 2 {
			t.Errorf("cut at %d: %d of 2 events are there", cut, got)
		}
		mustUpdate(t, s, note)
		closeNow(t, s)
	}
	for _, at := range []int{0, 5, 9, 17, recordHead, recordHead + 40} {
		torn := bytes.Clone(journal)
		torn[2*block+at] ^= 1
		s := openAt(t, Options{Path: laid(t, file, torn)})
		if got := feedLen(t, s); got != 2 {
			t.Errorf("torn at %d: %d of 2 events are there", at, got)
		}
		closeNow(t, s)
	}
}

func TestAJournalThatIsDamagedOrAnothersIsRefused(t *testing.T) {
	t.Parallel()
	file, journal := crashed(t, note, note, note)
	_, anothers := crashed(t, note)
	damaged := bytes.Clone(journal)
	damaged[block+100] ^= 1
	for name, wrong := range map[string][]byte{"damaged": damaged, "another's": anothers} {
		s, err := Open(t.Context(), Options{Path: laid(t, file, wrong)})
		if err == nil {
			closeNow(t, s)
		}
		if err == nil || !strings.Contains(err.Error(), "of another database") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatWasUndoneIsNotInTheJournal(t *testing.T) {
	t.Parallel()
	refuse := func(tx stage.Tx) error {
		p := stage.Participant{Session: 1, Seq: 7, ID: "undone"}
		return errors.Join(tx.PutDocument(&stage.Document{ARN: testStage, Body: []byte("undone")}), tx.PutParticipant(&p), note(tx), errors.New("no"))
	}
	path := filePath(t)
	s := openAt(t, Options{Path: path})
	var batch []*update
	for _, fn := range []func(stage.Tx) error{note, refuse, note} {
		batch = append(batch, &update{fn: fn, done: make(chan error, 1)})
	}
	s.commit(batch)
	records := readRecords(read(t, path+".journal"))
	if len(records) != 1 || bytes.Contains(records[0].statements, []byte("undone")) {
		t.Errorf("%d records, the first is %q", len(records), records[0].statements)
	}
	if got := feedLen(t, s); got != 2 {
		t.Errorf("%d of 2 events are there", got)
	}
}

func TestATransactionThatIsLostIsRunAgain(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{Path: filePath(t)})
	for i := range 3 {
		mustUpdate(t, s, note)
		c, err := s.writer.get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.lose(c)
		s.writer.put(c)
		if i == 1 {
			mustUpdate(t, s, note)
		}
	}
	if got := feedLen(t, s); got != 4 {
		t.Errorf("%d of 4 events are there", got)
	}
}

// unsynced gives a syncer that fails.
func unsynced(t *testing.T) *syncer {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return newSyncer(w)
}

func TestWhatCouldNotBeSyncedDoesNotComeBack(t *testing.T) {
	t.Parallel()
	path := filePath(t)
	closeNow(t, openAt(t, Options{Path: path}))
	s := openAt(t, Options{Path: path})
	mustUpdate(t, s, note)
	good := s.journal.sync
	s.journal.sync = unsynced(t)
	defer s.journal.sync.close()
	err := s.Update(t.Context(), note)
	left := read(t, path+".journal")
	s.journal.sync = good
	if !errors.Is(err, ErrUnknown) {
		t.Errorf("an update that may be on the disk was answered with %v", err)
	}
	if n := len(readRecords(left)); n != 1 {
		t.Errorf("%d records are in the journal, one was acknowledged", n)
	}
	mustUpdate(t, s, note)
	if got := feedLen(t, s); got != 2 {
		t.Errorf("%d of 2 events are there", got)
	}
}

func TestCommitsAreNotSyncedAfterTheJournalCouldNotBeCleared(t *testing.T) {
	t.Parallel()
	path := filePath(t)
	s := openAt(t, Options{Path: path})
	mustUpdate(t, s, note)
	other, err := connectWriter(path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	c, err := s.borrow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lite := c.(*liteConn)
	lite.SetBusyTimeout(0)
	if err := other.beginWrite(); err != nil {
		t.Error(err)
	}
	if err := s.clearJournal(c); err == nil {
		t.Error("the journal was cleared although somebody else writes")
	}
	if err := other.rollback(); err != nil {
		t.Error(err)
	}
	lite.SetBusyTimeout(busy)
	s.writer.put(c)
	mustUpdate(t, s, note)
	if c, err = s.borrow(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.writer.put(c)
	_, err = c.rows("PRAGMA synchronous", nil, 1, func(r row) {
		if r.int(0) != 1 {
			t.Errorf("synchronous is %d", r.int(0))
		}
	})
	if err != nil {
		t.Error(err)
	}
}

func TestALinkToAFileIsTheFile(t *testing.T) {
	t.Parallel()
	path, link := filePath(t), filepath.Join(t.TempDir(), "link.db")
	s := openAt(t, Options{Path: path})
	if err := s.Scrub(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	mustUpdate(t, s, note)
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	if second, err := Open(t.Context(), Options{Path: link}); err == nil {
		closeNow(t, second)
		t.Error("a file was opened twice")
	}
	file, journal := read(t, path), read(t, path+".journal")
	closeNow(t, s)
	if err := errors.Join(os.WriteFile(path, file, 0o600), os.WriteFile(path+".journal", journal, 0o600)); err != nil {
		t.Fatal(err)
	}
	if got := feedLen(t, openAt(t, Options{Path: link})); got != 1 {
		t.Errorf("%d of 1 event is there", got)
	}
}

func TestTheJournalIsBegunAnewAndNothingIsLost(t *testing.T) {
	t.Parallel()
	path := filePath(t)
	s := openAt(t, Options{Path: path, JournalBytes: 4 * block})
	for i := range 50 {
		mustUpdate(t, s, note)
		if i%3 == 0 {
			feedLen(t, s)
		}
	}
	if size := len(read(t, path+".journal")); size > firstGrowth {
		t.Errorf("the journal has %d bytes", size)
	}
	if got := feedLen(t, s); got != 50 {
		t.Errorf("%d of 50 events are there", got)
	}
}

func TestAnotherProgramSeesWhatWasStored(t *testing.T) {
	t.Parallel()
	path := filePath(t)
	s := openAt(t, Options{Path: path})
	mustUpdate(t, s, note)
	c, err := connectReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for n := int64(0); n != 1; pause(ctx, time.Millisecond) {
		_, err := c.rows("SELECT COUNT(*) FROM event", nil, 1, func(r row) { n = r.int(0) })
		if err := errors.Join(err, ctx.Err()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAFileIsSyncedWithoutTheKernelsQueue(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := newSyncer(f)
	for range 2 {
		if err := s.sync(); err != nil {
			t.Error(err)
		}
		s.close()
	}
}

func TestARecordSaysWhatWasDrafted(t *testing.T) {
	t.Parallel()
	var d draft
	d.reset()
	d.add("one", int64(-5), "text", true, false, []byte{0, 255}, time.UnixMilli(1234))
	d.add("undone")
	place := d.now()
	d.add("later", "x")
	d.undo(place)
	d.add("one")
	got := []any{}
	records := readRecords(d.seal(9))
	if len(records) != 1 || records[0].no != 9 {
		t.Fatalf("%d records", len(records))
	}
	err := records[0].each(func(sql string, args []any) error {
		got = append(got, sql, args)
		return nil
	})
	want := []any{"one", []any{int64(-5), "text", true, false, []byte{0, 255}, int64(1234)}, "undone", []any{}, "one", []any{}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v (%v)", got, err)
	}
}

func FuzzAJournalIsReadOrPassedOver(f *testing.F) {
	var d draft
	d.reset()
	d.add(setCounter, int64(1), "event")
	f.Add(bytes.Clone(d.seal(1)))
	f.Add(append(bytes.Clone(d.buf[:block]), d.buf...))
	f.Add([]byte(recordMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, r := range readRecords(data) {
			r.each(func(string, []any) error { return nil })
		}
		var again draft // what is accepted without its checksum says the same again
		again.reset()
		if (record{1, data}).each(func(sql string, args []any) error { again.add(sql, args...); return nil }) != nil {
			return
		}
		if records := readRecords(again.seal(1)); len(records) != 1 {
			t.Errorf("%d records", len(records))
		}
	})
}
