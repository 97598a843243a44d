package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"callboard/internal/stage"
	"callboard/internal/store/storetest"
)

// dump gives every row of every table.
func dump(t *testing.T, path string) map[string][]string {
	t.Helper()
	s, err := openSole(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.conn.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.conn.rollback()
	return rowsOf(t, s.conn)
}

func rowsOf(t *testing.T, from conn) map[string][]string {
	t.Helper()
	x := &tx{conn: from}
	tables, err := from.tables()
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for _, table := range tables {
		columns, err := from.columns(table)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, c := range columns {
			names = append(names, c.name)
		}
		err = x.all("SELECT "+strings.Join(names, ", ")+" FROM "+table, func(r row) {
			rows[table] = append(rows[table], fmt.Sprintf("%q", values(r, columns)))
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(rows[table])
	}
	return rows
}

// free waits until PostgreSQL has seen everybody go.
func free(t *testing.T, url string) {
	t.Helper()
	waitFor(t, "nobody uses the database", func() bool {
		s, err := openSole(t.Context(), url)
		if err == nil {
			err = s.close()
		}
		return err == nil
	})
}

// full is a file with something in most tables, strange bytes among it.
func full(t *testing.T) string {
	t.Helper()
	path := filePath(t)
	s := openAt(t, Options{Path: path})
	mustUpdate(t, s, storetest.Fill)
	session := fillSession(t, s, 1200)
	mustUpdate(t, s, func(tx stage.Tx) error {
		p := nobody(session.No, 5)
		p.UserID, p.ID = "a\x00b\xff\ue0cb😀", "\ue0cb00"
		p.Detail = &stage.Detail{Attributes: map[string]string{"a": "\x00"}}
		return errors.Join(tx.PutParticipant(p), tx.PutSecret("bytes", []byte{0, 1, '\\', 'x', 255}), note(tx))
	})
	closeNow(t, s)
	return path
}

func TestFactsMoveToPostgreSQLAndBackWithNothingLost(t *testing.T) {
	t.Parallel()
	path, url, back := full(t), storetest.Postgres(t), filePath(t)
	want := dump(t, path)
	var told []Copying
	if err := Copy(t.Context(), path, url, func(c Copying) { told = append(told, c) }); err != nil {
		t.Fatal(err)
	}
	if last := told[len(told)-1]; last.Rows != last.Of || len(told) < 2*len(want) {
		t.Errorf("progress was %+v", told)
	}
	s := openAt(t, Options{Path: url})
	if n := feedLen(t, s); n != 2 {
		t.Errorf("%d events", n)
	}
	mustUpdate(t, s, func(x stage.Tx) error { // as servers leave it that were killed
		return errors.Join(x.(*tx).write(putProcess, "a", "", "", time.Now(), time.Now()), x.(*tx).write(putSeat, testStage.String(), "ann", "a"))
	})
	closeNow(t, s)
	free(t, url)
	counters := dump(t, url)["counter"]
	free(t, url)
	if err := Copy(t.Context(), url, back, nil); err != nil {
		t.Fatal(err)
	}
	got := dump(t, back)
	want["counter"] = counters
	if s := openAt(t, Options{Path: path}); s.journal.last == openAt(t, Options{Path: back}).journal.last {
		t.Error("the journal of the one fits the other")
	}
	for table := range want {
		if !slices.Equal(got[table], want[table]) {
			t.Errorf("%s had %d rows, has %d, and they differ", table, len(want[table]), len(got[table]))
		}
	}
	if len(got) != len(want) || len(want["participant"]) < 1200 || len(want["secret"]) < 2 {
		t.Errorf("%d tables came back of %d", len(got), len(want))
	}
}

func TestNothingIsCopiedOverFactsOrWhileSomebodyUsesThem(t *testing.T) {
	t.Parallel()
	path, url := full(t), storetest.Postgres(t)
	refused := func(from, to, why string) {
		t.Helper()
		if err := Copy(t.Context(), from, to, nil); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("want an error with %q, got %v", why, err)
		}
	}
	refused(filepath.Join(t.TempDir(), "nothing.db"), url, "no database to copy")
	refused(path, full(t), "not empty")
	server := openAt(t, Options{Path: path})
	refused(path, url, "in use")
	closeNow(t, server)
	server = openAt(t, Options{Path: url})
	mustUpdate(t, server, note)
	refused(path, url, "in use")
	refused(url, filePath(t), "in use")
	closeNow(t, server)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) { // until the server has seen it go
		err := Copy(t.Context(), path, url, nil)
		if err != nil && strings.Contains(err.Error(), "not empty") {
			break
		}
		if err == nil || time.Now().After(end) {
			t.Fatalf("over facts: %v", err)
		}
	}
}
